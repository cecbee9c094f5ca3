//! How a voice ends where nobody tells that it does. Voices let some silence follow their last sound, so one that stops
//! without any was broken off, be it that the ear is not sure, or busy; until one is heard that ends so.

use offhook_units::{Moment, Span};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// What is so far below the loudest is silence, as a ratio of powers: 40 dB.
const SILENCE: f32 = 1e-4;
/// It is looked for in pieces of a hundredth of a second.
const PIECES_A_S: u32 = 100;
/// So much of it follows at least, before a call has heard how much,
const LEAST: Span = Span::from_millis(60);
/// and what ends with less than this part of it ends in mid-sound. In words there is silence, too: before a p, a t or a k.
const PART: i64 = 3;
/// So many answers that ended with silence are remembered: of those that do not, and of which the ear tells nothing, so many
/// in a row are taken for broken, and one more.
const MOST: i32 = 4;
/// What ends in mid-sound within so long is one outage of the service, and tells no more than the first of it.
const OUTAGE: Span = Span::from_millis(5_000);
/// One that came to its last letters and ends in mid-sound tells more than those with silence: seldom does a voice break off
/// just there.
const DENIED: i32 = -100;

/// How much silence is at the end of a sound that comes piece by piece.
#[derive(Debug, Default)]
pub(super) struct Tail {
    rate_hz: u32,
    /// Of the piece that is not full yet.
    power: f32,
    count: u32,
    /// The power of a sample in the loudest piece.
    loudest: f32,
    /// Samples since the last piece that was no silence.
    silent: u64,
}

impl Tail {
    pub(super) fn put(&mut self, samples: &[i16], rate_hz: u32) {
        if self.rate_hz != rate_hz {
            *self = Self { rate_hz, ..Self::default() };
        }
        for &sample in samples {
            self.power += f32::from(sample).powi(2);
            self.count += 1;
            if self.count * PIECES_A_S >= rate_hz {
                self.loudest = self.loudest.max(self.power / self.count as f32);
                self.silent = self.rest();
                (self.power, self.count) = (0.0, 0);
            }
        }
    }

    /// The samples of silence at its end.
    fn rest(&self) -> u64 {
        let is_silent = self.power <= self.loudest * SILENCE * self.count as f32;
        if is_silent { self.silent + u64::from(self.count) } else { 0 }
    }

    /// How long the silence at its end is.
    pub(super) fn silence(&self) -> Span {
        Span::from_micros((self.rest() * 1_000_000 / u64::from(self.rate_hz.max(1))) as i64)
    }
}

/// How the answers of a service end that speaks by itself. What was learned of it is one and the same in all clones; but how
/// much silence follows each call learns for itself: there may be several voices.
#[derive(Clone, Debug, Default)]
pub struct Endings {
    habit: Arc<Habit>,
    /// Of this call.
    shortest: Option<Span>,
    /// One was taken for broken in this call of which the ear told nothing. It may be a language that the ear cannot read,
    /// beside calls in others.
    was_guessed: bool,
}

#[derive(Debug, Default)]
struct Habit {
    level: AtomicI32,
    /// Until then it is not doubted again, and a denial does not count, in microseconds.
    outage_to: AtomicU64,
}

/// How much of an answer was heard that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// Surely all of it.
    All,
    /// It came to its last letters.
    Nearly,
    /// Surely not all of it.
    Part,
    /// Nobody knows.
    Unknown,
}

impl Endings {
    /// An answer ended with so much silence.
    pub(super) fn learn(&mut self, now: Moment, silence: Span, came: Came) {
        let ends_in_mid_sound = self.is_less(silence);
        if came == Came::All && !ends_in_mid_sound {
            self.shortest = Some(self.shortest.map_or(silence, |shortest| shortest.min(silence)));
        }
        let Habit { level, outage_to } = &*self.habit;
        let habit = level.load(Ordering::Relaxed);
        let learned = match (came, ends_in_mid_sound) {
            (Came::Part, _) => habit,
            (_, false) => (habit + 1).min(MOST),
            _ if habit < 0 || self.is_in_outage(now) => habit,
            (Came::Unknown, true) if habit > 0 => habit - 1,
            (_, true) => DENIED,
        };
        if learned < habit {
            outage_to.store((now + OUTAGE).as_micros(), Ordering::Relaxed);
        }
        level.store(learned, Ordering::Relaxed);
        self.was_guessed |= ends_in_mid_sound && came == Came::Unknown;
    }

    /// Whether one that stops with so much silence was broken off, of which so much was heard.
    pub(super) fn is_none(&self, now: Moment, silence: Span, came: Came) -> bool {
        let is_habit = self.habit.level.load(Ordering::Relaxed) >= 0 || self.is_in_outage(now);
        self.is_less(silence) && is_habit && !(self.was_guessed && came == Came::Unknown)
    }

    fn is_in_outage(&self, now: Moment) -> bool {
        now.as_micros() < self.habit.outage_to.load(Ordering::Relaxed)
    }

    fn is_less(&self, silence: Span) -> bool {
        silence.as_micros() * PART < self.shortest.unwrap_or(LEAST).as_micros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: i64) -> Span {
        Span::from_millis(ms)
    }

