//! Linear prediction: the spectral envelope of a stretch of sound as an all-pole filter.
//!
//! Real-time: fixed arrays, no allocation.

use super::{
    fade::{dot, energy},
    noise::Noise,
};

/// The largest order in use.
pub(super) const MAX_ORDER: usize = 32;

/// An all-pole envelope: `x[n] = Σ a[k] x[n-1-k] + excitation`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lpc {
    taps: [f32; MAX_ORDER],
    order: usize,
    /// RMS of the excitation that gives the level which was analysed.
    pub(super) gain: f32,
}

impl Lpc {
    /// Passes white noise as it is.
    pub(super) const FLAT: Self = Self { taps: [0.0; MAX_ORDER], order: 0, gain: 0.0 };

    /// From an autocorrelation whose first value is the mean square (Levinson-Durbin).
    pub(super) fn from_autocorrelation(r: &[f32]) -> Self {
        let mut lpc = Self::FLAT;
        let Some((&power, rest)) = r.split_first() else { return lpc };
        if power.is_nan() || power <= 0.0 {
            return lpc;
        }
        // -40 dB of white noise keeps the filter tame where the band is empty.
        let mut error = power * 1.0001 + 0.01;
        for (i, &next) in rest.iter().take(MAX_ORDER).enumerate() {
            let mut k = next;
            for j in 0..i {
                k -= lpc.taps[j] * r[i - j];
            }
            k /= error;
            if k.is_nan() || k.abs() >= 0.9999 {
                break;
            }
            lpc.reflect(i, k);
            error *= 1.0 - k * k;
        }
        lpc.gain = error.max(0.0).sqrt();
        lpc
    }

    /// From reflection coefficients and the level of the output (RFC 3389 3.2).
    pub(super) fn from_reflection(coefficients: &[f32], rms: f32) -> Self {
        let mut lpc = Self::FLAT;
        let mut error = 1.0;
        for (i, &k) in coefficients.iter().take(MAX_ORDER).enumerate() {
            // The RFC's sign is that of the predictor's polynomial 1 + Σ; ours predicts.
            let k = (-k).clamp(-0.99, 0.99);
            lpc.reflect(i, k);
            error *= 1.0 - k * k;
        }
        lpc.gain = rms * error.sqrt();
        lpc
    }

    fn reflect(&mut self, i: usize, k: f32) {
        let before = self.taps;
        for j in 0..i {
            self.taps[j] = before[j] - k * before[i - 1 - j];
        }
        self.taps[i] = k;
        self.order = i + 1;
    }

    /// Damps every pole by `gamma` so that ringing dies sooner.
    pub(super) fn widen(&mut self, gamma: f32) {
        let mut g = gamma;
        for tap in &mut self.taps[..self.order] {
            *tap *= g;
            g *= gamma;
        }
    }

    /// One sample: `excitation` through the filter.
    pub(super) fn step(&self, memory: &mut Memory, excitation: f32) -> f32 {
        let y = excitation + dot(&self.taps[..self.order], &memory.newest_first()[..self.order]);
        let y = if y.is_finite() { y.clamp(-1e6, 1e6) } else { 0.0 };
        memory.push(y);
        y
    }
}

/// Samples that [`Ringing`] makes at a time.
const BLOCK: usize = 32;

/// A filter that is run a block ahead: four outputs share each look at the past, so that the sums vectorise and
/// only the last three taps wait for one another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ringing {
    /// The past, oldest first, and the block after it.
    track: [f32; MAX_ORDER + BLOCK],
    next: usize,
}

impl Ringing {
    /// Silence.
    pub(super) const ZERO: Self = Self { track: [0.0; MAX_ORDER + BLOCK], next: MAX_ORDER + BLOCK };

    /// What a filter that starts now remembers, newest last; at most [`MAX_ORDER`] of it.
    pub(super) fn remember(&mut self, past: &[f32]) {
        *self = Self::ZERO;
        let past = &past[past.len().saturating_sub(MAX_ORDER)..];
        self.track[MAX_ORDER + BLOCK - past.len()..].copy_from_slice(past);
    }

