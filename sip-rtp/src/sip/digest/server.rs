//! Makes challenges and checks what comes back, without keeping anything for those who never answer.

use super::challenge::{Answer, Challenge};
use super::client::{Credentials, Subject};
use super::{Algorithm, Inputs, Qop, response};
use crate::sip::ids::hex;
use crate::sip::uri::Uri;
use offhook_units::{Moment, Span};
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::fmt;

/// How long a nonce is taken. A call's first INVITE follows its challenge at once; refreshes may wait.
const NONCE_LIFE: Span = Span::from_millis(60_000);
/// How many nonces in use are remembered for their counts. Older ones become stale, which costs one round trip.
const REMEMBERED: usize = 128;

/// What credentials were worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are right.
    Accepted,
    /// There were none, or none that we can check: challenge.
    Absent,
    /// They are right but the nonce is old: challenge with `stale`.
    Stale,
    /// They are wrong, or were used before.
    Wrong,
}

/// The server's side of one realm.
pub struct Server {
    realm: String,
    secret: [u8; 32],
    md5_first: bool,
    /// Nonces that served, each with the highest count seen.
    counts: VecDeque<(String, u32)>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("realm", &self.realm).finish_non_exhaustive()
    }
}

impl Server {
    /// A server whose nonces hang on `secret`.
    pub fn new(realm: impl Into<String>, secret: [u8; 32]) -> Self {
        Self { realm: realm.into(), secret, md5_first: false, counts: VecDeque::with_capacity(REMEMBERED) }
    }

    /// Asks for MD5 before SHA-256: old callers read the first challenge only, and know no other algorithm.
    #[must_use]
    pub const fn md5_first(mut self, md5_first: bool) -> Self {
        self.md5_first = md5_first;
        self
    }

    /// The challenges to send, best first (RFC 8760 2.4) unless told otherwise.
    pub fn challenges(&self, now: Moment, stale: bool) -> [Challenge; 2] {
        let mut algorithms = [Algorithm::SHA256, Algorithm::MD5];
        if self.md5_first {
            algorithms.reverse();
        }
        algorithms.map(|algorithm| Challenge {
            realm: self.realm.clone(),
            nonce: self.nonce(now),
            opaque: None,
            stale,
            algorithm,
            qop: vec![Qop::Auth],
            userhash: false,
        })
    }

    /// Checks the Authorization `lines` of a request.
    pub fn check<'a>(
        &mut self,
        now: Moment,
        lines: impl Iterator<Item = &'a str>,
        subject: Subject<'_>,
        credentials: &Credentials,
    ) -> Verdict {
        let ours = lines.filter_map(Answer::parse).find(|a| a.get("realm") == Some(self.realm.as_str()));
        match ours {
            Some(answer) => self.check_answer(now, &answer, subject, credentials).unwrap_or(Verdict::Wrong),
            None => Verdict::Absent,
        }
    }

    /// `None` when something that must be there is not.
    fn check_answer(
        &mut self,
        now: Moment,
        answer: &Answer,
        subject: Subject<'_>,
        credentials: &Credentials,
    ) -> Option<Verdict> {
        let algorithm = answer.get("algorithm").map_or(Some(Algorithm::MD5), Algorithm::from_name)?;
        // Only what was offered: both challenges had "auth", so an answer without it is an attempt to step down.
        let qop = Qop::from_name(answer.get("qop")?).filter(|q| *q == Qop::Auth)?;
        let offered = algorithm == Algorithm::MD5 || algorithm == Algorithm::SHA256;
        let (nonce, uri, count) = (answer.get("nonce")?, answer.get("uri")?, answer.get("nc")?);
        let (cnonce, given) = (answer.get("cnonce")?, answer.get("response")?);
        if !offered || !same_uri(uri, subject.uri) || answer.get("username")? != credentials.user.reveal() {
            return None;
        }
        let expected = response(&Inputs {
            algorithm,
            user: credentials.user.reveal(),
            realm: &self.realm,
            password: credentials.password.reveal(),
            nonce,
            qop: Some((qop, count)),
            cnonce,
            method: subject.method,
            uri,
            body: subject.body,
        });
        if !equal_in_constant_time(expected.as_bytes(), given.to_ascii_lowercase().as_bytes()) {
            return None;
        }
        if !self.is_fresh(now, nonce) {
            return Some(Verdict::Stale);
        }
        let count = u32::from_str_radix(count, 16).ok()?;
        Some(self.take_count(nonce, count))
    }

    /// A count is good once (RFC 7616 3.4): that is what stops a replay.
    fn take_count(&mut self, nonce: &str, count: u32) -> Verdict {
        if let Some((_, seen)) = self.counts.iter_mut().find(|(n, _)| n == nonce) {
            if count <= *seen {
                return Verdict::Wrong;
            }
            *seen = count;
            return Verdict::Accepted;
        }
        // Unknown and not the first use: it was forgotten, and its counts with it.
        if count != 1 {
            return Verdict::Stale;
        }
        if self.counts.len() >= REMEMBERED {
            self.counts.pop_front();
        }
        self.counts.push_back((nonce.to_owned(), count));
        Verdict::Accepted
    }

    /// The time and a seal over it: nothing needs to be kept for a challenge that is never answered.
    fn nonce(&self, now: Moment) -> String {
        let time = now.as_micros().to_be_bytes();
        format!("{}{}", hex(&time), self.seal(&time))
    }

    fn seal(&self, time: &[u8]) -> String {
        let hash =
            Sha256::new().chain_update(self.secret).chain_update(b"nonce").chain_update(time).finalize();
        hex(hash.get(..16).unwrap_or(&[]))
    }

    fn is_fresh(&self, now: Moment, nonce: &str) -> bool {
        let Some((time, seal)) = nonce.split_at_checked(16) else { return false };
        let Ok(made) = u64::from_str_radix(time, 16) else { return false };
        let sealed = equal_in_constant_time(self.seal(&made.to_be_bytes()).as_bytes(), seal.as_bytes());
        let age = now.since(Moment::from_micros(made));
        sealed && age >= Span::ZERO && age <= NONCE_LIFE
    }
}

