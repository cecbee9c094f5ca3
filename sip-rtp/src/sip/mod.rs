//! SIP without sockets.
//!
//! From the wire up: [`framing`] cuts streams, [`parse`] reads messages ([`message`]) and decides which bad ones
//! are answered. [`transaction`] repeats and matches them; [`digest`]
//! proves who is who.

pub mod address;
pub mod digest;
pub mod framing;
pub mod header;
pub mod host;
pub mod ids;
pub mod malformed;
pub mod message;
pub mod method;
pub mod param;
pub mod parse;
pub mod status;
pub(crate) mod text;
mod timers;
pub mod transaction;
pub mod transport;
pub mod uri;
pub mod via;
