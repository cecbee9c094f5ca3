//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! The audio thread's half of a conversation: what the caller says goes to the speech thread, what the device says
//! comes from there, and when the caller speaks over it the device stops in the tick that hears it (B1).
//!
//! A conversation keeps the rate that it began with. Where its call changes to a codec of another rate, what is heard
//! and what is said are converted on their way.

use super::ear::{Ear, Heard};
use super::gauges::Unfetched;
use super::prompter::Prompter;
use crate::rings::AgentEnds;
use offhook_engine::rate::{Converter, RateError};
use offhook_units::{Codec, Moment, SampleRate, Span};
use ringbuf::traits::Producer as _;

/// 10 ms at the highest rate of a call, in frames.
const MOST_TICK: usize = 480;

/// One call's conversation.
#[derive(Debug)]
pub struct Agent {
    rate: SampleRate,
    bridges: Box<[Bridge]>,
    ear: Ear,
    prompter: Prompter,
    ends: AgentEnds,
    hush: bool,
    /// Samples that the speech thread did not fetch in time,
    unheard: u64,
    /// and events of the ear's.
    unseen: u64,
}

/// Between a call at `rate` and the conversation.
#[derive(Debug)]
struct Bridge {
    rate: SampleRate,
    heard: Converter,
    said: Converter,
}

impl Agent {
    /// For a call that begins at `rate`, tied to the speech thread by `ends`.
    ///
    /// # Errors
    /// [`RateError`] for a rate that cannot be listened to.
    // start-up: of the call, on the trunk's thread.
    pub fn new(rate: SampleRate, ends: AgentEnds, prompter: Prompter) -> Result<Self, RateError> {
        let mut bridges = Vec::<Bridge>::new();
        for other in Codec::ALL.map(Codec::sample_rate) {
            if other != rate && bridges.iter().all(|bridge| bridge.rate != other) {
                let (heard, said) = (Converter::new(other, rate)?, Converter::new(rate, other)?);
                bridges.push(Bridge { rate: other, heard, said });
            }
        }
        let (ear, bridges) = (Ear::new(rate)?, bridges.into());
        Ok(Self { rate, bridges, ear, prompter, ends, hush: false, unheard: 0, unseen: 0 })
    }

    /// The next 10 ms, both ways, of a call that is at `rate` now.
    pub fn answer(&mut self, rate: SampleRate, heard: &[i16], said: &mut [i16]) {
        if rate == self.rate {
            return self.converse(heard, said);
        }
        let Some(at) = self.bridges.iter().position(|bridge| bridge.rate == rate) else {
            return said.fill(0);
        };
        let (mut ours, mut answer) = ([0; MOST_TICK], [0; MOST_TICK]);
        let Some(bridge) = self.bridges.get_mut(at) else { return };
        let frames = bridge.heard.process(heard, &mut ours).produced;
        let (Some(ours), Some(answer)) = (ours.get(..frames), answer.get_mut(..frames)) else { return };
        self.converse(ours, answer);
        let Some(bridge) = self.bridges.get_mut(at) else { return };
        let made = bridge.said.process(answer, said).produced;
        said.iter_mut().skip(made).for_each(|rest| *rest = 0);
    }

    fn converse(&mut self, heard: &[i16], said: &mut [i16]) {
        self.unheard += (heard.len() - self.ends.caller.push_slice(heard)) as u64;
        let change = self.ear.hear(heard);
        if let Some(change) = change {
            self.unseen += u64::from(self.ends.heard.push(change).is_err());
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

    /// The device's voice may leave its natural speed by this fraction.
    pub const fn tune(&mut self, most: f32) {
        self.prompter.tune(most);
    }

    /// Stops the device's voice with the next tick, as somebody asks for it.
    pub const fn hush(&mut self) {
        self.hush = true;
    }

    /// What the speech thread did not fetch in time.
    pub const fn unfetched(&self) -> Unfetched {
        let sound = Span::from_micros((self.unheard * 1_000_000 / self.rate.hz() as u64).cast_signed());
        Unfetched { sound, events: self.unseen + self.prompter.untold() }
    }
}
