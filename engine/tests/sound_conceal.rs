//! J5: what is heard where nothing arrived.

use offhook_engine::sound::{ComfortNoise, Concealer};
use offhook_units::SampleRate;

const RATES: [SampleRate; 3] = [SampleRate::HZ_8000, SampleRate::HZ_16000, SampleRate::HZ_48000];

fn tone(rate: SampleRate, hz: f32, level: f32, ms: u32) -> Vec<i16> {
    let step = std::f32::consts::TAU * hz / rate.hz() as f32;
    (0..rate.frames_in_ms(ms)).map(|n| (level * (step * n as f32).sin()) as i16).collect()
}

/// A buzz of many harmonics whose pitch falls by a tenth a second: near enough to a vowel.
fn vowel(rate: SampleRate, hz: f32, ms: u32) -> Vec<i16> {
    let mut phase = 0.0f32;
    (0..rate.frames_in_ms(ms))
        .map(|n| {
            let t = n as f32 / rate.hz() as f32;
            phase += hz * (1.0 - 0.1 * t) / rate.hz() as f32;
            let sum: f32 =
                (1..=12).map(|k| (std::f32::consts::TAU * phase * k as f32).cos() / k as f32).sum();
            (2_000.0 * sum) as i16
        })
        .collect()
}

fn hiss(level: f32, frames: usize) -> Vec<i16> {
    let mut state = 12_345u32;
    (0..frames)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (level * 1.732 * (state as i32 as f32 / 2_147_483_648.0)) as i16
        })
        .collect()
}

fn rms(x: &[i16]) -> f32 {
    (x.iter().map(|&s| f32::from(s) * f32::from(s)).sum::<f32>() / x.len() as f32).sqrt()
}

fn error(a: &[i16], b: &[i16]) -> f32 {
    let e: Vec<i16> = a.iter().zip(b).map(|(&a, &b)| a.saturating_sub(b)).collect();
    rms(&e) / rms(b)
}

fn largest_step(x: &[i16]) -> i32 {
    x.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0)
}

/// Highest normalised autocorrelation over the lags of pitch, at 8 kHz.
fn periodicity(x: &[i16]) -> f32 {
    let x: Vec<f32> = x.iter().map(|&s| f32::from(s)).collect();
    (20..140)
        .map(|lag| {
            let (a, b) = (&x[lag..], &x[..x.len() - lag]);
            let ab: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            let (aa, bb): (f32, f32) = (a.iter().map(|a| a * a).sum(), b.iter().map(|b| b * b).sum());
            ab / (aa * bb).sqrt().max(1.0)
        })
        .fold(0.0, f32::max)
}

#[test]
fn a_bridge_meets_a_tone_in_phase_on_both_sides() {
    for rate in RATES {
        for hz in [110.0, 203.0, 390.0] {
            let whole = tone(rate, hz, 8_000.0, 200);
            let (from, to) = (rate.frames_in_ms(100), rate.frames_in_ms(120));
            let mut gap = vec![0; to - from];
            let mut concealer = Concealer::new(rate);
            concealer.listen(&whole[..from]);
            concealer.bridge(&whole[..from], &mut gap, 0, &whole[to..to + rate.frames_in_ms(20)]);
            let off = error(&gap, &whole[from..to]);
            assert!(off < 0.1, "{hz} Hz at {rate:?}: error {off} of the tone");
        }
    }
}

#[test]
fn a_bridge_follows_a_gliding_voice() {
    for rate in RATES {
        for hz in [95.0, 180.0] {
            let whole = vowel(rate, hz, 300);
            let (from, to) = (rate.frames_in_ms(200), rate.frames_in_ms(220));
            let mut gap = vec![0; to - from];
            let mut concealer = Concealer::new(rate);
            concealer.listen(&whole[..from]);
            concealer.bridge(&whole[..from], &mut gap, 0, &whole[to..to + rate.frames_in_ms(40)]);
            let off = error(&gap, &whole[from..to]);
            assert!(off < 0.35, "{hz} Hz at {rate:?}: error {off} of the voice");
        }
    }
}

