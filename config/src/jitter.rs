//! `[jitter]`: how much sound is held back.

use crate::Fault;
use crate::key::{Expects, Key};
use crate::reading::{Number, Reading};
use offhook_units::Span;

const FROM_MS: i64 = 20;
const TO_MS: i64 = 500;

pub(crate) const MIN_MS: Key = Key {
    path: "jitter.min_ms",
    variable: "JITTER_BUFFER_MIN_MS",
    expects: Expects::Millis { from: FROM_MS, to: TO_MS, default: FROM_MS },
};

pub(crate) const TARGET_MS: Key = Key {
    path: "jitter.target_ms",
    variable: "JITTER_BUFFER_TARGET_MS",
    expects: Expects::Millis { from: FROM_MS, to: TO_MS, default: 100 },
};

pub(crate) const MAX_MS: Key = Key {
    path: "jitter.max_ms",
    variable: "JITTER_BUFFER_MAX_MS",
    expects: Expects::Millis { from: FROM_MS, to: TO_MS, default: TO_MS },
};

/// The bounds of the play-out delay: `min` ≤ `target` ≤ `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jitter {
    /// The shortest delay.
    pub min: Span,
    /// The delay that a call starts with, until its line is known.
    pub target: Span,
    /// The longest delay, whatever the line does.
    pub max: Span,
}

impl Default for Jitter {
    fn default() -> Self {
        let of = |key: &Key| millis(key.default());
        Self { min: of(&MIN_MS), target: of(&TARGET_MS), max: of(&MAX_MS) }
    }
}

/// The section as it was read. What it returns counts only where no problem was found.
pub(crate) fn read(reading: &mut Reading) -> Jitter {
    let (min, max) = (reading.number(&MIN_MS), reading.number(&MAX_MS));
    let mut target = reading.number(&TARGET_MS);
    if is_below(&max, &min) {
        reading.contradiction(&max, &min, Fault::MaxBelowMin { max_ms: max.value, min_ms: min.value });
    }
    if target.place.is_none() {
        // Nobody asked for this target: it moves between the bounds that somebody did ask for.
        target.value = target.value.max(min.value).min(max.value);
    } else if is_below(&target, &min) {
        reading.contradiction(
            &target,
            &min,
            Fault::TargetBelowMin { target_ms: target.value, min_ms: min.value },
        );
    } else if is_below(&max, &target) {
        reading.contradiction(
            &target,
            &max,
            Fault::TargetAboveMax { target_ms: target.value, max_ms: max.value },
        );
    }
    Jitter { min: millis(min.value), target: millis(target.value), max: millis(max.value) }
}

/// Numbers that are themselves at fault are compared with nothing.
fn is_below(low: &Number, high: &Number) -> bool {
    low.sound && high.sound && low.value < high.value
}

fn millis(ms: f64) -> Span {
    Span::from_millis(ms as i64)
}
