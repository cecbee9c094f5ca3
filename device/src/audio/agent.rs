//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! The audio thread's half of a conversation: what the caller says goes to the speech thread, what the device says
//! comes from there, and when the caller speaks over it the device stops in the tick that hears it (B1).

use super::ear::{Ear, Heard};
use super::prompter::Prompter;
use crate::rings::AgentEnds;
use offhook_engine::rate::RateError;
use offhook_units::{Moment, SampleRate};
use ringbuf::traits::Producer as _;

/// One call's conversation.
#[derive(Debug)]
pub struct Agent {
    ear: Ear,
    prompter: Prompter,
    ends: AgentEnds,
    hush: bool,
    /// Samples and events that the speech thread did not fetch in time.
    lost: u64,
}

impl Agent {
    /// For a call at `rate`, tied to the speech thread by `ends`.
    ///
    /// # Errors
    /// [`RateError`] for a rate that cannot be listened to.
    pub fn new(rate: SampleRate, ends: AgentEnds, prompter: Prompter) -> Result<Self, RateError> {
        Ok(Self { ear: Ear::new(rate)?, prompter, ends, hush: false, lost: 0 })
    }

    /// The next 10 ms, both ways.
    pub fn answer(&mut self, heard: &[i16], said: &mut [i16]) {
        self.lost += (heard.len() - self.ends.caller.push_slice(heard)) as u64;
        let change = self.ear.hear(heard);
        if let Some(change) = change {
            self.lost += u64::from(self.ends.heard.push(change).is_err());
        }
        // Who still speaks when the answer begins has not heard it yet, and does not interrupt it.
        let interrupted = change == Some(Heard::Began) && self.prompter.is_saying();
        if interrupted || std::mem::take(&mut self.hush) {
            self.prompter.cut(said);
        } else {
            self.prompter.render(said);
        }
    }

    /// What was answered last filled a packet, in the tick at `now`.
    pub fn packed(&mut self, now: Moment) {
        self.prompter.packed(now);
    }

    /// Stops the device's voice with the next tick, as somebody asks for it.
    pub const fn hush(&mut self) {
        self.hush = true;
    }

    /// What the speech thread did not fetch in time.
    pub const fn lost(&self) -> u64 {
        self.lost + self.prompter.untold()
    }
}
