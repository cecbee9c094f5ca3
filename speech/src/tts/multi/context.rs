//! One context of the socket, as far as we know of it.

use super::{FINAL, FIRST_AUDIO, SATURATED};
use crate::tts::JobId;
use crate::wire::audio::{AudioDecoder, AudioFormat};
use offhook_units::Moment;

/// How far a context has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The service has not heard of it.
    Waiting,
    /// Its init was written.
    Open,
    /// Its close was written; its final is to come.
    Closing,
}

/// A context.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) job: JobId,
    pub(super) id: String,
    pub(super) stage: Stage,
    /// Text that is not written yet.
    pub(super) waiting: Vec<String>,
    /// No text follows.
    pub(super) ends: bool,
    /// Nobody wants its audio any more.
    pub(super) cancelled: bool,
    pub(super) got_audio: bool,
    decoder: AudioDecoder,
    since: Moment,
    /// Audio is owed since then.
    owed_since: Option<Moment>,
    last_audio: Moment,
    closed_at: Option<Moment>,
}

impl Context {
    pub(super) fn new(job: JobId, format: AudioFormat, now: Moment) -> Self {
        Self {
            job,
            // A job's number is never used twice in a call, so neither is its context's name.
            id: format!("t{}", job.0),
            stage: Stage::Waiting,
            waiting: Vec::new(),
            ends: false,
            cancelled: false,
            got_audio: false,
            decoder: AudioDecoder::new(format),
            since: now,
            owed_since: None,
            last_audio: now,
            closed_at: None,
        }
    }

    /// Text was flushed.
    pub(super) fn owed(&mut self, now: Moment) {
        self.owed_since = self.owed_since.or(Some(now));
    }

    pub(super) const fn close(&mut self, now: Moment) {
        self.stage = Stage::Closing;
        self.closed_at = Some(now);
    }

    /// The samples of a piece of audio.
    pub(super) fn audio(&mut self, now: Moment, bytes: &[u8]) -> Vec<i16> {
        let mut samples = Vec::new();
        if !bytes.is_empty() {
            self.decoder.put(bytes, &mut samples);
            self.got_audio = true;
            self.owed_since = None;
            self.last_audio = now;
        }
        samples
    }

    /// Since when something is owed.
    pub(super) fn asked(&self) -> Moment {
        self.owed_since.or(self.closed_at).unwrap_or(self.since)
    }

    /// When patience ends.
    pub(super) fn due(&self) -> Option<Moment> {
        let first = self.owed_since.filter(|_| !self.cancelled).map(|since| since + FIRST_AUDIO);
        let last = self.closed_at.map(|closed| closed.max(self.last_audio) + FINAL);
        let room = (self.stage == Stage::Waiting && !self.waiting.is_empty()).then(|| self.since + SATURATED);
        [first, last, room].into_iter().flatten().min()
    }
}
