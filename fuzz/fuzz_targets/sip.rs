//! Any bytes whatever on a SIP port: a message is read or refused, what is read can be written and then reads the
//! same, and what answers a bad one can be read too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_sip_rtp::sip::address::NameAddr;
use offhook_sip_rtp::sip::digest::challenge::Challenge;
use offhook_sip_rtp::sip::ladder::{Way, line};
use offhook_sip_rtp::sip::malformed::Malformed;
use offhook_sip_rtp::sip::message::Message;
use offhook_sip_rtp::sip::parse::{Framing, Limits, parse};
use offhook_sip_rtp::sip::transfer::{Replaces, Report};
use offhook_sip_rtp::sip::transport::Peer;
use offhook_sip_rtp::sip::uri::Uri;
use offhook_sip_rtp::sip::via::Via;
use offhook_units::Moment;

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::default();
    let peer = Peer::udp("192.0.2.9:5060".parse().expect("an address"));
    for framing in [Framing::Datagram, Framing::Stream] {
        match parse(bytes, framing, &limits) {
            Ok(message) => written(&message),
            Err(Malformed::Answer(bad)) => {
                let answer = bad.to_bytes(peer.addr, "tag");
                assert!(answer.starts_with(b"SIP/2.0 "));
                assert!(answer.len() < bytes.len() + 2048, "an answer that makes more of little");
            }
            Err(Malformed::Drop(_)) => {}
        }
    }
    let shown = line(Moment::ZERO, Way::In, peer, bytes);
    assert!(!shown.contains(['\r', '\n']), "one line: {shown:?}");
    let text = String::from_utf8_lossy(bytes);
    pieces(&text);
});

/// What was read can be written, and then reads the same.
fn written(message: &Message) {
    let bytes = message.to_bytes();
    let again =
        parse(&bytes, Framing::Stream, &Limits { head_bytes: 1 << 20, headers: 1000, body_bytes: 1 << 20 });
    let again = again.unwrap_or_else(|e| panic!("{e:?}: {}", String::from_utf8_lossy(&bytes)));
    assert_eq!(String::from_utf8_lossy(&again.to_bytes()), String::from_utf8_lossy(&bytes));
    let (headers, body) = match message {
        Message::Request(r) => (&r.headers, &r.body),
        Message::Response(r) => (&r.headers, &r.body),
    };
    let _ = Report::read(headers, body);
}

/// The parts that stand alone elsewhere: in a configuration, in a header of another message.
fn pieces(text: &str) {
    if let Some(uri) = Uri::parse(text) {
        let again = Uri::parse(&uri.to_string());
        assert_eq!(again.map(|u| u.to_string()), Some(uri.to_string()));
    }
    if let Some(address) = NameAddr::parse(text) {
        let again = NameAddr::parse(&address.to_string());
        assert_eq!(again.map(|a| a.to_string()), Some(address.to_string()));
    }
    if let Some(via) = Via::parse(text) {
        assert!(Via::parse(&via.to_string()).is_some(), "{via}");
    }
    let _ = Replaces::parse(text);
    for challenge in Challenge::parse_line(text) {
        let line = challenge.to_string();
        assert_eq!(Challenge::parse_line(&line).len(), 1, "{line}");
    }
}
