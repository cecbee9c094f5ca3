//! Keys as bodies of SIP INFO requests. There is no standard for them, only two habits:
//! `application/dtmf-relay` with its `Signal=` and `Duration=` lines, and `application/dtmf` with the bare key.

use super::Digit;
use offhook_units::Span;
use std::fmt;

/// Which of the two habits a body follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InfoKind {
    /// `application/dtmf-relay`.
    Relay,
    /// `application/dtmf`.
    Plain,
}

/// A key in a SIP INFO body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InfoDtmf {
    /// The key.
    pub digit: Digit,
    /// How long it was, or is to be, pressed.
    pub duration: Span,
}

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

impl InfoKind {
    /// The kind that a Content-Type names; its parameters are ignored.
    ///
    /// # Errors
    /// [`InfoError::ContentType`] for any other.
    pub fn of_content_type(value: &str) -> Result<Self, InfoError> {
        let essence = value.split(';').next().unwrap_or_default().trim();
        [Self::Relay, Self::Plain]
            .into_iter()
            .find(|kind| kind.content_type().eq_ignore_ascii_case(essence))
            .ok_or(InfoError::ContentType)
    }

    /// The Content-Type to send.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Relay => "application/dtmf-relay",
            Self::Plain => "application/dtmf",
        }
    }
}

impl InfoDtmf {
    /// What a body without a duration is taken for.
    pub const USUAL: Span = Span::from_millis(250);
    /// Longest duration taken seriously: nobody holds a key for longer than ten seconds on purpose.
    const LONGEST_MS: i64 = 10_000;

    /// Reads a body.
    ///
    /// # Errors
    /// [`InfoError`] when it names no key.
    pub fn parse(kind: InfoKind, body: &[u8]) -> Result<Self, InfoError> {
        match kind {
            InfoKind::Relay => Self::parse_relay(body),
            InfoKind::Plain => {
                let digit = digit_of(body.trim_ascii())?;
                Ok(Self { digit, duration: Self::USUAL })
            }
        }
    }

    fn parse_relay(body: &[u8]) -> Result<Self, InfoError> {
        let mut digit = Err(InfoError::NoSignal);
        let mut duration = Self::USUAL;
        for line in body.split(|&byte| byte == b'\n' || byte == b'\r') {
            let Some(equals) = line.iter().position(|&byte| byte == b'=') else { continue };
            let (name, value) = (&line[..equals], line[equals + 1..].trim_ascii());
            if name.trim_ascii().eq_ignore_ascii_case(b"signal") {
                digit = digit_of(value);
            } else if name.trim_ascii().eq_ignore_ascii_case(b"duration") {
                duration = duration_of(value).unwrap_or(Self::USUAL);
            }
        }
        Ok(Self { digit: digit?, duration })
    }

    /// The body to send.
    pub fn body(&self, kind: InfoKind) -> String {
        match kind {
            InfoKind::Relay => {
                format!("Signal={}\r\nDuration={}\r\n", self.digit, self.duration.as_micros() / 1000)
            }
            InfoKind::Plain => self.digit.to_string(),
        }
    }
}

/// A key by its name, or by its event code, as some gateways write `*`, `#` and `A` to `D`.
fn digit_of(signal: &[u8]) -> Result<Digit, InfoError> {
    let text = std::str::from_utf8(signal).map_err(|_| InfoError::NotAKey)?.trim_matches('"');
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (None, _) => Err(InfoError::NoSignal),
        (Some(key), None) => Digit::from_char(key).ok_or(InfoError::NotAKey),
        _ => text.parse().ok().and_then(Digit::from_event).ok_or(InfoError::NotAKey),
    }
}

fn duration_of(value: &[u8]) -> Option<Span> {
    let ms: i64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (1..=InfoDtmf::LONGEST_MS).contains(&ms).then(|| Span::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: char) -> Digit {
        Digit::from_char(key).unwrap()
    }

    #[test]
    fn bodies_as_gateways_write_them_are_read() {
        let cases: [(&[u8], char, i64); 8] = [
            (b"Signal=5\r\nDuration=160\r\n", '5', 160),
            (b"Signal= 5\r\nDuration= 160", '5', 160),
            (b"signal = *\nduration = 100\n", '*', 100),
            (b"Duration=70\r\nSignal=#\r\n", '#', 70),
            (b"Signal=d\r\n", 'D', 250),
            (b"Signal=10\r\nDuration=x", '*', 250),
            (b"Signal=11\r\nDuration=-3", '#', 250),
            (b"\r\nSignal=\"9\"\r\nDuration=999999\r\n", '9', 250),
        ];
        for (body, digit, ms) in cases {
            let expected = InfoDtmf { digit: key(digit), duration: Span::from_millis(ms) };
            assert_eq!(InfoDtmf::parse(InfoKind::Relay, body), Ok(expected), "{}", body.escape_ascii());
        }
        for (body, digit) in [(&b"7"[..], '7'), (b" 12\r\n", 'A')] {
            assert_eq!(InfoDtmf::parse(InfoKind::Plain, body).map(|info| info.digit), Ok(key(digit)));
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
            assert_eq!(InfoDtmf::parse(InfoKind::Relay, body), Err(error), "{}", body.escape_ascii());
        }
        assert_eq!(InfoDtmf::parse(InfoKind::Plain, b"Signal=5"), Err(InfoError::NotAKey));
    }

    #[test]
    fn what_is_written_is_read_back() {
        for kind in [InfoKind::Relay, InfoKind::Plain] {
            for digit in Digit::all() {
                let info = InfoDtmf { digit, duration: InfoDtmf::USUAL };
                assert_eq!(InfoDtmf::parse(kind, info.body(kind).as_bytes()), Ok(info));
            }
            assert_eq!(InfoKind::of_content_type(&kind.content_type().to_uppercase()), Ok(kind));
        }
        assert_eq!(InfoKind::of_content_type("application/DTMF ; charset=x"), Ok(InfoKind::Plain));
        assert_eq!(InfoKind::of_content_type("application/sdp"), Err(InfoError::ContentType));
    }
}
