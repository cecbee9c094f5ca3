//! The pitch of a voice and where it is heading: coarse on a decimated copy, then at the full rate, then to a
//! fraction of a sample.
//!
//! Real-time: buffers made in `new`.

use super::fade::{MovingEnergy, dot, energy, likeness_of};
use offhook_units::SampleRate;

/// Lowest pitch that is sought: a deep voice.
const LOWEST_HZ: u32 = 60;
/// Highest pitch that is sought: a child's.
const HIGHEST_HZ: u32 = 450;
/// Rate of the coarse search.
const COARSE_HZ: u32 = 4_000;
/// What is compared with one period before, ms. Short, for speech changes.
const WINDOW_MS: u32 = 10;
/// The same for the drift of the pitch, ms.
const DRIFT_WINDOW_MS: u32 = 8;
/// Distance of the two looks that tell the drift, ms.
const DRIFT_SPAN_MS: u32 = 12;
/// Fastest drift believed: the period changes by this share of itself a ms.
const DRIFT_PER_MS: f32 = 0.003;
/// A drift is believed only of sound that is at least this periodic.
const DRIFT_LIKENESS: f32 = 0.6;
/// The shortest lag within this share of the best is the period: the others are its multiples.
const NEARLY_BEST: f32 = 0.92;

/// How periodic a stretch of sound is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pitch {
    /// Samples a period, with fraction.
    pub(super) period: f32,
    /// Normalised correlation of the newest sound with that one period before; 1 is a steady tone.
    pub(super) likeness: f32,
    /// Samples by which the period grows each sample.
    pub(super) drift: f32,
}

/// Finds pitches.
#[derive(Debug)]
pub(super) struct PitchFinder {
    factor: usize,
    shortest: usize,
    longest: usize,
    window: usize,
    drift_window: usize,
    drift_span: usize,
    drift_most: f32,
    coarse: Box<[f32]>,
    scores: Box<[f32]>,
}

impl PitchFinder {
    /// For sound at `rate`, of which the last `longest_input` samples are looked at.
    // start-up: the buffers of the whole call.
    pub(super) fn new(rate: SampleRate, longest_input: usize) -> Self {
        let hz = rate.hz();
        let factor = (hz / COARSE_HZ).max(1) as usize;
        let longest = (hz / LOWEST_HZ) as usize;
        Self {
            factor,
            shortest: (hz / HIGHEST_HZ).max(2) as usize,
            longest,
            window: rate.frames_in_ms(WINDOW_MS),
            drift_window: rate.frames_in_ms(DRIFT_WINDOW_MS),
            drift_span: rate.frames_in_ms(DRIFT_SPAN_MS).max(1),
            drift_most: DRIFT_PER_MS * 1000.0 / hz as f32,
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
        let near = self.search(x)? * self.factor;
        let mut pitch = self.refine(x, near, self.factor + 1, self.window);
        self.follow_drift(x, &mut pitch);
        Some(pitch)
    }

    /// The best lag of the decimated sound.
    fn search(&mut self, x: &[f32]) -> Option<usize> {
        let f = self.factor;
        let n = (x.len() / f).saturating_sub(1).min(self.coarse.len());
        let (lo, hi) = ((self.shortest / f).max(1), (self.longest / f).min(n * 2 / 3));
        if hi <= lo + 2 || hi >= self.scores.len() {
            return None;
        }
        let first = x.len() - n * f;
        let mut before: f32 = x[first - f..first].iter().sum();
        for (i, c) in self.coarse[..n].iter_mut().enumerate() {
            // A low pass two factors long is enough for a search.
            let at = x.len() - (n - i) * f;
            let near: f32 = x[at..at + f].iter().sum();
            *c = near + 0.5 * before;
            before = near;
        }
        let coarse = &self.coarse[..n];
        let mut newest = &coarse[..0];
        let (mut energy_newest, mut energy_before) = (0.0, MovingEnergy::of(newest));
        let mut best = 0.0f32;
        for lag in lo..=hi {
            let w = (self.window / f).min(n - lag);
            let before = &coarse[n - w - lag..n - lag];
            if w != newest.len() {
                newest = &coarse[n - w..];
                energy_newest = energy(newest);
                energy_before = MovingEnergy::of(before);
            } else if let Some(&come) = before.first() {
                energy_before.shift(come, coarse[n - lag]);
            }
            let score = likeness_of(newest, energy_newest, before, energy_before.get());
            self.scores[lag] = score;
            best = best.max(score);
        }
        let s = &self.scores;
        (lo..=hi).find(|&lag| {
            s[lag] > 0.0
                && s[lag] >= NEARLY_BEST * best
                && (lag == lo || s[lag] >= s[lag - 1])
                && (lag == hi || s[lag] >= s[lag + 1])
        })
    }

    /// The best lag within `reach` of `near`, to a fraction, by comparing the last `window` samples.
    fn refine(&self, x: &[f32], near: usize, reach: usize, window: usize) -> Pitch {
        let n = x.len();
        let lo = near.saturating_sub(reach).max(self.shortest - 1);
        let hi = (near + reach).min(n * 3 / 4).max(lo);
        let w = window.min(n.saturating_sub(hi));
        let newest = &x[n - w..];
        let energy_newest = energy(newest);
        let before = |lag: usize| if w + lag <= n { &x[n - w - lag..n - lag] } else { &x[..0] };
        let mut peak = (lo, f32::MIN);
        let mut energy_before = MovingEnergy::of(before(lo));
        for lag in lo..=hi {
            let then = before(lag);
            if let (true, Some(&come), Some(&gone)) = (lag > lo, then.first(), x.get(n - lag)) {
                energy_before.shift(come, gone);
            }
            let score = likeness_of(newest, energy_newest, then, energy_before.get());
            if score > peak.1 {
                peak = (lag, score);
            }
        }
        let (lag, likeness) = peak;
        let mut period = lag as f32;
        if lag > lo && lag < hi {
            let at = |lag| dot(newest, before(lag)) / energy(before(lag)).max(1.0).sqrt();
            // The vertex of the parabola through three points.
            let (a, b, c) = (at(lag - 1), at(lag), at(lag + 1));
            let bend = a - 2.0 * b + c;
            if bend < 0.0 {
                period += (0.5 * (a - c) / bend).clamp(-0.5, 0.5);
            }
        }
        Pitch { period, likeness: likeness.max(0.0), drift: 0.0 }
    }

    /// Compares the period now with the period a little earlier. Pitch mostly glides, so that a guess which
    /// keeps the last period is out of phase within a packet.
    fn follow_drift(&self, x: &[f32], pitch: &mut Pitch) {
        let near = pitch.period.round() as usize;
        let reach = near / 12 + 1;
        if pitch.likeness < DRIFT_LIKENESS || x.len() < self.drift_span + self.drift_window + near + reach + 4
        {
            return;
        }
        let late = self.refine(x, near, reach, self.drift_window);
        let early = self.refine(&x[..x.len() - self.drift_span], near, reach, self.drift_window);
        if late.likeness < DRIFT_LIKENESS || early.likeness < DRIFT_LIKENESS {
            return;
        }
        let most = self.drift_most * pitch.period;
        pitch.drift = ((late.period - early.period) / self.drift_span as f32).clamp(-most, most);
        pitch.period = late.period;
    }
}
