//! What a datagram on a media port is, told by its first two bytes.

/// The protocols that may share one media port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Datagram {
    /// RTP or SRTP.
    Rtp,
    /// RTCP or SRTCP.
    Rtcp,
    /// STUN (RFC 8489).
    Stun,
    /// ZRTP (RFC 6189).
    Zrtp,
    /// DTLS, the key exchange of browser legs.
    Dtls,
    /// A TURN channel (RFC 8656).
    Turn,
    /// None of them, or empty.
    Unknown,
}

impl Datagram {
    /// Sorts `datagram` by RFC 7983 section 7, and RTCP from RTP by RFC 5761 section 4.
    ///
    /// Says nothing about validity: the parser of each kind does.
    pub fn of(datagram: &[u8]) -> Self {
        let Some(&first) = datagram.first() else { return Self::Unknown };
        match first {
            0..=3 => Self::Stun,
            16..=19 => Self::Zrtp,
            20..=63 => Self::Dtls,
            64..=79 => Self::Turn,
            128..=191 => match datagram.get(1) {
                Some(&second) if is_rtcp_type(second) => Self::Rtcp,
                Some(_) => Self::Rtp,
                None => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }
}

/// Whether the second byte of an RTP-like datagram is an RTCP packet type: RFC 5761 section 4 keeps 192 to
/// 223 for them, which costs RTP the payload types 64 to 95.
pub(crate) const fn is_rtcp_type(second_byte: u8) -> bool {
    matches!(second_byte, 192..=223)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_first_byte_belongs_to_one_protocol() {
        // RFC 7983 section 7, figure 3: the borders of every range.
        let borders = [
            (0, Datagram::Stun),
            (3, Datagram::Stun),
            (4, Datagram::Unknown),
            (15, Datagram::Unknown),
            (16, Datagram::Zrtp),
            (19, Datagram::Zrtp),
            (20, Datagram::Dtls),
            (63, Datagram::Dtls),
            (64, Datagram::Turn),
            (79, Datagram::Turn),
            (80, Datagram::Unknown),
            (127, Datagram::Unknown),
            (128, Datagram::Rtp),
            (191, Datagram::Rtp),
            (192, Datagram::Unknown),
            (255, Datagram::Unknown),
        ];
        for (first, kind) in borders {
            assert_eq!(Datagram::of(&[first, 0]), kind, "first byte {first}");
        }
    }

    #[test]
    fn rtcp_is_told_from_rtp_by_its_packet_type() {
        for (second, kind) in
            [(191, Datagram::Rtp), (192, Datagram::Rtcp), (223, Datagram::Rtcp), (224, Datagram::Rtp)]
        {
            assert_eq!(Datagram::of(&[0x80, second]), kind, "second byte {second}");
        }
    }

    #[test]
    fn what_is_too_short_to_tell_is_unknown() {
        assert_eq!(Datagram::of(&[]), Datagram::Unknown);
        assert_eq!(Datagram::of(&[0x80]), Datagram::Unknown);
    }
}
