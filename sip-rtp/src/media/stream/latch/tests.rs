use super::*;
use offhook_units::{PayloadType, RtpTime};

const SDP: &str = "192.0.2.1:4000";
const NAT: &str = "198.51.100.7:61234";
const STRANGER: &str = "203.0.113.9:4444";

struct Bench {
    latch: Latch,
    now: Moment,
}

impl Bench {
    fn new(reach: Reach) -> Self {
        Self { latch: Latch::new(reach, Some(SDP.parse().unwrap())), now: Moment::ZERO }
    }

    /// Sends packet `seq` of `ssrc` from an address.
    fn send(&mut self, from: &str, ssrc: u32, seq: u16) -> Verdict {
        let packet = PacketView {
            seq: SeqNo(seq),
            time: RtpTime(u32::from(seq) * 160),
            ssrc: Ssrc(ssrc),
            payload_type: PayloadType::PCMU,
            marker: false,
            payload: &[0; 160],
        };
        self.latch.judge(self.now, from.parse().unwrap(), &packet, false)
    }

    /// A stream of `count` packets, 20 ms apart; returns after how many it was taken.
    fn stream(&mut self, from: &str, ssrc: u32, first: u16, count: u16) -> Option<u16> {
        let mut taken = None;
        for n in 0..count {
            self.wait(20);
            if self.send(from, ssrc, first.wrapping_add(n)) != Verdict::Foreign && taken.is_none() {
                taken = Some(n + 1);
            }
        }
        taken
    }

    fn wait(&mut self, ms: i64) {
        self.now += Span::from_millis(ms);
    }

    fn remote(&self) -> String {
        self.latch.remote().unwrap().to_string()
    }
}

#[test]
fn the_address_in_sdp_is_believed_at_once() {
    let mut bench = Bench::new(Reach::Anywhere);
    assert_eq!(bench.remote(), SDP);
    assert_eq!(bench.send(SDP, 1, 10), Verdict::Latched);
    assert_eq!(bench.send(SDP, 1, 11), Verdict::Ours);
}

#[test]
fn a_peer_behind_nat_is_learnt() {
    let mut bench = Bench::new(Reach::Anywhere);
    assert_eq!(bench.stream(NAT, 1, 65_530, 100), Some(16), "300 ms and a steady stream");
    assert_eq!(bench.remote(), NAT);
    let mut bench = Bench::new(Reach::Anywhere);
    assert_eq!(bench.stream("192.0.2.1:61234", 1, 10, 100), Some(3), "another port of the same host");
}

#[test]
fn reach_limits_what_can_be_learnt() {
    assert_eq!(Bench::new(Reach::Host).stream(NAT, 1, 10, 100), None);
    assert_eq!(Bench::new(Reach::Host).stream("192.0.2.1:61234", 1, 10, 100), Some(3));
    assert_eq!(Bench::new(Reach::Exact).stream("192.0.2.1:61234", 1, 10, 100), None);
    assert_eq!(Bench::new(Reach::Exact).stream(SDP, 1, 10, 100), Some(1));
    let mut unknown = Latch::new(Reach::Host, None);
    assert!(!unknown.may_be_ours(Moment::ZERO, SDP.parse().unwrap()));
    unknown.renegotiate(Some(SDP.parse().unwrap()));
    assert!(unknown.may_be_ours(Moment::ZERO, SDP.parse().unwrap()));
}

#[test]
fn a_stranger_does_not_move_a_held_latch() {
    let mut bench = Bench::new(Reach::Anywhere);
    bench.send(SDP, 1, 10);
    for n in 0..500_u16 {
        bench.wait(20);
        bench.send(SDP, 1, 11 + n);
        assert_eq!(bench.send(STRANGER, 1, 12 + n), Verdict::Foreign, "even with our SSRC and sequence");
    }
    assert_eq!(bench.remote(), SDP);
}

#[test]
fn a_stranger_who_was_first_is_thrown_out_by_the_address_in_sdp() {
    let mut bench = Bench::new(Reach::Anywhere);
    assert!(bench.stream(STRANGER, 9, 10, 50).is_some());
    assert_eq!(bench.remote(), STRANGER);
    for n in 0..3 {
        bench.wait(10);
        bench.send(STRANGER, 9, 60 + n);
        bench.wait(10);
        bench.send(SDP, 1, 500 + n);
    }
    assert_eq!(bench.remote(), SDP);
    assert_eq!(bench.send(STRANGER, 9, 63), Verdict::Foreign);
}

#[test]
fn a_stranger_cannot_hurry() {
    let mut bench = Bench::new(Reach::Anywhere);
    for n in 0..2_000 {
        assert_eq!(bench.send(STRANGER, 9, n), Verdict::Foreign, "a flood within no time");
    }
    bench.wait(299);
    assert_eq!(bench.send(STRANGER, 9, 2_000), Verdict::Foreign);
    assert_eq!(bench.send(SDP, 1, 10), Verdict::Latched);
}

#[test]
fn after_silence_only_the_same_stream_may_go_on_elsewhere() {
    let mut bench = Bench::new(Reach::Anywhere);
    bench.stream(SDP, 1, 10, 50);
    bench.wait(1_900);
    assert_eq!(bench.send(NAT, 1, 70), Verdict::Foreign, "not silent for long enough");
    bench.wait(200);
    assert_eq!(bench.stream(STRANGER, 9, 10, 100), None);
    assert_eq!(bench.stream(STRANGER, 1, 30_000, 100), None);
    assert_eq!(bench.stream(NAT, 1, 170, 100), Some(16));
    assert_eq!(bench.remote(), NAT);
}

#[test]
fn a_new_address_in_sdp_opens_the_latch_and_the_same_one_does_not() {
    let mut bench = Bench::new(Reach::Anywhere);
    bench.stream(NAT, 1, 10, 50);
    bench.latch.renegotiate(Some(SDP.parse().unwrap()));
    assert_eq!(bench.remote(), NAT, "a hold or a refresh");
    let moved = "192.0.2.44:5000";
    bench.latch.renegotiate(Some(moved.parse().unwrap()));
    assert_eq!(bench.remote(), moved);
    assert_eq!(bench.send(NAT, 1, 60), Verdict::Foreign);
    assert_eq!(bench.send(moved, 2, 10), Verdict::Latched);
}

#[test]
fn a_crowd_of_addresses_keeps_its_bounds_and_the_steady_one_wins() {
    let mut bench = Bench::new(Reach::Anywhere);
    let mut taken = false;
    for n in 0..60_u16 {
        bench.wait(20);
        taken |= bench.send(NAT, 1, n) != Verdict::Foreign;
        for crowd in 0..6 {
            let from = format!("203.0.113.{}:{}", crowd, 1_024 + n * 50 + crowd);
            assert_eq!(bench.send(&from, u32::from(crowd), n), Verdict::Foreign);
        }
        assert!(bench.latch.candidates.len() <= Latch::MOST_CANDIDATES);
    }
    assert!(taken);
}

#[test]
fn proof_is_worth_more_than_an_address() {
    let mut bench = Bench::new(Reach::Anywhere);
    let packet = PacketView {
        seq: SeqNo(1),
        time: RtpTime(0),
        ssrc: Ssrc(1),
        payload_type: PayloadType::PCMU,
        marker: false,
        payload: &[0; 160],
    };
    let nat = NAT.parse().unwrap();
    assert_eq!(bench.latch.judge(bench.now, nat, &packet, true), Verdict::Latched);
    let replay_from = STRANGER.parse().unwrap();
    assert_eq!(bench.latch.judge(bench.now, replay_from, &packet, true), Verdict::Foreign);
}
