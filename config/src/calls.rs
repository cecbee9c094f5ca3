//! `[calls]`: how many, and how they end when the service stops.

use crate::key::{Effect, Expects, Key};
use crate::reading::{Reading, Setting};
use offhook_units::Span;

static MAX: Key = Key {
    path: "calls.max",
    variable: None,
    expects: Expects::Whole { unit: "calls", from: 1, to: 500, default: 50 },
    effect: Effect::Restart,
};
static RING_S: Key = Key {
    path: "calls.ring_s",
    variable: None,
    expects: Expects::Whole { unit: "whole seconds", from: 5, to: 600, default: 180 },
    effect: Effect::Restart,
};
static DRAIN_S: Key = Key {
    path: "calls.drain_s",
    variable: None,
    expects: Expects::Whole { unit: "whole seconds", from: 0, to: 3600, default: 20 },
    effect: Effect::Live,
};
pub(crate) static KEYS: [&Key; 3] = [&MAX, &RING_S, &DRAIN_S];

/// Calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    /// At once.
    pub max: usize,
    /// How long one rings.
    pub ring: Span,
    /// How long a stop waits for them.
    pub drain: Span,
}

pub(crate) fn read(reading: &Reading) -> Calls {
    let seconds = |key| Span::from_millis(reading.whole::<i64>(key) * 1000);
    Calls { max: reading.whole(&MAX), ring: seconds(&RING_S), drain: seconds(&DRAIN_S) }
}

/// For contradictions with [`Calls::max`].
pub(crate) fn blame(reading: &Reading) -> (Setting, Setting) {
    (reading.setting(&MAX), reading.setting(&MAX))
}
