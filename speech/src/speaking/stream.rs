//! One stream of speech while it comes: which phrase its audio belongs to, and where its characters lie.

use super::ending::Tail;
use super::give::HTTP_REST;
use super::layout::{behind, came, lay_out, lay_out_heard, spread};
use super::parting::{Next, quietest};
use super::place::{Answer, Listening, Sound};
use super::script::words_end;
use super::timeline::Place;
use super::turn::Turn;
use super::untold::Untold;
use super::{Mark, MarkKind, Source, Speaking, SpeakingEvent, script};
use crate::ear::{Came, Reached};
use crate::text::{Rest, count, is_speakable};
use crate::tts::{CharTime, JobId};
use offhook_units::{Moment, Span};
use std::ops::Range;

/// Characters a second without white space, when a service does not say where they are. Slower than people talk: a
/// word is said twice rather than lost.
const SLOW_CHARS_PER_S: u64 = 9;
/// Of a pace that was measured so much is believed, in percent: no two sentences are spoken alike.
const BELIEVED: u64 = 85;
/// What people can understand, slow and fast; a measurement outside of it measured something else.
const PLAUSIBLE: std::ops::RangeInclusive<u64> = 6..=25;
/// The least that a character takes: nobody understands more of them.
const LEAST_US: u64 = 1_000_000 / *PLAUSIBLE.end();
/// What is shorter than this tells little about the pace.
const MEASURED_US: u64 = 1_000_000;

/// The pace of somebody who says `chars` characters in `us`, if that tells anything.
pub(super) fn pace(chars: u32, us: u64) -> Option<u64> {
    let pace = u64::from(chars) * 1_000_000 / us.max(MEASURED_US);
    Some(pace).filter(|pace| us >= MEASURED_US && PLAUSIBLE.contains(pace))
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) job: JobId,
    pub(super) source: Source,
    /// Whose audio comes now, and how many of its characters came.
    pub(super) phrase: usize,
    pub(super) chars: u32,
    /// The last of them.
    pub(super) last: Option<char>,
    /// The first phrase that it was not given.
    pub(super) sent_to: usize,
    /// It says that phrase and nothing else.
    pub(super) by_phrase: bool,
    /// It was told that no text follows.
    pub(super) ended: bool,
    /// When it was last given something while it owed nothing.
    pub(super) asked: Moment,
    pub(super) last_audio: Option<Moment>,
    pub(super) first_audio: Option<Moment>,
    /// The rest before the phrase is in the stream.
    pub(super) begun: bool,
    /// What it says of this phrase is not known to be all of it and nothing else.
    pub(super) is_mixed: bool,
    /// The service says where the characters are.
    pub(super) aligned: bool,
    pub(super) first: (usize, u32),
    /// Where its first sample stands.
    pub(super) starts: u64,
    /// Samples that came for it, in microseconds; and those that came before the last piece of them.
    pub(super) came_us: u64,
    pub(super) came_before_us: u64,
    /// At the least so much more audio makes what it was given.
    owed_us: u64,
    /// The last character that came goes on in the next piece.
    pub(super) is_cut: bool,
    /// Within the first word that it was given: to here that was heard of another voice, and is left out.
    pub(super) heard: Option<Place>,
    /// So much of the next piece of audio is left out in any case.
    pub(super) left_out: usize,
    pub(super) untold: Untold,
    /// Where its last whole word ends; 0 before the first.
    pub(super) whole_to: u64,
    /// Characters a second without white space, where it does not say where they are.
    pub(super) chars_per_s: u64,
    /// The turn had sounded before it began.
    goes_on: bool,
    /// What came, while it does not say where the characters are.
    pub(super) sound: Sound,
    pub(super) tail: Tail,
    pub(super) listening: Listening,
    /// So much of it had come when it was last judged whether it left the caller in the middle of a sentence.
    pub(super) judged_us: u64,
    /// No more came, and this is not how such a voice ends.
    pub(super) stops_short: bool,
    /// It broke off, and the ear is asked until then where its words lie.
    pub(super) placed_by: Option<Moment>,
}

