//! From the voice's rate to the one that was asked for, a whole piece at once: no state, no delay, nothing to
//! get wrong at chunk borders. A windowed sinc (Smith, "Digital Audio Resampling", 2002); the phases of a fixed
//! ratio are few and made once a piece.

use std::f64::consts::PI;

/// Zero crossings on each side: more than 60 dB down where it would fold.
const CROSSINGS: usize = 24;

/// `samples` at `from_hz`, at `to_hz`.
pub(crate) fn resample(samples: &[i16], from_hz: u32, to_hz: u32) -> Vec<i16> {
    if from_hz == to_hz || from_hz == 0 || to_hz == 0 || samples.is_empty() {
        return samples.to_vec();
    }
    let divisor = gcd(from_hz, to_hz);
    let (up, down) = (u64::from(to_hz / divisor), u64::from(from_hz / divisor));
    // Below the lower of the two rates' halves, with room for the filter to fall.
    let cutoff = 0.94 * (f64::from(to_hz) / f64::from(from_hz)).min(1.0);
    let reach = (CROSSINGS as f64 / cutoff).ceil() as i64;
    let phases: Vec<Vec<f64>> = (0..up).map(|phase| taps(phase as f64 / up as f64, cutoff, reach)).collect();
    let count = (samples.len() as u64 * up).div_ceil(down);
    (0..count)
        .map(|out| {
            let at = out * down;
            let (whole, phase) = ((at / up) as i64, (at % up) as usize);
            let taps = phases.get(phase).map_or(&[][..], Vec::as_slice);
            let sum: f64 = taps
                .iter()
                .zip(whole - reach + 1..)
                .filter_map(|(tap, index)| Some(tap * f64::from(*samples.get(usize::try_from(index).ok()?)?)))
                .sum();
            sum.round().clamp(f64::from(i16::MIN), f64::from(i16::MAX)) as i16
        })
        .collect()
}

/// The filter for a point that lies `fraction` of a sample behind a whole one.
fn taps(fraction: f64, cutoff: f64, reach: i64) -> Vec<f64> {
    let taps: Vec<f64> = (1 - reach..=reach)
        .map(|offset| {
            let x = offset as f64 - fraction;
            let edge = (x / reach as f64).clamp(-1.0, 1.0);
            // Blackman's window.
            let window = 0.42 + 0.5 * (PI * edge).cos() + 0.08 * (2.0 * PI * edge).cos();
            let y = PI * cutoff * x;
            window * if y.abs() < 1e-9 { 1.0 } else { y.sin() / y }
        })
        .collect();
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| tap / sum).collect()
}

const fn gcd(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    fn tone(hz: f32, rate_hz: u32) -> Vec<i16> {
        (0..rate_hz / 4).map(|n| ((TAU * hz * n as f32 / rate_hz as f32).sin() * 10_000.0) as i16).collect()
    }

    fn level(samples: &[i16]) -> f64 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        (middle.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / middle.len() as f64).sqrt()
    }

    #[test]
    fn a_tone_keeps_its_length_and_level_at_every_rate() {
        for to_hz in [8_000, 22_050, 24_000, 32_000, 44_100, 48_000] {
            let out = resample(&tone(1_000.0, 16_000), 16_000, to_hz);
            assert!(out.len().abs_diff(to_hz as usize / 4) <= 1, "{} at {to_hz}", out.len());
            let ratio = level(&out) / (10_000.0 / 2f64.sqrt());
            assert!((0.99..1.01).contains(&ratio), "{ratio} at {to_hz}");
        }
    }

    #[test]
    fn what_would_fold_is_gone() {
        let out = resample(&tone(5_000.0, 16_000), 16_000, 8_000);
        assert!(level(&out) < 10.0, "{}", level(&out));
    }

    #[test]
    fn the_same_rate_and_nothing_at_all_pass() {
        assert_eq!(resample(&[1, 2], 16_000, 16_000), [1, 2]);
        assert!(resample(&[], 16_000, 8_000).is_empty());
    }
}
