//! From written text to speech: what turns the words of a language model or of a person into a plan of
//! sentences, pauses and breaths, and the voices on the device that speak it.
//!
//! ```text
//! text ─► Splitter ─► Sentence ─► Planner ─► Step ─► Voice, breath, silence ─► Say ─► mono i16
//!         markup,                 pauses,            (flite, a command)        trims and joins
//!         boundaries              breaths
//! ```
//!
//! Nothing here reads a clock or opens a socket. Threads and processes live in [`voice::command`] alone,
//! `unsafe` in [`voice::flite`] alone.
#![warn(missing_docs)]

pub mod breath;
mod random;
pub mod say;
pub mod text;
pub mod voice;

pub use random::Random;