/// A character that ends later than this after its piece goes on in the next one; services round their times.
const ROUNDING_MS: u64 = 5;

/// While a service is sending, so much of it is in the play-out's hand, if it has come: two packets.
pub(super) const LEAST_MS: u64 = 40;

/// In a piece of audio all before `place` ends at sample `offset`.
pub(super) struct Ends {
    pub(super) offset: usize,
    pub(super) place: Place,
    /// A word ends there.
    pub(super) word: bool,
}

/// Between the last word of one voice and the first of the next one in the same phrase.
const WORD_GAP: Span = Span::from_millis(60);

impl Stream {
    pub(super) fn new(
        job: JobId,
        source: Source,
        (phrase, chars): (usize, u32),
        sent_to: usize,
        by_phrase: bool,
        asked: Moment,
    ) -> Self {
        Self {
            job,
            source,
            phrase,
            chars,
            last: None,
            sent_to,
            by_phrase,
            ended: false,
            asked,
            last_audio: None,
            first_audio: None,
            begun: false,
            is_mixed: false,
            aligned: false,
            first: (phrase, chars),
            starts: 0,
            came_us: 0,
            came_before_us: 0,
            owed_us: 0,
            is_cut: false,
            heard: None,
            left_out: 0,
            untold: Untold::default(),
            whole_to: 0,
            chars_per_s: SLOW_CHARS_PER_S,
            goes_on: false,
            sound: Sound::default(),
            tail: Tail::default(),
            listening: Listening::default(),
            judged_us: 0,
            stops_short: false,
            placed_by: None,
        }
    }

    /// As one that goes on with a turn that was heard already, or begins it.
    pub(super) fn going_on(mut self, goes_on: bool) -> Self {
        self.goes_on = goes_on;
        self
    }

    /// As one that leaves out what of its first word was heard.
    pub(super) fn behind(mut self, heard: Option<Place>) -> Self {
        self.heard = heard;
        self
    }

    /// With a pace that was measured, in characters a second.
    pub(super) fn at_pace(mut self, chars_per_s: u64) -> Self {
        self.chars_per_s = chars_per_s * BELIEVED / 100;
        self
    }

    /// These samples of it came, with their characters or without.
    pub(super) fn heard(&mut self, now: Moment, samples: &[i16], rate_hz: u32, has_chars: bool) {
        self.aligned |= has_chars;
        if self.aligned {
            (self.sound, self.listening) = (Sound::default(), Listening::default());
        } else {
            self.sound.put(samples, rate_hz);
            self.tail.put(samples, rate_hz);
        }
        self.comes(now);
        self.came_before_us = self.came_us;
        let length_us = samples.len() as u64 * 1_000_000 / u64::from(rate_hz.max(1));
        self.came_us += length_us;
        self.owed_us = self.owed_us.saturating_sub(length_us);
    }

    /// Not before the first word of a turn is whole.
    pub(super) const fn may_be_held(&self) -> bool {
        self.whole_to > 0 || self.goes_on
    }

    /// When last something of it came that the caller had not heard.
    pub(super) fn last_new(&self) -> Option<Moment> {
        self.last_audio.filter(|_| self.heard.is_none())
    }

    /// The sample of the piece from which on its next character, which lies in `range`, is new; `None` when all of it
    /// was heard.
    fn new_from(&mut self, range: Range<usize>) -> Option<usize> {
        let Some(heard) = self.heard else { return Some(range.start) };
        if Place::new(self.phrase, self.chars + 1) <= heard {
            self.left_out = range.end;
            return None;
        }
        self.heard = None;
        let part = if heard.chars == self.chars { heard.mille as usize } else { 0 };
        self.left_out = range.start + range.len() * part / 1000;
        Some(self.left_out)
    }

    /// Its audio so far, in microseconds.
    pub(super) const fn came_us(&self) -> u64 {
        self.came_us
    }

    /// Whether a whole word of it has come, and can be told from the next; or nothing of it that would be heard.
    pub(super) const fn has_a_word(&self) -> bool {
        !self.aligned || self.whole_to > 0 || self.heard.is_some()
    }

