//! Speech from services, each a machine of its own: told the time, handed messages, polled for what to send and for
//! what came.
//!
//! ```text
//! open, say, end, cancel ─►┌───────────────┐─► ToNet   (connect, messages)
//!        FromNet, time  ─► │ one machine   │─► TtsEvent (audio with its characters, finished, lost)
//!                          └───────────────┘
//! ```
//!
//! A *job* is one stream of speech: a context on ElevenLabs' socket, a request over HTTP. A job that fails is lost
//! as a whole and never tried again here; who asked for it knows what of it came and says the rest in another way.

mod eleven;
mod http;
mod multi;

pub use eleven::{ElevenSettings, VoiceTuning};
pub use http::ElevenHttp;
pub use multi::ElevenMulti;

use crate::failure::Fault;
use crate::transport::ToNet;

/// A stream of speech. Counted from 1 in each call and never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u32);

/// When a character is spoken, from the start of the audio that it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CharTime {
    /// The character as it was sent.
    pub c: char,
    /// When it starts.
    pub at_ms: u32,
    /// When it ends.
    pub end_ms: u32,
}

/// What comes out of a machine.
#[derive(Clone, Debug, PartialEq)]
pub enum TtsOutput {
    /// For the network.
    Net(ToNet),
    /// For who asked.
    Event(TtsEvent),
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum TtsEvent {
    /// The next audio of a job, at the rate of the machine's format.
    Audio {
        /// Whose.
        job: JobId,
        /// Samples, mono.
        samples: Vec<i16>,
        /// What is spoken in them; empty when the service does not say.
        chars: Vec<CharTime>,
    },
    /// All of the job's audio has come.
    Finished(JobId),
    /// No more of this job will come.
    Lost(JobId, Fault),
    /// The service failed, whether or not anything was lost by it. For logs, counters and `/ready`.
    Fault(Fault),
}
