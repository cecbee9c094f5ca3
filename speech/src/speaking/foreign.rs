//! Turns that a service thinks and speaks by itself: its words and its audio come side by side, nothing tells which
//! word lies where, and its pauses are its own. When it breaks off, the device says the words that are left.

use super::script::Phrase;
use super::stream::{Stream, pace};
use super::{Source, Speaking, SpeakingEvent, ending};
use crate::ear::{Came, spoken};
use crate::text::{End, Sentence, Splitter, count, is_speakable};
use crate::tts::JobId;
use offhook_units::{Moment, Span};

/// Words of one turn, in bytes; what is more is heard and not remembered.
const WORDS_MAX: usize = 16_000;
/// Characters a second without white space, before a turn of this service was measured.
const USUAL_CHARS_PER_S: u64 = 12;

/// When no more came for so long the last word is not a part of one.
pub(super) const WORD: Span = Span::from_millis(250);

/// A voice on the device needs so long to begin.
const STARTS: Span = Span::from_millis(150);

/// By so many characters the ear may be wrong at the end of a text.
pub(super) const MISHEARD: u64 = 3;
/// Where it cannot tell, the pace of the voice does: it surely lies between these, in percent of what it was before.
const SLOWEST: u64 = 60;
const FASTEST: u64 = 150;

/// Nine tenths are all of it: its end is not worth a second voice.
const fn is_nearly(chars: u64, all: u32) -> bool {
    chars * 10 >= all as u64 * 9
}

/// How many characters of a text are over where its sentences end, those included that are not spoken.
pub(super) fn sentence_ends(text: &str) -> Vec<u64> {
    let mut at = 0;
    let end = |sentence: &Sentence| {
        for word in sentence.text.split_whitespace() {
            let found = text.get(at..).and_then(|rest| rest.find(word));
            at = found.map_or(at, |found| at + found + word.len());
        }
        u64::from(count(text.get(..at).unwrap_or_default()))
    };
    let sentences = Splitter::of_whole().all(text);
    sentences.iter().filter(|sentence| sentence.end != End::Cut).map(end).collect()
}

impl Speaking {
    /// A turn of such a service begins; true when it is a new one. One that the caller still hears, and of which all
    /// has come, goes on instead.
    pub fn begin_foreign(&mut self, now: Moment) -> bool {
        let is_new = !self.foreign_may_go_on();
        if is_new {
            self.begin(now);
        }
        self.mix.finish();
        self.last_job += 1;
        let (job, rate) = (JobId(self.last_job), self.foreign_chars_per_s);
        if let Some(turn) = &mut self.turn {
            let at = turn.phrases.len();
            turn.sentences = 1;
            turn.phrases.push(Phrase::new(String::new(), None, 0, is_new));
            (turn.complete, turn.is_made, turn.is_foreign) = (false, false, true);
            turn.stream = Some(Stream::new(job, Source::AllInOne, (at, 0), at + 1, false, now).at_pace(rate));
        }
        is_new
    }

    /// Whether the turn that the caller hears is such a one, and nobody speaks in it any more.
    pub fn foreign_may_go_on(&self) -> bool {
        let is_foreign = |source: Source| source == Source::AllInOne;
        self.turn
            .as_ref()
            .is_some_and(|turn| turn.stream.is_none() && turn.last_source.is_some_and(is_foreign))
    }

