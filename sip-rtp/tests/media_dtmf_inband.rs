//! T2: keys are heard in the voice itself, by the limits of ITU-T Q.24, and a voice is not taken for keys.

use offhook_sip_rtp::media::dtmf::{Digit, DtmfEvent, InbandDetector};
use offhook_units::SampleRate;
use std::f32::consts::TAU;

/// A small noise source; the seed makes each test repeatable.
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as f32 / u32::MAX as f32 * 2.0 - 1.0
    }
}

/// One tone pair: levels of the low and the high tone below full scale, deviation of each, length.
#[derive(Clone, Copy)]
struct Pair {
    low_db: f32,
    high_db: f32,
    low_off: f32,
    high_off: f32,
    ms: u32,
}

const USUAL: Pair = Pair { low_db: -15.0, high_db: -13.0, low_off: 0.0, high_off: 0.0, ms: 60 };

fn amplitude(db: f32) -> f32 {
    10_f32.powf(db / 20.0)
}

/// `digit` at `rate`, with `lead` samples of silence before and 60 ms behind, and noise of `noise_db`.
fn audio(digit: Digit, rate: SampleRate, pair: Pair, lead: usize, noise_db: f32) -> Vec<i16> {
    let (low, high) = digit.tones_hz();
    let length = rate.frames_in_ms(pair.ms);
    let mut noise = Noise(12_345);
    (0..lead + length + rate.frames_in_ms(60))
        .map(|n| {
            let t = n as f32 / rate.hz() as f32;
            let tone = if (lead..lead + length).contains(&n) {
                amplitude(pair.low_db) * (TAU * low * (1.0 + pair.low_off) * t).sin()
                    + amplitude(pair.high_db) * (TAU * high * (1.0 + pair.high_off) * t + 1.0).sin()
            } else {
                0.0
            };
            ((tone + amplitude(noise_db) * noise.next()) * 32_767.0).clamp(-32_768.0, 32_767.0) as i16
        })
        .collect()
}

fn heard(rate: SampleRate, samples: &[i16]) -> String {
    let mut detector = InbandDetector::new(rate).expect("rate");
    let mut keys = String::new();
    for chunk in samples.chunks(rate.frames_in_ms(20)) {
        detector.put(chunk, |event| {
            if let DtmfEvent::Pressed(digit) = event {
                keys.push(digit.as_char());
            }
        });
    }
    keys
}

/// Every key, at four places against the blocks, must be heard `times` times.
fn every_key_is_heard(rate: SampleRate, pair: Pair, noise_db: f32, times: usize) {
    for digit in Digit::all() {
        for lead in [0, 31, 62, 93] {
            let lead = lead * rate.frames_in_ms(1) / 8;
            let keys = heard(rate, &audio(digit, rate, pair, lead, noise_db));
            assert_eq!(keys, digit.to_string().repeat(times), "key {digit} after {lead} samples");
        }
    }
}

#[test]
fn every_key_is_heard_once_at_every_rate() {
    for rate in [SampleRate::HZ_8000, SampleRate::HZ_16000, SampleRate::HZ_48000] {
        every_key_is_heard(rate, USUAL, -90.0, 1);
    }
}

#[test]
fn the_shortest_tone_that_must_be_heard_is_40_ms() {
    every_key_is_heard(SampleRate::HZ_8000, Pair { ms: 40, ..USUAL }, -90.0, 1);
}

#[test]
fn a_tone_of_20_ms_is_not_heard() {
    every_key_is_heard(SampleRate::HZ_8000, Pair { ms: 20, ..USUAL }, -90.0, 0);
}

#[test]
fn tones_one_and_a_half_percent_off_are_heard() {
    for off in [-0.015, 0.015] {
        every_key_is_heard(SampleRate::HZ_8000, Pair { low_off: off, high_off: off, ..USUAL }, -90.0, 1);
    }
}

#[test]
fn tones_three_and_a_half_percent_off_are_not() {
    for off in [-0.035, 0.035] {
        every_key_is_heard(SampleRate::HZ_8000, Pair { low_off: off, high_off: off, ..USUAL }, -90.0, 0);
    }
}

#[test]
fn one_tone_three_and_a_half_percent_off_is_enough_to_be_no_key() {
    for off in [-0.035, 0.035] {
        every_key_is_heard(SampleRate::HZ_8000, Pair { low_off: off, ..USUAL }, -90.0, 0);
        every_key_is_heard(SampleRate::HZ_8000, Pair { high_off: off, ..USUAL }, -90.0, 0);
    }
}

#[test]
fn four_decibels_of_twist_one_way_and_eight_the_other_are_borne() {
    every_key_is_heard(SampleRate::HZ_8000, Pair { low_db: -12.0, high_db: -16.0, ..USUAL }, -90.0, 1);
    every_key_is_heard(SampleRate::HZ_8000, Pair { low_db: -22.0, high_db: -14.0, ..USUAL }, -90.0, 1);
}

