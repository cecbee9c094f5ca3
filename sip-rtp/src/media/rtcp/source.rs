//! What one source's packets tell of the network: RFC 3550 A.1 (sequence), A.3 (loss), A.8 (jitter).

use crate::media::packet::PacketView;
use offhook_units::{ExtSeq, Moment, RtpTime, SampleRate, SeqNo};

/// A jump ahead that is still taken for loss, and one back that is still taken for reordering (A.1).
const MAX_DROPOUT: u16 = 3_000;
const MAX_MISORDER: u16 = 100;

/// What became of a packet's sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// In order, or ahead by what was lost.
    Ahead,
    /// Late or doubled.
    Behind,
    /// The source counts anew from here; all statistics of its sequence did too.
    Restarted,
    /// Far off. The next packet shows whether the source counts anew.
    Astray,
}

/// Receive statistics of one source, from its first packet on.
#[derive(Clone, Debug)]
pub struct SourceStats {
    clock: SampleRate,
    first: ExtSeq,
    highest: ExtSeq,
    /// The number that would prove a restart.
    suspect: Option<SeqNo>,
    received: u64,
    bytes: u64,
    expected_prior: u64,
    received_prior: u64,
    /// Arrival minus timestamp of the last timed packet, in RTP units.
    transit: Option<u32>,
    /// Jitter times 16, as A.8 keeps it.
    jitter_16: u32,
}

impl SourceStats {
    /// Statistics that begin with the packet numbered `first`; tell them that packet too.
    pub const fn new(first: SeqNo, clock: SampleRate) -> Self {
        // One round up, so that a packet from before the first has a number as well.
        let first = ExtSeq(0x1_0000 + first.0 as u64);
        Self {
            clock,
            first,
            highest: first,
            suspect: None,
            received: 0,
            bytes: 0,
            expected_prior: 0,
            received_prior: 0,
            transit: None,
            jitter_16: 0,
        }
    }

    /// Counts a packet that arrived at `at`. `timed` is false for packets whose timestamp is not when they
    /// were made (telephone events): they say nothing of jitter.
    pub fn put(&mut self, at: Moment, packet: &PacketView<'_>, timed: bool) -> Arrival {
        let arrival = self.place(packet.seq);
        if arrival != Arrival::Astray {
            self.received += 1;
            self.bytes += packet.payload.len() as u64;
            if timed {
                self.measure_jitter(at, packet.time);
            }
        }
        arrival
    }

    /// RFC 3550 A.1, without its probation: the gate before it has done that.
    fn place(&mut self, seq: SeqNo) -> Arrival {
        let ahead = seq.0.wrapping_sub(self.highest.0 as u16);
        if ahead == 0 {
            // The first packet of all, or a double.
            return if self.received == 0 { Arrival::Ahead } else { Arrival::Behind };
        }
        if ahead < MAX_DROPOUT {
            self.highest = self.highest.extend(seq);
            self.suspect = None;
            return Arrival::Ahead;
        }
        if ahead > u16::MAX - MAX_MISORDER + 1 {
            return Arrival::Behind;
        }
        if self.suspect == Some(seq) {
            *self = Self { transit: None, jitter_16: self.jitter_16, ..Self::new(seq, self.clock) };
            return Arrival::Restarted;
        }
        self.suspect = Some(SeqNo(seq.0.wrapping_add(1)));
        Arrival::Astray
    }

