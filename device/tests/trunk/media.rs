//! What a call's wire carries beside plain voice.

use super::office::{Office, settings};
use super::phone::{Phone, payload};
use offhook::trunk::command::{Doubt, Report, Request};
use offhook::trunk::routes::{Route, Target};
use offhook_engine::codec::g711::Law;
use offhook_sip_rtp::media::dtmf::Digit;
use offhook_sip_rtp::media::srtp::{MasterKey, Suite};
use offhook_sip_rtp::media::srtp::{SrtpError, SrtpReceiver, SrtpSender};
use offhook_sip_rtp::media::stream::Dropped;
use offhook_sip_rtp::sdp::crypto::Crypto;
use offhook_units::{Pii, Span};
use std::f32::consts::TAU;

const SENDER_REPORT: u8 = 200;

fn key(crypto: &Crypto) -> MasterKey {
    MasterKey::new(crypto.suite, crypto.key.reveal(), &[]).expect("SDP checked its length")
}

#[test]
fn an_encrypted_call_is_heard_only_with_its_keys() {
    let office = Office::open(settings(20_800));
    let mut phone = Phone::udp(office.locals.udp);
    let suite = Suite::Aes256Sha1_80;
    let ours = Crypto { tag: 1, suite, key: Pii::new((0..suite.key_and_salt_len() as u8).collect()) };
    let sdp = phone.sdp("RTP/SAVP 0", &format!("a=crypto:{ours}\r\n"));
    let answer = phone.call("100", &sdp);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let theirs =
        text.lines().find_map(|line| Crypto::parse(line.strip_prefix("a=crypto:")?)).expect("their key");
    let (mut lock, mut unlock) = (SrtpSender::new(key(&ours)), SrtpReceiver::new(key(&theirs)));
    let heard = (0..400).any(|n: u32| {
        let mut packet = phone.rtp_packet(0, n * 160, n == 0, &[0x23; 160]);
        packet.resize(packet.len() + 64, 0);
        let length = lock.protect_rtp(&mut packet, 172).expect("rising numbers");
        phone.send_rtp(&packet[..length]);
        let mut packet = phone.hear();
        let length = unlock.unprotect_rtp(&mut packet).expect("it has the key");
        payload(&packet[..length]).iter().filter(|sample| **sample == 0x23).count() > 100
    });
    assert!(heard);
    phone.hang_up();
    office.close();
}

/// A change of the call that repeats its key, under whatever number, starts nothing anew; one that takes it away ends it.
#[test]
fn a_key_that_is_said_again_goes_on_and_one_that_is_not_ends() {
    let office = Office::open(settings(21_240));
    let mut phone = Phone::udp(office.locals.udp);
    let suite = Suite::Aes128Sha1_80;
    let mut ours = Crypto { tag: 1, suite, key: Pii::new((0..suite.key_and_salt_len() as u8).collect()) };
    let sdp = |phone: &Phone, ours: &Crypto| phone.sdp("RTP/SAVP 0", &format!("a=crypto:{ours}\r\n"));
    let first = sdp(&phone, &ours);
    assert_eq!(phone.call("100", &first).status.code(), 200);
    let mut lock = SrtpSender::new(key(&ours));
    let mut packet = phone.rtp_packet(0, 0, true, &[0x23; 160]);
    packet.resize(packet.len() + 10, 0);
    lock.protect_rtp(&mut packet, 172).expect("room");
    phone.send_rtp(&packet);
    // What comes back then left behind the packet's arrival.
    phone.hear();
    phone.hear();
    ours.tag = 2;
    let again = sdp(&phone, &ours);
    assert_eq!(phone.call("100", &again).status.code(), 200);
    phone.send_rtp(&packet);
    let plain = phone.sdp("RTP/AVP 0", "");
    phone.hear();
    phone.hear();
    assert_eq!(phone.call("100", &plain).status.code(), 200);
    let heard = (0..400).any(|n: u32| {
        let packet = phone.rtp_packet(0, 160 + n * 160, false, &[0x23; 160]);
        phone.send_rtp(&packet);
        let packet = phone.hear();
        packet.len() == 172 && payload(&packet).iter().filter(|sample| **sample == 0x23).count() > 100
    });
    assert!(heard, "plain both ways");
    phone.hang_up();
    let figures = office.wait_for(|report| match report {
        Report::Ended { figures, .. } => figures.clone(),
        _ => None,
    });
    let refused = figures.drops.dropped(Dropped::Secrecy(SrtpError::Replayed));
    assert_eq!(refused, 1, "the packet that came again: {:?}", figures.drops);
    office.close();
}

