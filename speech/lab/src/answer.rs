//! Answers to plain HTTP requests: at once, or as a stream that has its own time.

use offhook_units::Moment;
use serde_json::Value;
use std::fmt;

/// An answer.
pub(crate) enum Answer {
    /// All of it.
    Whole { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8> },
    /// A content type, and what is streamed.
    Stream(&'static str, Box<dyn Source>),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { status, .. } => write!(f, "Whole({status})"),
            Self::Stream(kind, _) => write!(f, "Stream({kind})"),
        }
    }
}

impl Answer {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", &format!("{body}\n"))
    }

    pub(crate) fn text(status: u16, kind: &str, body: &str) -> Self {
        Self::Whole {
            status,
            headers: vec![("content-type", kind.to_owned())],
            body: body.as_bytes().to_vec(),
        }
    }
}

/// A part of a streamed body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    /// What the switch `after` counts, in thousandths: microseconds of audio, or thousandths of tokens.
    pub(crate) units: u64,
    /// How much of it is audio.
    pub(crate) audio_bytes: usize,
}

/// Where a streamed body comes from.
pub(crate) trait Source {
    /// When the next piece goes; `None` when there is no more.
    fn due(&self) -> Option<Moment>;

    /// The next piece, if its time has come.
    fn next(&mut self, now: Moment) -> Option<Piece>;

    /// How this kind of stream says in its middle that it failed, if it can.
    fn error(&self, code: &str) -> Option<Vec<u8>>;

    /// What stands at the end of a stream that is complete.
    fn ending(&mut self) -> Vec<u8>;
}
