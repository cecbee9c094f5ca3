//! One RTP packet, as borrowed from a datagram or as written into one.
//!
//! The fixed header is read and written by the crate `rtp`. It is handed nothing else: its reader of header
//! extensions panics when an element is longer than the packet, it allocates for CSRCs, and it takes any
//! version. Lengths, version, padding and payload type are therefore checked here, on the raw bytes.

use super::demux::is_rtcp_type;
use offhook_units::{PayloadType, RtpTime, SeqNo, Ssrc};
use rtp::header::Header;
use std::fmt;
use webrtc_util::marshal::{Marshal, Unmarshal};

/// Bytes of a header without CSRCs and extension (RFC 3550 5.1).
pub const FIXED_HEADER: usize = 12;

const VERSION: u8 = 2;
const PADDING_BIT: u8 = 0x20;
const EXTENSION_BIT: u8 = 0x10;
const CSRC_COUNT: u8 = 0x0F;

/// A checked RTP packet. CSRCs, header extension and padding are skipped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PacketView<'a> {
    /// Sequence number.
    pub seq: SeqNo,
    /// Media time of the first sample.
    pub time: RtpTime,
    /// Who sends.
    pub ssrc: Ssrc,
    /// How the payload is coded; the session's map gives it a meaning.
    pub payload_type: PayloadType,
    /// Start of a talk spurt (voice) or of an event (RFC 4733).
    pub marker: bool,
    /// What is left after header and padding; may be empty.
    pub payload: &'a [u8],
}

/// The payload is somebody's voice: its length is enough for a log.
impl fmt::Debug for PacketView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketView")
            .field("seq", &self.seq.0)
            .field("time", &self.time.0)
            .field("ssrc", &format_args!("{:08x}", self.ssrc.0))
            .field("payload_type", &self.payload_type.get())
            .field("marker", &self.marker)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

/// Why bytes are no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PacketError {
    /// Fewer bytes than a fixed header.
    Short,
    /// Another version than 2.
    Version,
    /// An RTCP packet type where the payload type belongs (RFC 3550 A.1, RFC 5761 section 4).
    Rtcp,
    /// The CSRC list runs over the end.
    CsrcList,
    /// The header extension runs over the end.
    Extension,
    /// The padding count is zero or runs into the header.
    Padding,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "shorter than the 12 bytes of an RTP header",
            Self::Version => "RTP version is not 2",
            Self::Rtcp => "an RTCP packet where RTP was expected",
            Self::CsrcList => "CSRC list is longer than the packet",
            Self::Extension => "header extension is longer than the packet",
            Self::Padding => "padding count is zero or longer than the packet",
        })
    }
}

impl std::error::Error for PacketError {}

impl<'a> PacketView<'a> {
    /// Reads the RTP packet that fills `datagram`. Allocates nothing.
    ///
    /// # Errors
    /// [`PacketError`], by the validity checks of RFC 3550 A.1 that need no session.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let (fixed, rest) = datagram.split_first_chunk::<FIXED_HEADER>().ok_or(PacketError::Short)?;
        let header = fixed_header(*fixed)?;
        let payload = without_padding(fixed[0], payload_of(fixed[0], rest)?)?;
        Ok(Self {
            seq: SeqNo(header.sequence_number),
            time: RtpTime(header.timestamp),
            ssrc: Ssrc(header.ssrc),
            payload_type: PayloadType::new(header.payload_type).map_err(|_| PacketError::Rtcp)?,
            marker: header.marker,
            payload,
        })
    }

    /// How many bytes lie before the payload of `datagram`: what SRTP leaves in the clear (RFC 3711 3.1).
    /// Unlike [`PacketView::parse`] it does not look at the padding, which is still encrypted there.
    ///
    /// # Errors
    /// As [`PacketView::parse`], but never [`PacketError::Padding`].
    pub fn header_len(datagram: &[u8]) -> Result<usize, PacketError> {
        let (fixed, rest) = datagram.split_first_chunk::<FIXED_HEADER>().ok_or(PacketError::Short)?;
        fixed_header(*fixed)?;
        Ok(datagram.len() - payload_of(fixed[0], rest)?.len())
    }
}

