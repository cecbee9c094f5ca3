//! A seeded stream of random numbers: pauses and breaths vary with it, and the same seed gives the same
//! speech. SplitMix64 (Steele, Lea, Flood 2014): eight lines, no state but a counter, good enough for noise.

/// Random numbers from a seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream that belongs to `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Evenly spread over `low..=high`; `low` when the two are the wrong way round.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        // 24 bits fill the mantissa of an f32 exactly, so 1.0 itself is reached.
        let unit = (self.bits() >> 40) as f32 / ((1 << 24) - 1) as f32;
        if high > low { low + (high - low) * unit } else { low }
    }

    /// Evenly spread over `low..=high` whole numbers; `low` when the two are the wrong way round.
    pub const fn whole_between(&mut self, low: u32, high: u32) -> u32 {
        if high <= low {
            return low;
        }
        let count = (high - low) as u64 + 1;
        low + (self.bits() % count) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_kept_and_filled() {
        let mut random = Random::new(7);
        let drawn: Vec<f32> = (0..10_000).map(|_| random.between(-1.0, 1.0)).collect();
        assert!(drawn.iter().all(|x| (-1.0..=1.0).contains(x)));
        let mean = drawn.iter().sum::<f32>() / drawn.len() as f32;
        assert!(mean.abs() < 0.03, "mean {mean}");
        assert!(drawn.iter().any(|&x| x > 0.99) && drawn.iter().any(|&x| x < -0.99));

        let whole: Vec<u32> = (0..1000).map(|_| random.whole_between(3, 6)).collect();
        assert!((3..=6).all(|n| whole.contains(&n)) && whole.iter().all(|n| (3..=6).contains(n)));
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(Random::new(1).bits(), Random::new(1).bits());
        assert_ne!(Random::new(1).bits(), Random::new(2).bits());
    }

    #[test]
    fn an_empty_range_is_its_lower_end() {
        assert_eq!(Random::new(1).between(0.5, 0.2), 0.5);
        assert_eq!(Random::new(1).whole_between(5, 2), 5);
    }
}
