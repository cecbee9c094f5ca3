//! Transports and the far ends that are reached by them.

use std::fmt;
use std::net::SocketAddr;

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams: everything is sent again until it is answered.
    Udp,
    /// A stream.
    Tcp,
    /// A stream inside TLS.
    Tls,
}

impl Transport {
    /// The name in Via.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }

    /// The transport that the `transport=` parameter names; `None` for one that we do not have.
    pub fn from_param(value: &str) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls].into_iter().find(|t| t.name().eq_ignore_ascii_case(value))
    }

    /// Whether it delivers by itself, so that nothing is sent twice.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One connection of a stream transport, as its owner (the socket's thread) numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FlowId(pub u64);

/// The far end of a message: where one came from or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer {
    /// How.
    pub transport: Transport,
    /// Where.
    pub addr: SocketAddr,
    /// The connection to use if it still stands; without one, or when it is gone, one to `addr` is opened.
    pub flow: Option<FlowId>,
}

impl Peer {
    /// `addr` over UDP.
    pub const fn udp(addr: SocketAddr) -> Self {
        Self { transport: Transport::Udp, addr, flow: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_names_are_read_without_case() {
        assert_eq!(Transport::from_param("Tls"), Some(Transport::Tls));
        assert_eq!(Transport::from_param("sctp"), None);
    }
}
