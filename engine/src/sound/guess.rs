//! One side's guess of what lies beyond its edge: its last period repeated, plus noise under its envelope.
//!
//! Real-time: buffers made in `new`.
//!
//! `y[n] = loudness · (voiced · cycle(turns) + filter(noise))`. The filter starts with what the cycle leaves
//! unexplained of the real sound before the edge, so the guess leaves the edge without a step and needs no
//! overlap with it. The other side of a hole is studied backwards in time, by the same code.

use super::{
    fade::{energy, rms, smooth},
    lpc::{Lpc, MAX_ORDER, Ringing, autocorrelate},
    noise::Noise,
    pitch::PitchFinder,
};
use offhook_units::SampleRate;

/// What tells the envelope, ms.
const ENVELOPE_MS: u32 = 20;
/// What tells how loud the noise is at the very edge, ms.
const EDGE_MS: u32 = 6;
/// The pitch goes on drifting for this long, ms.
const DRIFT_MS: u32 = 40;
/// Likeness of neighbouring periods up to which sound is unvoiced, and from which it is voiced.
const VOICED: (f32, f32) = (0.35, 0.75);
/// Loudness from one period to the next: the steepest fall that is continued. A rise is not.
const STEEPEST_FALL: f32 = 0.7;
/// A fall ends here (-10 dB).
const LEAST_LOUDNESS: f32 = 0.3;
/// What keeps the loop of one period from clicking: its last part is blended with the period before.
const LOOP_BLEND: f32 = 0.25;

/// A guess, made anew for each hole.
#[derive(Debug)]
pub(super) struct Guess {
    order: usize,
    recent: usize,
    edge: usize,
    drift_for: f32,
    cycle: Box<[f32]>,
    windowed: Box<[f32]>,
    /// Samples a period.
    pub(super) period: f32,
    /// Samples by which the period grows each sample.
    pub(super) drift: f32,
    /// Share of the amplitude that repeats, 0 to 1.
    pub(super) voiced: f32,
    /// Where the guess stands, in samples since the edge.
    age: f32,
    loudness: f32,
    decay: f32,
    envelope: Lpc,
    rest: Ringing,
    noise_level: f32,
    noise: Noise,
}

impl Guess {
    /// For sound at `rate`.
    // start-up: the buffers of the whole call.
    pub(super) fn new(rate: SampleRate, longest_period: usize) -> Self {
        let recent = rate.frames_in_ms(ENVELOPE_MS);
        Self {
            order: if rate.hz() > 8_000 { 24 } else { 16 },
            recent,
            edge: rate.frames_in_ms(EDGE_MS),
            drift_for: rate.frames_in_ms(DRIFT_MS) as f32,
            cycle: vec![0.0; longest_period + 8].into(),
            windowed: vec![0.0; recent].into(),
            period: 1.0,
            drift: 0.0,
            voiced: 0.0,
            age: 0.0,
            loudness: 1.0,
            decay: 1.0,
            envelope: Lpc::FLAT,
            rest: Ringing::ZERO,
            noise_level: 0.0,
            noise: Noise::new(),
        }
    }

    /// Studies `x`, newest last.
    pub(super) fn study(&mut self, x: &[f32], finder: &mut PitchFinder) {
        (self.age, self.voiced, self.drift) = (0.0, 0.0, 0.0);
        (self.loudness, self.decay) = (1.0, 1.0);
        self.period = self.recent.max(2) as f32 / 2.0;
        self.learn_envelope(x);
        if let Some(pitch) = finder.find(x) {
            self.period = pitch.period;
            self.drift = pitch.drift;
            self.voiced = smooth((pitch.likeness - VOICED.0) / (VOICED.1 - VOICED.0));
            self.learn_cycle(x);
            self.learn_decay(x);
            // Unlike periods are as often a moving pitch as noise, so voiced sound gets less than the rest.
            let purity = pitch.likeness * self.voiced;
            self.noise_level *= (1.0 - purity).max(0.0).sqrt() * (1.0 - 0.5 * purity);
        }
        self.prime(x);
    }

    /// Spectrum of the last 20 ms, loudness of the last few: a word may just have begun or ended.
    fn learn_envelope(&mut self, x: &[f32]) {
        let mut r = [0.0; MAX_ORDER + 1];
        let r = &mut r[..=self.order];
        let recent = &x[x.len().saturating_sub(self.recent)..];
        autocorrelate(recent, &mut self.windowed, r);
        self.envelope = Lpc::from_autocorrelation(r);
        self.envelope.widen(0.994);
        let edge = &recent[recent.len().saturating_sub(self.edge)..];
        let ratio = ((rms(edge) + 1.0) / (rms(recent) + 1.0)).clamp(0.1, 1.2);
        self.noise_level = self.envelope.gain * ratio;
    }

    /// The last period as a closed loop: its end is blended with the period before, so that it joins its start.
    fn learn_cycle(&mut self, x: &[f32]) {
        let n = x.len();
        self.period = self.period.clamp(2.0, (self.cycle.len() - 8) as f32).min(n as f32);
        let start = n as f32 - self.period;
        let blend = self.period * LOOP_BLEND;
        let used = self.period as usize + 5;
        // One sample before the loop and some after it serve the interpolation.
        read_on(x, start - 1.0, &mut self.cycle[..used]);
        let blended = (self.period - blend) as usize + 1;
        for (u, c) in self.cycle[..used].iter_mut().enumerate().skip(blended) {
            let u = u as f32 - 1.0;
            let before = start + u - self.period;
            if before >= 1.0 {
                let s = smooth((u - (self.period - blend)) / blend);
                *c += s * (read(x, before) - *c);
            }
        }
    }

