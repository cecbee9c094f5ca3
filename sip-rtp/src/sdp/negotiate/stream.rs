//! What was agreed.

use super::super::crypto::Crypto;
use super::super::description::{Connection, Description, Direction, Media};
use super::super::format::{Content, Format};
use super::Refusal;
use crate::sip::host::is_private;
use crate::sip::words;
use offhook_units::{Codec, PayloadType};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The payload type of RFC 4733 events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Events {
    /// What to send them as.
    pub send: PayloadType,
    /// What they come as.
    pub receive: PayloadType,
    /// Their clock.
    pub clock_hz: u32,
}

/// Both keys of an encrypted stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// For what we send.
    pub ours: Crypto,
    /// For what we receive.
    pub theirs: Crypto,
}

/// Something about a description that explains bad or missing audio. To be said, not to be acted upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The SDP names a private address but the signalling came from a public one: a NAT that nobody told the
    /// peer about. Our media will only arrive if theirs comes first.
    PrivateAddress(IpAddr),
    /// The SDP names a host: media goes out once theirs shows where.
    UnresolvedName(String),
    /// The SDP wants media at an address that no single host has.
    NotUnicast(IpAddr),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PrivateAddress(ip) => {
                write!(f, "the private address {ip}, although it calls from a public one")
            }
            Self::UnresolvedName(name) => {
                write!(f, "the name {} instead of an address", words::plain(name, 64))
            }
            Self::NotUnicast(ip) => write!(f, "{ip}, which is no single host's address"),
        }
    }
}

/// The agreed audio stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Where our RTP goes; `None` until the peer's own shows it.
    pub remote: Option<SocketAddr>,
    /// Where our RTCP goes.
    pub remote_rtcp: Option<SocketAddr>,
    /// The codec to send.
    pub codec: Codec,
    /// What to send it as.
    pub send: PayloadType,
    /// All that may come.
    pub receive: Vec<(PayloadType, Codec)>,
    /// Telephone keys, if agreed.
    pub events: Option<Events>,
    /// Comfort noise, if agreed.
    pub comfort_noise: Option<PayloadType>,
    /// Which way media flows, seen from us.
    pub direction: Direction,
    /// The peer put the call on hold.
    pub held: bool,
    /// Milliseconds in each packet that we send.
    pub ptime_ms: u32,
    /// RTP and RTCP share one port.
    pub rtcp_mux: bool,
    /// Keys, if encrypted.
    pub keys: Option<Keys>,
    /// What to tell who looks for lost audio.
    pub findings: Vec<Finding>,
}

impl Stream {
    /// What `theirs` in `description` means for us. `ours` are the formats that we announced or will, by the
    /// same numbers that the peer must use towards us.
    pub(super) fn build(
        description: &Description,
        theirs: &Media,
        ours: &[Format],
        direction: Direction,
        default_ptime_ms: u32,
        signalling: IpAddr,
    ) -> Result<Self, Refusal> {
        let formats = Format::of(theirs);
        let voice = |f: &Format| match f.content {
            Content::Voice(codec) => Some((f.payload_type, codec)),
            _ => None,
        };
        let receive: Vec<_> = ours.iter().filter_map(voice).collect();
        let mut candidates = formats.iter().filter_map(voice);
        let (send, codec) =
            candidates.find(|(_, codec)| receive.iter().any(|(_, c)| c == codec)).ok_or(Refusal::NoCodec)?;
        let comfort_noise =
            both(&formats, ours, |f| f.content == Content::ComfortNoise).map(|(theirs, _)| theirs);
        let connection = description.connection_of(theirs);
        let hold = connection.is_some_and(Connection::is_hold);
        let mut stream = Self {
            remote: None,
            remote_rtcp: None,
            codec,
            send,
            receive,
            events: events(&formats, ours, codec),
            comfort_noise,
            direction: if hold { direction.and(Direction::RecvOnly) } else { direction },
            held: hold || !description.direction_of(theirs).receives(),
            ptime_ms: ptime(theirs, default_ptime_ms),
            rtcp_mux: theirs.rtcp_mux,
            keys: None,
            findings: Vec::new(),
        };
        stream.find_remote(connection, theirs, signalling)?;
        Ok(stream)
    }

    fn find_remote(
        &mut self,
        connection: Option<&Connection>,
        media: &Media,
        from: IpAddr,
    ) -> Result<(), Refusal> {
        let port = media.port.filter(|p| *p != 0).ok_or(Refusal::NoAudio)?;
        let addr = match connection {
            Some(Connection::Addr(addr)) if addr.is_unspecified() => return Ok(()),
            Some(Connection::Addr(addr)) if is_unicast(*addr) => *addr,
            Some(Connection::Addr(addr)) => {
                self.findings.push(Finding::NotUnicast(*addr));
                return Ok(());
            }
            Some(Connection::Name(name)) => {
                self.findings.push(Finding::UnresolvedName(name.clone()));
                return Ok(());
            }
            Some(Connection::Unreadable) => return Err(Refusal::Address),
            // No c= at all: where the signalling came from is the best guess.
            None => from,
        };
        if is_private(addr) && !is_private(from) {
            self.findings.push(Finding::PrivateAddress(addr));
        }
        self.remote = Some(SocketAddr::new(addr, port));
        self.remote_rtcp = match &media.rtcp {
            _ if self.rtcp_mux => self.remote,
            Some((port, Some(Connection::Addr(addr)))) => Some(SocketAddr::new(*addr, *port)),
            Some((port, _)) => Some(SocketAddr::new(addr, *port)),
            None => port.checked_add(1).map(|port| SocketAddr::new(addr, port)),
        };
        Ok(())
    }
}

/// The number of a content on both sides: theirs, ours.
fn both(
    theirs: &[Format],
    ours: &[Format],
    is: impl Fn(&Format) -> bool,
) -> Option<(PayloadType, PayloadType)> {
    let find = |formats: &[Format]| formats.iter().find(|f| is(f)).map(|f| f.payload_type);
    find(theirs).zip(find(ours))
}

/// Events at the codec's own clock if they are offered (RFC 4733 2.1), else at whatever clock both have.
fn events(theirs: &[Format], ours: &[Format], codec: Codec) -> Option<Events> {
    let clocks = theirs.iter().filter_map(|f| match f.content {
        Content::Events(clock_hz) => Some(clock_hz),
        _ => None,
    });
    let own = codec.rtp_clock().hz();
    let mut clocks: Vec<_> = clocks.collect();
    clocks.sort_by_key(|hz| *hz != own);
    clocks.into_iter().find_map(|clock_hz| {
        let (send, receive) = both(theirs, ours, |f| f.content == Content::Events(clock_hz))?;
        Some(Events { send, receive, clock_hz })
    })
}

/// How long a packet the peer wants: whole tens of milliseconds that a voice path can use, else our own.
fn ptime(media: &Media, default_ms: u32) -> u32 {
    let wanted = media.ptime_ms.filter(|ms| (10..=60).contains(ms) && ms % 10 == 0).unwrap_or(default_ms);
    match media.maxptime_ms {
        Some(max) if max >= 10 => wanted.min(max - max % 10),
        _ => wanted,
    }
}

fn is_unicast(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => !a.is_multicast() && !a.is_broadcast() && !a.is_unspecified(),
        IpAddr::V6(a) => !a.is_multicast() && !a.is_unspecified(),
    }
}
