//! Differentiated-services marks (RFC 2474) for the packets of a call. Setting them is the socket owner's.

/// A code point: the upper six bits of the IPv4 TOS byte or IPv6 traffic class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dscp(u8);

impl Dscp {
    /// Expedited forwarding (RFC 3246), for RTP (RFC 4594 section 4.1).
    pub const EXPEDITED: Self = Self(46);
    /// Class selector 3 (RFC 2474), what most telephones mark SIP with.
    pub const SIGNALLING: Self = Self(24);
    /// No preference.
    pub const BEST_EFFORT: Self = Self(0);

    /// A code point; `None` beyond six bits.
    pub const fn new(code_point: u8) -> Option<Self> {
        if code_point < 64 { Some(Self(code_point)) } else { None }
    }

    /// The code point.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The whole byte for `IP_TOS` and `IPV6_TCLASS`: the two bits below are congestion notification's.
    pub const fn traffic_class(self) -> u8 {
        self.0 << 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_the_bytes_that_captures_show() {
        assert_eq!(Dscp::EXPEDITED.traffic_class(), 0xB8);
        assert_eq!(Dscp::SIGNALLING.traffic_class(), 0x60);
        assert_eq!(Dscp::new(64), None);
        assert_eq!(Dscp::new(46).map(Dscp::get), Some(46));
    }
}