    #[test]
    fn the_silence_at_the_end_of_a_sound_is_measured_however_it_comes_in_pieces() {
        let mut sound: Vec<i16> = (0..8_000).map(|n| if n % 7 < 3 { 6_000 } else { -6_000 }).collect();
        for (silence_ms, told_ms) in [(0, 0), (5, 5), (70, 70), (200, 200)] {
            sound.resize(8_000 + silence_ms * 8, 30);
            for piece in [1, 33, 160, 10_000] {
                let mut tail = Tail::default();
                sound.chunks(piece).for_each(|piece| tail.put(piece, 8_000));
                assert_eq!(tail.silence(), ms(told_ms), "{silence_ms} ms in pieces of {piece}");
            }
        }
        let mut tail = Tail::default();
        tail.put(&sound, 8_000);
        tail.put(&[6_000; 3], 8_000);
        assert_eq!(tail.silence(), Span::ZERO, "it goes on");
        tail.put(&[i16::MIN; 9], 0);
        tail.put(&[], u32::MAX);
        assert_eq!(tail.silence(), Span::ZERO);
    }

    /// Ends that are too far apart to be one outage.
    struct Service {
        endings: Endings,
        minutes: i64,
    }

    impl Service {
        fn new() -> Self {
            Self { endings: Endings::default(), minutes: 0 }
        }

        /// The same service in another call.
        fn calls(&self) -> Self {
            let endings = Endings { habit: Arc::clone(&self.endings.habit), ..Endings::default() };
            Self { endings, minutes: self.minutes }
        }

        fn now(&self) -> Moment {
            Moment::from_micros(0) + Span::from_millis(60_000 * self.minutes)
        }

        fn ends(&mut self, silence_ms: i64, came: Came) {
            self.minutes += 1;
            self.endings.learn(self.now(), ms(silence_ms), came);
        }

        fn is_none(&self, silence_ms: i64, came: Came) -> bool {
            self.endings.is_none(self.now() + Span::from_millis(30_000), ms(silence_ms), came)
        }
    }

    #[test]
    fn an_answer_in_mid_sound_is_none() {
        let mut service = Service::new();
        assert_eq!([0, 19, 20, 60].map(|ms| service.is_none(ms, Came::Unknown)), [true, true, false, false]);
        for came in [Came::Nearly, Came::Part, Came::Unknown] {
            service.ends(300, came);
        }
        assert!(!service.is_none(20, Came::Nearly), "nobody knows whether that was all");
        service.ends(300, Came::All);
        service.ends(120, Came::All);
        assert_eq!([0, 39, 40, 60].map(|ms| service.is_none(ms, Came::Unknown)), [true, true, false, false]);
        (0..9).for_each(|_| service.ends(0, Came::Part));
        assert!(service.is_none(39, Came::Unknown), "they were none, indeed");
    }

    #[test]
    fn a_voice_that_ends_in_mid_sound_is_believed_soon_and_for_long() {
        for (before, came, most) in [
            (0, Came::All, 1),
            (9, Came::All, 1),
            (0, Came::Nearly, 1),
            (0, Came::Unknown, 1),
            (9, Came::Unknown, 5),
        ] {
            for silent in [Came::All, Came::Nearly, Came::Unknown] {
                let mut service = Service::new();
                (0..before).for_each(|_| service.ends(300, Came::All));
                for _ in 0..most {
                    service = service.calls();
                    assert!(service.is_none(0, came));
                    service.ends(0, came);
                }
                service = service.calls();
                (0..99).for_each(|_| service.ends(300, silent));
                assert!(!service.is_none(0, came), "{before}, {came:?}");
                service.ends(300, silent);
                assert!(service.is_none(0, came), "{before}, {came:?}");
            }
        }
    }

    #[test]
    fn what_one_call_learned_is_learned_by_all_but_each_voice_has_its_own_silence() {
        let mut service = Service::new();
        let mut other = service.calls();
        (0..9).for_each(|_| service.ends(300, Came::All));
        assert!(service.is_none(50, Came::Part) && !other.is_none(50, Came::Part));
        other.ends(0, Came::All);
        assert!(!service.is_none(0, Came::Part));
    }

    #[test]
    fn in_a_language_that_the_ear_cannot_read_it_is_guessed_once_a_call() {
        let mut english = Service::new();
        let mut other = english.calls();
        for _ in 0..99 {
            (0..2).for_each(|_| english.ends(150, Came::All));
            other.ends(0, Came::Unknown);
            assert!(!other.is_none(0, Came::Unknown));
            assert!(other.is_none(0, Came::Part), "where the ear tells it is no guess");
        }
        assert!(english.calls().is_none(0, Came::Unknown));
    }

    #[test]
    fn an_outage_that_breaks_many_answers_is_one() {
        for (came, is_none_later) in [(Came::Unknown, true), (Came::Nearly, false)] {
            let mut service = Service::new();
            (0..9).for_each(|_| service.ends(300, Came::All));
            let begins = service.now() + Span::from_millis(60_000);
            for call in 0..100 {
                let now = begins + Span::from_millis(20 * call);
                let mut call = service.calls().endings;
                assert!(call.is_none(now, ms(0), came));
                call.learn(now, ms(0), came);
            }
            service.minutes += 1;
            assert_eq!(service.is_none(0, came), is_none_later);
        }
    }
}
