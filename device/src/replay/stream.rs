//! The sender: a voice, coded, as the RTP datagrams that leave one after another.

use super::trace::PACKET_MS;
use super::voice::Voice;
use crate::join;
use offhook_engine::codec::{EncodeError, Encoder, Unavailable};
use offhook_engine::rate::RateError;
use offhook_sip_rtp::media::packet::{FIXED_HEADER, NoRoom, PacketHeader};
use offhook_units::{Codec, RtpTime, SeqNo, Ssrc};
use std::fmt;

/// The stream's source. Any number would do.
const SSRC: Ssrc = Ssrc(0x0FF4_0001);
/// The largest payload that an encoder makes of a packet (RFC 6716 3.4).
pub(super) const PAYLOAD_MAX: usize = 1_275;

/// Every packet of a stream, as it is on the wire.
#[derive(Clone, Debug)]
pub struct Stream {
    codec: Codec,
    bytes: Vec<u8>,
    /// Where each datagram ends in `bytes`.
    ends: Vec<usize>,
}

/// Codes a voice packet by packet: [`Sender::send`] until the stream is as long as wanted.
struct Sender {
    encoder: Encoder,
    stream: Stream,
    frames: usize,
    pcm: Vec<i16>,
}

impl Stream {
    /// The first `packets` packets of `voice` in `codec`; beyond its end they carry silence. `step` is called
    /// behind each and may stop the work by answering `false`: then there is no stream.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn code(
        voice: Voice,
        codec: Codec,
        packets: u32,
        step: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Self>, StreamError> {
        let voice = voice.at(codec.sample_rate())?;
        let mut sender = Sender::new(codec)?;
        for packet in 0..packets {
            sender.send(packet, voice.samples())?;
            if !step() {
                return Ok(None);
            }
        }
        Ok(Some(sender.stream))
    }

    /// How it is coded.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Packet number `packet`; empty when there is none.
    pub fn datagram(&self, packet: u32) -> &[u8] {
        let packet = packet as usize;
        let start = packet.checked_sub(1).map_or(Some(&0), |before| self.ends.get(before));
        match (start, self.ends.get(packet)) {
            (Some(&start), Some(&end)) => self.bytes.get(start..end).unwrap_or_default(),
            _ => &[],
        }
    }
}

impl Sender {
    fn new(codec: Codec) -> Result<Self, StreamError> {
        let frames = codec.sample_rate().frames_in_ms(PACKET_MS);
        let stream = Stream { codec, bytes: Vec::new(), ends: Vec::new() };
        Ok(Self { encoder: Encoder::new(codec)?, stream, frames, pcm: vec![0; frames] })
    }

    fn send(&mut self, packet: u32, voice: &[i16]) -> Result<(), StreamError> {
        let from = (packet as usize).saturating_mul(self.frames);
        let spoken = voice.get(from..voice.len().min(from + self.frames)).unwrap_or_default();
        self.pcm.fill(0);
        self.pcm.iter_mut().zip(spoken).for_each(|(to, from)| *to = *from);
        let mut payload = [0; PAYLOAD_MAX];
        let length = self.encoder.encode(&self.pcm, &mut payload)?;
        let codec = self.stream.codec;
        let header = PacketHeader {
            seq: SeqNo(packet as u16),
            time: RtpTime(packet.wrapping_mul(codec.rtp_clock().frames_in_ms(PACKET_MS) as u32)),
            ssrc: SSRC,
            payload_type: join::payload_type(codec),
            marker: packet == 0,
        };
        let mut datagram = [0; FIXED_HEADER + PAYLOAD_MAX];
        let written = header.write(payload.get(..length).unwrap_or_default(), &mut datagram)?;
        self.stream.bytes.extend_from_slice(datagram.get(..written).unwrap_or_default());
        self.stream.ends.push(self.stream.bytes.len());
        Ok(())
    }
}

/// Why a voice was not coded. None of these comes of what is in a file: the machine or the build is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// The codec does not start.
    Codec(Unavailable),
    /// The codec refused samples.
    Encode(EncodeError),
    /// The voice cannot be brought to the codec's rate.
    Rate(RateError),
    /// A packet beyond the room for one.
    Room(NoRoom),
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec(error) => error.fmt(f),
            Self::Encode(error) => error.fmt(f),
            Self::Rate(error) => error.fmt(f),
            Self::Room(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StreamError {}

impl From<Unavailable> for StreamError {
    fn from(error: Unavailable) -> Self {
        Self::Codec(error)
    }
}

impl From<EncodeError> for StreamError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<RateError> for StreamError {
    fn from(error: RateError) -> Self {
        Self::Rate(error)
    }
}

impl From<NoRoom> for StreamError {
    fn from(error: NoRoom) -> Self {
        Self::Room(error)
    }
}
