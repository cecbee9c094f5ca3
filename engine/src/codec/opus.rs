//! Real-time: after construction no allocation, no lock, no syscall, no panic, no log.
//!
//! Opus at 48 kHz mono, over a codec written by others: packets are checked against RFC 6716 before it sees
//! them, and should it panic all the same, that ends one packet instead of the thread that serves every call.

use super::opus_packet::{MAX_FRAMES, OpusPacket};
use super::{DecodeError, EncodeError, Unavailable};
use offhook_units::Codec;
use opus_rs::{Application, OpusDecoder, OpusEncoder};
use std::panic::{AssertUnwindSafe, catch_unwind};

const RATE_HZ: i32 = 48_000;
/// 2.5 ms, the grain of concealment.
const GRAIN: usize = 120;
/// Full-band speech with the copy for FEC in it (RFC 6716 2.1.1: 28 to 40 kbit/s).
const BITRATE_BPS: i32 = 40_000;
/// Of 10. From 2 on, narrow-band PESQ of speech at this rate stays at 4.0 (below: 3.4); 5 costs a fifth more.
const COMPLEXITY: i32 = 2;
/// The loss that the encoder prepares for. Just enough for in-band FEC at full band: above 5 the encoder may
/// trade bandwidth for it, and opus-rs 0.1.40 then divides by zero (it stays in hybrid mode at wide band).
const EXPECTED_LOSS_PERCENT: i32 = 5;

pub(super) struct Decoder {
    inner: Box<OpusDecoder>,
    /// The codec speaks ±1.0.
    pcm: Box<[f32; MAX_FRAMES]>,
    has_heard: bool,
}

impl Decoder {
    // Apart, as is `reset`: the codec's state is made on the stack, 350 KiB at a time, and a function into which that is
    // inlined takes as much of it for every other codec and in every call.
    // start-up: a call's codecs are made before the call.
    #[inline(never)]
    pub(super) fn new() -> Result<Self, Unavailable> {
        let inner = OpusDecoder::new(RATE_HZ, 1).map_err(|_| Unavailable(Codec::Opus))?;
        Ok(Self { inner: Box::new(inner), pcm: Box::new([0.0; MAX_FRAMES]), has_heard: false })
    }

    pub(super) fn frames_in(payload: &[u8]) -> Option<usize> {
        OpusPacket::parse(payload).ok().map(|packet| packet.frames())
    }

    pub(super) fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, DecodeError> {
        let packet = OpusPacket::parse(payload).map_err(DecodeError::Packing)?;
        let frames = packet.frames();
        let out = out.get_mut(..frames).ok_or(DecodeError::NoRoom { needed: frames })?;
        // A packet without a byte of audio stands for a pause in sending (RFC 6716 2.1.9).
        let is_audio = !packet.is_empty;
        let payload = if is_audio { payload } else { &[] };
        self.run(out, |inner, pcm| inner.decode(payload, frames, pcm))?;
        self.has_heard |= is_audio;
        Ok(frames)
    }

    pub(super) fn conceal(&mut self, out: &mut [i16]) -> Option<usize> {
        let frames = self.gap(out.len())?;
        let out = out.get_mut(..frames)?;
        self.run(out, |inner, pcm| inner.decode(&[], frames, pcm)).ok()
    }

    pub(super) fn recover(&mut self, next_payload: &[u8], out: &mut [i16]) -> Option<usize> {
        let next = OpusPacket::parse(next_payload).ok()?;
        let frames = self.gap(out.len())?;
        if !next.has_fec() || frames < next.frame() {
            return None;
        }
        let out = out.get_mut(..frames)?;
        self.run(out, |inner, pcm| inner.decode_fec(next_payload, frames, pcm)).ok()
    }

    #[inline(never)]
    pub(super) fn reset(&mut self) {
        // In place: without its `heap` feature the codec's state is one plain struct.
        if let Ok(fresh) = OpusDecoder::new(RATE_HZ, 1) {
            *self.inner = fresh;
        }
        self.has_heard = false;
    }

    /// How much of a gap of `len` samples can be filled; `None` before anything was heard.
    fn gap(&self, len: usize) -> Option<usize> {
        let frames = len.min(MAX_FRAMES) / GRAIN * GRAIN;
        (self.has_heard && frames > 0).then_some(frames)
    }

    /// Has the codec write as many samples as `out` takes.
    fn run(
        &mut self,
        out: &mut [i16],
        work: impl FnOnce(&mut OpusDecoder, &mut [f32]) -> Result<usize, &'static str>,
    ) -> Result<usize, DecodeError> {
        let pcm = self.pcm.get_mut(..out.len()).ok_or(DecodeError::TooLong)?;
        let inner = &mut *self.inner;
        match catch_unwind(AssertUnwindSafe(|| work(inner, pcm))) {
            Ok(Ok(frames)) if frames == out.len() => {}
            Ok(_) => return Err(DecodeError::Contents),
            Err(_) => {
                self.reset(); // its state may be half-written
                return Err(DecodeError::Contents);
            }
        }
        for (sample, level) in out.iter_mut().zip(&*self.pcm) {
            *sample = (level * 32_768.0).round() as i16; // saturates; not a number becomes 0
        }
        Ok(out.len())
    }
}

pub(super) struct Encoder {
    inner: Box<OpusEncoder>,
}

impl Encoder {
    // start-up: a call's codecs are made before the call.
    #[inline(never)]
    pub(super) fn new() -> Result<Self, Unavailable> {
        let mut inner =
            OpusEncoder::new(RATE_HZ, 1, Application::Voip).map_err(|_| Unavailable(Codec::Opus))?;
        inner.bitrate_bps = BITRATE_BPS;
        inner.complexity = COMPLEXITY;
        // A length that follows the speech tells it through the encryption (RFC 6562), and opus-rs overshoots
        // a variable rate by a third.
        inner.use_cbr = true;
        inner.use_inband_fec = true;
        inner.packet_loss_perc = EXPECTED_LOSS_PERCENT;
        Ok(Self { inner: Box::new(inner) })
    }

    pub(super) fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, EncodeError> {
        if !matches!(pcm.len(), 480 | 960 | 1920 | 2880) {
            return Err(EncodeError::Length { frames: pcm.len() });
        }
        let inner = &mut *self.inner;
        catch_unwind(AssertUnwindSafe(|| inner.encode_i16(pcm, pcm.len(), out)))
            .ok()
            .and_then(Result::ok)
            .ok_or(EncodeError::Refused)
    }
}
