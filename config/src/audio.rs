//! `[audio]`: how the audio thread runs.

use crate::key::{Expects, Key};
use crate::reading::Reading;

static PRIORITY: Key =
    Key::at_restart("audio.priority", Expects::Whole { unit: "a priority", from: 0, to: 90, default: 70 });
static CPU: Key =
    Key::at_restart("audio.cpu", Expects::Whole { unit: "a processor", from: -1, to: 1023, default: -1 });
pub(crate) static KEYS: [&Key; 2] = [&PRIORITY, &CPU];

/// The audio thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audio {
    /// Its priority under SCHED_FIFO; `None`: scheduled as every other thread.
    pub priority: Option<u8>,
    /// The processor that it stays on, if any.
    pub cpu: Option<usize>,
}

pub(crate) fn read(reading: &Reading) -> Audio {
    let cpu: i64 = reading.whole(&CPU);
    Audio {
        priority: Some(reading.whole(&PRIORITY)).filter(|priority| *priority > 0),
        cpu: usize::try_from(cpu).ok(),
    }
}