#[test]
fn reports_share_the_port_where_that_was_agreed_and_the_last_says_goodbye() {
    let office = Office::open(settings(20_840));
    let mut phone = Phone::udp(office.locals.udp);
    let sdp = phone.sdp("RTP/AVP 0", "a=rtcp-mux\r\n");
    phone.call("100", &sdp);
    let packet = phone.rtp_packet(0, 0, true, &[0x23; 160]);
    phone.send_rtp(&packet);
    phone.hear();
    phone.ask("BYE", "100", "", "");
    let report = loop {
        let packet = phone.hear();
        if packet[1] == SENDER_REPORT {
            break packet;
        }
    };
    let goodbye = report.windows(2).any(|pair| pair == [0x81, 203]);
    assert!(goodbye, "{report:02x?}");
    office.close();
}

#[test]
fn what_the_other_side_loses_is_known_from_its_reports() {
    let office = Office::open(settings(21_660));
    let mut phone = Phone::udp(office.locals.udp);
    let sdp = phone.sdp("RTP/AVP 0", "a=rtcp-mux\r\n");
    phone.call("2", &sdp);
    let ours = (0..10).map(|_| phone.hear()).last().expect("packets");
    // A receiver's report: a quarter lost of late, 3 packets in all, a jitter of 80 samples.
    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
    report.extend_from_slice(&ours[8..12]);
    report.extend_from_slice(&[64, 0, 0, 3, 0, 0, 0, 9, 0, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0]);
    phone.send_rtp(&report);
    let figures = loop {
        // What comes next may have left before the report arrived.
        phone.hear();
        let snapshot = office.handle.snapshot().expect("the thread runs");
        let figures = snapshot.calls.into_iter().find_map(|call| call.figures).expect("a call");
        if figures.peer.is_some() {
            break figures;
        }
    };
    let report = figures.peer.expect("it came").report;
    assert_eq!((report.fraction_lost, report.lost, figures.lost_there), (0.25, 3, 3));
    assert_eq!(report.jitter, Span::from_millis(10));
    phone.hang_up();
    office.close();
}

#[test]
fn a_key_is_heard_in_the_voice_where_the_trunk_has_no_events() {
    let office = Office::open(settings(20_880));
    let mut phone = Phone::udp(office.locals.udp);
    let sdp = phone.sdp("RTP/AVP 8", "");
    phone.call("100", &sdp);
    let (low, high) = Digit::from_char('9').expect("a key").tones_hz();
    let sample = |n: u32| {
        let at = |hz: f32| (TAU * hz * n as f32 / 8_000.0).sin();
        Law::A.encode(((at(low) + at(high)) * 6_000.0) as i16)
    };
    for n in 0..6 {
        let tone: Vec<u8> = (n * 160..(n + 1) * 160).map(sample).collect();
        let packet = phone.rtp_packet(8, n * 160, n == 0, &tone);
        phone.send_rtp(&packet);
    }
    let key = office.wait_for(|report| match report {
        Report::Key(_, key) => Some(*key.reveal()),
        _ => None,
    });
    assert_eq!(key, '9');
    phone.hang_up();
    office.close();
}

