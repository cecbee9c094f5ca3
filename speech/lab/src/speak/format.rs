//! The formats in which audio goes out and comes in: 16-bit little-endian PCM, or G.711 (ITU-T G.711, 1988).
//! The codes are worked out here from the standard's segments and not shared with the product, which the lab
//! is there to check.

use offhook_units::SampleRate;

/// How a sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// 16-bit little-endian PCM.
    Pcm,
    /// G.711 µ-law.
    Mulaw,
    /// G.711 A-law.
    Alaw,
}

/// An encoding at a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(crate) encoding: Encoding,
    pub(crate) rate_hz: u32,
}

impl Format {
    pub(crate) const PCM_16K: Self = Self { encoding: Encoding::Pcm, rate_hz: 16_000 };
    pub(crate) const MULAW_8K: Self = Self { encoding: Encoding::Mulaw, rate_hz: 8_000 };
    pub(crate) const ALAW_8K: Self = Self { encoding: Encoding::Alaw, rate_hz: 8_000 };

    /// ElevenLabs' names. The compressed ones (mp3, opus) are not made here.
    pub(crate) fn by_elevenlabs(name: &str) -> Option<Self> {
        match name {
            "ulaw_8000" => Some(Self::MULAW_8K),
            "alaw_8000" => Some(Self::ALAW_8K),
            _ => {
                let hz: u32 = name.strip_prefix("pcm_")?.parse().ok()?;
                let known = [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000].contains(&hz);
                known.then_some(Self { encoding: Encoding::Pcm, rate_hz: hz })
            }
        }
    }

    /// Deepgram's names, with the rate beside them.
    pub(crate) fn by_deepgram(encoding: &str, rate_hz: u32) -> Option<Self> {
        let encoding = match encoding {
            "linear16" => Encoding::Pcm,
            "mulaw" => Encoding::Mulaw,
            "alaw" => Encoding::Alaw,
            _ => return None,
        };
        SampleRate::new(rate_hz).filter(|rate| rate.hz() >= 8_000 && rate.hz() <= 48_000)?;
        Some(Self { encoding, rate_hz })
    }

    pub(crate) const fn bytes_per_sample(self) -> usize {
        match self.encoding {
            Encoding::Pcm => 2,
            Encoding::Mulaw | Encoding::Alaw => 1,
        }
    }

    /// How long `bytes` last, in microseconds.
    pub(crate) const fn us_of(self, bytes: usize) -> u64 {
        bytes as u64 * 1_000_000 / (self.bytes_per_sample() as u64 * self.rate_hz as u64)
    }

    /// Bytes of `ms` milliseconds, whole samples.
    pub(crate) const fn bytes_of_ms(self, ms: u64) -> usize {
        (self.rate_hz as u64 * ms / 1000) as usize * self.bytes_per_sample()
    }

    pub(crate) fn encode(self, samples: &[i16]) -> Vec<u8> {
        match self.encoding {
            Encoding::Pcm => samples.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
            Encoding::Mulaw => samples.iter().map(|&sample| to_mulaw(sample)).collect(),
            Encoding::Alaw => samples.iter().map(|&sample| to_alaw(sample)).collect(),
        }
    }

    /// The samples in `bytes`; the caller keeps an odd byte back.
    pub(crate) fn decode(self, bytes: &[u8]) -> Vec<i16> {
        match self.encoding {
            Encoding::Pcm => bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect(),
            Encoding::Mulaw => bytes.iter().map(|&code| from_mulaw(code)).collect(),
            Encoding::Alaw => bytes.iter().map(|&code| from_alaw(code)).collect(),
        }
    }
}

/// Table 2a: 8 segments of 16 steps, each segment twice as steep; 33 is the bias of the 14-bit scale.
fn to_mulaw(sample: i16) -> u8 {
    let magnitude = (i32::from(sample).abs() >> 2).min(8158) + 33;
    let segment = 31 - (magnitude as u32).leading_zeros() - 5;
    let step = (magnitude >> (segment + 1)) & 15;
    let sign = if sample < 0 { 0 } else { 0x80 };
    sign | (!((segment as u8) << 4 | step as u8) & 0x7F)
}

fn from_mulaw(code: u8) -> i16 {
    let bits = !code;
    let (segment, step) = (u32::from(bits >> 4 & 7), i32::from(bits & 15));
    let magnitude = (((2 * step + 33) << segment) - 33) << 2;
    if bits & 0x80 == 0 { magnitude as i16 } else { -magnitude as i16 }
}

/// Table 1a: the first segment is linear and as fine as the second; even bits are inverted.
fn to_alaw(sample: i16) -> u8 {
    // 13-bit scale; the magnitude of a negative value counts from -1.
    let wide = i32::from(sample) >> 3;
    let (sign, magnitude) = if wide < 0 { (0, -wide - 1) } else { (0x80, wide) };
    let code = if magnitude < 32 {
        magnitude >> 1
    } else {
        let segment = 31 - (magnitude as u32).leading_zeros() as i32 - 4;
        segment << 4 | (magnitude >> segment & 15)
    };
    (sign | code as u8) ^ 0x55
}

fn from_alaw(code: u8) -> i16 {
    let bits = code ^ 0x55;
    let (segment, step) = (i32::from(bits >> 4 & 7), i32::from(bits & 15));
    let magnitude = if segment == 0 { 2 * step + 1 } else { (2 * step + 33) << (segment - 1) } << 3;
    if bits & 0x80 == 0 { -magnitude as i16 } else { magnitude as i16 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_g711_comes_back_as_itself() {
        for code in 0..=255u8 {
            // 0x7F and 0xFF are both zero in µ-law; the encoder gives the positive one.
            if code != 0x7F {
                assert_eq!(to_mulaw(from_mulaw(code)), code, "mulaw {code:02x}");
            }
            assert_eq!(to_alaw(from_alaw(code)), code, "alaw {code:02x}");
        }
    }

    #[test]
    fn well_known_values_of_g711_are_met() {
        assert_eq!((to_mulaw(0), to_alaw(0)), (0xFF, 0xD5));
        assert_eq!((from_mulaw(0x00), from_mulaw(0x80)), (-32124, 32124));
        assert_eq!((from_alaw(0x2A), from_alaw(0xAA)), (-32256, 32256));
        assert_eq!((to_mulaw(i16::MIN), to_alaw(i16::MIN)), (0x00, 0x2A));
    }

    #[test]
    fn the_error_stays_within_half_a_step() {
        for sample in (i16::MIN..=i16::MAX).step_by(7) {
            let size = f32::from(sample).abs();
            let most = (size / 32.0).max(8.0) + 650.0 * f32::from(u8::from(size > 32_000.0));
            for back in [from_mulaw(to_mulaw(sample)), from_alaw(to_alaw(sample))] {
                assert!((f32::from(back) - f32::from(sample)).abs() <= most + 8.0, "{sample} {back}");
            }
        }
    }

    #[test]
    fn formats_are_known_by_their_vendors_names() {
        assert_eq!(Format::by_elevenlabs("ulaw_8000"), Some(Format::MULAW_8K));
        assert_eq!(Format::by_elevenlabs("pcm_22050").map(|f| f.rate_hz), Some(22_050));
        assert_eq!(Format::by_elevenlabs("mp3_44100_128"), None);
        assert_eq!(Format::by_elevenlabs("pcm_12345"), None);
        assert_eq!(Format::by_deepgram("mulaw", 8_000), Some(Format::MULAW_8K));
        assert_eq!(Format::by_deepgram("opus", 8_000), None);
        assert_eq!(Format::by_deepgram("linear16", 0), None);
    }
}