#[test]
fn a_bridge_that_is_written_as_it_is_played_sounds_like_one_written_at_once() {
    for rate in RATES {
        let ms = |n| rate.frames_in_ms(n);
        let (voice, noise) = (vowel(rate, 130.0, 400), hiss(900.0, ms(400)));
        // Behind 40 ms of guess, so that the background comes in as well.
        for (whole, guessed) in [(&voice, 0), (&voice, 40), (&noise, 0), (&noise, 40)] {
            let (from, to) = (ms(200 + guessed), ms(280 + guessed));
            let begin = |gap: &mut [i16], later| {
                let mut concealer = Concealer::new(rate);
                concealer.listen(&whole[..ms(200)]);
                let mut past = whole[..from].to_vec();
                concealer.extrapolate(&whole[..ms(200)], &mut past[ms(200)..]);
                concealer.bridge(&past, gap, later, &whole[to..to + ms(40)]);
                // The packet behind the gap is heard before the gap is written.
                concealer.listen(&whole[to..to + ms(20)]);
                concealer
            };
            let (mut at_once, mut in_pieces) = (vec![0; to - from], vec![0; to - from]);
            begin(&mut at_once, 0);
            let (first, rest) = in_pieces.split_at_mut(ms(3));
            let mut concealer = begin(first, rest.len());
            rest.chunks_mut(ms(10)).for_each(|piece| concealer.cross(piece));
            let apart = at_once.iter().zip(&in_pieces).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(apart <= Some(1), "{rate:?}, behind {guessed} ms: {apart:?}");
            assert!(rms(&in_pieces[ms(70)..]) > 100.0, "{rate:?}: nothing written");
            // Behind its end there is nothing to write.
            let mut more = [1; 8];
            concealer.cross(&mut more);
            assert_eq!(more, [0; 8]);
        }
    }
}

#[test]
fn extrapolation_keeps_a_tone_in_phase_for_a_packet() {
    for rate in RATES {
        let whole = tone(rate, 150.0, 8_000.0, 200);
        let from = rate.frames_in_ms(100);
        let mut concealer = Concealer::new(rate);
        concealer.listen(&whole[..from]);
        let mut out = vec![0; rate.frames_in_ms(20)];
        let (first, second) = out.split_at_mut(rate.frames_in_ms(10));
        concealer.extrapolate(&whole[..from], first);
        concealer.extrapolate(&[], second);
        let off = error(&out, &whole[from..]);
        assert!(off < 0.1, "{rate:?}: error {off} of the tone");
    }
}

#[test]
fn no_join_steps_further_than_the_sound_itself() {
    for rate in RATES {
        for whole in [tone(rate, 300.0, 9_000.0, 400), vowel(rate, 120.0, 400)] {
            let ms = |n| rate.frames_in_ms(n);
            let natural = largest_step(&whole);
            let mut concealer = Concealer::new(rate);
            let mut played = whole[..ms(100)].to_vec();
            concealer.listen(&played);
            // A packet bridged, then two extrapolated and real audio back, which was late.
            let mut gap = vec![0; ms(20)];
            concealer.bridge(&played, &mut gap, 0, &whole[ms(120)..ms(160)]);
            played.extend(&gap);
            played.extend(&whole[ms(120)..ms(200)]);
            concealer.listen(&whole[ms(120)..ms(200)]);
            for _ in 0..4 {
                let mut out = vec![0; ms(10)];
                concealer.extrapolate(&played, &mut out);
                played.extend(&out);
            }
            let (mut extra, mut fresh) = (vec![0; ms(15)], whole[ms(200)..ms(260)].to_vec());
            let ran_on = concealer.rejoin(&mut extra, &mut fresh);
            assert!(ran_on <= extra.len());
            played.extend(&extra[..ran_on]);
            played.extend(&fresh);
            let found = largest_step(&played);
            assert!(found <= natural * 3 / 2, "{rate:?}: a step of {found}, the sound's own are {natural}");
        }
    }
}

#[test]
fn what_comes_back_late_joins_in_phase() {
    let rate = SampleRate::HZ_8000;
    let whole = tone(rate, 200.0, 8_000.0, 300);
    let mut concealer = Concealer::new(rate);
    concealer.listen(&whole[..800]);
    let mut played = vec![0; 160];
    concealer.extrapolate(&whole[..800], &mut played);
    // 13 samples off the phase of the guess; a period has 40.
    let (mut extra, mut fresh) = ([0; 80], whole[973..1133].to_vec());
    let ran_on = concealer.rejoin(&mut extra, &mut fresh);
    assert!((10..=16).contains(&(ran_on % 40)), "ran on for {ran_on}");
}

#[test]
fn a_long_hole_ends_in_the_background_that_was_heard_and_never_in_a_buzz() {
    let rate = SampleRate::HZ_8000;
    for level in [30.0, 200.0] {
        let mut heard = hiss(level, 16_000);
        let voice = vowel(rate, 130.0, 300);
        heard.extend(&voice);
        let mut concealer = Concealer::new(rate);
        for packet in heard.chunks(160) {
            concealer.listen(packet);
        }
        let mut out = vec![0; 8_000];
        for step in out.chunks_mut(80) {
            concealer.extrapolate(&voice, step);
        }
        let (start, end) = (&out[..160], &out[1_600..]);
        assert!(rms(start) > 0.6 * rms(&voice), "speech goes on at first");
        let ratio = rms(end) / level;
        assert!((0.7..1.4).contains(&ratio), "ends at {ratio} of the background of {level}");
        assert!(periodicity(end) < 0.2, "ends in a buzz: {}", periodicity(end));
    }
}

