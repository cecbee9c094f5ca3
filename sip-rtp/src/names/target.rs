//! What is looked for: the place that a URI names (RFC 3263 4).

use crate::sip::host::Host;
use crate::sip::transport::Transport;
use crate::sip::uri::SipUri;
use std::net::IpAddr;

/// Whom to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The name, or an address.
    pub host: String,
    /// The port, where one is given: then there is no SRV look-up.
    pub port: Option<u16>,
    /// The transport, where one is given: then there is no NAPTR look-up.
    pub transport: Option<Transport>,
    /// Only by TLS.
    pub secure: bool,
}

impl Target {
    /// The place that `uri` names.
    pub fn of(uri: &SipUri) -> Self {
        let host = match &uri.host {
            Host::Addr(addr) => addr.to_string(),
            Host::Name(name) => super::record::plain(name),
        };
        Self {
            host,
            port: uri.port.filter(|port| *port != 0),
            transport: uri.params.get("transport").and_then(Transport::from_param),
            secure: uri.secure,
        }
    }

    /// The address, where there is nothing to look up.
    pub(super) fn addr(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The transport that holds when nobody says another (RFC 3263 4.1).
    pub(super) fn usual(&self) -> Transport {
        match self.transport {
            // "sips" over a stream is TLS.
            Some(Transport::Tcp) | None if self.secure => Transport::Tls,
            Some(transport) => transport,
            None => Transport::Udp,
        }
    }
}

/// The port that holds when nobody says another (RFC 3261 19.1.2).
pub(super) const fn usual_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => 5060,
        Transport::Tls => 5061,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::uri::Uri;

    fn target(uri: &str) -> Target {
        Target::of(Uri::parse(uri).unwrap().sip().unwrap())
    }

    #[test]
    fn a_uri_says_what_is_to_be_looked_up() {
        let plain = target("sip:Trunk.Example");
        assert_eq!((plain.host.as_str(), plain.port, plain.transport), ("trunk.example", None, None));
        assert_eq!(plain.usual(), Transport::Udp);
        let given = target("sip:box@trunk.example:5070;transport=TCP");
        assert_eq!((given.port, given.usual()), (Some(5070), Transport::Tcp));
        assert_eq!(target("sips:trunk.example;transport=tcp").usual(), Transport::Tls);
        assert_eq!(target("sip:trunk.example;transport=sctp").transport, None);
        assert_eq!(target("sip:[2001:db8::1]").addr(), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(plain.addr(), None);
    }
}
