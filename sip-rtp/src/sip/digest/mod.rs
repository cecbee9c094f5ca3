//! Digest authentication (RFC 7616, RFC 8760 for SIP, RFC 2617 and 2069 for what older peers still speak).
//!
//! [`challenge`] reads and writes the headers, [`client`] answers challenges, [`server`] makes and checks them.
//! The arithmetic of all of them is here.

pub mod challenge;
pub mod client;
pub mod server;

use super::ids::hex;
use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512_256};
use std::fmt;

/// A hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// Broken, and what most trunks ask for.
    Md5,
    /// RFC 8760's mandatory one.
    Sha256,
    /// SHA-512/256.
    Sha512Trunc256,
}

/// A hash, and whether the session variant of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithm {
    /// The hash.
    pub hash: Hash,
    /// `-sess`: the first nonces of both sides go into the secret.
    pub session: bool,
}

impl Algorithm {
    /// What a challenge without `algorithm` means.
    pub const MD5: Self = Self { hash: Hash::Md5, session: false };
    /// SHA-256, plain.
    pub const SHA256: Self = Self { hash: Hash::Sha256, session: false };

    const NAMES: [(&'static str, Self); 6] = [
        ("MD5", Self::MD5),
        ("MD5-sess", Self { hash: Hash::Md5, session: true }),
        ("SHA-256", Self::SHA256),
        ("SHA-256-sess", Self { hash: Hash::Sha256, session: true }),
        ("SHA-512-256", Self { hash: Hash::Sha512Trunc256, session: false }),
        ("SHA-512-256-sess", Self { hash: Hash::Sha512Trunc256, session: true }),
    ];

    /// The algorithm called `name`; `None` when we do not have it.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, a)| *a)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, a)| *a == self).map_or("MD5", |(n, _)| n)
    }

    /// The hash of the parts, joined by colons, in hexadecimal.
    pub(crate) fn joined(self, parts: &[&str]) -> String {
        fn run<D: sha2::Digest>(parts: &[&str]) -> String {
            let mut hash = D::new();
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    hash.update(b":");
                }
                hash.update(part);
            }
            hex(&hash.finalize())
        }
        match self.hash {
            Hash::Md5 => run::<Md5>(parts),
            Hash::Sha256 => run::<Sha256>(parts),
            Hash::Sha512Trunc256 => run::<Sha512_256>(parts),
        }
    }

    fn of_bytes(self, bytes: &[u8]) -> String {
        match self.hash {
            Hash::Md5 => hex(&Md5::digest(bytes)),
            Hash::Sha256 => hex(&Sha256::digest(bytes)),
            Hash::Sha512Trunc256 => hex(&Sha512_256::digest(bytes)),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Quality of protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qop {
    /// The request line is covered.
    Auth,
    /// The body too.
    AuthInt,
}

impl Qop {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }

    /// The one called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Auth, Self::AuthInt].into_iter().find(|q| q.name().eq_ignore_ascii_case(name))
    }
}

/// All that goes into the `response` value.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) algorithm: Algorithm,
    pub(crate) user: &'a str,
    pub(crate) realm: &'a str,
    pub(crate) password: &'a str,
    pub(crate) nonce: &'a str,
    /// With qop: its kind, the nonce count as sent (eight hexadecimal digits) and the client's nonce.
    pub(crate) qop: Option<(Qop, &'a str)>,
    pub(crate) cnonce: &'a str,
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
    pub(crate) body: &'a [u8],
}

/// RFC 7616 3.4.1 to 3.4.3; without qop as RFC 2069 had it.
pub(crate) fn response(inputs: &Inputs<'_>) -> String {
    let Inputs { algorithm, user, realm, password, nonce, qop, cnonce, method, uri, body } = *inputs;
    let mut secret = algorithm.joined(&[user, realm, password]);
    if algorithm.session {
        secret = algorithm.joined(&[&secret, nonce, cnonce]);
    }
    let asked = match qop {
        Some((Qop::AuthInt, _)) => algorithm.joined(&[method, uri, &algorithm.of_bytes(body)]),
        _ => algorithm.joined(&[method, uri]),
    };
    match qop {
        Some((kind, count)) => algorithm.joined(&[&secret, nonce, count, cnonce, kind.name(), &asked]),
        None => algorithm.joined(&[&secret, nonce, &asked]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC7616: Inputs<'static> = Inputs {
        algorithm: Algorithm::MD5,
        user: "Mufasa",
        realm: "http-auth@example.org",
        password: "Circle of Life",
        nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        qop: Some((Qop::Auth, "00000001")),
        cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        method: "GET",
        uri: "/dir/index.html",
        body: b"",
    };

    #[test]
    fn the_examples_of_rfc_7616_come_out() {
        assert_eq!(response(&RFC7616), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            response(&Inputs { algorithm: Algorithm::SHA256, ..RFC7616 }),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn the_example_of_rfc_2617_comes_out() {
        let inputs = Inputs {
            realm: "testrealm@host.com",
            password: "Circle Of Life",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            cnonce: "0a4f113b",
            ..RFC7616
        };
        assert_eq!(response(&inputs), "6629fae49393a05397450978507c4ef1");
    }

    /// RFC 7616 3.9.2, with the values of its erratum 4897: those printed were not made with SHA-512/256.
    #[test]
    fn the_sha_512_256_example_comes_out() {
        let algorithm = Algorithm::from_name("SHA-512-256").unwrap();
        let inputs = Inputs {
            algorithm,
            user: "J\u{e4}s\u{f8}n Doe",
            realm: "api@example.org",
            password: "Secret, or not?",
            nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
            cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
            uri: "/doe.json",
            ..RFC7616
        };
        assert_eq!(
            algorithm.joined(&[inputs.user, inputs.realm]),
            "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
        );
        assert_eq!(response(&inputs), "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
    }

    #[test]
    fn session_integrity_and_age_each_change_the_answer() {
        let plain = response(&RFC7616);
        let session = Algorithm { session: true, ..Algorithm::MD5 };
        let variants = [
            response(&Inputs { algorithm: session, ..RFC7616 }),
            response(&Inputs { qop: Some((Qop::AuthInt, "00000001")), ..RFC7616 }),
            response(&Inputs { qop: Some((Qop::AuthInt, "00000001")), body: b"x", ..RFC7616 }),
            response(&Inputs { qop: None, ..RFC7616 }),
            plain,
        ];
        for (i, a) in variants.iter().enumerate() {
            assert!(variants.iter().skip(i + 1).all(|b| a != b));
        }
    }

    #[test]
    fn algorithms_go_by_name_in_any_case() {
        for (name, algorithm) in Algorithm::NAMES {
            assert_eq!(Algorithm::from_name(&name.to_lowercase()), Some(algorithm));
            assert_eq!(algorithm.name(), name);
        }
        assert_eq!(Algorithm::from_name("SHA-1"), None);
    }
}
