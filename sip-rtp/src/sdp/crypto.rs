//! SRTP keys in SDP: `a=crypto` (SDES, RFC 4568; suites of RFC 4568 6.2 and RFC 6188 3).

use super::base64;
use crate::media::srtp::Suite;
use offhook_units::Pii;
use std::fmt;

/// The suite called `name`; also by the order of words that some phones use for the longer key.
fn suite(name: &str) -> Option<Suite> {
    Suite::from_name(&name.to_ascii_uppercase().replace("AES_CM_256", "AES_256_CM"))
}

/// One `a=crypto` line that we can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crypto {
    /// Its number in the description; the answer repeats the one that it chose.
    pub tag: u32,
    /// The suite.
    pub suite: Suite,
    /// Master key and salt, as long as the suite says.
    pub key: Pii<Vec<u8>>,
}

impl Crypto {
    /// Reads the value of the attribute. `None` for what we cannot do: other suites, an MKI, session
    /// parameters that would change the packets.
    pub fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next()?.parse().ok()?;
        let suite = suite(words.next()?)?;
        let inline = words.next()?;
        let inline = inline.get(..7).filter(|p| p.eq_ignore_ascii_case("inline:")).and(inline.get(7..))?;
        // "inline:key|lifetime|MKI:length", several keys parted by ';'. A lifetime is longer than any call.
        let mut parts = inline.split('|');
        let key = parts.next()?;
        if inline.contains(';') || parts.any(|part| part.contains(':')) || words.next().is_some() {
            return None;
        }
        let key = base64::decode(key).filter(|key| key.len() == suite.key_and_salt_len())?;
        Some(Self { tag, suite, key: Pii::new(key) })
    }
}

impl fmt::Display for Crypto {
    /// The attribute's value, key and all: for the wire, never for a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} inline:{}", self.tag, self.suite.name(), base64::encode(self.key.reveal()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    #[test]
    fn a_line_is_written_as_it_is_read() {
        let line = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
        assert_eq!(Crypto::parse(&line).unwrap().to_string(), line);
        let with_life = Crypto::parse(&format!("{line}|2^31")).unwrap();
        assert_eq!(with_life.to_string(), line);
    }

    #[test]
    fn the_long_key_goes_by_both_names() {
        let key = base64::encode(&[5; 46]);
        for name in ["AES_256_CM_HMAC_SHA1_80", "aes_cm_256_hmac_sha1_80"] {
            let crypto = Crypto::parse(&format!("2 {name} inline:{key}")).unwrap();
            assert_eq!(crypto.suite, Suite::Aes256Sha1_80);
        }
    }

    #[test]
    fn what_we_cannot_do_is_passed_over() {
        for line in [
            format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"),
            "1 AES_CM_128_HMAC_SHA1_80 inline:c2hvcnQ=".into(),
            format!("x AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            "1 AES_CM_128_HMAC_SHA1_80".into(),
            String::new(),
        ] {
            assert_eq!(Crypto::parse(&line), None, "{line}");
        }
    }

    #[test]
    fn a_debug_print_does_not_tell_the_key() {
        let crypto = Crypto::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}")).unwrap();
        assert!(format!("{crypto:?}").contains("[redacted]"));
    }
}
