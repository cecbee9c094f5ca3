//! T5: whatever stands in an offer, reading it neither panics nor grows, and an answer to it fits it.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use offhook_sip_rtp::sdp::negotiate::{Encryption, LocalMedia, Negotiator};
use offhook_sip_rtp::sdp::{Description, Direction};
use offhook_sip_rtp::sip::ids::Ids;
use offhook_units::Codec;
use proptest::prelude::*;

/// Lines as senders write them, and as nobody should.
const LINES: [&str; 32] = [
    "v=0",
    "o=- 1 1 IN IP4 192.0.2.2",
    "o=x",
    "s=-",
    "c=IN IP4 192.0.2.2",
    "c=IN IP4 0.0.0.0",
    "c=IN IP6 2001:db8::1",
    "c=IN IP4 pbx.lan",
    "c=IN IP4 999.1.1.1",
    "t=0 0",
    "m=audio 4000 RTP/AVP 0 8 101",
    "m=audio 4000 RTP/AVP 96 97 98",
    "m=audio 0 RTP/AVP 0",
    "m=audio 70000 RTP/AVP 0",
    "m=audio 4000/2 RTP/SAVP 0 8",
    "m=video 5000 RTP/AVP 31",
    "m=image 9 udptl t38",
    "m=",
    "a=rtpmap:96 opus/48000/2",
    "a=rtpmap:97 telephone-event/48000",
    "a=rtpmap:98 G722/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=rtpmap:0 PCMU/0",
    "a=fmtp:101 0-16",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz",
    "a=sendonly",
    "a=inactive",
    "a=ptime:30",
    "a=maxptime:5",
    "a=rtcp-mux",
    "a=rtcp:4009",
    "garbage",
];

fn description() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        12 => prop::sample::select(LINES.to_vec()).prop_map(|l| l.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ];
    let end = prop::sample::select(vec![&b"\r\n"[..], b"\n", b"\r"]);
    prop::collection::vec((line, end), 0..40)
        .prop_map(|lines| lines.into_iter().flat_map(|(line, end)| [line, end.to_vec()].concat()).collect())
}

fn negotiator(encryption: Encryption) -> Negotiator {
    let local = LocalMedia {
        addr: "192.0.2.1".parse().unwrap(),
        port: 40_000,
        codecs: Codec::ALL.to_vec(),
        comfort_noise: true,
        ptime_ms: 20,
        encryption,
    };
    Negotiator::new(local, &mut Ids::new([3; 32]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_fits_its_offer(body in description(), want_send: bool) {
        let Ok(offer) = Description::parse(&body) else { return Ok(()) };
        let want = Direction::new(want_send, true);
        let mut ours = negotiator(Encryption::Accept);
        let Ok((answer, stream)) = ours.answer(&offer, want, "192.0.2.2".parse().unwrap()) else { return Ok(()) };
        prop_assert_eq!(answer.media.len(), offer.media.len());
        let active: Vec<_> = (0..offer.media.len()).filter(|i| answer.media[*i].port != Some(0)).collect();
        prop_assert_eq!(active.len(), 1);
        let (asked, said) = (&offer.media[active[0]], &answer.media[active[0]]);
        prop_assert!(said.payload_types().iter().all(|pt| asked.payload_types().contains(pt)));
        prop_assert!((10..=60).contains(&stream.ptime_ms));
        // We never send where it is not wanted, and never claim more than we would.
        let theirs = offer.direction_of(asked);
        prop_assert!(!stream.direction.sends() || (theirs.receives() && want_send));
        // What we write reads the same, but for formats of refused lines that were none.
        let again = Description::parse(&answer.to_bytes()).unwrap();
        prop_assert_eq!(&again.media[active[0]], said);
        prop_assert_eq!(again.media.len(), answer.media.len());
    }

    #[test]
    fn an_offer_of_ours_survives_any_answer(body in description()) {
        let mut ours = negotiator(Encryption::Off);
        let offer = ours.offer(Direction::SendRecv);
        if let Ok(answer) = Description::parse(&body)
            && let Ok(stream) = ours.accept(&answer, "192.0.2.2".parse().unwrap())
        {
            prop_assert!(stream.receive.iter().any(|(_, codec)| *codec == stream.codec));
            // The next offer still has its line, and our port in it.
            let next = ours.offer(Direction::SendOnly);
            prop_assert_eq!(next.media.len(), offer.media.len());
            prop_assert_eq!(next.media[0].port, Some(40_000));
        }
    }
}
