//! Addresses of services: `ws`, `wss`, `http`, `https` and `tcp` (Wyoming), with queries built piece by piece.

use std::fmt;

/// How to talk to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// WebSocket over plain TCP.
    Ws,
    /// WebSocket over TLS.
    Wss,
    /// HTTP over plain TCP.
    Http,
    /// HTTP over TLS.
    Https,
    /// Plain TCP, for Wyoming.
    Tcp,
}

impl Scheme {
    const ALL: [(Self, &'static str, u16); 5] = [
        (Self::Ws, "ws", 80),
        (Self::Wss, "wss", 443),
        (Self::Http, "http", 80),
        (Self::Https, "https", 443),
        // Where Home Assistant's piper listens.
        (Self::Tcp, "tcp", 10_200),
    ];

    /// Whether it runs over TLS.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Wss | Self::Https)
    }
}

/// An address of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    scheme: Scheme,
    host: String,
    port: u16,
    /// Path and query; starts with a slash.
    target: String,
}

impl Url {
    /// Reads an address such as `wss://api.example.com/v1?x=y`.
    ///
    /// # Errors
    /// [`BadUrl`].
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let bad = |why| BadUrl { text: text.to_owned(), why };
        let (name, rest) = text.split_once("://").ok_or_else(|| bad("it has no scheme"))?;
        let (scheme, _, usual_port) = Scheme::ALL
            .into_iter()
            .find(|(_, known, _)| name.eq_ignore_ascii_case(known))
            .ok_or_else(|| bad("its scheme is none of ws, wss, http, https, tcp"))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let target = target.split('#').next().unwrap_or_default();
        if authority.contains('@') {
            return Err(bad("it holds a user name; keys belong in their own settings"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or_else(|| bad("its [ is not closed"))?;
                (host, after.strip_prefix(':'))
            }
            None => match authority.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().map_err(|_| bad("its port is not a number up to 65535"))?,
            None => usual_port,
        };
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if host.is_empty() || host.contains(odd) || target.contains(odd) {
            return Err(bad("its host is empty, or there is white space in it"));
        }
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Self { scheme, host: host.to_owned(), port, target })
    }

    /// The same host for another kind of talk: HTTP beside a WebSocket and the other way round, with the same
    /// care for secrecy.
    #[must_use]
    pub fn with_scheme(&self, plain: Scheme, secret: Scheme) -> Self {
        Self { scheme: if self.scheme.is_tls() { secret } else { plain }, ..self.clone() }
    }

    /// The address of `path` below this one. Its own query is dropped.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let base = self.target.split('?').next().unwrap_or_default().trim_end_matches('/');
        Self { target: format!("{base}/{}", path.trim_start_matches('/')), ..self.clone() }
    }

    /// With one more `name=value` in the query, escaped.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.target.push(if self.target.contains('?') { '&' } else { '?' });
        escape(name, &mut self.target);
        self.target.push('=');
        escape(value, &mut self.target);
        self
    }

    /// The scheme.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Host and port as in a `Host` header.
    pub fn authority(&self) -> String {
        let usual = Scheme::ALL.iter().any(|(scheme, _, port)| *scheme == self.scheme && *port == self.port);
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if usual { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Scheme::ALL.iter().find(|(s, ..)| *s == self.scheme).map_or("", |(_, name, _)| name);
        write!(f, "{name}://{}{}", self.authority(), self.target)
    }
}

/// Percent-encodes all but the unreserved characters (RFC 3986 2.3).
fn escape(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// An address that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadUrl {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for BadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is no address of a service: {}", self.text, self.why)
    }
}

impl std::error::Error for BadUrl {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        let url = Url::parse("wss://api.example.com/v1/?a=b").unwrap();
        assert_eq!((url.host(), url.port(), url.target()), ("api.example.com", 443, "/v1/?a=b"));
        assert_eq!(url.join("speak").with("text", "a b&c").target(), "/v1/speak?text=a%20b%26c");
        assert_eq!(url.authority(), "api.example.com");
        let url = Url::parse("HTTP://[::1]:8080").unwrap();
        assert_eq!((url.host(), url.authority().as_str(), url.target()), ("::1", "[::1]:8080", "/"));
        let ws = url.with_scheme(Scheme::Ws, Scheme::Wss);
        assert_eq!(ws.to_string(), "ws://[::1]:8080/");
    }

    #[test]
    fn what_cannot_be_an_address_is_refused_with_a_reason() {
        for (text, part) in [
            ("api.example.com", "scheme"),
            ("ftp://x", "none of ws"),
            ("ws://x:99999", "port"),
            ("ws://", "empty"),
            ("http://a b/", "white space"),
            ("http://key@host/", "user name"),
            ("http://[::1/", "not closed"),
        ] {
            let error = Url::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
