//! The lab: a server on loopback that speaks the speech services' protocols, with a real voice, a scripted
//! language model, a recogniser that reports what it can honestly know, and a switch for every fault.
//!
//! ```text
//! wire (sockets, TLS) ─► server ─► http ─► route ─┬► websocket ─► Session (elevenlabs, deepgram, ...)
//!                                                 ├► answer    ─► Source  (HTTP streams)
//!                                                 └► control   (/lab/...: faults, script, what was seen)
//!                        gate: faults between a session and its socket      seen: the visitors' book
//! ```
//!
//! It is a test bed, so it blocks: a thread for each connection, and so many at most. Sessions hold no socket
//! and are told the time. It shares nothing with the product's clients but the voice: two readings of the same
//! protocols check each other.
#![warn(missing_docs)]

mod answer;
mod clock;
mod control;
mod deepgram;
mod elevenlabs;
mod faults;
mod gate;
mod hear;
mod http;
mod model;
mod openai;
mod reach;
mod route;
mod seen;
mod server;
mod session;
mod speak;
mod tls;
mod truevoice;
mod visit;
mod websocket;
mod wire;
mod wyoming;

pub use faults::{BadFault, Faults, Keys, SWITCHES, Stall, UtteranceEnd, Way};
pub use seen::{Seen, Visit};
pub use server::{Addresses, Lab, Options, StartError};
pub use speak::{LabVoice, Tones};
pub use tls::NoCertificate;
