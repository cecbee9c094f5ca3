use super::*;
use crate::media::packet::PacketHeader;
use offhook_units::{Codec, PayloadType, RtpTime, SampleRate, SeqNo};

fn gate() -> ReceiveGate {
    let event = PayloadType::new(101).unwrap();
    ReceiveGate::new(GateConfig {
        reach: Reach::Host,
        expected: Some(peer()),
        rtcp: RtcpRoute::NextPort,
        symmetric: true,
        payloads: PayloadMap::default()
            .with(PayloadType::PCMU, Kind::Voice(Codec::Pcmu))
            .with(PayloadType::COMFORT_NOISE, Kind::ComfortNoise)
            .with(event, Kind::TelephoneEvent(SampleRate::HZ_8000)),
        local_ssrc: Ssrc(77),
        srtp: None,
        most_payload: 1_500,
    })
}

fn peer() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

fn send(
    gate: &mut ReceiveGate,
    payload_type: u8,
    ssrc: u32,
    seq: u16,
    payload: &[u8],
) -> Result<(Kind, bool), Dropped> {
    send_at(gate, Moment::ZERO, payload_type, ssrc, seq, payload)
}

fn send_at(
    gate: &mut ReceiveGate,
    now: Moment,
    payload_type: u8,
    ssrc: u32,
    seq: u16,
    payload: &[u8],
) -> Result<(Kind, bool), Dropped> {
    let header = PacketHeader {
        seq: SeqNo(seq),
        time: RtpTime(0),
        ssrc: Ssrc(ssrc),
        payload_type: PayloadType::new(payload_type).unwrap(),
        marker: false,
    };
    let mut buffer = [0; 4_000];
    let length = header.write(payload, &mut buffer).unwrap();
    let incoming = gate.admit(now, peer(), &mut buffer[..length]);
    incoming.map(|incoming| (incoming.kind, incoming.new_source))
}

#[test]
fn packets_are_named_by_the_negotiated_map() {
    let mut gate = gate();
    let voice = Kind::Voice(Codec::Pcmu);
    assert_eq!(send(&mut gate, 0, 1, 1, b"x"), Ok((voice, true)));
    assert_eq!(send(&mut gate, 0, 1, 2, b"x"), Ok((voice, false)));
    assert_eq!(send(&mut gate, 13, 1, 3, b"x"), Ok((Kind::ComfortNoise, false)));
    let event = Kind::TelephoneEvent(SampleRate::HZ_8000);
    assert_eq!(send(&mut gate, 101, 1, 4, b"xxxx"), Ok((event, false)));
    assert_eq!(gate.counters().admitted, 4);
    assert_eq!(gate.poll_event(), Some(GateEvent::Remote(peer())));
    assert_eq!(gate.poll_event(), None);
}

#[test]
fn each_refusal_has_its_own_counter() {
    let mut gate = gate();
    send(&mut gate, 0, 1, 1, b"x").unwrap();
    assert_eq!(send(&mut gate, 8, 1, 2, b"x"), Err(Dropped::PayloadType));
    assert_eq!(send(&mut gate, 0, 1, 2, b""), Err(Dropped::Empty));
    assert_eq!(send(&mut gate, 0, 1, 2, &[0; 1_501]), Err(Dropped::Oversized));
    assert_eq!(send(&mut gate, 0, 2, 2, b"x"), Err(Dropped::Source));
    let stranger = "192.0.2.9:4000".parse().unwrap();
    assert_eq!(gate.admit(Moment::ZERO, stranger, &mut [0x80; 20]), Err(Dropped::Address));
    let mut raw = |bytes: &[u8]| gate.admit(Moment::ZERO, peer(), &mut bytes.to_vec()).unwrap_err();
    assert_eq!(raw(&[0x80, 200, 0, 1]), Dropped::Rtcp);
    assert_eq!(raw(&[0, 1, 0, 0]), Dropped::NotRtp);
    assert_eq!(raw(&[]), Dropped::NotRtp);
    assert_eq!(raw(&[0x80, 0, 0, 1]), Dropped::Header(PacketError::Short));
    let counters = gate.counters();
    let counts: Vec<_> = Dropped::ALL.map(|(reason, _)| counters.dropped(reason)).to_vec();
    assert_eq!(counts, [2, 1, 1, 1, 0, 1, 1, 1, 1]);
    assert_eq!(counters.all_dropped(), 9);
}

#[test]
fn every_reason_is_in_the_list_at_its_place() {
    for (place, (reason, _)) in Dropped::ALL.into_iter().enumerate() {
        assert_eq!(reason.place(), place);
    }
}

