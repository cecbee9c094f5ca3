//! T2, T5: two ends of a call report on each other through a lossy network in virtual time; and no bytes make
//! the RTCP reader fall over.

use offhook_sip_rtp::media::{
    emodel::Equipment,
    packet::PacketView,
    rtcp::{Cname, Compound, DelayLimits, NtpTime, RtcpConfig, RtcpPacket, RtcpSession, XrBlock},
    srtp::MOST_OVERHEAD,
};
use offhook_units::{Moment, PayloadType, RtpTime, SampleRate, SeqNo, Span, Ssrc};
use proptest::prelude::*;

const ONE_WAY: Span = Span::from_millis(40);
const TICK_MS: u64 = 20;

fn session(ssrc: u32) -> RtcpSession {
    let config = RtcpConfig {
        ssrc: Ssrc(ssrc),
        cname: Cname::from_bits(1, u64::from(ssrc)),
        clock: SampleRate::HZ_8000,
        packet: Span::from_millis(20),
        bits_per_second: 80_000,
        equipment: Equipment::G711_CONCEALED,
        extended: true,
        // Each end has a wall clock of its own.
        ntp_origin: NtpTime(u64::from(ssrc) << 33),
        seed: u64::from(ssrc),
    };
    RtcpSession::new(config, Moment::ZERO)
}

fn packet(ssrc: u32, n: u64) -> PacketView<'static> {
    PacketView {
        seq: SeqNo((65_000 + n) as u16),
        time: RtpTime((n * 160) as u32),
        ssrc: Ssrc(ssrc),
        payload_type: PayloadType::PCMU,
        marker: false,
        payload: &[0xFF; 160],
    }
}

/// One end and what it was told.
struct End {
    ssrc: u32,
    session: RtcpSession,
    sends: bool,
}

impl End {
    fn new(ssrc: u32, sends: bool) -> Self {
        Self { ssrc, session: session(ssrc), sends }
    }
}

/// Runs a call for `seconds` with both ways delayed by [`ONE_WAY`]. `lost` decides which RTP packets of the
/// first end do not arrive.
fn call(seconds: u64, sends: [bool; 2], lost: impl Fn(u64) -> bool) -> [End; 2] {
    let mut ends = [End::new(1, sends[0]), End::new(2, sends[1])];
    let mut flying: Vec<(Moment, usize, Vec<u8>)> = Vec::new();
    for n in 0..seconds * 1000 / TICK_MS {
        let now = Moment::from_millis(n * TICK_MS);
        for from in 0..2 {
            let to = 1 - from;
            if ends[from].sends {
                let packet = packet(ends[from].ssrc, n);
                ends[from].session.rtp_sent(now, packet.time, packet.payload.len());
                if from == 1 || !lost(n) {
                    ends[to].session.rtp_received(now + ONE_WAY, &packet, true);
                }
            }
            let mut out = [0; RtcpSession::MOST_BYTES];
            if let Some(length) = ends[from].session.poll_output(now, &mut out) {
                flying.push((now + ONE_WAY, to, out[..length].to_vec()));
            }
        }
        while let Some(due) = flying.iter().position(|(at, _, _)| *at <= now) {
            let (at, to, bytes) = flying.remove(due);
            ends[to].session.handle_input(at, &bytes).expect("ours");
        }
    }
    ends
}

fn last_report(end: &End) -> offhook_sip_rtp::media::rtcp::RemoteReport {
    end.session.reported().expect("a report")
}

#[test]
fn both_ends_measure_the_way_there_and_back() {
    for end in call(60, [true, true], |_| false) {
        let way = end.session.round_trip().expect("measured").as_millis_f32();
        assert!((79.0..81.0).contains(&way), "{way} ms");
        let figures = end.session.figures().expect("heard");
        assert_eq!((figures.lost, figures.jitter), (0, Span::ZERO));
        assert_eq!((figures.sent, figures.sent_bytes), (3_000, 480_000));
        assert_eq!((figures.received, figures.received_bytes), (3_000, 480_000));
        assert_eq!(figures.metrics.mos_listening_10, 44);
    }
}

#[test]
fn an_end_that_only_listens_measures_it_too() {
    // It gets no report blocks, for it sends nothing: the reference time of RFC 3611 is for that.
    let [_, listener] = call(60, [true, false], |_| false);
    let way = listener.session.figures().expect("heard").round_trip.expect("measured").as_millis_f32();
    assert!((79.0..81.0).contains(&way), "{way} ms");
    assert_eq!(listener.session.reported(), None);
}

