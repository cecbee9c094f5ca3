//! Realtime's answers: which comes, how much of it came, and what of it nobody wants any more. A response has items, and
//! each is truncated by itself to what the caller heard of it; a turn of ours may be several of them.

use crate::all_in_one::{AllInOneEvent, Said};
use crate::wire::audio::{AudioDecoder, AudioFormat};
use offhook_units::{Moment, Span};
use std::collections::VecDeque;

/// An answer that was begun and of which nothing comes for so long is not waited for: before its audio,
const THINKS: Span = Span::from_millis(10_000);
/// and behind some of it. The service sends faster than it is heard, and stops for nothing.
const SILENT: Span = Span::from_millis(3_000);
/// Items of one turn whose lengths are known each by itself; of more only their sum is.
const ITEMS_MAX: usize = 64;

/// What a message is about; a service that does not say leaves a name empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) response: String,
    pub(super) item: String,
}

impl Part {
    /// Whether both may be of the same answer.
    fn is_like(&self, other: &Self) -> bool {
        let same = |one: &str, other: &str| (!one.is_empty() && !other.is_empty()).then(|| one == other);
        same(&self.response, &other.response)
            .or_else(|| same(&self.item, &other.item))
            // Nothing tells them apart.
            .unwrap_or(true)
    }
}

/// An answer that comes.
#[derive(Debug)]
pub(super) struct Answer {
    part: Part,
    decoder: AudioDecoder,
    last: Moment,
    has_sound: bool,
    /// Others say its words.
    is_left: bool,
    /// All of its words came.
    pub(super) written: bool,
}

/// An item of the turn that the caller hears.
#[derive(Debug)]
struct Item {
    name: String,
    /// Samples of it that came.
    came: u64,
    /// More of it was to come: nobody wants it, or others say it.
    is_cut: bool,
}

/// An answer that was stopped.
#[derive(Debug)]
pub(super) struct Stopped {
    pub(super) response: String,
    pub(super) written: bool,
}

/// Answers of one connection after the other.
#[derive(Debug)]
pub(super) struct Answers {
    format: AudioFormat,
    /// The response that the service is at; empty where it did not say which.
    response: Option<String>,
    answer: Option<Answer>,
    /// Those of the turn that the caller hears, in their order,
    items: VecDeque<Item>,
    /// and samples of those before them.
    before: u64,
    /// What was cut off last: what still comes of it is dropped.
    stale: Option<Part>,
    /// The caller has spoken since the last answer began.
    taken: bool,
}

impl Answers {
    pub(super) const fn new(format: AudioFormat) -> Self {
        Self {
            format,
            response: None,
            answer: None,
            items: VecDeque::new(),
            before: 0,
            stale: None,
            taken: false,
        }
    }

    /// What the caller said is complete: true when the service answers. While it is at an answer it does not.
    pub(super) fn callers_turn(&mut self) -> bool {
        self.taken |= self.response.is_none();
        self.response.is_none()
    }

    /// The service begins an answer.
    pub(super) fn responds(&mut self, response: String) {
        // Where nothing has a name what comes from now on is of this one.
        self.stale.take_if(|stale| stale.response.is_empty());
        // Others have said the last one, and nobody told its end.
        self.answer.take_if(|answer| answer.is_left && answer.written);
        self.response = Some(response);
    }

    /// Something of an answer comes: false when nobody wants it any more.
    pub(super) fn comes(&mut self, now: Moment, part: &Part, out: &mut VecDeque<Said>) -> bool {
        if self.stale.as_ref().is_some_and(|stale| stale.is_like(part)) {
            return false;
        }
        if let Some(answer) = self.answer.as_mut().filter(|answer| answer.part == *part) {
            answer.last = now;
            return true;
        }
        self.response = Some(part.response.clone());
        let (decoder, part) = (AudioDecoder::new(self.format), part.clone());
        self.items.push_back(Item { name: part.item.clone(), came: 0, is_cut: false });
        if self.items.len() > ITEMS_MAX {
            self.before += self.items.pop_front().map_or(0, |item| item.came);
        }
        let answer = Answer { part, decoder, last: now, has_sound: false, is_left: false, written: false };
        if self.answer.replace(answer).is_some() {
            out.push_back(Said::Event(AllInOneEvent::Ends));
        }
        if std::mem::take(&mut self.taken) {
            out.push_back(Said::Event(AllInOneEvent::Taken));
        }
        out.push_back(Said::Event(AllInOneEvent::Begins));
        true
    }

