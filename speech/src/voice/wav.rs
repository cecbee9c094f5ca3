//! PCM as a stream of bytes, with a WAV header before it or none; and the header of a WAV file of our own.
//!
//! Reads what commands write to a pipe: the sizes in such headers are wrong (0, all ones, or a guess), and the
//! pieces end anywhere, in the middle of a sample too.

use std::fmt;

/// Audio that cannot be taken: what came and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadAudio {
    /// No RIFF header at the start.
    NotWav,
    /// A RIFF header where audio alone was expected.
    IsWav,
    /// A header that goes on and on without audio.
    HeaderTooLong,
    /// The audio came before its format, or the format was cut short.
    NoFormat,
    /// Not 16-bit linear PCM.
    Encoding {
        /// The format tag (1 is PCM).
        format: u16,
        /// Bits a sample.
        bits: u16,
    },
    /// Neither one nor two channels.
    Channels(u16),
    /// Not the rate that was configured.
    Rate {
        /// What came.
        got_hz: u32,
        /// What was expected.
        expected_hz: u32,
    },
}

impl fmt::Display for BadAudio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWav => f.write_str(
                "WAV was expected and it does not start with RIFF; if it is raw PCM, set device_output to pcm",
            ),
            Self::IsWav => f.write_str("raw PCM was expected, a WAV file came: set device_output to wav"),
            Self::HeaderTooLong => f.write_str("64 KiB of WAV header and still no audio"),
            Self::NoFormat => f.write_str("the WAV header has no format before its audio"),
            Self::Encoding { format, bits } => {
                write!(f, "16-bit PCM (format 1) was expected, format {format} with {bits} bits came")
            }
            Self::Channels(count) => write!(f, "one or two channels were expected, {count} came"),
            Self::Rate { got_hz, expected_hz } => {
                write!(
                    f,
                    "{expected_hz} Hz was expected, {got_hz} Hz came: set device_rate_hz to {got_hz}"
                )
            }
        }
    }
}

impl std::error::Error for BadAudio {}

/// Header bytes beyond which no audio is expected any more.
const HEADER_MAX: usize = 64 * 1024;

/// Turns bytes into mono samples.
#[derive(Debug)]
pub struct PcmStream {
    expected_hz: u32,
    /// Header bytes that are not understood yet; empty once audio flows.
    header: Vec<u8>,
    state: State,
    /// Bytes of a frame that is not whole yet: at most three.
    part: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    /// No header is expected, and it shows with the first bytes whether one comes all the same.
    Raw,
    /// So many channels, and so many bytes still to come (`u64::MAX` when the header does not know).
    Audio {
        channels: u16,
        left: u64,
    },
}

impl PcmStream {
    /// Raw mono PCM, 16 bits, little endian.
    pub const fn raw(rate_hz: u32) -> Self {
        Self { expected_hz: rate_hz, header: Vec::new(), state: State::Raw, part: Vec::new() }
    }

    /// A WAV file; two channels are mixed to one.
    pub const fn wav(rate_hz: u32) -> Self {
        Self { expected_hz: rate_hz, header: Vec::new(), state: State::Header, part: Vec::new() }
    }

    /// Takes the next bytes; the samples that they complete are added to `out`.
    ///
    /// # Errors
    /// [`BadAudio`]: the stream is of no use.
    pub fn put(&mut self, bytes: &[u8], out: &mut Vec<i16>) -> Result<(), BadAudio> {
        if let State::Audio { .. } = self.state {
            self.audio(bytes, out);
            return Ok(());
        }
        self.header.extend_from_slice(bytes);
        if self.state == State::Raw {
            match (starts_as_wav(&self.header), self.header.len()) {
                (true, 12..) => return Err(BadAudio::IsWav),
                (true, _) => return Ok(()),
                (false, _) => {}
            }
            self.state = State::Audio { channels: 1, left: u64::MAX };
            let audio = std::mem::take(&mut self.header);
            self.audio(&audio, out);
        } else if let Some((audio_at, state)) = parse_header(&self.header, self.expected_hz)? {
            self.state = state;
            let header = std::mem::take(&mut self.header);
            self.audio(header.get(audio_at..).unwrap_or_default(), out);
        } else if self.header.len() > HEADER_MAX {
            return Err(BadAudio::HeaderTooLong);
        }
        Ok(())
    }

