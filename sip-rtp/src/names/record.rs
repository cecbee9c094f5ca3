//! What is asked of a name server, and what is kept of its answers.

use std::net::IpAddr;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Servers of one service (RFC 2782).
    Srv,
    /// Services of one domain (RFC 3403).
    Naptr,
}

/// One server of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// The share among those of one priority.
    pub weight: u16,
    /// Its name.
    pub target: String,
    /// Its port.
    pub port: u16,
}

/// One service of a domain, as far as RFC 3263 needs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Naptr {
    /// Lower comes first, whatever the preference.
    pub order: u16,
    /// Lower is preferred.
    pub preference: u16,
    /// What follows; `s` for an SRV name. Lower case.
    pub flags: String,
    /// Such as `SIP+D2U`. Upper case.
    pub service: String,
    /// Where it leads.
    pub replacement: String,
}

/// The answer to one question. An empty list is an answer too: there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Records {
    /// To A and AAAA.
    Addrs(Vec<IpAddr>),
    /// To SRV.
    Srv(Vec<Srv>),
    /// To NAPTR.
    Naptr(Vec<Naptr>),
    /// The name is another name's alias, and nothing was said of that one.
    Alias(String),
}

impl Records {
    /// The answer "there is none".
    pub const fn none(kind: Kind) -> Self {
        match kind {
            Kind::A | Kind::Aaaa => Self::Addrs(Vec::new()),
            Kind::Srv => Self::Srv(Vec::new()),
            Kind::Naptr => Self::Naptr(Vec::new()),
        }
    }

    /// Whether it says that there is none.
    pub const fn is_none(&self) -> bool {
        match self {
            Self::Addrs(list) => list.is_empty(),
            Self::Srv(list) => list.is_empty(),
            Self::Naptr(list) => list.is_empty(),
            Self::Alias(_) => false,
        }
    }
}

/// A name and what is asked of it. The name is in lower case and without a last dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// The name.
    pub name: String,
    /// What is asked.
    pub kind: Kind,
}

impl Question {
    /// The question for `name`.
    pub fn new(name: &str, kind: Kind) -> Self {
        Self { name: plain(name), kind }
    }
}

/// A name as it is compared and kept.
pub(super) fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether a name is one that a server may have: letters, digits, hyphens, and the underscores of services. What a
/// hostile answer holds otherwise goes no further.
pub(super) fn is_name(name: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    !name.is_empty() && name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_last_dot() {
        assert_eq!(Question::new("SIP.Example.COM.", Kind::A), Question::new("sip.example.com", Kind::A));
    }

    #[test]
    fn only_names_of_servers_are_names() {
        for good in ["a", "_sip._udp.example.com", "x-1.example", "a.".repeat(120).trim_end_matches('.')] {
            assert!(is_name(good), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", ".", "a..b", "a b", "a\\.b", "ä.example", "a/b", long.as_str(), "a."] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
