//! SIP without sockets.
//!
//! From the wire up: [`guard`] says who is heard at all, [`framing`] cuts streams, [`parse`] reads messages
//! ([`message`]) and decides which bad ones are answered, [`transaction`] repeats and matches them, [`dialog`] keeps
//! what belongs to one call, [`agent`] is the telephone made of all that. Beside it: [`digest`] proves who is who,
//! [`registration`] keeps a trunk up, [`session_timer`] a call alive, [`transfer`] hands one on, and [`ladder`]
//! writes it all down.

pub mod address;
pub mod agent;
pub mod dialog;
pub mod digest;
pub mod framing;
pub mod guard;
pub mod header;
pub mod host;
pub mod ids;
pub mod ladder;
pub mod local;
pub mod malformed;
pub mod message;
pub mod method;
pub mod param;
pub mod parse;
pub mod registration;
pub mod session_timer;
pub mod status;
pub(crate) mod text;
mod timers;
pub mod transaction;
pub mod transfer;
pub mod transport;
pub mod uri;
pub mod via;
pub(crate) mod words;
