//! Breath sounds: noise through the resonances of an open mouth, under the envelope of a breath. Made from a
//! seed at any rate from 8 to 48 kHz; starts and ends at zero, so that it may be put between any two sounds.
//!
//! ```text
//! noise ─► resonances that glide ─► high-pass, low-pass ─► envelope ─► level ─► i16
//! ```

mod filter;
mod rule;

pub use rule::{BreathRule, Spoken};

use crate::Random;
use filter::{Biquad, Shape};
use offhook_units::Span;
use std::f32::consts::{PI, TAU};
use std::fmt;

/// How somebody breathes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BreathKind {
    /// A breath between two sentences.
    Normal,
    /// A full breath before much is said.
    Deep,
    /// A snatched breath in the middle of a sentence.
    Quick,
    /// Breathing out, audibly.
    Sigh,
}

impl BreathKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Normal, Self::Deep, Self::Quick, Self::Sigh];

    /// The name in a tag and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Deep => "deep",
            Self::Quick => "quick",
            Self::Sigh => "sigh",
        }
    }

    /// Shortest and longest, in milliseconds: parts of the 100 to 300 ms of C4.
    pub const fn length_ms(self) -> (f32, f32) {
        match self {
            Self::Normal => (150.0, 240.0),
            Self::Deep => (230.0, 300.0),
            Self::Quick => (100.0, 150.0),
            Self::Sigh => (240.0, 300.0),
        }
    }

    /// How much louder than the level that is set, in dB.
    const fn louder_db(self) -> f32 {
        match self {
            Self::Normal => 0.0,
            Self::Deep => 3.0,
            Self::Quick => -2.0,
            Self::Sigh => 1.5,
        }
    }

    fn timbre(self) -> Timbre {
        // Resonances of a neutral, open tract (about 500, 1500, 2500 Hz, Fant 1960), glided up as the mouth
        // opens to breathe in and down as it closes on a sigh. Rise and fall are parts of the length.
        match self {
            Self::Normal => Timbre { centres: [620.0, 1750.0, 2900.0], glide: 1.12, rise: 0.45, fall: 0.30 },
            Self::Deep => Timbre { centres: [540.0, 1500.0, 2600.0], glide: 1.20, rise: 0.55, fall: 0.25 },
            Self::Quick => Timbre { centres: [750.0, 2000.0, 3200.0], glide: 1.06, rise: 0.35, fall: 0.35 },
            Self::Sigh => Timbre { centres: [600.0, 1250.0, 2300.0], glide: 0.72, rise: 0.22, fall: 0.65 },
        }
    }
}

impl fmt::Display for BreathKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

struct Timbre {
    centres: [f32; 3],
    glide: f32,
    rise: f32,
    fall: f32,
}

/// How strong breaths are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BreathLevel {
    /// Middle of the strength: root mean square of the sound over its length, dB below full scale.
    /// Speech is near -20; a breath that is heard but not noticed lies some 15 below it.
    pub level_db: f32,
    /// How far the strength varies to both sides, dB.
    pub vary_db: f32,
}

impl Default for BreathLevel {
    fn default() -> Self {
        Self { level_db: -36.0, vary_db: 3.0 }
    }
}

/// One breath, decided but not yet made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Breath {
    /// How it sounds.
    pub kind: BreathKind,
    /// How long it is.
    pub length: Span,
    /// Its strength: root mean square over its length, dB below full scale.
    pub level_db: f32,
    /// What its noise grows from.
    pub seed: u64,
}

impl Breath {
    /// A breath of this kind, its length and strength drawn from `random`, and no longer than `longest`
    /// (which is itself not taken below the 100 ms of C4).
    pub fn drawn(kind: BreathKind, level: BreathLevel, longest: Span, random: &mut Random) -> Self {
        let (low_ms, high_ms) = kind.length_ms();
        let length_ms = random.between(low_ms, high_ms).min(longest.as_millis_f32()).clamp(100.0, 300.0);
        Self {
            kind,
            length: Span::from_micros((length_ms * 1000.0) as i64),
            level_db: (level.level_db + kind.louder_db() + random.between(-level.vary_db, level.vary_db))
                .min(-12.0),
            seed: random.bits(),
        }
    }

