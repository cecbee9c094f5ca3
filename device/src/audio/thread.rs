//! Real-time: the loop; its only system call after the start is the wait for the next tick.
//!
//! Deadlines are absolute, every 10 ms from the start: what was late once does not drift.

pub use super::priority::{Refused, Wishes, follow};

use super::TICK_MS;
use super::gauges::TickGauges;
use super::priority;
use super::stage::Stage;
use crate::clock::Clock;
use offhook_units::{Moment, Span};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

const TICK: Span = Span::from_millis(TICK_MS as i64);

/// After a longer stand-still the ticks in between are given up: a machine that was suspended need not play
/// minutes of holes. In ticks.
const MOST_CAUGHT_UP: u64 = 50;

/// Runs until `stop` is set: `stage` is told each tick's own time. What the system refused is told to `refused` once,
/// before the first tick.
pub fn run(
    mut stage: Stage,
    clock: Clock,
    wishes: Wishes,
    gauges: &Arc<TickGauges>,
    stop: &AtomicBool,
    refused: impl FnOnce([Option<Refused>; 3]),
) {
    refused(priority::ask(wishes));
    let mut beat = Beat::after(clock.now());
    priority::without_denormals(|| {
        while !stop.load(Relaxed) {
            clock.wait_until(beat.next);
            let woke = clock.now();
            gauges.woke(woke.since(beat.next).as_micros().max(0).cast_unsigned());
            let given_up = beat.give_up(woke);
            let mut ticks = 0;
            // Each late tick gets its own time, so that the engine sees an even beat.
            while beat.next <= woke {
                stage.tick(beat.next);
                beat.next += TICK;
                ticks += 1;
            }
            let busy = clock.now().since(woke).as_micros().max(0).cast_unsigned();
            gauges.worked(ticks, given_up, busy);
        }
    });
}

/// When the next tick is due.
#[derive(Debug)]
struct Beat {
    next: Moment,
}

impl Beat {
    /// The first tick behind `now`: ticks lie on whole tens of milliseconds of the shared clock, so that the trunk's
    /// thread can read just before them and send just behind.
    fn after(now: Moment) -> Self {
        let tick_us = TICK.as_micros().cast_unsigned();
        Self { next: Moment::from_micros(now.as_micros().next_multiple_of(tick_us)) }
    }

    /// Leaves out what is too far behind to be caught up with; how many ticks that is.
    fn give_up(&mut self, now: Moment) -> u64 {
        let behind = now.since(self.next).as_micros().max(0).cast_unsigned() / u64::from(TICK_MS * 1000);
        let given_up = if behind > MOST_CAUGHT_UP { behind } else { 0 };
        self.next += Span::from_millis(i64::from(TICK_MS) * given_up.cast_signed());
        given_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rings;

    #[test]
    fn a_short_stand_still_is_caught_up_with_and_a_long_one_is_not() {
        let mut beat = Beat { next: Moment::from_millis(1_000) };
        assert_eq!(beat.give_up(Moment::from_millis(1_500)), 0);
        assert_eq!(beat.next, Moment::from_millis(1_000));
        assert_eq!(beat.give_up(Moment::from_millis(61_004)), 6_000);
        assert_eq!(beat.next, Moment::from_millis(61_000), "the beat stays where it was");
    }

    #[test]
    fn the_thread_ticks_on_its_beat_until_it_is_stopped() {
        let (_trunk, _control, desk) = rings::shared(2);
        let gauges = Arc::new(TickGauges::default());
        let stop = AtomicBool::new(false);
        let clock = Clock::start();
        let began = clock.now();
        let stage = Stage::new(2, desk, gauges.clone());
        std::thread::scope(|scope| {
            scope.spawn(|| run(stage, clock, Wishes::default(), &gauges, &stop, |_refused| {}));
            while gauges.read().ticks < 10 {
                std::thread::yield_now();
            }
            stop.store(true, Relaxed);
        });
        let read = gauges.read();
        let passed = clock.now().since(began).as_micros() as u64 / 10_000;
        assert!(passed >= 9, "10 ticks take 90 ms at least");
        assert!(read.ticks + read.given_up <= passed + 1, "{read:?} in {passed} ticks' time");
        assert_eq!(read.lateness.iter().sum::<u64>() + read.caught_up, read.ticks);
    }
}
