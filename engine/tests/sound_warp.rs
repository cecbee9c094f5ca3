//! J3: shorter and longer without being heard.

use offhook_engine::sound::{Limits, Texture, Warper};
use offhook_units::SampleRate;

fn tone(rate: SampleRate, hz: f32, frames: usize) -> Vec<i16> {
    let step = std::f32::consts::TAU * hz / rate.hz() as f32;
    (0..frames).map(|n| (8_000.0 * (step * n as f32).sin()) as i16).collect()
}

fn hiss(level: f32, frames: usize) -> Vec<i16> {
    let mut state = 77u32;
    (0..frames)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (level * (state as i32 as f32 / 2_147_483_648.0)) as i16
        })
        .collect()
}

fn rms(x: &[i16]) -> f32 {
    (x.iter().map(|&s| f32::from(s) * f32::from(s)).sum::<f32>() / x.len() as f32).sqrt()
}

/// A sine obeys x[n+1] + x[n-1] = 2 cos(w) x[n]: what is left over is no tone of that pitch.
fn strangeness(rate: SampleRate, hz: f32, x: &[i16]) -> f32 {
    let k = 2.0 * (std::f32::consts::TAU * hz / rate.hz() as f32).cos();
    let step = 2.0 - k;
    let worst = x
        .windows(3)
        .map(|w| (f32::from(w[0]) + f32::from(w[2]) - k * f32::from(w[1])).abs())
        .fold(0.0, f32::max);
    worst / (8_000.0 * step.max(0.01))
}

#[test]
fn a_tone_stays_a_tone_when_squeezed_and_stretched() {
    for rate in [SampleRate::HZ_8000, SampleRate::HZ_16000] {
        for hz in [100.0, 171.0, 333.0] {
            let n = rate.frames_in_ms(50);
            let limits = Limits { pause: rate.frames_in_ms(15), speech: rate.frames_in_ms(15) };
            let mut warper = Warper::new(rate);
            let whole = tone(rate, hz, n);

            let mut block = whole.clone();
            let made = warper.squeeze(&mut block, limits, 0.0);
            assert_eq!(made.texture, Texture::Periodic);
            assert!(made.removed > 0 && made.removed <= limits.speech, "{made:?}");
            let periods = made.removed as f32 * hz / rate.hz() as f32;
            assert!((periods - periods.round()).abs() < 0.1, "{periods} periods removed");
            let left = &block[..n - made.removed];
            assert!(strangeness(rate, hz, left) < 0.5, "{hz} Hz: {}", strangeness(rate, hz, left));
            assert_eq!(left[left.len() - 1], whole[n - 1], "the end is the end");
            assert_eq!(left[0], whole[0], "the start is the start");

            let mut out = vec![0; 2 * n];
            let made = warper.stretch(&whole, &mut out, limits, 0.0);
            assert!(made.added > 0 && made.added <= limits.speech, "{made:?}");
            let longer = &out[..n + made.added];
            assert!(strangeness(rate, hz, longer) < 0.5, "{hz} Hz: {}", strangeness(rate, hz, longer));
            assert_eq!(longer[longer.len() - 1], whole[n - 1]);
            assert_eq!(longer[0], whole[0]);
        }
    }
}

#[test]
fn a_pause_gives_what_is_asked_of_it() {
    let mut warper = Warper::new(SampleRate::HZ_8000);
    let mut block = hiss(20.0, 400);
    let before = rms(&block);
    let limits = Limits { pause: 200, speech: 80 };
    let made = warper.squeeze(&mut block, limits, 15.0);
    assert_eq!(made.texture, Texture::Pause);
    assert!(made.removed >= 175 && made.removed <= 200, "{made:?}");
    let ratio = rms(&block[..400 - made.removed]) / before;
    assert!((0.8..1.25).contains(&ratio), "loudness changed by {ratio}");
}

#[test]
fn loud_hiss_is_left_alone() {
    let mut warper = Warper::new(SampleRate::HZ_8000);
    let whole = hiss(6_000.0, 400);
    let mut block = whole.clone();
    let limits = Limits { pause: 200, speech: 200 };
    let made = warper.squeeze(&mut block, limits, 15.0);
    assert_eq!((made.removed, made.texture), (0, Texture::Unfit));
    assert_eq!(block, whole);
    let mut out = [0; 800];
    assert_eq!(warper.stretch(&whole, &mut out, limits, 15.0).added, 0);
    assert_eq!(out[..400], whole[..]);
}

#[test]
fn no_limit_is_passed() {
    let mut warper = Warper::new(SampleRate::HZ_8000);
    let mut block = tone(SampleRate::HZ_8000, 100.0, 400);
    // A period has 80 samples.
    let made = warper.squeeze(&mut block, Limits { pause: 400, speech: 70 }, 0.0);
    assert_eq!(made.removed, 0);
}
