//! Keys as bodies of SIP INFO requests. There is no standard for them, only two habits:
//! `application/dtmf-relay` with its `Signal=` and `Duration=` lines, and `application/dtmf` with the bare key. Each
//! request is a key of its own, however soon it follows another: how long it was held is the sender's affair.

use super::Digit;
use std::fmt;

/// What we send, and most gateways do.
pub const DTMF_RELAY: &str = "application/dtmf-relay";
/// The older habit.
pub const DTMF: &str = "application/dtmf";

/// Why a SIP INFO body names no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InfoError {
    /// The content type is neither of the two.
    ContentType,
    /// There is no signal in it.
    NoSignal,
    /// The signal is not one of the sixteen keys (hook flash among others).
    NotAKey,
}

impl fmt::Display for InfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ContentType => "expected application/dtmf-relay or application/dtmf",
            Self::NoSignal => "the body names no signal",
            Self::NotAKey => "the signal is none of 0 to 9, *, #, A to D",
        })
    }
}

impl std::error::Error for InfoError {}

/// The key in a body of this type, which stands without its parameters.
///
/// # Errors
/// [`InfoError`] when it names none.
pub fn key_of_info(content_type: &str, body: &[u8]) -> Result<Digit, InfoError> {
    if content_type.eq_ignore_ascii_case(DTMF_RELAY) {
        return key_of(signal(body).ok_or(InfoError::NoSignal)?);
    }
    if content_type.eq_ignore_ascii_case(DTMF) {
        return key_of(body.trim_ascii());
    }
    Err(InfoError::ContentType)
}

/// A body of [`DTMF_RELAY`] that has `key` pressed for so long.
pub fn info_of_key(key: Digit, duration_ms: u32) -> String {
    format!("Signal={key}\r\nDuration={duration_ms}\r\n")
}

fn signal(body: &[u8]) -> Option<&[u8]> {
    body.split(|&byte| byte == b'\n' || byte == b'\r').find_map(|line| {
        let equals = line.iter().position(|&byte| byte == b'=')?;
        let (name, value) = line.split_at_checked(equals)?;
        name.trim_ascii().eq_ignore_ascii_case(b"signal").then(|| value.get(1..).unwrap_or(&[]).trim_ascii())
    })
}

/// A key by its name, or by its event code, as some gateways write `*`, `#` and `A` to `D`.
fn key_of(signal: &[u8]) -> Result<Digit, InfoError> {
    let text = std::str::from_utf8(signal).map_err(|_| InfoError::NotAKey)?.trim_matches('"');
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (None, _) => Err(InfoError::NoSignal),
        (Some(key), None) => Digit::from_char(key).ok_or(InfoError::NotAKey),
        _ => text.parse().ok().and_then(Digit::from_event).ok_or(InfoError::NotAKey),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: char) -> Digit {
        Digit::from_char(key).unwrap()
    }

    #[test]
    fn bodies_as_gateways_write_them_are_read() {
        let cases: [(&[u8], char); 8] = [
            (b"Signal=5\r\nDuration=160\r\n", '5'),
            (b"Signal= 5\r\nDuration= 160", '5'),
            (b"signal = *\nduration = 100\n", '*'),
            (b"Duration=70\r\nSignal=#\r\n", '#'),
            (b"Signal=d\r\n", 'D'),
            (b"Signal=10\r\nDuration=x", '*'),
            (b"Signal=11\r\nDuration=-3", '#'),
            (b"\r\nSignal=\"9\"\r\nDuration=999999\r\n", '9'),
        ];
        for (body, digit) in cases {
            assert_eq!(key_of_info(DTMF_RELAY, body), Ok(key(digit)), "{}", body.escape_ascii());
        }
        for (body, digit) in [(&b"7"[..], '7'), (b" 12\r\n", 'A')] {
            assert_eq!(key_of_info("Application/DTMF", body), Ok(key(digit)));
        }
    }

    #[test]
    fn bodies_without_a_key_say_what_they_lack() {
        for (body, error) in [
            (&b""[..], InfoError::NoSignal),
            (b"Signal=", InfoError::NoSignal),
            (b"Signal", InfoError::NoSignal),
            (b"Signal=16", InfoError::NotAKey),
            (b"Signal=hf", InfoError::NotAKey),
            (b"Signal=\xFF\xFE", InfoError::NotAKey),
        ] {
            assert_eq!(key_of_info(DTMF_RELAY, body), Err(error), "{}", body.escape_ascii());
        }
        assert_eq!(key_of_info(DTMF, b"Signal=5"), Err(InfoError::NotAKey));
        assert_eq!(key_of_info("application/sdp", b"5"), Err(InfoError::ContentType));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for digit in Digit::all() {
            assert_eq!(key_of_info(DTMF_RELAY, info_of_key(digit, 100).as_bytes()), Ok(digit));
        }
    }
}
