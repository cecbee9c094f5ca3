//! Linear prediction: the spectral envelope of a stretch of sound as an all-pole filter.
//!
//! Real-time: fixed arrays, no allocation.

use super::fade::dot;

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
