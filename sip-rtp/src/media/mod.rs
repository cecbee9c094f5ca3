//! One call's media: what arrives on its RTP and RTCP ports, and what leaves by them.
//!
//! Nothing here owns a socket or reads a clock. [`demux`] says what a datagram is, [`packet`] reads and
//! writes RTP, [`dtmf`] carries the caller's keys, [`rtcp`] the reports on both directions, [`emodel`] turns
//! them into a score, and [`srtp`] keeps it all secret.

pub mod demux;
pub mod dtmf;
pub mod emodel;
pub mod packet;
pub mod random;
pub mod rtcp;
pub mod srtp;
mod wire;
