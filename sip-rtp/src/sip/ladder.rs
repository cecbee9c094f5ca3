//! One line per message, for a carrier's support desk: when, which way, what, and which call, without telling
//! who calls whom.

use super::header::Name;
use super::message::Message;
use super::param::Params;
use super::parse::{Framing, Limits, parse};
use super::transport::Peer;
use super::uri::Uri;
use super::words::{MOST_OF_A_REASON, plain};
use crate::sdp::Description;
use offhook_units::Moment;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// The most that is shown of anything else that a peer words itself.
const MOST_OF_A_WORD: usize = 40;
/// Media lines that are shown.
const MOST_MEDIA: usize = 4;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To us.
    In,
    /// From us.
    Out,
}

/// The line for a message. Users in URIs and their parameters are left out; hosts stay, as the desk needs them. What the
/// peer wrote in words of its own is cut short and cleaned of numbers. The Call-ID is
/// shown as a short hash when it is not ours to show: it may hold the name of a machine.
pub fn line(now: Moment, way: Way, peer: Peer, bytes: &[u8]) -> String {
    let seconds = now.as_micros() / 1_000_000;
    let (ms, arrow) = (now.as_micros() / 1000 % 1000, if way == Way::In { "<-" } else { "->" });
    let mut out = format!("{seconds:>6}.{ms:03} {arrow} {} {}", peer.transport, peer.addr);
    // Writing to a string cannot fail.
    let _ = match parse(bytes, Framing::Datagram, &Limits::default()) {
        Ok(message) => write!(out, " {}", describe(&message)),
        Err(malformed) => write!(out, " unreadable: {} ({} bytes)", malformed.fault(), bytes.len()),
    };
    out
}

fn describe(message: &Message) -> String {
    let ident = message.ident();
    let (mut out, headers, body) = match message {
        Message::Request(request) => {
            let method = plain(request.method.as_str(), MOST_OF_A_WORD);
            (format!("{method} {}", redacted(&request.uri)), &request.headers, &request.body)
        }
        Message::Response(response) => {
            let reason = plain(&response.reason, MOST_OF_A_WORD);
            (format!("{} {reason}", response.status), &response.headers, &response.body)
        }
    };
    let method = plain(ident.cseq.method.as_str(), MOST_OF_A_WORD);
    let _ = write!(out, " | {} {method} | call {}", ident.cseq.number, short(&ident.call_id));
    for name in [Name::RetryAfter, Name::SessionExpires] {
        // What follows the number is a comment or a parameter (RFC 3261 20.33, RFC 4028 4).
        if let Some(seconds) = headers.number(&name) {
            let _ = write!(out, " | {name}: {seconds}");
        }
    }
    for name in [Name::Reason, Name::Require, Name::Warning] {
        if let Some(value) = headers.get(&name) {
            let _ = write!(out, " | {name}: {}", plain(value, MOST_OF_A_REASON));
        }
    }
    if let Ok(description) = Description::parse(body) {
        for media in description.media.iter().take(MOST_MEDIA) {
            let direction = description.direction_of(media).name();
            let (kind, port) = (plain(&media.kind, MOST_OF_A_WORD), media.port.unwrap_or(0));
            // Numbers of formats in a row are no groups of one number.
            let formats: Vec<_> = media.formats.iter().map(|one| plain(one, MOST_OF_A_WORD)).collect();
            let formats: String = formats.join(" ").chars().take(MOST_OF_A_REASON).collect();
            let _ = write!(out, " | {kind} {port} [{formats}] {direction}");
        }
    }
    out
}

fn redacted(uri: &Uri) -> String {
    match uri {
        Uri::Sip(sip) => {
            let mut bare = sip.clone();
            bare.user = sip.user.as_ref().map(|_| "…".to_owned());
            (bare.password, bare.headers, bare.params) = (None, None, Params::default());
            bare.to_string().chars().take(MOST_OF_A_REASON).collect()
        }
        Uri::Other { scheme, .. } => format!("{}:…", plain(scheme, MOST_OF_A_WORD)),
    }
}

/// Six digits that tell the calls of one trace apart.
fn short(call_id: &str) -> String {
    super::ids::hex(Sha256::digest(call_id).get(..3).unwrap_or(&[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:+15550100@trunk.example;user=phone SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n\
        From: \"Alice Doe\" <sip:alice@192.0.2.1>;tag=1\r\nTo: <sip:+15550100@trunk.example>\r\nCall-ID: secret@host\r\nCSeq: 7 INVITE\r\n\
        Session-Expires: 1800\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nm=audio 4000 RTP/AVP 8 101\r\na=sendonly\r\n";

    fn show(bytes: &[u8]) -> String {
        line(Moment::from_millis(1_234), Way::In, Peer::udp("192.0.2.1:5060".parse().unwrap()), bytes)
    }

    #[test]
    fn a_line_tells_what_and_not_who() {
        let text = show(INVITE.as_bytes());
        assert!(
            text.starts_with(
                "     1.234 <- UDP 192.0.2.1:5060 INVITE sip:…@trunk.example | 7 INVITE | call "
            ),
            "{text}"
        );
        assert!(text.ends_with(" | Session-Expires: 1800 | audio 4000 [8 101] sendonly"), "{text}");
        for private in ["5550100", "Alice", "alice", "secret"] {
            assert!(!text.contains(private), "{text} tells {private}");
        }
    }

    #[test]
    fn what_a_peer_words_itself_is_short_and_tells_no_numbers() {
        let tells = "SIP;cause=302;text=\"moved to +49-30-5550100, ask bob@192.0.2.7 (or 6001)\"";
        let bye = format!(
            "BYE sip:alice@h;rn=+15550199 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\n\
             To: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 8 BYE\r\nReason: {tells}\r\nRetry-After: 60 (ring 5550100)\r\n\r\n"
        );
        let text = show(bye.as_bytes());
        assert!(
            text.contains("BYE sip:…@h | 8 BYE") && text.contains("cause=302") && text.contains(": 60"),
            "{text}"
        );
        for private in ["5550100", "bob", "6001", "15550199", "alice"] {
            assert!(!text.contains(private), "{text} tells {private}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_one_line_too() {
        assert!(show(b"\x00garbage\r\n\r\n").ends_with("unreadable: not SIP (12 bytes)"));
        assert_eq!(show(INVITE.replace("SIP/2.0\r\nVia", "SIP/9\r\nVia").as_bytes()).lines().count(), 1);
    }
}
