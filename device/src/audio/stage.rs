//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! All lines, and the tick that serves them in turn.

use super::gauges::TickGauges;
use super::line::Line;
use super::sound::Sound;
use super::{Command, Retired};
use crate::rings::AudioDesk;
use offhook_units::Moment;
use std::sync::Arc;

/// Commands carried out in one tick at most. Each is a move or two; the rest waits for the next tick.
const MOST_COMMANDS_A_TICK: usize = 64;

/// A line's place.
#[derive(Debug, Default)]
struct Place {
    line: Option<Box<Line>>,
    /// The call is over; the line waits for room in the retire ring.
    closed: bool,
}

/// The lines of all calls.
#[derive(Debug)]
pub struct Stage {
    places: Box<[Place]>,
    desk: AudioDesk,
    sound: Option<Box<Sound>>,
    no_room: u64,
    gauges: Arc<TickGauges>,
}

impl Stage {
    /// Room for `most_calls` calls.
    // start-up: makes the places of all calls.
    pub fn new(most_calls: usize, desk: AudioDesk, gauges: Arc<TickGauges>) -> Self {
        let places = (0..most_calls).map(|_| Place::default()).collect();
        Self { places, desk, sound: None, no_room: 0, gauges }
    }

    /// The same with a sound card.
    #[must_use]
    pub fn with_sound(self, sound: Box<Sound>) -> Self {
        Self { sound: Some(sound), ..self }
    }

    /// 10 ms of every call; `now` is the tick's own time.
    pub fn tick(&mut self, now: Moment) {
        for _ in 0..MOST_COMMANDS_A_TICK {
            // Nothing is taken that could not be given back.
            if self.desk.retired.is_full() {
                break;
            }
            let Ok(command) = self.desk.trunk.pop().or_else(|_none| self.desk.control.pop()) else { break };
            self.carry_out(command);
        }
        if let Some(sound) = &mut self.sound {
            sound.begin();
        }
        let mut lines = 0;
        for place in &mut self.places {
            if place.closed {
                retire(place, &mut self.desk);
            } else if let Some(line) = &mut place.line {
                line.tick(now, self.sound.as_deref_mut());
                lines += 1;
            }
        }
        if let Some(sound) = &mut self.sound {
            sound.end();
        }
        self.gauges.serves(lines, self.no_room);
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Open(line) => match self.places.iter_mut().find(|place| place.line.is_none()) {
                Some(place) => *place = Place { line: Some(line), closed: false },
                None => {
                    self.no_room += 1;
                    give_back(&mut self.desk, Retired::Line(line));
                }
            },
            Command::Recode(id, media) => {
                let line = self.lines().find(|line| line.id() == id);
                let old = match line {
                    Some(line) => line.recode(media),
                    None => media,
                };
                give_back(&mut self.desk, Retired::Media(old));
            }
            Command::Send(id, sends) => {
                if let Some(line) = self.lines().find(|line| line.id() == id) {
                    line.set_sends(sends);
                }
            }
            Command::Hush(id) => {
                if let Some(line) = self.lines().find(|line| line.id() == id) {
                    line.hush();
                }
            }
            Command::Tune(settings) => self.lines().for_each(|line| line.tune(settings)),
            Command::Sound(settings) => {
                if let Some(sound) = &mut self.sound {
                    sound.set(settings);
                }
            }
            Command::Close(id) => {
                let is_it = |place: &&mut Place| place.line.as_ref().is_some_and(|line| line.id() == id);
                if let Some(place) = self.places.iter_mut().find(is_it) {
                    place.closed = true;
                    retire(place, &mut self.desk);
                }
            }
        }
    }

    fn lines(&mut self) -> impl Iterator<Item = &mut Line> {
        self.places.iter_mut().filter(|place| !place.closed).filter_map(|place| place.line.as_deref_mut())
    }
}

/// Gives a closed line back, or leaves it where it is until there is room.
fn retire(place: &mut Place, desk: &mut AudioDesk) {
    let Some(line) = place.line.take() else { return };
    line.publish();
    if let Err(rtrb::PushError::Full(Retired::Line(line))) = desk.retired.push(Retired::Line(line)) {
        place.line = Some(line);
    }
}

/// Gives back what has no place to wait in. There was room before the command was taken.
fn give_back(desk: &mut AudioDesk, retired: Retired) {
    if let Err(rtrb::PushError::Full(retired)) = desk.retired.push(retired) {
        // Freeing it here would break the contract; leaking it, which cannot happen, would only cost memory.
        std::mem::forget(retired);
    }
}
