//! Real-time: after construction no allocation, no lock, no syscall, no panic, no log.
//!
//! From a packet's payload to samples and back, for every codec that a call may speak. A payload comes from
//! the network: whatever it holds, the answer is samples or an error, of at most [`MAX_PACKET_MS`].

pub mod g711;
mod opus;
mod opus_packet;

use audio_codec::g722::{G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};
use g711::Law;
use offhook_units::Codec;
use std::fmt;

pub use opus_packet::PackingError;

/// The longest packet that is taken, of any codec: what Opus allows (RFC 6716 3.2.5).
pub const MAX_PACKET_MS: u32 = 120;

/// One direction of one call: payloads in, samples at the codec's own rate out.
///
/// For each packet in order, call [`decode`](Self::decode). For a gap, call [`recover`](Self::recover) when
/// the packet after it is in hand, else [`conceal`](Self::conceal); where both answer `None` the codec has no
/// means of its own.
pub struct Decoder {
    codec: Codec,
    state: DecoderState,
}

enum DecoderState {
    G711(Law),
    G722(Box<G722Decoder>),
    Opus(opus::Decoder),
}

impl Decoder {
    /// Allocates all that decoding will need.
    ///
    /// # Errors
    /// [`Unavailable`] when the codec's library refuses to start.
    pub fn new(codec: Codec) -> Result<Self, Unavailable> {
        let state = match codec {
            Codec::Pcmu => DecoderState::G711(Law::Mu),
            Codec::Pcma => DecoderState::G711(Law::A),
            Codec::G722 => DecoderState::G722(Box::default()),
            Codec::Opus => DecoderState::Opus(opus::Decoder::new()?),
        };
        Ok(Self { codec, state })
    }

    /// The codec that it was made for.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// What [`Self::conceal`] fills is a multiple of this.
    pub const fn grain(&self) -> usize {
        match self.codec {
            // RFC 6716 2.1.4: the shortest frame, 2.5 ms.
            Codec::Opus => 120,
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 1,
        }
    }

    /// How many samples `payload` holds at the codec's rate; `None` when it cannot be decoded.
    pub fn frames_in(&self, payload: &[u8]) -> Option<usize> {
        let frames = match self.state {
            DecoderState::G711(_) => payload.len(),
            DecoderState::G722(_) => payload.len().checked_mul(2)?,
            DecoderState::Opus(_) => opus::Decoder::frames_in(payload)?,
        };
        (1..=max_frames(self.codec)).contains(&frames).then_some(frames)
    }

    /// Decodes one packet into the head of `out` and says how many samples that made.
    ///
    /// # Errors
    /// [`DecodeError`]; the decoder stays usable.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, DecodeError> {
        if payload.is_empty() {
            return Err(DecodeError::Empty);
        }
        if let DecoderState::Opus(decoder) = &mut self.state {
            return decoder.decode(payload, out);
        }
        let needed = self.frames_in(payload).ok_or(DecodeError::TooLong)?;
        let out = out.get_mut(..needed).ok_or(DecodeError::NoRoom { needed })?;
        match &mut self.state {
            DecoderState::G711(law) => {
                for (sample, &character) in out.iter_mut().zip(payload) {
                    *sample = law.decode(character);
                }
                Ok(needed)
            }
            DecoderState::G722(decoder) => {
                decoder.decode_into(payload, out).map_err(|_| DecodeError::Contents)
            }
            DecoderState::Opus(decoder) => decoder.decode(payload, out),
        }
    }

    /// Fills a gap as long as `out` from the past, by the codec's own means: Opus has some, the others have
    /// none. Says how much was filled: `out`'s length down to a multiple of 2.5 ms, at most 120 ms.
    pub fn conceal(&mut self, out: &mut [i16]) -> Option<usize> {
        match &mut self.state {
            DecoderState::Opus(decoder) => decoder.conceal(out),
            DecoderState::G711(_) | DecoderState::G722(_) => None,
        }
    }

    /// Fills a gap as long as `out` with the copy of its end that `next_payload`, the packet after the gap,
    /// carries (Opus in-band FEC); what that copy does not reach back to is concealed. `None` when the packet
    /// carries no copy or the gap is shorter than one. `next_payload` itself is decoded afterwards, as usual.
    pub fn recover(&mut self, next_payload: &[u8], out: &mut [i16]) -> Option<usize> {
        match &mut self.state {
            DecoderState::Opus(decoder) => decoder.recover(next_payload, out),
            DecoderState::G711(_) | DecoderState::G722(_) => None,
        }
    }

    /// Forgets all that was heard: another source speaks from here on.
    pub fn reset(&mut self) {
        match &mut self.state {
            DecoderState::G711(_) => {}
            DecoderState::G722(decoder) => **decoder = G722Decoder::new(),
            DecoderState::Opus(decoder) => decoder.reset(),
        }
    }
}

