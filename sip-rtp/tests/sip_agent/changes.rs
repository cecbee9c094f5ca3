//! T1: what changes while a call stands: hold, session timers, glare, transfer.

use super::desk::{Desk, OFFER, settings};
use offhook_sip_rtp::sdp::{Description, Direction};
use offhook_sip_rtp::sip::agent::{CommandError, EndReason, Event, Transfer};
use offhook_sip_rtp::sip::header::Name;
use offhook_sip_rtp::sip::status::Status;
use offhook_sip_rtp::sip::uri::Uri;

fn desk() -> Desk {
    Desk::new(settings("192.0.2.1:5060"))
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    let kind = |e: &Event| match e {
        Event::MediaChanged { .. } => "changed",
        Event::Held(_) => "held",
        Event::Resumed(_) => "resumed",
        Event::ChangeRefused { .. } => "refused",
        Event::Ended { .. } => "ended",
        Event::Transfer { .. } => "transfer",
        _ => "other",
    };
    events.iter().map(kind).collect()
}

#[test]
fn the_far_end_holds_and_resumes_in_every_way_there_is() {
    let mut d = desk();
    let (tag, _) = d.answered("");
    let mut cseq = 2;
    for how in [
        format!("{OFFER}a=sendonly\r\n"),
        format!("{OFFER}a=inactive\r\n"),
        OFFER.replace("c=IN IP4 192.0.2.2", "c=IN IP4 0.0.0.0"),
    ] {
        for (body, told) in [(how.as_str(), "held"), (OFFER, "resumed")] {
            let invite = d.message("INVITE", cseq, &tag, "", body);
            d.hear(&invite);
            let answer = Description::parse(&d.response(200).body).unwrap();
            assert_eq!(answer.media[0].direction.unwrap().sends(), told == "resumed", "{body}");
            let ack = d.message("ACK", cseq, &tag, "", "");
            d.hear(&ack);
            assert_eq!(kinds(&d.take_events()), ["changed", told]);
            d.clear();
            cseq += 1;
        }
    }
}

/// As exchanges do that let two calls talk to each other.
#[test]
fn a_hold_ends_with_a_change_that_leaves_the_offer_to_us() {
    let mut d = desk();
    let (tag, call) = d.answered("");
    let hold = d.message("INVITE", 2, &tag, "", &format!("{OFFER}a=inactive\r\n"));
    d.hear(&hold);
    let ack = d.message("ACK", 2, &tag, "", "");
    d.hear(&ack);
    d.clear();
    let resume = d.message("INVITE", 3, &tag, "", "");
    d.hear(&resume);
    let offer = Description::parse(&d.response(200).body).unwrap();
    assert_eq!(offer.media[0].direction, Some(Direction::SendRecv));
    let ack = d.message("ACK", 3, &tag, "", OFFER);
    d.hear(&ack);
    assert_eq!(kinds(&d.take_events()), ["changed", "resumed"]);
    // While we hold, that is what we want.
    d.agent.hold(d.now, call).unwrap();
    d.drain();
    let answer = format!("{OFFER}a=recvonly\r\n").into_bytes();
    let ok = d.request("INVITE").response(Status::OK).with_body("application/sdp", answer);
    d.hear_response(&ok);
    d.clear();
    let again = d.message("INVITE", 4, &tag, "", "");
    d.hear(&again);
    let offer = Description::parse(&d.response(200).body).unwrap();
    assert_eq!(offer.media[0].direction, Some(Direction::SendOnly));
}

#[test]
fn an_offer_that_fits_not_changes_nothing() {
    let mut d = desk();
    let (tag, _) = d.answered("");
    let invite = d.message("INVITE", 2, &tag, "", &OFFER.replace("AVP 8 101", "AVP 18"));
    d.hear(&invite);
    assert_eq!(d.take_sent(), ["488"]);
    assert_eq!(d.take_events(), []);
}

