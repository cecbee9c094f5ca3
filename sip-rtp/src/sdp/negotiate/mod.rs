//! Offer and answer (RFC 3264), for the one audio stream of a call.
//!
//! A [`Negotiator`] lives as long as its call. Calling order: [`offer`](Negotiator::offer) then
//! [`accept`](Negotiator::accept) with the peer's answer, or [`answer`](Negotiator::answer) to the peer's offer;
//! again for every re-INVITE or UPDATE. What was agreed comes back as a [`Stream`].

mod answer;
mod offer;
mod stream;

pub use stream::{Events, Finding, Keys, Stream};

use super::crypto::Crypto;
use super::description::{Connection, Description, Direction, Media, Origin};
use super::format::Format;
use crate::media::srtp::Suite;
use crate::sip::ids::Ids;
use offhook_units::{Codec, Pii};
use std::fmt;
use std::net::IpAddr;

/// Whether media is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Never.
    #[default]
    Off,
    /// When the peer offers it; we offer plain RTP.
    Accept,
    /// Always.
    Require,
}

/// What we bring to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalMedia {
    /// Where we receive, as the peer sees it.
    pub addr: IpAddr,
    /// The RTP port. RTCP is on the next one unless both share this.
    pub port: u16,
    /// Codecs we offer and accept, best first.
    pub codecs: Vec<Codec>,
    /// Comfort noise (RFC 3389) may come and go.
    pub comfort_noise: bool,
    /// Milliseconds in a packet, when the peer does not ask for another length.
    pub ptime_ms: u32,
    /// SRTP by keys in SDP.
    pub encryption: Encryption,
}

/// Why an offer or answer leads to no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No audio line that we could use, or it has no port.
    NoAudio,
    /// No codec in common.
    NoCodec,
    /// Encryption is required and not offered, or the other way round.
    Encryption,
    /// The address for the media cannot be read.
    Address,
    /// The answer does not fit the offer, or there was no offer.
    OutOfStep,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAudio => "no usable audio line",
            Self::NoCodec => "no codec in common",
            Self::Encryption => "no agreement on encryption",
            Self::Address => "unreadable media address",
            Self::OutOfStep => "answer without a fitting offer",
        })
    }
}

impl std::error::Error for Refusal {}

/// One call's offer and answer state.
#[derive(Clone, Debug)]
pub struct Negotiator {
    local: LocalMedia,
    session: u64,
    version: u64,
    /// Our key of each suite: the same for the whole call, so that a re-INVITE does not change it.
    keys: Vec<(Suite, Pii<Vec<u8>>)>,
    /// The last description that we sent; sent again for a refresh.
    sent: Option<Description>,
    /// Our offer that waits for its answer.
    pending: Option<Description>,
    stream: Option<Stream>,
    /// What held before.
    previous: Option<Stream>,
}

impl Negotiator {
    /// Starts a call's negotiation.
    pub fn new(local: LocalMedia, ids: &mut Ids) -> Self {
        let keys = match local.encryption {
            Encryption::Off => Vec::new(),
            _ => Suite::ALL.map(|suite| (suite, Pii::new(ids.bytes(suite.key_and_salt_len())))).into(),
        };
        // 62 bits: some peers read these as signed 64-bit numbers (RFC 3264 5).
        let session = ids.below(1 << 62);
        Self {
            local,
            session,
            version: session,
            keys,
            sent: None,
            pending: None,
            stream: None,
            previous: None,
        }
    }

    /// What holds now.
    pub const fn stream(&self) -> Option<&Stream> {
        self.stream.as_ref()
    }

    /// What held before that.
    pub const fn previous(&self) -> Option<&Stream> {
        self.previous.as_ref()
    }

    /// The last description that we sent.
    pub const fn last_sent(&self) -> Option<&Description> {
        self.sent.as_ref()
    }

    /// Whether an offer of ours waits for its answer.
    pub const fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    /// Forgets an offer of ours that was refused: what held before goes on (RFC 3261 14.1).
    pub fn withdraw(&mut self) {
        self.pending = None;
    }

    /// Wraps media lines into a description, a new edition if anything changed (RFC 3264 8).
    fn describe(&mut self, media: Vec<Media>) -> Description {
        let origin = |version: u64| Origin {
            session: self.session.to_string(),
            version: version.to_string(),
            address: self.local.addr.to_string(),
        };
        let connection = Some(Connection::Addr(self.local.addr));
        let mut description =
            Description { origin: Some(origin(self.version)), connection, direction: None, media };
        if self.sent.as_ref().is_some_and(|sent| *sent != description) {
            self.version += 1;
            description.origin = Some(origin(self.version));
        }
        self.sent = Some(description.clone());
        description
    }

    /// Our audio line with these formats.
    fn audio(&self, formats: &[Format], direction: Direction) -> Media {
        Media {
            kind: "audio".into(),
            port: Some(self.local.port),
            protocol: "RTP/AVP".into(),
            formats: formats.iter().map(|f| f.payload_type.get().to_string()).collect(),
            direction: Some(direction),
            rtpmaps: formats.iter().map(|f| f.rtpmap()).collect(),
            fmtps: formats.iter().filter_map(|f| f.fmtp()).collect(),
            ptime_ms: Some(self.local.ptime_ms),
            ..Media::default()
        }
    }

    fn our_key(&self, tag: u32, suite: Suite) -> Option<Crypto> {
        let (_, key) = self.keys.iter().find(|(s, _)| *s == suite)?;
        Some(Crypto { tag, suite, key: key.clone() })
    }
}

#[cfg(test)]
mod tests;
