//! The lab's voice: text to audio in the format that was asked for, in chunks, at a pace, with the time of
//! each character.
//!
//! ```text
//! text ─► pieces ─► Speaker (a real voice, or tones) ─► resample ─► encode ─► Track: chunks by the clock
//! ```

mod format;
mod pieces;
mod resample;
mod speaker;
mod tones;
mod track;

pub(crate) use format::{Encoding, Format};
pub use speaker::LabVoice;
pub(crate) use speaker::Speaker;
pub use tones::Tones;
pub(crate) use track::{Chunk, Timed, Track};
