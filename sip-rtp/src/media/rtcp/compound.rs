//! The framing of RTCP: several packets in a datagram, each with its length, checked as RFC 3550 A.2 asks.

use super::{
    report::{ReportBlock, SenderInfo, Ssrcs},
    xr::XrBlock,
};
use crate::media::wire::Reader;
use offhook_units::Ssrc;
use std::fmt;

/// Packet types (RFC 3550 12.1, RFC 3611 2).
pub(crate) const SENDER_REPORT: u8 = 200;
pub(crate) const RECEIVER_REPORT: u8 = 201;
pub(crate) const SOURCE_DESCRIPTION: u8 = 202;
pub(crate) const GOODBYE: u8 = 203;
pub(crate) const EXTENDED_REPORT: u8 = 207;

/// Why bytes are no RTCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RtcpError {
    /// Shorter than a header, or than the headers in it say.
    Short,
    /// Another version than 2, in any of the packets.
    Version,
    /// A packet type outside 192 to 223.
    Type,
    /// Padding anywhere but in the last packet, or more of it than there is.
    Padding,
    /// The body does not hold what its header promises.
    Body,
}

impl fmt::Display for RtcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "RTCP is shorter than its headers say",
            Self::Version => "RTCP version is not 2",
            Self::Type => "not an RTCP packet type",
            Self::Padding => "RTCP padding in the wrong place or longer than its packet",
            Self::Body => "an RTCP body does not hold what its header promises",
        })
    }
}

impl std::error::Error for RtcpError {}

/// A datagram of RTCP packets whose framing is sound.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a> {
    bytes: &'a [u8],
}

/// One RTCP packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RtcpPacket<'a> {
    /// What a sender sent, and its reports on others.
    SenderReport {
        /// Who reports.
        ssrc: Ssrc,
        /// What it sent.
        info: SenderInfo,
        /// What it received.
        reports: Blocks<'a>,
    },
    /// The reports of one who sends nothing.
    ReceiverReport {
        /// Who reports.
        ssrc: Ssrc,
        /// What it received.
        reports: Blocks<'a>,
    },
    /// Who the sources are; the first one's CNAME, when it has one.
    SourceDescription {
        /// The first source.
        ssrc: Ssrc,
        /// Its CNAME.
        cname: Option<&'a [u8]>,
    },
    /// These sources leave.
    Goodbye {
        /// Those that leave.
        ssrcs: Ssrcs<'a>,
    },
    /// Extended reports.
    Extended {
        /// Who reports.
        ssrc: Ssrc,
        /// The report blocks.
        blocks: XrBlocks<'a>,
    },
    /// Feedback, application-defined, or later than this file: passed over.
    Other(u8),
}

impl<'a> Compound<'a> {
    /// Checks the framing of `datagram`. A reduced-size one, which begins with neither SR nor RR, is taken
    /// (RFC 5506).
    ///
    /// # Errors
    /// [`RtcpError`] when any of its packets is malformed: the whole datagram is then to be ignored.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtcpError> {
        let mut rest = datagram;
        loop {
            let frame = Frame::split(&mut rest)?;
            if frame.padded && !rest.is_empty() {
                return Err(RtcpError::Padding);
            }
            frame.read()?;
            if rest.is_empty() {
                return Ok(Self { bytes: datagram });
            }
        }
    }

    /// Its packets, in order.
    pub fn packets(self) -> impl Iterator<Item = RtcpPacket<'a>> + use<'a> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || Frame::split(&mut rest).ok()?.read().ok())
    }
}