#[test]
fn a_second_change_before_the_ack_of_the_first_is_put_off() {
    let mut d = desk();
    let (tag, _) = d.answered("");
    let first = d.message("INVITE", 2, &tag, "", OFFER);
    let second = d.message("INVITE", 3, &tag, "", OFFER);
    d.hear(&first);
    d.hear(&second);
    assert_eq!(d.take_sent(), ["200", "500"]);
}

#[test]
fn our_hold_meets_theirs_and_comes_again_after_the_glare() {
    let mut d = desk();
    let (tag, call) = d.answered("");
    d.agent.hold(d.now, call).unwrap();
    d.drain();
    let ours = d.request("INVITE");
    assert!(String::from_utf8_lossy(&ours.body).contains("a=sendonly"));
    let theirs = d.message("INVITE", 2, &tag, "", OFFER);
    d.hear(&theirs);
    assert_eq!(d.take_sent(), ["INVITE", "491"]);
    d.hear_response(&ours.response(Status::REQUEST_PENDING));
    assert_eq!(d.take_sent(), ["ACK"]);
    assert_eq!(d.agent.resume(d.now, call), Err(CommandError::Busy));
    d.wait(2000);
    let again = d.request("INVITE");
    assert_eq!(again.ident.cseq.number, ours.ident.cseq.number + 1);
    let answer = format!("{}a=recvonly\r\n", OFFER.replace("m=audio 39000", "m=audio 39100"));
    let ok = again.response(Status::OK).with_body("application/sdp", answer.into_bytes());
    d.hear_response(&ok);
    assert!(d.take_sent().contains(&"ACK".to_owned()));
    let events = d.take_events();
    let [Event::MediaChanged { stream, .. }] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((stream.direction, stream.remote.unwrap().port()), (Direction::SendOnly, 39_100));
    d.hear_response(&ok);
    assert_eq!(d.take_sent(), ["ACK"], "a copy of the answer is acknowledged again");
}

#[test]
fn a_refused_change_leaves_the_call_as_it_was() {
    let mut d = desk();
    let (tag, call) = d.answered("");
    d.agent.hold(d.now, call).unwrap();
    d.drain();
    let ours = d.request("INVITE");
    d.hear_response(&ours.response(Status::NOT_ACCEPTABLE_HERE));
    assert_eq!(kinds(&d.take_events()), ["refused"]);
    let theirs = d.message("UPDATE", 2, &tag, "", OFFER);
    d.hear(&theirs);
    let answer = Description::parse(&d.response(200).body).unwrap();
    assert_eq!(answer.media[0].direction, Some(Direction::SendRecv));
    d.clear();
    d.agent.hold(d.now, call).unwrap();
    d.drain();
    let ours = d.request("INVITE");
    d.hear_response(&ours.response(Status::NO_SUCH_CALL));
    assert!(matches!(d.take_events()[..], [Event::Ended { reason: EndReason::Lost, .. }]));
}

/// Found by a property test: a provisional answer stopped the clock of a re-INVITE, which then hung for ever.
#[test]
fn a_change_that_never_gets_its_final_answer_ends() {
    let mut d = desk();
    let (_, call) = d.answered("");
    d.agent.hold(d.now, call).unwrap();
    d.drain();
    let ours = d.request("INVITE");
    d.hear_response(&ours.response(Status::SESSION_PROGRESS));
    d.wait(32_000);
    assert!(matches!(d.take_events()[..], [Event::Ended { reason: EndReason::Lost, .. }]));
    d.wait(64_000);
    assert!(d.agent.is_idle());
}

#[test]
fn too_small_a_session_interval_is_refused() {
    let mut d = desk();
    let extra = "Supported: timer\r\nSession-Expires: 30;refresher=uac\r\n";
    let invite = d.message("INVITE", 1, "", extra, OFFER);
    d.hear(&invite);
    assert_eq!(d.response(422).headers.get(&Name::MinSe), Some("90"));
}

