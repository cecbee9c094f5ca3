//! Real-time: arithmetic.
//!
//! How fast the card's clock runs against the tick's, learnt from how much sound lies in the ring between them.
//!
//! The ring's content moves in steps: 10 ms a tick on one side, a period of the card on the other. Where both are 10 ms
//! and nearly in step, the content as the tick sees it creeps by a whole step over minutes, and nothing tells that from
//! drift. So the loop is slow: it may take such a step for drift without anybody hearing it (100 ppm are a sixth of a
//! cent, a hundredth of what an ear notices), and it still finds 200 ppm before the ring has moved by 8 ms.

use offhook_units::Ppm;

/// Between two looks, s.
const TICK_S: f32 = 0.01;
/// The content is averaged over about so long, s: some periods of any card.
const AVERAGE_S: f32 = 1.0;
/// The average counts after so many ticks: of its first look a twentieth is left.
const SETTLED: u32 = 300;
/// Correction for each ms of surplus, ppm: it is gone to a third after 1000 / 20 = 50 s.
const PROPORTIONAL: f32 = 20.0;
/// Correction that grows with each ms of surplus, ppm a second. The fastest that does not overshoot: the ring moves by
/// a thousandth of an ms a second for each ppm, so this is PROPORTIONAL² / 4 / 1000.
const INTEGRAL: f32 = PROPORTIONAL * PROPORTIONAL / 4000.0;
/// The worst clock that is followed, ppm. Crystals are better than 200.
const WORST: f32 = 1_000.0;
/// The most that sound is bent, ppm: 2.6 cents.
pub(super) const MOST: f32 = 1_500.0;

/// The loop for one ring.
#[derive(Debug, Default)]
pub(super) struct Drift {
    /// Surplus, averaged, ms.
    surplus_ms: Option<f32>,
    /// Ticks that the average covers.
    looks: u32,
    /// How much faster than it should, by what is known, the ring fills, ppm.
    known: f32,
}

impl Drift {
    /// One tick: `surplus_ms` more lies in the ring than should. Returns by how much faster than its nominal speed
    /// the ring is to be emptied, or more slowly to be filled.
    pub(super) fn follow(&mut self, surplus_ms: f32) -> Ppm {
        let before = self.surplus_ms.unwrap_or(surplus_ms);
        let surplus = before + (surplus_ms - before) * (TICK_S / AVERAGE_S);
        self.surplus_ms = Some(surplus);
        self.looks = self.looks.saturating_add(1);
        self.known = (self.known + INTEGRAL * TICK_S * surplus).clamp(-WORST, WORST);
        Ppm((self.known + PROPORTIONAL * surplus).clamp(-MOST, MOST))
    }

    /// Whether the average has forgotten where it began: a single look may be off by half a period of the card.
    pub(super) const fn is_settled(&self) -> bool {
        self.looks > SETTLED
    }

    /// Surplus over the last second, ms.
    pub(super) fn surplus_ms(&self) -> f32 {
        self.surplus_ms.unwrap_or(0.0)
    }

    /// So much was put into the ring, or taken out, besides.
    pub(super) fn moved(&mut self, ms: f32) {
        if let Some(surplus) = &mut self.surplus_ms {
            *surplus += ms;
        }
    }

    /// The ring begins anew; what is known of the clocks stays true.
    pub(super) const fn restart(&mut self) {
        self.surplus_ms = None;
        self.looks = 0;
    }

    /// How much faster than it should the ring fills.
    pub(super) const fn known(&self) -> Ppm {
        Ppm(self.known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring between the tick and a card that asks for `period_ms` at once on a clock `ppm` fast, for hours.
    struct Run {
        /// The least and the most that lay in the ring when somebody took from it, ms.
        least_ms: f64,
        most_ms: f64,
        /// The furthest from the card's clock that the sound was bent, and the mean of the last hour, ppm.
        furthest: f32,
        mean: f64,
    }

    fn run(ppm: f64, period_ms: f64, hours: u32) -> Run {
        let mut drift = Drift::default();
        // As the speaker does: a margin, and half a period more at the mean.
        let wanted_ms = 15.0 + period_ms / 2.0;
        let (mut held_ms, mut card_ms) = (15.0 + period_ms, 3.0);
        let (mut least_ms, mut most_ms, mut furthest) = (f64::MAX, 0.0_f64, 0.0_f32);
        let (mut sum, mut looks) = (0.0, 0_u32);
        let ticks = hours * 360_000;
        for tick in 0..ticks {
            let now_ms = f64::from(tick) * 10.0;
            while card_ms <= now_ms {
                held_ms -= period_ms;
                least_ms = least_ms.min(held_ms);
                card_ms += period_ms / (1.0 + ppm * 1e-6);
            }
            let bend = drift.follow((held_ms - wanted_ms) as f32).0;
            held_ms += 10.0 * (1.0 - f64::from(bend) * 1e-6);
            most_ms = most_ms.max(held_ms);
            furthest = furthest.max((bend + ppm as f32).abs());
            if tick >= ticks - 360_000 {
                (sum, looks) = (sum - f64::from(bend), looks + 1);
            }
        }
        Run { least_ms, most_ms, furthest, mean: sum / f64::from(looks) }
    }

    #[test]
    fn clocks_200_ppm_apart_for_hours_neither_empty_nor_fill_the_ring() {
        for ppm in [-200.0, -30.0, 0.0, 200.0] {
            for period_ms in [5.0, 10.0, 21.333, 40.0] {
                let seen = run(ppm, period_ms, 4);
                let told = (ppm, period_ms, seen.least_ms, seen.most_ms, seen.furthest, seen.mean);
                assert!(seen.least_ms > 0.0, "never empty: {told:?}");
                assert!(seen.most_ms < 45.0 + 2.0 * period_ms, "never much: {told:?}");
                // A third of what a trained ear can tell of a pure tone, and that in the first seconds only.
                assert!(seen.furthest < 700.0, "pitch: {told:?}");
                assert!((seen.mean - ppm).abs() < 5.0, "the clock is known: {told:?}");
            }
        }
    }

    #[test]
    fn once_it_is_found_a_clock_is_followed_within_5_ppm() {
        for ppm in [-200.0_f32, 200.0] {
            let mut drift = Drift::default();
            let mut held_ms = 0.0_f32;
            for tick in 0..120_000 {
                let bend = drift.follow(held_ms).0;
                held_ms -= 0.01 * (bend + ppm) * 1e-3;
                if tick > 60_000 {
                    assert!((bend + ppm).abs() < 5.0, "{bend} ppm at tick {tick}");
                }
            }
            assert!((drift.known().0 + ppm).abs() < 1.0);
        }
    }

    #[test]
    fn a_clock_beyond_all_reason_is_followed_as_far_as_is_bearable() {
        let mut drift = Drift::default();
        for _ in 0..100_000 {
            assert!(drift.follow(500.0).0 <= MOST);
        }
        drift.moved(-10.0);
        assert!((drift.surplus_ms() - 490.0).abs() < 1.0);
        drift.restart();
        assert_eq!(drift.surplus_ms(), 0.0);
        assert!(!drift.is_settled());
    }
}