/// One packet's header and body.
struct Frame<'a> {
    count: u8,
    packet_type: u8,
    padded: bool,
    body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Takes the first packet off `bytes`.
    fn split(bytes: &mut &'a [u8]) -> Result<Self, RtcpError> {
        let (&[first, packet_type, high, low], rest) =
            bytes.split_first_chunk::<4>().ok_or(RtcpError::Short)?;
        if first >> 6 != 2 {
            return Err(RtcpError::Version);
        }
        if !crate::media::demux::is_rtcp_type(packet_type) {
            return Err(RtcpError::Type);
        }
        let length = usize::from(u16::from_be_bytes([high, low])) * 4;
        let (mut body, rest) = rest.split_at_checked(length).ok_or(RtcpError::Short)?;
        let padded = first & 0x20 != 0;
        if padded {
            let padding = body.last().copied().map_or(0, usize::from);
            let kept = body.len().checked_sub(padding).ok_or(RtcpError::Padding)?;
            if padding == 0 || !padding.is_multiple_of(4) {
                return Err(RtcpError::Padding);
            }
            body = body.get(..kept).ok_or(RtcpError::Padding)?;
        }
        *bytes = rest;
        Ok(Self { count: first & 0x1F, packet_type, padded, body })
    }

    fn read(&self) -> Result<RtcpPacket<'a>, RtcpError> {
        let mut body = Reader(self.body);
        let packet = match self.packet_type {
            SENDER_REPORT => self.sender_report(&mut body),
            RECEIVER_REPORT => self.receiver_report(&mut body),
            SOURCE_DESCRIPTION => self.description(body),
            GOODBYE => body
                .bytes(usize::from(self.count) * 4)
                .map(|ssrcs| RtcpPacket::Goodbye { ssrcs: Ssrcs(ssrcs) }),
            EXTENDED_REPORT => {
                body.u32().map(|ssrc| RtcpPacket::Extended { ssrc: Ssrc(ssrc), blocks: XrBlocks(body.0) })
            }
            other => Some(RtcpPacket::Other(other)),
        };
        packet.ok_or(RtcpError::Body)
    }

    fn sender_report(&self, body: &mut Reader<'a>) -> Option<RtcpPacket<'a>> {
        let ssrc = Ssrc(body.u32()?);
        let info = SenderInfo::read(body)?;
        Some(RtcpPacket::SenderReport { ssrc, info, reports: self.blocks(body)? })
    }

    fn receiver_report(&self, body: &mut Reader<'a>) -> Option<RtcpPacket<'a>> {
        let ssrc = Ssrc(body.u32()?);
        Some(RtcpPacket::ReceiverReport { ssrc, reports: self.blocks(body)? })
    }

    fn blocks(&self, body: &mut Reader<'a>) -> Option<Blocks<'a>> {
        body.bytes(usize::from(self.count) * ReportBlock::BYTES).map(Blocks)
    }

    /// The first chunk of a description; an empty description is allowed and useless (RFC 3550 6.5).
    fn description(&self, mut body: Reader<'a>) -> Option<RtcpPacket<'a>> {
        if self.count == 0 {
            return Some(RtcpPacket::Other(SOURCE_DESCRIPTION));
        }
        let ssrc = Ssrc(body.u32()?);
        let mut cname = None;
        loop {
            match body.u8()? {
                0 => return Some(RtcpPacket::SourceDescription { ssrc, cname }),
                item => {
                    let length = body.u8()?;
                    let text = body.bytes(usize::from(length))?;
                    if item == 1 {
                        cname = Some(text);
                    }
                }
            }
        }
    }
}

/// The report blocks of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks<'a>(&'a [u8]);

impl<'a> Blocks<'a> {
    /// Each block.
    pub fn iter(self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        let mut body = Reader(self.0);
        std::iter::from_fn(move || ReportBlock::read(&mut body))
    }
}

/// The blocks of an extended report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XrBlocks<'a>(&'a [u8]);

impl<'a> XrBlocks<'a> {
    /// Each block of a known type; a block that runs over the end ends the list.
    pub fn iter(self) -> impl Iterator<Item = XrBlock> + use<'a> {
        let mut body = Reader(self.0);
        std::iter::from_fn(move || XrBlock::read(&mut body)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with `count` and `packet_type` before `body`, whose length is a multiple of four.
    fn frame(count: u8, packet_type: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x80 | count, packet_type];
        bytes.extend_from_slice(&u16::try_from(body.len() / 4).unwrap().to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    fn kinds(bytes: &[u8]) -> Result<Vec<RtcpPacket<'_>>, RtcpError> {
        Compound::parse(bytes).map(|compound| compound.packets().collect())
    }

    #[test]
    fn a_compound_is_read_packet_by_packet() {
        let mut bytes = frame(0, RECEIVER_REPORT, &7_u32.to_be_bytes());
        bytes.extend(frame(1, SOURCE_DESCRIPTION, b"\0\0\0\x07\x02\x01z\x01\x03abc\0\0\0\0"));
        bytes.extend(frame(2, GOODBYE, &[0, 0, 0, 7, 0, 0, 0, 8]));
        bytes.extend(frame(3, 205, &[0; 8]));
        let packets = kinds(&bytes).unwrap();
        assert!(matches!(packets[0], RtcpPacket::ReceiverReport { ssrc: Ssrc(7), .. }));
        assert_eq!(packets[1], RtcpPacket::SourceDescription { ssrc: Ssrc(7), cname: Some(b"abc") });
        let RtcpPacket::Goodbye { ssrcs } = packets[2] else { panic!("{:?}", packets[2]) };
        assert_eq!(ssrcs.iter().collect::<Vec<_>>(), [Ssrc(7), Ssrc(8)]);
        assert_eq!(packets[3], RtcpPacket::Other(205));
    }

    #[test]
    fn reduced_size_is_taken() {
        assert_eq!(kinds(&frame(1, 206, &[0; 8])), Ok(vec![RtcpPacket::Other(206)]));
    }

    #[test]
    fn one_bad_packet_spoils_the_datagram() {
        let good = frame(0, RECEIVER_REPORT, &[0; 4]);
        let with = |tail: &[u8]| [&good[..], tail].concat();
        assert_eq!(kinds(&[]), Err(RtcpError::Short));
        assert_eq!(kinds(&with(&[0x80])), Err(RtcpError::Short));
        assert_eq!(kinds(&with(&[0x80, 201, 0, 9, 0, 0, 0, 1])), Err(RtcpError::Short));
        assert_eq!(kinds(&with(&frame(0, RECEIVER_REPORT, &[]))), Err(RtcpError::Body));
        assert_eq!(kinds(&with(&frame(31, GOODBYE, &[0; 4]))), Err(RtcpError::Body));
        assert_eq!(
            kinds(&with(&frame(1, SOURCE_DESCRIPTION, b"\0\0\0\x01\x01\xFFxx"))),
            Err(RtcpError::Body)
        );
        assert_eq!(kinds(&with(&frame(0, 100, &[0; 4]))), Err(RtcpError::Type));
        let mut wrong = with(&good);
        wrong[8] = 0x40;
        assert_eq!(kinds(&wrong), Err(RtcpError::Version));
    }

    #[test]
    fn padding_belongs_at_the_very_end() {
        let mut padded = frame(0, RECEIVER_REPORT, &[0, 0, 0, 1, 0, 0, 0, 4]);
        padded[0] |= 0x20;
        assert!(kinds(&padded).is_ok());
        assert_eq!(kinds(&[&padded[..], &frame(0, 201, &[0; 4])].concat()), Err(RtcpError::Padding));
        for count in [0, 3, 12, 255] {
            *padded.last_mut().unwrap() = count;
            assert_eq!(kinds(&padded), Err(RtcpError::Padding), "{count}");
        }
    }
}
