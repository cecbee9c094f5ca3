//! Recognition: the caller's audio to words, by services that listen while it is spoken.

mod deepgram;
mod read;
mod unheard;

pub use deepgram::{Deepgram, DeepgramSettings, Dialect};
pub(crate) use unheard::{HEARD, Unheard};

use crate::failure::{Breaker, Fault};
use crate::transport::{ConnId, FromNet, ToNet};
use crate::wyoming::{WyomingEars, WyomingEarsSettings};
use offhook_units::Moment;
use std::fmt::Debug;

/// Who listens.
#[derive(Clone, Debug, PartialEq)]
pub enum EarsSettings {
    /// Deepgram, in either of its dialects.
    Deepgram(DeepgramSettings),
    /// A server of the local network.
    Wyoming(WyomingEarsSettings),
}

impl EarsSettings {
    /// For a call at this rate.
    pub const fn set_rate(&mut self, rate_hz: u32) {
        match self {
            Self::Deepgram(settings) => settings.rate_hz = rate_hz,
            Self::Wyoming(settings) => settings.rate_hz = rate_hz,
        }
    }

    /// The machine. `breaker` is shared by all calls, `seed` is not.
    pub(crate) fn recogniser(self, breaker: Breaker, seed: u64) -> Box<dyn Recogniser> {
        match self {
            Self::Deepgram(settings) => Box::new(Deepgram::new(settings, breaker, seed)),
            Self::Wyoming(settings) => Box::new(WyomingEars::new(settings, breaker, seed)),
        }
    }
}

/// A machine that listens. Calling order: [`Recogniser::open`] when the call comes, [`Recogniser::hear`] for all of the
/// caller's audio, [`Recogniser::shut`] at hang-up.
pub trait Recogniser: Debug + Send {
    /// Connects, where that is needed before somebody speaks. It is ready as soon as the connection is: the first
    /// message of the service may come much later.
    fn open(&mut self, now: Moment);

    /// The next audio of the caller; silence too.
    fn hear(&mut self, now: Moment, samples: &[i16]);

    /// Whether the caller speaks now, as the appliance hears it.
    fn caller_speaks(&mut self, now: Moment, speaks: bool);

    /// The call is over.
    fn shut(&mut self);

    /// Takes what came for a connection.
    fn handle_net(&mut self, now: Moment, conn: ConnId, message: FromNet);

    /// The time has come that [`Recogniser::poll_timeout`] gave.
    fn handle_timeout(&mut self, now: Moment);

    /// When [`Recogniser::handle_timeout`] is due.
    fn poll_timeout(&self) -> Option<Moment>;

    /// What to do next.
    fn poll_output(&mut self) -> Option<SttOutput>;
}

/// What comes out of a recogniser.
#[derive(Clone, Debug, PartialEq)]
pub enum SttOutput {
    /// For the network.
    Net(ToNet),
    /// For the conversation.
    Event(SttEvent),
}

/// What it heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SttEvent {
    /// What the caller seems to have said so far in this utterance; replaced by the next one.
    Interim(String),
    /// The utterance is over, and this is all of it.
    Utterance(String),
    /// The caller said something, and nobody hears it.
    Unheard,
    /// The service failed; it is tried again by itself.
    Fault(Fault),
}
