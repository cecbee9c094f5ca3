//! J4: name servers, and those who pretend to be one, that send anything at all.

use super::name_server::NameServer;
use super::world::{addr, target};
use offhook_sip_rtp::names::hosts::Hosts;
use offhook_sip_rtp::names::record::{Kind, Question};
use offhook_sip_rtp::names::resolver::{Event, Families, Input, Output, Resolver, Settings, Wire};
use offhook_sip_rtp::names::wire;
use offhook_sip_rtp::sip::transport::Transport;
use offhook_units::{Moment, Span};
use proptest::prelude::*;

const ZONE: &[&str] = &[
    "trunk.example 60 NAPTR 10 10 s SIP+D2U _sip._udp.trunk.example",
    "_sip._udp.trunk.example 60 SRV 1 0 5060 a.example",
    "a.example 120 A 198.51.100.1",
];

/// What becomes of an answer on its way.
#[derive(Clone, Debug)]
enum Fate {
    Lost,
    Whole,
    /// Some bytes are others.
    Bent(Vec<(u16, u8)>),
    Cut(u16),
    /// Something else, under the right number.
    Else(Vec<u8>),
    /// From another address.
    Foreign,
    /// It claims to hold this many records.
    Claims(u16),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Lost),
        Just(Fate::Whole),
        prop::collection::vec((any::<u16>(), any::<u8>()), 1..6).prop_map(Fate::Bent),
        any::<u16>().prop_map(Fate::Cut),
        prop::collection::vec(any::<u8>(), 0..80).prop_map(Fate::Else),
        Just(Fate::Foreign),
        any::<u16>().prop_map(Fate::Claims),
    ]
}

fn changed(fate: &Fate, query: &[u8], mut reply: Vec<u8>) -> Vec<u8> {
    match fate {
        Fate::Lost | Fate::Whole | Fate::Foreign => {}
        Fate::Bent(changes) => {
            for (at, byte) in changes {
                let at = usize::from(*at) % reply.len();
                reply[at] = *byte;
            }
        }
        Fate::Cut(length) => reply.truncate(usize::from(*length) % (reply.len() + 1)),
        Fate::Else(bytes) => reply = [&query[..2], bytes].concat(),
        Fate::Claims(count) => {
            for section in [6, 8, 10] {
                reply[section..section + 2].copy_from_slice(&count.to_be_bytes());
            }
        }
    }
    reply
}

fn resolver() -> Resolver {
    let settings = Settings {
        name_servers: vec![addr(0), addr(1)],
        hosts: Hosts::default(),
        families: Families::V4V6,
        transports: vec![Transport::Udp, Transport::Tcp],
    };
    Resolver::new(settings, [5; 32])
}

/// Until `end`, answers by `fates`. The number of servers that were told last.
fn run(resolver: &mut Resolver, now: &mut Moment, seconds: i64, fates: &[Fate]) -> usize {
    let (end, mut used, mut zone, mut told) =
        (*now + Span::from_millis(seconds * 1000), 0, NameServer::new(ZONE), 0);
    loop {
        let mut outputs = 0;
        while let Some(output) = resolver.poll_output() {
            outputs += 1;
            assert!(outputs < 500, "one step, {outputs} outputs");
            match output {
                Output::Event(Event::Found { servers, .. }) => {
                    assert!(!servers.is_empty() && servers.len() <= 16);
                    told = servers.len();
                }
                Output::Event(Event::Failed { retry_in, .. }) => {
                    assert!(retry_in > Span::ZERO && retry_in <= Span::from_millis(15_000));
                }
                Output::Ask { to, wire, bytes } => {
                    let query = if wire == Wire::Tcp { &bytes[2..] } else { &bytes[..] };
                    let fate = fates.get(used % fates.len().max(1)).unwrap_or(&Fate::Whole);
                    used += 1;
                    let reply = changed(fate, query, zone.answer(query, true).unwrap());
                    let from = if matches!(fate, Fate::Foreign) { addr(9) } else { to };
                    if !matches!(fate, Fate::Lost) {
                        resolver.handle_input(*now, Input::Message { from, bytes: &reply });
                    }
                }
            }
        }
        let Some(due) = resolver.poll_timeout().filter(|due| *due <= end) else { break };
        assert!(due >= *now);
        *now = due;
        resolver.handle_timeout(due);
    }
    assert!(resolver.poll_timeout().is_some(), "it never gives up");
    *now = end;
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_it_stays_bounded_and_finds_the_servers_when_the_storm_is_over(
        fates in prop::collection::vec(fate(), 1..40),
    ) {
        let (mut resolver, mut now) = (resolver(), Moment::from_millis(1000));
        resolver.watch(now, target("sip:trunk.example"));
        run(&mut resolver, &mut now, 600, &fates);
        // What was bent and looked right may have been kept: a day at most, and a hurry ends it.
        resolver.hurry(now);
        run(&mut resolver, &mut now, 400, &[]);
        let (mut fresh, mut later) = (self::resolver(), now);
        fresh.watch(later, target("sip:trunk.example"));
        prop_assert_eq!(run(&mut fresh, &mut later, 1, &[]), 1);
        prop_assert!(resolver.counters().asked < 20_000);
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        id in any::<u16>(),
    ) {
        for kind in [Kind::A, Kind::Aaaa, Kind::Srv, Kind::Naptr] {
            let _ = wire::read(id, &Question::new("trunk.example", kind), &bytes);
        }
    }

    #[test]
    fn any_name_makes_a_question_or_none(name in "\\PC{0,80}") {
        let question = Question::new(&name, Kind::Srv);
        if let Some(bytes) = wire::question(7, &question, true) {
            prop_assert!(bytes.len() < 512);
            prop_assert_eq!(wire::number(&bytes), Some(7));
        }
    }
}

#[test]
fn an_answer_to_another_question_or_number_or_from_elsewhere_counts_as_a_stray() {
    let (mut resolver, now) = (resolver(), Moment::from_millis(1000));
    resolver.watch(now, target("sip:trunk.example:5060"));
    let Some(Output::Ask { to, bytes, .. }) = resolver.poll_output() else { panic!() };
    let mut server = NameServer::new(&["trunk.example 60 A 198.51.100.1", "evil.example 60 A 198.51.100.66"]);
    let good = server.answer(&bytes, false).unwrap();
    let mut other_number = good.clone();
    other_number[1] ^= 1;
    let other_question =
        wire::question(wire::number(&bytes).unwrap(), &Question::new("evil.example", Kind::A), true);
    let other_question = server.answer(&other_question.unwrap(), false).unwrap();
    for (from, bytes) in [(to, &other_number), (to, &other_question), (addr(9), &good), (to, &bytes)] {
        resolver.handle_input(now, Input::Message { from, bytes });
    }
    assert_eq!((resolver.counters().strays, resolver.counters().answered), (4, 0));
}

#[test]
fn a_header_that_claims_sixty_thousand_records_is_not_believed() {
    let question = Question::new("trunk.example", Kind::A);
    let mut bytes = wire::question(1, &question, false).unwrap();
    bytes[2] = 0x80;
    bytes[6..8].copy_from_slice(&u16::MAX.to_be_bytes());
    assert!(wire::read(1, &question, &bytes).is_err());
}
