//! The trunk thread: everything with a socket on the telephone side of the appliance.
//!
//! ```text
//!  UDP, TCP, TLS ─► signalling ─► user agent (sip-rtp) ─► calls ─► leg: sockets + media
//!                        ▲               │                            │        ▲
//!                        └───────────────┘                  packets ring       payloads ring
//!  requests ─► thread ─► reports                                      ▼        │
//!                                                                  (audio thread)
//! ```
//!
//! One thread on one set of sockets; nothing in it waits for anything else. [`start::start`] makes it, [`thread::Trunk::run`]
//! is its loop, [`command::Handle`] asks it for something.

mod agreed;
mod beat;
mod calls;
pub mod command;
pub mod figures;
mod full;
mod inband;
mod leg;
mod link;
mod links;
mod lookups;
pub mod media;
mod names;
mod own_address;
mod pause;
mod ports;
mod ready;
mod requests;
pub mod routes;
mod server_names;
pub mod settings;
mod signalling;
mod sockets;
pub mod start;
pub mod switchboard;
pub mod thread;
pub mod tls;
mod tokens;

pub(crate) use sockets::way_to;
