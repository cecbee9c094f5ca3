//! How loss is distributed: the bursts and gaps of RFC 3611 4.7.2, and the E-model's burst ratio.
//!
//! A packet is judged when it can no longer come: 64 numbers after it. Until then it may still arrive out of
//! order, or be reported as discarded by the jitter buffer.

use offhook_units::{ExtSeq, SeqNo};

/// Received packets in a row that end a burst (RFC 3611 4.7.2 recommends 16).
pub(crate) const GMIN: u8 = 16;
/// Numbers that are kept open.
const WINDOW: u64 = 64;
/// A hole longer than this is a restart, not loss (RFC 3550 A.1).
const MAX_DROPOUT: u64 = 3_000;

/// Counts bursts and gaps of one source.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bursts {
    /// The highest number of the window, once there is one.
    head: Option<ExtSeq>,
    /// First number that belongs to this source.
    first: u64,
    /// Bit n: number `head - n` arrived; and: arrived, but too late to be played.
    arrived: u64,
    discarded: u64,
    counts: Counts,
}

/// What was judged, packet by packet in order.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    judged: u64,
    lost: u64,
    discarded: u64,
    /// Runs of bad packets without a good one between.
    runs: u64,
    /// Good packets since the last bad one.
    good_run: u64,
    /// Bad packets close to each other that may become a burst, and how many packets they span.
    cluster: Stretch,
    /// All bursts together, and how many there were.
    in_bursts: Stretch,
    bursts: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    packets: u64,
    bad: u64,
}

/// The figures that a VoIP metrics block wants.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct BurstFigures {
    /// Shares of all packets, 0 to 1.
    pub(crate) loss: f32,
    pub(crate) discard: f32,
    /// Share of bad packets within bursts, and within gaps.
    pub(crate) burst_density: f32,
    pub(crate) gap_density: f32,
    /// Mean lengths, in packets.
    pub(crate) burst_packets: f32,
    pub(crate) gap_packets: f32,
    /// G.107's BurstR.
    pub(crate) burst_ratio: f32,
}

impl Bursts {
    /// A packet arrived.
    pub(crate) fn arrived(&mut self, seq: SeqNo) {
        let Some(head) = self.head else {
            return self.restart(seq);
        };
        let number = head.extend(seq);
        if number <= head {
            if let Some(bit) = bit_of(head, number) {
                self.arrived |= bit;
            }
        } else if number.0 - head.0 > MAX_DROPOUT {
            self.restart(seq);
        } else {
            self.advance_to(head, number);
        }
    }

    /// The jitter buffer threw this packet away unplayed. Too late a report changes nothing.
    pub(crate) fn discarded(&mut self, seq: SeqNo) {
        if let Some(head) = self.head
            && let Some(bit) = bit_of(head, head.extend(seq))
        {
            self.discarded |= bit;
        }
    }

    /// The source counts anew; what was judged stays.
    pub(crate) fn restart(&mut self, seq: SeqNo) {
        // A round up, so that extension never falls below zero.
        let head = ExtSeq(0x1_0000 + u64::from(seq.0));
        (self.head, self.first, self.arrived, self.discarded) = (Some(head), head.0, 1, 0);
    }

    fn advance_to(&mut self, head: ExtSeq, number: ExtSeq) {
        for step in head.0..number.0 {
            let leaving = step.wrapping_sub(WINDOW - 1);
            if leaving >= self.first && leaving <= step {
                let top = 1 << (WINDOW - 1);
                self.counts.judge(self.arrived & top != 0, self.discarded & top != 0);
            }
            self.arrived <<= 1;
            self.discarded <<= 1;
        }
        self.arrived |= 1;
        self.head = Some(number);
    }

    /// The figures so far.
    pub(crate) fn figures(&self) -> BurstFigures {
        self.counts.figures()
    }
}

/// The window's bit for `number`, while it is in the window.
fn bit_of(head: ExtSeq, number: ExtSeq) -> Option<u64> {
    let age = head.0.checked_sub(number.0)?;
    (age < WINDOW).then(|| 1 << age)
}

impl Counts {
    fn judge(&mut self, arrived: bool, discarded: bool) {
        self.judged += 1;
        if arrived && !discarded {
            self.good_run += 1;
            return;
        }
        self.lost += u64::from(!arrived);
        self.discarded += u64::from(arrived);
        self.runs += u64::from(self.good_run > 0 || self.judged == 1);
        if self.good_run >= u64::from(GMIN) {
            self.close_cluster();
        }
        if self.cluster.bad > 0 {
            self.cluster.packets += self.good_run;
        }
        self.cluster.packets += 1;
        self.cluster.bad += 1;
        self.good_run = 0;
    }

