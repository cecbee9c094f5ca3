//! T1: calls out.

use super::desk::{Desk, OFFER, PEER, key, media, peer, settings, trunk};
use offhook_sip_rtp::sip::agent::{CallId, CommandError, EndReason, Event, Input, Place, TrunkId};
use offhook_sip_rtp::sip::header::Name;
use offhook_sip_rtp::sip::local::LocalAddrs;
use offhook_sip_rtp::sip::message::{Message, Request, Response};
use offhook_sip_rtp::sip::status::Status;
use offhook_sip_rtp::sip::transport::{Peer, Transport};
use offhook_units::Pii;

const CHALLENGE: &str = r#"Digest realm="t", nonce="n1", qop="auth", algorithm=SHA-256"#;

fn place(d: &mut Desk) -> (CallId, Request) {
    let order = Place { to: Pii::new("+15550123".into()), display: None, trunk: None, media: media() };
    let call = d.agent.place(d.now, order).unwrap();
    d.drain();
    (call, d.request("INVITE"))
}

fn ok(invite: &Request, tag: &str) -> Response {
    invite
        .response(Status::OK)
        .with_to_tag(tag)
        .with(Name::Contact, "<sip:far@192.0.2.2:5060>")
        .with_body("application/sdp", OFFER.into())
}

