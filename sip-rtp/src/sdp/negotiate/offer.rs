//! Offers, and the answers to them.

use super::super::description::{Description, Direction, Media};
use super::super::format::{Content, Format};
use super::{Encryption, Keys, Negotiator, Refusal, Stream};
use crate::media::srtp::Suite;
use offhook_units::{Codec, PayloadType};
use std::net::IpAddr;

/// Our numbers of dynamic contents. Any would do; these are the ones that most peers use, which helps the
/// peers that wrongly take them for fixed.
const OPUS: u8 = 111;
const EVENTS_8000: u8 = 101;
const EVENTS_48000: u8 = 110;

impl Negotiator {
    /// Makes an offer: everything we have, or, once a codec is agreed, that codec (a peer that is on hold need
    /// not choose again). A peer's lines beside the audio one stay where they were, refused.
    pub fn offer(&mut self, direction: Direction) -> Description {
        let formats = self.offered_formats();
        let mut audio = self.audio(&formats, direction);
        audio.rtcp_mux = self.stream.as_ref().is_none_or(|s| s.rtcp_mux);
        if self.encrypts() {
            audio.protocol = "RTP/SAVP".into();
            let used = self.stream.as_ref().and_then(|s| s.keys.as_ref());
            audio.crypto = match used {
                Some(keys) => vec![keys.ours.clone()],
                None => (1..).zip(Suite::ALL).filter_map(|(tag, suite)| self.our_key(tag, suite)).collect(),
            };
        }
        let media = self.among_earlier_lines(audio);
        let description = self.describe(media);
        self.pending = Some(description.clone());
        description
    }

    /// The last description again, as an offer: what a refresh by re-INVITE sends.
    pub fn offer_again(&mut self) -> Description {
        match self.sent.clone() {
            Some(sent) => {
                self.pending = Some(sent.clone());
                sent
            }
            None => self.offer(Direction::SendRecv),
        }
    }

    /// Takes the answer to our offer. `signalling` is where it came from.
    ///
    /// # Errors
    /// [`Refusal`]: the call has no media. What held before still holds.
    pub fn accept(&mut self, answer: &Description, signalling: IpAddr) -> Result<Stream, Refusal> {
        let offer = self.pending.as_ref().ok_or(Refusal::OutOfStep)?;
        let position = offer.media.iter().position(|m| m.port.is_some_and(|p| p != 0));
        let (ours, theirs) =
            position.and_then(|i| offer.media.get(i).zip(answer.media.get(i))).ok_or(Refusal::OutOfStep)?;
        if theirs.port.is_none_or(|port| port == 0) || !theirs.kind.eq_ignore_ascii_case("audio") {
            return Err(Refusal::NoAudio);
        }
        let direction = offer.direction_of(ours).and(answer.direction_of(theirs).reversed());
        let formats = Format::of(ours);
        let mut stream = Stream::build(answer, theirs, &formats, direction, self.local.ptime_ms, signalling)?;
        stream.rtcp_mux &= ours.rtcp_mux;
        stream.keys = self.accepted_keys(ours, theirs)?;
        self.pending = None;
        self.previous = self.stream.replace(stream.clone());
        Ok(stream)
    }

    fn accepted_keys(&self, ours: &Media, theirs: &Media) -> Result<Option<Keys>, Refusal> {
        if ours.crypto.is_empty() {
            return Ok(None);
        }
        // The answer repeats the tag of what it chose (RFC 4568 5.1.3).
        let chosen = theirs.crypto.first().ok_or(Refusal::Encryption)?;
        let ours = ours.crypto.iter().find(|c| c.tag == chosen.tag && c.suite == chosen.suite);
        let ours = ours.ok_or(Refusal::Encryption)?;
        Ok(Some(Keys { ours: ours.clone(), theirs: chosen.clone() }))
    }

    fn encrypts(&self) -> bool {
        match &self.stream {
            Some(stream) => stream.keys.is_some(),
            None => self.local.encryption == Encryption::Require,
        }
    }

    fn offered_formats(&self) -> Vec<Format> {
        let agreed = self.stream.as_ref().map(|s| (s.codec, s.receive.clone(), s.events, s.comfort_noise));
        let format = |number: u8, content| {
            PayloadType::new(number).ok().map(|payload_type| Format { payload_type, content })
        };
        if let Some((codec, receive, events, noise)) = agreed {
            let voice = receive.into_iter().filter(|(_, c)| *c == codec);
            let mut formats: Vec<_> = voice
                .map(|(payload_type, codec)| Format { payload_type, content: Content::Voice(codec) })
                .collect();
            formats.extend(noise.map(|payload_type| Format { payload_type, content: Content::ComfortNoise }));
            formats.extend(
                events.map(|e| Format { payload_type: e.receive, content: Content::Events(e.clock_hz) }),
            );
            return formats;
        }
        let mut formats = Vec::with_capacity(8);
        for codec in &self.local.codecs {
            let number = match codec {
                Codec::Pcmu => PayloadType::PCMU.get(),
                Codec::Pcma => PayloadType::PCMA.get(),
                Codec::G722 => PayloadType::G722.get(),
                Codec::Opus => OPUS,
            };
            formats.extend(format(number, Content::Voice(*codec)));
        }
        if self.local.comfort_noise {
            formats.extend(format(PayloadType::COMFORT_NOISE.get(), Content::ComfortNoise));
        }
        formats.extend(format(EVENTS_8000, Content::Events(8000)));
        if self.local.codecs.contains(&Codec::Opus) {
            formats.extend(format(EVENTS_48000, Content::Events(48_000)));
        }
        formats
    }

    /// Lines are never removed from a session, only refused (RFC 3264 8).
    fn among_earlier_lines(&self, audio: Media) -> Vec<Media> {
        let Some(sent) = &self.sent else { return vec![audio] };
        let mut audio = Some(audio);
        let mut media = Vec::with_capacity(sent.media.len());
        for line in &sent.media {
            if line.port.is_some_and(|p| p != 0) {
                media.extend(audio.take());
            } else {
                media.push(line.rejected());
            }
        }
        media.extend(audio);
        media
    }
}
