//! A voice that does not tell where its words are falls silent, comes too slowly, or breaks off: which of its words came
//! whole is asked of the ear (`crate::ear`), which hears what came beside the text. What is there goes on meanwhile; of a
//! voice that is not known to go on, no further than the last whole word, so that another one can say the next.

use super::foreign::MISHEARD;
use super::layout::{behind, lay_out_heard};
use super::script::Phrase;
use super::turn::Turn;
use super::{Broken, Source, Speaking, SpeakingOutput, ToDevice, ending, stream::Stream};
use crate::ear::{Came, LONGEST_S, Reached};
use crate::text::count;
use crate::tts::JobId;
use offhook_units::{Moment, Span};

/// The ear answers within tens of milliseconds, and in its turn when many calls break at once. When the caller has heard
/// nothing for so long the pace of the voice has to do.
const PATIENCE: Span = Span::from_millis(250);

/// What came of a stream, at the rate at which it came, behind the last word that is known to be over.
#[derive(Debug, Default)]
pub(super) struct Sound {
    samples: Vec<i16>,
    rate_hz: u32,
    /// More came than is kept, or its rate changed: nobody knows where in the text it begins.
    is_part: bool,
    /// So much of the stream came before it, in microseconds,
    pub(super) from_us: u64,
    /// and so many of its characters.
    pub(super) from_chars: u32,
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

    fn is_long(&self) -> bool {
        self.samples.len() >= LONG_S * self.rate_hz as usize
    }

    /// What was heard in it, told from the start of the stream.
    fn in_stream(&self, mut came: Came) -> Came {
        for reached in came.words.iter_mut().chain(&mut came.part) {
            reached.chars = reached.chars.saturating_add(self.from_chars);
            reached.mille = reached.mille.min(999);
            reached.at_ms = reached.at_ms.saturating_add((self.from_us / 1000) as u32);
        }
        came
    }

