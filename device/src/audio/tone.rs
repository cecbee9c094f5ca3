//! Real-time: arithmetic on a phase.
//!
//! The test tone of the `tone` route: 440 Hz to find the line, then what a tech levels it with, over and over.

use offhook_units::SampleRate;
use std::f32::consts::TAU;

/// One step of the sequence. Levels are in dBm0: 0 is the standard test level, 3.17 dB below µ-law's overload.
struct Step {
    hz: f32,
    dbm0: f32,
    ms: u32,
}

/// The 1004 Hz milliwatt, the three tones of a slope test, and quiet, as exchanges' test numbers play them.
const SEQUENCE: [Step; 6] = [
    Step { hz: 440.0, dbm0: -10.0, ms: 4_000 },
    Step { hz: 1_004.0, dbm0: 0.0, ms: 4_000 },
    Step { hz: 404.0, dbm0: -16.0, ms: 2_000 },
    Step { hz: 1_004.0, dbm0: -16.0, ms: 2_000 },
    Step { hz: 2_804.0, dbm0: -16.0, ms: 2_000 },
    Step { hz: 0.0, dbm0: f32::NEG_INFINITY, ms: 2_000 },
];

/// A full-scale sine, in dBm0 (ITU-T G.711, table 2a).
const OVERLOAD_DBM0: f32 = 3.17;
/// Up and down at the ends of a step: a tone that is switched clicks, ms.
const EDGE_MS: f32 = 5.0;

/// The sequence, somewhere in its course.
#[derive(Clone, Debug, Default)]
pub struct Tone {
    step: usize,
    /// Into the step, in samples; of another rate than before where the call changed its codec in mid-step.
    at: u32,
    /// Of the sine, in turns.
    phase: f32,
}

impl Tone {
    /// The next samples.
    pub fn render(&mut self, rate: SampleRate, out: &mut [i16]) {
        for sample in out {
            *sample = self.next(rate);
        }
    }

    fn next(&mut self, rate: SampleRate) -> i16 {
        let Some(step) = SEQUENCE.get(self.step) else {
            *self = Self::default();
            return 0;
        };
        let length = rate.frames_in_ms(step.ms) as u32;
        let peak = 32_767.0 * 10_f32.powf((step.dbm0 - OVERLOAD_DBM0) / 20.0);
        let edge = EDGE_MS / 1000.0 * rate.hz() as f32;
        let ramp = (self.at.min(length.saturating_sub(self.at)) as f32 / edge).min(1.0);
        let sample = peak * ramp * (self.phase * TAU).sin();
        self.phase = (self.phase + step.hz / rate.hz() as f32).fract();
        self.at += 1;
        if self.at >= length {
            (self.step, self.at) = ((self.step + 1) % SEQUENCE.len(), 0);
        }
        sample as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(tone: &mut Tone, rate: SampleRate) -> Vec<i16> {
        let mut out = vec![0; rate.frames_in_ms(1000)];
        tone.render(rate, &mut out);
        out
    }

    fn level_dbm0(samples: &[i16]) -> f32 {
        let power = samples.iter().map(|s| f32::from(*s).powi(2)).sum::<f32>() / samples.len() as f32;
        10.0 * (power * 2.0 / 32_767_f32.powi(2)).log10() + OVERLOAD_DBM0
    }

    fn crossings(samples: &[i16]) -> usize {
        samples.windows(2).filter(|w| w[0] < 0 && w[1] >= 0).count()
    }

    #[test]
    fn each_step_has_its_pitch_and_level_at_every_rate() {
        for rate in [SampleRate::HZ_8000, SampleRate::HZ_16000, SampleRate::HZ_48000] {
            let mut tone = Tone::default();
            for step in &SEQUENCE {
                let first = second(&mut tone, rate);
                for _ in 1..step.ms / 1000 {
                    second(&mut tone, rate);
                }
                if step.hz == 0.0 {
                    assert!(first.iter().all(|s| *s == 0));
                    continue;
                }
                let middle = &first[rate.frames_in_ms(10)..];
                assert!(
                    (level_dbm0(middle) - step.dbm0).abs() < 0.2,
                    "{} Hz at {}",
                    step.hz,
                    level_dbm0(middle)
                );
                let hz = crossings(middle) as f32 / 0.99;
                assert!((hz - step.hz).abs() < 2.5, "{hz} Hz instead of {}", step.hz);
            }
        }
    }

    #[test]
    fn steps_begin_and_end_without_a_click() {
        let mut tone = Tone::default();
        let mut all = Vec::new();
        for _ in 0..17 {
            all.extend(second(&mut tone, SampleRate::HZ_8000));
        }
        for edge in [0, 4_000, 8_000, 10_000, 12_000, 14_000, 16_000_usize] {
            let at = edge * 8;
            let near = &all[at.saturating_sub(3)..at + 3];
            assert!(near.iter().all(|s| s.abs() < 1_500), "at {edge} ms: {near:?}");
        }
    }
}
