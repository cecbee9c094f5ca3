//! When to send the next RTCP packet: RFC 3550 6.3 with the algorithm of its appendix A.7.

use crate::media::random::Random;
use offhook_units::{Moment, Span};

/// Share of the session's bandwidth that RTCP may use, and that of it which senders share (RFC 3550 6.2).
const RTCP_SHARE: f64 = 0.05;
const SENDER_SHARE: f64 = 0.25;
/// Least time between reports; half of it before the first (RFC 3550 6.2).
const MINIMUM_S: f64 = 5.0;
/// e - 3/2: makes up for timer reconsideration settling below the wanted mean (RFC 3550 6.3.1).
const COMPENSATION: f64 = std::f64::consts::E - 1.5;
/// UDP and IPv4 headers, which count into the size (RFC 3550 6.2).
const LOWER_HEADERS: f64 = 28.0;

/// Who is in the session, as far as the interval needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Membership {
    /// Members, ourselves included.
    pub(crate) members: u32,
    /// Those that sent RTP of late, ourselves included.
    pub(crate) senders: u32,
    /// Whether we did.
    pub(crate) we_sent: bool,
}

/// The timer of RFC 3550 6.3.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    random: Random,
    /// Bytes a second that all reports together may take.
    bandwidth: f64,
    mean_size: f64,
    first: bool,
    last: Moment,
    next: Moment,
}

impl Schedule {
    /// A timer that starts at `now`, for a session of `bits_per_second` one way.
    pub(crate) fn new(now: Moment, bits_per_second: u32, seed: u64, membership: Membership) -> Self {
        let mut schedule = Self {
            random: Random::new(seed),
            bandwidth: f64::from(bits_per_second.max(8_000)) / 8.0 * RTCP_SHARE,
            // RFC 3550 6.3.2: "the probable size of the first RTCP packet": SR, one block, CNAME.
            mean_size: LOWER_HEADERS + 80.0,
            first: true,
            last: now,
            next: now,
        };
        schedule.next = now + schedule.interval(membership);
        schedule
    }

    /// When to ask [`Schedule::is_due`] again.
    pub(crate) fn next(&self) -> Moment {
        self.next
    }

    /// Whether to send now. If the session has grown meanwhile the timer moves on instead (RFC 3550 6.3.6).
    pub(crate) fn is_due(&mut self, now: Moment, membership: Membership) -> bool {
        if now < self.next {
            return false;
        }
        let reconsidered = self.last + self.interval(membership);
        if reconsidered > now {
            self.next = reconsidered;
            return false;
        }
        true
    }

    /// A report of `bytes` was sent.
    pub(crate) fn sent(&mut self, now: Moment, bytes: usize, membership: Membership) {
        self.measure(bytes);
        (self.first, self.last) = (false, now);
        self.next = now + self.interval(membership);
    }

    /// A report of `bytes` was sent or received (RFC 3550 6.3.3: a sliding mean over sixteen).
    pub(crate) fn measure(&mut self, bytes: usize) {
        self.mean_size += (bytes as f64 + LOWER_HEADERS - self.mean_size) / 16.0;
    }

    /// RFC 3550 6.3.1.
    fn interval(&mut self, membership: Membership) -> Span {
        let Membership { members, senders, we_sent } = membership;
        let (mut share, mut count) = (self.bandwidth, members);
        if f64::from(senders) <= f64::from(members) * SENDER_SHARE {
            if we_sent {
                (share, count) = (share * SENDER_SHARE, senders);
            } else {
                (share, count) = (share * (1.0 - SENDER_SHARE), members.saturating_sub(senders));
            }
        }
        let minimum = if self.first { MINIMUM_S / 2.0 } else { MINIMUM_S };
        let deterministic = (self.mean_size * f64::from(count) / share).max(minimum);
        let seconds = deterministic * (0.5 + self.random.unit()) / COMPENSATION;
        Span::from_micros((seconds * 1e6) as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Membership = Membership { members: 2, senders: 2, we_sent: true };

    /// The times in seconds at which reports leave in an hour of a call.
    fn reports(seed: u64, bits_per_second: u32, membership: Membership) -> Vec<f64> {
        let mut schedule = Schedule::new(Moment::ZERO, bits_per_second, seed, membership);
        let mut times = Vec::new();
        while schedule.next() < Moment::from_millis(3_600_000) {
            let now = schedule.next();
            if schedule.is_due(now, membership) {
                schedule.sent(now, 100, membership);
                times.push(now.as_micros() as f64 / 1e6);
            }
        }
        times
    }

    #[test]
    fn reports_come_every_five_seconds_in_the_mean_and_never_in_step() {
        let times = reports(1, 80_000, CALL);
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        assert!((4.5..5.5).contains(&mean), "{mean}");
        let low = 2.5 / COMPENSATION;
        assert!(gaps.iter().all(|gap| (low - 1e-3..=3.0 * low + 1e-3).contains(gap)));
        assert_ne!(times[..10], reports(2, 80_000, CALL)[..10]);
    }

    #[test]
    fn the_first_report_comes_in_half_the_time() {
        for seed in 0..200 {
            let first = reports(seed, 80_000, CALL)[0];
            assert!(first <= 3.75 / COMPENSATION + 1e-3, "{first}");
        }
    }

    #[test]
    fn little_bandwidth_and_many_members_make_reports_rare() {
        let crowd = Membership { members: 400, senders: 1, we_sent: false };
        let many = reports(1, 80_000, crowd);
        // 399 listeners share three quarters of 500 bytes a second at about 128 bytes each.
        let gap = (many.last().unwrap() - many[0]) / (many.len() - 1) as f64;
        assert!((110.0..165.0).contains(&gap), "{gap}");
    }

    #[test]
    fn a_session_that_grew_puts_the_report_off() {
        let mut schedule = Schedule::new(Moment::ZERO, 80_000, 1, CALL);
        let now = schedule.next();
        let crowd = Membership { members: 2_000, senders: 2_000, we_sent: true };
        assert!(!schedule.is_due(now, crowd));
        assert!(schedule.next() > now + Span::from_millis(60_000));
    }
}
