//! The send side of one call leg: what the encoder made, keys and comfort noise become one RTP stream.
//!
//! [`RtpSender::tick`] is called once per packet interval, whether there is something to send or not: the media
//! clock runs on in silence, as RFC 3550 5.1 asks.

use super::{
    dtmf::{Digit, DtmfSender, QueueFull, Volume},
    noise::ComfortNoise,
    packet::PacketHeader,
    random::Random,
    srtp::{SrtpError, SrtpSender},
};
use offhook_units::{Frames, PayloadType, RtpTime, SampleRate, SeqNo, Ssrc};
use std::fmt;

/// Payload types and rates to send with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendFormat {
    /// The voice's payload type.
    pub voice: PayloadType,
    /// The clock of the stream's timestamps.
    pub clock: SampleRate,
    /// Payload type and clock of telephone events, if the peer takes them.
    pub events: Option<(PayloadType, SampleRate)>,
    /// Payload type of comfort noise, if the peer takes it.
    pub noise: Option<PayloadType>,
}

/// What there is to send in a packet interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outgoing<'a> {
    /// Coded voice.
    Voice(&'a [u8]),
    /// A pause, with this much noise in it, in decibels below overload.
    Noise(u8),
    /// Nothing at all, for instance while we hold the call.
    Nothing,
}

/// A packet that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Bytes in the buffer, to be sent as they are.
    pub length: usize,
    /// Its media time, for RTCP.
    pub time: RtpTime,
    /// Bytes of payload, for RTCP.
    pub payload_bytes: usize,
}

/// Why there is nothing to send although there should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The buffer is too short.
    NoRoom,
    /// SRTP refused.
    Secrecy(SrtpError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom => f.write_str("the buffer is too short for the packet"),
            Self::Secrecy(error) => write!(f, "SRTP: {error}"),
        }
    }
}

impl std::error::Error for SendError {}

/// Keys cannot be sent as events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefused {
    /// Telephone events were not negotiated: send SIP INFO.
    NotNegotiated,
    /// Too many wait.
    QueueFull(QueueFull),
}

/// Telephone events: their payload type, the sender, and its own media clock.
#[derive(Debug)]
struct Events {
    payload_type: PayloadType,
    clock: SampleRate,
    sender: DtmfSender,
    /// Media time on the events' clock.
    time: RtpTime,
    /// Part of a frame that the last conversion of rates left over, in voice clock units.
    remainder: u64,
}

/// Noise that was announced.
#[derive(Clone, Copy, Debug)]
struct Announced {
    level: u8,
    intervals: u16,
}

/// Numbers and writes the packets of one stream.
#[derive(Debug)]
pub struct RtpSender {
    format: SendFormat,
    random: Random,
    ssrc: Ssrc,
    seq: SeqNo,
    time: RtpTime,
    events: Option<Events>,
    noise: Option<Announced>,
    /// The next voice packet begins a talk spurt.
    spurt: bool,
    srtp: Option<SrtpSender>,
}

impl RtpSender {
    /// How long a key is sent, and the pause behind it, in milliseconds: what telephones do.
    const KEY_MS: u32 = 100;
    /// In a pause, noise is announced again after so many intervals: every second at 20 ms. RFC 3389 section 4
    /// leaves it to the sender; a lost packet must not mean a dead line.
    const NOISE_INTERVALS: u16 = 50;
    /// And when its level moved by more than this.
    const NOISE_STEP_DB: u8 = 3;

    /// A stream with the numbers that `seed` gives, protected if there is a key.
    pub fn new(format: SendFormat, seed: u64, srtp: Option<SrtpSender>) -> Self {
        let mut sender = Self {
            format,
            random: Random::new(seed),
            ssrc: Ssrc(0),
            seq: SeqNo(0),
            time: RtpTime(0),
            events: None,
            noise: None,
            spurt: true,
            srtp,
        };
        sender.change_ssrc();
        sender.set_format(format);
        sender
    }

    /// The SSRC that the stream has now.
    pub const fn ssrc(&self) -> Ssrc {
        self.ssrc
    }

    /// Goes on as another source, after a clash (RFC 3550 8.2); returns the new SSRC.
    pub fn change_ssrc(&mut self) -> Ssrc {
        let bits = self.random.bits();
        let before = self.ssrc;
        // Zero is legal, but some receivers take it for "none".
        self.ssrc = Ssrc(((bits >> 32) as u32).max(1));
        if self.ssrc == before {
            self.ssrc = Ssrc(before.0 ^ 1 | 2);
        }
        // RFC 3711 3.3.1: below 2^15, so that a lost first packet cannot put the receiver's round wrong.
        self.seq = SeqNo(bits as u16 & 0x7FFF);
        self.time = RtpTime(self.random.bits() as u32);
        self.spurt = true;
        self.ssrc
    }

    /// Sends in another format from the next packet on. Keys that wait are kept while events stay the same.
    /// Another clock is another source (RFC 7160): look at [`ssrc`](Self::ssrc) afterwards.
    pub fn set_format(&mut self, format: SendFormat) {
        if format.clock != self.format.clock {
            self.change_ssrc();
        }
        let same = |events: &Events| format.events == Some((events.payload_type, events.clock));
        if !self.events.as_ref().is_some_and(same) {
            self.events = format.events.map(|(payload_type, clock)| Events {
                payload_type,
                clock,
                sender: DtmfSender::new(clock, Self::KEY_MS, Self::KEY_MS, Volume::USUAL),
                time: RtpTime(0),
                remainder: 0,
            });
        }
        self.spurt |= format.voice != self.format.voice;
        (self.format, self.noise) = (format, None);
    }

