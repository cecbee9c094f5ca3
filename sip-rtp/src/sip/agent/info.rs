//! Telephone keys in SIP INFO: `application/dtmf-relay` and the older `application/dtmf`. No RFC has them;
//! this is what peers do.

use crate::sip::text;

/// How long a key counts as held when nobody says.
const USUAL_MS: u32 = 160;
/// The longest that is believed.
const LONGEST_MS: u32 = 6000;

/// The key in a body of this type. `None` when it holds none.
pub(super) fn read(kind: &str, body: &[u8]) -> Option<(char, u32)> {
    let text = String::from_utf8_lossy(body);
    match kind {
        "application/dtmf" => Some((key(text.trim())?, USUAL_MS)),
        "application/dtmf-relay" => {
            let field = |name: &str| {
                let pairs = text.lines().filter_map(|line| line.split_once('='));
                pairs
                    .filter(|(n, _)| n.trim().eq_ignore_ascii_case(name))
                    .map(|(_, v)| v.trim().to_owned())
                    .next()
            };
            let duration = field("Duration").and_then(|ms| text::number(&ms));
            let duration = duration.and_then(|ms| u32::try_from(ms).ok()).unwrap_or(USUAL_MS);
            Some((key(&field("Signal")?)?, duration.min(LONGEST_MS)))
        }
        _ => None,
    }
}

/// A body for `key`.
pub(super) fn write(key: char, duration_ms: u32) -> Vec<u8> {
    format!("Signal={key}\r\nDuration={duration_ms}\r\n").into_bytes()
}

/// One of the sixteen, by its sign or by its RFC 4733 event number.
pub(super) fn key(text: &str) -> Option<char> {
    const KEYS: &[u8; 16] = b"0123456789*#ABCD";
    if text.len() == 1 {
        let sign = text.bytes().next()?.to_ascii_uppercase();
        return KEYS.contains(&sign).then_some(sign as char);
    }
    let number = usize::try_from(text::number(text)?).ok()?;
    KEYS.get(number).map(|sign| *sign as char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read() {
        let relay = |body: &str| read("application/dtmf-relay", body.as_bytes());
        assert_eq!(relay("Signal=5\r\nDuration=250\r\n"), Some(('5', 250)));
        assert_eq!(relay("signal = # \nduration=99999999999"), Some(('#', 160)));
        assert_eq!(relay("Signal=11"), Some(('#', 160)));
        assert_eq!(relay("Signal=d\r\nDuration=100000"), Some(('D', 6000)));
        assert_eq!(read("application/dtmf", b" 7\r\n"), Some(('7', 160)));
        assert_eq!(relay(std::str::from_utf8(&write('*', 200)).unwrap()), Some(('*', 200)));
    }

    #[test]
    fn what_is_no_key_gives_none() {
        for body in ["", "Signal=", "Signal=E", "Signal=16", "Duration=5"] {
            assert_eq!(read("application/dtmf-relay", body.as_bytes()), None, "{body}");
        }
        assert_eq!(read("text/plain", b"5"), None);
    }
}
