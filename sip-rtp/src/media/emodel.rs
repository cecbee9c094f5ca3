//! What a conversation over this network is worth: the E-model of ITU-T G.107 with its default values, except
//! for what we know of a call: delay, loss, how bursty the loss is, and what conceals it.
//!
//! ```text
//! R = Ro - Is - Idle - Idd - Idte - Ie,eff          (A, the advantage factor, is 0)
//!     '-- 93.2 by default --'  '--- of the call
//! ```

/// Ro - Is - Idle at the defaults of G.107 (94.77 - 1.41 - 0.15; the text's own example is 93.2).
const DEFAULT_RATING: f32 = 93.2;
/// -1.5 (No - RLR) of G.107 clause 7.4, with No = -61.18 dBm0p and RLR = 2 dB of the defaults.
const ECHO_RATING: f32 = 94.77;
/// Talker echo loudness rating at the far end, G.107's default.
const TELR_DB: f32 = 65.0;

/// How a codec and what conceals its losses take packet loss: ITU-T G.113 appendix I.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Equipment {
    /// Equipment impairment without loss (Ie).
    pub impairment: f32,
    /// Robustness against loss (Bpl).
    pub robustness: f32,
}

impl Equipment {
    /// G.711 with the concealment of its appendix I. G.107 has no narrow-band values for G.722 and Opus;
    /// they are rated as this, which does not flatter them.
    pub const G711_CONCEALED: Self = Self { impairment: 0.0, robustness: 25.1 };

    /// Ie,eff for `loss` (0 to 1) that comes in bursts `burst_ratio` times as long as chance would make them
    /// (G.107 clause 7.5).
    fn effective(self, loss: f32, burst_ratio: f32) -> f32 {
        let percent = 100.0 * loss;
        self.impairment + (95.0 - self.impairment) * percent / (percent / burst_ratio + self.robustness)
    }
}

/// What is known of the network under a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Path {
    /// From the mouth to the ear, one way, everything included.
    pub one_way_ms: f32,
    /// Share of packets that were not played, 0 to 1.
    pub loss: f32,
    /// Mean length of the bursts of loss over that of random loss (G.107's BurstR): 1 is random.
    pub burst_ratio: f32,
    /// The codec and its concealment.
    pub equipment: Equipment,
}

/// Transmission rating R, 0 to 100: above 90 very satisfied, below 60 nearly all dissatisfied (G.109).
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rating(pub f32);

impl Rating {
    /// How good it sounds, the delay left aside: for the listening score.
    pub fn listening(path: &Path) -> Self {
        Self::clamped(DEFAULT_RATING - path.impairment())
    }

    /// How good it is to talk over.
    pub fn conversation(path: &Path) -> Self {
        Self::clamped(
            DEFAULT_RATING
                - delay_impairment(path.one_way_ms)
                - echo_impairment(path.one_way_ms)
                - path.impairment(),
        )
    }

    fn clamped(value: f32) -> Self {
        Self(if value.is_finite() { value.clamp(0.0, 100.0) } else { 0.0 })
    }

    /// Mean opinion score, 1.0 to 4.5 (G.107 annex B).
    pub fn mos(self) -> f32 {
        let r = self.0;
        let mos = 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6;
        // The cubic dips below 1 near R = 3, and its own limits are 1 and 4.5.
        mos.clamp(1.0, 4.5)
    }
}

impl Path {
    fn impairment(&self) -> f32 {
        self.equipment.effective(self.loss.clamp(0.0, 1.0), self.burst_ratio.max(1.0))
    }
}

/// Idd: what too long a delay does, even without echo (G.107 clause 7.4).
fn delay_impairment(one_way_ms: f32) -> f32 {
    if one_way_ms <= 100.0 {
        return 0.0;
    }
    let x = (one_way_ms / 100.0).log2();
    let root = |x: f32| (1.0 + x.powi(6)).powf(1.0 / 6.0);
    25.0 * (root(x) - 3.0 * root(x / 3.0) + 2.0)
}

