//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! What is laid together for the speaker and drawn from the microphone, at the rates of the calls. Calls of one rate
//! are added up first and converted together, so that listening in on fifty calls costs fifty additions.

use super::level::Course;
use super::{HOUSE, HOUSE_FRAMES};
use offhook_engine::rate::{Converter, RATES, RateError};
use offhook_units::SampleRate;

/// After so many ticks without sound a converter has nothing left in it: its filter is 4 ms long at most.
const RUNG_OUT_TICKS: u32 = 3;

/// Ten milliseconds at the house's rate, the longest there are.
type Tick = [i16; HOUSE_FRAMES];

/// The calls of one rate on their way to the speaker.
#[derive(Debug)]
struct Bus {
    converter: Converter,
    sum: [i32; HOUSE_FRAMES],
    /// Ticks since something was laid here.
    idle: u32,
}

/// All that is heard in a tick.
#[derive(Debug)]
pub(super) struct Buses {
    buses: [Bus; RATES.len()],
    sound: [f32; HOUSE_FRAMES],
}

impl Buses {
    /// Made when the process starts.
    pub(super) fn new() -> Result<Self, RateError> {
        let bus = |rate| {
            let idle = RUNG_OUT_TICKS;
            Ok(Bus { converter: Converter::new(rate, HOUSE)?, sum: [0; HOUSE_FRAMES], idle })
        };
        let [a, b, c, d] = RATES.map(bus);
        Ok(Self { buses: [a?, b?, c?, d?], sound: [0.0; HOUSE_FRAMES] })
    }

    /// Adds 10 ms of a call at `rate`.
    pub(super) fn add(&mut self, rate: SampleRate, sound: &[i16], course: Course) {
        let Some(bus) = self.buses.iter_mut().find(|bus| bus.converter.from() == rate) else { return };
        if course.is_silence() {
            return;
        }
        if bus.idle >= RUNG_OUT_TICKS {
            bus.converter.reset();
        }
        bus.idle = 0;
        for ((sum, sample), factor) in bus.sum.iter_mut().zip(sound).zip(course.factors(sound.len())) {
            *sum = sum.saturating_add((f32::from(*sample) * factor) as i32);
        }
    }

    /// The tick's sound, in the range of 16-bit samples and beyond.
    pub(super) fn take(&mut self) -> &mut [f32; HOUSE_FRAMES] {
        self.sound.fill(0.0);
        for bus in self.buses.iter_mut().filter(|bus| bus.idle < RUNG_OUT_TICKS) {
            bus.idle += 1;
            let (mut sum, mut house): (Tick, Tick) = ([0; HOUSE_FRAMES], [0; HOUSE_FRAMES]);
            let frames = bus.converter.from().frames_in_ms(super::TICK_MS);
            for (level, sample) in bus.sum.iter().zip(&mut sum) {
                *sample = (*level).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            }
            bus.sum.fill(0);
            bus.converter.process(sum.get(..frames).unwrap_or_default(), &mut house);
            self.sound.iter_mut().zip(house).for_each(|(sum, sample)| *sum += f32::from(sample));
        }
        &mut self.sound
    }
}

/// The microphone at one rate.
#[derive(Debug)]
struct Ear {
    converter: Converter,
    heard: Tick,
    /// Converted in this tick, and in the one before.
    is_made: bool,
    was_made: bool,
}

/// The microphone at every rate at which somebody asks.
#[derive(Debug)]
pub(super) struct Ears {
    ears: [Ear; RATES.len()],
    sound: Tick,
}

impl Ears {
    /// Made when the process starts.
    pub(super) fn new() -> Result<Self, RateError> {
        let ear = |rate| {
            let converter = Converter::new(HOUSE, rate)?;
            Ok(Ear { converter, heard: [0; HOUSE_FRAMES], is_made: false, was_made: false })
        };
        let [a, b, c, d] = RATES.map(ear);
        Ok(Self { ears: [a?, b?, c?, d?], sound: [0; HOUSE_FRAMES] })
    }

    /// A tick begins, in which the microphone heard this.
    pub(super) fn put(&mut self, sound: &[f32; HOUSE_FRAMES], course: Course) {
        for ((place, level), factor) in self.sound.iter_mut().zip(sound).zip(course.factors(HOUSE_FRAMES)) {
            *place = (level * factor).round() as i16; // saturates
        }
        for ear in &mut self.ears {
            ear.was_made = std::mem::take(&mut ear.is_made);
        }
    }

    /// What it heard, for a call at `rate`.
    pub(super) fn read(&mut self, rate: SampleRate, out: &mut [i16]) {
        let Some(ear) = self.ears.iter_mut().find(|ear| ear.converter.to() == rate) else {
            out.fill(0);
            return;
        };
        if !ear.is_made {
            if !ear.was_made {
                ear.converter.reset();
            }
            ear.converter.process(&self.sound, &mut ear.heard);
            ear.is_made = true;
        }
        out.iter_mut().zip(ear.heard).for_each(|(place, sample)| *place = sample);
    }
}