    /// Two bad packets or more are a burst; a lone one belongs to the gap around it (RFC 3611 4.7.2).
    fn close_cluster(&mut self) {
        let cluster = std::mem::take(&mut self.cluster);
        if cluster.bad > 1 {
            self.bursts += 1;
            self.in_bursts.packets += cluster.packets;
            self.in_bursts.bad += cluster.bad;
        }
    }

    fn figures(mut self) -> BurstFigures {
        self.close_cluster();
        let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f32 / whole as f32 };
        let bad = self.lost + self.discarded;
        let in_gaps = self.judged - self.in_bursts.packets;
        BurstFigures {
            loss: share(self.lost, self.judged),
            discard: share(self.discarded, self.judged),
            burst_density: share(self.in_bursts.bad, self.in_bursts.packets),
            gap_density: share(bad - self.in_bursts.bad, in_gaps),
            burst_packets: share(self.in_bursts.packets, self.bursts),
            // Before, between and after the bursts.
            gap_packets: share(in_gaps, self.bursts + 1),
            burst_ratio: (share(bad, self.runs) * (1.0 - share(bad, self.judged))).max(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays `pattern`: `.` arrives, `x` is lost, `d` is thrown away; then enough good packets to judge it all.
    fn figures(first: u16, pattern: &str) -> BurstFigures {
        let mut bursts = Bursts::default();
        let mut seq = first;
        for fate in pattern.chars() {
            if fate != 'x' {
                bursts.arrived(SeqNo(seq));
            }
            if fate == 'd' {
                bursts.discarded(SeqNo(seq));
            }
            seq = seq.wrapping_add(1);
        }
        // One behind the window pushes out exactly what was played.
        bursts.arrived(SeqNo(seq.wrapping_add(63)));
        bursts.figures()
    }

    #[test]
    fn a_clean_stream_is_one_gap() {
        let figures = figures(65_500, &".".repeat(1_000));
        assert_eq!(figures, BurstFigures { gap_packets: 1_000.0, burst_ratio: 1.0, ..Default::default() });
    }

    #[test]
    fn a_lone_loss_belongs_to_the_gap() {
        let figures = figures(7, &format!("{0}x{0}", ".".repeat(50)));
        assert_eq!((figures.burst_packets, figures.burst_density), (0.0, 0.0));
        assert_eq!((figures.gap_packets, figures.gap_density), (101.0, 1.0 / 101.0));
        assert_eq!(figures.loss, 1.0 / 101.0);
    }

    #[test]
    fn losses_less_than_sixteen_apart_are_one_burst() {
        let good = ".".repeat(40);
        let close = figures(7, &format!("{good}x{}x{good}", ".".repeat(15)));
        assert_eq!((close.burst_packets, close.burst_density), (17.0, 2.0 / 17.0));
        assert_eq!((close.gap_packets, close.gap_density), (40.0, 0.0));
        let apart = figures(7, &format!("{good}x{}x{good}", ".".repeat(16)));
        assert_eq!(apart.burst_packets, 0.0);
    }

    #[test]
    fn discards_count_apart_from_losses_but_burst_like_them() {
        let figures = figures(7, &format!("{0}xxdd{0}", ".".repeat(48)));
        assert_eq!((figures.loss, figures.discard), (0.02, 0.02));
        assert_eq!((figures.burst_packets, figures.burst_density), (4.0, 1.0));
    }

    #[test]
    fn the_burst_ratio_is_one_for_lone_losses_and_grows_with_their_runs() {
        assert_eq!(figures(1, &".........x".repeat(100)).burst_ratio, 1.0);
        let runs = figures(1, &format!("{}xxxx", ".".repeat(36)).repeat(100));
        assert!((runs.burst_ratio - 4.0 * 0.9).abs() < 1e-3, "{}", runs.burst_ratio);
    }

    #[test]
    fn what_comes_late_but_within_the_window_was_not_lost() {
        let mut bursts = Bursts::default();
        for seq in (0..300_u16).filter(|seq| seq % 10 != 3) {
            bursts.arrived(SeqNo(seq));
            if seq >= 40 && (seq - 40) % 10 == 3 + 1 {
                bursts.arrived(SeqNo(seq - 41));
            }
        }
        assert_eq!(bursts.figures().loss, 0.0);
    }

    #[test]
    fn a_jump_is_a_restart_not_a_loss() {
        let mut bursts = Bursts::default();
        for seq in (0..200).chain(20_000..20_200) {
            bursts.arrived(SeqNo(seq));
        }
        assert_eq!(bursts.figures().loss, 0.0);
        bursts.discarded(SeqNo(5));
        assert_eq!(bursts.figures().discard, 0.0);
    }
}
