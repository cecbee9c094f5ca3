//! A session description as a value (RFC 8866), with only what a voice call needs of it.

use super::crypto::Crypto;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Which way media flows, seen from the description's author.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// The author only sends.
    SendOnly,
    /// The author only receives.
    RecvOnly,
    /// Neither way.
    Inactive,
}

impl Direction {
    const NAMES: [(&'static str, Self); 4] = [
        ("sendrecv", Self::SendRecv),
        ("sendonly", Self::SendOnly),
        ("recvonly", Self::RecvOnly),
        ("inactive", Self::Inactive),
    ];

    /// From its two halves.
    pub const fn new(send: bool, receive: bool) -> Self {
        match (send, receive) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the author sends.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the author receives.
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same flow seen from the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// What is left when both must agree.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self::new(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// Its name in SDP.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, d)| *d == self).map_or("sendrecv", |(n, _)| n)
    }

    /// The one called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, d)| *d)
    }
}

/// Where media is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// At this address.
    Addr(IpAddr),
    /// At a name that would have to be resolved.
    Name(String),
    /// Something that is neither.
    Unreadable,
}

impl Connection {
    /// 0.0.0.0 or ::, how RFC 2543 put a call on hold.
    pub fn is_hold(&self) -> bool {
        matches!(self, Self::Addr(addr) if addr.is_unspecified())
    }
}

/// `o=`: who made this description, and which edition of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Session number. As text: there are ones of more than 64 bits.
    pub session: String,
    /// Edition.
    pub version: String,
    /// The author's address, as written.
    pub address: String,
}

/// `a=rtpmap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpMap {
    /// Payload type.
    pub payload_type: u8,
    /// Encoding name.
    pub name: String,
    /// Clock rate.
    pub clock_hz: u32,
    /// Channels, if written.
    pub channels: Option<u8>,
}

/// One `m=` line and what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `image` …
    pub kind: String,
    /// The port; 0 refuses the line; `None` when what stood there is no port.
    pub port: Option<u16>,
    /// `RTP/AVP` and the like.
    pub protocol: String,
    /// Payload types, or whatever the protocol has, as written.
    pub formats: Vec<String>,
    /// Its own `c=`.
    pub connection: Option<Connection>,
    /// Its own direction.
    pub direction: Option<Direction>,
    /// `a=rtpmap`.
    pub rtpmaps: Vec<RtpMap>,
    /// `a=fmtp`, by payload type.
    pub fmtps: Vec<(u8, String)>,
    /// `a=ptime`.
    pub ptime_ms: Option<u32>,
    /// `a=maxptime`.
    pub maxptime_ms: Option<u32>,
    /// `a=rtcp-mux`.
    pub rtcp_mux: bool,
    /// `a=rtcp`: port, and address if written.
    pub rtcp: Option<(u16, Option<Connection>)>,
    /// `a=crypto` lines that we can use.
    pub crypto: Vec<Crypto>,
}

impl Media {
    /// The answer to a line that is not wanted: the same with port 0 (RFC 3264 6).
    pub fn rejected(&self) -> Self {
        Self {
            kind: self.kind.clone(),
            port: Some(0),
            protocol: self.protocol.clone(),
            formats: self.formats.clone(),
            ..Self::default()
        }
    }

    /// The numbers among the formats that can be payload types, in order and once each.
    pub fn payload_types(&self) -> Vec<u8> {
        let mut types = Vec::with_capacity(self.formats.len());
        for value in self.formats.iter().filter_map(|f| f.parse().ok()).filter(|pt| *pt < 128) {
            if !types.contains(&value) {
                types.push(value);
            }
        }
        types
    }
}

/// A whole description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// `o=`, if there is one.
    pub origin: Option<Origin>,
    /// `c=` for all lines that have none.
    pub connection: Option<Connection>,
    /// Direction for all lines that have none.
    pub direction: Option<Direction>,
    /// The lines, in order.
    pub media: Vec<Media>,
}

