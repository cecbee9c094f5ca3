//! One turn: its phrases, who says them, and how far it has come.

use super::Source;
use super::Spoken;
use super::script::{Phrase, joined, phrases, words_end};
use super::stream::Stream;
use super::timeline::{Place, Timeline};
use crate::text::{End, PlanSettings, Planner, Rest, Sentence, SpeechRate, Splitter};
use offhook_units::{Moment, Span};
use std::ops::Range;

/// A pause within a sentence, when a pace is measured: the middle of C3's range, whatever the table has. Measured with its
/// own pauses a table of long ones would take the voice for a slow one, and lengthen them again.
const USUAL_PAUSE: Span = Span::from_millis(150);
/// So much of what was said before is told to a service, for the melody.
const BEFORE_MAX: usize = 300;

#[derive(Debug)]
pub(super) struct Turn {
    planner: Planner,
    pub(super) phrases: Vec<Phrase>,
    pub(super) sentences: u32,
    /// A breath that no words have followed yet.
    pub(super) breath_behind: Option<Rest>,
    /// No text follows.
    pub(super) complete: bool,
    /// A part of it was said by no voice.
    pub(super) is_cut: bool,
    /// All of its audio is made.
    pub(super) is_made: bool,
    pub(super) timeline: Timeline,
    /// Who speaks.
    pub(super) stream: Option<Stream>,
    /// The words of a service that still come, and that others say.
    pub(super) coming: Option<Splitter>,
    /// When last such words came.
    pub(super) written_to: Moment,
    /// The first phrase that no stream has taken, and how many characters of it are over.
    pub(super) next: usize,
    pub(super) skip: u32,
    /// Of the word behind those the caller has heard a part: to here.
    pub(super) heard: Option<Place>,
    /// The socket failed at this phrase: it does not get it again.
    pub(super) lost_at: Option<usize>,
    /// The last phrase that was begun: the rest before it is in the stream, whoever says it in the end.
    pub(super) begun: Option<usize>,
    pub(super) last_source: Option<Source>,
    /// A service that speaks by itself began it,
    pub(super) is_foreign: bool,
    /// and its own voice came to here before others went on.
    pub(super) own_voice_to: Option<u64>,
    /// These phrases, which flow into one another, lasted so long with usual pauses between them.
    flow: (Range<usize>, Span),
    /// Some of its audio came.
    pub(super) has_sounded: bool,
    /// Where in the stream of samples it starts.
    pub(super) starts: u64,
}

impl Turn {
    pub(super) fn new(plan: PlanSettings, seed: u64, starts: u64) -> Self {
        Self {
            planner: Planner::new(plan, seed),
            phrases: Vec::new(),
            sentences: 0,
            breath_behind: None,
            complete: false,
            is_cut: false,
            is_made: false,
            timeline: Timeline::default(),
            stream: None,
            coming: None,
            written_to: Moment::ZERO,
            next: 0,
            skip: 0,
            heard: None,
            lost_at: None,
            begun: None,
            last_source: None,
            is_foreign: false,
            own_voice_to: None,
            flow: (0..0, Span::ZERO),
            has_sounded: false,
            starts,
        }
    }

    pub(super) fn add(&mut self, sentence: &Sentence, rate: SpeechRate) {
        let more = phrases(&mut self.planner, sentence, rate, self.sentences, &mut self.breath_behind);
        if !more.is_empty() {
            self.sentences += 1;
        }
        self.phrases.extend(more);
    }

    /// More follows behind all that it has so far, as sentences of its own.
    pub(super) fn goes_on(&mut self) {
        if let Some(last) = self.phrases.last_mut() {
            last.trim();
        }
        self.planner.follows(End::Line);
        (self.complete, self.is_made) = (false, false);
    }

    /// What of phrase `at` is left behind its first `skip` characters, and what was said before that.
    pub(super) fn tail(&self, at: usize, skip: u32) -> (String, String) {
        let text = self.phrases.get(at).map(Phrase::text).unwrap_or_default();
        let (said, left) = text.split_at_checked(words_end(text, skip)).unwrap_or(("", text));
        let mut before: Vec<&str> = self.phrases.iter().take(at).map(Phrase::text).collect();
        before.push(said);
        let before = before.join(" ");
        let from = before.len().saturating_sub(BEFORE_MAX);
        let from = (from..before.len()).find(|&at| before.is_char_boundary(at)).unwrap_or(before.len());
        (left.trim().to_owned(), before.get(from..).unwrap_or_default().trim().to_owned())
    }

    /// What of phrase `at` is left behind its first `skip` characters, with those that follow it until `to`; and what was said
    /// before that.
    pub(super) fn tail_to(&self, at: usize, skip: u32, to: usize) -> (String, String) {
        let (mut text, before) = self.tail(at, skip);
        for phrase in self.phrases.iter().take(to).skip(at + 1) {
            text.push(' ');
            text.push_str(phrase.text());
        }
        (text.trim().to_owned(), before)
    }

    /// Phrase `at` lasted so long. Gives a text and how long that lasted once its last part is over: a pace is measured with
    /// the pauses at commas, as people count it.
    pub(super) fn sounded(&mut self, at: usize, length: Span) -> Option<(String, Span)> {
        let phrase = self.phrases.get(at)?;
        let (phrases, whole) = &mut self.flow;
        if phrase.flows && phrases.end == at {
            *whole = *whole + USUAL_PAUSE + length;
        } else {
            (phrases.start, *whole) = (at, length);
        }
        phrases.end = at + 1;
        let is_last = self.phrases.get(at + 1).is_none_or(|next| !next.flows);
        is_last.then(|| (joined(self.phrases.get(phrases.clone()).unwrap_or_default()), *whole))
    }

    /// What of it is heard when the stream is heard up to `position`.
    pub(super) fn spoken(&self, position: u64) -> Spoken {
        let heard = self.timeline.at(position);
        let mut words: Vec<&str> = self.phrases.iter().take(heard.phrase).map(Phrase::text).collect();
        let mut whole = self.complete && !self.is_cut && heard.phrase + 1 >= self.phrases.len();
        if let Some(phrase) = self.phrases.get(heard.phrase) {
            let (text, end) = (phrase.text(), words_end(phrase.text(), heard.chars));
            whole &= end >= text.trim_end().len() || phrase.chars() <= heard.chars;
            words.push(text.get(..end).unwrap_or_default());
        }
        words.retain(|words| !words.is_empty());
        Spoken { text: words.join(" "), whole }
    }
}
