//! What a sound is like, every ten milliseconds: mel-frequency cepstra, the coarse shape of the spectrum as ears weigh it.
//! Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word recognition" (1980).

use microfft::real::rfft_256;
use std::f32::consts::{PI, TAU};

/// Samples a second of what is listened to: all that the telephone has, and enough to tell sounds apart.
pub(super) const RATE_HZ: u32 = 8_000;
/// Between two frames.
pub(super) const HOP: usize = 80;
/// What a frame sees, 25 ms; and the length of its spectrum.
pub(super) const WINDOW: usize = 200;
const SIZE: usize = 256;
const BANDS: usize = 24;
const LOW_HZ: f32 = 120.0;
const HIGH_HZ: f32 = 3_700.0;
/// Coefficients of a frame.
const COUNT: usize = 13;
/// What is so far below the loudest band of the sound is silence, as the natural logarithm of a power: 45 dB.
const FLOOR: f32 = 10.4;

/// Frames that are no more below the loudest one are speech.
const SPOKEN: f32 = 5.0;

/// One frame.
pub(super) type Frame = [f32; COUNT];

/// The frames of a sound, and how loud each is.
pub(super) struct Features {
    pub(super) frames: Vec<Frame>,
    pub(super) loudness: Vec<f32>,
}

impl Features {
    /// Without what is behind so many frames.
    pub(super) fn truncate(&mut self, count: usize) {
        self.frames.truncate(count);
        self.loudness.truncate(count);
    }
}

/// What `samples` are like, at [`RATE_HZ`].
pub(super) fn features(samples: &[i16]) -> Features {
    let window: [f32; WINDOW] =
        std::array::from_fn(|n| 0.54 - 0.46 * (TAU * n as f32 / (WINDOW - 1) as f32).cos());
    let bands = bands();
    let count = (samples.len() + HOP).saturating_sub(WINDOW) / HOP;
    let seen_of = |frame: usize| samples.get(frame * HOP..frame * HOP + WINDOW).unwrap_or_default();
    let (mut spectra, mut loudness) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for frame in 0..count {
        let mut seen = [0.0; SIZE];
        let mut before = 0.0;
        for ((to, &x), weight) in seen.iter_mut().zip(seen_of(frame)).zip(&window) {
            let x = f32::from(x);
            // Speech falls off towards high frequencies; this evens it.
            *to = weight * (x - 0.97 * before);
            before = x;
        }
        let spectrum = rfft_256(&mut seen);
        let energy = |bin: usize| spectrum.get(bin).map_or(0.0, |x| x.re * x.re + x.im * x.im);
        spectra.push(bands.each_ref().map(|(from, weights)| {
            let sum: f32 = weights.iter().zip(*from..).map(|(weight, bin)| weight * energy(bin)).sum();
            (sum + 1.0).ln()
        }));
        loudness.push(self::loudness(seen_of(frame)));
    }
    let loudest = spectra.iter().flatten().copied().fold(0.0, f32::max);
    let frames = spectra
        .iter()
        .map(|bands: &[f32; BANDS]| {
            let heard = bands.map(|band| band.max(loudest - FLOOR));
            std::array::from_fn(|k| {
                let wave = |n: usize| (PI * k as f32 * (n as f32 + 0.5) / BANDS as f32).cos();
                let sum: f32 = heard.iter().enumerate().map(|(n, band)| band * wave(n)).sum();
                sum / if k == 0 { BANDS as f32 } else { BANDS as f32 / 2.0 }
            })
        })
        .collect();
    Features { frames, loudness }
}

/// How loud `samples` are, as the natural logarithm of their power.
pub(super) fn loudness(samples: &[i16]) -> f32 {
    let power: f32 = samples.iter().map(|&x| f32::from(x).powi(2)).sum();
    ((power + 1.0) / samples.len().max(1) as f32).ln()
}

/// `frames` without what is the same in the first `part` of them: a voice, a line and a microphone each add a constant.
pub(super) fn levelled(frames: &[Frame], part: usize) -> Vec<Frame> {
    let loudest = frames.iter().take(part).map(|frame| frame[0]).fold(f32::MIN, f32::max);
    let spoken = || frames.iter().take(part).filter(|frame| frame[0] > loudest - SPOKEN);
    let count = spoken().count().max(1) as f32;
    let mut mean = [0.0; COUNT];
    spoken().for_each(|frame| mean.iter_mut().zip(frame).for_each(|(mean, x)| *mean += x / count));
    let level = |frame: &Frame| std::array::from_fn(|n| frame[n] - mean[n]);
    frames.iter().map(level).collect()
}

/// The bands: the first bin of each and the weights of those from there on, a triangle on the mel scale.
fn bands() -> [(usize, Vec<f32>); BANDS] {
    let mel = |hz: f32| 1_127.0 * (hz / 700.0).ln_1p();
    let hz = |mel: f32| 700.0 * (mel / 1_127.0).exp_m1();
    let (low, high) = (mel(LOW_HZ), mel(HIGH_HZ));
    let edge =
        |n: usize| hz(low + (high - low) * n as f32 / (BANDS + 1) as f32) * SIZE as f32 / RATE_HZ as f32;
    std::array::from_fn(|n| {
        let (from, middle, to) = (edge(n), edge(n + 1), edge(n + 2));
        let bins = from.ceil() as usize..=to.floor() as usize;
        let weight = |bin: usize| {
            let bin = bin as f32;
            ((bin - from) / (middle - from)).min((to - bin) / (to - middle)).max(0.0)
        };
        (from.ceil() as usize, bins.map(weight).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_is_like_itself_at_any_level_and_unlike_another() {
        let hum = |hz: f32, level: f32| -> Vec<i16> {
            (0..RATE_HZ).map(|n| (level * (TAU * hz * n as f32 / RATE_HZ as f32).sin()) as i16).collect()
        };
        let frames = |parts: [Vec<i16>; 2]| {
            let frames = features(&parts.concat()).frames;
            levelled(&frames, frames.len())
        };
        let loud = frames([hum(400.0, 12_000.0), hum(1_500.0, 12_000.0)]);
        let soft = frames([hum(400.0, 2_000.0), hum(1_500.0, 2_000.0)]);
        let apart = |a: &Frame, b: &Frame| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
        assert!(apart(&loud[40], &soft[40]) < 0.5, "{}", apart(&loud[40], &soft[40]));
        assert!(apart(&loud[40], &loud[140]) > 3.0, "{}", apart(&loud[40], &loud[140]));
        assert_eq!((loud.len(), features(&[0; 199]).frames.len(), features(&[]).frames.len()), (198, 0, 0));
    }
}
