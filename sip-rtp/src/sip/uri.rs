//! URIs: `sip:` and `sips:` taken apart, every other scheme kept whole (the 416 answer and `tel:` need them).

use super::host::Host;
use super::param::Params;
use super::text::Scan;
use std::fmt;

/// A URI of any scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uri {
    /// `sip:` or `sips:`.
    Sip(SipUri),
    /// Anything else: the scheme in lower case, and what follows its colon.
    Other {
        /// The scheme, without its colon.
        scheme: String,
        /// What follows the colon, as it came.
        rest: String,
    },
}

/// A `sip:` or `sips:` URI. Escapes (`%41`) stay as they came, so that what is sent back is what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipUri {
    /// `sips:`.
    pub secure: bool,
    /// The part before `@`, without its password.
    pub user: Option<String>,
    /// What follows the user's colon. Kept only to be sent back.
    pub password: Option<String>,
    /// Where.
    pub host: Host,
    /// The port, if it was written.
    pub port: Option<u16>,
    /// `;transport=tcp` and the like.
    pub params: Params,
    /// What follows `?`, escaped.
    pub headers: Option<String>,
}

impl Uri {
    /// Reads a whole URI. Angle brackets, white space and quotes are no part of one.
    pub fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|b| b <= b' ' || b == 0x7f || matches!(b, b'<' | b'>' | b'"')) {
            return None;
        }
        let (scheme, rest) = text.split_once(':')?;
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            || !scheme.bytes().all(legal)
            || rest.is_empty()
        {
            return None;
        }
        if scheme.eq_ignore_ascii_case("sip") {
            SipUri::parse_rest(false, rest).map(Self::Sip)
        } else if scheme.eq_ignore_ascii_case("sips") {
            SipUri::parse_rest(true, rest).map(Self::Sip)
        } else {
            Some(Self::Other { scheme: scheme.to_ascii_lowercase(), rest: rest.to_owned() })
        }
    }

    /// The `sip:` or `sips:` URI, if it is one.
    pub const fn sip(&self) -> Option<&SipUri> {
        match self {
            Self::Sip(uri) => Some(uri),
            Self::Other { .. } => None,
        }
    }

    /// Who is called: the user with its escapes resolved, or a `tel:` number without its parameters.
    pub fn user(&self) -> Option<String> {
        match self {
            Self::Sip(uri) => uri.user.as_deref().map(unescape),
            Self::Other { scheme, rest } if scheme == "tel" => rest.split(';').next().map(unescape),
            Self::Other { .. } => None,
        }
    }

    /// Whether both name the same resource (RFC 3261 19.1.4).
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sip(a), Self::Sip(b)) => a.is_same(b),
            (a, b) => a == b,
        }
    }
}

impl SipUri {
    /// `sip:user@host:port`.
    pub fn new(user: Option<&str>, host: Host, port: Option<u16>) -> Self {
        let user = user.filter(|u| !u.is_empty()).map(escape_user);
        Self { secure: false, user, password: None, host, port, params: Params::default(), headers: None }
    }

    fn parse_rest(secure: bool, rest: &str) -> Option<Self> {
        // '@' is legal nowhere but between user and host, so the first one is the one.
        let (userinfo, rest) = match rest.split_once('@') {
            Some((info, rest)) => (Some(info), rest),
            None => (None, rest),
        };
        let (user, password) = match userinfo {
            Some("") => return None,
            Some(info) => match info.split_once(':') {
                Some((user, password)) => (Some(user.to_owned()), Some(password.to_owned())),
                None => (Some(info.to_owned()), None),
            },
            None => (None, None),
        };
        let mut scan = Scan::new(rest);
        let host = Host::scan(&mut scan)?;
        let port = if scan.peek() == Some(b':') { Host::scan_port(&mut scan)? } else { None };
        let params = Params::scan_uri(&mut scan)?;
        let headers = scan.eat('?').then(|| scan.take_while(|_| true).to_owned());
        scan.is_empty().then_some(Self { secure, user, password, host, port, params, headers })
    }

    fn is_same(&self, other: &Self) -> bool {
        let same =
            |a: &Option<String>, b: &Option<String>| a.as_deref().map(unescape) == b.as_deref().map(unescape);
        self.secure == other.secure
            && same(&self.user, &other.user)
            && same(&self.password, &other.password)
            && self.host == other.host
            && self.port == other.port
            && self.params_agree(other)
            && self.headers == other.headers
    }

