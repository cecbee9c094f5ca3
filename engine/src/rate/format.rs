//! Which audio from outside can be taken: the answer names what it found and what it expected.

use super::RATES;
use offhook_units::SampleRate;
use std::fmt;

/// A format as a file or a peer states it, taken or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// How one sample is written.
    pub encoding: Encoding,
    /// Frames a second, as stated.
    pub rate_hz: u32,
    /// Samples in a frame.
    pub channels: u16,
}

/// How one sample is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Uniform integers of so many bits.
    Linear {
        /// Bits in a sample.
        bits: u16,
    },
    /// Floating point.
    Float,
    /// G.711 µ-law.
    MuLaw,
    /// G.711 A-law.
    ALaw,
}

impl Format {
    /// Says at which rate the format enters a [`Converter`](super::Converter), after decoding if it is
    /// companded.
    ///
    /// # Errors
    /// [`FormatError`], which prints both the format and what would be taken.
    pub fn check(&self) -> Result<SampleRate, FormatError> {
        let refused = FormatError(*self);
        let rate = RATES.into_iter().find(|rate| rate.hz() == self.rate_hz).ok_or(refused)?;
        let is_fine = match self.encoding {
            Encoding::Linear { bits } => bits == 16,
            Encoding::MuLaw | Encoding::ALaw => rate == SampleRate::HZ_8000,
            Encoding::Float => false,
        };
        if is_fine && self.channels == 1 { Ok(rate) } else { Err(refused) }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz ", self.rate_hz)?;
        match self.channels {
            1 => f.write_str("mono ")?,
            2 => f.write_str("stereo ")?,
            count => write!(f, "{count}-channel ")?,
        }
        match self.encoding {
            Encoding::Linear { bits } => write!(f, "{bits}-bit"),
            Encoding::Float => f.write_str("float"),
            Encoding::MuLaw => f.write_str("mu-law"),
            Encoding::ALaw => f.write_str("A-law"),
        }
    }
}

/// A format that cannot be taken. Convert the audio first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatError(pub Format);

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: expected mono 16-bit at 8000, 16000, 24000 or 48000 Hz, or mono mu-law or A-law at 8000 Hz",
            self.0
        )
    }
}

impl std::error::Error for FormatError {}

#[cfg(test)]
mod tests {
    use super::*;

    const fn format(encoding: Encoding, rate_hz: u32, channels: u16) -> Format {
        Format { encoding, rate_hz, channels }
    }

    #[test]
    fn what_can_be_taken_tells_its_rate() {
        let linear = Encoding::Linear { bits: 16 };
        for rate in RATES {
            assert_eq!(format(linear, rate.hz(), 1).check(), Ok(rate));
        }
        assert_eq!(format(Encoding::MuLaw, 8_000, 1).check(), Ok(SampleRate::HZ_8000));
        assert_eq!(format(Encoding::ALaw, 8_000, 1).check(), Ok(SampleRate::HZ_8000));
    }

    #[test]
    fn what_cannot_be_taken_is_named_beside_what_can() {
        let expected = ": expected mono 16-bit at 8000, 16000, 24000 or 48000 Hz, \
                        or mono mu-law or A-law at 8000 Hz";
        for (refused, name) in [
            (format(Encoding::Float, 44_100, 2), "44100 Hz stereo float"),
            (format(Encoding::Float, 16_000, 1), "16000 Hz mono float"),
            (format(Encoding::Linear { bits: 24 }, 8_000, 1), "8000 Hz mono 24-bit"),
            (format(Encoding::Linear { bits: 16 }, 8_000, 6), "8000 Hz 6-channel 16-bit"),
            (format(Encoding::Linear { bits: 16 }, 8_000, 0), "8000 Hz 0-channel 16-bit"),
            (format(Encoding::Linear { bits: 16 }, 0, 1), "0 Hz mono 16-bit"),
            (format(Encoding::MuLaw, 16_000, 1), "16000 Hz mono mu-law"),
        ] {
            let error = refused.check().unwrap_err();
            assert_eq!(error.to_string(), format!("{name}{expected}"));
        }
    }
}
