//! Real-time: no allocation, no lock, no syscall, no panic, no log.
//!
//! A packet as the engine sees it: already checked and stripped by the trunk, stamped by the kernel.

use offhook_units::{Codec, Moment, RtpTime, SeqNo, Ssrc};

/// One RTP packet on its way into the play-out engine.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// When it reached this machine.
    pub arrival: Moment,
    /// Who sent it.
    pub ssrc: Ssrc,
    /// Its place in the stream.
    pub seq: SeqNo,
    /// The media clock at its first sample.
    pub time: RtpTime,
    /// What the payload type stands for in this call.
    pub kind: PacketKind,
    /// The payload without padding.
    pub payload: &'a [u8],
}

/// What a packet carries, by the call's payload-type map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketKind {
    /// Speech in this codec.
    Voice(Codec),
    /// RFC 3389: the sender is silent, and this is how its room sounds.
    ComfortNoise,
    /// RFC 4733: a key press takes the place of audio. It is read elsewhere; here it only explains the gap.
    TelephoneEvent,
}
