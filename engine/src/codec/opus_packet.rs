//! Real-time: no allocation, no lock, no syscall, no panic, no log.
//!
//! What an Opus packet says of itself before anything is decoded: how long it is, whether its frames fit
//! (RFC 6716 3), and whether it carries the packet before it once more (its in-band FEC, "LBRR").

use std::fmt;

/// The most audio that one packet may hold, 120 ms at 48 kHz (RFC 6716 3.2.5).
pub(super) const MAX_FRAMES: usize = 5760;
/// The longest compressed frame in bytes (RFC 6716 3.4, R2).
const MAX_FRAME_BYTES: usize = 1275;

/// A packet whose frames are known to lie inside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpusPacket<'a> {
    toc: u8,
    frame_count: usize,
    first_frame: &'a [u8],
    /// No frame has any bytes: the far end's transmission has stopped (DTX).
    pub(super) is_empty: bool,
}

/// Which rule of RFC 6716 3.4 a packet breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackingError {
    /// R1: there is not even the first byte.
    NoToc,
    /// R2: a frame is longer than 1275 bytes.
    FrameTooLong,
    /// R3: two equal frames out of an odd number of bytes.
    OddPair,
    /// R4, R7: a frame's length is missing or points beyond the packet.
    Truncated,
    /// R5: no frame, or more than 120 ms of them.
    FrameCount,
    /// R6: the rest does not divide into frames of equal length.
    UnevenFrames,
    /// R6, R7: padding longer than the packet.
    Padding,
}

impl fmt::Display for PackingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoToc => "has no TOC byte (RFC 6716 3.4, R1)",
            Self::FrameTooLong => "has a frame over 1275 bytes (R2)",
            Self::OddPair => "splits an odd number of bytes into two equal frames (R3)",
            Self::Truncated => "ends before its frames do (R4, R7)",
            Self::FrameCount => "holds no frame or more than 120 ms (R5)",
            Self::UnevenFrames => "does not divide into equal frames (R6)",
            Self::Padding => "has more padding than bytes (R6, R7)",
        })
    }
}

impl<'a> OpusPacket<'a> {
    pub(super) fn parse(payload: &'a [u8]) -> Result<Self, PackingError> {
        let (&toc, body) = payload.split_first().ok_or(PackingError::NoToc)?;
        let (frame_count, first_frame, is_empty) = match toc & 0x03 {
            0 => (1, body, body.is_empty()),
            1 => {
                let (first, rest) = body.split_at(body.len() / 2);
                if first.len() != rest.len() {
                    return Err(PackingError::OddPair);
                }
                (2, first, body.is_empty())
            }
            2 => {
                let (length, rest) = frame_length(body)?;
                let (first, second) = rest.split_at_checked(length).ok_or(PackingError::Truncated)?;
                if second.len() > MAX_FRAME_BYTES {
                    return Err(PackingError::FrameTooLong);
                }
                (2, first, rest.is_empty())
            }
            _ => many_frames(body)?,
        };
        if first_frame.len() > MAX_FRAME_BYTES {
            return Err(PackingError::FrameTooLong);
        }
        if frame_count * frame_samples(toc) > MAX_FRAMES {
            return Err(PackingError::FrameCount);
        }
        Ok(Self { toc, frame_count, first_frame, is_empty })
    }

    /// Length of one frame at 48 kHz.
    pub(super) const fn frame(&self) -> usize {
        frame_samples(self.toc)
    }

    /// Length of the packet at 48 kHz.
    pub(super) const fn frames(&self) -> usize {
        self.frame_count * self.frame()
    }

    /// Whether the first frame repeats the end of the packet before, at lower quality. The SILK layer begins
    /// with one voice activity bit for each of its 20 ms (or 10 ms) frames and the LBRR bit, once for each
    /// channel (RFC 6716 4.2.3); coded with equal odds, they are simply the first bits of the frame.
    pub(super) fn has_fec(&self) -> bool {
        if self.toc & 0x80 != 0 {
            return false; // CELT alone
        }
        let [head, _, ..] = *self.first_frame else { return false };
        let activity_bits = self.frame().div_ceil(960).max(1);
        let mid = head << activity_bits & 0x80 != 0;
        let is_stereo = self.toc & 0x04 != 0;
        mid || is_stereo && head << (2 * activity_bits + 1) & 0x80 != 0
    }
}

