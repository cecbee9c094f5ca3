//! Wall-less time: microseconds since an origin that the caller chose, and counts of samples.

use std::ops::{Add, AddAssign, Sub, SubAssign};

/// A point in time: microseconds since the owner's origin. Only one file of the product reads a clock;
/// everything else is told a `Moment`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// The point `us` microseconds after the origin.
    pub const fn from_micros(us: u64) -> Self {
        Self(us)
    }

    /// The point `ms` milliseconds after the origin.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1000))
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The length from `earlier` to here; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.0.wrapping_sub(earlier.0) as i64)
    }
}

impl Add<Span> for Moment {
    type Output = Self;
    fn add(self, length: Span) -> Self {
        Self(self.0.saturating_add_signed(length.0))
    }
}

impl Sub<Span> for Moment {
    type Output = Self;
    fn sub(self, length: Span) -> Self {
        Self(self.0.saturating_add_signed(length.0.saturating_neg()))
    }
}

impl AddAssign<Span> for Moment {
    fn add_assign(&mut self, length: Span) {
        *self = *self + length;
    }
}

/// A length of time in microseconds; may be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A length of `us` microseconds.
    pub const fn from_micros(us: i64) -> Self {
        Self(us)
    }

    /// A length of `ms` milliseconds.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms.saturating_mul(1000))
    }

    /// Microseconds.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds with their fraction.
    pub fn as_millis_f32(self) -> f32 {
        self.0 as f32 / 1000.0
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Span {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Span {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

/// A number of sample frames at a rate known from the context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Frames(pub u32);

/// Sample frames a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRate(u32);

impl SampleRate {
    /// Narrow band, G.711.
    pub const HZ_8000: Self = Self(8_000);
    /// Wide band, G.722 and the speech services.
    pub const HZ_16000: Self = Self(16_000);
    /// What several speech services deliver.
    pub const HZ_24000: Self = Self(24_000);
    /// Full band, Opus and sound cards.
    pub const HZ_48000: Self = Self(48_000);

    /// A rate of `hz`; `None` outside 1 kHz to 192 kHz or when 10 ms of it is not a whole number of frames.
    pub const fn new(hz: u32) -> Option<Self> {
        if hz < 1_000 || hz > 192_000 || !hz.is_multiple_of(100) {
            return None;
        }
        Some(Self(hz))
    }

    /// Frames a second.
    pub const fn hz(self) -> u32 {
        self.0
    }

    /// Frames in `ms` milliseconds, rounded down.
    pub const fn frames_in_ms(self, ms: u32) -> usize {
        (self.0 as u64 * ms as u64 / 1000) as usize
    }

    /// How long `frames` last; negative counts give negative lengths.
    pub const fn span_of(self, frames: i64) -> Span {
        Span(frames.saturating_mul(1_000_000) / self.0 as i64)
    }
}

/// Parts per million: how far one clock runs off another.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Ppm(pub f32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_and_a_span_meet_where_they_should() {
        let start = Moment::from_millis(5);
        let end = start + Span::from_millis(7);
        assert_eq!(end.since(start), Span::from_millis(7));
        assert_eq!(start.since(end), Span::from_millis(-7));
        assert_eq!(start - Span::from_millis(9), Moment::ZERO, "time does not go below the origin");
    }

    #[test]
    fn only_rates_with_whole_ticks_are_taken() {
        assert_eq!(SampleRate::new(8_000), Some(SampleRate::HZ_8000));
        assert_eq!(SampleRate::new(44_100).map(|r| r.frames_in_ms(10)), Some(441));
        assert_eq!(SampleRate::new(11_025), None);
        assert_eq!(SampleRate::new(0), None);
    }

    #[test]
    fn frames_and_time_agree() {
        assert_eq!(SampleRate::HZ_8000.span_of(160), Span::from_millis(20));
        assert_eq!(SampleRate::HZ_48000.span_of(-480), Span::from_millis(-10));
    }
}
