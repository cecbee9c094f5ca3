//! One call's media: what arrives on its RTP and RTCP ports, and what leaves by them.
//!
//! Nothing here owns a socket or reads a clock. [`demux`] says what a datagram is, [`packet`] reads and
//! writes RTP, [`dtmf`] carries the caller's keys.

pub mod demux;
pub mod dtmf;
pub mod packet;
