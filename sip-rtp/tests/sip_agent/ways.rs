//! T1: where requests go and from where they may come: routes that a registrar gave, far ends that speak for
//! themselves, proofs for a proxy and for the far end both.

use super::desk::{Desk, OFFER, media, peer, settings, trunk};
use offhook_sip_rtp::sip::agent::{EndReason, Event, Input, Place, Settings, TrunkId};
use offhook_sip_rtp::sip::header::Name;
use offhook_sip_rtp::sip::message::Message;
use offhook_sip_rtp::sip::registration::{self, Mode};
use offhook_sip_rtp::sip::status::Status;
use offhook_sip_rtp::sip::transport::{FlowId, Peer, Transport};
use offhook_units::Pii;

/// The far end of a call whose proxies left its way: no trunk of ours and not listed.
const FAR: &str = "198.51.100.9:5060";

fn order() -> Place {
    Place { to: Pii::new("100".into()), display: None, trunk: None, media: media() }
}

fn closed() -> Settings {
    let mut settings = settings("192.0.2.1:5060");
    settings.allowed = vec!["192.0.2.2".parse().unwrap()];
    settings
}

/// A call from the trunk whose Contact is [`FAR`]. Our tag.
fn from_afar(d: &mut Desk) -> String {
    let contact = format!("sip:peer@{FAR}");
    let invite = d.message("INVITE", 1, "", "", OFFER).replace("sip:peer@192.0.2.2:5060", &contact);
    d.hear(&invite);
    let call = d.announced();
    d.agent.answer(d.now, call, media()).unwrap();
    d.drain();
    let tag = d.response(200).ident.to.tag().unwrap().to_owned();
    let ack = d.message("ACK", 1, &tag, "", "");
    d.hear_from(FAR, ack.as_bytes());
    d.clear();
    tag
}

#[test]
fn a_far_end_that_is_named_by_its_contact_is_heard_in_its_own_call() {
    let mut d = Desk::new(closed());
    let tag = from_afar(&mut d);
    d.wait(3000);
    assert_eq!(d.take_sent(), [""; 0], "its ACK was heard: nothing is repeated");
    let call = d.agent.calls().next().unwrap();
    d.agent.hold(d.now, call).unwrap();
    d.drain();
    let (to, Message::Request(hold)) = d.sent.last().unwrap().clone() else { panic!() };
    assert_eq!(to, peer(FAR));
    d.hear_from(FAR, &hold.response(Status::OK).with_body("application/sdp", OFFER.into()).to_bytes());
    assert!(d.take_sent().contains(&"ACK".to_owned()), "its answer was heard");
    d.take_events();
    let bye = d.message("BYE", 2, &tag, "", "");
    d.hear_from(FAR, bye.as_bytes());
    assert_eq!(d.take_sent(), ["200"]);
    assert!(matches!(d.take_events()[..], [Event::Ended { reason: EndReason::FarEndHungUp(None), .. }]));
    d.wait(64_000);
    assert!(d.agent.is_idle());
}

#[test]
fn and_nowhere_else() {
    let mut d = Desk::new(closed());
    let tag = from_afar(&mut d);
    let before = d.agent.guard().turned_away();
    for text in [
        d.message("INVITE", 1, "", "", OFFER).replace("peercall", "new"),
        d.message("OPTIONS", 1, "", "", ""),
        d.message("BYE", 2, &tag, "", "").replace("peercall", "another"),
        d.message("BYE", 2, "wrong", "", ""),
        d.message("BYE", 2, &tag, "", "").replace("CSeq: 2 BYE", "CSeq: two BYE"),
    ] {
        d.hear_from(FAR, text.as_bytes());
    }
    let bye = d.message("BYE", 3, &tag, "", "");
    d.hear_from("198.51.100.10:5060", bye.as_bytes());
    assert_eq!((d.take_sent().len(), d.take_events().len()), (0, 0));
    assert_eq!(d.agent.counters().0.unexpected, 4);
    assert_eq!(d.agent.guard().turned_away(), before + 1, "a neighbour of it is a stranger");
    assert_eq!(d.agent.calls().count(), 1);
}

#[test]
fn calls_take_the_routes_that_the_registrar_gave() {
    let by_register =
        registration::Settings { mode: Mode::Register { expires_s: 600 }, ..trunk("trunk.example") };
    let mut d = Desk::with_trunks(closed(), vec![by_register]);
    d.agent.set_servers(d.now, TrunkId(0), vec![peer("192.0.2.2:5060")]);
    d.drain();
    let register = d.request("REGISTER");
    assert!(
        register.headers.lists(&Name::Supported, "path"),
        "RFC 3327 5.1: a proxy may put itself in the way"
    );
    let routes = "<sip:198.51.100.20:5070;lr>, <sip:inner.example;lr>";
    d.hear_response(&register.response(Status::OK).with(Name::ServiceRoute, routes));
    d.agent.place(d.now, order()).unwrap();
    d.drain();
    let (to, Message::Request(invite)) = d.sent.last().unwrap().clone() else { panic!() };
    assert_eq!(to, peer("198.51.100.20:5070"));
    let given: Vec<_> = invite.headers.values(&Name::Route).collect();
    assert_eq!(given, ["<sip:198.51.100.20:5070;lr>", "<sip:inner.example;lr>"]);
    assert_eq!(invite.uri.to_string(), "sip:100@trunk.example");
    d.hear_from("198.51.100.20:5070", &invite.response(Status::RINGING).with_to_tag("far").to_bytes());
    assert!(d.take_events().iter().any(|e| matches!(e, Event::Ringing { .. })), "who was asked is heard");
}