/// The header of a packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketHeader {
    /// Sequence number.
    pub seq: SeqNo,
    /// Media time of the first sample.
    pub time: RtpTime,
    /// Who sends.
    pub ssrc: Ssrc,
    /// How the payload is coded.
    pub payload_type: PayloadType,
    /// Start of a talk spurt or of an event.
    pub marker: bool,
}

/// The buffer cannot hold what was to be written; nothing useful is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom {
    /// Bytes that were needed.
    pub needed: usize,
}

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the packet needs {} bytes, which the buffer does not have", self.needed)
    }
}

impl std::error::Error for NoRoom {}

impl PacketHeader {
    /// Writes this header and `payload` into `out` and returns the packet's length. Allocates nothing.
    ///
    /// # Errors
    /// [`NoRoom`] when `out` is too short for both.
    pub fn write(&self, payload: &[u8], out: &mut [u8]) -> Result<usize, NoRoom> {
        let needed = FIXED_HEADER + payload.len();
        let packet = out.get_mut(..needed).ok_or(NoRoom { needed })?;
        let (head, body) = packet.split_at_mut(FIXED_HEADER);
        let header = Header {
            version: VERSION,
            marker: self.marker,
            payload_type: self.payload_type.get(),
            sequence_number: self.seq.0,
            timestamp: self.time.0,
            ssrc: self.ssrc.0,
            ..Header::default()
        };
        header.marshal_to(head).map_err(|_| NoRoom { needed })?;
        body.copy_from_slice(payload);
        Ok(needed)
    }
}

/// Checks version and type, then lets the crate read twelve bytes that promise no more.
fn fixed_header(mut fixed: [u8; FIXED_HEADER]) -> Result<Header, PacketError> {
    if fixed[0] >> 6 != VERSION {
        return Err(PacketError::Version);
    }
    if is_rtcp_type(fixed[1]) {
        return Err(PacketError::Rtcp);
    }
    fixed[0] &= !(PADDING_BIT | EXTENSION_BIT | CSRC_COUNT);
    Header::unmarshal(&mut &fixed[..]).map_err(|_| PacketError::Short)
}

/// What follows the CSRC list and the header extension (RFC 3550 5.1 and 5.3.1).
fn payload_of(first_byte: u8, rest: &[u8]) -> Result<&[u8], PacketError> {
    let csrcs = usize::from(first_byte & CSRC_COUNT) * 4;
    let rest = rest.get(csrcs..).ok_or(PacketError::CsrcList)?;
    if first_byte & EXTENSION_BIT == 0 {
        return Ok(rest);
    }
    let (&[_, _, high, low], rest) = rest.split_first_chunk::<4>().ok_or(PacketError::Extension)?;
    rest.get(usize::from(u16::from_be_bytes([high, low])) * 4..).ok_or(PacketError::Extension)
}

