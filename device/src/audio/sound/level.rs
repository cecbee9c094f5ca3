//! Real-time: arithmetic.
//!
//! A level that changes without a click: it glides to where it is set.

/// How much of the way to a new level is gone in a tick: nine tenths are done in 33 ms.
const STEP: f32 = 0.5;
/// Closer than this it is there: a hundredth of a decibel.
const THERE: f32 = 0.001;

/// Decibels as a factor.
pub(super) fn factor(db: f32) -> f32 {
    10.0_f32.powf(db / 20.0)
}

/// A level, as a factor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    now: f32,
}

/// A tick's course of a level.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    from: f32,
    to: f32,
}

impl Level {
    /// Begins there.
    pub(super) const fn new(factor: f32) -> Self {
        Self { now: factor }
    }

    /// A tick nearer to `factor`.
    pub(super) fn glide(&mut self, factor: f32) -> Course {
        let from = self.now;
        let to = from + (factor - from) * STEP;
        self.now = if (to - factor).abs() < THERE { factor } else { to };
        Course { from, to: self.now }
    }
}

impl Course {
    /// No change, and nothing changed.
    pub(super) const UNITY: Self = Self { from: 1.0, to: 1.0 };

    /// The factors of a tick of `length` samples.
    pub(super) fn factors(self, length: usize) -> impl Iterator<Item = f32> {
        let step = (self.to - self.from) / length.max(1) as f32;
        (1..=length).map(move |at| self.from + step * at as f32)
    }

    /// Whether nothing is left of what it is laid on.
    pub(super) fn is_silence(self) -> bool {
        self.from == 0.0 && self.to == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_reached_without_a_step() {
        let (mut level, mut last, mut all) = (Level::new(1.0), 1.0_f32, 0);
        for _ in 0..20 {
            for factor in level.glide(0.0).factors(480) {
                assert!((factor - last).abs() < 0.002, "{last} to {factor}");
                (last, all) = (factor, all + 1);
            }
        }
        assert_eq!((all, last), (20 * 480, 0.0));
        assert!(level.glide(0.0).is_silence());
        assert!((level.glide(factor(-6.0)).factors(80).last().unwrap() - 0.25).abs() < 0.01);
    }
}