#[test]
fn loss_is_reported_to_the_one_who_sends_and_lowers_the_score() {
    let [sender, receiver] = call(120, [true, true], |n| n % 20 == 7);
    let report = last_report(&sender);
    assert!((0.03..0.07).contains(&report.fraction_lost), "{}", report.fraction_lost);
    assert!((270..300).contains(&report.lost), "{}", report.lost);
    let figures = receiver.session.figures().expect("heard");
    assert_eq!(figures.metrics.loss_rate, 12, "5 % in 1/256");
    // R = 93.2 - 95 * 5 / (5 + 25.1) = 77.4: 3.93.
    assert_eq!(figures.metrics.mos_listening_10, 39);
    assert_eq!(report.metrics.expect("VoIP metrics").mos_listening_10, 39);
    assert_eq!(sender.session.lost_there(), u64::from(report.lost.unsigned_abs()));
    assert_eq!((receiver.session.lost_there(), last_report(&receiver).lost), (0, 0));
}

#[test]
fn packets_that_the_buffer_throws_away_count_as_discarded() {
    let mut end = End::new(1, true);
    for n in 0..2_000 {
        let packet = packet(2, n);
        end.session.rtp_received(Moment::from_millis(n * 20), &packet, true);
        if n % 50 == 0 {
            end.session.discarded(packet.seq);
        }
    }
    end.session.set_delays(DelayLimits { nominal_ms: 60, maximum_ms: 80, absolute_ms: 500 }, 90);
    let metrics = end.session.figures().expect("heard").metrics;
    assert_eq!((metrics.loss_rate, metrics.discard_rate, metrics.end_system_ms), (0, 5, 90));
}

#[test]
fn a_goodbye_ends_the_stream_and_carries_a_last_report() {
    let [mut first, mut second] = call(20, [true, true], |_| false);
    let mut out = [0; RtcpSession::MOST_BYTES];
    let now = Moment::from_millis(20_000);
    let length = first.session.goodbye(now, &mut out).expect("it sent");
    assert!(length + MOST_OVERHEAD <= RtcpSession::MOST_BYTES, "the longest there is: {length}");
    let kinds: Vec<_> = Compound::parse(&out[..length]).expect("sound").packets().collect();
    assert!(matches!(kinds[0], RtcpPacket::SenderReport { .. }));
    assert!(matches!(kinds.last(), Some(RtcpPacket::Goodbye { .. })));
    second.session.handle_input(now, &out[..length]).expect("ours");
    assert_eq!(last_report(&second).at, now, "its last report counts");
    second.session.rtp_received(now, &packet(1, 5_000), true);
    assert!(second.session.figures().is_some(), "a stream that comes back is heard");
}

/// A report on us in which `lost` packets were lost, at the far end of a line without a clock.
fn report_of(session: &mut RtcpSession, ssrc: u32, lost: i32) {
    let [_, lost @ ..] = lost.to_be_bytes();
    let mut report = [&[0x81, 201, 0, 7, 0, 0, 0, 9][..], &ssrc.to_be_bytes(), &[64], &lost].concat();
    report.extend_from_slice(&[0, 0, 0, 9, 0, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0]);
    session.handle_input(Moment::ZERO, &report).expect("sound");
}

#[test]
fn what_the_peer_missed_never_goes_back_nor_beyond_what_was_sent() {
    let mut session = session(1);
    for n in 0..100 {
        session.rtp_sent(Moment::ZERO, RtpTime(n * 160), 160);
    }
    let mut told = Vec::new();
    for lost in [3, 8, 5, -2, 9, 5_000_000] {
        report_of(&mut session, 1, lost);
        told.push(session.lost_there());
    }
    assert_eq!(told, [3, 8, 8, 8, 9, 100]);
    let report = session.reported().expect("it came");
    assert_eq!((report.fraction_lost, report.jitter), (0.25, Span::from_millis(10)));
    assert_eq!(report.metrics, None);
    // The same source goes on, and another begins.
    session.set_ssrc(Ssrc(1));
    assert!(session.reported().is_some());
    session.set_ssrc(Ssrc(2));
    assert_eq!(session.reported(), None);
    session.rtp_sent(Moment::ZERO, RtpTime(0), 160);
    report_of(&mut session, 2, 1);
    assert_eq!(session.lost_there(), 101);
}

#[test]
fn the_same_ssrc_again_starts_no_count_anew() {
    let mut session = session(1);
    for n in 0..3 {
        session.rtp_sent(Moment::ZERO, RtpTime(n * 160), 160);
    }
    session.set_ssrc(Ssrc(1));
    let mut out = [0; RtcpSession::MOST_BYTES];
    session.goodbye(Moment::ZERO, &mut out).expect("it sent");
    assert_eq!((out[1], &out[20..24]), (200, &[0, 0, 0, 3][..]), "a sender's report on three packets");
}

#[test]
fn who_never_sent_says_no_goodbye() {
    assert_eq!(session(1).goodbye(Moment::from_millis(100), &mut [0; RtcpSession::MOST_BYTES]), None);
}

#[test]
fn who_stops_sending_becomes_a_receiver_in_its_reports() {
    let mut session = session(1);
    session.rtp_sent(Moment::ZERO, RtpTime(0), 160);
    let mut types = Vec::new();
    while types.len() < 4 {
        let mut out = [0; RtcpSession::MOST_BYTES];
        let now = session.poll_timeout();
        if session.poll_output(now, &mut out).is_some() {
            types.push(out[1]);
        }
    }
    assert_eq!(types, [200, 200, 201, 201], "RFC 3550 6.3.8");
}

