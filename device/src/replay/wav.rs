//! Reads a WAV file that a person hands in: mono, 16-bit or G.711, at a rate that the product converts.
//!
//! Unlike the streams that voice commands write to a pipe, a file is held to what its header says, so that a
//! recording that was cut short is not taken for a whole one.

use offhook_engine::codec::g711::Law;
use offhook_engine::rate::{Encoding, Format, FormatError};
use offhook_units::SampleRate;
use std::fmt;

/// Format tags (RFC 2361).
const PCM: u16 = 1;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
/// The tag proper stands in the extension then.
const EXTENSIBLE: u16 = 0xFFFE;
/// What programs write that do not know the length yet; the file's end counts then.
const UNKNOWN_LENGTH: u32 = u32::MAX;

/// The samples of a WAV file, and their rate.
///
/// # Errors
/// [`WavError`] with the byte at which reading stopped.
pub(super) fn read(bytes: &[u8]) -> Result<(Vec<i16>, SampleRate), WavError> {
    if bytes.get(..4) != Some(b"RIFF") || bytes.get(8..12) != Some(b"WAVE") {
        return Err(WavError { at: 0, fault: WavFault::NotWav });
    }
    let mut format = None;
    let mut at = 12;
    while let Some((head, _)) = bytes.get(at..).and_then(|rest| rest.split_first_chunk::<8>()) {
        let [a, b, c, d, length @ ..] = *head;
        let length = u32::from_le_bytes(length);
        let body = at + 8;
        let there = bytes.len() - body;
        if [a, b, c, d] == *b"data" {
            let format = format.ok_or(WavError { at, fault: WavFault::NoFormat })?;
            return samples(format, bytes, body, length);
        }
        let promised = usize::try_from(length).unwrap_or(usize::MAX);
        if promised > there {
            return Err(WavError { at, fault: WavFault::Cut { promised: length, there: there as u64 } });
        }
        if [a, b, c, d] == *b"fmt " {
            format = Some(parse_format(bytes.get(body..body + promised).unwrap_or_default(), at)?);
        }
        // Chunks begin at even bytes.
        at = body + promised + promised % 2;
    }
    let fault = if format.is_some() { WavFault::NoData } else { WavFault::NoFormat };
    Err(WavError { at: bytes.len().min(at), fault })
}

fn parse_format(chunk: &[u8], at: usize) -> Result<(Format, SampleRate), WavError> {
    let short = WavError { at, fault: WavFault::ShortFormat };
    let word = |from: usize| match chunk.get(from..from + 2) {
        Some(&[low, high]) => Ok(u16::from_le_bytes([low, high])),
        _ => Err(short.clone()),
    };
    let (tag, channels, bits) = (word(0)?, word(2)?, word(14)?);
    let rate_hz = u32::from(word(4)?) | u32::from(word(6)?) << 16;
    let tag = if tag == EXTENSIBLE { word(24)? } else { tag };
    let encoding = match tag {
        PCM => Encoding::Linear { bits },
        FLOAT => Encoding::Float,
        A_LAW => Encoding::ALaw,
        MU_LAW => Encoding::MuLaw,
        other => return Err(WavError { at, fault: WavFault::Encoding(other) }),
    };
    let format = Format { encoding, rate_hz, channels };
    let rate = format.check().map_err(|error| WavError { at, fault: WavFault::Format(error) })?;
    Ok((format, rate))
}

fn samples(
    (format, rate): (Format, SampleRate),
    bytes: &[u8],
    body: usize,
    length: u32,
) -> Result<(Vec<i16>, SampleRate), WavError> {
    let error = |fault| WavError { at: body, fault };
    let rest = bytes.get(body..).unwrap_or_default();
    let data = match (length, usize::try_from(length)) {
        (UNKNOWN_LENGTH, _) => rest,
        (_, Ok(promised)) if promised <= rest.len() => rest.get(..promised).unwrap_or_default(),
        _ => return Err(error(WavFault::Cut { promised: length, there: rest.len() as u64 })),
    };
    let samples: Vec<i16> = match format.encoding {
        Encoding::MuLaw => data.iter().map(|character| Law::Mu.decode(*character)).collect(),
        Encoding::ALaw => data.iter().map(|character| Law::A.decode(*character)).collect(),
        Encoding::Linear { .. } | Encoding::Float => {
            let (pairs, half) = data.as_chunks::<2>();
            if !half.is_empty() {
                return Err(error(WavFault::HalfSample));
            }
            pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
        }
    };
    if samples.is_empty() {
        return Err(error(WavFault::Empty));
    }
    Ok((samples, rate))
}

/// A WAV file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WavError {
    /// The byte of the file at which the fault lies.
    pub at: usize,
    /// What is wrong there.
    pub fault: WavFault,
}

/// What is wrong with a WAV file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WavFault {
    /// It does not start as one.
    NotWav,
    /// A part ends before its stated length.
    Cut {
        /// Bytes that were stated.
        promised: u32,
        /// Bytes that are there.
        there: u64,
    },
    /// The format is missing before the audio.
    NoFormat,
    /// The format is cut short.
    ShortFormat,
    /// Some compression with this tag.
    Encoding(u16),
    /// A format that cannot be taken.
    Format(FormatError),
    /// No audio.
    NoData,
    /// Half a sample too much.
    HalfSample,
    /// Audio of no length.
    Empty,
}

impl fmt::Display for WavFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWav => f.write_str("this is not a WAV file: expected RIFF and WAVE at its start"),
            Self::Cut { promised, there } => {
                write!(f, "cut short: expected {promised} bytes here, as stated, and {there} are left")
            }
            Self::NoFormat => f.write_str("expected a part \"fmt \" before the audio, and there is none"),
            Self::ShortFormat => f.write_str("the part \"fmt \" is cut short: expected 16 bytes or more"),
            Self::Encoding(tag) => write!(
                f,
                "compressed with format {tag}; expected 16-bit PCM (format 1), mu-law (7) or A-law (6)"
            ),
            Self::Format(error) => error.fmt(f),
            Self::NoData => f.write_str("expected a part \"data\" with the audio, and there is none"),
            Self::HalfSample => {
                f.write_str("the audio ends in half a sample; expected an even number of bytes")
            }
            Self::Empty => f.write_str("no audio inside; expected at least one sample"),
        }
    }
}

impl fmt::Display for WavError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.at, self.fault)
    }
}

impl std::error::Error for WavError {}

#[cfg(test)]
mod tests;
