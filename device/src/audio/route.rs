//! Real-time: what a call is for: from 10 ms heard to 10 ms said.

use super::agent::Agent;
use super::gauges::Unfetched;
use super::tone::Tone;
use offhook_units::{Moment, SampleRate, Span};

/// What a line does with what it hears.
#[derive(Debug)]
pub enum Route {
    /// It says what it hears.
    Echo,
    /// It plays the tech's tones.
    Tone(Tone),
    /// It holds a conversation.
    Agent(Box<Agent>),
    /// It is spoken and heard on the sound card, where there is one.
    Handset,
    /// It says nothing: the call is being handed on.
    Silent,
}

impl Route {
    /// The next 10 ms of what the line says.
    pub fn answer(&mut self, rate: SampleRate, heard: &[i16], said: &mut [i16]) {
        match self {
            Self::Echo => {
                for (said, heard) in said.iter_mut().zip(heard) {
                    *said = *heard;
                }
            }
            Self::Tone(tone) => tone.render(rate, said),
            Self::Agent(agent) => agent.answer(rate, heard, said),
            Self::Handset | Self::Silent => said.fill(0),
        }
    }

    /// What was answered last filled a packet, in the tick at `now`.
    pub fn packed(&mut self, now: Moment) {
        match self {
            Self::Agent(agent) => agent.packed(now),
            Self::Echo | Self::Tone(_) | Self::Handset | Self::Silent => {}
        }
    }

    /// What its speech thread did not fetch in time, where it has one.
    pub const fn unfetched(&self) -> Unfetched {
        match self {
            Self::Agent(agent) => agent.unfetched(),
            Self::Echo | Self::Tone(_) | Self::Handset | Self::Silent => {
                Unfetched { sound: Span::ZERO, events: 0 }
            }
        }
    }

    /// The device's voice may leave its natural speed by this fraction, where it has one.
    pub fn tune(&mut self, most: f32) {
        match self {
            Self::Agent(agent) => agent.tune(most),
            Self::Echo | Self::Tone(_) | Self::Handset | Self::Silent => {}
        }
    }

    /// Stops the device's voice where it has one.
    pub fn hush(&mut self) {
        match self {
            Self::Agent(agent) => agent.hush(),
            Self::Echo | Self::Tone(_) | Self::Handset | Self::Silent => {}
        }
    }
}
