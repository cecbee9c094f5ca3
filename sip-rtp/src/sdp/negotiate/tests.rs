//! Offers and answers against each other and against what phones and trunks send.

use super::*;
use offhook_units::PayloadType;

const PEER: &str = "198.51.100.9";

fn peer() -> IpAddr {
    PEER.parse().unwrap()
}

fn local(encryption: Encryption) -> LocalMedia {
    LocalMedia {
        addr: "192.0.2.1".parse().unwrap(),
        port: 40_000,
        codecs: Codec::ALL.to_vec(),
        comfort_noise: true,
        ptime_ms: 20,
        encryption,
    }
}

fn negotiator(encryption: Encryption) -> Negotiator {
    Negotiator::new(local(encryption), &mut Ids::new([9; 32]))
}

fn offer(lines: &str) -> Description {
    Description::parse(format!("v=0\r\nc=IN IP4 {PEER}\r\nt=0 0\r\n{lines}").as_bytes()).unwrap()
}

fn answer(lines: &str) -> Result<(Description, Stream), Refusal> {
    negotiator(Encryption::Off).answer(&offer(lines), Direction::SendRecv, peer())
}

fn pt(number: u8) -> PayloadType {
    PayloadType::new(number).unwrap()
}

#[test]
fn a_plain_offer_gets_one_codec_and_events() {
    let (text, stream) =
        answer("m=audio 39000 RTP/AVP 18 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n").unwrap();
    assert_eq!((stream.codec, stream.send), (Codec::Pcma, pt(8)));
    assert_eq!(stream.remote, Some("198.51.100.9:39000".parse().unwrap()));
    assert_eq!(stream.remote_rtcp, Some("198.51.100.9:39001".parse().unwrap()));
    assert_eq!(stream.events, Some(Events { send: pt(101), receive: pt(101), clock_hz: 8000 }));
    assert!(text.to_string().contains("m=audio 40000 RTP/AVP 8 101\r\n"), "{text}");
}

#[test]
fn events_at_the_codecs_clock_are_preferred() {
    let maps = "a=rtpmap:111 opus/48000/2\r\na=rtpmap:96 telephone-event/8000\r\na=rtpmap:97 telephone-event/48000\r\n";
    let (_, opus) = answer(&format!("m=audio 1 RTP/AVP 111 96 97\r\n{maps}")).unwrap();
    assert_eq!(opus.events.map(|e| (e.send, e.clock_hz)), Some((pt(97), 48_000)));
    let (_, only) = answer(
        "m=audio 1 RTP/AVP 111 96\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:96 telephone-event/8000\r\n",
    )
    .unwrap();
    assert_eq!(only.events.map(|e| e.clock_hz), Some(8000));
}

#[test]
fn an_answer_has_as_many_lines_as_the_offer() {
    let (text, _) = answer("m=video 39002 RTP/AVP 96\r\nm=audio 39000 RTP/AVP 0\r\nm=audio 39004 RTP/AVP 8\r\nm=image 9 udptl t38\r\n").unwrap();
    let ports: Vec<_> = text.media.iter().map(|m| (m.kind.as_str(), m.port)).collect();
    assert_eq!(ports, [("video", Some(0)), ("audio", Some(40_000)), ("audio", Some(0)), ("image", Some(0))]);
    assert!(text.to_string().contains("m=image 0 udptl t38\r\n"));
}

#[test]
fn what_cannot_be_agreed_is_refused_with_its_reason() {
    assert_eq!(answer("m=audio 1 RTP/AVP 18\r\n"), Err(Refusal::NoCodec));
    assert_eq!(
        answer("m=audio 1 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n"),
        Err(Refusal::NoCodec)
    );
    assert_eq!(answer("m=audio 0 RTP/AVP 0\r\n"), Err(Refusal::NoAudio));
    assert_eq!(answer("m=audio 70000 RTP/AVP 0\r\n"), Err(Refusal::NoAudio));
    assert_eq!(answer("m=video 1 RTP/AVP 0\r\n"), Err(Refusal::NoAudio));
    assert_eq!(answer("m=audio 1 UDP/TLS/RTP/SAVPF 0\r\n"), Err(Refusal::NoAudio));
    assert_eq!(answer("m=audio 1 RTP/SAVP 0\r\n"), Err(Refusal::Encryption));
    assert_eq!(answer("m=audio 1 RTP/AVP 0\r\nc=IN IP4 999.9.9.9\r\n"), Err(Refusal::Address));
}

