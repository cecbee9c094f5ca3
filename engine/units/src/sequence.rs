//! The wire's short counters and the long ones they stand for. Unwrapping happens here and nowhere else.

use std::fmt;

/// RTP sequence number as sent: 16 bits that wrap (RFC 3550 5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SeqNo(pub u16);

impl SeqNo {
    /// How far `self` lies ahead of `earlier`, the short way round.
    pub const fn ahead_of(self, earlier: Self) -> i16 {
        self.0.wrapping_sub(earlier.0) as i16
    }
}

/// A sequence number that never wraps: the wire's 16 bits and how often they went round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtSeq(pub u64);

impl ExtSeq {
    /// The extended number nearest to `self` whose low 16 bits are `wire`.
    pub const fn extend(self, wire: SeqNo) -> Self {
        let step = wire.0.wrapping_sub(self.0 as u16) as i16;
        Self(self.0.wrapping_add_signed(step as i64))
    }
}

/// RTP timestamp as sent: 32 bits of the media clock that wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RtpTime(pub u32);

impl RtpTime {
    /// How many frames `self` lies ahead of `earlier`, the short way round.
    pub const fn ahead_of(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }
}

/// RTP synchronisation source: who sends this stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ssrc(pub u32);

/// RTP payload type, 0 to 127.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadType(u8);

impl PayloadType {
    /// The static type of PCMU (RFC 3551).
    pub const PCMU: Self = Self(0);
    /// The static type of PCMA (RFC 3551).
    pub const PCMA: Self = Self(8);
    /// The static type of G.722 (RFC 3551).
    pub const G722: Self = Self(9);
    /// The static type of comfort noise (RFC 3389).
    pub const COMFORT_NOISE: Self = Self(13);

    /// A payload type; the wire has seven bits for it.
    ///
    /// # Errors
    /// [`UnknownPayloadType`] above 127.
    pub const fn new(value: u8) -> Result<Self, UnknownPayloadType> {
        if value > 127 { Err(UnknownPayloadType(value)) } else { Ok(Self(value)) }
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A payload type beyond the wire's seven bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPayloadType(pub u8);

impl fmt::Display for UnknownPayloadType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "payload type {} does not fit in RTP's seven bits (0 to 127)", self.0)
    }
}

impl std::error::Error for UnknownPayloadType {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_follows_the_wire_over_the_wrap_both_ways() {
        let before = ExtSeq(0x1_FFFE);
        assert_eq!(before.extend(SeqNo(0x0001)), ExtSeq(0x2_0001));
        assert_eq!(ExtSeq(0x2_0001).extend(SeqNo(0xFFFE)), before);
        assert_eq!(before.extend(SeqNo(0xFFFE)), before);
    }

    #[test]
    fn short_way_round() {
        assert_eq!(SeqNo(2).ahead_of(SeqNo(65_534)), 4);
        assert_eq!(SeqNo(65_534).ahead_of(SeqNo(2)), -4);
        assert_eq!(RtpTime(10).ahead_of(RtpTime(u32::MAX - 9)), 20);
    }

    #[test]
    fn payload_types_have_seven_bits() {
        assert_eq!(PayloadType::new(127).map(PayloadType::get), Ok(127));
        assert_eq!(PayloadType::new(128), Err(UnknownPayloadType(128)));
    }
}