    pub(super) const fn running(&self) -> (JobId, Source) {
        (self.job, self.source)
    }

    /// It is given the next phrase.
    pub(super) fn give(&mut self, phrase: &script::Phrase) {
        self.sent_to += 1;
        self.owed_us += u64::from(phrase.chars()) * LEAST_US;
    }

    /// It does not say where its characters are.
    pub(super) const fn tells_nothing(&self) -> bool {
        !self.aligned && self.last_audio.is_some()
    }

    /// Characters that it was given and has not said; no more than that is certain where it does not tell.
    pub(super) fn unsaid(&self, phrases: &[script::Phrase]) -> u32 {
        if self.tells_nothing() {
            return u32::try_from(self.owed_us / LEAST_US).unwrap_or(u32::MAX);
        }
        let given = phrases.iter().take(self.sent_to).skip(self.phrase);
        given.map(script::Phrase::chars).sum::<u32>().saturating_sub(self.chars)
    }

    /// Whether words were given to it whose audio has not come.
    pub(super) fn owes(&self, turn: &Turn) -> bool {
        // Where nothing tells whose audio comes, a pause of the model can be told from one of the service by this alone.
        if !self.by_phrase && self.tells_nothing() {
            return self.owed_us > 0;
        }
        let all_came = self.aligned
            && self.phrase + 1 >= self.sent_to
            && turn.phrases.get(self.phrase).is_none_or(|phrase| self.chars >= phrase.chars());
        !all_came && self.sent_to > self.first.0
    }
}

impl Speaking {
    /// Audio of a stream, with its characters if the service tells them.
    pub(super) fn audio(
        &mut self,
        now: Moment,
        job: JobId,
        samples: &[i16],
        rate_hz: u32,
        chars: &[CharTime],
    ) {
        let Some(turn) = &mut self.turn else { return };
        let Some(stream) = turn.stream.as_mut().filter(|stream| stream.job == job) else { return };
        let (first, asked) = (stream.last_audio.is_none(), stream.asked);
        if first && stream.source == Source::Device {
            self.device_wait = now.since(asked);
        }
        stream.heard(now, samples, rate_hz, !chars.is_empty());
        if stream.heard.is_some() && chars.is_empty() && stream.left_out < samples.len() {
            return self.keep(now, samples, rate_hz);
        }
        if !chars.is_empty() {
            // What was kept lies before them, and was heard.
            stream.untold = Untold::default();
        }
        self.sounds(now);
        // Before more is there: how long there was nothing, and it was owed.
        let since = if first { asked } else { self.dry_at().max(asked) };
        if first || since < now {
            self.chunks.waited(now.since(since));
        }
        self.begin_phrase();
        self.take(samples, rate_hz, chars);
        self.listen(now);
        self.go_on(now);
    }

