//! Calls in and out, and what is heard in them.

use super::office::{Office, free, settings};
use super::phone::{Phone, payload};
use offhook::trunk::command::{Outgoing, Refused, Report, Request};
use offhook::trunk::routes::{Route, Target};
use offhook::trunk::settings::{Keep, Line};
use offhook_sip_rtp::media::dtmf::Digit;
use offhook_sip_rtp::sip::agent::{CommandError, EndReason};
use offhook_sip_rtp::sip::method::Method;
use offhook_sip_rtp::sip::uri::Uri;
use offhook_units::{Pii, Span};

const SILENCE: u8 = 0xFF;

/// Sends `packets` of a sound that no silence is, and returns once one of them came back.
fn hears_itself(phone: &mut Phone) {
    let voice: Vec<u8> = (0..160).map(|n: u32| (n * 37 % 120) as u8).collect();
    for n in 0..400 {
        let packet = phone.rtp_packet(0, n * 160, n == 0, &voice);
        phone.send_rtp(&packet);
        if payload(&phone.hear()).iter().filter(|sample| **sample != SILENCE).count() > 100 {
            return;
        }
    }
    panic!("nothing came back of 400 packets");
}

#[test]
fn the_caller_hears_himself_and_the_call_is_accounted_for() {
    let office = Office::open(settings(20_000));
    let mut phone = Phone::udp(office.locals.udp);
    assert_eq!(phone.call_plainly("100").status.code(), 200);
    hears_itself(&mut phone);
    assert_eq!(phone.hang_up().status.code(), 200);
    let figures = office.wait_for(|report| match report {
        Report::Ended { figures, .. } => figures.clone(),
        _ => None,
    });
    let reception = figures.reception.expect("packets came");
    assert!(reception.received > 0 && figures.drops.admitted > 0 && figures.media.sent > 0, "{figures:?}");
    assert!(reception.metrics.mos_listening_10 >= 35, "{figures:?}");
    let snapshot = office.handle.snapshot().expect("the thread runs");
    assert_eq!((snapshot.calls.len(), snapshot.counters.calls_in, snapshot.counters.ended), (0, 1, 1));
    office.close();
}

#[test]
fn keys_are_heard_by_event_and_by_info() {
    let office = Office::open(settings(20_040));
    let mut phone = Phone::udp(office.locals.udp);
    phone.call_plainly("100");
    for (marker, flags) in [(true, 0x0A), (false, 0x0A), (false, 0x8A), (false, 0x8A)] {
        let packet = phone.rtp_packet(101, 5_000, marker, &[11, flags, 3, 0x20]);
        phone.send_rtp(&packet);
    }
    let key = |report: &Report| match report {
        Report::Key(_, key) => Some(*key.reveal()),
        _ => None,
    };
    assert_eq!(office.wait_for(key), '#');
    phone.ask("INFO", "100", "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\nDuration=160\r\n");
    assert_eq!(phone.response().status.code(), 200);
    assert_eq!(office.wait_for(key), '5');
    phone.hang_up();
    office.close();
}

#[test]
fn our_keys_reach_the_caller() {
    let office = Office::open(settings(20_080));
    let mut phone = Phone::udp(office.locals.udp);
    phone.call_plainly("100");
    let call = office.wait_for(|report| match report {
        Report::Answered { call, .. } => Some(*call),
        _ => None,
    });
    let seven = Digit::from_char('7').expect("a key");
    assert_eq!(office.handle.call(|reply| Request::Press(call, seven, reply)), Ok(Ok(call)));
    loop {
        let packet = phone.hear();
        if packet[1] & 0x7F == 101 {
            assert_eq!(payload(&packet)[0], 7);
            break;
        }
    }
    phone.hang_up();
    office.close();
}

#[test]
fn a_call_whose_wire_falls_silent_is_hung_up() {
    let mut quick = settings(20_120);
    quick.media.patience.voice = Span::from_millis(200);
    quick.media.patience.first = Span::from_millis(100);
    let office = Office::open(quick);
    let mut phone = Phone::udp(office.locals.udp);
    phone.call_plainly("100");
    let packet = phone.rtp_packet(0, 0, true, &[1; 160]);
    phone.send_rtp(&packet);
    let bye = phone.request();
    assert_eq!(bye.method, Method::Bye);
    phone.answer(&bye, 200, "");
    assert!(office.wait_for(|report| match report {
        Report::Ended { silent, .. } => Some(*silent),
        _ => None,
    }));
    office.close();
}

#[test]
fn silence_on_hold_ends_nothing() {
    let mut quick = settings(20_160);
    quick.media.patience.voice = Span::from_millis(100);
    quick.media.patience.first = Span::from_millis(50);
    let office = Office::open(quick);
    let mut phone = Phone::udp(office.locals.udp);
    phone.call_plainly("100");
    let hold = phone.sdp("RTP/AVP 0", "a=sendonly\r\n");
    assert_eq!(phone.call("100", &hold).status.code(), 200);
    assert!(phone.is_left_alone(), "no BYE comes in three times the patience");
    assert_eq!(phone.hang_up().status.code(), 200);
    office.close();
}

#[test]
fn a_change_of_codec_goes_on_in_the_new_one() {
    let office = Office::open(settings(20_200));
    let mut phone = Phone::udp(office.locals.udp);
    phone.call_plainly("100");
    hears_itself(&mut phone);
    let other = phone.sdp("RTP/AVP 9", "");
    assert_eq!(phone.call("100", &other).status.code(), 200);
    while phone.hear()[1] & 0x7F != 9 {}
    phone.hang_up();
    office.close();
}

