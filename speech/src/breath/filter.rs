//! Second-order filter sections. Coefficients: Bristow-Johnson, "Cookbook formulae for audio EQ biquad
//! filter coefficients"; transposed direct form II, which bears being retuned while it runs.

use std::f32::consts::{FRAC_1_SQRT_2, TAU};

/// What a section lets through.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// A band, 0 dB at its centre.
    Band { q: f32 },
    /// What lies below, maximally flat.
    Below,
    /// What lies above, maximally flat.
    Above,
}

/// One section.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Biquad {
    b: [f32; 3],
    a: [f32; 2],
    state: [f32; 2],
}

impl Biquad {
    pub(super) fn new(shape: Shape, hz: f32, rate: f32) -> Self {
        let mut section = Self::default();
        section.tune(shape, hz, rate);
        section
    }

    /// New coefficients; the state stays.
    pub(super) fn tune(&mut self, shape: Shape, hz: f32, rate: f32) {
        let (sin, cos) = (TAU * hz / rate).sin_cos();
        let q = if let Shape::Band { q } = shape { q } else { FRAC_1_SQRT_2 };
        let alpha = sin / (2.0 * q);
        let b = match shape {
            Shape::Band { .. } => [alpha, 0.0, -alpha],
            Shape::Below => [(1.0 - cos) / 2.0, 1.0 - cos, (1.0 - cos) / 2.0],
            Shape::Above => [f32::midpoint(1.0, cos), -(1.0 + cos), f32::midpoint(1.0, cos)],
        };
        self.b = b.map(|x| x / (1.0 + alpha));
        self.a = [-2.0 * cos, 1.0 - alpha].map(|x| x / (1.0 + alpha));
    }

    /// The next sample.
    pub(super) fn run(&mut self, x: f32) -> f32 {
        let y = self.b[0] * x + self.state[0];
        self.state = [self.b[1] * x - self.a[0] * y + self.state[1], self.b[2] * x - self.a[1] * y];
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gain at `hz` in dB, by a long sine.
    fn gain_db(shape: Shape, cut_hz: f32, hz: f32) -> f32 {
        let rate = 16_000.0;
        let mut section = Biquad::new(shape, cut_hz, rate);
        let (mut into, mut out) = (0.0, 0.0);
        for i in 0..16_000 {
            let x = (TAU * hz * i as f32 / rate).sin();
            let y = section.run(x);
            if i > 4_000 {
                into += x * x;
                out += y * y;
            }
        }
        10.0 * (out / into).log10()
    }

    #[test]
    fn each_shape_passes_its_side_and_stops_the_other() {
        assert!(gain_db(Shape::Band { q: 1.6 }, 1_000.0, 1_000.0).abs() < 0.1);
        assert!(gain_db(Shape::Band { q: 1.6 }, 1_000.0, 100.0) < -20.0);
        assert!(gain_db(Shape::Below, 1_000.0, 100.0).abs() < 0.1);
        assert!(gain_db(Shape::Below, 1_000.0, 4_000.0) < -23.0);
        assert!(gain_db(Shape::Above, 1_000.0, 4_000.0).abs() < 0.1);
        assert!((gain_db(Shape::Above, 1_000.0, 1_000.0) + 3.0).abs() < 0.1, "3 dB down at the corner");
    }
}
