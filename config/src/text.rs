//! The kinds of text that a key may hold, and what each has to look like.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// What is said or told may be this long, in characters.
const MOST_WORDS: usize = 8_000;

/// What a text stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An address of this machine with its port.
    Listen,
    /// An address without a port.
    Address,
    /// A server's name or address, with or without a port.
    Server,
    /// A user name, a number.
    User,
    /// A file.
    Path,
    /// An address or a range of them.
    Network,
    /// A voice codec.
    Codec,
    /// Where a service is.
    Url,
    /// The same of one that is asked over HTTP alone.
    WebUrl,
    /// Where a service's WebSocket is.
    SocketUrl,
    /// A word that a service knows.
    Name,
    /// Such a word, or nothing where that means something else than the default.
    NameOrNone,
    /// A sound card.
    Card,
    /// Something to be said.
    Words,
    /// A word of a command.
    Argument,
}

impl Kind {
    pub(crate) fn takes(self, text: &str) -> bool {
        match self {
            Self::Listen => text.parse::<SocketAddr>().is_ok(),
            Self::Address => text.parse::<IpAddr>().is_ok(),
            Self::Server => Server::from_str(text).is_ok(),
            Self::User => {
                let fits = |c: char| c.is_ascii_graphic() && !"\"<>@\\".contains(c);
                !text.is_empty() && text.chars().all(fits)
            }
            Self::Path => !text.is_empty() && !text.contains('\0'),
            Self::Network => Network::from_str(text).is_ok(),
            Self::Codec => text.parse::<offhook_units::Codec>().is_ok(),
            Self::Url => is_url(text, &["https://", "http://", "tcp://"]),
            Self::WebUrl => is_url(text, &["https://", "http://"]),
            Self::SocketUrl => is_url(text, &["wss://", "ws://"]),
            Self::Name => {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
            }
            Self::NameOrNone => text.is_empty() || Self::Name.takes(text),
            Self::Card => !text.trim().is_empty() && !text.contains(char::is_control),
            Self::Words => text.chars().count() <= MOST_WORDS && !text.contains('\0'),
            Self::Argument => !text.is_empty() && !text.contains('\0'),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listen => "an address of this machine with a port, as in 127.0.0.1:8080 or [::1]:8080",
            Self::Address => "an address, as in 192.0.2.10",
            Self::Server => "a server as NAME, ADDRESS, NAME:PORT or ADDRESS:PORT",
            Self::User => "a user name",
            Self::Path => "a file",
            Self::Network => "addresses and networks, as in 192.0.2.7 and 192.0.2.0/24",
            Self::Codec => "codecs of opus, G722, PCMA and PCMU",
            Self::Url => "an address, as in https://api.example.com or tcp://192.0.2.7:10200",
            Self::WebUrl => "an address, as in https://api.example.com",
            Self::SocketUrl => "an address, as in wss://api.example.com/ws/conversation",
            Self::Name => "a name",
            Self::NameOrNone => "a name or none (\"\")",
            Self::Card => "a sound card's name, default or none",
            Self::Words => "text",
            Self::Argument => "words, the program first",
        })
    }
}

fn is_url(text: &str, schemes: &[&str]) -> bool {
    let rest = schemes.iter().find_map(|scheme| text.strip_prefix(scheme));
    rest.is_some_and(|rest| is_authority(rest.split(['/', '?', '#']).next().unwrap_or_default()))
        && text.bytes().all(|byte| byte.is_ascii_graphic())
        // No user, who would bring a password along, which may look as if the host were over before it.
        && !text.split('?').next().unwrap_or_default().contains('@')
}

/// A host with or without a port (RFC 3986 3.2).
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(None) => return false,
        Some(Some((host, ""))) => (host, None),
        Some(Some((host, rest))) => (host, Some(rest.strip_prefix(':').unwrap_or_default())),
        None => text.rsplit_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    !host.is_empty() && port.is_none_or(is_port)
}

