//! Our own addresses, as they stand in Via and Contact.

use super::host::{self, Host};
use super::transport::{Peer, Transport};
use super::uri::SipUri;
use super::via::Via;
use std::net::SocketAddr;

/// Where we can be reached, by transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAddrs {
    /// The UDP port.
    pub udp: SocketAddr,
    /// The TCP listener, if there is one.
    pub tcp: Option<SocketAddr>,
    /// The TLS listener, if there is one.
    pub tls: Option<SocketAddr>,
}

impl LocalAddrs {
    /// The address for `transport`; where there is no listener, that of UDP, which is at least a true address.
    pub fn of(&self, transport: Transport) -> SocketAddr {
        let addr = match transport {
            Transport::Udp => None,
            Transport::Tcp => self.tcp,
            Transport::Tls => self.tls,
        };
        host::canonical(addr.unwrap_or(self.udp))
    }

    /// Our Via on the way to `peer`.
    pub fn via(&self, peer: Peer, branch: &str) -> Via {
        Via::new(peer.transport, self.of(peer.transport), branch)
    }

    /// Our Contact towards `peer`; `public` is how the peer sees us, where that is known to differ.
    pub fn contact(&self, user: Option<&str>, peer: Peer, public: Option<SocketAddr>) -> SipUri {
        let addr = public.unwrap_or_else(|| self.of(peer.transport));
        let mut uri = SipUri::new(user, Host::Addr(addr.ip()), Some(addr.port()));
        match peer.transport {
            Transport::Udp => {}
            // RFC 3261 26.2.2 deprecates "transport=tls", and it is what peers understand without "sips".
            other => uri.params.set("transport", Some(other.name().to_ascii_lowercase())),
        }
        uri
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_transport_has_its_own_contact() {
        let locals = LocalAddrs {
            udp: "192.0.2.1:5060".parse().unwrap(),
            tcp: Some("192.0.2.1:5062".parse().unwrap()),
            tls: None,
        };
        let to = |transport| Peer { transport, addr: "192.0.2.9:5060".parse().unwrap(), flow: None };
        let contact = |transport, public| locals.contact(Some("box"), to(transport), public).to_string();
        assert_eq!(contact(Transport::Udp, None), "sip:box@192.0.2.1:5060");
        assert_eq!(contact(Transport::Tcp, None), "sip:box@192.0.2.1:5062;transport=tcp");
        assert_eq!(contact(Transport::Tls, None), "sip:box@192.0.2.1:5060;transport=tls");
        let public = Some("198.51.100.1:40000".parse().unwrap());
        assert_eq!(contact(Transport::Udp, public), "sip:box@198.51.100.1:40000");
    }
}