    /// Joins a piece of audio, without what the caller has heard of it already, and notes where its characters lie.
    pub(super) fn take(&mut self, samples: &[i16], rate_hz: u32, chars: &[CharTime]) {
        let length_ms = samples.len() as u64 * 1000 / u64::from(rate_hz.max(1));
        let is_cut = |time: &CharTime| length_ms > 0 && u64::from(time.end_ms) > length_ms + ROUNDING_MS;
        let Some(stream) = self.turn.as_mut().and_then(|turn| turn.stream.as_mut()) else { return };
        if length_ms > 0 {
            stream.is_cut = chars.last().is_some_and(|last| !last.c.is_whitespace() && is_cut(last));
        }
        let place_of = |ms: u32| (u64::from(ms) * u64::from(rate_hz) / 1000) as usize;
        let offset = |ms: u32| place_of(ms).min(samples.len());
        let (mut from, mut ends) = (stream.left_out.min(samples.len()), Vec::<Ends>::new());
        for time in chars {
            if time.c.is_whitespace() {
                self.word_is_whole(&mut ends, offset(time.at_ms));
                continue;
            }
            match self.comes_next(time.c) {
                Next::Same => {}
                Next::Unparted => self.flow_on(&mut ends, offset(time.at_ms)),
                next @ (Next::Phrase | Next::Part) => {
                    let mut at = offset(time.at_ms);
                    if next == Next::Part {
                        at = quietest(samples, at, rate_hz);
                    }
                    let at = at.max(from);
                    self.put(samples.get(from..at).unwrap_or_default(), rate_hz, from, &mut ends);
                    from = at;
                    self.next_phrase();
                    if next == Next::Part {
                        // There need not be silence between the two.
                        self.mix.rise();
                    }
                }
            }
            let Some(stream) = self.turn.as_mut().and_then(|turn| turn.stream.as_mut()) else { return };
            let (phrase, number, heard) = (stream.phrase, stream.chars, stream.heard);
            let range = place_of(time.at_ms)..place_of(time.end_ms);
            let new_from = stream.new_from(range.clone());
            stream.chars += 1;
            stream.last = Some(time.c);
            let Some(new_from) = new_from else { continue };
            if heard.is_some() {
                from = new_from.min(samples.len());
                self.mix.rise();
            }
            // The silence between two words belongs to the first of them.
            let place = heard.unwrap_or(Place::new(phrase, number));
            ends.push(Ends { offset: new_from.min(samples.len()), place, word: false });
            let place = if is_cut(time) {
                let part = samples.len().saturating_sub(range.start) * 1000 / range.len().max(1);
                Place { phrase, chars: number, mille: part.min(999) as u32 }
            } else {
                Place::new(phrase, number + 1)
            };
            ends.push(Ends { offset: range.end.min(samples.len()), place, word: false });
        }
        let Some(turn) = &mut self.turn else { return };
        let Some(stream) = &mut turn.stream else { return };
        if stream.heard.is_some() {
            from = samples.len();
        }
        stream.left_out = stream.left_out.saturating_sub(samples.len());
        if !stream.is_cut && turn.stream.as_ref().is_some_and(|stream| !stream.owes(turn)) {
            self.word_is_whole(&mut ends, from);
        }
        self.put(samples.get(from..).unwrap_or_default(), rate_hz, from, &mut ends);
    }

    /// The last character was the end of its word; if it is not known where that was, it was at sample `at` of the piece.
    fn word_is_whole(&mut self, ends: &mut Vec<Ends>, at: usize) {
        let Some(turn) = &mut self.turn else { return };
        let Some(stream) = &mut turn.stream else { return };
        let place = Place::new(stream.phrase, stream.chars);
        if let Some(last) = ends.last_mut().filter(|last| last.place == place) {
            last.word = true;
        } else if let Some(position) = turn.timeline.position_of(place) {
            // It came with the piece before.
            stream.whole_to = position;
        } else {
            ends.push(Ends { offset: at, place, word: true });
        }
    }

    /// How far the stream may be handed out: a word of which only a part came is held back, so that another voice, if one
    /// is below it, can say it whole. Not before the first word of a turn is whole, and never so far that the caller would
    /// hear nothing while the service sends no slower than it is played: that would break a long word's sentence each
    /// time, and such a service is lost seldom.
    pub(super) fn handed_out_to(&self) -> Option<u64> {
        let turn = self.turn.as_ref()?;
        if turn.stream.as_ref().is_some_and(|stream| !stream.aligned) {
            return self.whole_words_to();
        }
        let held = |stream: &&Stream| stream.source != Source::Device && stream.may_be_held();
        let stream = turn.stream.as_ref().filter(held)?;
        let (played, at) = self.played;
        let least =
            if stream.sends(at) { played + u64::from(self.mix.rate_hz()) * LEAST_MS / 1000 } else { 0 };
        stream.owes(turn).then_some(stream.whole_to.max(stream.starts).max(least))
    }