    fn audio(&mut self, bytes: &[u8], out: &mut Vec<i16>) {
        let State::Audio { channels, left } = &mut self.state else { return };
        let take = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
        if *left != u64::MAX {
            *left -= take as u64;
        }
        let frame = if *channels == 2 { 4 } else { 2 };
        for &byte in bytes.get(..take).unwrap_or_default() {
            self.part.push(byte);
            if self.part.len() == frame {
                out.push(mono(&self.part));
                self.part.clear();
            }
        }
    }
}

/// One frame as one sample.
fn mono(frame: &[u8]) -> i16 {
    match *frame {
        [a, b, c, d] => {
            let sum = i32::from(i16::from_le_bytes([a, b])) + i32::from(i16::from_le_bytes([c, d]));
            (sum / 2) as i16
        }
        [a, b] => i16::from_le_bytes([a, b]),
        _ => 0,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

/// Whether a WAV file starts like this, as far as it goes.
fn starts_as_wav(bytes: &[u8]) -> bool {
    let starts_right = |magic: &[u8], at: usize| {
        let got = bytes.get(at..).unwrap_or_default();
        got.iter().zip(magic).all(|(a, b)| a == b)
    };
    starts_right(b"RIFF", 0) && starts_right(b"WAVE", 8)
}

/// Where the audio starts and what it is; `None` while the header is not whole.
fn parse_header(bytes: &[u8], expected_hz: u32) -> Result<Option<(usize, State)>, BadAudio> {
    if !starts_as_wav(bytes) {
        return Err(BadAudio::NotWav);
    }
    let mut at = 12;
    let mut channels = None;
    while let (Some(name), Some(size)) = (bytes.get(at..at + 4), u32_at(bytes, at + 4)) {
        let body = at + 8;
        match name {
            b"data" => {
                let channels = channels.ok_or(BadAudio::NoFormat)?;
                // Writers to a pipe do not know the size: 0, all ones, or espeak-ng's 0x7FFFF000.
                let left = if size == 0 || size >= 0x7FFF_0000 { u64::MAX } else { u64::from(size) };
                return Ok(Some((body, State::Audio { channels, left })));
            }
            b"fmt " if bytes.len() >= body + 16 => {
                channels = Some(check_format(bytes, body, size, expected_hz)?)
            }
            _ => {}
        }
        // Chunks are padded to even sizes.
        at = body.saturating_add(size as usize).saturating_add((size & 1) as usize);
        if at > HEADER_MAX {
            return Err(BadAudio::HeaderTooLong);
        }
    }
    Ok(None)
}

/// The number of channels, when the rest is as it must be.
fn check_format(bytes: &[u8], body: usize, size: u32, expected_hz: u32) -> Result<u16, BadAudio> {
    const PCM: u16 = 1;
    const EXTENSIBLE: u16 = 0xFFFE; // its real format is the first half of the sub-format, 24 bytes in
    let field = |at| u16_at(bytes, body + at).ok_or(BadAudio::NoFormat);
    if size < 16 {
        return Err(BadAudio::NoFormat);
    }
    let (mut format, channels, bits) = (field(0)?, field(2)?, field(14)?);
    if format == EXTENSIBLE && size >= 26 {
        format = u16_at(bytes, body + 24).unwrap_or(PCM);
    }
    if format != PCM || bits != 16 {
        return Err(BadAudio::Encoding { format, bits });
    }
    if !matches!(channels, 1 | 2) {
        return Err(BadAudio::Channels(channels));
    }
    match u32_at(bytes, body + 4) {
        Some(hz) if hz == expected_hz => Ok(channels),
        Some(got_hz) => Err(BadAudio::Rate { got_hz, expected_hz }),
        None => Err(BadAudio::NoFormat),
    }
}

/// The 44 bytes before `frames` mono 16-bit samples in a WAV file.
pub fn header(rate_hz: u32, frames: u32) -> [u8; 44] {
    let data = frames.saturating_mul(2);
    let mut bytes = [0; 44];
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &data.saturating_add(36).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16u32.to_le_bytes(),
        &1u16.to_le_bytes(),
        &1u16.to_le_bytes(),
        &rate_hz.to_le_bytes(),
        &rate_hz.saturating_mul(2).to_le_bytes(),
        &2u16.to_le_bytes(),
        &16u16.to_le_bytes(),
        b"data",
        &data.to_le_bytes(),
    ];
    for (to, from) in bytes.iter_mut().zip(fields.into_iter().flatten()) {
        *to = *from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(rate_hz: u32, samples: &[i16]) -> Vec<u8> {
        let mut bytes = header(rate_hz, samples.len() as u32).to_vec();
        bytes.extend(samples.iter().flat_map(|x| x.to_le_bytes()));
        bytes
    }

    fn read(mut stream: PcmStream, bytes: &[u8], piece: usize) -> Result<Vec<i16>, BadAudio> {
        let mut out = Vec::new();
        for piece in bytes.chunks(piece) {
            stream.put(piece, &mut out)?;
        }
        Ok(out)
    }

    #[test]
    fn our_own_files_come_back_whatever_the_pieces() {
        let samples: Vec<i16> = (-500..500).map(|x| x * 60).collect();
        for piece in [1, 2, 3, 7, 44, 45, 4096] {
            assert_eq!(read(PcmStream::wav(16_000), &file(16_000, &samples), piece).as_ref(), Ok(&samples));
            let raw: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
            assert_eq!(read(PcmStream::raw(16_000), &raw, piece).as_ref(), Ok(&samples));
        }
    }

    #[test]
    fn sizes_that_a_pipe_cannot_know_mean_until_the_end() {
        for size in [0, u32::MAX, 0x7FFF_F000] {
            let mut bytes = file(22_050, &[1, 2, 3]);
            bytes[40..44].copy_from_slice(&size.to_le_bytes());
            assert_eq!(read(PcmStream::wav(22_050), &bytes, 5), Ok(vec![1, 2, 3]));
        }
        let mut tail = file(22_050, &[1, 2, 3]);
        tail.extend(b"LIST\x04\0\0\0abcd");
        assert_eq!(
            read(PcmStream::wav(22_050), &tail, 5),
            Ok(vec![1, 2, 3]),
            "what follows the audio is no audio"
        );
    }

    #[test]
    fn odd_chunks_before_the_audio_are_skipped_and_two_channels_are_mixed() {
        let mut bytes = file(8_000, &[100, 300, -5, -7]);
        bytes[22] = 2;
        let odd = b"LIST\x03\0\0\0abc\0";
        bytes.splice(12..12, odd.iter().copied());
        assert_eq!(read(PcmStream::wav(8_000), &bytes, 9), Ok(vec![200, -6]));
    }

    #[test]
    fn what_it_cannot_take_is_named() {
        let good = file(16_000, &[1]);
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            read(PcmStream::wav(16_000), &bytes, 4096)
        };
        assert_eq!(with(0, b'X'), Err(BadAudio::NotWav));
        assert_eq!(with(20, 3), Err(BadAudio::Encoding { format: 3, bits: 16 }));
        assert_eq!(with(34, 8), Err(BadAudio::Encoding { format: 1, bits: 8 }));
        assert_eq!(with(22, 6), Err(BadAudio::Channels(6)));
        assert_eq!(with(12, b'x'), Err(BadAudio::NoFormat));
        let rate = read(PcmStream::wav(22_050), &good, 4096).unwrap_err();
        assert_eq!(rate, BadAudio::Rate { got_hz: 16_000, expected_hz: 22_050 });
        assert!(rate.to_string().ends_with("set device_rate_hz to 16000"));
        let mut endless = good[..36].to_vec();
        endless.extend(b"junk\xFF\xFF\xFF\x7F");
        assert_eq!(read(PcmStream::wav(16_000), &endless, 8), Err(BadAudio::HeaderTooLong));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_grow(mut bytes in prop::collection::vec(any::<u8>(), 0..400), piece in 1usize..50, riff: bool) {
            if riff {
                bytes.splice(0..0, header(16_000, 9)[..36].iter().copied());
            }
            let mut stream = PcmStream::wav(16_000);
            let mut out = Vec::new();
            for piece in bytes.chunks(piece) {
                if stream.put(piece, &mut out).is_err() { break; }
                prop_assert!(stream.header.len() <= HEADER_MAX + 50 && stream.part.len() < 4);
            }
            prop_assert!(out.len() * 2 <= bytes.len());
        }
    }
}
