//! Answers challenges.

use super::challenge::Challenge;
use super::{Inputs, Qop, response};
use crate::sip::ids::Ids;
use crate::sip::text::quote;
use offhook_units::Pii;
use std::fmt::Write as _;

/// Who we are to a trunk.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user name for authentication.
    pub user: Pii<String>,
    /// The password.
    pub password: Pii<String>,
}

/// What a request says of itself, as far as the digest covers it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its Request-URI, exactly as it will be sent.
    pub uri: &'a str,
    /// Its body.
    pub body: &'a [u8],
}

/// Why a challenge cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No challenge with an algorithm and a protection that we have.
    NothingKnown,
    /// The same credentials were just refused: the password is wrong, and trying again would lock the account.
    WrongCredentials,
}

/// One server's realm, as we stand with it: the nonce, how often we used it, and our own nonce.
#[derive(Debug)]
struct Session {
    challenge: Challenge,
    cnonce: String,
    count: u32,
}

/// The client's side. One lives as long as its trunk, so that requests after the first carry credentials at once.
#[derive(Debug)]
pub struct Client {
    credentials: Credentials,
    session: Option<Session>,
}

impl Client {
    /// A client that was not challenged yet.
    pub const fn new(credentials: Credentials) -> Self {
        Self { credentials, session: None }
    }

    /// Takes the challenges of a 401 or 407. `sent` is the Authorization line that the refused request carried.
    ///
    /// # Errors
    /// [`Refused`]: there is no use in trying again.
    pub fn challenged<'a>(
        &mut self,
        lines: impl Iterator<Item = &'a str>,
        sent: Option<&str>,
        ids: &mut Ids,
    ) -> Result<(), Refused> {
        // The server's first choice that we have (RFC 8760 2.4).
        let chosen = lines.flat_map(Challenge::parse_line).next().ok_or(Refused::NothingKnown)?;
        // Refused although it answered this realm: only a stale nonce is a reason to try again. Servers that
        // forget "stale" still change the nonce, so a nonce that we had not used yet is another reason; but a
        // fresh nonce comes with every refusal of a wrong password too, so that counts once (see `sent`).
        let answered_same = sent.is_some_and(|line| line.contains(&quote(&chosen.nonce)));
        let answered_realm =
            sent.is_some_and(|line| line.contains(&format!("realm={}", quote(&chosen.realm))));
        let first_use = self.session.as_ref().is_some_and(|s| s.count <= 1);
        if answered_same || (answered_realm && first_use && !chosen.stale) {
            return Err(Refused::WrongCredentials);
        }
        self.session = Some(Session { challenge: chosen, cnonce: ids.cnonce(), count: 0 });
        Ok(())
    }

    /// The value of Authorization or Proxy-Authorization for a request; `None` before the first challenge.
    pub fn authorize(&mut self, subject: Subject<'_>) -> Option<String> {
        let session = self.session.as_mut()?;
        session.count = session.count.saturating_add(1);
        let Challenge { realm, nonce, opaque, algorithm, qop, userhash, .. } = &session.challenge;
        let user = self.credentials.user.reveal();
        let count = format!("{:08x}", session.count);
        let chosen = choose(qop);
        let answer = response(&Inputs {
            algorithm: *algorithm,
            user,
            realm,
            password: self.credentials.password.reveal(),
            nonce,
            qop: chosen.map(|q| (q, count.as_str())),
            cnonce: &session.cnonce,
            method: subject.method,
            uri: subject.uri,
            body: subject.body,
        });
        let name = if *userhash { algorithm.joined(&[user, realm]) } else { user.clone() };
        let mut out = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{answer}\"",
            quote(&name),
            quote(realm),
            quote(nonce),
            quote(subject.uri)
        );
        // Writing to a string cannot fail.
        let _ = write!(out, ", algorithm={algorithm}");
        if let Some(qop) = chosen {
            let _ = write!(out, ", qop={}, nc={count}, cnonce=\"{}\"", qop.name(), session.cnonce);
        } else if algorithm.session {
            let _ = write!(out, ", cnonce=\"{}\"", session.cnonce);
        }
        if let Some(opaque) = opaque {
            let _ = write!(out, ", opaque={}", quote(opaque));
        }
        if *userhash {
            out.push_str(", userhash=true");
        }
        Some(out)
    }
}