/// Text that is none of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misfit;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A name to be resolved, or an address without brackets.
    pub host: String,
    /// The port, where one was given.
    pub port: Option<u16>,
}

impl FromStr for Server {
    type Err = Misfit;

    fn from_str(text: &str) -> Result<Self, Misfit> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { host: address.to_string(), port: None });
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            let port = Some(address.port()).filter(|port| *port != 0).ok_or(Misfit)?;
            return Ok(Self { host: address.ip().to_string(), port: Some(port) });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok().filter(|port| *port != 0).ok_or(Misfit)?)),
            None => (text, None),
        };
        if is_name(host) { Ok(Self { host: host.to_owned(), port }) } else { Err(Misfit) }
    }
}

/// A host name (RFC 1123 2.1). One that is all digits and dots is a mistyped address.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(fits) && !label.starts_with('-')
    };
    host.len() <= 253
        && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
        && host.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Any address in it.
    pub address: IpAddr,
    /// How many of its bits are the network's.
    pub prefix: u8,
}

impl FromStr for Network {
    type Err = Misfit;

    fn from_str(text: &str) -> Result<Self, Misfit> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| Misfit)?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| Misfit)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(width);
        if prefix <= width { Ok(Self { address, prefix }) } else { Err(Misfit) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_names_or_addresses_with_or_without_a_port() {
        let server = |text: &str| text.parse::<Server>().map(|server| (server.host, server.port));
        assert_eq!(server("sip.example.com"), Ok(("sip.example.com".into(), None)));
        assert_eq!(server("192.0.2.1:5080"), Ok(("192.0.2.1".into(), Some(5080))));
        assert_eq!(server("[2001:db8::1]:5061"), Ok(("2001:db8::1".into(), Some(5061))));
        assert_eq!(server("2001:db8::1"), Ok(("2001:db8::1".into(), None)));
        for bad in
            ["", "192.0.2", "192.0.2.256", "sip:example.com", "a b", "x:0", "x:99999", "-x", ".x", "x/y"]
        {
            assert_eq!(server(bad), Err(Misfit), "{bad}");
        }
    }

    #[test]
    fn services_are_at_a_host_with_or_without_a_port() {
        for good in
            ["https://a", "http://192.0.2.7:1/v1?x=y@z", "https://[2001:db8::1]/", "tcp://[::1]:10200"]
        {
            assert!(Kind::Url.takes(good), "{good}");
        }
        for bad in [
            "a",
            "https:/a",
            "https://",
            "https:///a",
            "https://:80",
            "https://a:",
            "https://a:x",
            "https://a:65536",
            "https://a:0",
            "https://u:p@a",
            "https://u:1/p@a",
            "https://u:1#p@a",
            "https://[::1",
            "https://[::1]80",
            "https://a b",
            "ws://a",
        ] {
            assert!(!Kind::Url.takes(bad), "{bad}");
        }
        assert!(
            Kind::WebUrl.takes("http://a") && !Kind::WebUrl.takes("tcp://a") && !Kind::WebUrl.takes("ws://a")
        );
        assert!(Kind::SocketUrl.takes("wss://a.example/ws") && !Kind::SocketUrl.takes("https://a"));
    }

    #[test]
    fn networks_have_a_prefix_that_fits() {
        let network = |text: &str| text.parse::<Network>().map(|network| network.to_string());
        assert_eq!(network("192.0.2.0/24"), Ok("192.0.2.0/24".into()));
        assert_eq!(network("192.0.2.7"), Ok("192.0.2.7/32".into()));
        assert_eq!(network("::1"), Ok("::1/128".into()));
        for bad in ["192.0.2.0/33", "192.0.2/24", "/8", "::/129", "example.com", "1.2.3.4/"] {
            assert_eq!(network(bad), Err(Misfit), "{bad}");
        }
    }
}