#[test]
fn every_way_to_hold_is_understood() {
    let held = |lines: &str| {
        answer(&format!("m=audio 1 RTP/AVP 0\r\n{lines}"))
            .map(|(t, s)| (s.held, s.direction, t.media[0].direction))
    };
    let recv = Direction::RecvOnly;
    assert_eq!(held("a=sendonly\r\n"), Ok((true, recv, Some(recv))));
    assert_eq!(held("a=inactive\r\n"), Ok((true, Direction::Inactive, Some(Direction::Inactive))));
    assert_eq!(held("c=IN IP4 0.0.0.0\r\n"), Ok((true, recv, Some(recv))));
    assert_eq!(held("a=recvonly\r\n"), Ok((false, Direction::SendOnly, Some(Direction::SendOnly))));
    assert_eq!(held(""), Ok((false, Direction::SendRecv, Some(Direction::SendRecv))));
}

#[test]
fn packet_lengths_are_kept_within_reason() {
    let ptime = |lines: &str| answer(&format!("m=audio 1 RTP/AVP 0\r\n{lines}")).unwrap().1.ptime_ms;
    assert_eq!(ptime("a=ptime:10\r\n"), 10);
    assert_eq!(ptime("a=ptime:60\r\n"), 60);
    assert_eq!(ptime("a=ptime:100000\r\n"), 20);
    assert_eq!(ptime("a=ptime:30\r\na=maxptime:25\r\n"), 20);
    assert_eq!(ptime("a=ptime:0\r\n"), 20);
}

#[test]
fn one_way_audio_is_foreseen() {
    let findings = |c: &str| {
        answer(&format!("m=audio 1 RTP/AVP 0\r\n{c}\r\n")).map(|(_, s)| (s.remote.is_some(), s.findings))
    };
    let private = "10.1.2.3".parse().unwrap();
    assert_eq!(findings("c=IN IP4 10.1.2.3"), Ok((true, vec![Finding::PrivateAddress(private)])));
    assert_eq!(findings("c=IN IP4 pbx.lan"), Ok((false, vec![Finding::UnresolvedName("pbx.lan".into())])));
    let group = "239.1.2.3".parse().unwrap();
    assert_eq!(findings("c=IN IP4 239.1.2.3/127"), Ok((false, vec![Finding::NotUnicast(group)])));
    assert_eq!(findings("a=x"), Ok((true, vec![])));
}

#[test]
fn without_any_address_the_signalling_shows_where() {
    let bare = Description::parse(b"v=0\r\nm=audio 39000 RTP/AVP 0\r\n").unwrap();
    let (_, stream) = negotiator(Encryption::Off).answer(&bare, Direction::SendRecv, peer()).unwrap();
    assert_eq!(stream.remote, Some("198.51.100.9:39000".parse().unwrap()));
}

