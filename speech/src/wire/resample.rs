//! Samples from one rate to another, in pieces of any size, with no edge between them: a polyphase windowed sinc
//! that keeps its history. One for each turn, flushed at its end only.

use std::f64::consts::PI;

/// Zero crossings of the sinc to each side, at the lower of the two rates: -6 dB at 0.95 of its band, images below
/// -70 dB.
const CROSSINGS: usize = 24;
const BAND: f64 = 0.95;

/// The resampler of one stream.
#[derive(Clone, Debug)]
pub struct Resampler {
    up: usize,
    down: usize,
    /// `up` rows of `taps` weights.
    weights: Vec<f32>,
    taps: usize,
    /// The last input, as far as an output may still need it.
    held: Vec<f32>,
    /// Where the next output's first tap lies in `held`, in steps of 1/`up`.
    at: usize,
    /// Input that came, and output that went, to end at the exact length.
    taken: u64,
    given: u64,
}

impl Resampler {
    /// From `from_hz` to `to_hz`; a rate of 0 counts as 1.
    pub fn new(from_hz: u32, to_hz: u32) -> Self {
        let (from, to) = (from_hz.max(1) as usize, to_hz.max(1) as usize);
        let common = gcd(from, to);
        let (up, down) = (to / common, from / common);
        // At the same rate nothing is filtered.
        if up == down {
            return Self {
                up,
                down,
                weights: Vec::new(),
                taps: 0,
                held: Vec::new(),
                at: 0,
                taken: 0,
                given: 0,
            };
        }
        let stretch = (from as f64 / to as f64).max(1.0);
        let half = (CROSSINGS as f64 * stretch).ceil() as usize;
        let taps = 2 * half;
        let cutoff = BAND / stretch;
        let mut weights = Vec::with_capacity(up * taps);
        for row in 0..up {
            let fraction = row as f64 / up as f64;
            let raw: Vec<f64> = (0..taps)
                .map(|tap| weight(tap as f64 - (half - 1) as f64 - fraction, cutoff, half as f64))
                .collect();
            let sum: f64 = raw.iter().sum();
            weights.extend(raw.iter().map(|w| (w / sum) as f32));
        }
        // The first output stands on the first input: before it there is silence.
        let held = vec![0.0; half - 1];
        Self { up, down, weights, taps, held, at: 0, taken: 0, given: 0 }
    }

    /// Takes the next samples; what they complete is appended to `out`.
    pub fn put(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.taken += samples.len() as u64;
        if self.taps == 0 {
            out.extend_from_slice(samples);
            return;
        }
        self.held.extend(samples.iter().map(|&x| f32::from(x)));
        self.run(u64::MAX, out);
    }

    /// The stream is over: what the filter held comes out, and the length is exact.
    pub fn finish(&mut self, out: &mut Vec<i16>) {
        if self.taps == 0 {
            return;
        }
        let length = (self.taken * self.up as u64).div_ceil(self.down as u64);
        self.held.extend(std::iter::repeat_n(0.0, self.taps));
        self.run(length, out);
    }

    fn run(&mut self, length: u64, out: &mut Vec<i16>) {
        while self.given < length {
            let (from, row) = (self.at / self.up, self.at % self.up);
            let (Some(input), Some(weights)) = (
                self.held.get(from..from + self.taps),
                self.weights.get(row * self.taps..(row + 1) * self.taps),
            ) else {
                break;
            };
            let sum: f32 = input.iter().zip(weights).map(|(x, w)| x * w).sum();
            // `as` saturates.
            out.push(sum.round() as i16);
            self.given += 1;
            self.at += self.down;
        }
        let done = (self.at / self.up).min(self.held.len());
        self.held.drain(..done);
        self.at -= done * self.up;
    }
}

/// A sinc of `cutoff` (1 is half of the input rate) under a Blackman window of `half` samples to each side.
fn weight(x: f64, cutoff: f64, half: f64) -> f64 {
    if x.abs() >= half {
        return 0.0;
    }
    let sinc = if x == 0.0 { cutoff } else { (PI * x * cutoff).sin() / (PI * x) };
    let t = PI * x / half;
    sinc * (0.42 + 0.5 * t.cos() + 0.08 * (2.0 * t).cos())
}

const fn gcd(mut a: usize, mut b: usize) -> usize {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate: u32, count: usize) -> Vec<i16> {
        (0..count).map(|i| (10_000.0 * (2.0 * PI * hz * i as f64 / f64::from(rate)).sin()) as i16).collect()
    }

    fn all(from: u32, to: u32, input: &[i16], step: usize) -> Vec<i16> {
        let (mut resampler, mut out) = (Resampler::new(from, to), Vec::new());
        input.chunks(step).for_each(|part| resampler.put(part, &mut out));
        resampler.finish(&mut out);
        out
    }

    fn rms(samples: &[i16]) -> f64 {
        (samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len().max(1) as f64).sqrt()
    }

    #[test]
    fn pitfall_09_how_audio_is_cut_changes_no_sample() {
        for (from, to) in [(24_000, 8_000), (16_000, 8_000), (8_000, 16_000), (22_050, 8_000), (8_000, 8_000)]
        {
            let input = tone(500.0, from, 4_000);
            let whole = all(from, to, &input, 4_000);
            assert_eq!(whole.len() as u64, (4_000 * u64::from(to)).div_ceil(u64::from(from)));
            for step in [1, 7, 160, 333] {
                assert_eq!(all(from, to, &input, step), whole, "{from} to {to} by {step}");
            }
        }
    }

    #[test]
    fn a_tone_keeps_its_level_and_what_does_not_fit_is_taken_out() {
        for (from, to) in [(24_000, 8_000), (16_000, 8_000), (8_000, 16_000), (22_050, 16_000)] {
            let kept = all(from, to, &tone(1_000.0, from, from as usize), 480);
            let level = rms(&kept[200..kept.len() - 200]) / rms(&tone(1_000.0, to, to as usize));
            assert!((level - 1.0).abs() < 0.01, "{from} to {to}: {level}");
        }
        let removed = all(24_000, 8_000, &tone(6_000.0, 24_000, 24_000), 480);
        assert!(rms(&removed[200..removed.len() - 200]) < 10.0, "{}", rms(&removed));
        // An image of the tone would be what is left after the tone itself is taken away.
        let up = all(8_000, 16_000, &tone(3_000.0, 8_000, 8_000), 160);
        let ideal = tone(3_000.0, 16_000, 16_000);
        let error: Vec<i16> = up.iter().zip(&ideal).skip(300).take(15_000).map(|(a, b)| a - b).collect();
        assert!(rms(&error) < 30.0, "{}", rms(&error));
    }
}