    /// The sound at `rate_hz` (8 to 48 kHz; others are taken to the nearer end). The first and the last
    /// sample are zero.
    pub fn render(&self, rate_hz: u32) -> Vec<i16> {
        let rate = rate_hz.clamp(8_000, 48_000) as f32;
        let frames = (self.length.as_micros().clamp(0, 1_000_000) as f32 * rate / 1e6) as usize;
        let mut shaped = self.noise(rate, frames);
        let timbre = self.kind.timbre();
        let last = frames.saturating_sub(1).max(1) as f32;
        // A slow flutter, about 9 Hz and a tenth deep: no throat is a machine.
        let phase = (self.seed & 0xFFFF) as f32 / 65_536.0 * TAU;
        for (i, x) in shaped.iter_mut().enumerate() {
            let flutter = 1.0 + 0.1 * (TAU * 9.0 * i as f32 / rate + phase).sin();
            *x *= envelope(i as f32 / last, timbre.rise, timbre.fall) * flutter;
        }
        scale(&shaped, self.level_db)
    }

    /// Noise of the right colour, from filters that have already settled.
    fn noise(&self, rate: f32, frames: usize) -> Vec<f32> {
        let timbre = self.kind.timbre();
        let top_hz = (rate * 0.40).min(7_000.0);
        let mut random = Random::new(self.seed);
        let mut bands = timbre.centres.map(|hz| Biquad::new(Shape::Band { q: 1.6 }, hz.min(top_hz), rate));
        let mut edges = [
            Biquad::new(Shape::Above, 180.0, rate),
            Biquad::new(Shape::Above, 180.0, rate),
            Biquad::new(Shape::Below, top_hz * 0.8, rate),
            Biquad::new(Shape::Below, top_hz * 0.8, rate),
        ];
        // Each higher resonance is weaker, by more than its band is wider: turbulence loses power up there.
        const WEIGHTS: [f32; 3] = [1.0, 0.5, 0.27];
        const RETUNE: usize = 32;
        let settle = (rate * 0.03) as usize;
        let mut out = Vec::with_capacity(frames);
        for i in 0..settle + frames {
            if i % RETUNE == 0 {
                let t = i.saturating_sub(settle) as f32 / frames.max(1) as f32;
                let factor = 1.0 + (timbre.glide - 1.0) * t;
                for (band, hz) in bands.iter_mut().zip(timbre.centres) {
                    band.tune(Shape::Band { q: 1.6 }, (hz * factor).min(top_hz), rate);
                }
            }
            let white = random.between(-1.0, 1.0);
            let coloured: f32 =
                bands.iter_mut().zip(WEIGHTS).map(|(band, weight)| band.run(white) * weight).sum();
            let sample = edges.iter_mut().fold(coloured, |x, edge| edge.run(x));
            if i >= settle {
                out.push(sample);
            }
        }
        out
    }
}

/// From 0 at `t` = 0 up over `rise`, and down over `fall` to 0 at `t` = 1, all edges raised cosines.
fn envelope(t: f32, rise: f32, fall: f32) -> f32 {
    let edge = |x: f32| 0.5 - 0.5 * (PI * x.clamp(0.0, 1.0)).cos();
    edge(t / rise) * edge((1.0 - t) / fall)
}

fn scale(samples: &[f32], level_db: f32) -> Vec<i16> {
    let power = samples.iter().map(|x| x * x).sum::<f32>() / samples.len().max(1) as f32;
    let wanted = 32_767.0 * 10f32.powf(level_db / 20.0);
    let gain = if power > 0.0 { wanted / power.sqrt() } else { 0.0 };
    // `as` saturates: a peak beyond full scale is cut off, not wrapped. Truncation keeps the ends at zero.
    samples.iter().map(|x| (x * gain) as i16).collect()
}

#[cfg(test)]
mod tests;
