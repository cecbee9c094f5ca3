//! Header names and the list of headers of a message.

use super::text;
use std::fmt;

macro_rules! names {
    ($($variant:ident = $long:literal $(, $short:literal)?;)*) => {
        /// The name of a header. Names that we have no use for are kept as they came.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the names say it")]
        pub enum Name {
            $($variant,)*
            /// Any other.
            Other(Box<str>),
        }

        impl Name {
            /// The header called `name`, in full or in short, whatever its case.
            pub fn from_wire(name: &str) -> Self {
                $(if name.eq_ignore_ascii_case($long) $(|| name.eq_ignore_ascii_case($short))? {
                    return Self::$variant;
                })*
                Self::Other(name.into())
            }

            /// Its full name.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $long,)*
                    Self::Other(name) => name,
                }
            }
        }
    };
}

// The most frequent first: the search is a walk.
names! {
    Via = "Via", "v";
    From = "From", "f";
    To = "To", "t";
    CallId = "Call-ID", "i";
    CSeq = "CSeq";
    Contact = "Contact", "m";
    MaxForwards = "Max-Forwards";
    ContentLength = "Content-Length", "l";
    ContentType = "Content-Type", "c";
    Allow = "Allow";
    Supported = "Supported", "k";
    RecordRoute = "Record-Route";
    Route = "Route";
    UserAgent = "User-Agent";
    Server = "Server";
    Require = "Require";
    ProxyRequire = "Proxy-Require";
    Unsupported = "Unsupported";
    Authorization = "Authorization";
    ProxyAuthorization = "Proxy-Authorization";
    WwwAuthenticate = "WWW-Authenticate";
    ProxyAuthenticate = "Proxy-Authenticate";
    AuthenticationInfo = "Authentication-Info";
    Accept = "Accept";
    Expires = "Expires";
    MinExpires = "Min-Expires";
    SessionExpires = "Session-Expires", "x";
    MinSe = "Min-SE";
    RSeq = "RSeq";
    RAck = "RAck";
    ReferTo = "Refer-To", "r";
    ReferredBy = "Referred-By", "b";
    ReferSub = "Refer-Sub";
    Replaces = "Replaces";
    Event = "Event", "o";
    SubscriptionState = "Subscription-State";
    Path = "Path";
    ServiceRoute = "Service-Route";
    Reason = "Reason";
    RetryAfter = "Retry-After";
    Warning = "Warning";
    Date = "Date";
    ContentEncoding = "Content-Encoding", "e";
    ContentDisposition = "Content-Disposition";
    AssertedIdentity = "P-Asserted-Identity";
    Diversion = "Diversion";
    Subject = "Subject", "s";
    AllowEvents = "Allow-Events", "u";
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Headers in the order in which they stand. Values are unfolded and trimmed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Name, String)>);

impl Headers {
    pub(crate) fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Adds a line at the end. A line end inside `value` would become another header: it turns into a space.
    pub fn push(&mut self, name: Name, value: impl Into<String>) {
        let mut value = value.into();
        if value.bytes().any(|b| matches!(b, b'\r' | b'\n')) {
            value = value.replace(['\r', '\n'], " ");
        }
        self.0.push((name, value));
    }

    /// Replaces all lines of that name by this one.
    pub fn set(&mut self, name: Name, value: impl Into<String>) {
        self.remove(&name);
        self.push(name, value);
    }

    /// Takes all lines of that name away.
    pub fn remove(&mut self, name: &Name) {
        self.0.retain(|(n, _)| n != name);
    }

    /// The first line of that name.
    pub fn get(&self, name: &Name) -> Option<&str> {
        self.all(name).next()
    }

    /// All lines of that name.
    pub fn all<'a>(&'a self, name: &Name) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// All values of that name, comma lists cut apart.
    pub fn values<'a>(&'a self, name: &Name) -> impl Iterator<Item = &'a str> {
        self.all(name).flat_map(text::split_list)
    }

    /// Whether a list header holds `token` (an option tag, a method, an event).
    pub fn lists(&self, name: &Name, token: &str) -> bool {
        self.values(name).any(|value| value.eq_ignore_ascii_case(token))
    }

    /// The value as a number. One that is too large for 32 bits counts as the largest, as RFC 4475 3.1.2.4
    /// suggests for times; what is no number counts as absent.
    pub fn number(&self, name: &Name) -> Option<u32> {
        let digits = self.get(name)?.split([';', ' ', '\t', '(']).next()?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(digits.parse().unwrap_or(u32::MAX))
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &str)> {
        self.0.iter().map(|(n, v)| (n, v.as_str()))
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_full_in_short_and_in_any_case() {
        assert_eq!(Name::from_wire("v"), Name::Via);
        assert_eq!(Name::from_wire("VIA"), Name::Via);
        assert_eq!(Name::from_wire("x"), Name::SessionExpires);
        assert_eq!(Name::from_wire("X-Foo").as_str(), "X-Foo");
    }

    #[test]
    fn lists_run_over_lines_and_commas() {
        let mut headers = Headers::default();
        headers.push(Name::Supported, "100rel, timer");
        headers.push(Name::Supported, "replaces");
        assert_eq!(headers.values(&Name::Supported).collect::<Vec<_>>(), ["100rel", "timer", "replaces"]);
        assert!(headers.lists(&Name::Supported, "TIMER") && !headers.lists(&Name::Supported, "path"));
    }

    #[test]
    fn no_value_can_begin_a_new_line() {
        let mut headers = Headers::default();
        headers.push(Name::Subject, "x\r\nVia: evil");
        assert_eq!(headers.get(&Name::Subject), Some("x  Via: evil"));
    }

    #[test]
    fn huge_numbers_saturate_and_junk_is_absent() {
        let mut headers = Headers::default();
        headers.push(Name::Expires, "99999999999999999999999");
        headers.push(Name::RetryAfter, "18 (busy);duration=3");
        headers.push(Name::MinSe, "soon");
        assert_eq!(headers.number(&Name::Expires), Some(u32::MAX));
        assert_eq!(headers.number(&Name::RetryAfter), Some(18));
        assert_eq!(headers.number(&Name::MinSe), None);
    }
}
