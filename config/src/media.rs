//! `[media]`: RTP.

use crate::Fault;
use crate::key::{Expects, Key};
use crate::reading::Reading;
use crate::text::Kind;
use offhook_units::{Codec, Span};
use std::net::IpAddr;
use std::ops::RangeInclusive;

const fn port(path: &'static str, default: i64) -> Key {
    Key::at_restart(path, Expects::Whole { unit: "a port", from: 1024, to: 65_535, default })
}

const fn seconds(path: &'static str, from: i64, default: i64) -> Key {
    Key::at_restart(path, Expects::Whole { unit: "whole seconds", from, to: 86_400, default })
}

static ADDRESS: Key = Key::at_restart("media.address", Expects::Text { kind: Kind::Address, default: "" });
pub(crate) static PORT_FIRST: Key = port("media.port_first", 40_000);
pub(crate) static PORT_LAST: Key = port("media.port_last", 40_999);
static CODECS: Key = Key::at_restart(
    "media.codecs",
    Expects::List { kind: Kind::Codec, default: &["PCMA", "PCMU", "G722", "opus"] },
);
static COMFORT_NOISE: Key = Key::at_restart("media.comfort_noise", Expects::Flag { default: true });
static SRTP: Key =
    Key::at_restart("media.srtp", Expects::Choice { of: &["off", "accept", "require"], default: "accept" });
static DSCP: Key =
    Key::at_restart("media.dscp", Expects::Whole { unit: "a code point", from: 0, to: 63, default: 46 });
static SOURCE: Key = Key::at_restart(
    "media.source",
    Expects::Choice { of: &["anywhere", "host", "exact"], default: "anywhere" },
);
static SYMMETRIC: Key = Key::at_restart("media.symmetric", Expects::Flag { default: true });
static RTP_TIMEOUT_S: Key = seconds("media.rtp_timeout_s", 5, 30);
static NOISE_TIMEOUT_S: Key = seconds("media.noise_timeout_s", 5, 120);
static HOLD_TIMEOUT_S: Key = seconds("media.hold_timeout_s", 0, 0);
static EXTENDED_REPORTS: Key = Key::at_restart("media.extended_reports", Expects::Flag { default: true });
static INBAND_KEYS: Key = Key::at_restart("media.inband_keys", Expects::Flag { default: true });

pub(crate) static KEYS: [&Key; 14] = [
    &ADDRESS,
    &PORT_FIRST,
    &PORT_LAST,
    &CODECS,
    &COMFORT_NOISE,
    &SRTP,
    &DSCP,
    &SOURCE,
    &SYMMETRIC,
    &RTP_TIMEOUT_S,
    &NOISE_TIMEOUT_S,
    &HOLD_TIMEOUT_S,
    &EXTENDED_REPORTS,
    &INBAND_KEYS,
];

/// Whether media is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Srtp {
    /// Never.
    Off,
    /// When the far end offers it.
    Accept,
    /// Always.
    Require,
}

/// From where a call's RTP is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From anywhere.
    Anywhere,
    /// From any port of the address in SDP.
    Host,
    /// From that address and port only.
    Exact,
}

/// RTP as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// The address of its sockets; `None`: that of the SIP socket.
    pub address: Option<IpAddr>,
    /// The ports, two to a call.
    pub ports: RangeInclusive<u16>,
    /// Codecs, best first.
    pub codecs: Vec<Codec>,
    /// Whether comfort noise may come and go.
    pub comfort_noise: bool,
    /// Encryption.
    pub srtp: Srtp,
    /// The mark on packets.
    pub dscp: u8,
    /// From where it is taken.
    pub source: Source,
    /// Whether we send to where it comes from.
    pub symmetric: bool,
    /// How long nothing may come after voice.
    pub rtp_timeout: Span,
    /// How long nothing may come after comfort noise.
    pub noise_timeout: Span,
    /// How long nothing may come on hold; `None`: for ever.
    pub hold_timeout: Option<Span>,
    /// Whether extended reports (RFC 3611) are sent.
    pub extended_reports: bool,
    /// Whether keys are listened for in the voice.
    pub inband_keys: bool,
}

/// The section as it was read, for so many calls. What it returns counts only where no problem was found.
pub(crate) fn read(reading: &mut Reading, calls: usize) -> Media {
    let (first, last): (u16, u16) = (reading.whole(&PORT_FIRST), reading.whole(&PORT_LAST));
    let room = pairs(first, last);
    if usize::from(room) < calls {
        // One of them was given: the defaults hold the most calls that there may be.
        let (this, other) = (reading.setting(&PORT_FIRST), reading.setting(&PORT_LAST));
        if this.sound && other.sound {
            reading.contradiction(&this, &other, Fault::TooFewPorts { calls: room, wanted: calls });
        }
    }
    let seconds = |reading: &Reading, key| Span::from_millis(reading.whole::<i64>(key) * 1000);
    let hold = seconds(reading, &HOLD_TIMEOUT_S);
    Media {
        address: reading.parsed(&ADDRESS),
        ports: first..=last,
        codecs: reading.list(&CODECS),
        comfort_noise: reading.flag(&COMFORT_NOISE),
        srtp: match reading.text(&SRTP).as_str() {
            "off" => Srtp::Off,
            "require" => Srtp::Require,
            _ => Srtp::Accept,
        },
        dscp: reading.whole(&DSCP),
        source: match reading.text(&SOURCE).as_str() {
            "host" => Source::Host,
            "exact" => Source::Exact,
            _ => Source::Anywhere,
        },
        symmetric: reading.flag(&SYMMETRIC),
        rtp_timeout: seconds(reading, &RTP_TIMEOUT_S),
        noise_timeout: seconds(reading, &NOISE_TIMEOUT_S),
        hold_timeout: (hold > Span::ZERO).then_some(hold),
        extended_reports: reading.flag(&EXTENDED_REPORTS),
        inband_keys: reading.flag(&INBAND_KEYS),
    }
}

/// Calls that fit: RTP takes an even port, RTCP the next one.
fn pairs(first: u16, last: u16) -> u16 {
    let (first, last) = (u32::from(first).next_multiple_of(2), u32::from(last) + 1);
    (last.saturating_sub(first) / 2) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_takes_an_even_port_and_the_next() {
        assert_eq!(pairs(40_000, 40_999), 500);
        assert_eq!(pairs(40_001, 40_003), 1);
        assert_eq!(pairs(40_000, 40_000), 0);
        assert_eq!(pairs(5_000, 4_000), 0);
        assert_eq!(pairs(65_534, 65_535), 1);
        assert_eq!(pairs(65_535, 65_535), 0);
    }
}
