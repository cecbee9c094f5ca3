//! Answers to the peer's offers.

use super::super::crypto::Crypto;
use super::super::description::{Description, Direction, Media};
use super::super::format::{Content, Format};
use super::{Encryption, Keys, Negotiator, Refusal, Stream};
use std::net::IpAddr;

impl Negotiator {
    /// Answers `offer`. `want` is the direction that we would have; the offer may leave less of it. `signalling`
    /// is where the offer came from.
    ///
    /// # Errors
    /// [`Refusal`], for a 488. What held before still holds.
    pub fn answer(
        &mut self,
        offer: &Description,
        want: Direction,
        signalling: IpAddr,
    ) -> Result<(Description, Stream), Refusal> {
        let mut refusal = Refusal::NoAudio;
        let mut found = None;
        for (i, media) in offer.media.iter().enumerate() {
            match self.answer_line(offer, media, want, signalling) {
                Ok(answered) => {
                    found = Some((i, answered));
                    break;
                }
                // The reason that says most: of a second-best line rather than of a video line.
                Err(Refusal::NoAudio) => {}
                Err(why) => refusal = why,
            }
        }
        let (position, (answered, stream)) = found.ok_or(refusal)?;
        let mut media: Vec<_> = offer.media.iter().map(Media::rejected).collect();
        if let Some(line) = media.get_mut(position) {
            *line = answered;
        }
        let description = self.describe(media);
        self.pending = None;
        self.previous = self.stream.replace(stream.clone());
        Ok((description, stream))
    }

    /// The answer to an `offer` that leads to no media, where nothing else can refuse it.
    pub fn decline(&mut self, offer: &Description) -> Description {
        let media = offer.media.iter().map(Media::rejected).collect();
        self.describe(media)
    }

    fn answer_line(
        &self,
        offer: &Description,
        theirs: &Media,
        want: Direction,
        signalling: IpAddr,
    ) -> Result<(Media, Stream), Refusal> {
        if !theirs.kind.eq_ignore_ascii_case("audio") || theirs.port.is_none_or(|port| port == 0) {
            return Err(Refusal::NoAudio);
        }
        let keys = self.answer_keys(theirs)?;
        let formats = self.chosen(theirs)?;
        let direction = want.and(offer.direction_of(theirs).reversed());
        let mut stream = Stream::build(offer, theirs, &formats, direction, self.local.ptime_ms, signalling)?;
        let mut line = self.audio(&formats, stream.direction);
        line.protocol.clone_from(&theirs.protocol);
        line.ptime_ms = Some(stream.ptime_ms);
        line.rtcp_mux = theirs.rtcp_mux;
        line.crypto = keys.iter().map(|k| k.ours.clone()).collect();
        stream.keys = keys;
        Ok((line, stream))
    }

    /// One codec, the first of the offer that we have, with its events and comfort noise, under the offer's
    /// numbers. Answering with several makes some peers send a second offer to settle on one.
    fn chosen(&self, theirs: &Media) -> Result<Vec<Format>, Refusal> {
        let offered = Format::of(theirs);
        let ours =
            |f: &&Format| matches!(f.content, Content::Voice(codec) if self.local.codecs.contains(&codec));
        let voice = *offered.iter().find(ours).ok_or(Refusal::NoCodec)?;
        let Content::Voice(codec) = voice.content else { return Err(Refusal::NoCodec) };
        let clock_hz = codec.rtp_clock().hz();
        let mut formats = vec![voice];
        if self.local.comfort_noise && clock_hz == 8000 {
            formats.extend(offered.iter().find(|f| f.content == Content::ComfortNoise));
        }
        let mut events: Vec<_> = offered.iter().filter(|f| matches!(f.content, Content::Events(_))).collect();
        events.sort_by_key(|f| f.content != Content::Events(clock_hz));
        formats.extend(events.first().copied());
        Ok(formats)
    }

    fn answer_keys(&self, theirs: &Media) -> Result<Option<Keys>, Refusal> {
        let protocol = theirs.protocol.to_ascii_uppercase();
        let secure = match protocol.as_str() {
            // A line without a protocol is taken for the usual one.
            "RTP/AVP" | "RTP/AVPF" | "" => false,
            "RTP/SAVP" | "RTP/SAVPF" => true,
            _ => return Err(Refusal::NoAudio),
        };
        match (secure, self.local.encryption) {
            (false, Encryption::Require) | (true, Encryption::Off) => Err(Refusal::Encryption),
            (false, _) => Ok(None),
            (true, _) => {
                let pair = |theirs: &Crypto| {
                    let ours = self.our_key(theirs.tag, theirs.suite)?;
                    Some(Keys { ours, theirs: theirs.clone() })
                };
                theirs.crypto.iter().find_map(pair).map(Some).ok_or(Refusal::Encryption)
            }
        }
    }
}