#[test]
fn a_clash_of_ssrcs_is_told_once_and_an_echo_keeps_the_call() {
    let mut gate = gate();
    let at = |gate: &mut ReceiveGate, ssrc, seq: u16| {
        send_at(gate, Moment::from_millis(u64::from(seq) * 20), 0, ssrc, seq, b"x")
    };
    assert!(at(&mut gate, 77, 1).is_ok());
    assert!(matches!(gate.poll_event(), Some(GateEvent::Remote(_))));
    assert_eq!(gate.poll_event(), Some(GateEvent::SsrcClash));
    gate.set_local_ssrc(Ssrc(88));
    for seq in 2..12 {
        let _ = at(&mut gate, 88, seq);
    }
    assert_eq!(gate.poll_event(), None, "the peer only echoes");
    assert_eq!(gate.counters().admitted, 1 + 8, "all but the first two of the changed source");
}

#[test]
fn a_new_address_brings_its_source_along_without_a_wait() {
    let mut gate = gate();
    assert_eq!(send(&mut gate, 0, 1, 1, b"x").map(|(_, new)| new), Ok(true));
    let moved = "192.0.2.8:4000".parse().unwrap();
    gate.renegotiate(Some(moved), RtcpRoute::Multiplexed, gate.payloads.clone());
    let mut packet = [0x80, 0, 9, 9, 0, 0, 0, 0, 0, 0, 0, 2, b'x'];
    let incoming = gate.admit(Moment::from_millis(20), moved, &mut packet).unwrap();
    assert!(incoming.new_source);
    assert_eq!(gate.remote(), Some(moved));
}

#[test]
fn our_ssrc_beside_the_calls_stream_is_only_dropped() {
    let mut gate = gate();
    for seq in 1..50 {
        assert!(send(&mut gate, 0, 1, seq, b"x").is_ok());
        assert_eq!(send(&mut gate, 0, 77, seq, b"x"), Err(Dropped::Source));
    }
    gate.poll_event();
    assert_eq!(gate.poll_event(), None);
}

#[test]
fn rtcp_is_taken_from_the_peers_host_only() {
    let mut gate = gate();
    let mut report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    let rtcp_port = "192.0.2.1:4001".parse().unwrap();
    assert_eq!(gate.admit_rtcp(rtcp_port, &mut report), Ok(&[0x80, 201, 0, 1, 0, 0, 0, 1][..]));
    let stranger = "192.0.2.2:4001".parse().unwrap();
    assert_eq!(gate.admit_rtcp(stranger, &mut report), Err(Dropped::Address));
    assert_eq!(gate.admit_rtcp(rtcp_port, &mut [0x80, 0, 0, 1]), Err(Dropped::NotRtp));
    assert_eq!(gate.counters().admitted_rtcp, 1);
}

#[test]
fn rtcp_goes_where_sdp_says_until_the_peer_sends_some() {
    let mut gate = gate();
    let address = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
    assert_eq!(gate.rtcp_remote(), address("192.0.2.1:4001"));
    let mut report = [0x80, 201, 0, 1, 0, 0, 0, 1];
    gate.admit_rtcp("192.0.2.1:5999".parse().unwrap(), &mut report).unwrap();
    assert_eq!(gate.rtcp_remote(), address("192.0.2.1:5999"));
    let payloads = gate.payloads.clone();
    let own: SocketAddr = "192.0.2.1:7000".parse().unwrap();
    gate.renegotiate(Some(peer()), RtcpRoute::At(own), payloads.clone());
    assert_eq!(gate.rtcp_remote(), Some(own));
    gate.renegotiate(Some(peer()), RtcpRoute::Multiplexed, payloads);
    assert_eq!(gate.rtcp_remote(), Some(peer()));
}

#[test]
fn an_asymmetric_peer_is_heard_from_one_port_and_sent_to_at_another() {
    let mut gate = ReceiveGate { symmetric: false, ..gate() };
    let other_port = "192.0.2.1:9000".parse().unwrap();
    let mut admitted = 0;
    for seq in 0..10 {
        let mut packet = [0x80, 0, 0, seq, 0, 0, 0, 0, 0, 0, 0, 2, b'x'];
        let now = Moment::from_millis(u64::from(seq) * 20);
        admitted += u32::from(gate.admit(now, other_port, &mut packet).is_ok());
    }
    assert_eq!((admitted, gate.remote(), gate.poll_event()), (8, Some(peer()), None));
}