/// Length of one frame at 48 kHz, by configuration number (RFC 6716 3.1, table 2).
const fn frame_samples(toc: u8) -> usize {
    let configuration = toc >> 3;
    let step = configuration & 3;
    match configuration {
        0..12 => match step {
            0 => 480,
            1 => 960,
            2 => 1920,
            _ => 2880,
        },
        12..16 => 480 << (step & 1),
        _ => 120 << step,
    }
}

/// Code 3: a count, perhaps padding, perhaps lengths (RFC 6716 3.2.5). The count, the first frame, and
/// whether all frames are empty.
fn many_frames(body: &[u8]) -> Result<(usize, &[u8], bool), PackingError> {
    let (&head, mut rest) = body.split_first().ok_or(PackingError::Truncated)?;
    let count = usize::from(head & 0x3F);
    if count == 0 {
        return Err(PackingError::FrameCount);
    }
    if head & 0x40 != 0 {
        rest = without_padding(rest)?;
    }
    if head & 0x80 == 0 {
        if !rest.len().is_multiple_of(count) {
            return Err(PackingError::UnevenFrames);
        }
        let (first, _) = rest.split_at(rest.len() / count);
        return Ok((count, first, rest.is_empty()));
    }
    let (mut first_length, mut sum) = (None, 0);
    for _ in 1..count {
        let (length, after) = frame_length(rest)?;
        first_length = first_length.or(Some(length));
        sum += length;
        rest = after;
    }
    let last = rest.len().checked_sub(sum).ok_or(PackingError::Truncated)?;
    if last > MAX_FRAME_BYTES {
        return Err(PackingError::FrameTooLong);
    }
    let (first, _) = rest.split_at_checked(first_length.unwrap_or(last)).ok_or(PackingError::Truncated)?;
    Ok((count, first, rest.is_empty()))
}

/// Takes the padding's length bytes from the front and the padding from the back. 255 means 254 and go on.
fn without_padding(mut rest: &[u8]) -> Result<&[u8], PackingError> {
    let mut padding = 0;
    loop {
        let (&byte, after) = rest.split_first().ok_or(PackingError::Padding)?;
        rest = after;
        if byte < 255 {
            padding += usize::from(byte);
            break;
        }
        padding += 254;
    }
    let kept = rest.len().checked_sub(padding).ok_or(PackingError::Padding)?;
    Ok(rest.split_at(kept).0)
}

