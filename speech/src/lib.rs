//! Speech: what turns the words of a language model or of a person into a plan of
//! sentences, pauses and breaths, the voices on the device that speak it, and the services in the network that
//! speak, listen and think.
//!
//! ```text
//! text ─► Splitter ─► Sentence ─► Planner ─► Step ─► Voice, breath, silence ─► Say ─► mono i16
//!         markup,                 pauses,            (flite, a command)        trims and joins
//!         boundaries              breaths
//! ```
//!
//! Nothing here reads a clock. Sockets live in [`net`] alone, threads in [`service`] and [`voice::command`],
//! `unsafe` in [`voice::flite`] alone.
#![warn(missing_docs)]

pub mod all_in_one;
pub mod breath;
pub mod conversation;
pub mod ear;
pub mod failure;
mod lifeline;
pub mod llm;
pub mod net;
mod random;
pub mod realtime;
pub mod say;
pub mod service;
pub mod session;
pub mod speaking;
pub mod stt;
pub mod text;
pub mod transport;
pub mod truevoice;
pub mod tts;
pub mod voice;
pub mod wire;
pub mod wyoming;

pub use random::Random;
