//! What a message costs: `cargo bench -p offhook-sip-rtp --bench sip`.
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use divan::{Bencher, black_box};
use ezk_sip_types::header::typed::{CSeq, CallID, FromTo, Via};
use ezk_sip_types::msg::{Line, MessageLine, PullParser};
use ezk_sip_types::parse::Parse as _;
use offhook_sip_rtp::sdp::Description;
use offhook_sip_rtp::sdp::negotiate::{Encryption, LocalMedia};
use offhook_sip_rtp::sip::agent::{Agent, Event, Input, Output, Settings};
use offhook_sip_rtp::sip::local::LocalAddrs;
use offhook_sip_rtp::sip::parse::{Framing, Limits, parse};
use offhook_sip_rtp::sip::transport::Peer;
use offhook_units::{Codec, Moment};
use rsiprtp::sip::SipMessage;

/// What a PBX sends: 15 headers, 1.1 kB, an offer of four codecs.
const INVITE: &str = "INVITE sip:+15550100@192.0.2.1:5060;user=phone SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKPj7c1f2b0e-f0c1-4f7e;rport\r\n\
Record-Route: <sip:192.0.2.3;lr;ftag=as58f4201b>\r\n\
Max-Forwards: 70\r\n\
From: \"Front Desk\" <sip:+15550199@192.0.2.2>;tag=as58f4201b\r\n\
To: <sip:+15550100@192.0.2.1>\r\n\
Contact: <sip:+15550199@192.0.2.2:5060>\r\n\
Call-ID: 7d1e4f5c6b3a29180f7e6d5c4b3a2918@192.0.2.2:5060\r\n\
CSeq: 102 INVITE\r\n\
User-Agent: Some PBX 18.20.1\r\n\
Date: Fri, 20 Nov 2026 12:00:00 GMT\r\n\
Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, SUBSCRIBE, NOTIFY, INFO, PUBLISH, MESSAGE\r\n\
Supported: replaces, timer\r\n\
P-Asserted-Identity: \"Front Desk\" <sip:+15550199@192.0.2.2>\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 334\r\n\r\n";

const SDP: &str = "v=0\r\no=root 1821302155 1821302155 IN IP4 192.0.2.2\r\ns=Some PBX 18.20.1\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n\
m=audio 15214 RTP/AVP 8 0 9 111 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:9 G722/8000\r\n\
a=rtpmap:111 opus/48000/2\r\na=fmtp:111 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:60\r\na=sendrecv\r\n";

fn invite(number: u32) -> String {
    let head =
        INVITE.replace("7d1e4f5c", &format!("{number:08x}")).replace("7c1f2b0e", &format!("{number:08x}"));
    head.replace("Content-Length: 334", &format!("Content-Length: {}", SDP.len())) + SDP
}

fn agent(allowed: &str) -> Agent {
    let addr = "192.0.2.1:5060".parse().unwrap();
    let mut settings = Settings::new(LocalAddrs { udp: addr, tcp: None, tls: None });
    settings.allowed = vec![allowed.parse().unwrap()];
    settings.max_calls = usize::MAX;
    settings.capacity.servers = usize::MAX;
    Agent::new(settings, Vec::new(), [1; 32])
}

fn media() -> LocalMedia {
    LocalMedia {
        addr: "192.0.2.1".parse().unwrap(),
        port: 40_000,
        codecs: Codec::ALL.to_vec(),
        comfort_noise: true,
        ptime_ms: 20,
        encryption: Encryption::Off,
    }
}

/// From the INVITE's bytes to the 200's, and from the BYE's to its 200, so that calls do not pile up.
fn one_call(agent: &mut Agent, number: u32) {
    let now = Moment::from_millis(u64::from(number) * 1000);
    let from = Peer::udp("192.0.2.2:5060".parse().unwrap());
    agent.handle_timeout(now);
    agent.handle_input(now, Input::Bytes { from, bytes: invite(number).as_bytes() });
    while let Some(output) = agent.poll_output() {
        if let Output::Event(Event::IncomingCall { call, .. }) = output {
            agent.answer(now, call, media()).unwrap();
        }
        black_box(&output);
    }
}