    /// How loudness changes from period to period.
    fn learn_decay(&mut self, x: &[f32]) {
        let (n, t) = (x.len(), self.period.round() as usize);
        if n < 3 * t {
            return;
        }
        let (newest, before) = (energy(&x[n - t..]) + 1.0, energy(&x[n - 2 * t..n - t]) + 1.0);
        let each = (newest / before).sqrt().clamp(STEEPEST_FALL, 1.0);
        self.decay = each.powf(self.period.recip());
    }

    /// Fills the filter's memory with what the cycle does not explain of the newest sound.
    fn prime(&mut self, x: &[f32]) {
        let mut unexplained = [0.0; MAX_ORDER];
        let newest = &x[x.len().saturating_sub(self.order)..];
        for (i, (u, &new)) in unexplained.iter_mut().zip(newest).enumerate() {
            let back = (x.len() - newest.len() + i) as f32 - self.period;
            *u = new - if back >= 1.0 { self.voiced * read(x, back) } else { 0.0 };
        }
        self.rest.remember(&unexplained[..newest.len()]);
    }

    /// The period at the edge itself; it was measured over the periods before.
    pub(super) fn period_at_edge(&self) -> f32 {
        (self.period + 0.5 * self.drift * self.period).max(1.0)
    }

    /// Periods from the edge to where the guess stands, with the pitch drifting on.
    pub(super) fn turns(&self) -> f32 {
        self.turns_at(self.age)
    }

    /// The same at `age` samples from the edge: the turns a sample change evenly, and then no more.
    #[inline]
    pub(super) fn turns_at(&self, age: f32) -> f32 {
        let start = self.period_at_edge().recip();
        let end = (self.period_at_edge() + self.drift * self.drift_for).max(0.5 * self.period).recip();
        let drifting = age.min(self.drift_for);
        age * start + (end - start) * drifting * (age - 0.5 * drifting) / self.drift_for
    }

    /// The next sample, with the pitch drifting on.
    #[inline]
    pub(super) fn next(&mut self) -> f32 {
        self.next_at(self.turns())
    }

    /// The next sample, with the cycle at `turns` (in periods since the edge).
    #[inline]
    pub(super) fn next_at(&mut self, turns: f32) -> f32 {
        let rest = self.next_rest();
        self.age += 1.0;
        self.loudness = (self.loudness * self.decay).max(LEAST_LOUDNESS);
        self.sum(turns, rest, self.loudness)
    }

    /// The next sample of what is not periodic, at the edge's loudness.
    #[inline]
    pub(super) fn next_rest(&mut self) -> f32 {
        self.rest.next(&self.envelope, self.noise_level, &mut self.noise)
    }

    /// Loudness at `age` samples from the edge, and its change for each sample towards the edge.
    pub(super) fn loudness_at(&self, age: f32) -> (f32, f32) {
        (self.decay.powf(age), self.decay.recip())
    }

    /// The sample with the cycle at `turns` and the given rest; `loudness` may have fallen as far as it likes.
    #[inline]
    pub(super) fn sum(&self, turns: f32, rest: f32, loudness: f32) -> f32 {
        if self.voiced <= 0.0 {
            return rest;
        }
        loudness.max(LEAST_LOUDNESS) * (self.voiced * self.wave(turns) + rest)
    }

    /// The repeating waveform at `turns` (in periods).
    #[inline]
    pub(super) fn wave(&self, turns: f32) -> f32 {
        let whole = (turns - 0.5 + ROUND) - ROUND;
        read(&self.cycle, (turns - whole) * self.period + 1.0)
    }
}

/// Added to a small number and taken off again, it leaves the nearest whole one. Cheaper than `floor`, which is
/// a call on older x86; half way either neighbour will do here.
const ROUND: f32 = 12_582_912.0;

/// Value of `x` between samples: Lagrange's polynomial through four points; beyond the ends the last is held.
#[inline]
fn read(x: &[f32], at: f32) -> f32 {
    let Some(last) = x.len().checked_sub(4) else { return x.last().copied().unwrap_or(0.0) };
    let at = if at > 1.0 { at } else { 1.0 };
    // The mantissa of what is rounded this way is the whole number: no conversion that watches its range.
    let from = (((at - 1.5 + ROUND).to_bits() & 0x3F_FFFF) as usize).min(last);
    let t = (at - (from + 1) as f32).min(2.0);
    let (a, b) = (t * (t - 1.0), (t + 1.0) * (t - 2.0));
    let Some(p) = x.get(from..from + 4) else { return 0.0 };
    b * 0.5 * ((t - 1.0) * p[1] - t * p[2]) + a * (1.0 / 6.0) * ((t + 1.0) * p[3] - (t - 2.0) * p[0])
}

/// [`read`] at `at`, `at + 1` and so on: what the polynomial weighs each point by stays the same.
fn read_on(x: &[f32], at: f32, out: &mut [f32]) {
    let from = at.max(1.0) as usize - 1;
    let t = at - (from + 1) as f32;
    let (a, b) = (t * (t - 1.0) * (1.0 / 6.0), (t + 1.0) * (t - 2.0) * 0.5);
    let weights = [-a * (t - 2.0), b * (t - 1.0), -b * t, a * (t + 1.0)];
    let mut done = 0;
    if let (true, Some(x)) = (t >= 0.0, x.get(from..)) {
        for (o, p) in out.iter_mut().zip(x.windows(4)) {
            *o = weights[0] * p[0] + weights[1] * p[1] + weights[2] * p[2] + weights[3] * p[3];
            done += 1;
        }
    }
    for (i, o) in out.iter_mut().enumerate().skip(done) {
        *o = read(x, at + i as f32);
    }
}
