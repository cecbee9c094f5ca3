//! One side's guess of what lies beyond its edge: its last period repeated, plus noise under its envelope.
//!
//! Real-time: buffers made in `new`.
//!
//! `y[n] = voiced · cycle(phase) + filter(noise)`. The filter starts with what the cycle leaves unexplained of
//! the real sound before the edge, so the guess leaves the edge without a step and needs no overlap with it.

use super::{
    fade::{dot, smooth},
    lpc::{Lpc, MAX_ORDER, Memory, autocorrelate},
    noise::Noise,
    pitch::PitchFinder,
};
use offhook_units::SampleRate;

/// A guess, made anew for each hole.
#[derive(Debug)]
pub(super) struct Guess {
    order: usize,
    recent: usize,
    cycle: Box<[f32]>,
    windowed: Box<[f32]>,
    /// Samples a period.
    pub(super) period: f32,
    /// Share of the amplitude that repeats, 0 to 1.
    pub(super) voiced: f32,
    envelope: Lpc,
    memory: Memory,
    noise_level: f32,
    noise: Noise,
    phase: f32,
}

impl Guess {
    /// For sound at `rate`.
    pub(super) fn new(rate: SampleRate, longest_period: usize) -> Self {
        let recent = rate.frames_in_ms(20);
        Self {
            order: if rate.hz() > 16_000 { 24 } else { 16 },
            recent,
            cycle: vec![0.0; longest_period + 8].into(),
            windowed: vec![0.0; recent].into(),
            period: 1.0,
            voiced: 0.0,
            envelope: Lpc::FLAT,
            memory: Memory::ZERO,
            noise_level: 0.0,
            noise: Noise::new(),
            phase: 0.0,
        }
    }

    /// Studies `x`, newest last.
    pub(super) fn study(&mut self, x: &[f32], finder: &mut PitchFinder) {
        self.phase = 0.0;
        self.voiced = 0.0;
        self.period = self.recent as f32 / 2.0;
        let mut r = [0.0; MAX_ORDER + 1];
        let recent = &x[x.len().saturating_sub(self.recent)..];
        autocorrelate(recent, &mut self.windowed, &mut r[..=self.order]);
        self.envelope = Lpc::from_autocorrelation(&r[..=self.order]);
        self.noise_level = self.envelope.gain;
        self.envelope.widen(0.994);
        if let Some(pitch) = finder.find(x) {
            self.period = pitch.period;
            self.voiced = smooth((pitch.likeness - 0.35) / 0.4);
            self.learn_cycle(x);
            self.noise_level *= (1.0 - pitch.likeness * self.voiced).max(0.0).sqrt();
        }
        self.prime(x);
    }

    /// The last period as a closed loop: its end is blended with the period before, so that it joins its start.
    fn learn_cycle(&mut self, x: &[f32]) {
        let n = x.len();
        let whole = (self.period.ceil() as usize).min(self.cycle.len() - 4).min(n);
        self.period = self.period.min(whole as f32);
        let start = n as f32 - self.period;
        let blend = self.period * 0.25;
        for (u, c) in self.cycle[..whole + 4].iter_mut().enumerate() {
            // One sample before the loop and two after it serve the interpolation.
            let u = u as f32 - 1.0;
            let newest = read(x, start + u);
            let s = smooth((u - (self.period - blend)) / blend);
            let before = read(x, start + u - self.period);
            let old_enough = start + u - self.period >= 1.0;
            *c = if !old_enough { newest } else { newest + s * (before - newest) };
        }
    }

    /// Fills the filter's memory with what the cycle does not explain of the newest sound.
    fn prime(&mut self, x: &[f32]) {
        self.memory = Memory::ZERO;
        let n = x.len();
        for i in n.saturating_sub(MAX_ORDER)..n {
            let back = i as f32 - self.period;
            let explained = if back >= 1.0 { self.voiced * read(x, back) } else { 0.0 };
            self.memory.push(x[i] - explained);
        }
    }

    /// The next sample at `speed` periods a period (1 keeps the pitch).
    pub(super) fn next(&mut self, speed: f32) -> f32 {
        let y = self.at(self.phase);
        self.phase += speed;
        y
    }

    /// The sample at `phase` (in samples of this side's own period since the edge).
    pub(super) fn at(&mut self, phase: f32) -> f32 {
        let hiss = self.noise_level * self.noise.next();
        let rest = self.envelope.step(&mut self.memory, hiss);
        if self.voiced <= 0.0 {
            return rest;
        }
        let u = phase.rem_euclid(self.period);
        self.voiced * read(&self.cycle, u + 1.0) + rest
    }

    /// Where in its period the guess stands, in samples.
    pub(super) const fn phase(&self) -> f32 {
        self.phase
    }

    /// The repeating waveform at `turn` (in periods).
    pub(super) fn shape(&self, turn: f32) -> f32 {
        read(&self.cycle, turn.rem_euclid(1.0) * self.period + 1.0)
    }
}

/// Value of `x` between samples: four-point Lagrange, nearer ends are held.
pub(super) fn read(x: &[f32], at: f32) -> f32 {
    if x.len() < 4 {
        return x.last().copied().unwrap_or(0.0);
    }
    let last = (x.len() - 3) as f32;
    let at = if at.is_finite() { at.clamp(1.0, last.max(1.0)) } else { 1.0 };
    let i = (at as usize).clamp(1, x.len() - 3);
    let t = at - i as f32;
    let (a, b) = (t * (t - 1.0), (t + 1.0) * (t - 2.0));
    let taps = [-a * (t - 2.0) / 6.0, b * (t - 1.0) / 2.0, -b * t / 2.0, a * (t + 1.0) / 6.0];
    dot(&taps, &x[i - 1..i + 3])
}
