//! `[chunks]`: in which portions speech goes to the play-out.

use crate::Fault;
use crate::key::{Effect, Expects, Key, MILLIS};
use crate::reading::Reading;
use crate::value::Value;

const FROM_MS: i64 = 100;
const TO_MS: i64 = 1_000;

static MIN_MS: Key = size("chunks.min_ms", "CHUNK_SIZE_MIN_MS", FROM_MS);
static DEFAULT_MS: Key = size("chunks.default_ms", "CHUNK_SIZE_DEFAULT_MS", 500);
static MAX_MS: Key = size("chunks.max_ms", "CHUNK_SIZE_MAX_MS", TO_MS);
pub(crate) static KEYS: [&Key; 3] = [&MIN_MS, &DEFAULT_MS, &MAX_MS];

const fn size(path: &'static str, variable: &'static str, default: i64) -> Key {
    let expects = Expects::Whole { unit: MILLIS, from: FROM_MS, to: TO_MS, default };
    Key { path, variable: Some(variable), expects, effect: Effect::Restart }
}

/// The sizes of chunks, in milliseconds: `min_ms` ≤ `default_ms` ≤ `max_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks {
    /// Of a service that answers slowly.
    pub min_ms: u32,
    /// While nothing is known of the service.
    pub default_ms: u32,
    /// Of a service that is quick and steady.
    pub max_ms: u32,
}

/// The section as it was read. What it returns counts only where no problem was found.
pub(crate) fn read(reading: &mut Reading) -> Chunks {
    let (min_ms, max_ms) = (reading.whole::<u16>(&MIN_MS), reading.whole::<u16>(&MAX_MS));
    let mut default_ms = reading.whole::<u16>(&DEFAULT_MS);
    if crossed(reading, &MIN_MS, &MAX_MS) {
        return Chunks { min_ms: min_ms.into(), default_ms: min_ms.into(), max_ms: max_ms.into() };
    }
    if reading.setting(&DEFAULT_MS).place.is_none() {
        // Nobody asked for it: it moves between the bounds that somebody did ask for.
        default_ms = default_ms.max(min_ms).min(max_ms);
        reading.settle(&DEFAULT_MS, Value::Whole(default_ms.into()));
    } else {
        let _ = crossed(reading, &MIN_MS, &DEFAULT_MS) || crossed(reading, &DEFAULT_MS, &MAX_MS);
    }
    Chunks { min_ms: min_ms.into(), default_ms: default_ms.into(), max_ms: max_ms.into() }
}

/// Whether a lower bound lies above an upper one; then that is a problem.
fn crossed(reading: &mut Reading, low: &'static Key, high: &'static Key) -> bool {
    let (this, other) = (reading.setting(low), reading.setting(high));
    let (least, most) = (reading.whole(low), reading.whole(high));
    let is_crossed = this.sound && other.sound && least > most;
    if is_crossed {
        let fault = Fault::Crossed { low: (low.path, least), high: (high.path, most) };
        reading.contradiction(&this, &other, fault);
    }
    is_crossed
}
