//! One line per message, for a carrier's support desk: when, which way, what, and which call, without telling
//! who calls whom.

use super::header::Name;
use super::message::Message;
use super::parse::{Framing, Limits, parse};
use super::transport::Peer;
use super::uri::Uri;
use crate::sdp::Description;
use offhook_units::Moment;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To us.
    In,
    /// From us.
    Out,
}

/// The line for a message. Users in URIs are left out; hosts stay, as the desk needs them. The Call-ID is
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
            (format!("{} {}", request.method, redacted(&request.uri)), &request.headers, &request.body)
        }
        Message::Response(response) => {
            let reason: String = response.reason.chars().filter(|c| !c.is_control()).take(40).collect();
            (format!("{} {reason}", response.status), &response.headers, &response.body)
        }
    };
    let _ = write!(out, " | {} {} | call {}", ident.cseq.number, ident.cseq.method, short(&ident.call_id));
    for name in [Name::Reason, Name::RetryAfter, Name::SessionExpires, Name::Require, Name::Warning] {
        if let Some(value) = headers.get(&name) {
            let value: String = value.chars().filter(|c| !c.is_control()).take(60).collect();
            let _ = write!(out, " | {name}: {value}");
        }
    }
    if let Ok(description) = Description::parse(body) {
        for media in &description.media {
            let direction = description.direction_of(media).name();
            let port = media.port.unwrap_or(0);
            let _ = write!(out, " | {} {port} [{}] {direction}", media.kind, media.formats.join(" "));
        }
    }
    out
}

fn redacted(uri: &Uri) -> String {
    match uri {
        Uri::Sip(sip) => {
            let mut bare = sip.clone();
            bare.user = sip.user.as_ref().map(|_| "…".to_owned());
            (bare.password, bare.headers) = (None, None);
            bare.to_string()
        }
        Uri::Other { scheme, .. } => format!("{scheme}:…"),
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
                "     1.234 <- UDP 192.0.2.1:5060 INVITE sip:…@trunk.example;user=phone | 7 INVITE | call "
            ),
            "{text}"
        );
        assert!(text.ends_with(" | Session-Expires: 1800 | audio 4000 [8 101] sendonly"), "{text}");
        for private in ["5550100", "Alice", "alice", "secret"] {
            assert!(!text.contains(private), "{text} tells {private}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_one_line_too() {
        assert!(show(b"\x00garbage\r\n\r\n").ends_with("unreadable: not SIP (12 bytes)"));
        assert_eq!(show(INVITE.replace("SIP/2.0\r\nVia", "SIP/9\r\nVia").as_bytes()).lines().count(), 1);
    }
}
