//! From written text to what is to be spoken: sentences, pauses, breaths.

mod boundary;
mod held;
mod markup;
mod pauses;
mod plan;
mod sentence;
mod splitter;
mod words;

pub use pauses::{BadPauseRange, PauseKind, PauseRange, PauseTable, RateMeter, SpeechRate};
pub use plan::{PlanSettings, Planner, Rest, Step};
pub(crate) use sentence::is_speakable;
pub use sentence::{Cue, CueKind, End, Sentence};
pub use splitter::Splitter;

/// Characters that are not white space.
pub(crate) fn count(text: &str) -> u32 {
    text.chars().filter(|c| !c.is_whitespace()).count() as u32
}