impl Description {
    /// Where `media` is wanted.
    pub fn connection_of<'a>(&'a self, media: &'a Media) -> Option<&'a Connection> {
        media.connection.as_ref().or(self.connection.as_ref())
    }

    /// Which way `media` flows.
    pub fn direction_of(&self, media: &Media) -> Direction {
        media.direction.or(self.direction).unwrap_or_default()
    }

    /// The bytes to send.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v=0\r\n")?;
        if let Some(Origin { session, version, address }) = &self.origin {
            let family = if address.contains(':') { "IP6" } else { "IP4" };
            write!(f, "o=- {session} {version} IN {family} {address}\r\n")?;
        }
        f.write_str("s=-\r\n")?;
        write_connection(f, self.connection.as_ref())?;
        f.write_str("t=0 0\r\n")?;
        if let Some(direction) = self.direction {
            write!(f, "a={}\r\n", direction.name())?;
        }
        self.media.iter().try_for_each(|media| media.fmt(f))
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A line without port, protocol or formats would be malformed; the peer's own may have been.
        let protocol = if self.protocol.is_empty() { "RTP/AVP" } else { &self.protocol };
        write!(f, "m={} {} {protocol}", self.kind, self.port.unwrap_or(0))?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))?;
        f.write_str(if self.formats.is_empty() { " 0\r\n" } else { "\r\n" })?;
        write_connection(f, self.connection.as_ref())?;
        for RtpMap { payload_type, name, clock_hz, channels } in &self.rtpmaps {
            write!(f, "a=rtpmap:{payload_type} {name}/{clock_hz}")?;
            if let Some(channels) = channels {
                write!(f, "/{channels}")?;
            }
            f.write_str("\r\n")?;
        }
        for (payload_type, parameters) in &self.fmtps {
            write!(f, "a=fmtp:{payload_type} {parameters}\r\n")?;
        }
        if let Some(ms) = self.ptime_ms {
            write!(f, "a=ptime:{ms}\r\n")?;
        }
        if let Some(ms) = self.maxptime_ms {
            write!(f, "a=maxptime:{ms}\r\n")?;
        }
        if let Some((port, _)) = &self.rtcp {
            write!(f, "a=rtcp:{port}\r\n")?;
        }
        if self.rtcp_mux {
            f.write_str("a=rtcp-mux\r\n")?;
        }
        for crypto in &self.crypto {
            write!(f, "a=crypto:{crypto}\r\n")?;
        }
        match self.direction {
            Some(direction) => write!(f, "a={}\r\n", direction.name()),
            None => Ok(()),
        }
    }
}

fn write_connection(f: &mut fmt::Formatter<'_>, connection: Option<&Connection>) -> fmt::Result {
    match connection {
        Some(Connection::Addr(IpAddr::V4(addr))) => write!(f, "c=IN IP4 {addr}\r\n"),
        Some(Connection::Addr(IpAddr::V6(addr))) => write!(f, "c=IN IP6 {addr}\r\n"),
        Some(Connection::Name(name)) => write!(f, "c=IN IP4 {name}\r\n"),
        Some(Connection::Unreadable) => write!(f, "c=IN IP4 {}\r\n", Ipv4Addr::UNSPECIFIED),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_reverse_and_combine() {
        use Direction::{Inactive, RecvOnly, SendOnly, SendRecv};
        assert_eq!(
            [SendRecv, SendOnly, RecvOnly, Inactive].map(Direction::reversed),
            [SendRecv, RecvOnly, SendOnly, Inactive]
        );
        assert_eq!(SendOnly.and(RecvOnly), Inactive);
        assert_eq!(SendRecv.and(RecvOnly), RecvOnly);
        assert_eq!(Direction::from_name("SENDONLY"), Some(SendOnly));
    }

    #[test]
    fn payload_types_are_seven_bits_and_listed_once() {
        let media =
            Media { formats: ["0", "0", "200", "abc", "101"].map(String::from).into(), ..Media::default() };
        assert_eq!(media.payload_types(), [0, 101]);
    }
}