#[test]
fn a_stranger_cannot_take_the_stream_over() {
    let office = Office::open(settings(20_920));
    let mut phone = Phone::udp(office.locals.udp);
    let mut stranger = Phone::udp(office.locals.udp);
    phone.call_plainly("100");
    for n in 0..10 {
        let packet = phone.rtp_packet(0, n * 160, n == 0, &[0x23; 160]);
        phone.send_rtp(&packet);
    }
    phone.hear();
    stranger.media = phone.media;
    for n in 0..200 {
        let packet = stranger.rtp_packet(0, n * 160, n == 0, &[0x55; 160]);
        stranger.send_rtp(&packet);
    }
    for _ in 0..20 {
        let strange = payload(&phone.hear()).iter().filter(|sample| **sample == 0x55).count();
        assert!(strange < 40, "{strange} samples of the stranger's");
    }
    assert!(stranger.hears_nothing(), "and nothing is sent there");
    phone.hang_up();
    office.close();
}

#[test]
fn our_silence_is_comfort_noise_where_that_was_agreed() {
    let office = Office::open(settings(21_200));
    let mut phone = Phone::udp(office.locals.udp);
    let sdp = phone.sdp("RTP/AVP 0 13", "");
    phone.call("100", &sdp);
    // Nothing is said to the echo, so it says nothing.
    let noise = std::iter::repeat_with(|| phone.hear()).take(100).find(|packet| packet[1] & 0x7F == 13);
    assert_eq!(noise.as_deref().map(payload), Some(&[75][..]));
    phone.hang_up();
    office.close();
}

#[test]
fn early_media_is_heard_while_it_rings() {
    let mut settings = settings(20_960);
    let early = |ring_ms, number| Route {
        ring: Span::from_millis(ring_ms),
        early_media: true,
        ..Route::new(number, Target::Tone)
    };
    settings.routes.0.extend([early(100_000, "4"), early(300, "5")]);
    let office = Office::open(settings);
    let mut phone = Phone::udp(office.locals.udp);
    let sdp = phone.sdp("RTP/AVP 0", "");
    phone.ask("INVITE", "4", "", &sdp);
    let call = office.wait_for(|report| match report {
        Report::Incoming(call, _) => Some(*call),
        _ => None,
    });
    assert!(hears_the_tone(&mut phone), "while it rings");
    let refused = office.handle.call(|reply| Request::HangUp(call, reply)).expect("the thread runs");
    assert_eq!(refused, Ok(call));
    assert_eq!(phone.response().status.code(), 480);
    assert_eq!(office.handle.snapshot().expect("the thread runs").counters.answered, 0);

    let mut phone = Phone::udp(office.locals.udp);
    assert_eq!(phone.call_plainly("5").status.code(), 200);
    assert!(hears_the_tone(&mut phone), "and goes on behind the answer");
    assert_eq!(phone.hang_up().status.code(), 200);
    office.close();
}

/// A caller need not send anything before the answer; behind it, a line that is heard one way only is told.
#[test]
fn nothing_is_missed_of_a_caller_until_the_answer() {
    let mut settings = settings(21_700);
    settings.media.patience.first = Span::from_millis(50);
    settings.routes.0.push(Route {
        ring: Span::from_millis(1_000),
        early_media: true,
        ..Route::new("6", Target::Tone)
    });
    let office = Office::open(settings);
    let mut phone = Phone::udp(office.locals.udp);
    assert_eq!(phone.call_plainly("6").status.code(), 200);
    let told = |report: &Report| match report {
        Report::Answered { .. } => Some("answered"),
        Report::Doubt(_, Doubt::OneWay) => Some("one way"),
        _ => None,
    };
    assert_eq!([office.wait_for(told), office.wait_for(told)], ["answered", "one way"]);
    phone.hang_up();
    office.close();
}

/// Whether most of the next packets hold sound.
fn hears_the_tone(phone: &mut Phone) -> bool {
    (0..20).filter(|_| payload(&phone.hear()).iter().any(|sample| !is_silent(*sample))).count() > 10
}

/// In µ-law: both zeros, and what is next to them.
const fn is_silent(sample: u8) -> bool {
    matches!(sample, 0x7E | 0x7F | 0xFE | 0xFF)
}
