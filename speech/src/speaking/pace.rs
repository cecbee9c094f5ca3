//! How a stream comes: whether the play-out can rely on more of it.

use super::Source;
use super::stream::Stream;
use offhook_units::{Moment, Span};

/// One that comes at the pace at which it is played is not about to be given up for its slowness;
const AHEAD_PERCENT: u64 = 100;
/// and a service whose last audio is no older is sending.
const SENDS: Span = Span::from_millis(150);
/// One that comes so much faster stays ahead, however little there is of it at first.
const CALM_PERCENT: u64 = 250;
/// One that comes so much faster is ahead by a word within a word's time,
const FAST_PERCENT: u64 = 400;
/// unless it sent nothing for so long.
const SILENT: Span = Span::from_millis(100);

impl Stream {
    /// Whether it is sending, no slower than it is played.
    pub(super) fn sends(&self, now: Moment) -> bool {
        self.gets_ahead(AHEAD_PERCENT) && self.last_audio.is_some_and(|last| now.since(last) < SENDS)
    }

    /// Something of it comes. While it was asked for nothing it was not slow.
    pub(super) fn comes(&mut self, now: Moment) {
        let idle =
            self.last_audio.filter(|last| *last <= self.asked).map_or(Span::ZERO, |last| now.since(last));
        self.first_audio = Some(self.first_audio.map_or(now, |first| first + idle));
        self.last_audio = Some(now);
    }

    /// Whether it needs no pause to get ahead of its playing.
    pub(super) fn keeps_ahead(&self) -> bool {
        self.source == Source::Device || self.came_before_us > 0 && self.gets_ahead(CALM_PERCENT)
    }

    /// Whether it is sending so fast that the play-out never comes to what has not come.
    pub(super) fn is_fast(&self, now: Moment) -> bool {
        self.gets_ahead(FAST_PERCENT) && self.last_audio.is_some_and(|last| now.since(last) < SILENT)
    }

    /// Whether it comes at so much of the pace at which it is played, as far as that can be told. Before its second piece
    /// that is taken for granted: a long word of which the first one holds a part would make a gap.
    fn gets_ahead(&self, percent: u64) -> bool {
        let Some((first, last)) = self.first_audio.zip(self.last_audio) else { return false };
        let took_us = last.since(first).as_micros().max(0) as u64;
        self.came_before_us * 100 >= took_us * percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tts::JobId;

    #[test]
    fn a_service_gets_ahead_until_a_piece_of_it_comes_late() {
        let at = Moment::from_millis;
        let mut stream = Stream::new(JobId(1), Source::Socket, (0, 0), 0, false, at(0));
        let mut comes = |ms| {
            stream.heard(at(ms), &[1; 800], 8_000, true);
            stream.gets_ahead(AHEAD_PERCENT)
        };
        // A tenth of a second each.
        assert_eq!([100, 180, 290, 410, 410].map(&mut comes), [true, true, true, false, true]);
    }
}
