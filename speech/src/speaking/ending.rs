//! How a voice ends where nobody tells that it does. Most let some silence follow their last sound; one that always did and
//! stops without any was broken off, be it that the ear is not sure, or busy.

use offhook_units::Span;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is so far below the loudest is silence, as a ratio of powers: 40 dB.
const SILENCE: f32 = 1e-4;
/// It is looked for in pieces of a hundredth of a second.
const PIECES_A_S: u32 = 100;
/// Less silence is in words, too: before a p, a t or a k.
const LEAST: Span = Span::from_millis(40);
/// So many answers make a habit. One without silence that was heard to its last letter counts against as many of them, any
/// other one against one: it may have been broken off,
const HABIT: u32 = 2;
/// and no more than so many are remembered. So a voice that changes has its end said again three times at most.
const MOST: u32 = 4;
/// The shortest silence of them is forgotten slowly: each time by a part of what the next one is longer.
const SLOWLY: i64 = 16;
/// An answer with less of it than this part was broken off.
const PART: i64 = 2;

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

#[derive(Debug, Default)]
struct State {
    /// So many answers ended with silence,
    count: u32,
    /// and this is about the shortest.
    shortest: Option<Span>,
}

/// How the answers of a service end that speaks by itself; clones are one and the same, for all calls.
#[derive(Clone, Debug, Default)]
pub struct Endings(Arc<Mutex<State>>);

impl Endings {
    /// An answer ends with so much silence, which was surely heard to its last letter or not.
    pub(super) fn learn(&self, silence: Span, is_whole: bool) {
        let mut state = self.state();
        if silence >= LEAST && is_whole {
            state.count = (state.count + 1).min(MOST);
            let longer = |shortest: Span| (silence - shortest).as_micros().max(0) / SLOWLY;
            let shortest = |before: Span| silence.min(before + Span::from_micros(longer(before)));
            state.shortest = Some(state.shortest.map_or(silence, shortest));
        } else if state.shortest.is_some_and(|shortest| is_less(silence, shortest)) {
            state.count = state.count.saturating_sub(if is_whole { HABIT } else { 1 });
            state.shortest = state.shortest.filter(|_| state.count > 0);
        }
    }

    /// Whether one with no more silence at its end was broken off.
    pub(super) fn is_none(&self, silence: Span) -> bool {
        let state = self.state();
        state.count >= HABIT && state.shortest.is_some_and(|shortest| is_less(silence, shortest))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_less(silence: Span, shortest: Span) -> bool {
    silence.as_micros() * PART < shortest.as_micros()
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
        tail.put(&[0; 160], 16_000);
        tail.put(&[], 0);
        assert_eq!(tail.silence(), Span::ZERO);
    }

    #[test]
    fn an_answer_that_ends_otherwise_than_those_before_is_none() {
        let endings = Endings::default();
        assert!(!endings.is_none(Span::ZERO));
        endings.learn(ms(200), true);
        assert!(!endings.is_none(Span::ZERO), "one is no habit");
        endings.clone().learn(ms(120), true);
        assert_eq!([0, 59, 60, 120].map(|silence| endings.is_none(ms(silence))), [true, true, false, false]);
        endings.learn(ms(39), true);
        assert!(!endings.is_none(Span::ZERO), "it ends without, too");
        endings.learn(ms(300), false);
        assert!(!endings.is_none(Span::ZERO), "nobody knows whether that was all");
        for _ in 0..9 {
            endings.learn(ms(300), true);
        }
        assert!(endings.is_none(ms(149)) && !endings.is_none(ms(150)));
        endings.learn(ms(100), true);
        assert!(endings.is_none(ms(49)) && !endings.is_none(ms(50)), "it may be shorter");
        (0..100).for_each(|_| endings.learn(ms(300), true));
        assert!(endings.is_none(ms(140)), "the short one is forgotten");
    }

    #[test]
    fn a_voice_that_ends_without_silence_from_now_on_is_believed_soon() {
        for (is_whole, most) in [(true, 2), (false, 3)] {
            let endings = Endings::default();
            (0..100).for_each(|_| endings.learn(ms(300), true));
            for _ in 0..most {
                assert!(endings.is_none(Span::ZERO));
                endings.learn(Span::ZERO, is_whole);
            }
            assert!(!endings.is_none(Span::ZERO), "{is_whole}");
        }
    }
}
