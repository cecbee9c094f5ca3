//! When this thread reads the media sockets and when it sends, against the audio thread's tick.
//!
//! ```text
//! tick k                                                  tick k+1
//!   |---send----(again while a call's packet is missing)---read---read--|---send---
//!    +0.3 ms       +1.3 ms, +2.3 ms …                   -2 ms   -0.5 ms
//! ```
//!
//! Ticks lie on whole tens of milliseconds of the shared clock. Sockets are read just before a tick: the kernel's stamps
//! tell when packets came, and a wake-up serves all calls. The first reading takes in most of them, so that a thread
//! which the system then wakes too late for the second one costs a tick only to those that came between the two. What
//! comes in the last half millisecond is read after the tick, and [`Beat::arrival`] tells the engine so.

use crate::audio::TICK_MS;
use offhook_units::{Moment, Span};

const TICK: Span = Span::from_millis(TICK_MS as i64);
/// The first reading: no ordinary wake-up is late by so much.
const READ_FIRST: Span = Span::from_micros(2_000);
/// The last: long enough to wake up and read some hundred packets before the tick.
const READ_LAST: Span = Span::from_micros(500);
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
        beat.read_next(now);
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
                if self.at < tick - READ_LAST && now < tick - READ_LAST {
                    self.at = tick - READ_LAST;
                } else {
                    (self.next, self.at) = (Step::Send(tick), tick + SEND_AFTER);
                }
            }
            Step::Send(tick) => {
                let again = self.at + AGAIN_AFTER;
                if missing && again + READ_FIRST < tick + TICK && again > now {
                    self.at = again;
                } else {
                    self.read_next(now);
                }
            }
        }
    }

    /// The reading before the next tick: at once where it is too late for both, so that the tick's packets leave in time.
    fn read_next(&mut self, now: Moment) {
        let tick = last_tick(now) + TICK;
        let first = tick - READ_FIRST;
        (self.next, self.at) = (Step::Read, if first > now { first } else { tick - READ_LAST });
    }

    /// When a packet came, as the audio thread has to see it: what is handed over at `now` was not there at the tick
    /// before, whatever its `stamp`. It came behind that tick, be it by the least there is: what comes with a tick is
    /// in time for it.
    pub(super) fn arrival(now: Moment, stamp: Moment) -> Moment {
        stamp.min(now).max(last_tick(now) + Span::from_micros(1))
    }

    /// Whether a packet with this `stamp`, handed over at `now`, missed a tick for which it was here in time.
    pub(super) fn was_late(now: Moment, stamp: Moment) -> bool {
        stamp + READ_LAST < last_tick(now)
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
    use offhook_engine::{Packet, PacketKind, Playout, Settings, Stats};
    use offhook_units::{Codec, RtpTime, SeqNo, Ssrc};
    use proptest::prelude::*;

    const fn us(us: u64) -> Moment {
        Moment::from_micros(us)
    }

    #[test]
    fn a_tick_is_read_before_and_sent_behind() {
        let mut beat = Beat::new(us(1_000));
        for at in [8_000, 9_500] {
            assert_eq!((beat.at(), beat.due(us(at - 1)), beat.due(us(at))), (us(at), None, Some(Step::Read)));
            beat.done(us(at + 10), false);
        }
        assert_eq!((beat.at(), beat.due(us(10_300))), (us(10_300), Some(Step::Send(us(10_000)))));
        beat.done(us(10_310), false);
        assert_eq!(beat.at(), us(18_000));
    }

    #[test]
    fn a_reading_for_which_it_is_too_late_is_left_out() {
        let after_first = |now| {
            let mut beat = Beat::new(us(1_000));
            beat.done(us(now), false);
            (beat.next, beat.at)
        };
        assert_eq!(after_first(9_499), (Step::Read, us(9_500)));
        assert_eq!(after_first(9_500), (Step::Send(us(10_000)), us(10_300)));
        assert_eq!(after_first(21_000), (Step::Send(us(20_000)), us(20_300)), "two ticks late");
        let begun = |now| Beat::new(us(now)).at;
        assert_eq!(
            [begun(7_999), begun(8_000), begun(9_499), begun(9_500)].map(|at| at.as_micros()),
            [8_000, 9_500, 9_500, 9_500]
        );
    }

    #[test]
    fn a_sending_that_ends_just_before_a_tick_costs_the_next_one_nothing() {
        let mut beat = Beat { next: Step::Send(us(10_000)), at: us(10_300) };
        beat.done(us(19_800), false);
        assert_eq!(beat.due(us(19_800)), Some(Step::Read));
        beat.done(us(19_850), false);
        assert_eq!((beat.due(us(20_300)), beat.at()), (Some(Step::Send(us(20_000))), us(20_300)));
    }

    #[test]
    fn a_missing_packet_is_looked_for_until_the_next_reading() {
        let mut beat = Beat::new(us(1_000));
        beat.done(us(8_000), false);
        beat.done(us(9_500), false);
        let mut looks = Vec::new();
        while let Some(Step::Send(_)) = beat.due(beat.at()) {
            looks.push(beat.at().as_micros());
            beat.done(beat.at(), true);
        }
        assert_eq!(looks, [10_300, 11_300, 12_300, 13_300, 14_300, 15_300, 16_300, 17_300]);
        assert_eq!(beat.at(), us(18_000));
    }

    #[test]
    fn what_was_read_behind_a_tick_came_behind_it() {
        assert_eq!(Beat::arrival(us(20_300), us(19_800)), us(20_001));
        assert_eq!(Beat::arrival(us(20_300), us(20_100)), us(20_100));
        assert_eq!(Beat::arrival(us(19_500), us(12_000)), us(12_000));
        assert_eq!(Beat::arrival(us(19_500), us(19_900)), us(19_500), "nothing comes from the future");
    }

    #[test]
    fn a_packet_that_came_too_late_to_be_read_is_not_the_boxs_fault() {
        let late = |stamp| Beat::was_late(us(20_300), us(stamp));
        assert_eq!([late(19_400), late(19_500), late(19_600), late(20_100)], [true, false, false, false]);
        assert!(!Beat::was_late(us(19_700), us(12_000)), "read late, and still before its tick");
    }

    /// Pieces of 10 ms that were not its own sound in 20 s of a caller whose packets come `phase_us` behind a tick, up
    /// to 0.2 ms later, when the first ten seconds are over.
    fn guessed(phase_us: u64) -> u64 {
        let stamps = (0..1_500_u64).map(|n| 20_000 * n + phase_us + n * 7_919 % 200);
        // Each is read at the first reading behind it.
        let read_at = |stamp: u64| {
            let tick = (stamp + 500).div_ceil(10_000) * 10_000;
            if stamp <= tick - 2_000 { tick - 2_000 } else { tick - 500 }
        };
        let mut packets =
            stamps.enumerate().map(|(n, stamp)| (n as u32, us(stamp), us(read_at(stamp)))).peekable();
        let mut playout = Playout::new(Codec::Pcmu, Settings::default()).unwrap();
        let mut sound = vec![0; playout.tick_frames()];
        let guessed = |stats: &Stats| stats.bridged_frames + stats.extrapolated_frames;
        let mut before = 0;
        for tick in (0..30_000_000).step_by(10_000).map(us) {
            while let Some((n, stamp, now)) = packets.next_if(|(_, _, read)| *read < tick) {
                playout.put(&Packet {
                    arrival: Beat::arrival(now, stamp),
                    ssrc: Ssrc(1),
                    seq: SeqNo(n as u16),
                    time: RtpTime(n * 160),
                    kind: PacketKind::Voice(Codec::Pcmu),
                    payload: &[0x55; 160],
                });
            }
            if tick == us(10_000_000) {
                before = guessed(playout.stats());
            }
            playout.render(tick, &mut sound);
        }
        (guessed(playout.stats()) - before) / 80
    }

    #[test]
    fn a_punctual_caller_is_heard_whole_wherever_between_two_ticks_its_packets_come() {
        let bad: Vec<(u64, u64)> = (0..10_000)
            .step_by(100)
            .map(|phase| (phase, guessed(phase)))
            .filter(|(_, pieces)| *pieces > 0)
            .collect();
        assert_eq!(bad, [], "microseconds behind the tick, and pieces that were guessed");
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
