//! Audio as services encode it, to samples. A sample that is cut between two pieces is carried over, never padded.

use std::fmt;

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