#[test]
fn quiet_keys_and_keys_in_noise_are_heard() {
    every_key_is_heard(SampleRate::HZ_8000, Pair { low_db: -36.0, high_db: -36.0, ..USUAL }, -90.0, 1);
    // 15 dB between each tone's power and the noise's: a uniform source of amplitude a has a²/3.
    every_key_is_heard(SampleRate::HZ_8000, USUAL, -15.0 - 15.0 + 1.8, 1);
}

/// A sample as µ-law's 255 steps leave it (ITU-T G.711, the smooth curve that its segments follow).
fn companded(sample: i16) -> i16 {
    let x = f32::from(sample) / 32_768.0;
    let steps = ((1.0 + 255.0 * x.abs()).ln() / 256_f32.ln() * 127.0).round();
    ((256_f32.powf(steps / 127.0) - 1.0) / 255.0 * x.signum() * 32_767.0) as i16
}

#[test]
fn keys_are_heard_through_companding() {
    for digit in Digit::all() {
        let mut samples = audio(digit, SampleRate::HZ_8000, Pair { ms: 120, ..USUAL }, 40, -50.0);
        samples.iter_mut().for_each(|sample| *sample = companded(*sample));
        assert_eq!(heard(SampleRate::HZ_8000, &samples), digit.to_string());
    }
}

#[test]
fn nothing_is_heard_in_noise_alone() {
    let mut noise = Noise(7);
    let samples: Vec<i16> = (0..8_000 * 120).map(|_| (noise.next() * 12_000.0) as i16).collect();
    assert_eq!(heard(SampleRate::HZ_8000, &samples), "");
}

#[test]
fn a_lone_tone_or_a_dial_tone_is_no_key() {
    for (low, high) in [(697.0, 0.0), (0.0, 1477.0), (350.0, 440.0), (440.0, 480.0), (697.0, 770.0)] {
        let samples: Vec<i16> = (0..8_000)
            .map(|n| {
                let t = n as f32 / 8_000.0;
                (((TAU * low * t).sin() + (TAU * high * t).sin()) * 6_000.0) as i16
            })
            .collect();
        assert_eq!(heard(SampleRate::HZ_8000, &samples), "", "{low} Hz and {high} Hz");
    }
}

/// Talk-off: a quarter of an hour of a voice-like source, whose pitch glides and whose formants move all over the band
/// of the keys, must not press one.
#[test]
fn a_gliding_voice_presses_no_key() {
    let mut noise = Noise(99);
    let rate = 8_000.0;
    let mut samples = Vec::new();
    let (mut phase, mut pitch) = (0.0_f32, 140.0_f32);
    for _ in 0..15 * 60 * 5 {
        // A syllable of 200 ms: from one pitch to another, three formants that stay.
        let goal = 80.0 + 130.0 * (1.0 + noise.next());
        let formants = [
            (650.0 + 350.0 * noise.next(), 90.0),
            (1_400.0 + 500.0 * noise.next(), 110.0),
            (2_600.0 + 500.0 * noise.next(), 160.0),
        ];
        let mut weights = [0.0_f32; 45];
        for n in 0..1_600 {
            let pitch_now = pitch + (goal - pitch) * n as f32 / 1_600.0;
            if n % 80 == 0 {
                for (k, weight) in weights.iter_mut().enumerate() {
                    let hz = pitch_now * (k + 1) as f32;
                    *weight = if hz > 3_600.0 {
                        0.0
                    } else {
                        formants.iter().map(|(f, w)| 1.0 / (1.0 + ((hz - f) / w).powi(2))).sum()
                    };
                }
            }
            phase = (phase + pitch_now / rate).fract();
            let mut sum = 0.0;
            for (k, weight) in weights.iter().enumerate() {
                if *weight > 0.01 {
                    sum += weight * (TAU * phase * (k + 1) as f32).sin();
                }
            }
            samples.push(((sum + 0.02 * noise.next()) * 6_000.0).clamp(-32_768.0, 32_767.0) as i16);
        }
        pitch = goal;
    }
    assert_eq!(heard(SampleRate::HZ_8000, &samples), "");
}

#[test]
fn a_key_is_released_after_as_long_as_it_was_held() {
    let digit = Digit::from_char('8').expect("key");
    let samples = audio(digit, SampleRate::HZ_8000, Pair { ms: 300, ..USUAL }, 0, -90.0);
    let mut detector = InbandDetector::new(SampleRate::HZ_8000).expect("rate");
    let mut held_ms = Vec::new();
    detector.put(&samples, |event| {
        if let DtmfEvent::Released { held, .. } = event {
            held_ms.push(held.as_millis_f32());
        }
    });
    assert_eq!(held_ms.len(), 1);
    assert!((275.0..=310.0).contains(&held_ms[0]), "{held_ms:?}");
}

#[test]
fn a_break_of_ten_milliseconds_does_not_double_a_key() {
    let digit = Digit::from_char('3').expect("key");
    for at in 0..20 {
        let mut samples = audio(digit, SampleRate::HZ_8000, Pair { ms: 200, ..USUAL }, 0, -90.0);
        let start = 600 + at * 13;
        samples[start..start + 80].fill(0);
        assert_eq!(heard(SampleRate::HZ_8000, &samples), "3", "break at {start}");
    }
}
