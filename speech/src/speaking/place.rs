//! A voice that does not tell where its words are falls silent, comes too slowly, or breaks off: which of its words came
//! whole is asked of the ear (`crate::ear`), which hears what came beside the text. What is there goes on meanwhile; of a
//! voice that is not known to go on, no further than the last whole word, so that another one can say the next.

use super::script::Phrase;
use super::turn::Turn;
use super::{Broken, Source, Speaking, SpeakingOutput, ToDevice, stream::Stream};
use crate::ear::{LONGEST_S, WordEnd};
use crate::tts::JobId;
use offhook_units::{Moment, Span};

/// The ear answers within tens of milliseconds, and in its turn when many calls break at once. What has not come by then
/// would be heard as a hole: the pace of the voice has to do.
const PATIENCE: Span = Span::from_millis(250);

/// What came of a stream, at the rate at which it came.
#[derive(Debug, Default)]
pub(super) struct Sound {
    samples: Vec<i16>,
    rate_hz: u32,
    /// More came than is kept, or its rate changed: it does not begin with the text any more.
    is_part: bool,
}

impl Sound {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    pub(super) fn put(&mut self, samples: &[i16], rate_hz: u32) {
        let fits = self.samples.len() + samples.len() <= LONGEST_S * rate_hz as usize;
        self.is_part |= !fits || (self.rate_hz != rate_hz && !self.samples.is_empty());
        self.rate_hz = rate_hz;
        if self.is_part {
            self.samples = Vec::new();
        } else {
            self.samples.extend_from_slice(samples);
        }
    }
}

/// So much of such a voice is in the play-out's hand: what was handed out cannot be taken back, be it a part of a word.
const HAND_MS: u64 = 200;
/// When little more of it is there it may fall dry in the middle of one, and the hand is smaller:
const LITTLE_MS: u64 = 600;
/// as small as still lets the play-out go on.
const SMALL_HAND_MS: u64 = 80;
/// So much is not kept back for one word: it is a long one, for which the caller would hear nothing for too long, or the ear
/// misheard.
const LONGEST_WORD_MS: u64 = 600;
/// In less sound the ear finds no word; and of so much more it may have heard another one.
const WORTH_US: u64 = 300_000;
const MORE_US: u64 = 150_000;

/// What the ear is asked of a stream while it goes on.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// So much of the stream had come when it was asked last.
    asked_us: u64,
    /// When that was, if it has not answered.
    asked: Option<Moment>,
    /// It answered last, and this.
    words: Option<Vec<WordEnd>>,
}

impl Listening {
    /// Whether it knows which words came whole, or will in a moment.
    fn knows(&self, now: Moment) -> bool {
        self.asked.map_or(self.words.is_some(), |asked| now < asked + PATIENCE)
    }
}

/// What the ear says of a stream that broke off.
pub(super) enum Ear {
    /// Nothing: that cannot be told.
    Deaf,
    /// It listens.
    Asked,
    /// It had heard all of it already.
    Knows(Vec<WordEnd>),
}

impl Speaking {
    /// Whether the ear could tell where the words of a stream are, and another voice would go on behind them.
    fn is_heard(&self, stream: &Stream) -> bool {
        let may_be_heard = stream.tells_nothing() && !stream.sound.is_part;
        self.has_device && may_be_heard && matches!(stream.source, Source::Socket | Source::Http)
    }

    /// How far a stream may be handed out that does not tell where its words are.
    pub(super) fn in_hand_to(&self) -> Option<u64> {
        let turn = self.turn.as_ref()?;
        let stream = turn.stream.as_ref()?;
        let is_held = self.has_device && stream.tells_nothing() && stream.source != Source::Device;
        let hand_ms = if stream.owes(turn) && self.has_little() { SMALL_HAND_MS } else { HAND_MS };
        is_held.then(|| self.played.0 + u64::from(self.mix.rate_hz()) * hand_ms / 1000)
    }

    fn has_little(&self) -> bool {
        let to = self.whole_words_to().map_or(self.mix.made(), |to| to.min(self.mix.made()));
        let left = to.saturating_sub(self.played.0);
        left < u64::from(self.mix.rate_hz()) * LITTLE_MS / 1000
    }