#[test]
fn hiss_is_not_turned_into_a_tone() {
    let rate = SampleRate::HZ_8000;
    let past = hiss(3_000.0, 800);
    let mut concealer = Concealer::new(rate);
    concealer.listen(&past);
    let mut out = vec![0; 480];
    concealer.extrapolate(&past, &mut out);
    assert!(periodicity(&out) < 0.6, "{}", periodicity(&out));
    let ratio = rms(&out[..320]) / rms(&past);
    assert!((0.5..1.5).contains(&ratio), "level {ratio} of the hiss before");
}

#[test]
fn a_word_that_begins_after_the_hole_rises_out_of_the_silence_before() {
    let rate = SampleRate::HZ_8000;
    let voice = vowel(rate, 120.0, 60);
    let mut concealer = Concealer::new(rate);
    let silence = [0; 800];
    concealer.listen(&silence);
    let mut gap = [0; 160];
    concealer.bridge(&silence, &mut gap, 0, &voice);
    assert!(rms(&gap[..20]) < 0.3 * rms(&voice), "hardly anything at first: {}", rms(&gap[..20]));
    assert!(rms(&gap[120..]) > 0.3 * rms(&voice), "its own beginning: {}", rms(&gap[120..]));
}

#[test]
fn silence_stays_silence() {
    for rate in RATES {
        let mut concealer = Concealer::new(rate);
        let past = vec![0i16; rate.frames_in_ms(100)];
        concealer.listen(&past);
        let mut out = vec![99i16; rate.frames_in_ms(300)];
        concealer.extrapolate(&past, &mut out);
        assert!(out.iter().all(|&s| s == 0));
        concealer.listen(&past);
        out.fill(99);
        concealer.bridge(&past, &mut out, 0, &past);
        assert!(out.iter().all(|&s| s == 0));
        concealer.noise(None, &mut out);
        assert!(out.iter().all(|&s| s == 0));
    }
}

#[test]
fn full_scale_in_is_at_most_full_scale_out_and_ends() {
    let rate = SampleRate::HZ_8000;
    let square: Vec<i16> = (0..800).map(|n| if n / 37 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    let mut concealer = Concealer::new(rate);
    concealer.listen(&square);
    let mut out = vec![0; 2_400];
    concealer.extrapolate(&square, &mut out);
    assert!(rms(&out[..160]) > 15_000.0);
    assert!(rms(&out[1_600..]) <= concealer.background_rms() * 1.5 + 1.0);
}

#[test]
fn comfort_noise_has_the_level_that_was_sent() {
    let rate = SampleRate::HZ_8000;
    let mut concealer = Concealer::new(rate);
    let voice = vowel(rate, 120.0, 100);
    concealer.listen(&voice);
    // -40 dBov.
    let sent = ComfortNoise::parse(&[40]).expect("one byte is enough");
    let mut out = vec![0; 8_000];
    for step in out.chunks_mut(80) {
        concealer.noise(Some(sent), step);
    }
    let ratio = rms(&out[800..]) / 327.68;
    assert!((0.9..1.1).contains(&ratio), "{ratio} of the level sent");
    let join = (i32::from(out[0]) - i32::from(voice[799])).abs();
    assert!(join <= largest_step(&voice) + 1_500, "a step of {join} at the start");
    assert_eq!(ComfortNoise::parse(&[]), None);
}

#[test]
fn comfort_noise_has_the_colour_that_was_sent() {
    let rate = SampleRate::HZ_8000;
    let mut concealer = Concealer::new(rate);
    let mut neighbours = |coefficient: u8| {
        let sent = ComfortNoise::parse(&[30, coefficient]).expect("a level and one coefficient");
        let mut out = vec![0; 16_000];
        concealer.noise(Some(sent), &mut out);
        let out = &out[800..];
        let product: f32 = out.windows(2).map(|w| f32::from(w[0]) * f32::from(w[1])).sum();
        product / out.iter().map(|&s| f32::from(s) * f32::from(s)).sum::<f32>()
    };
    // RFC 3389 3.2: 127 is no colour. The sign of the first coefficient is that of -r(1)/r(0).
    assert!(neighbours(127).abs() < 0.1);
    assert!(neighbours(27) > 0.6);
    assert!(neighbours(227) < -0.6);
}
