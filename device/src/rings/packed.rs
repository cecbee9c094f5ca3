//! Real-time: no allocation, no lock, no syscall, no panic, no log, on either side.
//!
//! How packets and payloads lie in their rings: length, head and body one behind the other, as bytes, so that a ring
//! holds as many as fit and not as many as the longest would.

use super::{Full, MOST_PAYLOAD};
use offhook_engine::{Packet, PacketKind};
use offhook_units::{Codec, Moment, RtpTime, SeqNo, Ssrc};

/// What goes before a packet's payload. The ring's two ends are of one program: the layout is nobody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PacketHead {
    arrival: Moment,
    ssrc: Ssrc,
    time: RtpTime,
    seq: SeqNo,
    kind: PacketKind,
}

impl PacketHead {
    pub(super) const BYTES: usize = 19;

    pub(super) const fn of(packet: &Packet<'_>) -> Self {
        let Packet { arrival, ssrc, seq, time, kind, .. } = *packet;
        Self { arrival, ssrc, time, seq, kind }
    }

    pub(super) const fn with<'a>(&self, payload: &'a [u8]) -> Packet<'a> {
        let Self { arrival, ssrc, time, seq, kind } = *self;
        Packet { arrival, ssrc, seq, time, kind, payload }
    }

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let kind = match self.kind {
            PacketKind::Voice(Codec::Pcmu) => 0,
            PacketKind::Voice(Codec::Pcma) => 1,
            PacketKind::Voice(Codec::G722) => 2,
            PacketKind::Voice(Codec::Opus) => 3,
            PacketKind::ComfortNoise => 4,
            PacketKind::TelephoneEvent => 5,
        };
        let mut bytes = [0; Self::BYTES];
        let (arrival, rest) = bytes.split_at_mut(8);
        let (ssrc, rest) = rest.split_at_mut(4);
        let (time, rest) = rest.split_at_mut(4);
        let (seq, last) = rest.split_at_mut(2);
        arrival.copy_from_slice(&self.arrival.as_micros().to_le_bytes());
        ssrc.copy_from_slice(&self.ssrc.0.to_le_bytes());
        time.copy_from_slice(&self.time.0.to_le_bytes());
        seq.copy_from_slice(&self.seq.0.to_le_bytes());
        last.copy_from_slice(&[kind]);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (arrival, rest) = bytes.split_first_chunk()?;
        let (ssrc, rest) = rest.split_first_chunk()?;
        let (time, rest) = rest.split_first_chunk()?;
        let (seq, rest) = rest.split_first_chunk()?;
        let kind = match rest.first()? {
            0 => PacketKind::Voice(Codec::Pcmu),
            1 => PacketKind::Voice(Codec::Pcma),
            2 => PacketKind::Voice(Codec::G722),
            3 => PacketKind::Voice(Codec::Opus),
            4 => PacketKind::ComfortNoise,
            _ => PacketKind::TelephoneEvent,
        };
        Some(Self {
            arrival: Moment::from_micros(u64::from_le_bytes(*arrival)),
            ssrc: Ssrc(u32::from_le_bytes(*ssrc)),
            time: RtpTime(u32::from_le_bytes(*time)),
            seq: SeqNo(u16::from_le_bytes(*seq)),
            kind,
        })
    }
}

/// Bytes that say how long a body is.
const LENGTH_BYTES: usize = 2;

/// Writes length, head and body as one: the reader sees all of it or nothing.
pub(super) fn put(ring: &mut rtrb::Producer<u8>, head: &[u8], body: &[u8]) -> Result<(), Full> {
    if body.len() > MOST_PAYLOAD {
        return Err(Full);
    }
    let length = (body.len() as u16).to_le_bytes();
    let mut chunk =
        ring.write_chunk(LENGTH_BYTES + head.len() + body.len()).map_err(|_too_few_slots| Full)?;
    let (first, second) = chunk.as_mut_slices();
    let bytes = length.iter().chain(head).chain(body);
    for (place, byte) in first.iter_mut().chain(second).zip(bytes) {
        *place = *byte;
    }
    chunk.commit_all();
    Ok(())
}

/// Reads what [`put`] wrote; the body comes to lie in `scratch`.
pub(super) fn take<'s>(
    ring: &mut rtrb::Consumer<u8>,
    head: &mut [u8],
    scratch: &'s mut [u8],
) -> Option<&'s [u8]> {
    let mut length = [0; LENGTH_BYTES];
    ring.pop_entire_slice(&mut length).ok()?;
    ring.pop_entire_slice(head).ok()?;
    let body = scratch.get_mut(..usize::from(u16::from_le_bytes(length)))?;
    ring.pop_entire_slice(body).ok()?;
    Some(body)
}