/// Idte: what the talker's own echo does, at the default loudness of the far end's echo (G.107
/// clause 7.4). The default side tone (STMR = 15 dB) asks for no correction.
fn echo_impairment(one_way_ms: f32) -> f32 {
    let t = one_way_ms.max(0.0);
    let terv = TELR_DB - 40.0 * ((1.0 + t / 10.0) / (1.0 + t / 150.0)).log10() + 6.0 * (-0.3 * t * t).exp();
    let re = 80.0 + 2.5 * (terv - 14.0);
    let half = (ECHO_RATING - re) / 2.0;
    (half + (half * half + 100.0).sqrt() - 1.0) * (1.0 - (-t).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERFECT: Path =
        Path { one_way_ms: 0.0, loss: 0.0, burst_ratio: 1.0, equipment: Equipment::G711_CONCEALED };

    fn near(value: f32, expected: f32, tolerance: f32) {
        assert!((value - expected).abs() <= tolerance, "{value} is not {expected}");
    }

    #[test]
    fn the_defaults_of_g107_give_93_2_and_4_41() {
        let rating = Rating::conversation(&PERFECT);
        near(rating.0, 93.2, 0.001);
        near(rating.mos(), 4.41, 0.005);
        assert_eq!(Rating::listening(&PERFECT), rating);
    }

    #[test]
    fn ratings_become_scores_as_annex_b_tabulates_them() {
        // G.107 annex B, table B.1.
        for (rating, mos) in [(90.0, 4.34), (80.0, 4.03), (70.0, 3.60), (60.0, 3.10), (50.0, 2.58)] {
            near(Rating(rating).mos(), mos, 0.0101);
        }
        near(Rating(100.0).mos(), 4.5, 1e-6);
        near(Rating(0.0).mos(), 1.0, 1e-6);
        near(Rating(3.0).mos(), 1.0, 1e-6);
    }

    #[test]
    fn loss_costs_what_g113_says() {
        let rating = |equipment, loss, burst_ratio| {
            Rating::listening(&Path { loss, burst_ratio, equipment, ..PERFECT }).0
        };
        // G.711 with silence for what is lost.
        let bare = Equipment { impairment: 0.0, robustness: 4.3 };
        // Ie,eff = 95 Ppl / (Ppl / BurstR + Bpl), by hand.
        near(rating(Equipment::G711_CONCEALED, 0.01, 1.0), 93.2 - 95.0 / 26.1, 0.01);
        near(rating(Equipment::G711_CONCEALED, 0.05, 1.0), 93.2 - 475.0 / 30.1, 0.01);
        near(rating(bare, 0.01, 1.0), 93.2 - 95.0 / 5.3, 0.01);
        near(rating(bare, 0.05, 1.0), 93.2 - 475.0 / 9.3, 0.01);
        near(rating(Equipment::G711_CONCEALED, 0.05, 2.0), 93.2 - 475.0 / 27.6, 0.01);
        assert!(rating(bare, 1.0, 1.0) < 5.0);
    }

    #[test]
    fn delay_alone_follows_the_curve() {
        // Idd by hand: X = lb(Ta / 100).
        near(delay_impairment(100.0), 0.0, 0.0);
        near(delay_impairment(150.0), 0.16, 0.01);
        near(delay_impairment(200.0), 3.04, 0.01);
        near(delay_impairment(400.0), 24.07, 0.02);
    }

    #[test]
    fn delay_with_the_default_echo_agrees_with_the_known_line() {
        // Cole and Rosenbluth, "Voice over IP performance monitoring" (2001), fitted Id at these very defaults:
        // 0.024 d, and 0.11 a millisecond more beyond 177.3 ms. The two agree within 1.6 up to 300 ms; beyond, the line is the steeper.
        for ms in [0, 25, 50, 100, 150, 200, 250, 300] {
            let d = ms as f32;
            let fit = 0.024 * d + 0.11 * (d - 177.3).max(0.0);
            near(delay_impairment(d) + echo_impairment(d), fit, 1.6);
        }
    }

    #[test]
    fn a_rating_never_leaves_its_scale() {
        for one_way_ms in [0.0, 1e9, f32::INFINITY, f32::NAN, -5.0] {
            for loss in [0.0, 1.0, 7.0, f32::NAN] {
                let path = Path { one_way_ms, loss, ..PERFECT };
                for rating in [Rating::conversation(&path), Rating::listening(&path)] {
                    assert!((0.0..=100.0).contains(&rating.0) && (1.0..=4.5).contains(&rating.mos()));
                }
            }
        }
    }

    #[test]
    fn worse_networks_never_score_better() {
        let mut last = 101.0;
        for step in 0..200 {
            let path = Path { one_way_ms: step as f32 * 5.0, loss: step as f32 / 400.0, ..PERFECT };
            let rating = Rating::conversation(&path).0;
            assert!(rating <= last, "step {step}: {rating} after {last}");
            last = rating;
        }
    }
}
