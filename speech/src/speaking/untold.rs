//! A word of which a part was heard goes on in a voice that does not tell where its letters are. What comes of it is kept
//! until the ear has found there how much the caller has heard; that is left out. Where the ear cannot tell, the word is
//! said whole.

use super::timeline::Place;
use super::{Speaking, stream::Stream};
use crate::ear::Came;
use crate::tts::JobId;
use offhook_units::{Moment, Span};

/// Voices are silent before their first character. One that does not say within so much audio where it is will not.
const ALONE_US: u64 = 400_000;
/// The ear is asked once what was heard has surely come as well: most people say more characters a second.
const CHARS_PER_S: u64 = 12;
/// Of the end of a sound it is not sure: so much must have come behind what it finds.
const BEHIND_MS: u32 = 200;
/// The caller hears nothing for no longer than this, and what it takes to say the word whole: 700 ms in all.
const QUIET: Span = Span::from_millis(550);
/// No phrase is longer: what is sent beyond it is not waited for.
const MOST_US: u64 = 60_000_000;

/// What came of a stream in the middle of a word before it is known where in it that is.
#[derive(Debug, Default)]
pub(super) struct Untold {
    samples: Vec<i16>,
    rate_hz: u32,
    /// The ear is waited for until then.
    pub(super) by: Option<Moment>,
    /// All of the stream has come.
    is_over: bool,
}

impl Untold {
    fn length_us(&self) -> u64 {
        self.samples.len() as u64 * 1_000_000 / u64::from(self.rate_hz.max(1))
    }
}

impl Stream {
    /// So many characters and thousandths of the next one are left out, counted from where it begins; `None` where the ear
    /// is not to be asked of it.
    fn to_be_found(&self) -> Option<(u32, u32)> {
        let Place { phrase, chars, mille } = self.heard?;
        (phrase == self.first.0 && !self.aligned).then_some((chars.saturating_sub(self.first.1), mille))
    }
}

impl Speaking {
    /// Keeps samples of which it is not told what they say, until the ear can be asked of them.
    pub(super) fn keep(&mut self, now: Moment, samples: &[i16], rate_hz: u32) {
        let by = self.hears_nothing_from() + QUIET;
        let Some(stream) = self.turn.as_mut().and_then(|turn| turn.stream.as_mut()) else { return };
        let asked_of = stream.to_be_found().filter(|_| self.has_device);
        stream.untold.samples.extend_from_slice(samples.get(stream.left_out..).unwrap_or_default());
        (stream.left_out, stream.untold.rate_hz) = (0, rate_hz);
        if asked_of.is_some() {
            stream.untold.by.get_or_insert(by);
        }
        let chars = asked_of.map_or(0, |(chars, _)| chars + 1);
        let enough_us = ALONE_US + u64::from(chars) * 1_000_000 / CHARS_PER_S;
        let (length_us, is_asked) = (stream.untold.length_us(), stream.listening.is_asked());
        if length_us >= MOST_US {
            self.say_untold(now, None);
        } else if length_us >= enough_us && !is_asked {
            self.find(now);
        }
    }

    /// All of such a stream has come: true where it is kept until the ear has answered.
    pub(super) fn is_kept(&mut self, now: Moment, job: JobId) -> bool {
        let Some(stream) = self.turn.as_mut().and_then(|turn| turn.stream.as_mut()) else { return false };
        if stream.job != job || stream.aligned || stream.heard.is_none() {
            return false;
        }
        stream.untold.is_over = true;
        if !stream.listening.is_asked() {
            self.find(now);
        }
        true
    }

    /// Whether such a stream is kept back, and not for ever.
    pub(super) fn is_keeping(&self) -> bool {
        let stream = self.turn.as_ref().and_then(|turn| turn.stream.as_ref());
        stream.is_some_and(|stream| stream.untold.by.is_some())
    }

    /// Asks the ear where in what was kept that is which the caller has heard.
    fn find(&mut self, now: Moment) {
        let Some(stream) = self.turn.as_ref().and_then(|turn| turn.stream.as_ref()) else { return };
        let Untold { samples, rate_hz, .. } = &stream.untold;
        let may_be_asked = self.has_device && stream.to_be_found().is_some() && !samples.is_empty();
        let (samples, rate_hz) = (samples.clone(), *rate_hz);
        if !may_be_asked || !self.ask_of(now, samples, rate_hz) {
            self.say_untold(now, None);
        }
    }

    /// The ear was asked that, and answers.
    pub(super) fn found(&mut self, now: Moment, came: Option<&Came>) {
        let Some(stream) = self.turn.as_ref().and_then(|turn| turn.stream.as_ref()) else { return };
        let asked_us = stream.listening.asked_us;
        let has_more = asked_us < stream.came_us();
        let behind_ms = if stream.untold.is_over && !has_more { 0 } else { BEHIND_MS };
        let place = stream.to_be_found();
        let found = place.zip(came).and_then(|((chars, mille), came)| came.time_of(chars, mille));
        let found = found.filter(|ms| u64::from(ms.saturating_add(behind_ms)) * 1000 <= asked_us);
        if found.is_none() && came.is_some() && has_more {
            return self.find(now);
        }
        self.say_untold(now, found);
    }

    /// Says what was kept of a stream: from the place where the caller has heard it, or else the word whole.
    pub(super) fn say_untold(&mut self, now: Moment, from_ms: Option<u32>) {
        let call_hz = u64::from(self.mix.rate_hz());
        if from_ms.is_some() {
            // In the middle of the word: no rest is before it.
            self.begin_phrase();
            self.mix.rise();
        } else if let Some(turn) = &mut self.turn
            && let Some(first) = turn.stream.as_ref().map(|stream| stream.first)
        {
            turn.timeline.back_to(Place::new(first.0, first.1));
        }
        let Some(stream) = self.turn.as_mut().and_then(|turn| turn.stream.as_mut()) else { return };
        let Untold { samples, rate_hz, is_over, .. } = std::mem::take(&mut stream.untold);
        let job = stream.job;
        let listening = std::mem::take(&mut stream.listening);
        stream.heard = None;
        if let Some(ms) = from_ms {
            stream.left_out = (u64::from(ms) * u64::from(rate_hz) / 1000) as usize;
            // There it would stand if it were said, too.
            stream.starts = stream.starts.saturating_sub(u64::from(ms) * call_hz / 1000);
        }
        self.stop_listening(&listening);
        self.begin_phrase();
        self.take(&samples, rate_hz, &[]);
        if is_over {
            self.finished(now, job);
        } else {
            self.listen(now);
            self.go_on(now);
        }
    }
}