    /// Where the last word ends that is known to be whole, of a voice that does not get ahead of its playing.
    pub(super) fn whole_words_to(&self) -> Option<u64> {
        let turn = self.turn.as_ref()?;
        let stream = turn.stream.as_ref()?;
        let now = self.played.1;
        let is_held =
            self.is_heard(stream) && !stream.is_fast(now) && stream.owes(turn) && stream.may_be_held();
        let most = u64::from(self.mix.rate_hz()) * LONGEST_WORD_MS / 1000;
        let to = stream.whole_to.max(stream.starts).max(self.mix.made().saturating_sub(most));
        // Of a word that was begun the rest is better heard than not.
        (is_held && stream.listening.knows(now) && self.mix.given() <= to).then_some(to)
    }

    /// Asks the ear, if it is time to: which words of the stream are whole, before the play-out comes to one that is not.
    pub(super) fn listen(&mut self, now: Moment) {
        let Some(turn) = &self.turn else { return };
        let Some(stream) = &turn.stream else { return };
        let Listening { asked_us, asked, words } = &stream.listening;
        // Once it could not tell, it cannot.
        let may_tell = asked.is_none() && (words.is_some() || *asked_us == 0);
        let came_us = stream.came_us();
        let is_new = may_tell && came_us >= WORTH_US && came_us >= asked_us + MORE_US;
        if is_new && self.is_heard(stream) && self.has_little() && !stream.is_fast(now) && stream.owes(turn) {
            self.ask(now);
        }
    }

    fn ask(&mut self, now: Moment) -> bool {
        let Some(turn) = &mut self.turn else { return false };
        let Some(text) = turn.stream.as_ref().map(|stream| given(turn, stream)) else { return false };
        let Some(stream) = &mut turn.stream else { return false };
        let Sound { samples, rate_hz, .. } = &stream.sound;
        // Of what is still kept back nothing was heard.
        if samples.is_empty() || stream.heard.is_some() {
            return false;
        }
        let broken = Broken { text, samples: samples.clone(), rate_hz: *rate_hz };
        stream.listening = Listening { asked_us: stream.came_us(), asked: Some(now), words: None };
        self.out.push_back(SpeakingOutput::Device(ToDevice::Place(stream.job, broken)));
        true
    }

    /// The ear answers.
    pub(super) fn ear_answers(&mut self, now: Moment, job: JobId, words: Option<Vec<WordEnd>>) {
        let end = self.mix.position();
        let call_hz = u64::from(self.mix.rate_hz());
        let Some(stream) = self.turn.as_mut().and_then(|turn| turn.stream.as_mut()) else { return };
        if stream.job != job {
            return;
        }
        stream.listening.asked = None;
        let is_all = stream.listening.asked_us == stream.came_us();
        if stream.placed_by.is_none() {
            if let Some(last) = words.as_deref().and_then(<[WordEnd]>::last) {
                let behind_us = stream.came_us().saturating_sub(u64::from(last.at_ms) * 1000);
                stream.whole_to = end.saturating_sub(behind_us * call_hz / 1_000_000);
            }
            stream.listening.words = words;
        } else if is_all || !self.ask(now) {
            self.placed(now, job, words.as_deref());
        }
    }

    /// The stream broke off: asks the ear which of its words came.
    pub(super) fn ask_ear(&mut self, now: Moment) -> Ear {
        let has_device = self.has_device;
        let Some(stream) = self.turn.as_mut().and_then(|turn| turn.stream.as_mut()) else { return Ear::Deaf };
        // Below the voice on the device there is none that could go on.
        if !has_device || stream.source == Source::Device {
            return Ear::Deaf;
        }
        let came_us = stream.came_us();
        let Listening { asked_us, asked, words } = &mut stream.listening;
        if *asked_us == came_us
            && let Some(words) = words.take()
        {
            return Ear::Knows(words);
        }
        let is_asked = asked.is_some();
        if is_asked || self.ask(now) {
            if let Some(stream) = self.turn.as_mut().and_then(|turn| turn.stream.as_mut()) {
                stream.placed_by = Some(now + PATIENCE);
            }
            return Ear::Asked;
        }
        Ear::Deaf
    }

    /// Whether the answer is awaited.
    pub(super) fn is_placing(&self) -> bool {
        self.turn
            .as_ref()
            .and_then(|turn| turn.stream.as_ref())
            .is_some_and(|stream| stream.placed_by.is_some())
    }
}

/// All that a stream was given to say.
fn given(turn: &Turn, stream: &Stream) -> String {
    let (first, skip) = stream.first;
    let (tail, _) = turn.tail(first, skip);
    let others = turn.phrases.iter().take(stream.sent_to).skip(first + 1).map(Phrase::text);
    std::iter::once(tail.as_str()).chain(others).collect::<Vec<_>>().join(" ")
}