#[test]
fn two_of_us_agree() {
    for encryption in [Encryption::Off, Encryption::Accept, Encryption::Require] {
        let (mut a, mut b) = (negotiator(encryption), negotiator(encryption));
        b.local.port = 50_000;
        let offered = Description::parse(&a.offer(Direction::SendRecv).to_bytes()).unwrap();
        let (answered, at_b) = b.answer(&offered, Direction::SendRecv, peer()).unwrap();
        let at_a = a.accept(&Description::parse(&answered.to_bytes()).unwrap(), peer()).unwrap();
        assert_eq!((at_a.codec, at_a.send, at_a.events), (at_b.codec, at_b.send, at_b.events));
        assert_eq!(at_a.remote.map(|r| r.port()), Some(50_000));
        assert_eq!(at_b.remote.map(|r| r.port()), Some(40_000));
        assert!(at_a.rtcp_mux && at_b.rtcp_mux);
        match (encryption, at_a.keys, at_b.keys) {
            (Encryption::Require, Some(a), Some(b)) => {
                assert_eq!((&a.ours.key, &a.theirs.key), (&b.theirs.key, &b.ours.key));
                assert_eq!(a.ours.suite, b.ours.suite);
            }
            (Encryption::Off | Encryption::Accept, None, None) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_encrypted_offer_is_answered_with_its_tag_and_our_key() {
    let lines = "m=audio 1 RTP/SAVP 0\r\na=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";
    let (text, stream) =
        negotiator(Encryption::Accept).answer(&offer(lines), Direction::SendRecv, peer()).unwrap();
    let keys = stream.keys.unwrap();
    assert_eq!((keys.ours.tag, keys.ours.suite), (7, Suite::Aes128Sha1_32));
    assert_ne!(keys.ours.key, keys.theirs.key);
    assert!(text.to_string().contains("m=audio 40000 RTP/SAVP 0\r\n"));
    assert_eq!(
        negotiator(Encryption::Require)
            .answer(&offer("m=audio 1 RTP/AVP 0\r\n"), Direction::SendRecv, peer())
            .map(|_| ()),
        Err(Refusal::Encryption)
    );
}

#[test]
fn the_edition_rises_only_when_something_changed() {
    let mut ours = negotiator(Encryption::Off);
    let version = |d: &Description| d.origin.as_ref().unwrap().version.parse::<u64>().unwrap();
    let first = ours.answer(&offer("m=audio 1 RTP/AVP 0\r\n"), Direction::SendRecv, peer()).unwrap().0;
    let same = ours.answer(&offer("m=audio 1 RTP/AVP 0\r\n"), Direction::SendRecv, peer()).unwrap().0;
    let held =
        ours.answer(&offer("m=audio 1 RTP/AVP 0\r\na=sendonly\r\n"), Direction::SendRecv, peer()).unwrap().0;
    assert_eq!((version(&same), version(&held)), (version(&first), version(&first) + 1));
    assert_eq!(ours.offer_again(), held);
}

#[test]
fn our_later_offer_keeps_codec_numbers_and_refused_lines() {
    let mut ours = negotiator(Encryption::Off);
    let lines = "m=video 5 RTP/AVP 99\r\nm=audio 1 RTP/AVP 96 97\r\na=rtpmap:96 PCMU/8000\r\na=rtpmap:97 telephone-event/8000\r\n";
    ours.answer(&offer(lines), Direction::SendRecv, peer()).unwrap();
    let hold = ours.offer(Direction::SendOnly);
    let text = hold.to_string();
    assert!(
        text.contains("m=video 0 RTP/AVP 99\r\n") && text.contains("m=audio 40000 RTP/AVP 96 97\r\n"),
        "{text}"
    );
    assert!(text.ends_with("a=sendonly\r\n"));
    let answered =
        offer("m=video 0 RTP/AVP 99\r\nm=audio 1 RTP/AVP 96\r\na=rtpmap:96 PCMU/8000\r\na=recvonly\r\n");
    assert_eq!(ours.accept(&answered, peer()).map(|s| s.direction), Ok(Direction::SendOnly));
}

#[test]
fn an_answer_may_use_other_numbers_than_the_offer() {
    let mut ours = negotiator(Encryption::Off);
    ours.offer(Direction::SendRecv);
    let answered = offer(
        "m=audio 1 RTP/AVP 120 121\r\na=rtpmap:120 opus/48000/2\r\na=rtpmap:121 telephone-event/48000\r\n",
    );
    let stream = ours.accept(&answered, peer()).unwrap();
    assert_eq!(stream.send, pt(120));
    assert!(stream.receive.contains(&(pt(111), Codec::Opus)), "what comes to us has our number");
    assert_eq!(stream.events, Some(Events { send: pt(121), receive: pt(110), clock_hz: 48_000 }));
}

#[test]
fn answers_that_do_not_fit_are_refused_and_change_nothing() {
    let mut ours = negotiator(Encryption::Off);
    let fine = offer("m=audio 1 RTP/AVP 0\r\n");
    assert_eq!(ours.accept(&fine, peer()), Err(Refusal::OutOfStep), "no offer was made");
    ours.offer(Direction::SendRecv);
    assert_eq!(ours.accept(&offer("m=audio 0 RTP/AVP 0\r\n"), peer()), Err(Refusal::NoAudio));
    assert_eq!(ours.accept(&offer("m=audio 1 RTP/AVP 18\r\n"), peer()), Err(Refusal::NoCodec));
    assert!(ours.stream().is_none());
    assert!(ours.accept(&fine, peer()).is_ok(), "the offer still stands");
}
