//! Request methods.

use std::fmt;

/// What a request asks for. Names that we do not know are kept: the answer to them (405 or 501) needs them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Options,
    Register,
    Prack,
    Update,
    Info,
    Refer,
    Notify,
    Subscribe,
    Message,
    Publish,
    /// Any other token, as it came. Methods are case-sensitive (RFC 3261 7.1).
    Other(String),
}

const KNOWN: [(&str, Method); 14] = [
    ("INVITE", Method::Invite),
    ("ACK", Method::Ack),
    ("BYE", Method::Bye),
    ("CANCEL", Method::Cancel),
    ("OPTIONS", Method::Options),
    ("REGISTER", Method::Register),
    ("PRACK", Method::Prack),
    ("UPDATE", Method::Update),
    ("INFO", Method::Info),
    ("REFER", Method::Refer),
    ("NOTIFY", Method::Notify),
    ("SUBSCRIBE", Method::Subscribe),
    ("MESSAGE", Method::Message),
    ("PUBLISH", Method::Publish),
];

impl Method {
    /// The method called `token`.
    pub fn from_token(token: &str) -> Self {
        KNOWN
            .iter()
            .find(|(name, _)| *name == token)
            .map_or_else(|| Self::Other(token.to_owned()), |(_, method)| method.clone())
    }

    /// Its name on the wire.
    pub fn as_str(&self) -> &str {
        if let Self::Other(name) = self {
            return name;
        }
        KNOWN.iter().find(|(_, method)| method == self).map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_goes_both_ways_and_case_matters() {
        for (name, method) in KNOWN {
            assert_eq!(Method::from_token(name), method);
            assert_eq!(method.as_str(), name);
        }
        assert_eq!(Method::from_token("invite"), Method::Other("invite".into()));
    }
}