/// One direction of one call: samples at the codec's own rate in, payloads out.
pub struct Encoder {
    codec: Codec,
    state: EncoderState,
}

enum EncoderState {
    G711(Law),
    G722(Box<G722Encoder>),
    Opus(opus::Encoder),
}

impl Encoder {
    /// Allocates all that encoding will need.
    ///
    /// # Errors
    /// [`Unavailable`] when the codec's library refuses to start.
    pub fn new(codec: Codec) -> Result<Self, Unavailable> {
        let state = match codec {
            Codec::Pcmu => EncoderState::G711(Law::Mu),
            Codec::Pcma => EncoderState::G711(Law::A),
            Codec::G722 => EncoderState::G722(Box::default()),
            Codec::Opus => EncoderState::Opus(opus::Encoder::new()?),
        };
        Ok(Self { codec, state })
    }

    /// The codec that it was made for.
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Encodes one packet's samples into the head of `out` and says how many bytes that made. G.711 takes any
    /// number, G.722 an even one, Opus 10, 20, 40 or 60 ms; at most 120 ms.
    ///
    /// # Errors
    /// [`EncodeError`]; the encoder stays usable.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, EncodeError> {
        let is_length_fine = match self.state {
            EncoderState::G722(_) => pcm.len().is_multiple_of(2),
            EncoderState::G711(_) | EncoderState::Opus(_) => true,
        };
        if !is_length_fine || !(1..=max_frames(self.codec)).contains(&pcm.len()) {
            return Err(EncodeError::Length { frames: pcm.len() });
        }
        match &mut self.state {
            EncoderState::G711(law) => {
                let out = out.get_mut(..pcm.len()).ok_or(EncodeError::NoRoom { needed: pcm.len() })?;
                for (character, &sample) in out.iter_mut().zip(pcm) {
                    *character = law.encode(sample);
                }
                Ok(pcm.len())
            }
            EncoderState::G722(encoder) => {
                let needed = pcm.len() / 2;
                let out = out.get_mut(..needed).ok_or(EncodeError::NoRoom { needed })?;
                encoder.encode_into(pcm, out).map_err(|_| EncodeError::Refused)
            }
            EncoderState::Opus(encoder) => encoder.encode(pcm, out),
        }
    }
}

const fn max_frames(codec: Codec) -> usize {
    codec.sample_rate().frames_in_ms(MAX_PACKET_MS)
}

/// The library behind a codec would not start. Nothing else will help: the call needs another codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unavailable(pub Codec);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "codec {} cannot be started", self.0)
    }
}

impl std::error::Error for Unavailable {}

/// Why a payload made no samples. The packet counts as lost; the next one may be fine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// There is no payload.
    Empty,
    /// It holds more than [`MAX_PACKET_MS`].
    TooLong,
    /// The caller's buffer is shorter than the packet.
    NoRoom {
        /// Samples that the packet holds.
        needed: usize,
    },
    /// An Opus packet whose frames do not fit into it.
    Packing(PackingError),
    /// The codec gave up on what is inside.
    Contents,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("payload is empty"),
            Self::TooLong => write!(f, "payload holds more than {MAX_PACKET_MS} ms"),
            Self::NoRoom { needed } => write!(f, "payload needs room for {needed} samples"),
            Self::Packing(broken) => write!(f, "payload {broken}"),
            Self::Contents => f.write_str("payload cannot be decoded"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Why samples made no payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The codec takes no packet of this many samples.
    Length {
        /// Samples that were given.
        frames: usize,
    },
    /// The caller's buffer is shorter than the payload.
    NoRoom {
        /// Bytes that the payload takes.
        needed: usize,
    },
    /// The codec gave up: the buffer is too small for it, as a rule.
    Refused,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { frames } => write!(f, "no packet can be made of {frames} samples"),
            Self::NoRoom { needed } => write!(f, "payload needs room for {needed} bytes"),
            Self::Refused => f.write_str("the codec made no payload of the samples"),
        }
    }
}

impl std::error::Error for EncodeError {}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("codec", &self.codec).finish_non_exhaustive()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("codec", &self.codec).finish_non_exhaustive()
    }
}