#[test]
fn a_session_that_the_far_end_forgets_to_refresh_is_ended_by_name() {
    let mut d = desk();
    let (tag, _) = d.answered("Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n");
    d.wait(50_000);
    let update =
        d.message("UPDATE", 2, &tag, "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n", "");
    d.hear(&update);
    assert_eq!(d.response(200).headers.get(&Name::SessionExpires), Some("90;refresher=uac"));
    d.take_sent();
    d.wait(59_000);
    assert_eq!(d.take_sent(), [""; 0]);
    d.wait(2_000);
    assert!(d.request("BYE").headers.get(&Name::Reason).unwrap().contains("session timer"));
    assert!(matches!(d.take_events()[..], [Event::Ended { reason: EndReason::SessionExpired, .. }]));
}

/// Complaint 21: calls that die at 15 or 30 minutes.
#[test]
fn a_session_that_is_ours_to_refresh_lives_for_hours() {
    for (allow, method) in [("Allow: INVITE, UPDATE\r\n", "UPDATE"), ("Allow: INVITE\r\n", "INVITE")] {
        let mut d = desk();
        d.answered(&format!("{allow}Supported: timer\r\nSession-Expires: 1800\r\n"));
        for _ in 0..8 {
            d.wait(900_000);
            let refresh = d.request(method);
            let ok = refresh.response(Status::OK).with(Name::SessionExpires, "1800;refresher=uac");
            let body = if method == "INVITE" { OFFER.into() } else { Vec::new() };
            d.hear_response(&ok.with_body("application/sdp", body));
            assert_eq!(d.take_events(), [], "nothing changed, nothing to tell");
            d.clear();
        }
    }
}

#[test]
fn a_peer_that_serves_no_update_is_refreshed_by_invite() {
    let mut d = desk();
    d.answered("Allow: INVITE, UPDATE\r\nSupported: timer\r\nSession-Expires: 1800\r\n");
    d.wait(900_000);
    let update = d.request("UPDATE");
    d.hear_response(&update.response(Status::NOT_IMPLEMENTED));
    assert!(
        d.request("INVITE").headers.get(&Name::SessionExpires).unwrap().starts_with("1800;refresher=uac")
    );
}

#[test]
fn a_refused_refresh_is_tried_again_before_the_session_ends() {
    let mut d = desk();
    d.answered("Allow: INVITE, UPDATE\r\nSupported: timer\r\nSession-Expires: 1800\r\n");
    d.wait(900_000);
    let first = d.request("UPDATE");
    d.hear_response(&first.response(Status::SERVICE_UNAVAILABLE));
    d.take_sent();
    d.wait(10_000);
    let second = d.request("UPDATE");
    d.hear_response(&second.response(Status::OK).with(Name::SessionExpires, "1800;refresher=uac"));
    d.wait(880_000);
    assert_eq!(d.take_events(), [], "it lives on");
}

#[test]
fn a_blind_transfer_is_followed_to_its_end() {
    let mut d = desk();
    let (tag, call) = d.answered("");
    d.agent.refer(d.now, call, &Uri::parse("sip:human@192.0.2.9").unwrap()).unwrap();
    d.drain();
    let refer = d.request("REFER");
    assert_eq!(refer.headers.get(&Name::ReferTo), Some("<sip:human@192.0.2.9>"));
    d.hear_response(&refer.response(Status::ACCEPTED));
    let extra = "Event: refer;id=2\r\nSubscription-State: active\r\nContent-Type: message/sipfrag\r\n";
    let notify = d.message("NOTIFY", 2, &tag, extra, "SIP/2.0 180 Ringing\r\n");
    d.hear(&notify);
    let last = d.message("NOTIFY", 3, &tag, &extra.replace("active", "terminated"), "SIP/2.0 200 OK\r\n");
    d.hear(&last);
    assert_eq!(d.take_sent(), ["REFER", "200", "200", "BYE"]);
    let progress = d.take_events().into_iter().filter_map(|e| match e {
        Event::Transfer { progress, .. } => Some(progress),
        _ => None,
    });
    let progress: Vec<_> = progress.collect();
    assert_eq!(progress, [Transfer::Accepted, Transfer::Progress(Status::RINGING), Transfer::Done]);
}

