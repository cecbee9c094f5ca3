//! The appliance's program as a library, so that tests reach its parts; `main.rs` only hands over the arguments.
//!
//! ```text
//! cli ──► replay: trace + voice ──► RTP packets ──► join ──► engine ──► WAV, log, report
//!    ├──► run: the service ◄── calls ──┐
//!    └──► demo: networks and a voice of its own
//! ```
#![warn(missing_docs)]

pub mod audio;
pub mod cli;
pub mod clock;
pub mod conversation;
pub mod demo;
pub mod draft;
pub mod exit;
pub mod http;
pub mod interrupt;
pub mod join;
pub mod log;
pub mod replay;
pub mod rings;
pub mod run;
pub mod sound;
pub mod spoken;
pub mod trunk;
