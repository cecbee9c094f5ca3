//! Health, metrics and the status page over HTTP/1.1: a small server of our own, bounded in everything.
//!
//! ```text
//!  sockets (server) ─► connection: bytes ─► request ─► router ─► pages ─► response ─► bytes
//! ```
//!
//! One thread, and no other thread ever waits for it. [`connection`] and [`router`] are told the time and handed bytes;
//! the sockets are in [`server`].

mod browser;
pub mod connection;
pub mod metrics;
pub mod request;
pub mod response;
pub mod router;
pub mod server;