    /// All of a stream has come.
    pub(super) fn finished(&mut self, now: Moment, job: JobId) {
        if self.is_kept(now, job) {
            return;
        }
        let Some(turn) = &mut self.turn else { return };
        let Some(stream) = turn.stream.take_if(|stream| stream.job == job) else { return };
        self.stop_listening(&stream.listening);
        let Some(turn) = &mut self.turn else { return };
        self.mix.end_stream();
        let length = self.mix.end_phrase();
        if stream.aligned
            && !stream.is_mixed
            && let Some((text, length)) = turn.sounded(stream.phrase, length)
        {
            self.meter.measured(&text, length);
        }
        let end = self.mix.position();
        if stream.aligned {
            turn.timeline.ends(end);
            // All that it was given is said, be it that its last letters came without their times.
            let phrase = stream.phrase.max(stream.sent_to.saturating_sub(1));
            let chars = turn.phrases.get(phrase).map_or(0, script::Phrase::chars);
            turn.timeline.add(end, Place::new(phrase, chars));
        }
        let said = spread(turn, &stream, end);
        if matches!(stream.source, Source::Socket | Source::Http) {
            self.cloud_pace = said.and_then(|chars| pace(chars, stream.came_us)).or(self.cloud_pace);
        }
        turn.next = stream.sent_to;
        turn.skip = 0;
        self.assign(now);
    }

    /// No more of a stream comes: the rest is said in another way.
    pub(super) fn lost(&mut self, now: Moment, job: JobId) {
        let Some(turn) = &mut self.turn else { return };
        let Some(stream) = turn.stream.as_ref().filter(|stream| stream.job == job) else { return };
        if stream.source == Source::Http {
            self.no_http_before = now + HTTP_REST;
        }
        match self.ask_ear(now) {
            Answer::Asked => {}
            Answer::Knows(came) => self.placed(now, job, Some(&came)),
            Answer::Deaf => self.placed(now, job, None),
        }
    }

    /// The same, once it is known as well as it can be how far it came: by the ear or by nobody.
    pub(super) fn placed(&mut self, now: Moment, job: JobId, heard: Option<&Came>) {
        let stops_short = self.foreign_stream().is_some_and(|stream| stream.stops_short)
            || self.foreign_ends_in_mid_sound(now);
        if heard.is_none() && self.foreign_is_said() && !stops_short {
            return self.finished(now, job);
        }
        let Some(turn) = &mut self.turn else { return };
        let Some(stream) = turn.stream.take_if(|stream| stream.job == job) else { return };
        self.stop_listening(&stream.listening);
        let end = self.mix.position();
        let Some(turn) = &mut self.turn else { return };
        let (phrase, chars) = match heard {
            Some(Came { words, part, .. }) => {
                let call_hz = self.mix.rate_hz();
                let Sound { from_us, from_chars: chars, .. } = stream.sound;
                let before = Reached { chars, mille: 0, at_ms: (from_us / 1000) as u32 };
                for heard in [&[before][..], words, part] {
                    lay_out_heard(turn, &stream, heard, end, call_hz);
                }
                behind(turn, &stream, words.last().map_or(stream.sound.from_chars, |word| word.chars))
            }
            None => {
                lay_out(turn, &stream, end);
                came(turn, &stream)
            }
        };
        let text = turn.phrases.get(phrase).map(script::Phrase::text).unwrap_or_default();
        let all = count(text);
        turn.lost_at = Some(phrase);
        let left = text.get(words_end(text, chars)..).unwrap_or_default();
        if !is_speakable(left) && stream.last_audio.is_some() {
            self.mix.end_stream();
            self.mix.end_phrase();
            let end = self.mix.position();
            turn.timeline.ends(end);
            turn.timeline.add(end, Place::new(phrase, all));
            (turn.next, turn.skip) = (phrase + 1, 0);
        } else {
            let whole = count(text.get(..words_end(text, chars)).unwrap_or_default()).max(
                // Never before the place where it began.
                if stream.first.0 == phrase { stream.first.1 } else { 0 },
            );
            // The part of a word that came is taken back, unless it is on its way to the caller.
            let begins = Place::new(phrase, whole);
            let place = turn.timeline.position_of(begins).unwrap_or(stream.starts);
            let has_part = stream.last_audio.is_some() && (whole < chars || stream.is_cut || heard.is_some());
            let end = self.mix.cut(if has_part { place } else { u64::MAX });
            let over = turn.timeline.at(end);
            if heard.is_some() {
                // Of what was laid out the quiet behind the last whole word may be trimmed off.
                turn.timeline.cut(end.max(place));
                turn.timeline.ends(end);
            } else {
                turn.timeline.cut(end);
            }
            // A guess is no place to cut a word in two.
            let is_known = stream.aligned || stream.heard.is_some() || heard.is_some();
            turn.heard = (is_known && self.mix.given() > place && over > begins).then_some(over);
            if let Some(over) = turn.heard {
                turn.timeline.add(end, over);
            }
            (turn.next, turn.skip) = (phrase, whole);
            let has_http = self.cloud.as_ref().is_some_and(|cloud| cloud.http.is_some());
            if stream.source == Source::Device && stream.heard.is_some() && has_http {
                // It was asked for the sake of the part of a word alone, and fails: whoever can says the word whole.
                turn.heard = None;
            } else if stream.source == Source::Device {
                self.pass_over(stream.sent_to.max(phrase + 1));
            }
        }
        self.assign(now);
    }

