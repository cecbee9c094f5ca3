//! T2, T5: one call leg under everything that a hostile or odd network throws at its ports. A clean stream goes
//! on underneath; it must be admitted to the last packet, and the state must not grow.

use offhook_sip_rtp::media::{
    demux::Datagram,
    dtmf::{Digit, DtmfEvent, DtmfReceiver},
    emodel::Equipment,
    packet::PacketHeader,
    rtcp::{Cname, NtpTime, RtcpConfig, RtcpSession},
    sender::{Outgoing, RtpSender, SendFormat},
    srtp::{MasterKey, SrtpReceiver, SrtpSender, Suite},
    stream::{
        Dropped, GateConfig, GateEvent, Kind, MediaWatch, Patience, PayloadMap, Reach, ReceiveGate,
        RtcpRoute, Silence,
    },
};
use offhook_units::{Codec, Frames, Moment, PayloadType, RtpTime, SampleRate, SeqNo, Span, Ssrc};
use proptest::prelude::*;
use std::net::SocketAddr;

const EVENTS: u8 = 101;
const CLEAN: u32 = 0x0123_4567;
const OURS: u32 = 0x7654_3210;

fn peer() -> SocketAddr {
    "192.0.2.1:4000".parse().expect("address")
}

fn stranger() -> SocketAddr {
    "203.0.113.5:5555".parse().expect("address")
}

fn payloads() -> PayloadMap {
    let events = PayloadType::new(EVENTS).expect("seven bits");
    PayloadMap::default()
        .with(PayloadType::PCMU, Kind::Voice(Codec::Pcmu))
        .with(PayloadType::PCMA, Kind::Voice(Codec::Pcma))
        .with(PayloadType::COMFORT_NOISE, Kind::ComfortNoise)
        .with(events, Kind::TelephoneEvent(SampleRate::HZ_8000))
}

/// Everything that stands behind one leg's two ports.
struct Leg {
    gate: ReceiveGate,
    rtcp: RtcpSession,
    keys: DtmfReceiver,
    watch: MediaWatch,
    now: Moment,
    clean_sent: u32,
    clean_admitted: u32,
    pressed: String,
    events: Vec<GateEvent>,
}

impl Leg {
    fn new(reach: Reach, srtp: Option<SrtpReceiver>) -> Self {
        let config = RtcpConfig {
            ssrc: Ssrc(OURS),
            cname: Cname::from_bits(3, 4),
            clock: SampleRate::HZ_8000,
            packet: Span::from_millis(20),
            bits_per_second: 80_000,
            equipment: Equipment::G711_CONCEALED,
            extended: true,
            ntp_origin: NtpTime(1 << 40),
            seed: 9,
        };
        Self {
            gate: ReceiveGate::new(GateConfig {
                reach,
                expected: Some(peer()),
                rtcp: RtcpRoute::Multiplexed,
                symmetric: true,
                payloads: payloads(),
                local_ssrc: Ssrc(OURS),
                srtp,
                most_payload: 1_500,
            }),
            rtcp: RtcpSession::new(config, Moment::ZERO),
            keys: DtmfReceiver::new(SampleRate::HZ_8000),
            watch: MediaWatch::new(Moment::ZERO, Patience::default()),
            now: Moment::ZERO,
            clean_sent: 0,
            clean_admitted: 0,
            pressed: String::new(),
            events: Vec::new(),
        }
    }

    /// A datagram arrives at the one port that both share, or not at all.
    fn receive(&mut self, from: SocketAddr, bytes: &[u8]) -> Result<(), Dropped> {
        let mut datagram = bytes.to_vec();
        if Datagram::of(&datagram) == Datagram::Rtcp {
            let report = self.gate.admit_rtcp(from, &mut datagram)?;
            if self.rtcp.handle_input(self.now, report).is_ok() {
                self.watch.heard_report(self.now);
            }
        } else {
            let incoming = self.gate.admit(self.now, from, &mut datagram)?;
            self.watch.heard(self.now, incoming.kind);
            let timed = !matches!(incoming.kind, Kind::TelephoneEvent(_));
            self.rtcp.rtp_received(self.now, &incoming.packet, timed);
            if !timed {
                self.keys.put(self.now, &incoming.packet);
            }
            if incoming.packet.ssrc == Ssrc(CLEAN) && incoming.packet.payload == [0x42; 160] {
                self.clean_admitted += 1;
            }
        }
        while let Some(event) = self.gate.poll_event() {
            self.events.push(event);
        }
        while let Some(event) = self.keys.poll_output() {
            if let DtmfEvent::Pressed(digit) = event {
                self.pressed.push(digit.as_char());
            }
        }
        Ok(())
    }