    /// The samples of the audio that came with it.
    pub(super) fn audio(&mut self, bytes: &[u8]) -> Vec<i16> {
        let mut samples = Vec::new();
        if let (Some(answer), Some(item)) = (&mut self.answer, self.items.back_mut())
            && !answer.is_left
        {
            answer.decoder.put(bytes, &mut samples);
            answer.has_sound |= !samples.is_empty();
            item.came += samples.len() as u64;
        }
        samples
    }

    /// All words of it came: true when others say them, who wait for no more.
    pub(super) fn written(&mut self, part: &Part) -> bool {
        let answer = self.answer.as_mut().filter(|answer| answer.part == *part);
        answer.is_some_and(|answer| {
            answer.written = true;
            answer.is_left
        })
    }

    /// A response is over: the answer that came with it, if there was one. `None` when nobody waits for that response.
    pub(super) fn done(&mut self, response: &str) -> Option<Option<Answer>> {
        let over = Part { response: response.to_owned(), item: String::new() };
        if self.stale.as_ref().is_some_and(|stale| !response.is_empty() && stale.response == response) {
            return None;
        }
        if self.stale.take_if(|stale| stale.response.is_empty()).is_some() && self.answer.is_none() {
            return None;
        }
        let current = self
            .response
            .take_if(|current| Part { response: current.clone(), item: String::new() }.is_like(&over));
        current.map(|_| self.answer.take())
    }

    /// No more audio of the answer that comes is wanted. Tells whether all of its words came; `None` where there is none,
    /// or none any more.
    pub(super) fn leaves_alone(&mut self) -> Option<bool> {
        let answer = self.answer.as_mut()?;
        let is_new = !std::mem::replace(&mut answer.is_left, true);
        let written = answer.written;
        self.cuts();
        is_new.then_some(written)
    }

    /// No more of the answer that came last is heard in the service's voice.
    pub(super) fn cuts(&mut self) {
        if let Some(item) = self.items.back_mut() {
            item.is_cut = true;
        }
    }

    /// What comes is not wanted any more: what it was, if anything came or was to come.
    pub(super) fn stop(&mut self) -> Option<Stopped> {
        let (response, answer) = (self.response.take()?, self.answer.take());
        if answer.is_some() {
            self.cuts();
        }
        let written = answer.as_ref().is_some_and(|answer| answer.written);
        let item = answer.map(|answer| answer.part.item).unwrap_or_default();
        self.stale = Some(Part { response: response.clone(), item });
        Some(Stopped { response, written })
    }

    /// The items of the turn that were not heard whole when so much of its audio was heard, with how much of each was, in
    /// milliseconds. What others said of an item cannot be told: the service rather knows of a word too few. The item that
    /// comes now is of the next turn.
    pub(super) fn truncate(&mut self, heard: Span) -> Vec<(String, u64)> {
        let rate = u64::from(self.format.rate_hz());
        let mut left = (heard.as_micros().max(0) as u64 * rate / 1_000_000).saturating_sub(self.before);
        let comes = self.answer.as_ref().map(|answer| answer.part.item.clone());
        let mut cut = Vec::new();
        self.items.retain(|Item { name, came, is_cut }| {
            if comes.as_ref() == Some(name) {
                return true;
            }
            // More than came is refused.
            let of_it = left.min(*came);
            left -= of_it;
            let (heard_ms, came_ms) = (of_it * 1000 / rate, came * 1000 / rate);
            if !name.is_empty() && (heard_ms < came_ms || *is_cut) {
                cut.push((name.clone(), heard_ms));
            }
            false
        });
        self.before = 0;
        cut
    }

    /// The answer that comes is the first of its turn.
    pub(super) fn turn_begins(&mut self) {
        let over = self.items.len().saturating_sub(1);
        self.items.drain(..over);
        self.before = 0;
    }

    /// The connection is gone: the answer that came on it, if there was one.
    pub(super) fn broken(&mut self) -> Option<Answer> {
        self.items.clear();
        (self.before, self.taken) = (0, false);
        (self.response, self.stale) = (None, None);
        self.answer.take()
    }

    /// When the answer that comes is given up.
    pub(super) fn poll_timeout(&self) -> Option<Moment> {
        let patience = |answer: &Answer| if answer.has_sound { SILENT } else { THINKS };
        self.answer.as_ref().map(|answer| answer.last + patience(answer))
    }

    /// Stops it if that time has come.
    pub(super) fn fell_silent(&mut self, now: Moment) -> Option<Stopped> {
        if self.poll_timeout().is_some_and(|due| now >= due) { self.stop() } else { None }
    }
}
