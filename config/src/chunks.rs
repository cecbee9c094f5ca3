//! `[chunks]`: in which portions speech goes to the play-out.

use crate::key::{Effect, Expects, Key, MILLIS};
use crate::reading::Reading;

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
    let (min_ms, max_ms): (u16, u16) = (reading.whole(&MIN_MS), reading.whole(&MAX_MS));
    if !reading.is_crossed(&MIN_MS, &MAX_MS)
        && reading.moved(&DEFAULT_MS, min_ms.into(), max_ms.into()).is_none()
    {
        let _ = reading.is_crossed(&MIN_MS, &DEFAULT_MS) || reading.is_crossed(&DEFAULT_MS, &MAX_MS);
    }
    Chunks { min_ms: min_ms.into(), default_ms: reading.whole(&DEFAULT_MS), max_ms: max_ms.into() }
}
