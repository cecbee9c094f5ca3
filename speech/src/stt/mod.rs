//! Recognition: the caller's audio to words, by services that listen while it is spoken.

mod deepgram;
mod read;

pub use deepgram::{Deepgram, DeepgramSettings};

use crate::failure::Fault;
use crate::transport::ToNet;

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
    /// The service failed; it is tried again by itself.
    Fault(Fault),
}