#[test]
fn a_transfer_that_fails_leaves_the_call() {
    let mut d = desk();
    let (tag, call) = d.answered("");
    let target = Uri::parse("sip:human@192.0.2.9").unwrap();
    d.agent.refer(d.now, call, &target).unwrap();
    d.drain();
    assert_eq!(d.agent.refer(d.now, call, &target), Err(CommandError::Busy));
    let refer = d.request("REFER");
    d.hear_response(&refer.response(Status::ACCEPTED));
    let extra = "Event: refer\r\nSubscription-State: terminated\r\nContent-Type: message/sipfrag\r\n";
    let notify = d.message("NOTIFY", 2, &tag, extra, "SIP/2.0 486 Busy Here\r\n");
    d.hear(&notify);
    assert!(matches!(
        d.take_events().last(),
        Some(Event::Transfer { progress: Transfer::Failed(Status::BUSY_HERE), .. })
    ));
    d.agent.refer(d.now, call, &target).unwrap();
    d.drain();
    let refer = d.request("REFER");
    d.hear_response(&refer.response(Status::DECLINE));
    assert!(matches!(
        d.take_events().last(),
        Some(Event::Transfer { progress: Transfer::Failed(Status::DECLINE), .. })
    ));
    assert_eq!(d.agent.calls().count(), 1);
}

/// RFC 6665 4.1.2.4: without a report there is no subscription.
#[test]
fn a_transfer_of_which_nothing_is_heard_is_over_in_the_end_and_can_be_asked_for_again() {
    let mut d = desk();
    let (tag, call) = d.answered("");
    let target = Uri::parse("sip:human@192.0.2.9").unwrap();
    let again = |d: &mut Desk| {
        d.agent.refer(d.now, call, &target).unwrap();
        d.drain();
        let refer = d.request("REFER");
        d.hear_response(&refer.response(Status::ACCEPTED));
        d.clear();
    };
    let failed = [Event::Transfer { call, progress: Transfer::Failed(Status::REQUEST_TIMEOUT) }];
    again(&mut d);
    d.wait(31_900);
    assert_eq!(d.agent.refer(d.now, call, &target), Err(CommandError::Busy));
    d.wait(200);
    assert_eq!(d.take_events(), failed);

    // It rings there, and no word of how that ended comes.
    again(&mut d);
    let extra = "Event: refer\r\nSubscription-State: active\r\nContent-Type: message/sipfrag\r\n";
    let notify = d.message("NOTIFY", 2, &tag, extra, "SIP/2.0 180 Ringing\r\n");
    d.wait(20_000);
    d.hear(&notify);
    d.clear();
    d.wait(179_000);
    assert_eq!(d.agent.refer(d.now, call, &target), Err(CommandError::Busy));
    d.wait(2_000);
    assert_eq!(d.take_events(), failed);
    again(&mut d);
    assert_eq!(d.agent.calls().collect::<Vec<_>>(), [call], "it went on all the time");
}

#[test]
fn a_last_report_that_overtakes_the_answer_stays_the_last() {
    let mut d = desk();
    let (tag, call) = d.answered("");
    d.agent.refer(d.now, call, &Uri::parse("sip:human@192.0.2.9").unwrap()).unwrap();
    d.drain();
    let refer = d.request("REFER");
    let extra = "Event: refer\r\nSubscription-State: terminated\r\nContent-Type: message/sipfrag\r\n";
    let notify = d.message("NOTIFY", 2, &tag, extra, "SIP/2.0 486 Busy Here\r\n");
    d.hear(&notify);
    d.hear_response(&refer.response(Status::ACCEPTED));
    d.wait(40_000);
    let progress = Transfer::Failed(Status::BUSY_HERE);
    assert_eq!(d.take_events(), [Event::Transfer { call, progress }]);
}

#[test]
fn notifications_of_other_things_are_not_ours() {
    let mut d = desk();
    let (tag, _) = d.answered("");
    let notify = d.message("NOTIFY", 2, &tag, "Event: presence\r\nSubscription-State: active\r\n", "");
    d.hear(&notify);
    assert_eq!(d.take_sent(), ["489"]);
}
