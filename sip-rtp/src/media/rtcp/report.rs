//! The parts of sender and receiver reports (RFC 3550 6.4), and names (6.5.1).

use super::ntp::NtpTime;
use crate::media::{
    packet::NoRoom,
    wire::{Reader, Writer},
};
use offhook_units::{RtpTime, Ssrc};

/// What a source sent so far (RFC 3550 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// When this was written.
    pub ntp: NtpTime,
    /// The same instant on the media clock.
    pub time: RtpTime,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub bytes: u32,
}

impl SenderInfo {
    pub(crate) fn read(body: &mut Reader<'_>) -> Option<Self> {
        let ntp = NtpTime(body.u64()?);
        Some(Self { ntp, time: RtpTime(body.u32()?), packets: body.u32()?, bytes: body.u32()? })
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Result<(), NoRoom> {
        out.u64(self.ntp.0)?;
        out.u32(self.time.0)?;
        out.u32(self.packets)?;
        out.u32(self.bytes)
    }
}

/// One source's reception, as another saw it (RFC 3550 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportBlock {
    /// Whose packets this is about.
    pub ssrc: Ssrc,
    /// Share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning, 24 bits with sign.
    pub lost: i32,
    /// Highest sequence number with its wraps.
    pub highest: u32,
    /// Inter-arrival jitter in RTP units.
    pub jitter: u32,
    /// Middle of the NTP time of the last sender report from that source, 0 if none came.
    pub last_report: u32,
    /// How long ago that was, in 1/65536 s.
    pub delay_since: u32,
}

impl ReportBlock {
    /// Size on the wire.
    pub const BYTES: usize = 24;

    pub(crate) fn read(body: &mut Reader<'_>) -> Option<Self> {
        let ssrc = Ssrc(body.u32()?);
        let loss = body.u32()?;
        Some(Self {
            ssrc,
            fraction_lost: (loss >> 24) as u8,
            // The shift up and down again spreads the 24-bit number's sign.
            lost: ((loss << 8) as i32) >> 8,
            highest: body.u32()?,
            jitter: body.u32()?,
            last_report: body.u32()?,
            delay_since: body.u32()?,
        })
    }

    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Result<(), NoRoom> {
        let lost = self.lost.clamp(-0x80_0000, 0x7F_FFFF) as u32 & 0xFF_FFFF;
        out.u32(self.ssrc.0)?;
        out.u32(u32::from(self.fraction_lost) << 24 | lost)?;
        out.u32(self.highest)?;
        out.u32(self.jitter)?;
        out.u32(self.last_report)?;
        out.u32(self.delay_since)
    }
}

/// The sources of a goodbye.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssrcs<'a>(pub(crate) &'a [u8]);

impl<'a> Ssrcs<'a> {
    /// Each source.
    pub fn iter(self) -> impl Iterator<Item = Ssrc> + use<'a> {
        let mut body = Reader(self.0);
        std::iter::from_fn(move || body.u32().map(Ssrc))
    }
}

/// A canonical name, 16 random letters that change with each call (RFC 7022 section 4.2), so that it tells
/// nothing of the device or its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cname([u8; 16]);

impl Cname {
    /// A name from 96 random bits, six to a letter.
    pub fn from_bits(high: u64, low: u64) -> Self {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let bits = u128::from(high) << 64 | u128::from(low);
        let mut name = [b'A'; 16];
        for (n, letter) in name.iter_mut().enumerate() {
            let six = (bits >> (6 * n)) as usize % LETTERS.len();
            *letter = LETTERS.get(six).copied().unwrap_or(b'A');
        }
        Self(name)
    }

    /// The letters.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_block_is_laid_out_as_the_rfc_draws_it() {
        let block = ReportBlock {
            ssrc: Ssrc(0x0102_0304),
            fraction_lost: 0x80,
            lost: -2,
            highest: 0x0001_FFFF,
            jitter: 9,
            last_report: 0xAABB_CCDD,
            delay_since: 0x0001_0000,
        };
        let mut bytes = [0; ReportBlock::BYTES];
        block.write(&mut Writer::new(&mut bytes)).unwrap();
        assert_eq!(bytes[..12], [1, 2, 3, 4, 0x80, 0xFF, 0xFF, 0xFE, 0, 1, 0xFF, 0xFF]);
        assert_eq!(ReportBlock::read(&mut Reader(&bytes)), Some(block));
    }

    #[test]
    fn losses_beyond_24_bits_are_clamped() {
        for (lost, expected) in [(i32::MAX, 0x7F_FFFF), (i32::MIN, -0x80_0000)] {
            let block = ReportBlock {
                ssrc: Ssrc(1),
                fraction_lost: 255,
                lost,
                highest: 0,
                jitter: 0,
                last_report: 0,
                delay_since: 0,
            };
            let mut bytes = [0; ReportBlock::BYTES];
            block.write(&mut Writer::new(&mut bytes)).unwrap();
            let read = ReportBlock::read(&mut Reader(&bytes)).unwrap();
            assert_eq!((read.lost, read.fraction_lost), (expected, 255));
        }
    }

    #[test]
    fn names_are_sixteen_letters_that_follow_their_bits() {
        let name = Cname::from_bits(0, 1);
        assert_eq!(name.as_bytes(), b"BAAAAAAAAAAAAAAA");
        assert_ne!(Cname::from_bits(1, 2), Cname::from_bits(2, 1));
    }
}