#[test]
fn another_clock_counts_anew_and_another_ssrc_says_so() {
    let mut session = session(1);
    session.rtp_sent(Moment::ZERO, RtpTime(0), 160);
    session.rtp_received(Moment::ZERO, &packet(2, 0), true);
    session.set_codec(SampleRate::HZ_8000, Span::from_millis(30), Equipment::G711_CONCEALED);
    assert!(session.figures().is_some());
    session.set_codec(SampleRate::HZ_48000, Span::from_millis(20), Equipment::G711_CONCEALED);
    assert_eq!(session.figures(), None);
    session.set_ssrc(Ssrc(99));
    session.rtp_sent(Moment::ZERO, RtpTime(7), 10);
    let mut out = [0; RtcpSession::MOST_BYTES];
    session.goodbye(Moment::from_millis(1_000), &mut out).expect("it sent");
    assert_eq!(out[4..8], [0, 0, 0, 99]);
    // RFC 3550 6.4.1: the report's own instant on the media clock, then packets and bytes of this source.
    assert_eq!(out[16..28], [0, 0, 0xBB, 0x87, 0, 0, 0, 1, 0, 0, 0, 10]);
}

#[test]
fn strangers_in_reports_change_nothing() {
    let mut session = session(1);
    let foreign_bye = [0x81, 203, 0, 1, 0, 0, 0, 9];
    let mut report_on_another = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
    report_on_another.extend_from_slice(&[0xFF; 24]);
    for datagram in [&foreign_bye[..], &report_on_another] {
        session.handle_input(Moment::ZERO, datagram).expect("sound");
    }
    assert_eq!((session.reported(), session.lost_there()), (None, 0));
    assert_eq!(session.counters().foreign, 2);
}

#[test]
fn a_flood_of_reports_keeps_its_bounds() {
    let mut session = session(1);
    let mut report = vec![0x81, 201, 0, 7, 0, 0, 0, 9, 0, 0, 0, 1];
    report.extend_from_slice(&[0xFF; 20]);
    for _ in 0..10_000 {
        session.handle_input(Moment::ZERO, &report).expect("sound");
    }
    assert_eq!(session.counters().received, 10_000);
    assert!(session.poll_timeout() < Moment::from_millis(10_000));
}

/// RTCP-like bytes: a version, a likely type, a likely length.
fn nearly_rtcp() -> impl Strategy<Value = Vec<u8>> {
    let part = (0x80..0xC0_u8, 199..208_u8, 0..12_u16, proptest::collection::vec(any::<u8>(), 0..48))
        .prop_map(|(first, kind, words, body)| {
            let [high, low] = words.to_be_bytes();
            [&[first, kind, high, low][..], &body].concat()
        });
    proptest::collection::vec(part, 1..4).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn any_bytes_are_read_or_refused(
        random in proptest::collection::vec(any::<u8>(), 0..200), likely in nearly_rtcp(),
    ) {
        let mut session = session(1);
        session.rtp_received(Moment::ZERO, &packet(2, 0), true);
        for bytes in [random, likely] {
            let _ = session.handle_input(Moment::from_millis(1), &bytes);
            if let Ok(compound) = Compound::parse(&bytes) {
                prop_assert!(compound.packets().count() >= 1);
                for packet in compound.packets() {
                    if let RtcpPacket::Extended { blocks, .. } = packet {
                        prop_assert!(blocks.iter().count() <= bytes.len() / 4);
                    }
                }
            }
        }
        let mut out = [0; RtcpSession::MOST_BYTES];
        prop_assert!(session.poll_output(Moment::from_millis(60_000), &mut out).is_some());
    }

    #[test]
    fn any_stream_gives_reports_that_can_be_read(
        seqs in proptest::collection::vec((any::<u16>(), any::<u32>(), 0..100_u64), 1..200),
    ) {
        let mut session = session(1);
        let mut now = Moment::ZERO;
        for (seq, time, wait) in seqs {
            now += Span::from_millis(wait as i64);
            let packet = PacketView { seq: SeqNo(seq), time: RtpTime(time), ..packet(2, 0) };
            session.rtp_received(now, &packet, seq % 3 != 0);
            session.discarded(SeqNo(seq ^ 3));
        }
        let mut out = [0; RtcpSession::MOST_BYTES];
        let length = session.poll_output(now + Span::from_millis(60_000), &mut out).expect("due");
        let compound = Compound::parse(&out[..length]).expect("ours");
        let voip = compound.packets().find_map(|packet| match packet {
            RtcpPacket::Extended { blocks, .. } => {
                blocks.iter().find_map(|block| if let XrBlock::Voip(voip) = block { Some(voip) } else { None })
            }
            _ => None,
        });
        let voip = voip.expect("metrics");
        prop_assert!(voip.rating <= 100 && (10..=45).contains(&voip.mos_conversation_10));
    }
}
