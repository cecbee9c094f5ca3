//! How a voice ends where nobody tells that it does. Voices let some silence follow their last sound, so one that stops
//! without any was broken off, be it that the ear is not sure, or busy; until one is heard that ends so.

use offhook_units::Span;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

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
    habit: Arc<AtomicI32>,
    /// Of this call.
    shortest: Option<Span>,
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
    pub(super) fn learn(&mut self, silence: Span, came: Came) {
        let ends_in_mid_sound = self.is_less(silence);
        if came == Came::All && !ends_in_mid_sound {
            self.shortest = Some(self.shortest.map_or(silence, |shortest| shortest.min(silence)));
        }
        let learned = |habit: i32| match (came, ends_in_mid_sound) {
            (Came::All, false) => (habit + 1).min(MOST),
            (Came::All | Came::Nearly, true) => DENIED,
            (Came::Unknown, true) if habit > 0 => habit - 1,
            (Came::Unknown, true) => DENIED,
            _ => habit,
        };
        let _ = self.habit.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |habit| Some(learned(habit)));
    }

    /// Whether one that stops with so much silence was broken off.
    pub(super) fn is_none(&self, silence: Span) -> bool {
        self.is_less(silence) && self.habit.load(Ordering::Relaxed) >= 0
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

    #[test]
    fn an_answer_in_mid_sound_is_none() {
        let mut endings = Endings::default();
        assert_eq!([0, 19, 20, 60].map(|silence| endings.is_none(ms(silence))), [true, true, false, false]);
        for came in [Came::Nearly, Came::Part, Came::Unknown] {
            endings.learn(ms(300), came);
        }
        assert!(!endings.is_none(ms(20)), "nobody knows whether that was all");
        endings.learn(ms(300), Came::All);
        endings.learn(ms(120), Came::All);
        assert_eq!([0, 39, 40, 60].map(|silence| endings.is_none(ms(silence))), [true, true, false, false]);
        (0..9).for_each(|_| endings.learn(ms(0), Came::Part));
        assert!(endings.is_none(ms(39)), "they were none, indeed");
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
            let mut endings = Endings::default();
            (0..before).for_each(|_| endings.learn(ms(300), Came::All));
            for _ in 0..most {
                assert!(endings.is_none(ms(0)));
                endings.learn(ms(0), came);
            }
            (0..99).for_each(|_| endings.learn(ms(300), Came::All));
            assert!(!endings.is_none(ms(0)), "{before}, {came:?}");
            endings.learn(ms(300), Came::All);
            assert!(endings.is_none(ms(0)), "{before}, {came:?}");
        }
    }

    #[test]
    fn what_one_call_learned_is_learned_by_all_but_each_voice_has_its_own_silence() {
        let mut endings = Endings::default();
        let mut other = endings.clone();
        (0..9).for_each(|_| endings.learn(ms(300), Came::All));
        assert!(endings.is_none(ms(50)) && !other.is_none(ms(50)));
        other.learn(ms(0), Came::All);
        assert!(!endings.is_none(ms(0)));
    }
}
