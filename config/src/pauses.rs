//! `[pauses]` and `[breaths]`: how the voice rests between its words.

use crate::key::{Expects, Key, MILLIS};
use crate::reading::Reading;

const fn length(path: &'static str, default: i64) -> Key {
    Key::at_restart(path, Expects::Whole { unit: MILLIS, from: 0, to: 3_000, default })
}

const fn chars(path: &'static str, default: i64) -> Key {
    Key::at_restart(path, Expects::Whole { unit: "characters", from: 20, to: 2_000, default })
}

static FULL_STOP_MIN_MS: Key = length("pauses.full_stop_min_ms", 400);
static FULL_STOP_MAX_MS: Key = length("pauses.full_stop_max_ms", 600);
static QUESTION_MIN_MS: Key = length("pauses.question_min_ms", 500);
static QUESTION_MAX_MS: Key = length("pauses.question_max_ms", 700);
static SENTENCE_MIN_MS: Key = length("pauses.sentence_min_ms", 300);
static SENTENCE_MAX_MS: Key = length("pauses.sentence_max_ms", 500);
static COMMA_MIN_MS: Key = length("pauses.comma_min_ms", 100);
static COMMA_MAX_MS: Key = length("pauses.comma_max_ms", 200);
static EMPHASIS_MIN_MS: Key = length("pauses.emphasis_min_ms", 150);
static EMPHASIS_MAX_MS: Key = length("pauses.emphasis_max_ms", 250);
static AUTOMATIC: Key = Key::at_restart("breaths.automatic", Expects::Flag { default: true });
static LEVEL_DB: Key = Key::at_restart(
    "breaths.level_db",
    Expects::Whole { unit: "whole decibels", from: -70, to: -20, default: -36 },
);
static AFTER_MIN: Key = chars("breaths.after_min_chars", 90);
static AFTER_MAX: Key = chars("breaths.after_max_chars", 150);

pub(crate) static KEYS: [&Key; 10] = [
    &FULL_STOP_MIN_MS,
    &FULL_STOP_MAX_MS,
    &QUESTION_MIN_MS,
    &QUESTION_MAX_MS,
    &SENTENCE_MIN_MS,
    &SENTENCE_MAX_MS,
    &COMMA_MIN_MS,
    &COMMA_MAX_MS,
    &EMPHASIS_MIN_MS,
    &EMPHASIS_MAX_MS,
];
pub(crate) static BREATH_KEYS: [&Key; 4] = [&AUTOMATIC, &LEVEL_DB, &AFTER_MIN, &AFTER_MAX];

/// The shortest and the longest, of which the first is never above the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The shortest.
    pub least: u16,
    /// The longest.
    pub most: u16,
}

/// How long pauses are, in milliseconds, at the usual pace of a voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pauses {
    /// After a full stop.
    pub full_stop: Range,
    /// After a question.
    pub question: Range,
    /// After any other end of a sentence.
    pub sentence: Range,
    /// After a comma.
    pub comma: Range,
    /// Before an emphasised word.
    pub emphasis: Range,
}

/// When the voice breathes by itself, and how loudly it does at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaths {
    /// Whether it does by itself.
    pub automatic: bool,
    /// How loud, decibels of full scale.
    pub level_db: i16,
    /// After so many characters.
    pub after_chars: Range,
}

/// The sections as they were read. What this returns counts only where no problem was found.
pub(crate) fn read(reading: &mut Reading) -> (Pauses, Breaths) {
    let mut range = |low: &'static Key, high: &'static Key| {
        reading.is_crossed(low, high);
        Range { least: reading.whole(low), most: reading.whole(high) }
    };
    let pauses = Pauses {
        full_stop: range(&FULL_STOP_MIN_MS, &FULL_STOP_MAX_MS),
        question: range(&QUESTION_MIN_MS, &QUESTION_MAX_MS),
        sentence: range(&SENTENCE_MIN_MS, &SENTENCE_MAX_MS),
        comma: range(&COMMA_MIN_MS, &COMMA_MAX_MS),
        emphasis: range(&EMPHASIS_MIN_MS, &EMPHASIS_MAX_MS),
    };
    let after_chars = range(&AFTER_MIN, &AFTER_MAX);
    (pauses, Breaths { automatic: reading.flag(&AUTOMATIC), level_db: reading.whole(&LEVEL_DB), after_chars })
}
