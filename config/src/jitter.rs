//! `[jitter]`: how much sound is held back.

use crate::Fault;
use crate::key::{Effect, Expects, Key, MILLIS};
use crate::reading::{Reading, Setting};
use offhook_units::Span;

const FROM_MS: i64 = 20;
const TO_MS: i64 = 500;

pub(crate) const MIN_MS: Key = bound("jitter.min_ms", "JITTER_BUFFER_MIN_MS", FROM_MS);
pub(crate) const TARGET_MS: Key = bound("jitter.target_ms", "JITTER_BUFFER_TARGET_MS", 100);
pub(crate) const MAX_MS: Key = bound("jitter.max_ms", "JITTER_BUFFER_MAX_MS", TO_MS);
pub(crate) const KEYS: [&Key; 3] = [&MIN_MS, &TARGET_MS, &MAX_MS];

const fn bound(path: &'static str, variable: &'static str, default: i64) -> Key {
    let expects = Expects::Whole { unit: MILLIS, from: FROM_MS, to: TO_MS, default };
    Key { path, variable: Some(variable), expects, effect: Effect::Live }
}

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

/// The section as it was read. What it returns counts only where no problem was found.
pub(crate) fn read(reading: &mut Reading) -> Jitter {
    let (min, max) = (reading.setting(&MIN_MS), reading.setting(&MAX_MS));
    let target = reading.setting(&TARGET_MS);
    let (min_ms, max_ms) = (min.value.as_number(), max.value.as_number());
    let mut target_ms = target.value.as_number();
    if is_below(&max, &min) {
        reading.contradiction(&max, &min, Fault::MaxBelowMin { max_ms, min_ms });
    }
    if let Some(moved) = reading.moved(&TARGET_MS, min_ms as i64, max_ms as i64) {
        target_ms = moved as f64;
    } else if is_below(&target, &min) {
        reading.contradiction(&target, &min, Fault::TargetBelowMin { target_ms, min_ms });
    } else if is_below(&max, &target) {
        reading.contradiction(&target, &max, Fault::TargetAboveMax { target_ms, max_ms });
    }
    Jitter { min: millis(min_ms), target: millis(target_ms), max: millis(max_ms) }
}

/// Numbers that are themselves at fault are compared with nothing.
fn is_below(low: &Setting, high: &Setting) -> bool {
    low.sound && high.sound && low.value.as_number() < high.value.as_number()
}

fn millis(ms: f64) -> Span {
    Span::from_millis(ms as i64)
}
