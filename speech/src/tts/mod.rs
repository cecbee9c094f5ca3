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

mod aura;
mod eleven;
mod http;
mod multi;
mod single;
mod timed;

pub use aura::{Aura, AuraSettings};
pub use eleven::ElevenSettings;
pub use http::{HttpVoice, SpeaksOverHttp};
pub use multi::ElevenMulti;
pub use single::ElevenSingle;

use crate::failure::{Breaker, Fault};
use crate::transport::{ConnId, FromNet, ToNet};
use crate::wire::audio::AudioFormat;
use crate::wyoming::{WyomingVoice, WyomingVoiceSettings};
use offhook_units::Moment;
use serde_json::Value;
use std::fmt::Debug;

/// Whose voice speaks, and by which of its protocols.
#[derive(Clone, Debug, PartialEq)]
pub enum VoiceSettings {
    /// ElevenLabs, one socket for the whole call.
    ElevenMulti(ElevenSettings),
    /// ElevenLabs, a socket for each turn.
    ElevenSingle(ElevenSettings),
    /// Deepgram.
    Aura(AuraSettings),
    /// A server of the local network.
    Wyoming(WyomingVoiceSettings),
}

impl VoiceSettings {
    /// Asks for what the wire carries: µ-law at 8 kHz on a narrow line, PCM at 16 kHz on a wide one. Then nothing is
    /// converted on the way. A server of the local network speaks as it likes.
    pub const fn set_rate(&mut self, rate_hz: u32) {
        let wanted =
            if rate_hz == 8_000 { AudioFormat::Mulaw8k } else { AudioFormat::Pcm16 { rate_hz: 16_000 } };
        match self {
            Self::ElevenMulti(settings) | Self::ElevenSingle(settings) => settings.format = wanted,
            Self::Aura(settings) => settings.format = wanted,
            Self::Wyoming(_) => {}
        }
    }

    /// The machine. `breaker` is shared by all calls, `seed` is not.
    pub(crate) fn socket(self, breaker: Breaker, seed: u64) -> Box<dyn VoiceSocket> {
        match self {
            Self::ElevenMulti(settings) => Box::new(ElevenMulti::new(settings, breaker, seed)),
            Self::ElevenSingle(settings) => Box::new(ElevenSingle::new(settings, breaker, seed)),
            Self::Aura(settings) => Box::new(Aura::new(settings, breaker, seed)),
            Self::Wyoming(settings) => Box::new(WyomingVoice::new(settings, breaker, seed)),
        }
    }

    /// What speaks on when the socket is gone, where the service has it.
    pub(crate) fn http(&self) -> Option<HttpVoice> {
        match self {
            Self::ElevenMulti(settings) | Self::ElevenSingle(settings) => {
                Some(HttpVoice::new(Box::new(settings.clone())))
            }
            Self::Aura(settings) => Some(HttpVoice::new(Box::new(settings.clone()))),
            Self::Wyoming(_) => None,
        }
    }
}

/// A machine that speaks over a connection which stays open. Calling order: [`VoiceSocket::open`] when the call comes,
/// then [`VoiceSocket::say`] and [`VoiceSocket::end`] for each job, [`VoiceSocket::cancel`] at any time,
/// [`VoiceSocket::shut`] at hang-up.
pub trait VoiceSocket: Debug + Send {
    /// Samples a second of the audio that came out last.
    fn rate_hz(&self) -> u32;

    /// Whether a job that starts now has a chance.
    fn is_ready(&self) -> bool;

    /// Whether it connects and nothing has failed yet: a job that starts now waits for it.
    fn is_starting(&self) -> bool;

    /// Whether a job is a whole turn, in whose audio the service tells where the characters are. Otherwise a job is a
    /// single phrase.
    fn takes_turns(&self) -> bool;

    /// Connects, so that the socket is there before the first word.
    fn open(&mut self, now: Moment);

    /// Says `text`, a sentence or a part of one, as the next of `job`. A job begins with its first text. Text with
    /// nothing to say in it is left out.
    fn say(&mut self, now: Moment, job: JobId, text: &str);

    /// All of the job's text has been said: after its audio comes [`TtsEvent::Finished`].
    fn end(&mut self, now: Moment, job: JobId);

    /// Stops a job; nothing of it comes out any more.
    fn cancel(&mut self, now: Moment, job: JobId);

    /// The call is over.
    fn shut(&mut self, now: Moment);

    /// Takes what came for a connection.
    fn handle_net(&mut self, now: Moment, conn: ConnId, message: FromNet);

    /// The time has come that [`VoiceSocket::poll_timeout`] gave.
    fn handle_timeout(&mut self, now: Moment);

    /// When [`VoiceSocket::handle_timeout`] is due.
    fn poll_timeout(&self) -> Option<Moment>;

    /// What to do next.
    fn poll_output(&mut self) -> Option<TtsOutput>;
}

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

impl CharTime {
    /// Those of an entry of a service's list: a letter and its accent may be one of theirs and are two of ours.
    pub(crate) fn each(entry: &Value, at_ms: u32, end_ms: u32) -> Vec<Self> {
        entry.as_str().unwrap_or_default().chars().map(|c| Self { c, at_ms, end_ms }).collect()
    }
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