    /// Whether such a turn is on its way, whoever says its words.
    pub fn is_foreign(&self) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.is_foreign)
    }

    /// Whether others say the rest of such a turn, or will in a moment, and the caller has not heard all of it. Not where
    /// they have shown that they cannot.
    pub fn foreign_is_stood_in_for(&self) -> bool {
        self.turn.as_ref().filter(|turn| turn.is_foreign && !turn.is_cut).is_some_and(|turn| {
            let others_speak =
                |stream: &Stream| stream.source != Source::AllInOne || stream.placed_by.is_some();
            turn.stream.as_ref().map_or(!self.foreign_may_go_on(), others_speak)
        })
    }

    /// Another turn of such a service begins meanwhile. It is said by those others, too, behind that rest: as
    /// [`Speaking::foreign_words`] tells it, until [`Speaking::foreign_end`].
    pub fn foreign_follows(&mut self, now: Moment) {
        let Some(turn) = &mut self.turn else { return };
        let before = turn.coming.replace(Splitter::new());
        turn.goes_on();
        self.say_all(now, &before.map_or_else(Vec::new, |mut before| before.finish()));
    }

    /// The next words of such a turn.
    pub fn foreign_words(&mut self, now: Moment, text: &str) {
        let is_spoken = self.foreign_job().is_some();
        let Some(turn) = &mut self.turn else { return };
        turn.written_to = now;
        if let Some(coming) = &mut turn.coming {
            let sentences = coming.push(text);
            self.say_all(now, &sentences);
        } else if is_spoken
            && let Some(phrase) = turn.phrases.last_mut()
            && phrase.text().len() + text.len() <= WORDS_MAX
        {
            phrase.push(text);
        }
    }

    /// The next samples of such a turn; they are heard as they are.
    pub fn foreign_audio(&mut self, now: Moment, samples: &[i16], rate_hz: u32) {
        if self.foreign_voice().is_none() {
            return;
        }
        if let Some(turn) = &mut self.turn {
            turn.last_source = Some(Source::AllInOne);
            if let Some(stream) = &mut turn.stream {
                // It was no end.
                (stream.listening.to_its_end, stream.stops_short) = (false, false);
                stream.heard(now, samples, rate_hz, false);
            }
        }
        self.sounds(now);
        self.begin_phrase();
        self.mix.pass(samples, rate_hz);
        self.tell_surplus();
    }

    /// All audio of such a turn came, or all of its words where others say them.
    pub fn foreign_end(&mut self, now: Moment) {
        if self.says_what_comes() {
            return self.all_words_came(now);
        }
        let Some(job) = self.foreign_voice() else { return };
        let Some((letters, came_us)) = self.foreign_so_far() else { return };
        if letters > 0 && came_us == 0 {
            return self.foreign_break(now);
        }
        self.foreign_chars_per_s = pace(letters, came_us).unwrap_or(self.foreign_chars_per_s);
        self.complete_foreign();
        self.finished(now, job);
        self.pump(now);
    }

    /// No more of such a turn comes, and nobody told its end: whether all of its words came [`SpeakingEvent::HeardOut`]
    /// tells, once the ear has. Where it cannot tell they did, unless this is not how the service's answers end.
    pub fn foreign_pauses(&mut self, now: Moment) {
        let Some(turn) = &mut self.turn else { return };
        let stream = turn.stream.as_mut().filter(|stream| stream.source == Source::AllInOne);
        let Some(stream) = stream else { return };
        // It knows better than the pace does.
        if let Some(came) = stream.surely_came(&turn.phrases).cloned() {
            return self.heard_out(now, Some(&came));
        }
        stream.listening.to_its_end = true;
        let is_asked = stream.listening.is_asked();
        if is_asked || (self.has_device && self.ask(now)) {
            return;
        }
        self.heard_out(now, None);
    }

    /// The ear was asked for the end of such a turn, and answers.
    pub(super) fn heard_out(&mut self, now: Moment, came: Option<&Came>) {
        let stops_short = self.foreign_ends_in_mid_sound(now);
        let Some(turn) = &mut self.turn else { return };
        let Some(stream) = &mut turn.stream else { return };
        (stream.listening.to_its_end, stream.stops_short) = (false, stops_short);
        let text = turn.phrases.get(stream.phrase).map_or("", Phrase::text);
        let is_all = !stops_short && came.and_then(|came| came.is_all_of(text)).unwrap_or(true);
        let is_left_alone = stops_short && stream.judged_us == stream.came_us;
        if is_all {
            self.learn_ending(now);
        }
        self.event(SpeakingEvent::HeardOut(is_all));
        if is_left_alone {
            self.event(SpeakingEvent::LeftAlone);
        }
    }

    /// It has not answered for too long: [`SpeakingEvent::HeardOut`] tells without it.
    pub fn foreign_expires(&mut self, now: Moment) {
        if self.foreign_voice().is_some() {
            self.heard_out(now, None);
        }
    }

    /// No more of such a turn comes, be it all of it or not.
    fn learn_ending(&mut self, now: Moment) {
        let Some(came) = self.foreign_came() else { return };
        let Some(silence) = self.foreign_stream().map(|stream| stream.tail.silence()) else { return };
        if let Some(endings) = &mut self.endings {
            endings.learn(now, silence, came);
        }
    }

    /// How much of its words is in its sound, if anything in them can be heard at all.
    fn foreign_came(&self) -> Option<ending::Came> {
        let turn = self.turn.as_ref()?;
        let stream = self.foreign_stream()?;
        let text = spoken(turn.phrases.get(stream.phrase).map_or("", Phrase::text));
        let reaches =
            |came: &Came, mishears: u64| u64::from(came.reached()) + mishears >= u64::from(count(text));
        let came = match stream.all_came(&turn.phrases) {
            Some(came) if came.is_sure && reaches(came, 1) => ending::Came::All,
            Some(came) if reaches(came, MISHEARD) => ending::Came::Nearly,
            Some(came) if came.is_sure => ending::Came::Part,
            _ => ending::Came::Unknown,
        };
        is_speakable(text).then_some(came)
    }

    /// Whether its sound ends in a way in which the answers of this service do not.
    pub(super) fn foreign_ends_in_mid_sound(&self, now: Moment) -> bool {
        self.foreign_came().is_some_and(|came| self.foreign_may_be_cut(now, came))
    }

    /// The same, if the ear says this of it. Where nobody could say the rest it is better believed.
    pub(super) fn foreign_may_be_cut(&self, now: Moment, came: ending::Came) -> bool {
        let is_none =
            |stream: &Stream| Some(self.endings.as_ref()?.is_none(now, stream.tail.silence(), came));
        self.has_device && self.foreign_stream().and_then(is_none).unwrap_or(false)
    }

    /// No more of such a turn comes: the device says what is left of its words.
    pub fn foreign_break(&mut self, now: Moment) {
        if self.says_what_comes() {
            return self.all_words_came(now);
        }
        let Some(job) = self.foreign_voice() else { return };
        self.stops_short(now);
        if let Some(turn) = &mut self.turn {
            turn.complete = true;
        }
        self.lost(now, job);
        self.pump(now);
    }

    /// No more audio of such a turn is wanted, but its words still come: the device says what is left of them, and those
    /// that [`Speaking::foreign_words`] tells until [`Speaking::foreign_end`].
    pub fn foreign_falls_silent(&mut self, now: Moment) {
        let Some(job) = self.foreign_voice() else { return };
        self.stops_short(now);
        if let Some(turn) = &mut self.turn {
            let mut coming = Splitter::new();
            let reached =
                turn.stream.as_ref().and_then(|stream| stream.surely_reached(&turn.phrases)).unwrap_or(0);
            let may_be_open = now < turn.written_to + WORD;
            if let Some(phrase) = turn.phrases.last_mut() {
                if may_be_open && phrase.has_before_open_word(reached) {
                    coming.push(&phrase.take_open_word());
                }
                phrase.trim();
            }
            turn.coming = Some(coming);
        }
        self.lost(now, job);
        self.pump(now);
    }

    /// Whether others say the words of such a turn that still come.
    fn says_what_comes(&self) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.coming.is_some())
    }

    /// When words are said that came so and end no sentence: the caller would hear nothing. The last one must be whole.
    pub(super) fn coming_due(&self) -> Option<Moment> {
        let turn = self.turn.as_ref()?;
        let coming = turn.coming.as_ref()?;
        let is_free = turn.stream.is_none() && turn.next >= turn.phrases.len();
        let due = self.dry_at() - STARTS;
        let is_whole = turn.written_to + WORD;
        let with_last = || coming.holds_words(true).then(|| due.max(is_whole));
        let due = if coming.holds_words(false) { Some(due) } else { with_last() };
        due.filter(|_| is_free)
    }

    /// That time has come.
    pub(super) fn say_what_came(&mut self, now: Moment) {
        let Some(turn) = &mut self.turn else { return };
        let with_last = now >= turn.written_to + WORD;
        if let Some(coming) = &mut turn.coming {
            let sentences = coming.words(with_last);
            self.say_all(now, &sentences);
        }
    }

    /// Nothing more is written of a turn that others say.
    fn all_words_came(&mut self, now: Moment) {
        let coming = self.turn.as_mut().and_then(|turn| turn.coming.take());
        if let Some(mut coming) = coming {
            self.say_all(now, &coming.finish());
            self.complete(now);
        }
    }

    fn say_all(&mut self, now: Moment, sentences: &[Sentence]) {
        sentences
            .iter()
            .filter(|sentence| sentence.is_speakable())
            .for_each(|sentence| self.say(now, sentence));
    }

    /// Whether the words of such a turn surely go on where its audio ends, and no sentence ends there.
    pub(super) fn foreign_is_in_mid_sentence(&self, now: Moment) -> bool {
        let Some((_, came_us)) = self.foreign_so_far() else { return false };
        let Some(turn) = &self.turn else { return false };
        let text = turn.phrases.last().map_or("", Phrase::text);
        let letters = count(spoken(text));
        let ear = turn.stream.as_ref().and_then(|stream| stream.all_came(&turn.phrases));
        let is_in_mid_sound = self.foreign_ends_in_mid_sound(now);
        let place = if is_in_mid_sound {
            ear.map(|came| (came.reached(), false))
        } else {
            ear.and_then(|came| Some((came.surely_reached()?, came.is_all_of(text)?)))
        };
        let (least, most, is_all) = match place {
            Some((reached, is_whole)) => {
                let chars = u64::from(reached);
                let most = chars + MISHEARD;
                (chars.saturating_sub(MISHEARD), most, is_whole || most >= u64::from(letters))
            }
            None => {
                let chars = |percent: u64| came_us * self.foreign_chars_per_s * percent / 100_000_000;
                (chars(SLOWEST), chars(FASTEST), is_nearly(chars(FASTEST), letters))
            }
        };
        let may_be_an_end = || sentence_ends(text).iter().any(|end| (least..=most).contains(end));
        !is_all && (is_in_mid_sound || !may_be_an_end())
    }

    /// At the pace of this voice it is all of it.
    pub(super) fn foreign_is_said(&self) -> bool {
        self.foreign_job().and(self.foreign_so_far()).is_some_and(|(letters, came_us)| {
            came_us > 0 && is_nearly(came_us * self.foreign_chars_per_s / 1_000_000, letters)
        })
    }

    /// Of a voice that stops in the middle of a sound a filter still holds a millisecond. Where the caller has heard the rest
    /// already it would be a click, and taken for something heard.
    fn stops_short(&mut self, now: Moment) {
        if self.foreign_stream().is_some_and(|stream| stream.stops_short) {
            self.learn_ending(now);
        }
        if self.played.0 < self.mix.made() {
            self.mix.end_pass();
        } else {
            self.mix.drop_pass();
        }
    }

    fn complete_foreign(&mut self) {
        self.mix.end_pass();
        if let Some(turn) = &mut self.turn {
            turn.complete = true;
        }
    }

    /// While nobody has told that no more of it comes.
    fn foreign_voice(&self) -> Option<JobId> {
        self.foreign_job().filter(|_| !self.is_placing())
    }

    fn foreign_job(&self) -> Option<JobId> {
        self.foreign_stream().map(|stream| stream.job)
    }

    pub(super) fn foreign_stream(&self) -> Option<&Stream> {
        self.turn.as_ref()?.stream.as_ref().filter(|stream| stream.source == Source::AllInOne)
    }

    /// Characters of its words that came, and its audio in microseconds.
    fn foreign_so_far(&self) -> Option<(u32, u64)> {
        let turn = self.turn.as_ref()?;
        let stream = turn.stream.as_ref()?;
        // Behind its own phrase others may stand already that were not for it to say.
        Some((turn.phrases.get(stream.phrase).map_or(0, Phrase::chars), stream.came_us()))
    }

    /// Before a service was measured.
    pub(super) const fn usual_foreign_pace() -> u64 {
        USUAL_CHARS_PER_S
    }
}