    /// Protects with another key from the next packet on.
    pub fn set_srtp(&mut self, srtp: Option<SrtpSender>) {
        self.srtp = srtp;
    }

    /// The key for RTCP, where the session is encrypted.
    pub fn srtp(&mut self) -> Option<&mut SrtpSender> {
        self.srtp.as_mut()
    }

    /// Sends a key once those before it are sent.
    ///
    /// # Errors
    /// [`KeyRefused`].
    pub fn push_key(&mut self, digit: Digit) -> Result<(), KeyRefused> {
        let events = self.events.as_mut().ok_or(KeyRefused::NotNegotiated)?;
        events.sender.push(digit).map_err(KeyRefused::QueueFull)
    }

    /// A key is being sent or waits: voice will not be heard.
    pub fn is_sending_keys(&self) -> bool {
        self.events.as_ref().is_some_and(|events| !events.sender.is_idle())
    }

    /// Writes the packet of an interval of `frames` (in the stream's clock), if it has one, into `out`.
    ///
    /// # Errors
    /// [`SendError`]; the interval is then lost, the clock runs on.
    pub fn tick(
        &mut self,
        what: Outgoing<'_>,
        frames: Frames,
        out: &mut [u8],
    ) -> Result<Option<Sent>, SendError> {
        let time = self.time;
        let sent = match self.event_packet(frames) {
            Some((header, payload)) => {
                // What follows the key is a talk spurt of its own.
                (self.spurt, self.noise) = (true, None);
                self.write(header, &payload, out).map(Some)
            }
            None => self.media_packet(what, out),
        };
        self.time = RtpTime(time.0.wrapping_add(frames.0));
        sent
    }

    /// The event packet of this interval. Its duration counts on the events' clock, its time on the stream's:
    /// they share one SSRC, and so one timeline, even where SDP gave them different rates.
    fn event_packet(&mut self, frames: Frames) -> Option<(PacketHeader, [u8; 4])> {
        let (voice_hz, time) = (u64::from(self.format.clock.hz()), self.time);
        let events = self.events.as_mut()?;
        let event_hz = u64::from(events.clock.hz());
        let scaled = u64::from(frames.0) * event_hz + events.remainder;
        events.remainder = scaled % voice_hz;
        let event_frames = Frames((scaled / voice_hz) as u32);
        let now = events.time;
        events.time = RtpTime(now.0.wrapping_add(event_frames.0));
        let packet = events.sender.tick(now, event_frames)?;
        // A segment of a long event may begin within this interval: its start is then ahead of now.
        let ago = i64::from(now.ahead_of(packet.time)) * voice_hz as i64 / event_hz as i64;
        let header = PacketHeader {
            seq: self.seq,
            time: RtpTime(time.0.wrapping_sub(ago as u32)),
            ssrc: self.ssrc,
            payload_type: events.payload_type,
            marker: packet.marker,
        };
        Some((header, packet.payload))
    }

    fn media_packet(&mut self, what: Outgoing<'_>, out: &mut [u8]) -> Result<Option<Sent>, SendError> {
        match what {
            Outgoing::Voice(payload) => {
                let spurt = std::mem::take(&mut self.spurt);
                let header = self.header(self.format.voice, spurt);
                self.noise = None;
                self.write(header, payload, out).map(Some)
            }
            Outgoing::Noise(level) => {
                self.spurt = true;
                let Some(payload_type) = self.format.noise.filter(|_| self.is_news(level)) else {
                    return Ok(None);
                };
                let header = self.header(payload_type, false);
                self.write(header, &ComfortNoise::white(level), out).map(Some)
            }
            Outgoing::Nothing => {
                (self.spurt, self.noise) = (true, None);
                Ok(None)
            }
        }
    }

    /// Whether a pause's noise is to be announced (again).
    fn is_news(&mut self, level: u8) -> bool {
        if let Some(noise) = &mut self.noise {
            noise.intervals += 1;
            if noise.intervals < Self::NOISE_INTERVALS && noise.level.abs_diff(level) < Self::NOISE_STEP_DB {
                return false;
            }
        }
        self.noise = Some(Announced { level, intervals: 0 });
        true
    }

    fn header(&self, payload_type: PayloadType, marker: bool) -> PacketHeader {
        PacketHeader { seq: self.seq, time: self.time, ssrc: self.ssrc, payload_type, marker }
    }

    fn write(&mut self, header: PacketHeader, payload: &[u8], out: &mut [u8]) -> Result<Sent, SendError> {
        let mut length = header.write(payload, out).map_err(|_| SendError::NoRoom)?;
        self.seq = SeqNo(self.seq.0.wrapping_add(1));
        if let Some(srtp) = &mut self.srtp {
            length = srtp.protect_rtp(out, length).map_err(|error| match error {
                SrtpError::NoRoom => SendError::NoRoom,
                other => SendError::Secrecy(other),
            })?;
        }
        Ok(Sent { length, time: header.time, payload_bytes: payload.len() })
    }
}

#[cfg(test)]
mod tests;
