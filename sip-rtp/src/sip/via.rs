//! Via: where the answer goes, and the name of the transaction (RFC 3261 18.2, 20.42, RFC 3581).

use super::host::{self, Host};
use super::param::Params;
use super::text::{self, Scan};
use super::transport::Transport;
use std::fmt;
use std::net::SocketAddr;

/// What begins a branch that is unique by itself (RFC 3261 8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One Via value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// The transport's name as it came: any token, as proxies before us may use what we have never heard of.
    pub transport: String,
    /// `sent-by`: the host.
    pub host: Host,
    /// `sent-by`: the port, if written.
    pub port: Option<u16>,
    /// branch, rport, received and others.
    pub params: Params,
}

impl Via {
    /// Our own Via for a request over `transport` from `local`.
    pub fn new(transport: Transport, local: SocketAddr, branch: &str) -> Self {
        let mut params = Params::default();
        params.set("branch", Some(branch.to_owned()));
        // RFC 3581: ask for the answer at the port that the request came from, through whatever NAT.
        params.set("rport", None);
        let local = host::canonical(local);
        Self {
            transport: transport.name().to_owned(),
            host: local.ip().into(),
            port: Some(local.port()),
            params,
        }
    }

    /// Reads one value; all of `text` must belong to it. The version of the protocol is checked too.
    pub fn parse(text: &str) -> Option<Self> {
        let mut scan = Scan::new(text);
        scan.space();
        let protocol = scan.token()?;
        let slash = scan.eat_spaced('/');
        let version = scan.token()?;
        if !(slash && protocol.eq_ignore_ascii_case("SIP") && version == "2.0" && scan.eat_spaced('/')) {
            return None;
        }
        let transport = scan.token()?.to_owned();
        let gap = scan.rest().len();
        scan.space();
        if scan.rest().len() == gap {
            return None;
        }
        let host = Host::scan(&mut scan)?;
        let port = Host::scan_port(&mut scan)?;
        let params = Params::scan_header(&mut scan)?;
        scan.space();
        scan.is_empty().then_some(Self { transport, host, port, params })
    }

    /// The first value of a header line that may hold several.
    pub(crate) fn parse_first(line: &str) -> Option<Self> {
        text::split_list(line).next().and_then(Self::parse)
    }

    /// The branch, when it names a transaction by itself: the cookie and something behind it.
    pub fn unique_branch(&self) -> Option<&str> {
        let branch = self.params.get("branch")?;
        let cookie = branch.get(..MAGIC_COOKIE.len())?;
        (cookie.eq_ignore_ascii_case(MAGIC_COOKIE) && branch.len() > MAGIC_COOKIE.len()).then_some(branch)
    }

    /// Notes where the request really came from (RFC 3261 18.2.1, RFC 3581 4).
    pub fn mark_received(&mut self, from: SocketAddr) {
        let from = host::canonical(from);
        let asked = self.params.has("rport");
        if asked {
            self.params.set("rport", Some(from.port().to_string()));
        }
        if asked || self.host != Host::Addr(from.ip()) {
            self.params.set("received", Some(from.ip().to_string()));
        } else {
            self.params.remove("received");
        }
    }

    /// Where the answer goes over an unreliable transport (RFC 3261 18.2.2, RFC 3581 4), given where the
    /// request came from. `maddr` is not followed: it would let a stranger point our answers at a third party.
    pub fn reply_to(&self, from: SocketAddr) -> SocketAddr {
        let port = if self.params.has("rport") {
            from.port()
        } else {
            self.port.filter(|p| *p != 0).unwrap_or(5060)
        };
        SocketAddr::new(from.ip(), port)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_taken_where_the_grammar_has_it() {
        let via = Via::parse("SIP  /   2.0 /UDP   192.0.2.2 : 5070 ; branch = z9hG4bK30239").unwrap();
        assert_eq!(via.to_string(), "SIP/2.0/UDP 192.0.2.2:5070;branch=z9hG4bK30239");
        assert_eq!(via.unique_branch(), Some("z9hG4bK30239"));
    }

    #[test]
    fn malformed_ones_are_refused() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/7.0/UDP a",
            "SIP/2.0 a",
            "HTTP/2.0/UDP a",
            "SIP/2.0/UDP 192.0.2.15;;",
            "SIP/2.0/UDP a:99999",
            "SIP/2.0/UDP a b",
        ] {
            assert_eq!(Via::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_bare_cookie_is_not_unique() {
        assert_eq!(Via::parse("SIP/2.0/UDP a;branch=z9hG4bK").unwrap().unique_branch(), None);
        assert_eq!(Via::parse("SIP/2.0/UDP a;branch=390skdjuw").unwrap().unique_branch(), None);
        assert_eq!(Via::parse("SIP/2.0/UDP a").unwrap().unique_branch(), None);
    }

    #[test]
    fn answers_go_to_the_source_address_whatever_the_via_says() {
        let from: SocketAddr = "198.51.100.7:40000".parse().unwrap();
        let reply = |text: &str| {
            let mut via = Via::parse(text).unwrap();
            via.mark_received(from);
            (via.reply_to(from).to_string(), via.params.to_string())
        };
        assert_eq!(
            reply("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKx;rport"),
            ("198.51.100.7:40000".into(), ";branch=z9hG4bKx;rport=40000;received=198.51.100.7".into())
        );
        assert_eq!(
            reply("SIP/2.0/UDP pbx.lan;received=8.8.8.8"),
            ("198.51.100.7:5060".into(), ";received=198.51.100.7".into())
        );
        assert_eq!(reply("SIP/2.0/UDP 198.51.100.7:5070"), ("198.51.100.7:5070".into(), String::new()));
    }
}
