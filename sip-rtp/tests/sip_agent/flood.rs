//! T5: mutated messages, and floods.

use super::desk::{Desk, OFFER, media, settings};
use offhook_sip_rtp::sip::agent::{Event, Input, Output};
use offhook_sip_rtp::sip::message::Message;
use offhook_sip_rtp::sip::parse::{Framing, Limits, parse};
use offhook_sip_rtp::sip::transport::Peer;
use offhook_units::{Moment, Span};
use std::path::PathBuf;

/// xorshift64*: enough to vary messages, and the same every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound.max(1)
    }
}

const TOKENS: [&[u8]; 22] = [
    b"\r\n",
    b"\n",
    b"\0",
    b"\xff",
    b";",
    b",",
    b"<",
    b">",
    b"\"",
    b"\\",
    b"%",
    b":",
    b"@",
    b" ",
    b"\t",
    b"-1",
    b"4294967296",
    b"\r\n ",
    b"\r\n\r\n",
    b"SIP/2.0",
    b"tag=",
    b"[::1]",
];

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..=random.below(12) {
        let at = random.below(bytes.len() + 1);
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            1 => drop(bytes.splice(at..at, TOKENS[random.below(TOKENS.len())].iter().copied())),
            2 => drop(bytes.drain(at..(at + random.below(40)).min(bytes.len()))),
            3 => {
                let from = random.below(bytes.len());
                let piece = bytes[from..(from + random.below(200)).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            4 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            _ if random.below(4) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
}

fn seeds(d: &mut Desk) -> Vec<Vec<u8>> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "torture"].iter().collect();
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let mut seeds: Vec<_> = paths.into_iter().map(|p| std::fs::read(p).unwrap()).collect();
    for method in
        ["INVITE", "OPTIONS", "BYE", "CANCEL", "ACK", "NOTIFY", "INFO", "REFER", "UPDATE", "PRACK", "MESSAGE"]
    {
        seeds.push(d.message(method, 1, "", "Supported: timer, 100rel\r\n", OFFER).into_bytes());
        seeds.push(
            d.message(method, 2, "tag", "RAck: 1 1 INVITE\r\nSession-Expires: 90\r\n", OFFER).into_bytes(),
        );
    }
    for _ in 0..40 {
        seeds.push(d.message("INVITE", 1, "", "Supported: timer, 100rel\r\n", OFFER).into_bytes());
    }
    seeds
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let Some(at) = bytes.windows(from.len()).position(|w| w == from) else { return bytes.to_vec() };
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn mutated_messages_neither_panic_nor_leave_anything_behind() {
    storm(30_000);
}

#[test]
#[ignore = "half a minute of computing; `make test-long` runs it, and CI"]
fn a_million_of_them_neither() {
    storm(1_000_000);
}

/// Every call is answered, so that what comes behind meets dialogs; after an hour of silence nothing is left.
fn storm(count: u64) {
    let mut d = Desk::new(settings("192.0.2.1:5060"));
    let seeds = seeds(&mut d);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let (mut announced, mut ended, mut now) = (0u32, 0u32, Moment::ZERO);
    let from = Peer::udp("192.0.2.9:5060".parse().unwrap());
    // What the last answer called its dialog, so that part of the requests belong to one.
    let (mut tag, mut call_id) = (String::from("tag"), String::from("peercall"));
    for k in 0..count {
        let fresh = random.below(4) > 0;
        let call = if fresh { format!("call{k}") } else { call_id.clone() };
        let mut bytes = seeds[random.below(seeds.len())].clone();
        for (from, to) in
            [("z9hG4bK", format!("z9hG4bK{k}")), ("peercall", call), (";tag=tag", format!(";tag={tag}"))]
        {
            bytes = replaced(&bytes, from.as_bytes(), to.as_bytes());
        }
        mutate(&mut random, &mut bytes);
        now += Span::from_millis(20);
        d.agent.handle_timeout(now);
        d.agent.handle_input(now, Input::Bytes { from, bytes: &bytes });
        let mut calls = Vec::new();
        while let Some(output) = d.agent.poll_output() {
            match output {
                Output::Event(Event::IncomingCall { call, .. }) => calls.push(call),
                Output::Event(Event::Ended { .. }) => ended += 1,
                Output::Send { bytes, .. } => {
                    if let Ok(Message::Response(r)) = parse(&bytes, Framing::Datagram, &Limits::default())
                        && r.status.code() == 100
                    {
                        call_id = r.ident.call_id;
                    } else if let Ok(Message::Response(r)) =
                        parse(&bytes, Framing::Datagram, &Limits::default())
                        && r.status.code() == 200
                    {
                        tag = r.ident.to.tag().unwrap_or("tag").to_owned();
                    }
                }
                _ => {}
            }
        }
        for call in calls {
            announced += 1;
            let _ = d.agent.answer(now, call, media());
        }
    }
    while let Some(due) = d.agent.poll_timeout() {
        now = due;
        assert!(now < Moment::from_millis(20 * count + 7_200_000), "a timer that never ends");
        d.agent.handle_timeout(now);
        while let Some(output) = d.agent.poll_output() {
            ended += u32::from(matches!(output, Output::Event(Event::Ended { .. })));
        }
    }
    assert!(announced > 500, "the mutations do reach calls: {announced}");
    assert_eq!(announced, ended, "every announced call ended once");
    assert!(d.agent.is_idle());
}
