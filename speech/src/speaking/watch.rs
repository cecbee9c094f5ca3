//! Words are owed and no audio comes: when to stop waiting. Late enough for a service that is merely slow, early
//! enough that the caller hears no more than 700 ms of nothing.

use super::stream::Stream;
use super::{Source, Speaking, SpeakingEvent};
use offhook_units::{Moment, Span};

/// How long a way of speaking may be silent, and how little may be left to play, before the next way is taken. The
/// sum of the worst cases, 350 + 250 ms and what a voice on the device needs to start, stays below 700 ms.
struct Patience {
    /// Before the first sound of a turn: nobody is cut off in the middle of a word, so there is more of it.
    first: Span,
    quiet: Span,
    left_ms: u64,
}

/// So much more while the first word is not whole: the part of it that came is on its way to the caller, and another
/// voice would say it again.
const FIRST_WORD: Span = Span::from_millis(100);

/// With no other way to speak waiting is all that can be done, but not for ever: what is said next may be heard again.
const ALONE: Span = Span::from_millis(8_000);

/// A service that speaks by itself has pauses of its own. When the caller has heard nothing of it for so long, the ear is
/// asked whether it is in the middle of a sentence,
const PAUSE: Span = Span::from_millis(100);
/// and when it still says nothing then the device goes on in its place, if it is. With what that needs to start the caller
/// hears nothing for less than 700 ms.
const LEFT_ALONE: Span = Span::from_millis(350);
/// Be it that words came only just now.
const LONGEST: Span = Span::from_millis(450);
/// Or the ear has just been asked.
const ANSWERS: Span = Span::from_millis(100);

/// So much of a sound is held back until it is known how it goes on.
const FADE_MS: i64 = 5;

const fn patience(source: Source) -> Option<Patience> {
    match source {
        Source::Socket => {
            Some(Patience { first: Span::from_millis(1_500), quiet: Span::from_millis(250), left_ms: 200 })
        }
        Source::Http => {
            Some(Patience { first: Span::from_millis(1_500), quiet: Span::from_millis(250), left_ms: 100 })
        }
        // There is nothing below the one; the other has a watch of its own.
        Source::Device | Source::AllInOne => None,
    }
}

impl Speaking {
    /// When the stream that runs is given up unless audio comes.
    pub(super) fn watch_due(&self) -> Option<Moment> {
        let turn = self.turn.as_ref()?;
        if let Some(due) = turn.stream.as_ref().and_then(|stream| stream.placed_by.or(stream.untold.by)) {
            return Some(due);
        }
        // An answer over HTTP owes its end, too: only then the next phrase begins.
        let owed = |stream: &&Stream| stream.owes(turn) || stream.source == Source::Http;
        let stream = turn.stream.as_ref().filter(owed)?;
        let Patience { first, quiet, left_ms } = patience(stream.source)?;
        let has_http = self.cloud.as_ref().is_some_and(|cloud| cloud.http.is_some());
        if !self.has_device && (stream.source == Source::Http || !has_http) {
            // A socket has a watch of its own.
            let since = stream.last_audio.unwrap_or(stream.asked).max(stream.asked);
            return (stream.source == Source::Http).then(|| (since + ALONE).max(self.dry_at()));
        }
        if self.mix.made() == turn.starts {
            return Some(stream.asked + first);
        }
        let since = stream.last_new().unwrap_or(stream.asked).max(stream.asked);
        let quiet = if stream.has_a_word() { quiet } else { quiet + FIRST_WORD };
        Some((since + quiet).max(self.dry_at() - Span::from_millis(left_ms as i64)))
    }

    /// When a service that speaks by itself is thought to have fallen silent.
    pub(super) fn silence_due(&self) -> Option<Moment> {
        let turn = self.turn.as_ref()?;
        let stream = turn.stream.as_ref()?;
        let is_foreign = stream.source == Source::AllInOne && stream.last_audio.is_some();
        let may_be_judged = self.has_device && is_foreign && stream.placed_by.is_none();
        let since = self.hears.max(stream.last_audio?);
        let due = if self.may_be_asked(stream) {
            since + PAUSE
        } else {
            // Words that have just come need a moment to be spoken.
            let due = (since + LEFT_ALONE).max((turn.written_to + LEFT_ALONE).min(since + LONGEST));
            let answers = stream.listening.asked_at().map(|asked| asked + ANSWERS);
            answers.map_or(due, |answers| due.max(answers.min(since + LONGEST + ANSWERS)))
        };
        let is_dry = self.played.0 >= self.mix.made();
        (is_dry && may_be_judged && stream.judged_us != stream.came_us).then_some(due)
    }

    /// That time has come.
    pub(super) fn seems_silent(&mut self, now: Moment) {
        let may_be_asked = self
            .turn
            .as_ref()
            .and_then(|turn| turn.stream.as_ref())
            .is_some_and(|stream| self.may_be_asked(stream));
        if may_be_asked && self.ask(now) {
            return;
        }
        if let Some(stream) = self.turn.as_mut().and_then(|turn| turn.stream.as_mut()) {
            stream.judged_us = stream.came_us;
        }
        let stops_short = self.foreign_stream().is_some_and(|stream| stream.stops_short);
        if stops_short || self.foreign_is_in_mid_sentence(now) {
            self.event(SpeakingEvent::LeftAlone);
        }
    }

    /// When everything that may be played is played.
    pub(super) fn dry_at(&self) -> Moment {
        self.played.1 + self.left()
    }

    /// From when on the caller hears nothing, be that over already.
    pub(super) fn hears_nothing_from(&self) -> Moment {
        self.hears + self.left()
    }

    /// Between two phrases: how much of a rest is over. The quiet behind the last sound that was let out, and how long the
    /// caller has heard nothing, if nothing but a fade is left to be played.
    pub(super) fn rested(&self) -> Span {
        let is_dry = self.unplayed() <= Span::from_millis(FADE_MS);
        let silence = if is_dry { self.played.1.since(self.hears).max(Span::ZERO) } else { Span::ZERO };
        self.mix.quiet() + silence
    }

    /// Between two phrases: how much of that quiet is still to be played.
    pub(super) fn unplayed_quiet(&self) -> Span {
        self.mix.quiet().min(self.unplayed())
    }

    fn unplayed(&self) -> Span {
        self.span(self.mix.made().saturating_sub(self.played.0))
    }

    fn left(&self) -> Span {
        let end = self.handed_out_to().map_or(self.mix.made(), |to| to.min(self.mix.made()));
        self.span(end.saturating_sub(self.played.0))
    }

    fn span(&self, frames: u64) -> Span {
        Span::from_micros((frames * 1_000_000 / u64::from(self.mix.rate_hz().max(1))) as i64)
    }
}
