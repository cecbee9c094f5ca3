//! The headers of digest authentication, read and written.

use super::{Algorithm, Qop};
use crate::sip::text::{self, Scan, quote};
use std::fmt;

/// `name=value` pairs behind a scheme.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuthParams(Vec<(String, String)>);

impl AuthParams {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Reads `name=value, …` up to the end or to the scheme of a next challenge in the same line.
    fn scan(scan: &mut Scan<'_>) -> Option<Self> {
        let mut list = Vec::new();
        loop {
            while scan.eat_spaced(',') {}
            let mut ahead = scan.clone();
            ahead.space();
            let Some(name) = ahead.token() else { break };
            if !ahead.eat_spaced('=') {
                break;
            }
            let value = match ahead.peek() {
                Some(b'"') => text::unquote(ahead.quoted()?),
                // Tokens, and what senders leave unquoted ("uri=sip:a@b", base64).
                _ => ahead.take_while(|b| !matches!(b, b',' | b' ' | b'\t' | b'"')).to_owned(),
            };
            list.push((name.to_owned(), value));
            *scan = ahead;
        }
        Some(Self(list))
    }
}

/// A server's demand for credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// For which realm the password is.
    pub realm: String,
    /// The server's nonce.
    pub nonce: String,
    /// To be sent back as it came.
    pub opaque: Option<String>,
    /// The credentials were right but the nonce was old.
    pub stale: bool,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The protections to choose from; empty when the server knows of none (RFC 2069).
    pub qop: Vec<Qop>,
    /// The user name is to be sent hashed.
    pub userhash: bool,
}

impl Challenge {
    /// All digest challenges of one header line that we can answer; others are passed over.
    pub fn parse_line(line: &str) -> Vec<Self> {
        let mut scan = Scan::new(line);
        let mut found = Vec::new();
        loop {
            while scan.eat_spaced(',') {}
            scan.space();
            let Some(scheme) = scan.token() else { break };
            let Some(params) = AuthParams::scan(&mut scan) else { break };
            if scheme.eq_ignore_ascii_case("Digest") {
                found.extend(Self::from_params(&params));
            }
        }
        found
    }

    fn from_params(params: &AuthParams) -> Option<Self> {
        let algorithm = match params.get("algorithm") {
            Some(name) => Algorithm::from_name(name)?,
            None => Algorithm::MD5,
        };
        let offered = params.get("qop");
        let qop: Vec<_> = offered.unwrap_or("").split(',').filter_map(|q| Qop::from_name(q.trim())).collect();
        // A server that insists on protections we have never heard of cannot be answered.
        if offered.is_some_and(|q| !q.trim().is_empty()) && qop.is_empty() {
            return None;
        }
        let flag = |name| params.get(name).is_some_and(|v| v.eq_ignore_ascii_case("true"));
        Some(Self {
            realm: params.get("realm")?.to_owned(),
            nonce: params.get("nonce")?.to_owned(),
            opaque: params.get("opaque").map(str::to_owned),
            stale: flag("stale"),
            algorithm,
            qop,
            userhash: flag("userhash"),
        })
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm={}, nonce={}", quote(&self.realm), quote(&self.nonce))?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", quote(opaque))?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        write!(f, ", algorithm={}", self.algorithm)?;
        if !self.qop.is_empty() {
            let names: Vec<_> = self.qop.iter().map(|q| q.name()).collect();
            write!(f, ", qop=\"{}\"", names.join(","))?;
        }
        Ok(())
    }
}

/// A client's credentials, as read from Authorization.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    params: AuthParams,
}

impl Answer {
    /// Reads one header line; `None` when the scheme is not Digest or the line is malformed.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut scan = Scan::new(line);
        scan.space();
        if !scan.token()?.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let params = AuthParams::scan(&mut scan)?;
        scan.space();
        scan.is_empty().then_some(Self { params })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.params.get(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_challenges_stand_in_one_line() {
        let line = r#"Digest realm="a, b",nonce="n1" , qop="auth,auth-int",algorithm=SHA-256, Basic realm="x", digest realm=c, nonce="n2", stale=TRUE"#;
        let found = Challenge::parse_line(line);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].realm.as_str(), &found[0].qop[..]), ("a, b", &[Qop::Auth, Qop::AuthInt][..]));
        assert_eq!(
            (found[1].realm.as_str(), found[1].stale, found[1].algorithm),
            ("c", true, Algorithm::MD5)
        );
    }

    #[test]
    fn what_cannot_be_answered_is_passed_over() {
        for line in [
            r#"Digest realm="a", nonce="n", algorithm=SHA-1"#,
            r#"Digest realm="a", nonce="n", qop="auth-conf""#,
            r#"Digest realm="a""#,
            r#"Digest realm="open, nonce="n"#,
            "NoOneKnowsThisScheme opaque-data=here",
            "",
        ] {
            assert_eq!(Challenge::parse_line(line), [], "{line}");
        }
        assert_eq!(
            Challenge::parse_line(r#"Digest realm="a", nonce="n", qop="""#).len(),
            1,
            "empty qop is none"
        );
    }

    #[test]
    fn a_challenge_is_written_as_it_is_read() {
        let challenge = Challenge {
            realm: "off\"hook".into(),
            nonce: "n".into(),
            opaque: Some("o".into()),
            stale: true,
            algorithm: Algorithm::SHA256,
            qop: vec![Qop::Auth],
            userhash: false,
        };
        assert_eq!(Challenge::parse_line(&challenge.to_string()), [challenge]);
    }
}