    /// The next sample of `noise` at `level` through `filter`.
    #[inline]
    pub(super) fn next(&mut self, filter: &Lpc, level: f32, noise: &mut Noise) -> f32 {
        if self.next >= self.track.len() {
            self.make_block(filter, level, noise);
        }
        let y = self.track[self.next];
        self.next += 1;
        y
    }

    #[inline(never)]
    fn make_block(&mut self, filter: &Lpc, level: f32, noise: &mut Noise) {
        self.track.copy_within(BLOCK.., 0);
        for x in &mut self.track[MAX_ORDER..] {
            *x = level * noise.next();
        }
        match filter.order {
            // Not a shorter one for lower orders: it is compiled to single sums, which cost more.
            ..=24 => self.filter_block::<24>(filter),
            _ => self.filter_block::<MAX_ORDER>(filter),
        }
        self.next = MAX_ORDER;
    }

    /// `ORDER` is that of the filter or more; being fixed, it leaves no loop.
    fn filter_block<const ORDER: usize>(&mut self, filter: &Lpc) {
        let [a, b, c, ..] = filter.taps;
        // Each tap four times, oldest first: the newest outputs may still be on their way to memory.
        let mut wide = [[0.0f32; 4]; ORDER];
        for (wide, &tap) in wide.iter_mut().rev().zip(&filter.taps) {
            *wide = [tap; 4];
        }
        for at in (MAX_ORDER..MAX_ORDER + BLOCK).step_by(4) {
            let (past, now) = self.track.split_at_mut(at);
            let (Some(past), Some(now)) = (past.last_chunk::<ORDER>(), now.first_chunk_mut::<4>()) else {
                return;
            };
            let mut y = *now;
            for k in 0..ORDER - 3 {
                for j in 0..4 {
                    y[j] += wide[k][j] * past[k + j];
                }
            }
            let (p, q, r) = (past[ORDER - 1], past[ORDER - 2], past[ORDER - 3]);
            y[0] += a * p + (b * q + c * r);
            y[1] += a * y[0] + (b * p + c * q);
            y[2] += a * y[1] + (b * y[0] + c * p);
            y[3] += a * y[2] + (b * y[1] + c * y[0]);
            *now = y;
        }
        let loud = energy(&self.track[MAX_ORDER..]);
        if loud.is_nan() || loud > 1e12 {
            self.track = [0.0; MAX_ORDER + BLOCK];
        }
    }
}

/// The last outputs of a filter, newest first and contiguous: a ring written twice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    ring: [f32; 2 * MAX_ORDER],
    at: usize,
}

impl Memory {
    /// Silence.
    pub(super) const ZERO: Self = Self { ring: [0.0; 2 * MAX_ORDER], at: 0 };

    fn newest_first(&self) -> &[f32] {
        &self.ring[self.at..]
    }

    /// Adds the newest value.
    pub(super) fn push(&mut self, y: f32) {
        self.at = if self.at == 0 { MAX_ORDER - 1 } else { self.at - 1 };
        self.ring[self.at] = y;
        self.ring[self.at + MAX_ORDER] = y;
    }
}

/// Autocorrelation of `x` as mean squares, under a window that weighs the newest samples most and starts
/// at nothing; `scratch` is as long as `x` or longer.
pub(super) fn autocorrelate(x: &[f32], scratch: &mut [f32], r: &mut [f32]) {
    let n = x.len().min(scratch.len());
    let x = &x[x.len() - n..];
    let w = &mut scratch[..n];
    let (rise, fall) = (n * 3 / 4, n - n * 3 / 4);
    let mut weight = 0.0;
    for (i, (w, &x)) in w.iter_mut().zip(x).enumerate() {
        let s = if i < rise {
            (i as f32 + 0.5) / rise as f32
        } else {
            1.0 - 0.8 * (i - rise) as f32 / fall as f32
        };
        let s = super::fade::smooth(s);
        weight += s * s;
        *w = x * s;
    }
    let scale = if n == 0 { 0.0 } else { 1.0 / weight };
    for (lag, r) in r.iter_mut().enumerate() {
        *r = if lag < n { dot(&w[lag..], &w[..n - lag]) * scale } else { 0.0 };
    }
}
