//! Payload types and what they stand for.

use super::description::{Media, RtpMap};
use offhook_units::{Codec, PayloadType};

/// The first dynamic payload type (RFC 3551 6). Below it the number alone says what it is.
const FIRST_DYNAMIC: u8 = 96;

/// What a payload type carries, as far as we care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Voice.
    Voice(Codec),
    /// RFC 4733 events at this clock.
    Events(u32),
    /// Comfort noise (RFC 3389); its clock is 8000 Hz.
    ComfortNoise,
}

/// A payload type that we understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The number on the wire.
    pub payload_type: PayloadType,
    /// What it carries.
    pub content: Content,
}

impl Format {
    /// Those of `media` that we understand, in its order.
    pub fn of(media: &Media) -> Vec<Self> {
        media.payload_types().into_iter().filter_map(|pt| Self::resolve(pt, media)).collect()
    }

    /// Static numbers need no `rtpmap` (many senders leave it out) and cannot be redefined by one.
    fn resolve(number: u8, media: &Media) -> Option<Self> {
        let payload_type = PayloadType::new(number).ok()?;
        let content = match payload_type {
            PayloadType::PCMU => Content::Voice(Codec::Pcmu),
            PayloadType::PCMA => Content::Voice(Codec::Pcma),
            PayloadType::G722 => Content::Voice(Codec::G722),
            PayloadType::COMFORT_NOISE => Content::ComfortNoise,
            _ if number < FIRST_DYNAMIC => return None,
            _ => {
                let map = media.rtpmaps.iter().find(|map| map.payload_type == number)?;
                Self::content_of(map)?
            }
        };
        Some(Self { payload_type, content })
    }

    fn content_of(map: &RtpMap) -> Option<Content> {
        if map.name.eq_ignore_ascii_case("telephone-event") {
            return Some(Content::Events(map.clock_hz));
        }
        if map.name.eq_ignore_ascii_case("CN") {
            return (map.clock_hz == 8000).then_some(Content::ComfortNoise);
        }
        let codec: Codec = map.name.parse().ok()?;
        // G.722 is written with its RTP clock, which is not its sample rate (RFC 3551 4.5.2); 16000 is a
        // mistake that is common enough to be understood.
        let clock_fits =
            map.clock_hz == codec.rtp_clock().hz() || (codec == Codec::G722 && map.clock_hz == 16_000);
        (clock_fits && map.channels.is_none_or(|n| n == 1 || codec == Codec::Opus))
            .then_some(Content::Voice(codec))
    }

    /// Its `rtpmap`.
    pub(crate) fn rtpmap(self) -> RtpMap {
        let (name, clock_hz, channels) = match self.content {
            // Opus always says two channels (RFC 7587 7).
            Content::Voice(Codec::Opus) => ("opus", 48_000, Some(2)),
            Content::Voice(codec) => (codec.name(), codec.rtp_clock().hz(), None),
            Content::Events(clock_hz) => ("telephone-event", clock_hz, None),
            Content::ComfortNoise => ("CN", 8000, None),
        };
        RtpMap { payload_type: self.payload_type.get(), name: name.to_owned(), clock_hz, channels }
    }

    /// Its `fmtp`, if it has one.
    pub(crate) fn fmtp(self) -> Option<(u8, String)> {
        let parameters = match self.content {
            // The sixteen keys of a telephone, and no flash.
            Content::Events(_) => "0-15",
            Content::Voice(Codec::Opus) => "minptime=10;useinbandfec=1",
            _ => return None,
        };
        Some((self.payload_type.get(), parameters.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Description;
    use super::*;

    fn formats(text: &str) -> Vec<(u8, Content)> {
        let d = Description::parse(text.as_bytes()).unwrap();
        Format::of(&d.media[0]).into_iter().map(|f| (f.payload_type.get(), f.content)).collect()
    }

    #[test]
    fn static_numbers_need_no_map_and_ignore_a_wrong_one() {
        let found = formats("m=audio 1 RTP/AVP 0 8 9 13 18\na=rtpmap:0 PCMA/8000\n");
        assert_eq!(
            found,
            [
                (0, Content::Voice(Codec::Pcmu)),
                (8, Content::Voice(Codec::Pcma)),
                (9, Content::Voice(Codec::G722)),
                (13, Content::ComfortNoise)
            ]
        );
    }

    #[test]
    fn dynamic_numbers_mean_what_their_map_says() {
        let found = formats(
            "m=audio 1 RTP/AVP 96 97 98 99 100 102\na=rtpmap:96 OPUS/48000/2\na=rtpmap:97 PCMU/8000/1\n\
             a=rtpmap:98 telephone-event/48000\na=rtpmap:99 FOO/8000\na=rtpmap:100 opus/0\na=rtpmap:102 G722/16000\n",
        );
        assert_eq!(
            found,
            [
                (96, Content::Voice(Codec::Opus)),
                (97, Content::Voice(Codec::Pcmu)),
                (98, Content::Events(48_000)),
                (102, Content::Voice(Codec::G722))
            ]
        );
    }

    #[test]
    fn a_clock_that_does_not_fit_is_another_codec() {
        assert_eq!(formats("m=audio 1 RTP/AVP 96\na=rtpmap:96 PCMU/16000\n"), []);
        assert_eq!(formats("m=audio 1 RTP/AVP 96\na=rtpmap:96 PCMA/8000/2\n"), []);
    }
}
