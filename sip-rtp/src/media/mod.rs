//! One call's media: what arrives on its RTP and RTCP ports, and what leaves by them.
//!
//! Nothing here owns a socket or reads a clock. [`demux`] says what a datagram is, [`packet`] reads and
//! writes RTP.

pub mod demux;
pub mod packet;
