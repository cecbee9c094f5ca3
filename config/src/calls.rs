//! `[calls]`: how many, and how they end when the service stops.

use crate::key::{Effect, Expects, Key};
use crate::reading::Reading;
use offhook_units::Span;

/// The default media ports are enough for the most of them.
static MAX: Key =
    Key::at_restart("calls.max", Expects::Whole { unit: "calls", from: 1, to: 500, default: 50 });
static RING_S: Key =
    Key::at_restart("calls.ring_s", Expects::Whole { unit: "whole seconds", from: 5, to: 600, default: 180 });
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