/// The digest's URI names the same resource as the request's; proxies may have rewritten its text.
fn same_uri(a: &str, b: &str) -> bool {
    a == b || matches!((Uri::parse(a), Uri::parse(b)), (Some(a), Some(b)) if a.is_same(&b))
}

fn equal_in_constant_time(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differ, (x, y)| differ | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::super::client::Client;
    use super::*;
    use crate::sip::ids::Ids;
    use offhook_units::Pii;

    const SUBJECT: Subject<'static> = Subject { method: "INVITE", uri: "sip:100@box", body: b"" };
    const T0: Moment = Moment::from_millis(1000);

    fn credentials(password: &str) -> Credentials {
        Credentials { user: Pii::new("pbx".into()), password: Pii::new(password.into()) }
    }

    /// The line that a client with `password` answers the server's challenge with.
    fn answer(server: &Server, password: &str, which: usize) -> String {
        let mut client = Client::new(credentials(password));
        let line = server.challenges(T0, false)[which].to_string();
        client.challenged(std::iter::once(line.as_str()), None, &mut Ids::new([2; 32])).unwrap();
        client.authorize(SUBJECT).unwrap()
    }

    fn check(server: &mut Server, now: Moment, line: &str) -> Verdict {
        server.check(now, std::iter::once(line), SUBJECT, &credentials("secret"))
    }

    #[test]
    fn our_own_client_gets_in_with_both_algorithms_and_only_with_the_password() {
        let mut server = Server::new("offhook", [3; 32]);
        for which in 0..2 {
            // One nonce serves both: it depends on the time alone, so each gets a server of its own.
            let mut server = Server::new("offhook", [3; 32]);
            let line = answer(&server, "secret", which);
            assert_eq!(check(&mut server, T0, &line), Verdict::Accepted);
        }
        let line = answer(&server, "guess", 0);
        assert_eq!(check(&mut server, T0, &line), Verdict::Wrong);
        assert_eq!(server.check(T0, std::iter::empty(), SUBJECT, &credentials("secret")), Verdict::Absent);
        assert_eq!(check(&mut server, T0, "NoOneKnowsThisScheme opaque-data=here"), Verdict::Absent);
    }

    #[test]
    fn the_same_answer_does_not_serve_twice() {
        let mut server = Server::new("offhook", [3; 32]);
        let line = answer(&server, "secret", 0);
        assert_eq!(check(&mut server, T0, &line), Verdict::Accepted);
        assert_eq!(check(&mut server, T0, &line), Verdict::Wrong);
    }

    #[test]
    fn an_old_or_foreign_nonce_is_stale() {
        let mut server = Server::new("offhook", [3; 32]);
        let line = answer(&server, "secret", 0);
        assert_eq!(check(&mut server, T0 + NONCE_LIFE + Span::from_micros(1), &line), Verdict::Stale);
        let mut other = Server::new("offhook", [4; 32]);
        assert_eq!(check(&mut other, T0, &line), Verdict::Stale);
    }

    #[test]
    fn an_answer_to_another_request_or_without_protection_is_wrong() {
        let mut server = Server::new("offhook", [3; 32]);
        let line = answer(&server, "secret", 0);
        let other = Subject { method: "BYE", ..SUBJECT };
        let verdict = server.check(T0, std::iter::once(line.as_str()), other, &credentials("secret"));
        assert_eq!(verdict, Verdict::Wrong);
        assert_eq!(check(&mut server, T0, &line.replace("qop=auth, ", "")), Verdict::Wrong);
        assert_eq!(check(&mut server, T0, &line.replace("sip:100@box", "sip:900@box")), Verdict::Wrong);
    }

    #[test]
    fn callers_who_read_one_challenge_only_may_be_asked_for_md5() {
        let algorithms = |server: &Server| server.challenges(T0, false).map(|challenge| challenge.algorithm);
        let server = Server::new("offhook", [3; 32]);
        assert_eq!(algorithms(&server), [Algorithm::SHA256, Algorithm::MD5]);
        assert_eq!(algorithms(&server.md5_first(true)), [Algorithm::MD5, Algorithm::SHA256]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut server = Server::new("offhook", [3; 32]);
        for i in 0..1000u32 {
            assert_eq!(server.take_count(&i.to_string(), 1), Verdict::Accepted);
        }
        assert_eq!(server.counts.len(), REMEMBERED);
        assert_eq!(server.take_count("0", 2), Verdict::Stale, "forgotten");
        assert_eq!(server.take_count("999", 2), Verdict::Accepted);
    }
}