/// Cuts the padding off; its last byte counts itself, so that zero is wrong. A packet may be padding only.
fn without_padding(first_byte: u8, payload: &[u8]) -> Result<&[u8], PacketError> {
    if first_byte & PADDING_BIT == 0 {
        return Ok(payload);
    }
    let count = payload.last().copied().map_or(0, usize::from);
    match payload.len().checked_sub(count) {
        Some(kept) if count > 0 => Ok(&payload[..kept]),
        _ => Err(PacketError::Padding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PCMU, sequence 0x1234, time 0x01020304, SSRC 0xCAFEBABE, then `tail`.
    fn packet(first: u8, second: u8, tail: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, second, 0x12, 0x34, 1, 2, 3, 4, 0xCA, 0xFE, 0xBA, 0xBE];
        bytes.extend_from_slice(tail);
        bytes
    }

    #[test]
    fn a_plain_packet_is_read_field_by_field() {
        let bytes = packet(0x80, 0x80 | 9, b"voice");
        let view = PacketView::parse(&bytes).unwrap();
        assert_eq!(view.seq, SeqNo(0x1234));
        assert_eq!(view.time, RtpTime(0x0102_0304));
        assert_eq!(view.ssrc, Ssrc(0xCAFE_BABE));
        assert_eq!(view.payload_type, PayloadType::G722);
        assert!(view.marker);
        assert_eq!(view.payload, b"voice");
    }

    #[test]
    fn only_version_two_is_taken() {
        for version in [0, 1, 3] {
            assert_eq!(PacketView::parse(&packet(version << 6, 0, b"x")), Err(PacketError::Version));
        }
    }

    #[test]
    fn every_cut_of_a_header_is_short() {
        let whole = packet(0x80, 0, b"");
        for length in 0..FIXED_HEADER {
            assert_eq!(PacketView::parse(&whole[..length]), Err(PacketError::Short), "{length} bytes");
        }
        assert_eq!(PacketView::parse(&whole).map(|view| view.payload.len()), Ok(0));
    }

    #[test]
    fn rtcp_types_are_refused() {
        for second in 192..=223 {
            assert_eq!(PacketView::parse(&packet(0x80, second, &[0; 8])), Err(PacketError::Rtcp));
        }
    }

    #[test]
    fn csrcs_are_skipped_or_refused() {
        let mut tail = vec![7; 60];
        assert_eq!(PacketView::parse(&packet(0x8F, 0, &tail[..59])), Err(PacketError::CsrcList));
        tail.extend_from_slice(b"voice");
        assert_eq!(PacketView::parse(&packet(0x8F, 0, &tail)).map(|view| view.payload), Ok(&b"voice"[..]));
    }

    #[test]
    fn extensions_are_skipped_or_refused() {
        let long_enough = packet(0x90, 0, b"\xBE\xDE\x00\x01\xFF\xFF\xFF\xFFvoice");
        assert_eq!(PacketView::parse(&long_enough).map(|view| view.payload), Ok(&b"voice"[..]));
        for tail in [&b""[..], b"\xBE\xDE", b"\xBE\xDE\xFF\xFFabcd", b"\xBE\xDE\x00\x02abcdefg"] {
            assert_eq!(PacketView::parse(&packet(0x90, 0, tail)), Err(PacketError::Extension), "{tail:?}");
        }
    }

    #[test]
    fn padding_is_cut_or_refused() {
        let padded = |tail: &[u8]| PacketView::parse(&packet(0xA0, 0, tail)).map(|view| view.payload.len());
        assert_eq!(padded(&[1, 2, 3, 1]), Ok(3));
        assert_eq!(padded(&[0, 0, 0, 4]), Ok(0), "padding only, as bandwidth probes are");
        assert_eq!(padded(&[9, 9, 9, 0]), Err(PacketError::Padding));
        assert_eq!(padded(&[9, 9, 9, 5]), Err(PacketError::Padding));
        assert_eq!(padded(&[]), Err(PacketError::Padding));
    }

    #[test]
    fn the_clear_part_ends_where_the_payload_starts() {
        let bytes = packet(0xB1, 0, b"CSRC\xBE\xDE\x00\x01abcdvoice\xFF");
        assert_eq!(PacketView::header_len(&bytes), Ok(12 + 4 + 8), "the padding is not looked at");
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let header = PacketHeader {
            seq: SeqNo(65_535),
            time: RtpTime(u32::MAX),
            ssrc: Ssrc(1),
            payload_type: PayloadType::PCMA,
            marker: true,
        };
        let mut out = [0; 64];
        let length = header.write(b"voice", &mut out).unwrap();
        let view = PacketView::parse(&out[..length]).unwrap();
        assert_eq!((view.seq, view.time, view.ssrc), (header.seq, header.time, header.ssrc));
        assert_eq!((view.payload_type, view.marker), (header.payload_type, true));
        assert_eq!(view.payload, b"voice");
        assert_eq!(header.write(b"voice", &mut out[..16]), Err(NoRoom { needed: 17 }));
    }
}
