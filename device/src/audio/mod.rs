//! Real-time: plain values that go through rings; what a whole tick does is in [`stage`] and [`mod@line`].
//!
//! The audio thread: it wakes every 10 ms and serves every call in turn.
//!
//! ```text
//!  packets ring ─► Playout ─► 10 ms heard ─► Route ─► 10 ms said ─► Encoder ─► payloads ring
//!                                            (echo, tone, agent, handset …)
//!  commands ─► Stage: lines in their places ─► retired ring
//! ```
//!
//! A line is built on another thread, handed in by [`Command::Open`], and comes back as [`Retired`]: nothing is
//! allocated or freed here.

pub mod agent;
pub mod ear;
pub mod gauges;
pub mod line;
pub(crate) mod priority;
pub mod prompter;
pub mod route;
pub mod sound;
pub mod stage;
mod tempo;
pub mod thread;
pub mod tone;

use line::{Line, Media};
use offhook_engine::Settings;
use sound::SoundSettings;

/// Between two ticks, ms.
pub const TICK_MS: u32 = 10;

/// A call on the audio thread, by the number that the trunk gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineId(pub u64);

/// What the audio thread is asked to do. What names a line that is not there (any more) is passed over: a call
/// may end while a command is under way.
#[derive(Debug)]
pub enum Command {
    /// A call was answered.
    Open(Box<Line>),
    /// It changed to another codec or packet time: its route and its rings stay.
    Recode(LineId, Box<Media>),
    /// It goes on hold or comes back: whether voice may be sent. What comes in is played as it comes.
    Send(LineId, bool),
    /// The device stops speaking in this call.
    Hush(LineId),
    /// Other settings of the buffers, for every call.
    Tune(Settings),
    /// Other levels of the sound card.
    Sound(SoundSettings),
    /// The call is over.
    Close(LineId),
}

/// What the audio thread has done with. It owns memory, so it is dropped elsewhere.
#[derive(Debug)]
pub enum Retired {
    /// A closed line, or one that found no place.
    Line(Box<Line>),
    /// The half that another codec replaced.
    Media(Box<Media>),
}
