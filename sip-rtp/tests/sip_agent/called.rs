//! T1: calls in.

use super::desk::{Desk, OFFER, PEER, key, media, peer, settings};
use offhook_sip_rtp::sdp::{Description, Direction};
use offhook_sip_rtp::sip::agent::{EndReason, Event};
use offhook_sip_rtp::sip::digest::client::{Client, Credentials, Subject};
use offhook_sip_rtp::sip::header::Name;
use offhook_sip_rtp::sip::ids::Ids;
use offhook_sip_rtp::sip::message::Message;
use offhook_units::{Codec, Pii};

fn desk() -> Desk {
    Desk::new(settings("192.0.2.1:5060"))
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
    let mut d = desk();
    let invite = d.message("INVITE", 1, "", "P-Asserted-Identity: <sip:+15550199@trunk>\r\n", OFFER);
    d.hear(&invite);
    assert_eq!(d.take_sent(), ["100"]);
    let call = d.announced();
    let [Event::IncomingCall { parties, .. }] = &d.take_events()[..] else { panic!() };
    assert_eq!(parties.from.reveal().user().as_deref(), Some("+15550199"));
    assert_eq!(parties.called.reveal(), "box");
    d.agent.ring(d.now, call).unwrap();
    d.drain();
    assert_eq!(d.take_sent(), ["180"]);
    d.agent.answer(d.now, call, media()).unwrap();
    d.drain();
    let ok = d.response(200);
    assert_eq!(ok.headers.get(&Name::Contact), Some("<sip:offhook@192.0.2.1:5060>"));
    let text = Description::parse(&ok.body).unwrap();
    assert_eq!((text.media[0].port, text.media[0].formats.join(" ")), (Some(40_000), "8 101".into()));
    let events = d.take_events();
    let [Event::Answered { stream, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((stream.codec, stream.remote.unwrap().port()), (Codec::Pcma, 39_000));
    let tag = ok.ident.to.tag().unwrap().to_owned();
    let ack = d.message("ACK", 1, &tag, "", "");
    d.hear(&ack);
    d.take_sent();
    d.wait(10_000);
    assert_eq!(d.take_sent(), [""; 0], "nothing is repeated after the ACK");
    let bye = d.message("BYE", 2, &tag, "Reason: Q.850;cause=16\r\n", "");
    d.hear(&bye);
    assert_eq!(d.take_sent(), ["200"]);
    assert_eq!(ended(&d.take_events()), [EndReason::FarEndHungUp(Some("Q.850;cause=16".into()))]);
    let again = d.message("BYE", 3, &tag, "", "");
    d.hear(&again);
    assert_eq!(d.take_sent(), ["481"]);
    d.wait(40_000);
    assert!(d.agent.is_idle());
}

#[test]
fn an_unacknowledged_answer_is_repeated_for_32_seconds_and_then_hung_up() {
    let mut d = desk();
    let invite = d.message("INVITE", 1, "", "", OFFER);
    d.hear(&invite);
    let call = d.announced();
    d.agent.answer(d.now, call, media()).unwrap();
    d.drain();
    d.take_sent();
    let mut times = Vec::new();
    let start = d.now;
    while d.now.since(start).as_micros() < 31_900_000 {
        d.wait(100);
        if d.take_sent() == ["200"] {
            times.push(d.now.since(start).as_micros() / 100_000);
        }
    }
    assert_eq!(times, [5, 15, 35, 75, 115, 155, 195, 235, 275, 315]);
    d.wait(200);
    assert_eq!(d.take_sent(), ["BYE"]);
    assert_eq!(ended(&d.take_events()), [EndReason::NotAcknowledged]);
    d.wait(64_000);
    assert!(d.agent.is_idle());
}

#[test]
fn a_caller_who_gives_up_is_told_so() {
    let mut d = desk();
    let invite = d.message("INVITE", 1, "", "", OFFER);
    d.hear(&invite);
    let call = d.announced();
    d.take_sent();
    d.hear(
        &invite
            .replace("INVITE sip", "CANCEL sip")
            .replace("1 INVITE", "1 CANCEL")
            .replace(OFFER, "")
            .replace(&format!("Content-Length: {}", OFFER.len()), "Content-Length: 0"),
    );
    assert_eq!(d.take_sent(), ["200", "487"]);
    assert_eq!(ended(&d.take_events()), [EndReason::Cancelled]);
    assert!(d.agent.answer(d.now, call, media()).is_err(), "too late");
}

#[test]
fn a_late_offer_is_made_in_the_answer_and_settled_by_the_ack() {
    let mut d = desk();
    let invite = d.message("INVITE", 1, "", "", "");
    d.hear(&invite);
    let call = d.announced();
    d.agent.answer(d.now, call, media()).unwrap();
    d.drain();
    let ok = d.response(200);
    assert!(Description::parse(&ok.body).unwrap().media[0].formats.len() > 3, "all that we have");
    assert!(!d.events.iter().any(|e| matches!(e, Event::Answered { .. })), "not settled yet");
    let tag = ok.ident.to.tag().unwrap().to_owned();
    let ack = d.message("ACK", 1, &tag, "", OFFER);
    d.hear(&ack);
    assert!(matches!(d.take_events().last(), Some(Event::Answered { .. })));
}

#[test]
fn a_late_offer_that_is_never_answered_ends_the_call() {
    let mut d = desk();
    let invite = d.message("INVITE", 1, "", "", "");
    d.hear(&invite);
    let call = d.announced();
    d.agent.answer(d.now, call, media()).unwrap();
    d.drain();
    let tag = d.response(200).ident.to.tag().unwrap().to_owned();
    let ack = d.message("ACK", 1, &tag, "", "");
    d.hear(&ack);
    assert!(d.request("BYE").headers.get(&Name::Reason).unwrap().contains("488"));
    assert!(matches!(ended(&d.take_events())[..], [EndReason::Media(_)]));
}

#[test]
fn offers_without_a_common_codec_get_488() {
    let mut d = desk();
    let invite = d.message("INVITE", 1, "", "", &OFFER.replace("AVP 8 101", "AVP 18"));
    d.hear(&invite);
    let call = d.announced();
    d.agent.answer(d.now, call, media()).unwrap();
    d.drain();
    d.response(488);
    assert!(matches!(ended(&d.take_events())[..], [EndReason::Media(_)]));
    assert_eq!(d.agent.counters().0.refused_media, 1);
}

#[test]
fn early_media_goes_reliably_to_who_can_and_the_answer_waits_for_its_prack() {
    let mut d = desk();
    let invite = d.message("INVITE", 1, "", "Supported: 100rel\r\n", OFFER);
    d.hear(&invite);
    let call = d.announced();
    d.agent.progress(d.now, call, media()).unwrap();
    d.drain();
    let progress = d.response(183);
    assert!(progress.headers.lists(&Name::Require, "100rel") && !progress.body.is_empty());
    let rseq = progress.headers.get(&Name::RSeq).unwrap().to_owned();
    d.take_sent();
    d.wait(1600);
    assert_eq!(d.take_sent(), ["183", "183"], "again until it is acknowledged");
    d.agent.answer(d.now, call, media()).unwrap();
    d.drain();
    assert_eq!(d.take_sent(), [""; 0]);
    let tag = progress.ident.to.tag().unwrap().to_owned();
    let wrong = d.message("PRACK", 2, &tag, "RAck: 1 7 INVITE\r\n", "");
    d.hear(&wrong);
    assert_eq!(d.take_sent(), ["481"]);
    let prack = d.message("PRACK", 3, &tag, &format!("RAck: {rseq} 1 INVITE\r\n"), "");
    d.hear(&prack);
    assert_eq!(d.response(200).ident.cseq.number, 1);
    assert!(d.response(200).body.is_empty(), "the media are settled: RFC 6337 3.1.1");
    assert_eq!(d.take_sent(), ["200", "200"], "one for PRACK, one for INVITE");
    let told = d.take_events();
    let [
        Event::IncomingCall { .. },
        Event::Ringing { early: Some(early), .. },
        Event::Answered { stream, .. },
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!(early, stream);
}

/// The caller need not acknowledge it, and may not have got it: the 200 has to say it again (RFC 3261 13.2.1).
#[test]
fn an_early_answer_that_nobody_acknowledges_is_said_again_in_the_200() {
    let mut d = desk();
    let invite = d.message("INVITE", 1, "", "", OFFER);
    d.hear(&invite);
    let call = d.announced();
    d.agent.progress(d.now, call, media()).unwrap();
    d.agent.answer(d.now, call, media()).unwrap();
    d.drain();
    assert!(!d.response(183).headers.lists(&Name::Require, "100rel"));
    assert_eq!(d.response(183).body, d.response(200).body);
}

#[test]
fn an_early_offer_of_ours_is_heard_from_its_prack_on_and_can_change_before_the_answer() {
    let mut d = desk();
    let invite = d.message("INVITE", 1, "", "Supported: 100rel\r\nAllow: UPDATE\r\n", "");
    d.hear(&invite);
    let call = d.announced();
    d.agent.progress(d.now, call, media()).unwrap();
    d.drain();
    let progress = d.response(183);
    let (tag, rseq) =
        (progress.ident.to.tag().unwrap().to_owned(), progress.headers.get(&Name::RSeq).unwrap());
    assert!(matches!(d.take_events()[..], [Event::IncomingCall { .. }]), "nothing is agreed yet");
    let prack = d.message("PRACK", 2, &tag, &format!("RAck: {rseq} 1 INVITE\r\n"), OFFER);
    d.hear(&prack);
    assert!(matches!(d.take_events()[..], [Event::Ringing { early: Some(_), .. }]));
    let update = d.message("UPDATE", 3, &tag, "", &OFFER.replace("39000", "39100"));
    d.hear(&update);
    let told = d.take_events();
    let [Event::Ringing { early: Some(early), .. }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(early.remote.map(|remote| remote.port()), Some(39_100));
    d.clear();
    d.agent.answer(d.now, call, media()).unwrap();
    d.drain();
    assert!(d.response(200).body.is_empty());
    assert!(matches!(d.take_events()[..], [Event::Answered { .. }]));
}

/// An UPDATE is refused by itself (RFC 3311 5.2), a PRACK acknowledges in any case: what it offers ends the call.
#[test]
fn an_early_change_to_what_we_cannot_is_refused_in_its_way() {
    let alien = OFFER.replace("AVP 8 101", "AVP 18");
    for (offer, answer) in [(OFFER, Some(&alien)), ("", Some(&alien)), ("", None)] {
        let mut d = desk();
        let invite = d.message("INVITE", 1, "", "Supported: 100rel\r\n", offer);
        d.hear(&invite);
        let call = d.announced();
        d.agent.progress(d.now, call, media()).unwrap();
        d.drain();
        let progress = d.response(183);
        let (tag, rseq) = (progress.ident.to.tag().unwrap(), progress.headers.get(&Name::RSeq).unwrap());
        d.clear();
        if !offer.is_empty() {
            let update = d.message("UPDATE", 2, tag, "", &alien);
            d.hear(&update);
            assert_eq!((d.take_sent(), d.take_events()), (vec!["488".to_owned()], vec![]));
        }
        d.agent.answer(d.now, call, media()).unwrap();
        let body = answer.map_or("v=nonsense", String::as_str);
        let prack = d.message("PRACK", 3, tag, &format!("RAck: {rseq} 1 INVITE\r\n"), body);
        d.hear(&prack);
        let ok = d.response(200);
        assert_eq!(
            (ok.ident.cseq.number, !ok.body.is_empty()),
            (3, !offer.is_empty()),
            "an offer has an answer"
        );
        assert!(offer.is_empty() || Description::parse(&ok.body).unwrap().media[0].port == Some(0));
        assert_eq!(d.take_sent(), ["200", "488"], "{offer}");
        assert!(matches!(ended(&d.take_events())[..], [EndReason::Media(_)]));
        d.wait(64_000);
        assert!(d.agent.is_idle());
    }
}

#[test]
fn without_a_prack_the_call_is_given_up() {
    let mut d = desk();
    let invite = d.message("INVITE", 1, "", "Require: 100rel\r\n", OFFER);
    d.hear(&invite);
    let call = d.announced();
    d.agent.ring(d.now, call).unwrap();
    d.drain();
    d.wait(32_000);
    d.response(504);
    assert_eq!(ended(&d.take_events()), [EndReason::NotAcknowledged]);
}

#[test]
fn strangers_get_silence_and_are_counted() {
    let mut d = desk();
    let invite = d.message("INVITE", 1, "", "", OFFER);
    for _ in 0..1000 {
        d.hear_from("203.0.113.5:5060", invite.as_bytes());
    }
    assert_eq!((d.take_sent().len(), d.take_events().len()), (0, 0));
    assert_eq!(d.agent.guard().turned_away(), 1000);
    assert!(d.agent.is_idle());
}

#[test]
fn beyond_the_limit_calls_are_told_when_to_come_again() {
    let mut limited = settings("192.0.2.1:5060");
    limited.max_calls = 2;
    let mut d = Desk::new(limited);
    for number in 0..3 {
        let invite = d.message("INVITE", 1, "", "", OFFER).replace("peercall", &format!("call{number}"));
        d.hear(&invite);
    }
    assert_eq!(d.take_sent(), ["100", "100", "503"]);
    assert_eq!(d.take_events().len(), 2);
}

#[test]
fn nobody_answers_for_ever() {
    let mut d = desk();
    let invite = d.message("INVITE", 1, "", "", OFFER);
    d.hear(&invite);
    d.wait(180_000);
    d.response(480);
    assert_eq!(ended(&d.take_events()), [EndReason::NoAnswer]);
}

#[test]
fn a_caller_may_have_to_prove_who_it_is() {
    let mut closed = settings("192.0.2.1:5060");
    let credentials = Credentials { user: Pii::new("pbx".into()), password: Pii::new("pw".into()) };
    closed.inbound = Some(credentials.clone());
    let mut d = Desk::new(closed);
    let invite = d.message("INVITE", 1, "", "", OFFER);
    d.hear(&invite);
    let refusal = d.response(401);
    assert_eq!(refusal.headers.all(&Name::WwwAuthenticate).count(), 2, "SHA-256 and MD5");
    let mut client = Client::new(credentials);
    client.challenged(refusal.headers.all(&Name::WwwAuthenticate), None, &mut Ids::new([1; 32])).unwrap();
    let subject = Subject { method: "INVITE", uri: "sip:box@192.0.2.1", body: OFFER.as_bytes() };
    let line = format!("Authorization: {}\r\n", client.authorize(subject).unwrap());
    d.clear();
    let proven = d.message("INVITE", 2, "", &line, OFFER);
    d.hear(&proven);
    assert_eq!(d.take_sent(), ["100"]);
    d.announced();
    let replayed = d.message("INVITE", 3, "", &line, OFFER).replace("peercall", "other");
    d.hear(&replayed);
    assert_eq!(d.take_sent(), ["401"], "the same proof does not serve twice");
}

#[test]
fn an_invite_can_take_the_place_of_a_call() {
    let mut d = desk();
    let (tag, old) = d.answered("");
    let replaces = format!("Replaces: peercall;to-tag={tag};from-tag=peer\r\n");
    let invite = d.message("INVITE", 1, "", &replaces, OFFER).replace("Call-ID: peercall", "Call-ID: new");
    d.hear(&invite);
    let call = d.announced();
    assert!(matches!(d.events.last(), Some(Event::IncomingCall { replaces: Some(r), .. }) if *r == old));
    d.take_sent();
    d.agent.answer(d.now, call, media()).unwrap();
    d.drain();
    assert_eq!(d.take_sent(), ["200", "BYE"]);
    assert_eq!(ended(&d.take_events()), [EndReason::Replaced]);
    let unknown =
        d.message("INVITE", 1, "", "Replaces: x;to-tag=1;from-tag=2\r\n", OFFER).replace("peercall", "y");
    d.hear(&unknown);
    assert_eq!(d.take_sent().last().map(String::as_str), Some("481"));
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut d = desk();
    let invite = d.message("INVITE", 1, "", "", OFFER);
    d.hear(&invite);
    let call = d.announced();
    d.agent.answer(d.now, call, media()).unwrap();
    d.drain();
    let tag = d.response(200).ident.to.tag().unwrap().to_owned();
    d.clear();
    d.agent.hang_up(d.now, call).unwrap();
    d.drain();
    assert_eq!(d.take_sent(), [""; 0]);
    let ack = d.message("ACK", 1, &tag, "", "");
    d.hear(&ack);
    assert_eq!(d.take_sent(), ["BYE"]);
    assert_eq!(ended(&d.take_events()), [EndReason::HungUp]);
}

#[test]
fn keys_by_info_and_what_is_no_key() {
    let mut d = desk();
    let (tag, call) = d.answered("");
    let relay = "Content-Type: application/dtmf-relay\r\n";
    let info = d.message("INFO", 2, &tag, relay, "Signal=5\r\nDuration=200\r\n");
    d.hear(&info);
    assert_eq!(d.take_sent(), ["200"]);
    assert_eq!(d.take_events(), [Event::Key { call, key: Pii::new(key('5')) }]);
    let odd = d.message("INFO", 3, &tag, "Content-Type: application/media_control+xml\r\n", "<x/>");
    d.hear(&odd);
    assert_eq!(d.take_sent(), ["415"]);
    let empty = d.message("INFO", 4, &tag, "", "");
    d.hear(&empty);
    assert_eq!(d.take_sent(), ["200"]);
    let flash = d.message("INFO", 5, &tag, relay, "Signal=hf\r\n");
    d.hear(&flash);
    assert_eq!(d.take_sent(), ["400"]);
}

/// Within the 250 ms that each of them says it was held, too.
#[test]
fn each_info_is_a_key_of_its_own_and_a_copy_is_not() {
    let mut d = desk();
    let (tag, call) = d.answered("");
    let plain = "Content-Type: application/dtmf\r\n";
    let relay = "Content-Type: application/dtmf-relay\r\n";
    let first = d.message("INFO", 2, &tag, relay, "Signal=5\r\nDuration=250\r\n");
    d.hear(&first);
    d.hear(&first);
    let second = d.message("INFO", 3, &tag, relay, "Signal=5\r\nDuration=250\r\n");
    d.hear(&second);
    let third = d.message("INFO", 4, &tag, plain, "10");
    d.hear(&third);
    assert_eq!(d.take_sent(), ["200"; 4]);
    let pressed = |sign| Event::Key { call, key: Pii::new(key(sign)) };
    assert_eq!(d.take_events(), [pressed('5'), pressed('5'), pressed('*')]);
}

#[test]
fn requests_within_a_call_keep_their_order_and_outside_of_one_get_481() {
    let mut d = desk();
    let (tag, _) = d.answered("");
    let ahead = d.message("OPTIONS", 10, &tag, "", "");
    d.hear(&ahead);
    let behind = d.message("INFO", 5, &tag, "", "");
    d.hear(&behind);
    assert_eq!(d.take_sent(), ["200", "500"]);
    for method in ["BYE", "PRACK", "UPDATE", "INFO", "REFER", "NOTIFY", "INVITE"] {
        let lost = d.message(method, 20, "nosuchtag", "", "");
        d.hear(&lost);
        assert_eq!(d.take_sent().last().map(String::as_str), Some("481"), "{method}");
    }
    let refer = d.message("REFER", 30, &tag, "Refer-To: <sip:nobody@192.0.2.9>\r\n", "");
    d.hear(&refer);
    let foo = d.message("FOO", 31, &tag, "", "");
    d.hear(&foo);
    let unknown = d.message("INFO", 32, &tag, "Require: nothing\r\n", "");
    d.hear(&unknown);
    assert_eq!(d.take_sent(), ["603", "501", "420"]);
}

#[test]
fn routes_of_the_invite_are_followed_and_answered() {
    let mut d = desk();
    let (_, call) = d.answered("Record-Route: <sip:192.0.2.50;lr>\r\n");
    d.agent.hang_up(d.now, call).unwrap();
    d.drain();
    let (to, Message::Request(bye)) = d.sent.last().unwrap() else { panic!() };
    assert_eq!(*to, peer("192.0.2.50:5060"));
    assert_eq!(bye.headers.get(&Name::Route), Some("<sip:192.0.2.50;lr>"));
    assert_eq!(bye.uri.to_string(), format!("sip:peer@{PEER}"));
}

#[test]
fn a_drained_agent_keeps_its_calls_and_takes_no_new_ones() {
    let mut d = desk();
    let (tag, _) = d.answered("");
    d.agent.drain();
    let new = d.message("INVITE", 1, "", "", OFFER).replace("peercall", "new");
    d.hear(&new);
    let hold = d.message("INVITE", 2, &tag, "", &format!("{OFFER}a=sendonly\r\n"));
    d.hear(&hold);
    assert_eq!(d.take_sent(), ["503", "200"]);
    let held = d
        .take_events()
        .into_iter()
        .any(|e| matches!(e, Event::MediaChanged { stream, .. } if stream.direction == Direction::RecvOnly));
    assert!(held);
}