    /// Forgets what came before this place in the stream.
    fn forget(&mut self, before: Reached) {
        let us = (u64::from(before.at_ms) * 1000).saturating_sub(self.from_us);
        let count = (us * u64::from(self.rate_hz) / 1_000_000) as usize;
        self.samples.drain(..count.min(self.samples.len()));
        (self.from_us, self.from_chars) = (self.from_us + us, before.chars);
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
/// Of a phrase that is as long the ear is asked, so that no more of it need be kept.
const LONG_S: usize = 8;
/// What is over for longer is known for certain.
const PAST_US: u64 = 1_000_000;
/// In less sound the ear finds no word; and of so much more it may have heard another one.
const WORTH_US: u64 = 300_000;
const MORE_US: u64 = 150_000;
/// When the caller waits for it less is worth it: it may be the last that comes.
const LITTLE_MORE_US: u64 = 50_000;

/// What the ear is asked of a stream while it goes on.
#[derive(Debug, Default)]
pub(super) struct Listening {
    /// So much of the stream had come when it was asked last.
    pub(super) asked_us: u64,
    /// and so many characters of its text.
    asked_of: u32,
    /// As this job, and when that was, if it has not answered.
    asked: Option<(JobId, Moment)>,
    /// What it hears is to tell whether the stream is over.
    pub(super) to_its_end: bool,
    /// It answered last, and this.
    came: Option<Came>,
}

impl Listening {
    pub(super) const fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// When it was asked what it has not answered.
    pub(super) fn asked_at(&self) -> Option<Moment> {
        self.asked.map(|(_, at)| at)
    }

    /// Whether it knows which words came whole, or will in a moment.
    fn knows(&self, now: Moment) -> bool {
        self.asked.map_or(self.came.is_some(), |(_, asked)| now < asked + PATIENCE)
    }
}

/// What the ear says of a stream that broke off.
pub(super) enum Answer {
    /// Nothing: that cannot be told.
    Deaf,
    /// It listens.
    Asked,
    /// It had heard all of it already.
    Knows(Came),
}

impl Stream {
    /// So many of its characters were heard in all that came of it, if the ear is sure of that.
    pub(super) fn surely_reached(&self, phrases: &[Phrase]) -> Option<u32> {
        self.surely_came(phrases).and_then(Came::surely_reached)
    }

    /// What was heard then.
    pub(super) fn surely_came(&self, phrases: &[Phrase]) -> Option<&Came> {
        self.all_came(phrases).filter(|came| came.surely_reached().is_some())
    }

    /// What was heard in all that came of it, be it that the ear is not sure.
    pub(super) fn all_came(&self, phrases: &[Phrase]) -> Option<&Came> {
        self.listening.came.as_ref().filter(|_| self.is_all_heard(phrases))
    }

    /// Whether the ear was asked of all that came of it, be it that more of its words came since: where it heard those that
    /// it was asked of to their end, the others may be in what it heard, too.
    fn is_all_heard(&self, phrases: &[Phrase]) -> bool {
        let Listening { asked_us, asked_of, came, .. } = &self.listening;
        let reached = u64::from(came.as_ref().map_or(0, Came::reached));
        let is_outgrown = self.source == Source::AllInOne
            && phrases.get(self.phrase).is_some_and(|phrase| phrase.chars() > *asked_of)
            && came.is_some()
            && reached + MISHEARD >= u64::from(*asked_of);
        *asked_us == self.came_us && !is_outgrown
    }
}

impl Speaking {
    /// Whether the ear could tell where the words of a stream are, and another voice would go on behind them.
    fn may_be_heard(&self, stream: &Stream) -> bool {
        let is_known = stream.tells_nothing() && !stream.sound.is_part && stream.heard.is_none();
        self.has_device && is_known && stream.source != Source::Device
    }

    /// Whether no more of it is played than words that are known to be whole; a service that speaks by itself has its own
    /// pace, and is heard as it is.
    fn is_heard(&self, stream: &Stream) -> bool {
        self.may_be_heard(stream) && stream.source != Source::AllInOne
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
        let Listening { asked_us, asked, came, .. } = &stream.listening;
        // Once it could not tell, it cannot.
        let may_tell = asked.is_none() && (came.is_some() || *asked_us == 0);
        let came_us = stream.came_us();
        let waits = self.whole_words_to().is_some_and(|to| to <= self.played.0);
        let more_us = if waits { LITTLE_MORE_US } else { MORE_US };
        let is_new = may_tell && came_us >= WORTH_US && came_us >= asked_us + more_us;
        let runs_dry =
            || self.is_heard(stream) && self.has_little() && !stream.is_fast(now) && stream.owes(turn);
        if is_new && (runs_dry() || (self.may_be_heard(stream) && stream.sound.is_long())) {
            self.ask(now);
        }
    }

    /// Whether the ear would say anything new of a stream.
    pub(super) fn may_be_asked(&self, stream: &Stream) -> bool {
        let phrases = self.turn.as_ref().map_or(&[][..], |turn| &turn.phrases);
        let is_new = !stream.listening.is_asked() && !stream.is_all_heard(phrases);
        is_new && self.may_be_heard(stream) && !stream.sound.samples.is_empty()
    }

    pub(super) fn ask(&mut self, now: Moment) -> bool {
        let Some(stream) = self.turn.as_ref().and_then(|turn| turn.stream.as_ref()) else { return false };
        let Sound { samples, rate_hz, .. } = &stream.sound;
        // Of what is still kept back nothing was heard.
        if samples.is_empty() || stream.heard.is_some() {
            return false;
        }
        let (samples, rate_hz) = (samples.clone(), *rate_hz);
        self.ask_of(now, samples, rate_hz)
    }

    /// Asks the ear of these samples of the stream, as a job of its own: the device may be saying that stream.
    pub(super) fn ask_of(&mut self, now: Moment, samples: Vec<i16>, rate_hz: u32) -> bool {
        let is_cut = self.foreign_may_be_cut(now, ending::Came::Nearly);
        let Some(turn) = &mut self.turn else { return false };
        let Some(text) = turn.stream.as_ref().map(|stream| given(turn, stream)) else { return false };
        let Some(stream) = &mut turn.stream else { return false };
        self.last_job += 1;
        let job = JobId(self.last_job);
        let to_its_end = stream.listening.to_its_end;
        let (asked_us, asked) = (stream.came_us(), Some((job, now)));
        let asked_of = stream.sound.from_chars + count(&text);
        stream.listening = Listening { asked_us, asked_of, asked, came: None, to_its_end };
        let broken = Broken { text, samples, rate_hz, is_cut };
        self.out.push_back(SpeakingOutput::Device(ToDevice::Place(job, broken)));
        true
    }

    pub(super) fn is_listening_to(&self, job: JobId) -> bool {
        let stream = self.turn.as_ref().and_then(|turn| turn.stream.as_ref());
        stream.is_some_and(|stream| stream.listening.asked.is_some_and(|(asked, _)| asked == job))
    }

    /// The ear need not answer any more: others may wait for it.
    pub(super) fn stop_listening(&mut self, listening: &Listening) {
        if let Some((job, _)) = listening.asked {
            self.out.push_back(SpeakingOutput::Device(ToDevice::Stop(job)));
        }
    }

    /// The ear answers.
    pub(super) fn ear_answers(&mut self, now: Moment, job: JobId, came: Option<Came>) {
        let (end, call_hz) = (self.mix.position(), self.mix.rate_hz());
        if !self.is_listening_to(job) {
            return;
        }
        let Some(turn) = &mut self.turn else { return };
        let Some(mut stream) = turn.stream.take() else { return };
        stream.listening.asked = None;
        if stream.heard.is_some() {
            turn.stream = Some(stream);
            return self.found(now, came.as_ref());
        }
        let came = came.map(|came| stream.sound.in_stream(came));
        stream.listening.came.clone_from(&came);
        let is_all = stream.is_all_heard(&turn.phrases);
        if stream.placed_by.is_some() {
            let job = stream.job;
            turn.stream = Some(stream);
            if is_all || !self.ask(now) {
                self.placed(now, job, came.as_ref());
            }
            return;
        }
        if let Some(heard) = &came
            && let Some(last) = heard.words.last()
        {
            stream.whole_to = stream.position_of(last.at_ms, end, call_hz);
            let asked_us = stream.listening.asked_us;
            let past = heard.words.partition_point(|word| u64::from(word.at_ms) * 1000 + PAST_US <= asked_us);
            let past = heard.words.get(..past).unwrap_or_default();
            if let Some(over) = past.last().filter(|_| stream.sound.is_long()) {
                lay_out_heard(turn, &stream, past, end, call_hz);
                stream.sound.forget(*over);
            }
        }
        let to_its_end = stream.listening.to_its_end;
        if is_all {
            // Where the pace was asked instead of it meanwhile.
            stream.judged_us = 0;
        }
        turn.stream = Some(stream);
        if to_its_end && (is_all || !self.ask(now)) {
            self.heard_out(now, came.as_ref());
        }
    }

    /// The stream broke off: asks the ear which of its words came.
    pub(super) fn ask_ear(&mut self, now: Moment) -> Answer {
        let has_device = self.has_device;
        let Some(turn) = &mut self.turn else { return Answer::Deaf };
        let Some(stream) = &mut turn.stream else { return Answer::Deaf };
        // Below the voice on the device there is none that could go on; and of what is kept back nothing was heard.
        if !has_device || stream.source == Source::Device || stream.heard.is_some() {
            return Answer::Deaf;
        }
        if stream.is_all_heard(&turn.phrases)
            && let Some(came) = stream.listening.came.take()
        {
            return Answer::Knows(came);
        }
        let is_asked = stream.listening.is_asked();
        if is_asked || self.ask(now) {
            let by = self.dry_at().max(now) + PATIENCE;
            if let Some(stream) = self.turn.as_mut().and_then(|turn| turn.stream.as_mut()) {
                stream.placed_by = Some(by);
            }
            return Answer::Asked;
        }
        Answer::Deaf
    }

    /// Whether the answer is awaited.
    pub(super) fn is_placing(&self) -> bool {
        self.turn
            .as_ref()
            .and_then(|turn| turn.stream.as_ref())
            .is_some_and(|stream| stream.placed_by.is_some())
    }
}

/// All that a stream was given to say and is not known to have said.
fn given(turn: &Turn, stream: &Stream) -> String {
    let (first, skip) = behind(turn, stream, stream.sound.from_chars);
    let (tail, _) = turn.tail(first, skip);
    let others = turn.phrases.iter().take(stream.sent_to).skip(first + 1).map(Phrase::text);
    std::iter::once(tail.as_str()).chain(others).collect::<Vec<_>>().join(" ")
}
