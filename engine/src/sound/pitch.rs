//! The pitch of a voice: coarse on a decimated copy, then exact at the full rate, then a fraction of a sample.
//!
//! Real-time: buffers made in `new`.

use super::fade::{dot, likeness};
use offhook_units::SampleRate;

/// Lowest pitch that is sought: a deep voice.
const LOWEST_HZ: u32 = 60;
/// Highest pitch that is sought: a child's.
const HIGHEST_HZ: u32 = 450;
/// Rate of the coarse search.
const COARSE_HZ: u32 = 4_000;

/// How periodic a stretch of sound is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pitch {
    /// Samples a period, with fraction.
    pub(super) period: f32,
    /// Normalised correlation of the newest sound with that one period before; 1 is a steady tone.
    pub(super) likeness: f32,
}

/// Finds pitches.
#[derive(Debug)]
pub(super) struct PitchFinder {
    factor: usize,
    shortest: usize,
    longest: usize,
    window: usize,
    coarse: Box<[f32]>,
    scores: Box<[f32]>,
}

impl PitchFinder {
    /// For sound at `rate`, of which at most `longest_input` samples are looked at.
    pub(super) fn new(rate: SampleRate, longest_input: usize) -> Self {
        let hz = rate.hz();
        let factor = (hz / COARSE_HZ).max(1) as usize;
        let longest = (hz / LOWEST_HZ) as usize;
        Self {
            factor,
            shortest: (hz / HIGHEST_HZ) as usize,
            longest,
            window: rate.frames_in_ms(20),
            coarse: vec![0.0; longest_input / factor + 1].into(),
            scores: vec![0.0; longest / factor + 2].into(),
        }
    }

    /// Longest period, in samples.
    pub(super) const fn longest(&self) -> usize {
        self.longest
    }

    /// The pitch at the end of `x`; `None` when `x` is too short or silent.
    pub(super) fn find(&mut self, x: &[f32]) -> Option<Pitch> {
        let f = self.factor;
        let n = (x.len() / f).saturating_sub(1).min(self.coarse.len());
        let (lo, hi) = ((self.shortest / f).max(1), (self.longest / f).min(n * 2 / 3));
        if hi <= lo + 2 || hi >= self.scores.len() {
            return None;
        }
        let end = x.len();
        for (i, c) in self.coarse[..n].iter_mut().enumerate() {
            // A triangle two factors wide: enough of a low pass for a search.
            let at = end - (n - i) * f;
            let near: f32 = x[at..at + f].iter().sum();
            let before: f32 = x[at - f..at].iter().sum();
            *c = near + 0.5 * before;
        }
        let coarse = &self.coarse[..n];
        let mut best = 0.0f32;
        for lag in lo..=hi {
            let w = (self.window / f).min(n - lag);
            let score = likeness(&coarse[n - w..], &coarse[n - w - lag..n - lag]);
            self.scores[lag] = score;
            best = best.max(score);
        }
        // The shortest of the nearly best: the others are its multiples.
        let peak = (lo..=hi).find(|&lag| {
            let s = self.scores[lag];
            s >= 0.85 * best
                && (lag == lo || s >= self.scores[lag - 1])
                && (lag == hi || s >= self.scores[lag + 1])
        })?;
        Some(self.refine(x, peak * f))
    }

    /// Improves a period that is right within the coarse grid.
    fn refine(&self, x: &[f32], near: usize) -> Pitch {
        let n = x.len();
        let reach = self.factor + 1;
        let lo = near.saturating_sub(reach).max(self.shortest.max(2) - 1);
        let hi = (near + reach).min(n * 3 / 4).max(lo);
        let w = self.window.min(n - hi);
        let mut peak = (lo, f32::MIN);
        for lag in lo..=hi {
            let score = likeness(&x[n - w..], &x[n - w - lag..n - lag]);
            if score > peak.1 {
                peak = (lag, score);
            }
        }
        let at = |lag: usize| {
            let e = dot(&x[n - w - lag..n - lag], &x[n - w - lag..n - lag]).max(1.0);
            dot(&x[n - w..], &x[n - w - lag..n - lag]) / e.sqrt()
        };
        let mut period = peak.0 as f32;
        if peak.0 > lo && peak.0 < hi {
            let (a, b, c) = (at(peak.0 - 1), at(peak.0), at(peak.0 + 1));
            let bend = a - 2.0 * b + c;
            if bend < 0.0 {
                period += (0.5 * (a - c) / bend).clamp(-0.5, 0.5);
            }
        }
        Pitch { period, likeness: peak.1.max(0.0) }
    }
}