fn ended(events: &[Event]) -> Vec<EndReason> {
    let reason = |e: &Event| match e {
        Event::Ended { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    events.iter().filter_map(reason).collect()
}

#[test]
fn a_call_from_invite_to_bye() {
    let mut d = Desk::on_line();
    let (call, invite) = place(&mut d);
    assert_eq!(invite.uri.to_string(), "sip:+15550123@trunk.example");
    assert!(invite.headers.lists(&Name::Supported, "timer"));
    d.hear_response(&invite.response(Status::RINGING).with_to_tag("far"));
    assert_eq!(d.take_events(), [Event::Ringing { call, early: None }]);
    d.hear_response(&ok(&invite, "far"));
    assert_eq!(d.take_sent(), ["INVITE", "ACK"]);
    assert!(matches!(d.take_events()[..], [Event::Answered { .. }]));
    d.hear_response(&ok(&invite, "far"));
    assert_eq!(d.take_sent(), ["ACK"]);
    d.agent.hang_up(d.now, call).unwrap();
    d.drain();
    let bye = d.request("BYE");
    assert_eq!((bye.uri.to_string().as_str(), bye.ident.to.tag()), ("sip:far@192.0.2.2:5060", Some("far")));
    assert_eq!(ended(&d.take_events()), [EndReason::HungUp]);
    d.hear_response(&bye.response(Status::OK));
    assert_eq!(d.agent.calls().count(), 0);
}

#[test]
fn a_challenge_is_answered_once_and_a_wrong_password_ends_it() {
    let mut d = Desk::on_line();
    let (_, invite) = place(&mut d);
    let challenge = |r: &Request, line: &str| {
        r.response(Status::PROXY_AUTHENTICATION).with_to_tag("p").with(Name::ProxyAuthenticate, line)
    };
    d.hear_response(&challenge(&invite, CHALLENGE));
    assert_eq!(d.take_sent(), ["INVITE", "ACK", "INVITE"]);
    d.hear_response(&challenge(&invite, CHALLENGE));
    assert_eq!(d.take_sent(), ["ACK"], "a copy of the challenge is acknowledged, not answered");
    d.wait(600);
    let second = d.request("INVITE");
    assert_eq!((second.ident.cseq.number, &second.ident.call_id), (2, &invite.ident.call_id));
    assert!(second.headers.get(&Name::ProxyAuthorization).unwrap().contains("nc=00000001"));
    d.hear_response(&challenge(&second, &CHALLENGE.replace("n1", "n2")));
    assert_eq!(ended(&d.take_events()), [EndReason::Rejected(Status::PROXY_AUTHENTICATION)]);
}

#[test]
fn bye_is_proven_too_where_the_trunk_asks_for_it() {
    let mut d = Desk::on_line();
    let (call, invite) = place(&mut d);
    d.hear_response(&ok(&invite, "far"));
    d.agent.hang_up(d.now, call).unwrap();
    d.drain();
    let bye = d.request("BYE");
    d.hear_response(&bye.response(Status::UNAUTHORIZED).with(Name::WwwAuthenticate, CHALLENGE));
    let second = d.request("BYE");
    assert_eq!(second.ident.cseq.number, bye.ident.cseq.number + 1);
    assert!(second.headers.get(&Name::Authorization).is_some());
    d.hear_response(&second.response(Status::OK));
    d.wait(64_000);
    assert_eq!(d.agent.calls().count(), 0);
}

#[test]
fn an_answer_that_crosses_the_cancel_is_hung_up() {
    let mut d = Desk::on_line();
    let (call, invite) = place(&mut d);
    d.hear_response(&invite.response(Status::RINGING).with_to_tag("far"));
    d.agent.hang_up(d.now, call).unwrap();
    d.drain();
    assert_eq!(d.take_sent(), ["INVITE", "CANCEL"]);
    d.hear_response(&ok(&invite, "far"));
    assert_eq!(d.take_sent(), ["ACK", "BYE"]);
    assert_eq!(ended(&d.take_events()), [EndReason::HungUp]);
}

#[test]
fn a_cancelled_call_ends_with_its_487() {
    let mut d = Desk::on_line();
    let (call, invite) = place(&mut d);
    d.hear_response(&invite.response(Status::RINGING).with_to_tag("far"));
    d.agent.hang_up(d.now, call).unwrap();
    d.drain();
    let cancel = d.request("CANCEL");
    d.hear_response(&cancel.response(Status::OK));
    d.hear_response(&invite.response(Status::REQUEST_TERMINATED).with_to_tag("far"));
    assert_eq!(ended(&d.take_events()), [EndReason::HungUp]);
}

#[test]
fn of_two_phones_that_are_picked_up_the_second_is_hung_up() {
    let mut d = Desk::on_line();
    let (_, invite) = place(&mut d);
    for tag in ["one", "two", "three"] {
        d.hear_response(&invite.response(Status::RINGING).with_to_tag(tag));
    }
    d.hear_response(&ok(&invite, "two"));
    d.clear();
    d.hear_response(&ok(&invite, "one"));
    assert_eq!(d.take_sent(), ["ACK", "BYE"]);
    let bye = |m: &Message| matches!(m, Message::Request(r) if r.ident.to.tag() == Some("one"));
    assert!(d.sent.iter().all(|(_, m)| bye(m)));
    assert_eq!(d.take_events(), []);
}

#[test]
fn a_reliable_answer_is_acknowledged_in_order_and_settles_the_media() {
    let mut d = Desk::on_line();
    let (_, invite) = place(&mut d);
    let reliable = |rseq: &str| {
        let progress = invite.response(Status::SESSION_PROGRESS).with_to_tag("far");
        progress
            .with(Name::Require, "100rel")
            .with(Name::RSeq, rseq)
            .with_body("application/sdp", OFFER.into())
    };
    d.hear_response(&reliable("7"));
    let prack = d.request("PRACK");
    assert_eq!(prack.headers.get(&Name::RAck), Some("7 1 INVITE"));
    let events = d.take_events();
    assert!(matches!(&events[..], [Event::Ringing { early: Some(_), .. }]), "{events:?}");
    d.clear();
    d.hear_response(&reliable("7"));
    d.hear_response(&reliable("9"));
    assert_eq!(d.take_sent(), [""; 0], "copies and gaps are not acknowledged");
    d.hear_response(&reliable("8"));
    assert_eq!(d.take_sent(), ["PRACK"]);
    d.clear();
    let mut bare = ok(&invite, "far");
    bare.body.clear();
    d.hear_response(&bare);
    assert!(matches!(d.take_events()[..], [Event::Answered { .. }]), "the media was settled before");
}

#[test]
fn what_was_said_while_it_rang_holds_if_the_answer_says_nothing() {
    let mut d = Desk::on_line();
    let (call, invite) = place(&mut d);
    let sound = invite.response(Status::SESSION_PROGRESS).with_to_tag("far");
    d.hear_response(&sound.with_body("application/sdp", OFFER.into()));
    let mut bare = ok(&invite, "far");
    bare.body.clear();
    d.clear();
    d.hear_response(&bare);
    assert_eq!(d.take_sent(), ["ACK"]);
    let events = d.take_events();
    let [Event::Answered { call: answered, stream }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*answered, stream.remote.unwrap().port()), (call, 39_000));
}

#[test]
fn session_interval_and_redirection_are_followed() {
    let mut d = Desk::on_line();
    let (_, invite) = place(&mut d);
    d.hear_response(&invite.response(Status::INTERVAL_TOO_SMALL).with_to_tag("p").with(Name::MinSe, "3600"));
    let second = d.request("INVITE");
    assert_eq!(second.headers.get(&Name::SessionExpires), Some("3600"));
    let moved = second
        .response(Status::MOVED_TEMPORARILY)
        .with_to_tag("p")
        .with(Name::Contact, "<sip:other@192.0.2.3>");
    d.hear_response(&moved);
    let (to, Message::Request(third)) = d.sent.last().unwrap() else { panic!() };
    assert_eq!((third.uri.to_string().as_str(), *to), ("sip:other@192.0.2.3", peer("192.0.2.3:5060")));
    let third = third.clone();
    d.hear_from("192.0.2.3:5060", &third.response(Status::BUSY_HERE).with_to_tag("p").to_bytes());
    assert_eq!(ended(&d.take_events()), [EndReason::Rejected(Status::BUSY_HERE)]);
}

#[test]
fn a_trunk_that_is_overloaded_or_silent_gives_way_to_the_next() {
    let trunks = vec![trunk("first.example"), trunk("second.example")];
    let mut d = Desk::with_trunks(settings("192.0.2.1:5060"), trunks);
    d.bring_up(0, PEER);
    d.bring_up(1, "192.0.2.3:5060");
    let (_, invite) = place(&mut d);
    d.hear_response(&invite.response(Status::SERVICE_UNAVAILABLE).with_to_tag("p"));
    let (to, Message::Request(second)) = d.sent.last().unwrap() else { panic!() };
    assert_eq!(
        (second.uri.to_string().as_str(), *to),
        ("sip:+15550123@second.example", peer("192.0.2.3:5060"))
    );
    d.agent.handle_input(d.now, Input::Unreachable(peer("192.0.2.3:5060")));
    d.drain();
    assert_eq!(ended(&d.take_events()), [EndReason::Unreachable]);
    let (_, _) = place(&mut d);
    d.clear();
    d.wait(20_000);
    assert!(d.take_sent().iter().all(|m| m == "INVITE" || m == "OPTIONS"));
}

#[test]
fn without_a_trunk_that_is_up_nothing_is_placed() {
    let mut d = Desk::with_trunks(settings("192.0.2.1:5060"), vec![trunk("first.example")]);
    let order = |to: &str| Place { to: Pii::new(to.into()), display: None, trunk: None, media: media() };
    assert_eq!(d.agent.place(d.now, order("1")), Err(CommandError::NoTrunk));
    d.bring_up(0, PEER);
    for bad in ["", "a b", "tel:+1555", "sip:@", "x\r\ny"] {
        assert_eq!(d.agent.place(d.now, order(bad)), Err(CommandError::BadTarget), "{bad:?}");
    }
    assert!(d.agent.is_up(TrunkId(0)));
}

#[test]
fn a_request_too_large_for_a_datagram_goes_by_tcp_and_comes_back_if_there_is_none() {
    let mut large = settings("192.0.2.1:5060");
    large.locals = LocalAddrs { tcp: Some("192.0.2.1:5060".parse().unwrap()), ..large.locals };
    let mut d = Desk::with_trunks(large, vec![trunk("trunk.example")]);
    d.bring_up(0, PEER);
    let display = Some(Pii::new("x".repeat(900)));
    let order = Place { to: Pii::new("1".into()), display, trunk: None, media: media() };
    d.agent.place(d.now, order).unwrap();
    d.drain();
    let (to, Message::Request(invite)) = d.sent.last().unwrap() else { panic!() };
    assert_eq!((to.transport, invite.ident.via.transport.as_str()), (Transport::Tcp, "TCP"));
    d.agent.handle_input(d.now, Input::Unreachable(Peer { transport: Transport::Tcp, ..peer(PEER) }));
    d.drain();
    let (to, Message::Request(invite)) = d.sent.last().unwrap() else { panic!() };
    assert_eq!((to.transport, invite.ident.via.transport.as_str()), (Transport::Udp, "UDP"));
    assert_eq!(d.take_events(), []);
}

#[test]
fn a_call_that_was_given_up_is_not_tried_by_udp_after_all() {
    let mut large = settings("192.0.2.1:5060");
    large.locals = LocalAddrs { tcp: Some("192.0.2.1:5060".parse().unwrap()), ..large.locals };
    let mut d = Desk::with_trunks(large, vec![trunk("trunk.example")]);
    d.bring_up(0, PEER);
    let display = Some(Pii::new("x".repeat(900)));
    let order = Place { to: Pii::new("1".into()), display, trunk: None, media: media() };
    let call = d.agent.place(d.now, order).unwrap();
    d.agent.hang_up(d.now, call).unwrap();
    d.drain();
    assert_eq!(d.take_sent(), ["INVITE"], "a CANCEL has to wait for an answer");
    d.agent.handle_input(d.now, Input::Unreachable(Peer { transport: Transport::Tcp, ..peer(PEER) }));
    d.drain();
    assert_eq!(d.take_sent(), [""; 0]);
    assert_eq!(ended(&d.take_events()), [EndReason::HungUp]);
}

#[test]
fn an_attended_transfer_names_the_call_to_replace() {
    let mut d = Desk::on_line();
    let (tag, caller) = d.answered("");
    let (human, invite) = place(&mut d);
    d.hear_response(&ok(&invite, "human"));
    d.agent.refer_to_call(d.now, caller, human).unwrap();
    d.drain();
    let refer = d.request("REFER");
    let value = refer.headers.get(&Name::ReferTo).unwrap();
    let ours = invite.ident.from.tag().unwrap();
    assert!(value.contains(&format!("%3Bto-tag%3Dhuman%3Bfrom-tag%3D{ours}>")), "{value}");
    assert_eq!(refer.ident.from.tag(), Some(tag.as_str()));
    assert_eq!(d.agent.refer_to_call(d.now, human, human), Err(CommandError::WrongState), "to itself");
}

#[test]
fn a_call_is_handed_on_to_a_number_or_an_address() {
    for (to, refer_to) in
        [("600", "<sip:600@trunk.example>"), ("sip:human@192.0.2.9", "<sip:human@192.0.2.9>")]
    {
        let mut d = Desk::on_line();
        let (_, call) = d.answered("");
        assert_eq!(d.agent.transfer(d.now, call, "no number"), Err(CommandError::BadTarget));
        d.agent.transfer(d.now, call, to).unwrap();
        d.drain();
        assert_eq!(d.request("REFER").headers.get(&Name::ReferTo), Some(refer_to));
    }
}

#[test]
fn keys_go_out_by_info() {
    let mut d = Desk::on_line();
    let (_, call) = d.answered("");
    d.agent.send_key(d.now, call, key('7'), 200).unwrap();
    d.drain();
    assert_eq!(d.request("INFO").body, b"Signal=7\r\nDuration=200\r\n");
}

#[test]
fn an_offer_from_a_phone_that_rings_waits_for_ours() {
    let mut d = Desk::on_line();
    let (_, invite) = place(&mut d);
    d.hear_response(&invite.response(Status::RINGING).with_to_tag("peer"));
    let ours = invite.ident.from.tag().unwrap().to_owned();
    d.clear();
    let update = d.message("UPDATE", 1, &ours, "", OFFER).replace("peercall", &invite.ident.call_id);
    d.hear(&update);
    assert_eq!(d.take_sent(), ["491"]);
    d.hear_response(&ok(&invite, "peer"));
    assert!(matches!(d.take_events()[..], [Event::Answered { .. }]));
}

/// RFC 3311 5.2: only an offer waits for ours, and only until that is answered.
#[test]
fn a_phone_that_rings_may_refresh_at_once_and_change_what_it_settled() {
    let mut d = Desk::on_line();
    let (call, invite) = place(&mut d);
    let ours = invite.ident.from.tag().unwrap().to_owned();
    d.hear_response(&invite.response(Status::RINGING).with_to_tag("peer"));
    d.clear();
    let hear = |d: &mut Desk, method: &str, cseq, body: &str| {
        let text = d.message(method, cseq, &ours, "", body).replace("peercall", &invite.ident.call_id);
        d.hear(&text);
        d.take_sent()
    };
    assert_eq!(hear(&mut d, "UPDATE", 1, ""), ["200"]);
    assert_eq!(hear(&mut d, "UPDATE", 1, ""), ["500"], "numbers rise in each branch");
    assert_eq!(hear(&mut d, "UPDATE", 2, OFFER), ["491"]);
    let settled = invite.response(Status::SESSION_PROGRESS).with_to_tag("peer");
    let settled = settled.with(Name::Require, "100rel").with(Name::RSeq, "1");
    d.hear_response(&settled.with_body("application/sdp", OFFER.into()));
    d.clear();
    let moved = OFFER.replace("39000", "39100").replace("=- 1 1", "=- 1 2");
    let update = d.message("UPDATE", 3, &ours, "", &moved).replace("peercall", &invite.ident.call_id);
    d.hear(&update);
    assert!(String::from_utf8_lossy(&d.response(200).body).contains("m=audio 40000"), "it is answered");
    assert_eq!(hear(&mut d, "INVITE", 4, &moved), ["200", "491"]);
    let heard_at = |event: &Event| match event {
        Event::Ringing { early: Some(stream), .. } | Event::Answered { stream, .. } => {
            stream.remote.map(|addr| addr.port())
        }
        _ => None,
    };
    assert_eq!(d.take_events().iter().map(heard_at).collect::<Vec<_>>(), [Some(39_100)]);
    let taken = invite.response(Status::OK).with_to_tag("peer");
    d.hear_response(&taken.with(Name::Contact, "<sip:far@192.0.2.2:5060>"));
    assert_eq!(d.take_events().iter().map(heard_at).collect::<Vec<_>>(), [Some(39_100)]);
    assert_eq!(d.agent.calls().collect::<Vec<_>>(), [call]);
}

#[test]
fn a_far_end_that_never_answers_is_given_up_after_the_limit() {
    let mut d = Desk::on_line();
    let (_, invite) = place(&mut d);
    d.hear_response(&invite.response(Status::RINGING).with_to_tag("far"));
    d.wait(180_000);
    d.request("CANCEL");
    d.wait(32_000);
    assert_eq!(ended(&d.take_events()), [EndReason::NoAnswer]);
}
