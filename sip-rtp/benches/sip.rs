//! What a message costs: `cargo bench -p offhook-sip-rtp --bench sip`. Plain loops; the median and the
//! fastest of many short rounds.
#![allow(clippy::print_stdout, reason = "a bench reports on its standard output")]
#![allow(clippy::unwrap_used, reason = "a panic is the report")]

use offhook_sip_rtp::sdp::Description;
use offhook_sip_rtp::sdp::negotiate::{Encryption, LocalMedia};
use offhook_sip_rtp::sip::agent::{Agent, Event, Input, Output, Settings};
use offhook_sip_rtp::sip::local::LocalAddrs;
use offhook_sip_rtp::sip::parse::{Framing, Limits, parse};
use offhook_sip_rtp::sip::transport::Peer;
use offhook_units::{Codec, Moment};
use std::hint::black_box;
use std::time::Instant;

/// Many and short: a round that fits between two interruptions shows what the work costs, not what else runs.
const ROUNDS: usize = 401;

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

/// The median over the rounds of the mean time of one call of `work`, which is told its number.
fn measure(name: &str, per_round: u32, mut work: impl FnMut(u32)) {
    let mut number = 0;
    let mut times = [0.0; ROUNDS];
    for time in &mut times {
        let start = Instant::now();
        for _ in 0..per_round {
            work(number);
            number += 1;
        }
        *time = start.elapsed().as_nanos() as f64 / f64::from(per_round) / 1000.0;
    }
    times.sort_by(f64::total_cmp);
    println!("{name:<56} median {:>8.2} µs, fastest {:>8.2} µs", times[ROUNDS / 2], times[0]);
}

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
    let text = invite(0);
    let limits = Limits::default();
    println!("INVITE of {} bytes", text.len());
    measure("parse an INVITE", 100, |_| {
        black_box(parse(black_box(text.as_bytes()), Framing::Datagram, &limits).unwrap());
    });
    let message = parse(text.as_bytes(), Framing::Datagram, &limits).unwrap();
    measure("write it again", 100, |_| {
        black_box(message.to_bytes());
    });
    measure("parse its SDP", 100, |_| {
        black_box(Description::parse(black_box(SDP.as_bytes())).unwrap());
    });
    let mut answering = agent("192.0.2.0/24");
    measure("INVITE in, 100 and 200 out, and a 32 s old call ended", 5, |number| {
        one_call(&mut answering, number)
    });
    let mut closed = agent("198.51.100.0/24");
    let stranger = Peer::udp("192.0.2.2:5060".parse().unwrap());
    measure("a stranger's INVITE, turned away", 1000, |_| {
        closed.handle_input(Moment::ZERO, Input::Bytes { from: stranger, bytes: text.as_bytes() });
    });
}
