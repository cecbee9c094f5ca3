//! A stream of packets as the fuzzer makes it: mostly one that goes on, with every field free to break off.

pub mod telephone;

use arbitrary::Arbitrary;
use offhook_engine::{Packet, PacketKind};
use offhook_units::{Codec, Moment, RtpTime, SeqNo, Ssrc};

/// The codec of a call.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum AnyCodec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722.
    G722,
    /// Opus.
    Opus,
}

impl From<AnyCodec> for Codec {
    fn from(any: AnyCodec) -> Self {
        match any {
            AnyCodec::Pcmu => Self::Pcmu,
            AnyCodec::Pcma => Self::Pcma,
            AnyCodec::G722 => Self::G722,
            AnyCodec::Opus => Self::Opus,
        }
    }
}

/// What a packet carries.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Kind {
    /// Speech in the call's codec: so many tens of milliseconds, of this byte.
    Usual { tens_of_ms: u8, byte: u8 },
    /// Speech in any codec, with as many of the input's bytes as this.
    Raw { codec: AnyCodec, bytes: u16 },
    /// RFC 3389.
    ComfortNoise,
    /// RFC 4733.
    Key,
}

/// Where a packet stands against the one before it.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Step {
    /// The next one, in time.
    Next,
    /// Some packets on or back, with the timestamp that belongs there.
    Skip(i8),
    /// Any sequence number.
    Sequence(u16),
    /// Any timestamp.
    Timestamp(u32),
    /// Another source.
    Source(u8),
    /// As the one before it.
    Again,
}

/// One packet, and how long after the one before it it comes.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub struct Arrival {
    /// In units of 500 µs.
    pub wait: u8,
    /// Against the one before it.
    pub step: Step,
    /// What it carries.
    pub kind: Kind,
}

/// The sender's counters.
#[derive(Debug)]
pub struct Stream {
    codec: Codec,
    ssrc: u32,
    seq: u16,
    time: u32,
    last_frames: u32,
    payload: Vec<u8>,
}

impl Stream {
    /// Of a call in `codec`.
    pub fn new(codec: Codec) -> Self {
        Self { codec, ssrc: 1, seq: 65_500, time: u32::MAX - 9_000, last_frames: 160, payload: Vec::new() }
    }

    /// The packet that `arrival` describes.
    pub fn packet(&mut self, at: Moment, arrival: &Arrival, raw: &[u8]) -> Packet<'_> {
        let frames = self.last_frames;
        match arrival.step {
            Step::Next => self.go(1, frames),
            Step::Skip(packets) => self.go(packets, frames),
            Step::Sequence(seq) => {
                self.go(1, frames);
                self.seq = seq;
            }
            Step::Timestamp(time) => {
                self.go(1, frames);
                self.time = time;
            }
            Step::Source(source) => {
                self.go(1, frames);
                self.ssrc = u32::from(source);
            }
            Step::Again => {}
        }
        self.payload.clear();
        let kind = match arrival.kind {
            Kind::Usual { tens_of_ms, byte } => {
                let tens = u32::from(tens_of_ms % 13);
                self.last_frames = self.codec.rtp_clock().frames_in_ms(10 * tens) as u32;
                // An Opus packet says its length itself (RFC 6716 3.1): its first byte.
                let bytes = if self.codec == Codec::Opus { 40 } else { 80 * tens as usize };
                self.payload.resize(bytes, byte);
                PacketKind::Voice(self.codec)
            }
            Kind::Raw { codec, bytes } => {
                self.payload.extend(raw.iter().cycle().take(usize::from(bytes % 1_600)));
                PacketKind::Voice(codec.into())
            }
            Kind::ComfortNoise => {
                self.payload.extend(raw.iter().take(12));
                PacketKind::ComfortNoise
            }
            Kind::Key => PacketKind::TelephoneEvent,
        };
        Packet {
            arrival: at,
            ssrc: Ssrc(self.ssrc),
            seq: SeqNo(self.seq),
            time: RtpTime(self.time),
            kind,
            payload: &self.payload,
        }
    }

    fn go(&mut self, packets: i8, frames: u32) {
        self.seq = self.seq.wrapping_add_signed(i16::from(packets));
        self.time = self.time.wrapping_add_signed(i32::from(packets).wrapping_mul(frames as i32));
    }
}