/// A frame's length in one or two bytes, and what follows (RFC 6716 3.2.1).
fn frame_length(bytes: &[u8]) -> Result<(usize, &[u8]), PackingError> {
    match *bytes {
        [short @ 0..252, ref rest @ ..] => Ok((usize::from(short), rest)),
        [low, high, ref rest @ ..] => Ok((usize::from(low) + 4 * usize::from(high), rest)),
        _ => Err(PackingError::Truncated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_32_configurations_have_the_length_of_table_2() {
        let silk = [10.0, 20.0, 40.0, 60.0];
        let celt = [2.5, 5.0, 10.0, 20.0];
        for configuration in 0..32_u8 {
            let ms = match configuration {
                0..12 => silk[usize::from(configuration % 4)],
                12..16 => silk[usize::from(configuration % 2)],
                _ => celt[usize::from(configuration % 4)],
            };
            let packet = [configuration << 3, 0, 0];
            let parsed = OpusPacket::parse(&packet).expect("one frame");
            assert_eq!(parsed.frames() as f64, ms * 48.0, "configuration {configuration}");
        }
    }

    #[test]
    fn each_rule_has_its_own_refusal() {
        let refusal = |packet: &[u8]| OpusPacket::parse(packet).expect_err("must be refused");
        assert_eq!(refusal(&[]), PackingError::NoToc);
        assert_eq!(refusal(&[0; 1277]), PackingError::FrameTooLong);
        assert_eq!(refusal(&[0x01, 1, 2, 3]), PackingError::OddPair);
        assert_eq!(refusal(&[0x02]), PackingError::Truncated);
        assert_eq!(refusal(&[0x02, 5, 1, 2]), PackingError::Truncated);
        assert_eq!(refusal(&[0x02, 252]), PackingError::Truncated);
        assert_eq!(refusal(&[0x03]), PackingError::Truncated);
        assert_eq!(refusal(&[0x03, 0]), PackingError::FrameCount);
        assert_eq!(refusal(&[0xFB, 7, 0, 0, 0, 0, 0, 0, 0]), PackingError::FrameCount, "140 ms");
        assert_eq!(refusal(&[0x03, 2, 1, 2, 3]), PackingError::UnevenFrames);
        assert_eq!(refusal(&[0x03, 0x41, 9, 1, 2]), PackingError::Padding);
        assert_eq!(refusal(&[0x03, 0x41, 255]), PackingError::Padding);
        assert_eq!(refusal(&[0x03, 0x82, 3, 1, 2]), PackingError::Truncated);
    }

    #[test]
    fn frames_are_found_in_every_packing() {
        let parts = |packet| {
            OpusPacket::parse(packet).map(|p: OpusPacket<'_>| (p.frame_count, p.first_frame.to_vec()))
        };
        assert_eq!(parts(&[0x00, 1, 2]), Ok((1, vec![1, 2])));
        assert_eq!(parts(&[0x01, 1, 2, 3, 4]), Ok((2, vec![1, 2])));
        assert_eq!(parts(&[0x02, 1, 7, 8, 9]), Ok((2, vec![7])));
        assert_eq!(parts(&[0x03, 3, 1, 2, 3]), Ok((3, vec![1])));
        assert_eq!(parts(&[0x03, 0x41, 2, 5, 0, 0]), Ok((1, vec![5])));
        assert_eq!(parts(&[0x03, 0xC2, 1, 2, 7, 8, 9, 0]), Ok((2, vec![7, 8])));
        assert_eq!(parts(&[0x03, 0x81, 7, 8]), Ok((1, vec![7, 8])));
        let mut long = vec![0x02, 253, 1];
        long.extend([6; 257 + 3]);
        assert_eq!(parts(&long), Ok((2, vec![6; 257])));
    }

    #[test]
    fn an_empty_packet_is_told_from_an_empty_frame() {
        let is_empty = |packet| OpusPacket::parse(packet).map(|p: OpusPacket<'_>| p.is_empty);
        assert_eq!(is_empty(&[0x08]), Ok(true));
        assert_eq!(is_empty(&[0x0B, 0x43, 1, 0]), Ok(true), "three empty frames and padding");
        assert_eq!(is_empty(&[0x0A, 0, 9]), Ok(false));
        assert_eq!(is_empty(&[0x08, 9]), Ok(false));
    }

    #[test]
    fn the_fec_bit_follows_the_activity_bits_of_each_channel() {
        let has_fec = |toc: u8, head: u8| OpusPacket::parse(&[toc, head, 0]).map(|p| p.has_fec());
        let (silk_20, silk_60, hybrid_20, celt_20) = (1 << 3, 3 << 3, 15 << 3, 31 << 3);
        assert_eq!(has_fec(silk_20, 0b1011_1111), Ok(false));
        assert_eq!(has_fec(silk_20, 0b0100_0000), Ok(true));
        assert_eq!(has_fec(silk_60, 0b1110_1111), Ok(false));
        assert_eq!(has_fec(silk_60, 0b0001_0000), Ok(true));
        assert_eq!(has_fec(hybrid_20, 0b0100_0000), Ok(true));
        assert_eq!(has_fec(celt_20, 0b0100_0000), Ok(false));
        let stereo = 0x04;
        assert_eq!(has_fec(silk_20 | stereo, 0b1010_1111), Ok(false));
        assert_eq!(has_fec(silk_20 | stereo, 0b0001_0000), Ok(true));
        assert_eq!(has_fec(silk_60 | stereo, 0b0000_0001), Ok(true));
        assert_eq!(has_fec(silk_60 | stereo, 0b1110_1110), Ok(false));
    }
}
