//! Time as RTCP writes it.

use offhook_units::{Moment, Span};

/// Seconds since 1900 in 32.32 fixed point (RFC 3550 4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// This time `moment` after the origin, when `self` is what the wall clock said at the origin.
    pub const fn at(self, moment: Moment) -> Self {
        let us = moment.as_micros() as u128;
        Self(self.0.wrapping_add(((us << 32) / 1_000_000) as u64))
    }

    /// The middle 32 bits: units of 1/65536 s, as LSR and LRR carry them.
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// A length in units of 1/65536 s, as DLSR and DLRR carry it; zero when negative.
pub(crate) const fn to_65536ths(span: Span) -> u32 {
    let us = if span.as_micros() < 0 { 0 } else { span.as_micros() as u128 };
    let units = us * 65_536 / 1_000_000;
    if units > u32::MAX as u128 { u32::MAX } else { units as u32 }
}

/// The length of `units` of 1/65536 s.
pub(crate) const fn from_65536ths(units: u32) -> Span {
    Span::from_micros((units as u64 * 1_000_000 / 65_536) as i64)
}

/// The way there and back (RFC 3550 6.4.1): now, less when ours was sent, less how long the peer kept it.
/// `None` when the peer's figures contradict our clock or are older than a minute.
pub(crate) fn round_trip(now: NtpTime, last_sent: u32, delay_since: u32) -> Option<Span> {
    const OLDEST: Span = Span::from_millis(60_000);
    let units = now.middle().wrapping_sub(last_sent).wrapping_sub(delay_since);
    let span = from_65536ths(units);
    (last_sent != 0 && units <= i32::MAX as u32 && span < OLDEST).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_become_fixed_point() {
        let origin = NtpTime(5 << 32);
        assert_eq!(origin.at(Moment::from_millis(1_500)), NtpTime((6 << 32) | 0x8000_0000));
        assert_eq!(NtpTime(0x1234_5678_9ABC_DEF0).middle(), 0x5678_9ABC);
    }

    #[test]
    fn the_example_of_rfc_3550_gives_its_round_trip() {
        // RFC 3550 6.4.1, figure 2: A = b710:8000, DLSR = 0005:4000, LSR = b705:2000, round trip 6.125 s.
        let now = NtpTime(0x0000_B710_8000_0000);
        assert_eq!(round_trip(now, 0xB705_2000, 0x0005_4000), Some(Span::from_millis(6_125)));
    }

    #[test]
    fn contradictions_are_no_round_trip() {
        let now = NtpTime(0x0000_B710_8000_0000);
        assert_eq!(round_trip(now, 0, 0), None, "nothing was received yet");
        assert_eq!(round_trip(now, 0xB710_8001, 0), None, "sent in the future");
        assert_eq!(round_trip(now, 0xB705_2000, 0x7FFF_FFFF), None, "kept for longer than it was gone");
        assert_eq!(round_trip(now, 0x0010_2000, 0), None, "hours old");
    }

    #[test]
    fn lengths_go_both_ways_and_saturate() {
        assert_eq!(to_65536ths(Span::from_millis(1_000)), 65_536);
        assert_eq!(from_65536ths(32_768), Span::from_millis(500));
        assert_eq!(to_65536ths(Span::from_millis(-1)), 0);
        assert_eq!(to_65536ths(Span::from_millis(i64::MAX / 1000)), u32::MAX);
    }
}
