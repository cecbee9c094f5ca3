//! Chance that can be repeated: xorshift64*, seeded (Vigna, "An experimental exploration of Marsaglia's xorshift
//! generators", 2016).

/// A source of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Pick(u64);

impl Pick {
    pub(crate) const fn new(seed: u64) -> Self {
        // Zero stays zero for ever.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) const fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// Below `end`; 0 for an `end` of 0.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        match (self.bits() >> 11).checked_rem(end) {
            Some(number) => number,
            None => 0,
        }
    }

    /// From `low` to `high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        let share = (self.bits() >> 11) as f64 / (1_u64 << 53) as f64;
        low + share * (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_their_ranges_and_fill_them() {
        let mut pick = Pick::new(0);
        let mut seen = [0; 10];
        for _ in 0..10_000 {
            seen[pick.below(10) as usize] += 1;
            assert!((2.0..=3.0).contains(&pick.between(2.0, 3.0)));
        }
        assert!(seen.iter().all(|count| (800..1_200).contains(count)), "{seen:?}");
        assert_eq!(pick.below(0), 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let numbers = |seed| {
            let mut pick = Pick::new(seed);
            [pick.bits(), pick.bits()]
        };
        assert_eq!(numbers(7), numbers(7));
        assert_ne!(numbers(7), numbers(8));
    }
}
