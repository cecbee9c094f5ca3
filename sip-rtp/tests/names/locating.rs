//! J4: RFC 3263, step by step.

use super::world::World;
use offhook_sip_rtp::names::resolver::{Event, Families};

const FULL: &[&str] = &[
    "trunk.example 60 NAPTR 20 10 s SIP+D2T _sip._tcp.trunk.example",
    "trunk.example 60 NAPTR 10 20 s SIP+D2U _sip._udp.other.example",
    "trunk.example 60 NAPTR 10 10 s SIPS+D2T _sips._tcp.trunk.example",
    "trunk.example 60 NAPTR 5 10 s SIP+D2S _sip._sctp.trunk.example",
    "trunk.example 60 NAPTR 5 10 u E2U+sip wrong.example",
    "_sips._tcp.trunk.example 60 SRV 10 0 5061 a.trunk.example",
    "_sip._udp.other.example 60 SRV 20 0 5070 b.trunk.example",
    "_sip._udp.other.example 60 SRV 10 0 5060 a.trunk.example",
    "_sip._tcp.trunk.example 60 SRV 10 0 5060 b.trunk.example",
    "a.trunk.example 60 A 198.51.100.1",
    "b.trunk.example 60 A 198.51.100.2",
];

#[test]
fn naptr_leads_to_srv_leads_to_addresses_in_the_order_of_all_three() {
    let mut w = World::new(&[FULL]);
    w.watch("sip:trunk.example");
    assert_eq!(
        w.found(),
        ["TLS 198.51.100.1:5061", "UDP 198.51.100.1:5060", "UDP 198.51.100.2:5070", "TCP 198.51.100.2:5060"]
    );
    assert_eq!(w.events.len(), 1);
}

#[test]
fn sips_goes_by_tls_alone() {
    let mut w = World::new(&[FULL]);
    w.watch("sips:trunk.example");
    assert_eq!(w.found(), ["TLS 198.51.100.1:5061"]);
    assert_eq!(w.asked(0), ["_sips._tcp.trunk.example SRV", "a.trunk.example A"]);
}

#[test]
fn without_naptr_each_transport_of_ours_is_looked_up_in_our_order() {
    let mut w = World::new(&[&[
        "_sip._tcp.trunk.example 60 SRV 1 0 5062 a.example",
        "_sip._udp.trunk.example 60 SRV 1 0 5060 a.example",
        "a.example 60 A 198.51.100.1",
        "a.example 60 A 198.51.100.2",
    ]]);
    w.watch("sip:trunk.example");
    let found = w.found();
    assert_eq!(found.len(), 4);
    assert!(found[..2].iter().all(|s| s.starts_with("UDP") && s.ends_with(":5060")), "{found:?}");
    assert!(found[2..].iter().all(|s| s.starts_with("TCP") && s.ends_with(":5062")), "{found:?}");
}

#[test]
fn without_srv_the_name_itself_is_the_server_on_the_usual_port() {
    for (uri, want) in [
        ("sip:trunk.example", "UDP 198.51.100.1:5060"),
        ("sip:trunk.example;transport=tcp", "TCP 198.51.100.1:5060"),
        ("sips:trunk.example", "TLS 198.51.100.1:5061"),
    ] {
        let mut w = World::new(&[&["trunk.example 60 A 198.51.100.1"]]);
        w.watch(uri);
        assert_eq!(w.found(), [want], "{uri}");
    }
}

#[test]
fn a_port_or_an_address_leaves_nothing_to_look_up_but_the_address() {
    let mut w = World::new(&[&["trunk.example 60 A 198.51.100.1"]]);
    w.watch("sip:trunk.example:5070");
    assert_eq!(w.found(), ["UDP 198.51.100.1:5070"]);
    assert_eq!(w.asked(0), ["trunk.example A"]);
    w.watch("sip:192.0.2.7;transport=tls");
    assert_eq!(w.found(), ["TLS 192.0.2.7:5061"]);
    assert_eq!(w.asked(0), [""; 0]);
}

#[test]
fn a_transport_that_is_given_is_the_only_one() {
    let mut w = World::new(&[FULL]);
    w.watch("sip:trunk.example;transport=tcp");
    assert_eq!(w.found(), ["TCP 198.51.100.2:5060"]);
    assert_eq!(w.asked(0), ["_sip._tcp.trunk.example SRV", "b.trunk.example A"]);
}

#[test]
fn both_families_come_in_the_order_that_is_wanted() {
    let zone: &[&str] = &["trunk.example 60 A 198.51.100.1", "trunk.example 60 AAAA 2001:db8::1"];
    let (v4, v6) = ("UDP 198.51.100.1:5060", "UDP [2001:db8::1]:5060");
    for (families, want) in [
        (Families::V4, vec![v4]),
        (Families::V6, vec![v6]),
        (Families::V4V6, vec![v4, v6]),
        (Families::V6V4, vec![v6, v4]),
    ] {
        let mut w = World::with(&[zone], families);
        w.watch("sip:trunk.example");
        assert_eq!(w.found(), want);
    }
}

#[test]
fn aliases_are_followed_and_their_circles_end() {
    let mut w = World::new(&[&[
        "trunk.example 60 CNAME edge.example",
        "edge.example 60 CNAME node.example",
        "node.example 60 A 198.51.100.9",
        "x.example 60 CNAME y.example",
        "y.example 60 CNAME x.example",
    ]]);
    w.watch("sip:trunk.example");
    assert_eq!(w.found(), ["UDP 198.51.100.9:5060"]);
    w.take();
    w.watch("sip:x.example");
    assert!(matches!(w.take()[..], [Event::Failed { .. }]));
}

#[test]
fn a_server_that_is_an_address_in_a_careless_zone_is_taken_as_one() {
    let mut w = World::new(&[&["_sip._udp.trunk.example 60 SRV 1 0 5080 198.51.100.4"]]);
    w.watch("sip:trunk.example");
    assert_eq!(w.found(), ["UDP 198.51.100.4:5080"]);
}

#[test]
fn one_server_of_several_without_an_address_does_not_hide_the_others() {
    let mut w = World::new(&[&[
        "_sip._udp.trunk.example 60 SRV 1 0 5060 gone.example",
        "_sip._udp.trunk.example 60 SRV 2 0 5060 here.example",
        "here.example 60 A 198.51.100.5",
    ]]);
    w.watch("sip:trunk.example");
    assert_eq!(w.found(), ["UDP 198.51.100.5:5060"]);
}

#[test]
fn what_the_machine_knows_by_itself_is_asked_of_nobody() {
    let hosts = "127.0.0.1 localhost\n2001:db8::5 pbx.lan\n198.51.100.5 pbx.lan pbx\n";
    for (families, uri, want) in [
        (Families::V4, "sip:pbx.lan", vec!["UDP 198.51.100.5:5060"]),
        (Families::V4, "sips:PBX", vec!["TLS 198.51.100.5:5061"]),
        (Families::V6V4, "sip:pbx.lan:5070", vec!["UDP [2001:db8::5]:5070", "UDP 198.51.100.5:5070"]),
        (Families::V6, "sip:pbx", vec![]),
    ] {
        let mut w = World::knowing(hosts, &[FULL], families);
        w.watch(uri);
        assert_eq!(w.found(), want, "{uri}");
        assert_eq!(w.asked(0), [""; 0], "{uri}");
    }
    let mut behind_srv = World::knowing("192.0.2.8 a.trunk.example\n", &[FULL], Families::V4);
    behind_srv.watch("sips:trunk.example");
    assert_eq!(behind_srv.found(), ["TLS 192.0.2.8:5061"], "a server that SRV names, too");
}
