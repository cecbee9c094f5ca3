//! `[speed]`: how far the speed of play-out may leave the natural one.

use crate::key::{Effect, Expects, Key};
use crate::reading::Reading;
use offhook_units::Ppm;

pub(crate) const MAX_PERCENT: Key = Key {
    path: "speed.max_percent",
    variable: Some("PLAYBACK_SPEED_ADJUSTMENT_MAX"),
    expects: Expects::Percent { smallest: 0.1, to: 5.0, default: 5.0 },
    effect: Effect::Live,
};
pub(crate) const KEYS: [&Key; 1] = [&MAX_PERCENT];

/// The limits of the play-out speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// The furthest from the natural speed, either way; 50,000 ppm are 5 %.
    pub max: Ppm,
}

/// The section as it was read. What it returns counts only where no problem was found.
pub(crate) fn read(reading: &Reading) -> Speed {
    Speed { max: percent(reading.number(&MAX_PERCENT)) }
}

fn percent(percent: f64) -> Ppm {
    Ppm((percent * 10_000.0) as f32)
}