/// `auth` when it is offered: proxies that touch the body would break `auth-int`.
fn choose(offered: &[Qop]) -> Option<Qop> {
    offered.iter().find(|q| **q == Qop::Auth).or_else(|| offered.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> (Client, Ids) {
        let credentials = Credentials { user: Pii::new("u".into()), password: Pii::new("p".into()) };
        (Client::new(credentials), Ids::new([1; 32]))
    }

    const SUBJECT: Subject<'static> = Subject { method: "REGISTER", uri: "sip:x", body: b"" };

    fn challenge(client: &mut Client, ids: &mut Ids, line: &str, sent: Option<&str>) -> Result<(), Refused> {
        client.challenged(std::iter::once(line), sent, ids)
    }

    #[test]
    fn the_count_is_eight_hexadecimal_digits_and_rises() {
        let (mut client, mut ids) = client();
        assert_eq!(client.authorize(SUBJECT), None);
        challenge(&mut client, &mut ids, r#"Digest realm="r", nonce="n", qop="auth-int,auth""#, None)
            .unwrap();
        let lines: Vec<_> = (0..17).map(|_| client.authorize(SUBJECT).unwrap()).collect();
        assert!(lines[0].contains("qop=auth, nc=00000001, "), "{}", lines[0]);
        assert!(lines[9].contains(" nc=0000000a, ") && lines[16].contains(" nc=00000011, "));
    }

    #[test]
    fn the_first_challenge_that_we_can_answer_is_taken() {
        let (mut client, mut ids) = client();
        let lines = [
            r#"Digest realm="r", nonce="n0", algorithm=SHA-1"#,
            r#"Digest realm="r", nonce="n1", algorithm=SHA-256, qop="auth""#,
            r#"Digest realm="r", nonce="n2", algorithm=MD5"#,
        ];
        client.challenged(lines.into_iter(), None, &mut ids).unwrap();
        assert!(client.authorize(SUBJECT).unwrap().contains("algorithm=SHA-256"));
    }

    #[test]
    fn a_wrong_password_is_not_tried_twice_but_a_stale_nonce_is() {
        let (mut client, mut ids) = client();
        challenge(&mut client, &mut ids, r#"Digest realm="r", nonce="n1""#, None).unwrap();
        let sent = client.authorize(SUBJECT).unwrap();
        let fresh = r#"Digest realm="r", nonce="n2""#;
        assert_eq!(challenge(&mut client, &mut ids, fresh, Some(&sent)), Err(Refused::WrongCredentials));
        let stale = r#"Digest realm="r", nonce="n2", stale=true"#;
        assert_eq!(challenge(&mut client, &mut ids, stale, Some(&sent)), Ok(()));
    }

    #[test]
    fn a_server_that_forgets_to_say_stale_is_followed_after_the_nonce_has_served() {
        let (mut client, mut ids) = client();
        challenge(&mut client, &mut ids, r#"Digest realm="r", nonce="n1""#, None).unwrap();
        client.authorize(SUBJECT);
        let sent = client.authorize(SUBJECT).unwrap();
        assert_eq!(challenge(&mut client, &mut ids, r#"Digest realm="r", nonce="n2""#, Some(&sent)), Ok(()));
        let sent = client.authorize(SUBJECT).unwrap();
        let again = challenge(&mut client, &mut ids, r#"Digest realm="r", nonce="n3""#, Some(&sent));
        assert_eq!(again, Err(Refused::WrongCredentials));
    }

    #[test]
    fn nothing_that_is_printed_holds_the_password() {
        let (client, _) = client();
        assert!(!format!("{client:?}").contains("\"p\""));
    }
}