#[test]
fn a_proxy_and_the_far_end_may_each_ask_for_proof() {
    let mut d = Desk::on_line();
    d.agent.place(d.now, order()).unwrap();
    d.drain();
    let first = d.request("INVITE");
    let digest = |realm: &str| format!("Digest realm=\"{realm}\", nonce=\"{realm}1\", qop=\"auth\"");
    let by_proxy = first.response(Status::PROXY_AUTHENTICATION).with_to_tag("p");
    d.hear_response(&by_proxy.with(Name::ProxyAuthenticate, digest("proxy")));
    let second = d.request("INVITE");
    let by_far_end = second.response(Status::UNAUTHORIZED).with_to_tag("u");
    d.hear_response(&by_far_end.with(Name::WwwAuthenticate, digest("far")));
    let third = d.request("INVITE");
    let proof = |name: &Name| third.headers.get(name).unwrap_or("").to_owned();
    assert!(proof(&Name::ProxyAuthorization).contains("realm=\"proxy\""));
    assert!(proof(&Name::Authorization).contains("realm=\"far\""));
    d.hear_response(&third.response(Status::FORBIDDEN).with_to_tag("u"));
    assert!(matches!(
        d.take_events().last(),
        Some(Event::Ended { reason: EndReason::Rejected(Status::FORBIDDEN), .. })
    ));
}

#[test]
fn what_a_lost_connection_of_the_far_end_does_not_take_goes_to_where_it_listens() {
    let mut settings = settings("192.0.2.1:5060");
    settings.locals.tcp = Some(settings.locals.udp);
    let mut d = Desk::new(settings);
    let addr = "192.0.2.2:40000".parse().unwrap();
    let connection = Peer { transport: Transport::Tcp, addr, flow: Some(FlowId(3)) };
    let hear = |d: &mut Desk, text: &str| {
        let text = text.replace("sip:peer@192.0.2.2:5060", "sip:peer@192.0.2.2:5060;transport=tcp");
        d.agent.handle_input(d.now, Input::Bytes { from: connection, bytes: text.as_bytes() });
        d.drain();
    };
    let invite = d.message("INVITE", 1, "", "", OFFER);
    hear(&mut d, &invite);
    let call = d.announced();
    d.agent.answer(d.now, call, media()).unwrap();
    d.drain();
    let tag = d.response(200).ident.to.tag().unwrap().to_owned();
    let ack = d.message("ACK", 1, &tag, "", "");
    hear(&mut d, &ack);
    d.clear();
    d.agent.hang_up(d.now, call).unwrap();
    d.drain();
    assert_eq!(d.sent.last().unwrap().0, connection);
    d.agent.handle_input(d.now, Input::Unreachable(connection));
    d.drain();
    let (to, Message::Request(bye)) = d.sent.last().unwrap().clone() else { panic!() };
    let listening = Peer { transport: Transport::Tcp, addr: "192.0.2.2:5060".parse().unwrap(), flow: None };
    assert_eq!((to, d.take_sent()), (listening, vec!["BYE".to_owned(), "BYE".to_owned()]));
    d.agent.handle_input(d.now, Input::Bytes { from: to, bytes: &bye.response(Status::OK).to_bytes() });
    d.drain();
    d.agent.handle_input(d.now, Input::Unreachable(listening));
    d.drain();
    assert_eq!(d.take_sent(), [""; 0]);
    assert!(matches!(d.take_events()[..], [Event::Ended { reason: EndReason::HungUp, .. }]));
}

#[test]
fn a_call_that_is_forwarded_or_in_progress_without_sound_rings() {
    let mut d = Desk::on_line();
    let call = d.agent.place(d.now, order()).unwrap();
    d.drain();
    let invite = d.request("INVITE");
    for code in [181, 182, 183, 199] {
        d.hear_response(&invite.response(Status::new(code).unwrap()).with_to_tag("far"));
        assert_eq!(d.take_events(), [Event::Ringing { call, early: None }], "{code}");
    }
    let with_sound = invite.response(Status::SESSION_PROGRESS).with_to_tag("far");
    d.hear_response(&with_sound.with_body("application/sdp", OFFER.into()));
    assert!(matches!(d.take_events()[..], [Event::Ringing { early: Some(_), .. }]));
}
