//! What was heard, as a WAV file: 8 kHz, mono, 16 bits, sample 0 at the instant at which packet 0 was sent.

use crate::draft::Draft;
use offhook_engine::rate::{Converter, RateError};
use offhook_speech::voice::wav;
use offhook_units::SampleRate;
use std::io::{self, Write};
use std::path::Path;

/// The rate of every recording.
const RATE: SampleRate = SampleRate::HZ_8000;
/// Converted at a time, in frames: a tick and what the end of a stream may leave.
const CHUNK: usize = 512;

/// A recording being written: [`Recording::put`] what was pulled, then [`Recording::finish`].
#[derive(Debug)]
pub struct Recording {
    file: Draft,
    converter: Converter,
    /// The converter's delay, which is cut off the front.
    early: usize,
    /// Frames that the header promises and that are not written yet.
    left: usize,
}

impl Recording {
    /// Begins a recording of `ticks` times 10 ms of sound that comes at `rate`.
    ///
    /// # Errors
    /// When the file cannot be written. A rate that is not converted is an [`io::ErrorKind::Unsupported`].
    pub fn begin(mut file: Draft, rate: SampleRate, ticks: u64) -> io::Result<Self> {
        let unsupported = |error: RateError| io::Error::new(io::ErrorKind::Unsupported, error);
        let converter = Converter::new(rate, RATE).map_err(unsupported)?;
        let frames = ticks.saturating_mul(RATE.frames_in_ms(10) as u64);
        let frames = u32::try_from(frames).map_err(|_| io::ErrorKind::FileTooLarge)?;
        file.write_all(&wav::header(RATE.hz(), frames))?;
        let early = converter.delay().0 as usize;
        Ok(Self { file, converter, early, left: frames as usize })
    }

    /// Where it is written.
    pub fn name(&self) -> &Path {
        self.file.name()
    }

    /// What comes next.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put(&mut self, mut samples: &[i16]) -> io::Result<()> {
        while !samples.is_empty() {
            let mut chunk = [0; CHUNK];
            let flow = self.converter.process(samples, &mut chunk);
            self.write(chunk.get(..flow.produced).unwrap_or_default())?;
            if flow.consumed == 0 {
                break;
            }
            samples = samples.get(flow.consumed..).unwrap_or_default();
        }
        Ok(())
    }

    /// All was put: what the converter still holds follows, and the file is whole.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> io::Result<Draft> {
        let mut rest = [0; CHUNK];
        let made = self.converter.flush(&mut rest);
        self.write(rest.get(..made).unwrap_or_default())?;
        let missing = self.left;
        self.write(&vec![0; missing])?;
        Ok(self.file)
    }

    fn write(&mut self, samples: &[i16]) -> io::Result<()> {
        let early = self.early.min(samples.len());
        self.early -= early;
        let samples = samples.get(early..).unwrap_or_default();
        let samples = samples.get(..self.left.min(samples.len())).unwrap_or_default();
        self.left -= samples.len();
        for sample in samples {
            self.file.write_all(&sample.to_le_bytes())?;
        }
        Ok(())
    }
}
