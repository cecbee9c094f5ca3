//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! The sound card as the audio thread sees it: a line like any other, on a clock of its own.
//!
//! ```text
//!  calls to `handset` ─┐
//!  other calls, ducked ┴► buses ─► level ─► Speaker: drift loop ─► ring ─► callback ─► card
//!  calls to `handset` ◄── ears ◄── level ◄─ Microphone: drift loop ◄─ ring ◄─ callback ◄─┘
//! ```
//!
//! In each tick: [`Sound::begin`], then [`Sound::talk`] and [`Sound::overhear`] from the lines, then [`Sound::end`].
//! Cards come and go by a ring from the sound thread; without one there is silence, and no call is touched.

pub mod callback;
pub mod card;
mod desk;
mod drift;
pub mod gauges;
mod level;

use super::TICK_MS;
use crate::rings::SoundEnds;
use card::{Microphone, Speaker};
use desk::{Buses, Ears};
use level::{Course, Level, factor};
use offhook_engine::rate::RateError;
use offhook_units::SampleRate;

/// The rate inside. A card may have another one; the way from this to that is bent by the drift anyway.
const HOUSE: SampleRate = SampleRate::HZ_48000;
/// A tick of it.
const HOUSE_FRAMES: usize = HOUSE.frames_in_ms(TICK_MS);

/// A card came, or went (`None`). On the way back: the old one.
#[derive(Debug)]
pub enum Change {
    /// Where calls are heard.
    Speaker(Option<Box<Speaker>>),
    /// Where they are spoken.
    Microphone(Option<Box<Microphone>>),
}

/// What of the calls that do not go to the handset is heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Monitor {
    /// Nothing.
    #[default]
    Off,
    /// What callers say.
    Caller,
    /// That and what they hear.
    Both,
}

/// What may change at any time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SoundSettings {
    /// How much louder the speaker is, decibels; minus infinity is silence.
    pub speaker_db: f32,
    /// The same of the microphone.
    pub microphone_db: f32,
    /// Which calls are overheard.
    pub monitor: Monitor,
    /// How much quieter those are while the handset is in a call, decibels.
    pub duck_db: f32,
}

/// The sound card.
#[derive(Debug)]
pub struct Sound {
    ends: SoundEnds,
    settings: SoundSettings,
    speaker: Option<Box<Speaker>>,
    microphone: Option<Box<Microphone>>,
    speaker_level: Level,
    microphone_level: Level,
    duck: Level,
    ducked: Course,
    /// A call to the handset was served in this tick.
    is_talking: bool,
    buses: Buses,
    ears: Ears,
}

impl Sound {
    /// Without a card until one comes by `ends`.
    ///
    /// # Errors
    /// [`RateError`] when a rate of [`RATES`](offhook_engine::rate::RATES) cannot be converted, which all can.
    pub fn new(ends: SoundEnds, settings: SoundSettings) -> Result<Self, RateError> {
        Ok(Self {
            ends,
            settings,
            speaker: None,
            microphone: None,
            speaker_level: Level::new(factor(settings.speaker_db)),
            microphone_level: Level::new(factor(settings.microphone_db)),
            duck: Level::new(1.0),
            ducked: Course::UNITY,
            is_talking: false,
            buses: Buses::new()?,
            ears: Ears::new()?,
        })
    }

    /// Other levels from here on.
    pub const fn set(&mut self, settings: SoundSettings) {
        self.settings = settings;
    }

    /// A tick begins.
    pub fn begin(&mut self) {
        // Nothing is taken that could not be given back.
        while !self.ends.retired.is_full()
            && let Ok(change) = self.ends.changes.pop()
        {
            self.change(change);
        }
        let wanted = if std::mem::take(&mut self.is_talking) { factor(-self.settings.duck_db) } else { 1.0 };
        self.ducked = self.duck.glide(wanted);
        let level = self.microphone_level.glide(factor(self.settings.microphone_db));
        if let Some(microphone) = &mut self.microphone {
            let mut sound = [0.0; HOUSE_FRAMES];
            microphone.hear(&mut sound);
            self.ears.put(&sound, level);
        }
    }

    /// 10 ms of a call to the handset: what it hears from the far end, and what it says.
    pub fn talk(&mut self, rate: SampleRate, heard: &[i16], said: &mut [i16]) {
        self.is_talking = true;
        if self.speaker.is_some() {
            self.buses.add(rate, heard, Course::UNITY);
        }
        match self.microphone {
            Some(_) => self.ears.read(rate, said),
            None => said.fill(0),
        }
    }

    /// 10 ms of any other call.
    pub fn overhear(&mut self, rate: SampleRate, heard: &[i16], said: &[i16]) {
        if self.speaker.is_none() || self.settings.monitor == Monitor::Off {
            return;
        }
        self.buses.add(rate, heard, self.ducked);
        if self.settings.monitor == Monitor::Both {
            self.buses.add(rate, said, self.ducked);
        }
    }

    /// The tick is over.
    pub fn end(&mut self) {
        let level = self.speaker_level.glide(factor(self.settings.speaker_db));
        if let Some(speaker) = &mut self.speaker {
            let sound = self.buses.take();
            sound.iter_mut().zip(level.factors(HOUSE_FRAMES)).for_each(|(sample, factor)| *sample *= factor);
            speaker.play(sound);
        }
    }

    fn change(&mut self, change: Change) {
        let old = match change {
            Change::Speaker(new) => Change::Speaker(std::mem::replace(&mut self.speaker, new)),
            Change::Microphone(new) => Change::Microphone(std::mem::replace(&mut self.microphone, new)),
        };
        if let Err(rtrb::PushError::Full(old)) = self.ends.retired.push(old) {
            // There was room before the change was taken, and nobody else writes. Freeing it here would break the
            // contract.
            std::mem::forget(old);
        }
    }
}