    fn params_agree(&self, other: &Self) -> bool {
        // These four matter even when only one side has them; others only when both do.
        const STRICT: [&str; 4] = ["user", "ttl", "method", "maddr"];
        let equal = |a: Option<&str>, b: Option<&str>| match (a, b) {
            (Some(a), Some(b)) => unescape(a).eq_ignore_ascii_case(&unescape(b)),
            (a, b) => a.is_none() && b.is_none(),
        };
        STRICT.iter().all(|name| equal(self.params.get(name), other.params.get(name)))
            && self.params.iter().all(|(name, value)| {
                !other.params.has(name) || equal(Some(value.unwrap_or("")), other.params.get(name))
            })
    }
}

/// `%41` becomes `A`. What is no escape stays; bytes that make no UTF-8 become U+FFFD.
pub fn unescape(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let [first, tail @ ..] = bytes {
        let hex = |b: &u8| (*b as char).to_digit(16);
        match (first, tail) {
            (b'%', [a, b, after @ ..]) if hex(a).is_some() && hex(b).is_some() => {
                out.push((hex(a).unwrap_or(0) * 16 + hex(b).unwrap_or(0)) as u8);
                bytes = after;
            }
            _ => {
                out.push(*first);
                bytes = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A user part with everything escaped that may not stand in it.
pub(crate) fn escape_user(text: &str) -> String {
    escape(text, b"-_.!~*'()&=+$,;?/")
}

/// A URI header value (`?Replaces=…`) with everything escaped that may not stand in it.
pub(crate) fn escape_header(text: &str) -> String {
    escape(text, b"-_.!~*'()[]/?:+$")
}

fn escape(text: &str, keep: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || keep.contains(&b) {
            out.push(b as char);
        } else {
            out.push('%');
            out.extend(
                [b >> 4, b & 15].map(|n| char::from_digit(n.into(), 16).unwrap_or('0').to_ascii_uppercase()),
            );
        }
    }
    out
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => uri.fmt(f),
            Self::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

impl fmt::Display for SipUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "sips:" } else { "sip:" })?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        write!(f, "{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)?;
        match &self.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}

impl From<SipUri> for Uri {
    fn from(uri: SipUri) -> Self {
        Self::Sip(uri)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        Uri::parse(text).unwrap_or_else(|| panic!("{text} does not parse"))
    }

    #[test]
    fn what_is_read_is_written_back() {
        for text in [
            "sip:example.com",
            "sips:a:pw@[2001:db8::1]:5061;transport=tls;lr?Replaces=x%3Bto-tag%3Dy",
            "sip:user;par=u%40example.net@example.com",
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d@example.com",
            "sip:*21#5551@192.0.2.1;user=phone",
            "tel:+1-555-0100;phone-context=+1",
            "soap.beep://192.0.2.103:3002",
        ] {
            assert_eq!(uri(text).to_string(), text);
        }
    }

    #[test]
    fn malformed_ones_are_refused() {
        for text in [
            "",
            "sip:",
            "sip:@",
            "sip:@a",
            "sip:a@",
            ":::::",
            "sip:a@[::1",
            "sip:a@b:99999",
            "sip:a@b:",
            "sip:a b@c",
            "<sip:a@b>",
            "sip:a@b; lr",
            "sip:a@b@c",
            "sip:a@b;;c",
            "1sip:a",
            "noscheme",
        ] {
            assert_eq!(Uri::parse(text), None, "{text:?}");
        }
    }

    /// The pairs of RFC 3261 19.1.4.
    #[test]
    fn sameness_follows_the_rfc() {
        let same = [
            ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        ];
        let different = [
            ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
            ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
            ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
            ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;newparam=6"),
            ("sip:carol@chicago.com", "sip:carol@chicago.com;user=phone"),
        ];
        for (a, b) in same {
            assert!(uri(a).is_same(&uri(b)) && uri(b).is_same(&uri(a)), "{a} {b}");
        }
        for (a, b) in different {
            assert!(!uri(a).is_same(&uri(b)) && !uri(b).is_same(&uri(a)), "{a} {b}");
        }
    }

    #[test]
    fn the_called_party_is_read_without_its_escapes() {
        assert_eq!(uri("sip:%75se%72%zz@x").user().as_deref(), Some("user%zz"));
        assert_eq!(uri("tel:+15550100;ext=1").user().as_deref(), Some("+15550100"));
        assert_eq!(escape_user("a b@c"), "a%20b%40c");
    }
}