#[test]
fn a_route_that_hands_on_answers_and_refers() {
    let mut settings = settings(20_240);
    let human = Uri::parse("sip:human@127.0.0.1:5999").expect("a URI");
    settings.routes.0.push(Route::new("3", Target::Transfer(Pii::new(human))));
    let office = Office::open(settings);
    let mut phone = Phone::udp(office.locals.udp);
    phone.call_plainly("3");
    let refer = phone.request();
    assert_eq!(refer.method, Method::Refer);
    assert!(String::from_utf8_lossy(&refer.to_bytes()).contains("human@127.0.0.1:5999"));
    phone.answer(&refer, 603, "");
    let bye = phone.request();
    assert_eq!(bye.method, Method::Bye, "nobody here could talk to the caller");
    phone.answer(&bye, 200, "");
    office.close();
}

/// A trunk without registration at the telephone.
fn watched(phone: &Phone) -> Line {
    Line {
        server: "127.0.0.1".into(),
        port: Some(phone.address().port()),
        transport: None,
        user: Pii::new("box".into()),
        domain: None,
        credentials: None,
        keep: Keep::Watch,
    }
}

#[test]
fn a_call_of_ours_goes_out_by_the_trunk_and_can_be_held() {
    let mut phone = Phone::udp(free());
    let mut settings = settings(20_280);
    settings.trunks.push(watched(&phone));
    let office = Office::open(settings);
    phone.set_peer(office.locals.udp);
    let to_nobody = Outgoing { to: Pii::new("5".into()), trunk: None, target: Target::Handset };
    let place =
        |outgoing: &Outgoing| office.handle.call(|reply| Request::Place(Box::new(outgoing.clone()), reply));
    assert_eq!(place(&to_nobody), Ok(Err(Refused::NoTarget)));

    let options = phone.request();
    phone.answer(&options, 200, "");
    office.wait_for(|report| matches!(report, Report::Trunk(..)).then_some(()));
    let call = place(&Outgoing { target: Target::Tone, ..to_nobody }).expect("taken").expect("placed");
    let invite = phone.request();
    assert_eq!(invite.method, Method::Invite);
    let sdp = phone.sdp("RTP/AVP 0", "");
    phone.answer(&invite, 200, &sdp);
    let ack = phone.request();
    assert_eq!(ack.method, Method::Ack);
    while payload(&phone.hear()).iter().all(|sample| *sample == SILENCE) {}

    assert_eq!(office.handle.call(|reply| Request::Hold(call, true, reply)), Ok(Ok(call)));
    let hold = phone.request();
    assert!(String::from_utf8_lossy(&hold.body).contains("a=sendonly"));
    phone.answer(&hold, 200, &phone.sdp("RTP/AVP 0", "a=recvonly\r\n"));
    assert_eq!(phone.request().method, Method::Ack);
    assert_eq!(office.handle.call(|reply| Request::HangUp(call, reply)), Ok(Ok(call)));
    let bye = phone.request();
    phone.answer(&bye, 200, "");
    let gone = office.handle.call(|reply| Request::HangUp(call, reply));
    assert_eq!(gone, Ok(Err(Refused::Agent(CommandError::NoSuchCall))));
    office.close();
}

/// A proxy may leave the way of a call: then the far end speaks for itself, from an address that is no trunk's.
#[test]
fn the_far_end_of_a_call_is_heard_from_where_its_contact_says() {
    let mut proxy = Phone::udp(free());
    let mut far = Phone::at(([127, 0, 0, 3], 0).into(), free());
    let mut settings = settings(20_320);
    settings.allowed.clear();
    settings.trunks.push(watched(&proxy));
    let office = Office::open(settings);
    proxy.set_peer(office.locals.udp);
    far.set_peer(office.locals.udp);
    let options = proxy.request();
    proxy.answer(&options, 200, "");
    office.wait_for(|report| matches!(report, Report::Trunk(..)).then_some(()));

    let outgoing = Outgoing { to: Pii::new("5".into()), trunk: None, target: Target::Tone };
    let call = office.handle.call(|reply| Request::Place(Box::new(outgoing), reply)).expect("taken");
    let invite = proxy.request();
    let sdp = far.sdp("RTP/AVP 0", "");
    proxy.send_bytes(&far.answer_to(&invite, 200, &sdp));
    assert_eq!(far.request().method, Method::Ack);
    far.send_bytes(
        format!(
            "BYE sip:box@{us} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bKfar;rport\r\nFrom: {to};tag=phone\r\nTo: {from}\r\n\
             Call-ID: {id}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
            us = office.locals.udp,
            me = far.address(),
            to = invite.ident.to,
            from = invite.ident.from,
            id = invite.ident.call_id,
        )
        .as_bytes(),
    );
    let ended = office.wait_for(|report| match report {
        Report::Ended { call, reason, .. } => Some((*call, reason.clone())),
        _ => None,
    });
    assert_eq!(Ok(ended), call.map(|call| (call, EndReason::FarEndHungUp(None))));
    let mut stranger = Phone::at(([127, 0, 0, 4], 0).into(), office.locals.udp);
    stranger.ask("OPTIONS", "1", "", "");
    assert!(stranger.is_left_alone());
    office.close();
}
