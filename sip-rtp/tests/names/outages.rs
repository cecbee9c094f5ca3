//! J4: what holds when name servers do not, and how soon it is noticed that they do again.

use super::name_server::Mood;
use super::world::{World, addr};
use offhook_sip_rtp::names::hosts::Hosts;
use offhook_sip_rtp::names::resolver::{Event, Failure, Input};
use simple_dns::RCODE;

const ZONE: &[&str] = &["_sip._udp.trunk.example 60 SRV 1 0 5060 a.example", "a.example 120 A 198.51.100.1"];

#[test]
fn answers_are_kept_for_their_time_and_asked_again_after_it() {
    let mut w = World::new(&[ZONE]);
    w.watch("sip:trunk.example;transport=udp");
    assert_eq!(w.asked(0).len(), 2);
    w.wait(59);
    assert_eq!(w.asked(0), [""; 0]);
    w.wait(2);
    assert_eq!(w.asked(0), ["_sip._udp.trunk.example SRV"], "only what is over");
    assert_eq!(w.take().len(), 1, "nothing changed, nothing to tell");
    w.servers[0].zone[0] = w.servers[0].zone[0].replace("5060", "5070");
    w.wait(60);
    assert_eq!(w.found(), ["UDP 198.51.100.1:5070"]);
}

#[test]
fn what_was_found_outlives_its_name_servers() {
    let mut w = World::new(&[ZONE]);
    w.watch("sip:trunk.example;transport=udp");
    w.take();
    w.servers[0].mood = Mood::Silent;
    w.wait(86_400);
    let events = w.take();
    let [Event::Found { servers, doubtful: true, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(servers.len(), 1);
    w.servers[0].mood = Mood::Well;
    w.servers[0].zone[1] = "a.example 120 A 198.51.100.2".into();
    w.wait(300);
    let events = w.take();
    assert!(matches!(events.last(), Some(Event::Found { doubtful: false, .. })), "{events:?}");
    w.events = events;
    assert_eq!(w.found(), ["UDP 198.51.100.2:5060"]);
}

#[test]
fn another_name_server_answers_where_the_first_does_not() {
    for mood in [Mood::Silent, Mood::Says(RCODE::Refused), Mood::Says(RCODE::ServerFailure)] {
        let mut w = World::new(&[ZONE, ZONE]);
        w.servers[0].mood = mood;
        w.watch("sip:trunk.example;transport=udp");
        w.wait(2);
        assert_eq!(w.found(), ["UDP 198.51.100.1:5060"], "{mood:?}");
        w.asked(0);
        w.wait(200);
        assert_eq!(w.asked(0), [""; 0], "who answered is asked first from then on");
    }
}

/// Complaint 20: a DNS server that refuses for a while must not end a trunk.
#[test]
fn a_name_that_cannot_be_found_is_tried_for_ever_and_found_within_half_a_minute() {
    for mood in [Mood::Silent, Mood::Says(RCODE::Refused), Mood::Says(RCODE::NameError)] {
        let mut w = World::new(&[ZONE]);
        w.servers[0].mood = mood;
        w.watch("sip:trunk.example;transport=udp");
        w.wait(86_400);
        let why = if mood == Mood::Says(RCODE::NameError) { Failure::NoSuchName } else { Failure::NoAnswer };
        let failures = w.failures();
        assert!(failures.len() > 1000 && failures.iter().all(|f| *f == why), "{mood:?}: {}", failures.len());
        w.servers[0].mood = Mood::Well;
        w.wait(30);
        assert_eq!(w.found(), ["UDP 198.51.100.1:5060"], "{mood:?}");
    }
}

#[test]
fn a_router_that_swallows_questions_for_services_is_lived_with() {
    let mut w = World::new(&[&["trunk.example 60 A 198.51.100.1"]]);
    w.servers[0].mood = Mood::Says(RCODE::NotImplemented);
    w.watch("sip:trunk.example");
    w.servers[0].mood = Mood::Well;
    w.wait(10);
    assert_eq!(w.found(), ["UDP 198.51.100.1:5060"]);
}

#[test]
fn a_large_answer_comes_by_a_stream_and_an_old_server_is_asked_plainly() {
    let mut w = World::new(&[ZONE]);
    w.servers[0].mood = Mood::Large;
    w.watch("sip:trunk.example;transport=udp");
    assert_eq!((w.found().len(), w.streams), (1, 2));
    let mut w = World::new(&[ZONE]);
    w.servers[0].mood = Mood::Old;
    w.watch("sip:trunk.example;transport=udp");
    assert_eq!((w.found().len(), w.asked(0).len()), (1, 4));
}

#[test]
fn a_name_server_that_cannot_be_reached_gives_way_at_once() {
    let mut w = World::new(&[ZONE, ZONE]);
    w.servers[0].mood = Mood::Silent;
    w.watch("sip:trunk.example;transport=udp");
    assert_eq!(w.found(), [""; 0]);
    w.resolver.handle_input(w.now, Input::Unreachable(addr(0)));
    w.settle();
    assert_eq!(w.found(), ["UDP 198.51.100.1:5060"]);
}

#[test]
fn without_a_name_server_there_is_an_answer_too() {
    let mut w = World::new(&[]);
    w.watch("sip:trunk.example");
    assert!(matches!(w.take()[..], [Event::Failed { why: Failure::NoAnswer, .. }]));
    w.watch("sip:192.0.2.9");
    assert_eq!(w.found(), ["UDP 192.0.2.9:5060"]);
    w.servers = World::new(&[ZONE]).servers;
    w.take();
    w.resolver.set_sources(w.now, vec![addr(0)], Hosts::default());
    w.settle();
    assert_eq!(w.found(), ["UDP 198.51.100.1:5060"]);
}

#[test]
fn who_reaches_no_server_may_have_the_name_looked_up_anew_but_not_all_the_time() {
    let mut w = World::new(&[&["trunk.example 86400 A 198.51.100.1"]]);
    w.watch("sip:trunk.example:5060");
    w.servers[0].zone[0] = "trunk.example 86400 A 198.51.100.2".into();
    for _ in 0..10 {
        w.resolver.hurry(w.now);
        w.settle();
    }
    assert_eq!(w.found(), ["UDP 198.51.100.2:5060"]);
    assert_eq!(w.asked(0).len(), 2);
    w.wait(30);
    w.resolver.hurry(w.now);
    w.settle();
    assert_eq!(w.asked(0).len(), 1);
}

#[test]
fn a_name_that_the_machine_comes_to_know_is_taken_from_there_at_once() {
    let mut w = World::new(&[ZONE]);
    w.watch("sip:trunk.example");
    assert_eq!(w.found(), ["UDP 198.51.100.1:5060"]);
    w.resolver.set_sources(w.now, vec![addr(0)], Hosts::parse("192.0.2.7 trunk.example"));
    w.settle();
    assert_eq!(w.found(), ["UDP 192.0.2.7:5060"]);
    w.resolver.set_sources(w.now, vec![addr(0)], Hosts::default());
    w.settle();
    assert_eq!(w.found(), ["UDP 198.51.100.1:5060"]);
}
