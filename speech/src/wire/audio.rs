//! Audio as services encode it, to samples. A sample that is cut between two pieces is carried over, never padded.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use std::fmt;

/// As it is written to services; of what comes the padding is not asked for, since some leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of a message in base64. A piece that is none is left out, like one that was lost on the way.
pub fn from_base64(text: &str) -> Vec<u8> {
    BASE64.decode(text).unwrap_or_default()
}

/// Bytes as base64.
pub fn to_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// How a service's audio is encoded; always one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AudioFormat {
    /// G.711 µ-law at 8 kHz.
    Mulaw8k,
    /// Signed 16-bit little-endian samples.
    Pcm16 {
        /// Samples a second.
        rate_hz: u32,
    },
}

impl AudioFormat {
    /// Samples a second.
    pub const fn rate_hz(self) -> u32 {
        match self {
            Self::Mulaw8k => 8_000,
            Self::Pcm16 { rate_hz } => rate_hz,
        }
    }
}

impl fmt::Display for AudioFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mulaw8k => f.write_str("µ-law 8000 Hz"),
            Self::Pcm16 { rate_hz } => write!(f, "PCM16 {rate_hz} Hz"),
        }
    }
}

/// Decodes one stream. A new one for each turn: nothing of one turn gets into the next.
#[derive(Clone, Debug)]
pub struct AudioDecoder {
    format: AudioFormat,
    carried: Option<u8>,
}

impl AudioDecoder {
    /// At the start of a stream.
    pub const fn new(format: AudioFormat) -> Self {
        Self { format, carried: None }
    }

    /// Samples a second of what comes out.
    pub const fn rate_hz(&self) -> u32 {
        self.format.rate_hz()
    }

    /// The samples that `bytes` complete, appended to `samples`.
    pub fn put(&mut self, bytes: &[u8], samples: &mut Vec<i16>) {
        if self.format == AudioFormat::Mulaw8k {
            samples.extend(bytes.iter().map(|&code| mulaw(code)));
            return;
        }
        let mut rest = bytes;
        if let (Some(low), Some((&high, after))) = (self.carried, bytes.split_first()) {
            samples.push(i16::from_le_bytes([low, high]));
            self.carried = None;
            rest = after;
        }
        let pairs = rest.chunks_exact(2);
        if let [odd] = pairs.remainder() {
            self.carried = Some(*odd);
        }
        samples.extend(pairs.filter_map(|pair| Some(i16::from_le_bytes([*pair.first()?, *pair.get(1)?]))));
    }
}

/// G.711 table 2a: a sign, three bits of segment, four of step, all inverted; biased by 33 in 14 bits.
const fn mulaw(code: u8) -> i16 {
    let code = !code;
    let magnitude = ((((code & 0x0F) as i16) << 3) + 0x84) << ((code >> 4) & 7);
    if code & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}

/// Samples as G.711 µ-law (table 2a, encoder).
pub fn to_mulaw(samples: &[i16]) -> Vec<u8> {
    samples.iter().map(|&sample| mulaw_of(sample)).collect()
}

fn mulaw_of(sample: i16) -> u8 {
    let magnitude = sample.unsigned_abs().min(32_635) + 132;
    // The leading one of 132 to 32,767 is bit 7 at the least.
    let segment = 8 - magnitude.leading_zeros();
    let step = (magnitude >> (segment + 3)) & 0x0F;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (segment as u8) << 4 | step as u8)
}

/// Samples as the little-endian bytes that services take.
pub fn to_bytes(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mulaw_has_the_values_of_its_table() {
        // G.711 table 2a, decoder output in 14 bits, times four: ends of some segments.
        for (code, value) in
            [(0x00, -32_124), (0x80, 32_124), (0x7F, 0), (0xFF, 0), (0xFE, 8), (0xF0, 120), (0xEF, 132)]
        {
            assert_eq!(mulaw(code), value, "{code:#x}");
        }
        assert!((0..=127).all(|code: u8| mulaw(code) == -mulaw(code | 0x80)));
    }

    #[test]
    fn what_is_encoded_as_mulaw_is_the_nearest_value_of_its_table() {
        for code in 0..=255u8 {
            // There are two zeros.
            let wanted = if code == 0x7F { 0xFF } else { code };
            assert_eq!(to_mulaw(&[mulaw(code)]), [wanted], "{code:#x}");
        }
        for sample in i16::MIN..=i16::MAX {
            let back = i32::from(mulaw(mulaw_of(sample)));
            let error = (back - i32::from(sample)).abs();
            // Half of the step of its segment, and what lies beyond the last value.
            let step = 8 << (8 - (sample.unsigned_abs().min(32_635) + 132).leading_zeros());
            assert!(error <= step / 2 || sample.unsigned_abs() > 32_635, "{sample}: {back}");
        }
    }

    proptest! {
        #[test]
        fn pitfall_08_odd_cuts_change_no_sample(samples in prop::collection::vec(any::<i16>(), 0..60), cuts in prop::collection::vec(1usize..9, 1..40)) {
            let bytes = to_bytes(&samples);
            let (mut decoder, mut out) = (AudioDecoder::new(AudioFormat::Pcm16 { rate_hz: 16_000 }), Vec::new());
            let mut rest = &bytes[..];
            for cut in cuts.into_iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (part, after) = rest.split_at(cut.min(rest.len()));
                decoder.put(part, &mut out);
                decoder.put(&[], &mut out);
                rest = after;
            }
            prop_assert_eq!(out, samples);
        }
    }

    #[test]
    fn pitfall_08_the_odd_byte_of_one_turn_does_not_reach_the_next() {
        let format = AudioFormat::Pcm16 { rate_hz: 8_000 };
        let mut out = Vec::new();
        AudioDecoder::new(format).put(&[1, 0, 9], &mut out);
        AudioDecoder::new(format).put(&[2, 0], &mut out);
        assert_eq!(out, [1, 2]);
    }
}
