//! Hosts as SIP writes them: a name, an IPv4 address, or an IPv6 address in brackets.

use super::text::{Scan, is_host};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where a URI or a Via points.
#[derive(Clone, Debug)]
pub enum Host {
    /// A name for DNS, as it was written; compared without case.
    Name(String),
    /// An address.
    Addr(IpAddr),
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::Addr(a), Self::Addr(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Host {}

impl Host {
    /// Reads a host from the front of `scan`.
    pub(crate) fn scan(scan: &mut Scan<'_>) -> Option<Self> {
        if scan.eat('[') {
            let inside = scan.until(']')?;
            // A zone ("%eth0") has no meaning beyond the sender's own machine.
            let inside = inside.split_once('%').map_or(inside, |(addr, _)| addr);
            return inside.parse::<Ipv6Addr>().ok().map(|a| Self::Addr(IpAddr::V6(a)));
        }
        let name = scan.take_while(is_host);
        if name.is_empty() || name.starts_with(['.', '-']) || name.contains("..") {
            return None;
        }
        if name.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return name.parse::<Ipv4Addr>().ok().map(|a| Self::Addr(IpAddr::V4(a)));
        }
        Some(Self::Name(name.to_owned()))
    }

    /// Reads `:port` from the front of `scan`, if it is there. `None` when it is there and is no port.
    pub(crate) fn scan_port(scan: &mut Scan<'_>) -> Option<Option<u16>> {
        if !scan.eat_spaced(':') {
            return Some(None);
        }
        scan.take_while(|b| b.is_ascii_digit()).parse().ok().map(Some)
    }

    /// The address, when it is one.
    pub fn addr(&self) -> Option<IpAddr> {
        match self {
            Self::Addr(addr) => Some(*addr),
            Self::Name(_) => None,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(addr: IpAddr) -> Self {
        Self::Addr(addr)
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Addr(IpAddr::V4(addr)) => write!(f, "{addr}"),
            Self::Addr(IpAddr::V6(addr)) => write!(f, "[{addr}]"),
        }
    }
}

/// Whether a peer on the open internet could not send to `addr`: what a NAT leaves in headers and SDP.
pub fn is_private(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(a) => {
            let [x, y, ..] = a.octets();
            // RFC 6598: 100.64.0.0/10, between a carrier's NAT and its customers.
            a.is_private() || a.is_loopback() || a.is_link_local() || (x == 100 && (64..128).contains(&y))
        }
        // RFC 4193 fc00::/7 and RFC 4291 fe80::/10.
        IpAddr::V6(a) => {
            let first = a.segments()[0];
            a.is_loopback() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80
        }
    }
}

/// `addr` with an IPv4 address that a dual-stack socket wrapped in IPv6 unwrapped.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Option<Host> {
        let mut scan = Scan::new(text);
        Host::scan(&mut scan).filter(|_| scan.is_empty())
    }

    #[test]
    fn names_and_addresses_are_told_apart_and_written_back() {
        for text in ["example.com", "a_b.lan", "192.0.2.1", "[2001:db8::1]", "x1"] {
            assert_eq!(host(text).map(|h| h.to_string()).as_deref(), Some(text));
        }
        assert_eq!(host("[fe80::1%eth0]").map(|h| h.to_string()).as_deref(), Some("[fe80::1]"));
        assert_eq!(host("EXAMPLE.com"), host("example.COM"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", ".a", "-a", "a..b", "999.1.1.1", "1.2.3", "[::1", "[zz]", "a b"] {
            assert_eq!(host(text), None, "{text:?}");
        }
    }

    #[test]
    fn private_ranges_are_known() {
        for text in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "::1",
            "fd00::1",
            "fe80::1",
        ] {
            assert!(is_private(text.parse().unwrap()), "{text}");
        }
        for text in ["8.8.8.8", "100.128.0.1", "172.32.0.1", "2001:db8::1"] {
            assert!(!is_private(text.parse().unwrap()), "{text}");
        }
    }
}
