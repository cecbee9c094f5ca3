//! When this thread reads the media sockets and when it sends, against the audio thread's tick.
//!
//! ```text
//! tick k                                            tick k+1
//!   |---send----(again while a call's packet is missing)---read--|---send---
//!    +0.3 ms       +1.3 ms, +2.3 ms …                    -0.5 ms
//! ```
//!
//! Ticks lie on whole tens of milliseconds of the shared clock. Sockets are read once a tick, just before it: the
//! kernel's stamps tell when packets came, and one wake-up serves all calls. What comes in the last half millisecond is
//! read after the tick, and [`Beat::arrival`] tells the engine so.

use crate::audio::TICK_MS;
use offhook_units::{Moment, Span};

const TICK: Span = Span::from_millis(TICK_MS as i64);
/// Long enough to wake up and read some hundred packets before the tick.
const READ_BEFORE: Span = Span::from_micros(500);
/// Long enough for the audio thread to make its first calls' packets.
const SEND_AFTER: Span = Span::from_micros(300);
/// How often a tick is looked after that has not brought every packet yet: a late or a long one.
const AGAIN_AFTER: Span = Span::from_millis(1);

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Read the media sockets.
    Read,
    /// Send what the tick at this time made.
    Send(Moment),
}

/// The rhythm.
#[derive(Debug)]
pub(super) struct Beat {
    next: Step,
    at: Moment,
}

impl Beat {
    /// The rhythm from `now` on.
    pub(super) fn new(now: Moment) -> Self {
        let mut beat = Self { next: Step::Read, at: now };
        beat.read_before_the_tick_behind(now + READ_BEFORE);
        beat
    }

    /// When the next step is due.
    pub(super) const fn at(&self) -> Moment {
        self.at
    }

    /// The step that is due at `now`; to be followed by [`Self::done`].
    pub(super) fn due(&self, now: Moment) -> Option<Step> {
        (self.at <= now).then_some(self.next)
    }

    /// The step is done; `missing` when a call's packet was due and not there.
    pub(super) fn done(&mut self, now: Moment, missing: bool) {
        match self.next {
            Step::Read => {
                // A late reading belongs to the tick that has begun since.
                let tick = last_tick(now).max(last_tick(self.at) + TICK);
                (self.next, self.at) = (Step::Send(tick), tick + SEND_AFTER);
            }
            Step::Send(tick) => {
                let again = self.at + AGAIN_AFTER;
                if missing && again + READ_BEFORE < tick + TICK && again > now {
                    self.at = again;
                } else {
                    self.read_before_the_tick_behind(now + READ_BEFORE);
                }
            }
        }
    }

    fn read_before_the_tick_behind(&mut self, moment: Moment) {
        (self.next, self.at) = (Step::Read, last_tick(moment) + TICK - READ_BEFORE);
    }

    /// When a packet came, as the audio thread has to see it: what is handed over at `now` was not there at the tick
    /// before, whatever its `stamp`.
    pub(super) fn arrival(now: Moment, stamp: Moment) -> Moment {
        stamp.max(last_tick(now)).min(now)
    }
}

/// The tick at or before `moment`.
fn last_tick(moment: Moment) -> Moment {
    let tick_us = TICK.as_micros().cast_unsigned();
    Moment::from_micros(moment.as_micros() / tick_us * tick_us)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn us(us: u64) -> Moment {
        Moment::from_micros(us)
    }

    #[test]
    fn a_tick_is_read_before_and_sent_behind() {
        let mut beat = Beat::new(us(1_000));
        assert_eq!(
            (beat.at(), beat.due(us(9_499)), beat.due(us(9_500))),
            (us(9_500), None, Some(Step::Read))
        );
        beat.done(us(9_510), false);
        assert_eq!((beat.at(), beat.due(us(10_300))), (us(10_300), Some(Step::Send(us(10_000)))));
        beat.done(us(10_310), false);
        assert_eq!(beat.at(), us(19_500));
    }

    #[test]
    fn a_missing_packet_is_looked_for_until_the_next_reading() {
        let mut beat = Beat::new(us(1_000));
        beat.done(us(9_500), false);
        let mut looks = Vec::new();
        while let Some(Step::Send(_)) = beat.due(beat.at()) {
            looks.push(beat.at().as_micros());
            beat.done(beat.at(), true);
        }
        assert_eq!(looks, [10_300, 11_300, 12_300, 13_300, 14_300, 15_300, 16_300, 17_300, 18_300, 19_300]);
        assert_eq!(beat.at(), us(19_500));
    }

    #[test]
    fn what_was_read_behind_a_tick_came_behind_it() {
        assert_eq!(Beat::arrival(us(20_300), us(19_800)), us(20_000));
        assert_eq!(Beat::arrival(us(19_500), us(12_000)), us(12_000));
        assert_eq!(Beat::arrival(us(19_500), us(19_900)), us(19_500), "nothing comes from the future");
    }

    proptest! {
        #[test]
        fn however_late_the_thread_is_it_never_sends_for_a_tick_to_come_and_goes_on(
            lateness in prop::collection::vec((0..40_000_u64, any::<bool>()), 1..200),
        ) {
            let mut beat = Beat::new(us(12_345));
            for (late, missing) in lateness {
                let now = beat.at() + Span::from_micros(late as i64);
                let step = beat.due(now).unwrap();
                if let Step::Send(tick) = step {
                    prop_assert!(tick <= now);
                }
                beat.done(now, missing);
                prop_assert!(beat.at() > now || beat.due(now) != Some(step), "{beat:?} at {now:?}");
                prop_assert!(beat.at().since(now) <= TICK);
            }
        }
    }
}