    /// The peer's next clean packet, 20 ms after the one before.
    fn clean(&mut self) {
        self.now += Span::from_millis(20);
        let packet = rtp(0, CLEAN, self.clean_sent as u16, self.clean_sent * 160, &[0x42; 160]);
        self.clean_sent += 1;
        let _ = self.receive(peer(), &packet);
        self.keys.handle_timeout(self.now);
        let mut out = [0; RtcpSession::MOST_BYTES];
        self.rtcp.poll_output(self.now, &mut out);
    }
}

fn rtp(payload_type: u8, ssrc: u32, seq: u16, time: u32, payload: &[u8]) -> Vec<u8> {
    let header = PacketHeader {
        seq: SeqNo(seq),
        time: RtpTime(time),
        ssrc: Ssrc(ssrc),
        payload_type: PayloadType::new(payload_type).expect("seven bits"),
        marker: false,
    };
    let mut packet = vec![0; 12 + payload.len()];
    header.write(payload, &mut packet).expect("room");
    packet
}

/// `packet` with another first byte.
fn first(byte: u8, mut packet: Vec<u8>) -> Vec<u8> {
    packet[0] = byte;
    packet
}

/// The kinds of packets that a tester outside the project throws at RTP ports, each made from a number.
type Hostile = (&'static str, fn(u32) -> Vec<u8>);

const HOSTILE: [Hostile; 26] = [
    ("other versions", |n| first([0x00, 0x40, 0xC0][n as usize % 3], rtp(0, CLEAN, n as u16, n, b"x"))),
    ("every short length", |n| rtp(0, CLEAN, 1, 1, b"")[..n as usize % 12].to_vec()),
    ("no payload", |n| rtp(0, CLEAN, n as u16, n, b"")),
    ("CSRCs without room", |n| first(0x8F, rtp(0, CLEAN, n as u16, n, &[0xFF; 10]))),
    ("extension without room", |n| first(0x90, rtp(0, CLEAN, n as u16, n, b"\xBE\xDE"))),
    ("endless extension", |n| first(0x90, rtp(0, CLEAN, n as u16, n, b"\xBE\xDE\xFF\xFFxxxxxxxx"))),
    ("broken extension elements", |n| {
        first(0x90, rtp(0, CLEAN, n as u16, n, b"\xBE\xDE\x00\x01\x1F\x00\x00\x00"))
    }),
    ("wrong padding", |n| first(0xA0, rtp(0, CLEAN, n as u16, n, &[9, 9, [0, 255, 4][n as usize % 3]]))),
    ("all bits", |_| vec![0xBF, 0xFF, 0xFF, 0xFF]),
    ("types that were not negotiated", |n| rtp(1 + (n % 7) as u8, CLEAN, n as u16, n, &[1; 160])),
    ("payload of 9000", |n| rtp(0, CLEAN, n as u16, n, &[1; 9_000])),
    ("old and far sequence numbers", |n| rtp(0, CLEAN, n.wrapping_mul(7_919) as u16, n, &[1; 160])),
    ("wild timestamps", |n| rtp(0, CLEAN, n as u16, n.wrapping_mul(0x9E37_79B9), &[1; 160])),
    ("a new SSRC in every packet", |n| rtp(0, n.wrapping_mul(0x9E37_79B9), 7, 7, &[1; 160])),
    ("another stream beside", |n| rtp(0, 0x1122_3344, n as u16, n * 160, &[1; 160])),
    ("our own SSRC", |n| rtp(0, OURS, n as u16, n * 160, &[1; 160])),
    ("short events", |n| rtp(EVENTS, CLEAN, n as u16, n, &[1, 10, 0][..n as usize % 4])),
    ("unknown events", |n| rtp(EVENTS, CLEAN, n as u16, n, &[255, 10, 255, 255])),
    ("hundred-fold events", |n| rtp(EVENTS, CLEAN, n as u16, n, &[255, 10, 0, 160].repeat(100))),
    ("STUN", |n| [&[0, 1, 0, 0, 0x21, 0x12, 0xA4, 0x42][..], &n.to_be_bytes()].concat()),
    ("DTLS", |n| [&[0x16, 0xFE, 0xFD][..], &n.to_be_bytes().repeat(50)].concat()),
    ("RTCP of all types", |n| vec![0x80, 192 + (n % 32) as u8, 0, 1, 1, 2, 3, 4]),
    ("RTCP of wrong lengths", |n| vec![0x81, 200 + (n % 8) as u8, (n >> 8) as u8, n as u8, 1, 2, 3, 4]),
    ("a goodbye in the peer's name", |_| [&[0x81, 203, 0, 1][..], &CLEAN.to_be_bytes()].concat()),
    ("absurd reports", |_| {
        [&[0x81, 201, 0, 7][..], &CLEAN.to_be_bytes(), &OURS.to_be_bytes(), &[0xFF; 8], &[0; 12]].concat()
    }),
    ("RTCP SSRC flood", |n| [&[0x80, 201, 0, 1][..], &n.to_be_bytes()].concat()),
];

#[test]
fn a_clean_stream_goes_on_under_every_kind_of_hostile_packet() {
    for (name, make) in HOSTILE {
        let mut leg = Leg::new(Reach::Anywhere, None);
        for _ in 0..50 {
            leg.clean();
        }
        for n in 0..2_000 {
            if n % 10 == 0 {
                leg.clean();
            }
            let _ = leg.receive(peer(), &make(n));
            let _ = leg.receive(stranger(), &make(n));
        }
        for _ in 0..50 {
            leg.clean();
        }
        assert_eq!(leg.clean_admitted, leg.clean_sent, "{name}");
        assert_eq!(leg.gate.remote(), Some(peer()), "{name}");
        assert_eq!(leg.events, [GateEvent::Remote(peer())], "{name}");
        assert_eq!(leg.pressed, "", "{name}");
        assert_eq!(leg.watch.handle_timeout(leg.now), None, "{name}");
    }
}

#[test]
fn a_stranger_with_our_peers_ssrc_and_sequence_gets_nothing_in_and_no_stream_out() {
    let mut leg = Leg::new(Reach::Anywhere, None);
    for n in 0..2_000_u32 {
        leg.clean();
        for ahead in 1..5 {
            let packet = rtp(0, CLEAN, (n + ahead) as u16, (n + ahead) * 160, &[1; 160]);
            assert_eq!(leg.receive(stranger(), &packet), Err(Dropped::Address));
        }
    }
    assert_eq!((leg.clean_admitted, leg.gate.remote()), (2_000, Some(peer())));
    assert_eq!(leg.gate.counters().dropped(Dropped::Address), 8_000);
}

#[test]
fn keys_voice_and_noise_arrive_as_what_they_are_with_and_without_secrecy() {
    let key = || MasterKey::new(Suite::Aes128Sha1_80, &[5; 30], &[]).expect("lengths fit");
    for secret in [false, true] {
        let mut leg = Leg::new(Reach::Host, secret.then(|| SrtpReceiver::new(key())));
        let format = SendFormat {
            voice: PayloadType::PCMU,
            clock: SampleRate::HZ_8000,
            events: Some((PayloadType::new(EVENTS).expect("seven bits"), SampleRate::HZ_8000)),
            noise: Some(PayloadType::COMFORT_NOISE),
        };
        let mut sender = RtpSender::new(format, 1, secret.then(|| SrtpSender::new(key())));
        for digit in "0123456789*#ABCD".chars().filter_map(Digit::from_char) {
            sender.push_key(digit).expect("room");
        }
        for n in 0..500_u32 {
            let mut out = [0; 256];
            let voice = if n % 100 < 80 { Outgoing::Voice(&[1; 160]) } else { Outgoing::Noise(60) };
            leg.now += Span::from_millis(20);
            if let Some(sent) = sender.tick(voice, Frames(160), &mut out).expect("room") {
                leg.receive(peer(), &out[..sent.length]).expect("ours");
            }
        }
        assert_eq!(leg.pressed, "0123456789*#ABCD");
        let figures = leg.rtcp.figures().expect("heard");
        assert_eq!((figures.lost, figures.jitter), (0, Span::ZERO), "no loss and no jitter of their own");
    }
}

#[test]
fn without_the_key_nothing_is_admitted_and_nothing_latches() {
    let key = MasterKey::new(Suite::Aes128Sha1_80, &[5; 30], &[]).expect("lengths fit");
    let mut leg = Leg::new(Reach::Anywhere, Some(SrtpReceiver::new(key)));
    for _ in 0..200 {
        leg.clean();
    }
    assert_eq!((leg.clean_admitted, leg.events.len()), (0, 0));
    assert_eq!(leg.watch.handle_timeout(leg.now), Some(Silence::NothingYet));
}

#[test]
fn a_stream_may_go_on_behind_its_goodbye() {
    let mut leg = Leg::new(Reach::Host, None);
    for _ in 0..10 {
        leg.clean();
    }
    let goodbye = [&[0x81, 203, 0, 1][..], &CLEAN.to_be_bytes()].concat();
    leg.rtcp.handle_input(leg.now, &goodbye).expect("sound");
    assert_eq!(leg.rtcp.counters().foreign, 0, "it is the call's own");
    leg.clean();
    assert_eq!(leg.clean_admitted, 11);
}

/// What a property test does to a leg.
#[derive(Clone, Debug)]
enum Step {
    Clean,
    Wait(u16),
    FromPeer(Vec<u8>),
    FromStranger(Vec<u8>),
    Stream { from_peer: bool, ssrc: u32, seq: u16 },
    Renegotiate(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..60);
    prop_oneof![
        6 => Just(Step::Clean),
        1 => (0..4_000_u16).prop_map(Step::Wait),
        2 => bytes().prop_map(Step::FromPeer),
        2 => bytes().prop_map(Step::FromStranger),
        4 => (any::<bool>(), 0..3_u32, any::<u16>())
            .prop_map(|(from_peer, ssrc, seq)| Step::Stream { from_peer, ssrc, seq }),
        1 => any::<bool>().prop_map(Step::Renegotiate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_happens_the_peers_own_stream_is_heard_in_the_end(steps in proptest::collection::vec(step(), 0..200)) {
        let mut leg = Leg::new(Reach::Anywhere, None);
        for step in steps {
            match step {
                Step::Clean => leg.clean(),
                Step::Wait(ms) => leg.now += Span::from_millis(i64::from(ms)),
                Step::FromPeer(bytes) => drop(leg.receive(peer(), &bytes)),
                Step::FromStranger(bytes) => drop(leg.receive(stranger(), &bytes)),
                Step::Stream { from_peer, ssrc, seq } => {
                    let from = if from_peer { peer() } else { stranger() };
                    let _ = leg.receive(from, &rtp(0, ssrc, seq, 0, &[1; 160]));
                }
                Step::Renegotiate(moved) => {
                    let expected = if moved { stranger() } else { peer() };
                    leg.gate.renegotiate(Some(expected), RtcpRoute::Multiplexed, payloads());
                }
            }
        }
        leg.gate.renegotiate(Some(peer()), RtcpRoute::Multiplexed, payloads());
        for _ in 0..5 {
            leg.clean();
        }
        let before = leg.clean_admitted;
        for _ in 0..20 {
            leg.clean();
        }
        prop_assert_eq!(leg.clean_admitted - before, 20);
        prop_assert_eq!(leg.gate.remote(), Some(peer()));
        let counters = leg.gate.counters();
        let listed: u64 = Dropped::ALL.iter().map(|(reason, _)| counters.dropped(*reason)).sum();
        prop_assert_eq!(listed, counters.all_dropped());
    }
}
