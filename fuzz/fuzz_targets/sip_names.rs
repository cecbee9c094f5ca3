//! Name servers that say anything: the resolver stays bounded and never gives up.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use offhook_sip_rtp::names::hosts::Hosts;
use offhook_sip_rtp::names::record::{Kind, Question};
use offhook_sip_rtp::names::resolver::{Event, Families, Input, Output, Resolver, Settings, Wire};
use offhook_sip_rtp::names::target::Target;
use offhook_sip_rtp::names::wire;
use offhook_sip_rtp::names::{resolv_conf, wire::Answer};
use offhook_sip_rtp::sip::transport::Transport;
use offhook_units::{Moment, Span};

/// What a name server does with a question.
#[derive(Arbitrary, Debug)]
enum Reply {
    Nothing,
    /// The question again, with other flags and counts, and this behind it.
    Grown {
        flags: [u8; 2],
        counts: [u8; 3],
        rest: Vec<u8>,
    },
    Any(Vec<u8>),
    Unreachable,
}

fuzz_target!(|input: (Vec<Reply>, Vec<u8>)| {
    let (replies, loose) = input;
    read(&loose);
    let server = "192.0.2.53:53".parse().expect("an address");
    let settings = Settings {
        name_servers: vec![server],
        hosts: Hosts::default(),
        families: Families::V4V6,
        transports: vec![Transport::Udp, Transport::Tcp, Transport::Tls],
    };
    let mut resolver = Resolver::new(settings, [1; 32]);
    let mut now = Moment::from_millis(1000);
    let target = Target { host: "trunk.example".into(), port: None, transport: None, secure: false };
    resolver.watch(now, target);
    let mut replies = replies.iter();
    for _ in 0..60 {
        let mut outputs = 0;
        while let Some(output) = resolver.poll_output() {
            outputs += 1;
            assert!(outputs < 2000, "one step makes no end of work");
            match output {
                Output::Ask { to, wire, bytes } => {
                    let query = if wire == Wire::Tcp { &bytes[2..] } else { &bytes[..] };
                    match replies.next() {
                        Some(Reply::Unreachable) => resolver.handle_input(now, Input::Unreachable(to)),
                        Some(reply) => {
                            let bytes = made(reply, query);
                            resolver.handle_input(now, Input::Message { from: to, bytes: &bytes });
                        }
                        None => {}
                    }
                }
                Output::Event(Event::Found { servers, .. }) => assert!((1..=16).contains(&servers.len())),
                Output::Event(Event::Failed { retry_in, .. }) => assert!(retry_in > Span::ZERO),
            }
        }
        let due = resolver.poll_timeout().expect("it never gives up");
        assert!(due > now, "it spins");
        now = due;
        resolver.handle_timeout(now);
    }
});

fn read(bytes: &[u8]) {
    for kind in [Kind::A, Kind::Aaaa, Kind::Srv, Kind::Naptr] {
        let question = Question::new("trunk.example", kind);
        if let Some(id) = wire::number(bytes)
            && let Ok(Answer::Records { records, .. }) = wire::read(id, &question, bytes)
        {
            assert!(!records.is_none());
        }
    }
    let text = String::from_utf8_lossy(bytes);
    let _ = Hosts::parse(&text);
    let servers = resolv_conf::name_servers(&text);
    assert!((1..=3).contains(&servers.len()));
}

fn made(reply: &Reply, query: &[u8]) -> Vec<u8> {
    match reply {
        Reply::Nothing | Reply::Unreachable => Vec::new(),
        Reply::Any(bytes) => bytes.clone(),
        Reply::Grown { flags, counts, rest } => {
            let mut bytes = query.to_vec();
            bytes[2] = flags[0] | 0x80;
            bytes[3] = flags[1];
            for (section, count) in [7, 9, 11].into_iter().zip(counts) {
                bytes[section] = *count;
            }
            // The plain question ends before what EDNS added.
            bytes.truncate(query.len().saturating_sub(11));
            bytes.extend_from_slice(rest);
            bytes
        }
    }
}