fn main() {
    divan::main();
}

#[divan::bench]
fn parse_an_invite(bencher: Bencher<'_, '_>) {
    let (text, limits) = (invite(0), Limits::default());
    bencher.bench(|| parse(black_box(text.as_bytes()), Framing::Datagram, &limits));
}

/// The first oracle of the differential tests, as its transport uses it: start line and header names only, values
/// unread.
#[divan::bench]
fn split_an_invite_with_ezk(bencher: Bencher<'_, '_>) {
    let text = bytes::Bytes::from(invite(0));
    bencher.bench(|| ezk_headers(black_box(&text)));
}

/// The same with what a transaction layer must read: start line, Via, From, To, Call-ID, CSeq. Ours reads these always.
#[divan::bench]
fn parse_an_invite_with_ezk(bencher: Bencher<'_, '_>) {
    let text = bytes::Bytes::from(invite(0));
    bencher.bench(|| {
        let first = PullParser::new(black_box(&text), 0).next().unwrap().unwrap();
        let start = MessageLine::parse(&text)(std::str::from_utf8(first).unwrap()).unwrap().1;
        let headers = ezk_headers(&text);
        let from: FromTo = headers.get(ezk_sip_types::Name::FROM).unwrap();
        let to: FromTo = headers.get(ezk_sip_types::Name::TO).unwrap();
        let (via, cseq): (Via, CSeq) = (headers.get_named().unwrap(), headers.get_named().unwrap());
        let call_id: CallID = headers.get_named().unwrap();
        (start, headers, from, to, via, cseq, call_id)
    });
}

fn ezk_headers(text: &bytes::Bytes) -> ezk_sip_types::Headers {
    let lines = PullParser::new(text, 0).skip(1);
    let mut headers = ezk_sip_types::Headers::new();
    for line in lines.filter_map(|line| std::str::from_utf8(line.ok()?).ok()) {
        if let Ok((_, line)) = Line::parse(text, line) {
            headers.insert(line.name, line.value);
        }
    }
    headers
}

/// The second oracle: its message, with the same fields read.
#[divan::bench]
fn parse_an_invite_with_rsiprtp(bencher: Bencher<'_, '_>) {
    let text = invite(0);
    bencher.bench(|| {
        let message = SipMessage::parse(black_box(text.as_bytes())).unwrap();
        let request = message.as_request().unwrap();
        let fields = (request.method(), request.call_id(), request.cseq(), request.from_uri());
        let more = (request.from_tag(), request.to_uri(), request.to_tag(), request.via_branch());
        (fields, more)
    });
}

#[divan::bench]
fn write_an_invite(bencher: Bencher<'_, '_>) {
    let message = parse(invite(0).as_bytes(), Framing::Datagram, &Limits::default()).unwrap();
    bencher.bench(|| black_box(&message).to_bytes());
}

#[divan::bench]
fn parse_its_sdp() -> Description {
    Description::parse(black_box(SDP.as_bytes())).unwrap()
}

/// INVITE in, 100 and 200 out, and an earlier call's repetitions and end.
#[divan::bench]
fn answer_an_invite(bencher: Bencher<'_, '_>) {
    let mut answering = agent("192.0.2.0/24");
    let mut number = 0;
    bencher.bench_local(|| {
        number += 1;
        one_call(&mut answering, number);
    });
}

#[divan::bench]
fn turn_a_stranger_away(bencher: Bencher<'_, '_>) {
    let mut closed = agent("198.51.100.0/24");
    let (stranger, text) = (Peer::udp("192.0.2.2:5060".parse().unwrap()), invite(0));
    bencher.bench_local(|| {
        closed.handle_input(Moment::ZERO, Input::Bytes { from: stranger, bytes: black_box(text.as_bytes()) });
    });
}
