//! A whole replay: the one driver behind `offhook replay` and `offhook demo`.

use super::log::Log;
use super::recording::Recording;
use super::report::Report;
use super::session::{Pull, Session};
use super::stream::Stream;
use super::trace::Trace;
use crate::clock::Clock;
use crate::draft::Draft;
use offhook_engine::Settings;
use offhook_engine::codec::Unavailable;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where a replay goes.
#[derive(Debug)]
pub struct Outputs {
    /// What was heard.
    pub wav: Draft,
    /// The course of it.
    pub log: Option<Draft>,
}

/// Plays `stream` over the network of `trace` and puts the outputs in place. `step` is called behind each pull
/// and may stop the work by answering `false`: then there is no report, and no file.
///
/// # Errors
/// [`PlayError`]; no file is left then, but for a log that was whole before the WAV failed.
pub fn play(
    stream: &Stream,
    trace: &Trace,
    settings: Settings,
    outputs: Outputs,
    step: &mut dyn FnMut() -> bool,
) -> Result<Option<Report>, PlayError> {
    let mut session = Session::new(stream, trace, settings, Clock::start())?;
    let mut writer = Writer::begin(outputs, &session)?;
    let mut report = Report::new(stream.codec(), trace, settings);
    while let Some(pull) = session.pull() {
        report.note(&pull);
        writer.put(&pull)?;
        if !step() {
            return Ok(None);
        }
    }
    report.close(&session);
    writer.publish()?;
    Ok(Some(report))
}

/// Both outputs while they are written.
struct Writer {
    recording: Recording,
    log: Option<Log>,
}

impl Writer {
    fn begin(outputs: Outputs, session: &Session<'_>) -> Result<Self, PlayError> {
        let name = outputs.wav.name().to_owned();
        let recording = Recording::begin(outputs.wav, session.rate(), session.ticks()).map_err(at(&name))?;
        let log = match outputs.log {
            Some(file) => {
                let name = file.name().to_owned();
                Some(Log::begin(file).map_err(at(&name))?)
            }
            None => None,
        };
        Ok(Self { recording, log })
    }

    fn put(&mut self, pull: &Pull<'_>) -> Result<(), PlayError> {
        let put = self.recording.put(pull.samples);
        put.map_err(at(self.recording.name()))?;
        if let Some(log) = &mut self.log {
            let put = log.put(pull);
            put.map_err(at(log.name()))?;
        }
        Ok(())
    }

    fn publish(self) -> Result<(), PlayError> {
        let name = self.recording.name().to_owned();
        let wav = self.recording.finish().map_err(at(&name))?;
        if let Some(log) = self.log {
            let name = log.name().to_owned();
            log.finish().publish().map_err(at(&name))?;
        }
        wav.publish().map_err(at(&name))
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> PlayError {
    move |error| PlayError::Write { path: path.to_owned(), error }
}

/// Why a replay came to nothing.
#[derive(Debug)]
pub enum PlayError {
    /// The codec does not start.
    Codec(Unavailable),
    /// An output cannot be written.
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl fmt::Display for PlayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec(error) => error.fmt(f),
            Self::Write { path, error } => write!(f, "{} cannot be written: {error}", path.display()),
        }
    }
}

impl std::error::Error for PlayError {}

impl From<Unavailable> for PlayError {
    fn from(error: Unavailable) -> Self {
        Self::Codec(error)
    }
}