    /// RFC 3550 A.8, the integer version.
    fn measure_jitter(&mut self, at: Moment, time: RtpTime) {
        let arrival = (u128::from(at.as_micros()) * u128::from(self.clock.hz()) / 1_000_000) as u32;
        let transit = arrival.wrapping_sub(time.0);
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs();
            // A clock that jumped says nothing of the network: more than ten seconds is no jitter.
            if difference < self.clock.hz() * 10 {
                self.jitter_16 = self.jitter_16.saturating_add(difference) - ((self.jitter_16 + 8) >> 4);
            }
        }
    }

    /// The highest sequence number so far with its wraps, as a report block carries it.
    pub const fn extended_highest(&self) -> u32 {
        (self.highest.0 - 0x1_0000) as u32
    }

    /// Inter-arrival jitter in RTP units.
    pub const fn jitter(&self) -> u32 {
        self.jitter_16 >> 4
    }

    /// Packets received.
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// Payload bytes received.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Packets that the sequence numbers promised.
    pub const fn expected(&self) -> u64 {
        self.highest.0 - self.first.0 + 1
    }

    /// Packets lost since the beginning; negative when more came double (A.3).
    pub const fn lost(&self) -> i64 {
        self.expected() as i64 - self.received as i64
    }

    /// Share of packets lost since the last call, in 1/256, and the start of the next such interval (A.3).
    pub fn take_fraction_lost(&mut self) -> u8 {
        let expected = self.expected() - self.expected_prior;
        let received = self.received - self.received_prior;
        (self.expected_prior, self.received_prior) = (self.expected(), self.received);
        match expected.checked_sub(received) {
            Some(lost) if expected > 0 => (lost * 256 / expected).min(255) as u8,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_units::{PayloadType, Ssrc};

    fn packet(seq: u16, time: u32) -> PacketView<'static> {
        PacketView {
            seq: SeqNo(seq),
            time: RtpTime(time),
            ssrc: Ssrc(1),
            payload_type: PayloadType::PCMU,
            marker: false,
            payload: &[0; 160],
        }
    }

    /// Feeds `seqs`, 20 ms apart, on a perfect clock.
    fn fed(seqs: impl IntoIterator<Item = u16>) -> SourceStats {
        let mut seqs = seqs.into_iter().peekable();
        let mut stats = SourceStats::new(SeqNo(*seqs.peek().unwrap()), SampleRate::HZ_8000);
        for (n, seq) in seqs.enumerate() {
            stats.put(Moment::from_millis(n as u64 * 20), &packet(seq, n as u32 * 160), true);
        }
        stats
    }

    #[test]
    fn a_clean_stream_loses_nothing_over_the_wrap() {
        let mut stats = fed((0..200).map(|n| 65_500_u16.wrapping_add(n)));
        assert_eq!((stats.expected(), stats.received(), stats.lost()), (200, 200, 0));
        assert_eq!(stats.extended_highest(), 65_500 + 199);
        assert_eq!((stats.jitter(), stats.take_fraction_lost()), (0, 0));
    }

    #[test]
    fn holes_are_counted_per_interval_and_in_all() {
        let mut stats = fed((0..100).filter(|n| n % 4 != 1));
        assert_eq!(stats.lost(), 25);
        assert_eq!(stats.take_fraction_lost(), 64);
        assert_eq!(stats.take_fraction_lost(), 0, "a new interval");
    }

    #[test]
    fn doubles_make_the_loss_negative_and_the_fraction_zero() {
        let mut stats = fed([10, 11, 11, 11, 12]);
        assert_eq!(stats.lost(), -2);
        assert_eq!(stats.take_fraction_lost(), 0);
    }

    #[test]
    fn one_astray_packet_changes_nothing_two_in_a_row_are_a_restart() {
        let mut stats = fed([10, 11, 12]);
        assert_eq!(stats.put(Moment::ZERO, &packet(30_000, 0), true), Arrival::Astray);
        assert_eq!(stats.put(Moment::ZERO, &packet(13, 0), true), Arrival::Ahead);
        assert_eq!((stats.expected(), stats.received()), (4, 4));
        assert_eq!(stats.put(Moment::ZERO, &packet(40_000, 0), true), Arrival::Astray);
        assert_eq!(stats.put(Moment::ZERO, &packet(40_001, 0), true), Arrival::Restarted);
        assert_eq!((stats.expected(), stats.received(), stats.extended_highest()), (1, 1, 40_001));
    }

    #[test]
    fn late_packets_within_a_hundred_are_counted_where_they_belong() {
        let mut stats = fed((0..200).filter(|n| *n != 120));
        assert_eq!(stats.put(Moment::ZERO, &packet(120, 0), false), Arrival::Behind);
        assert_eq!(stats.lost(), 0);
        assert_eq!(stats.put(Moment::ZERO, &packet(199 - 99, 0), false), Arrival::Behind);
        assert_eq!(stats.put(Moment::ZERO, &packet(199 - 100, 0), false), Arrival::Astray);
    }

    #[test]
    fn a_packet_from_before_the_first_is_no_loss() {
        let stats = fed([0, 65_535, 1]);
        assert_eq!((stats.expected(), stats.received()), (2, 3));
    }

    #[test]
    fn jitter_converges_to_the_mean_difference() {
        // Alternately 0 and 10 ms late: the difference of neighbours is always 10 ms, 80 units.
        let mut stats = SourceStats::new(SeqNo(0), SampleRate::HZ_8000);
        for n in 0..400_u32 {
            let at = Moment::from_millis(u64::from(n) * 20 + u64::from(n % 2) * 10);
            stats.put(at, &packet(n as u16, n * 160), true);
        }
        assert!((79..=80).contains(&stats.jitter()), "{}", stats.jitter());
    }

    #[test]
    fn events_and_clock_jumps_are_no_jitter() {
        let mut stats = fed(0..50);
        stats.put(Moment::from_millis(1_000), &packet(50, 7), false);
        stats.put(Moment::from_millis(1_020), &packet(51, 0x8000_0000), true);
        stats.put(Moment::from_millis(1_040), &packet(52, 0x8000_00A0), true);
        assert_eq!(stats.jitter(), 0);
    }
}
