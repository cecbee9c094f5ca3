//! The voice that is sent: a recording, at whatever rate a codec wants it.

use super::wav::{self, WavError};
use offhook_engine::rate::{Converter, RateError};
use offhook_units::SampleRate;

/// A recorded voice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voice {
    samples: Vec<i16>,
    rate: SampleRate,
}

impl Voice {
    /// From samples.
    pub fn new(samples: Vec<i16>, rate: SampleRate) -> Self {
        Self { samples, rate }
    }

    /// From the bytes of a WAV file.
    ///
    /// # Errors
    /// [`WavError`].
    pub fn from_wav(bytes: &[u8]) -> Result<Self, WavError> {
        let (samples, rate) = wav::read(bytes)?;
        Ok(Self { samples, rate })
    }

    /// Its samples.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// Their rate.
    pub fn rate(&self) -> SampleRate {
        self.rate
    }

    /// The same voice at another rate, without the converter's delay: sample for sample at its old time.
    ///
    /// # Errors
    /// [`RateError`] for a rate that is not converted to.
    pub fn at(self, rate: SampleRate) -> Result<Self, RateError> {
        if rate == self.rate {
            return Ok(self);
        }
        let mut converter = Converter::new(self.rate, rate)?;
        let wanted = self.samples.len() * rate.hz() as usize / self.rate.hz() as usize;
        let delay = converter.delay().0 as usize;
        let mut samples = vec![0; wanted + delay + 1];
        let made = converter.process(&self.samples, &mut samples).produced;
        converter.flush(samples.get_mut(made..).unwrap_or_default());
        samples.drain(..delay);
        samples.truncate(wanted);
        Ok(Self { samples, rate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_rate_keeps_each_sound_at_its_time() {
        // A click's centre is where it was, to half a millisecond.
        let mut samples = vec![0; 8_000];
        samples[4_000] = 20_000;
        let voice = Voice { samples, rate: SampleRate::HZ_8000 };
        for rate in [SampleRate::HZ_16000, SampleRate::HZ_48000] {
            let there = voice.clone().at(rate).unwrap();
            let loudest = (0..there.samples.len()).max_by_key(|i| there.samples[*i].unsigned_abs()).unwrap();
            let ratio = rate.hz() as usize / 8_000;
            assert_eq!(there.samples.len(), 8_000 * ratio);
            assert!(loudest.abs_diff(4_000 * ratio) <= 4 * ratio, "{rate:?}: {loudest}");
            let back = there.at(SampleRate::HZ_8000).unwrap();
            let loudest = (0..8_000).max_by_key(|i| back.samples[*i].unsigned_abs()).unwrap();
            assert!(loudest.abs_diff(4_000) <= 4, "{rate:?} and back: {loudest}");
        }
    }
}
