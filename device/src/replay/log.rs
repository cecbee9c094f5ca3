//! The course of a replay, one row a pull, for `scripts/plot-replay` and spreadsheets.

use super::session::Pull;
use crate::draft::Draft;
use offhook_engine::decide::Mode;
use std::io::{self, Write};
use std::path::Path;

/// Frames are of the codec's rate and count from the start.
const HEADER: &str = "t_ms,mode,delay_ms,target_ms,extrapolated_frames,bridged_frames,squeezed_frames,\
                      stretched_frames,noise_frames,floor_ms";

/// A log being written.
#[derive(Debug)]
pub struct Log(Draft);

impl Log {
    /// Begins one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(mut file: Draft) -> io::Result<Self> {
        writeln!(file, "{HEADER}")?;
        Ok(Self(file))
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn put(&mut self, pull: &Pull<'_>) -> io::Result<()> {
        let stats = pull.stats;
        writeln!(
            self.0,
            "{},{},{:.3},{:.3},{},{},{},{},{},{:.3}",
            pull.now.as_micros() / 1000,
            word(pull.mode),
            stats.delay.as_millis_f32(),
            stats.target.as_millis_f32(),
            stats.extrapolated_frames,
            stats.bridged_frames,
            stats.squeezed_frames,
            stats.stretched_frames,
            stats.noise_frames,
            pull.floor.as_millis_f32(),
        )
    }

    /// Where it is written.
    pub fn name(&self) -> &Path {
        self.0.name()
    }

    /// The file, whole.
    pub fn finish(self) -> Draft {
        self.0
    }
}

const fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Waiting => "waiting",
        Mode::Voice => "voice",
        Mode::Hole(_) => "hole",
        Mode::Quiet => "quiet",
    }
}
