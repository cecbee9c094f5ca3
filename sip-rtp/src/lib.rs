//! The trunk without its sockets. Everything here is told the time, handed datagrams and bytes, and polled
//! for what it wants sent; sockets, threads and the clock belong to the appliance.

pub mod media;
pub mod names;
pub mod sdp;
pub mod sip;