    /// Puts the rest before the phrase into the stream, once.
    pub(super) fn begin_phrase(&mut self) {
        let (over, unplayed) = (self.rested(), self.unplayed_quiet());
        let Some(turn) = &mut self.turn else { return };
        let Some(stream) = &mut turn.stream else { return };
        if std::mem::replace(&mut stream.begun, true) {
            return;
        }
        let Some(phrase) = turn.phrases.get(stream.phrase) else { return };
        let is_new = turn.begun.replace(stream.phrase) != Some(stream.phrase);
        let mut marks = Vec::new();
        if phrase.starts_sentence && is_new && phrase.sentence > 0 {
            marks
                .push(Mark { at: self.mix.after_sound(), kind: MarkKind::SentenceEnds(phrase.sentence - 1) });
        }
        // Another voice said what is before.
        stream.is_mixed |= stream.chars > 0 || stream.heard.is_some();
        if stream.heard.is_some() {
            // In the middle of a word.
        } else if stream.chars > 0 {
            // In the middle of a phrase that another voice began.
            self.mix.rest(&Rest { kind: None, length: WORD_GAP, breath: None }, Span::ZERO);
        } else if let Some(rest) = phrase.rest.filter(|_| is_new) {
            // Where it may need the pause to get ahead, it is made all the same.
            let over = if phrase.flows || stream.keeps_ahead() { over } else { unplayed };
            marks.extend(self.mix.rest(&rest, over));
        } else if is_new && stream.phrase > 0 && stream.source != Source::AllInOne {
            // It goes on with a sentence that was cut between two words.
            self.mix.rest(&Rest { kind: None, length: WORD_GAP, breath: None }, Span::ZERO);
        }
        let position = self.mix.position();
        if stream.last_audio.is_some() && stream.starts == 0 {
            stream.starts = position;
        }
        if phrase.starts_sentence && is_new {
            marks.push(Mark { at: position, kind: MarkKind::SentenceBegins(phrase.sentence) });
        }
        turn.timeline.add(position, Place::new(stream.phrase, stream.chars));
        for mark in marks {
            self.event(SpeakingEvent::Mark(mark));
        }
    }

    /// Joins samples, the first of which is number `from` of its piece, and notes where their characters lie.
    fn put(&mut self, samples: &[i16], rate_hz: u32, from: usize, ends: &mut Vec<Ends>) {
        let end = self.mix.put(samples, rate_hz);
        self.tell_surplus();
        let call_hz = u64::from(self.mix.rate_hz());
        let Some(turn) = &mut self.turn else { return };
        for Ends { offset, place, word } in ends.drain(..) {
            let behind =
                (from + samples.len()).saturating_sub(offset) as u64 * call_hz / u64::from(rate_hz.max(1));
            let position = end.saturating_sub(behind).max(turn.starts);
            turn.timeline.add(position, place);
            if let Some(stream) = turn.stream.as_mut().filter(|_| word) {
                stream.whole_to = position;
            }
        }
    }
}
