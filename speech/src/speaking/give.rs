//! Phrases are given to voices: which one says the next, and how much of an answer it has ahead of its playing.

use super::script::{flow_end, joined};
use super::stream::Stream;
use super::turn::Turn;
use super::{Cloud, Mark, MarkKind, Source, Speaking, SpeakingEvent, SpeakingOutput, ToDevice};
use crate::tts::{HttpVoice, JobId};
use offhook_units::{Moment, Span};
use std::iter::repeat;

/// So much speech may wait to be played before no more is asked for: a long answer is made as it is heard,
const AHEAD_S: u64 = 30;
/// and so many characters may be on their way. Together they fit into what is kept.
const UNSAID_MAX: u32 = 400;
/// Of a voice that does not tell how far it is that is not known so well: so much of its speech may wait.
const UNTOLD_AHEAD_S: u64 = 10;
/// Where the device stands in for a service less is made ahead, that the service may go on with the next sentence when it is
/// back. A command that speaks needs a second or two to begin.
const STANDS_IN_AHEAD_S: u64 = 3;
/// A voice on the device that begins within this is quick: nobody takes it for more than the pause.
const QUICK: Span = Span::from_millis(200);
/// After it failed HTTP is left alone for so long.
pub(super) const HTTP_REST: Span = Span::from_millis(10_000);

impl Speaking {
    /// The way in which the next phrase is spoken. A word of which a part was heard goes on with a voice that tells where
    /// its characters are.
    fn choose(&self, now: Moment, may_use_socket: bool, may_use_http: bool) -> Option<Source> {
        if let Some(cloud) = &self.cloud {
            if may_use_socket && (cloud.socket.is_ready() || cloud.socket.is_starting()) {
                return Some(Source::Socket);
            }
            let in_a_word = self.has_device && self.turn.as_ref().is_some_and(|turn| turn.heard.is_some());
            let serves = |http: &HttpVoice| !in_a_word || http.tells_places();
            if may_use_http && cloud.http.as_ref().is_some_and(serves) && now >= self.no_http_before {
                return Some(Source::Http);
            }
        }
        self.has_device.then_some(Source::Device)
    }

    /// Gives phrases that were held back to voices, once there is room for them.
    pub(super) fn go_on(&mut self, now: Moment) {
        let waits = |turn: &Turn| match &turn.stream {
            Some(stream) => !stream.by_phrase && stream.sent_to < turn.phrases.len(),
            None => turn.next < turn.phrases.len(),
        };
        if self.turn.as_ref().is_some_and(waits) {
            self.assign(now);
        }
    }

    /// Enough speech waits to be played.
    fn is_ahead(&self) -> bool {
        let Some(turn) = &self.turn else { return false };
        let is_untold =
            turn.stream.as_ref().is_some_and(|stream| !stream.by_phrase && stream.tells_nothing());
        let stands_in = self.cloud.is_some() && turn.last_source == Some(Source::Device);
        let most_s = match stands_in {
            true => STANDS_IN_AHEAD_S,
            false if is_untold => UNTOLD_AHEAD_S,
            false => AHEAD_S,
        };
        self.mix.made().saturating_sub(self.played.0) >= most_s * u64::from(self.mix.rate_hz())
    }

    /// Gives phrases to voices.
    pub(super) fn assign(&mut self, now: Moment) {
        // What was lost goes to another voice, and what follows it, too.
        if self.is_placing() {
            return;
        }
        let ahead = self.is_ahead();
        while let Some(turn) = &mut self.turn {
            let owed = turn.stream.as_ref().is_some_and(|stream| stream.owes(turn));
            if let Some(stream) = &mut turn.stream {
                if stream.source == Source::Socket
                    && !stream.by_phrase
                    && let Some(cloud) = &mut self.cloud
                {
                    let job = stream.job;
                    while !ahead
                        && stream.unsaid(&turn.phrases) < UNSAID_MAX
                        && let to = flow_end(&turn.phrases, stream.sent_to)
                        && let Some(phrases) = turn.phrases.get(stream.sent_to..to)
                    {
                        cloud.socket.say(now, job, &joined(phrases));
                        phrases.iter().for_each(|phrase| stream.give(phrase));
                        if !owed {
                            stream.asked = now;
                        }
                    }
                    let all = stream.sent_to >= turn.phrases.len();
                    if all && turn.complete && !std::mem::replace(&mut stream.ended, true) {
                        cloud.socket.end(now, job);
                    }
                }
                return;
            }
            let Some(phrase) = turn.phrases.get(turn.next) else {
                if turn.complete && !std::mem::replace(&mut turn.is_made, true) {
                    self.all_is_said(now);
                }
                return;
            };
            if ahead {
                return;
            }
            // A socket that speaks phrase by phrase goes on within a sentence; another one begins with a sentence.
            let goes_on = turn.last_source == Some(Source::Socket)
                && self.cloud.as_ref().is_some_and(|cloud| !cloud.socket.takes_turns());
            let may_use_socket =
                (phrase.starts_sentence || goes_on) && turn.skip == 0 && turn.lost_at != Some(turn.next);
            // The device does not hand a sentence back in its middle, unless it breaks off itself.
            let may_use_http = phrase.starts_sentence
                || turn.last_source != Some(Source::Device)
                || turn.lost_at == Some(turn.next);
            let (at, skip) = (turn.next, turn.skip);
            let Some(source) = self.choose(now, may_use_socket, may_use_http) else {
                self.pass_over(at + 1);
                continue;
            };
            self.start(now, source, at, skip);
        }
    }

    /// All words of the turn are in the stream: what is left of it comes out.
    fn all_is_said(&mut self, now: Moment) {
        self.mix.end_stream();
        self.mix.end_phrase();
        let over = self.rested();
        let Some(turn) = &mut self.turn else { return };
        let ends = turn.sentences.checked_sub(1).map(MarkKind::SentenceEnds);
        let ends = ends.map(|kind| Mark { at: self.mix.after_sound(), kind });
        let breath = turn.breath_behind.take().map(|rest| self.mix.rest(&rest, over));
        self.mix.finish();
        for mark in ends.into_iter().chain(breath.into_iter().flatten()) {
            self.event(SpeakingEvent::Mark(mark));
        }
        let heard = self.played.0;
        self.played(now, heard);
    }

    /// No voice can say the rest of the next phrase and of those behind it until `to`: it was never a part of the turn.
    pub(super) fn pass_over(&mut self, to: usize) {
        let Some(turn) = &mut self.turn else { return };
        let (next, skip) = (turn.next, turn.skip);
        let passed = turn.phrases.iter_mut().take(to).skip(next).zip(std::iter::once(skip).chain(repeat(0)));
        let unspoken: Vec<String> = passed.map(|(phrase, said)| phrase.cut(said)).collect();
        turn.next = to;
        (turn.skip, turn.heard, turn.is_cut) = (0, None, true);
        self.event(SpeakingEvent::Unspoken(unspoken.join(" ")));
    }

    /// Behind the phrases that are asked for in one go with phrase `at`. A voice in the cloud gets the whole sentence, for
    /// its melody. The one on the device says what is parted by a rest bit by bit, as `offhook say` does, unless it knows
    /// whole sentences only, or takes so long to begin that the caller would wait at each comma.
    fn asked_to(&self, now: Moment, source: Source, at: usize) -> usize {
        let in_time = self.device_wait <= self.dry_at().since(now).max(QUICK);
        if source == Source::Device && self.device_says_parts && in_time {
            return at + 1;
        }
        self.turn.as_ref().map_or(at + 1, |turn| flow_end(&turn.phrases, at))
    }

    /// Starts a stream with phrase `at`, of which `skip` characters are over.
    fn start(&mut self, now: Moment, source: Source, at: usize, skip: u32) {
        self.last_job += 1;
        let job = JobId(self.last_job);
        let to = self.asked_to(now, source, at);
        let Some(turn) = &mut self.turn else { return };
        let (text, before) = turn.tail_to(at, skip, to);
        let before_it = turn.last_source.replace(source);
        if turn.is_foreign {
            turn.own_voice_to.get_or_insert(self.mix.position());
        }
        let moved = before_it.filter(|&from| from != source);
        let by_phrase =
            source != Source::Socket || self.cloud.as_ref().is_some_and(|cloud| !cloud.socket.takes_turns());
        let sent_to = if by_phrase { to } else { at };
        let stream = Stream::new(job, source, (at, skip), sent_to, by_phrase, now)
            .going_on(turn.has_sounded)
            .behind(turn.heard.take());
        turn.stream = Some(match self.cloud_pace.filter(|_| source != Source::Device) {
            Some(pace) => stream.at_pace(pace),
            None => stream,
        });
        if turn.lost_at == Some(at) {
            self.chunks.again(self.mix.position());
        }
        match (source, &mut self.cloud) {
            (Source::Http, Some(Cloud { http: Some(http), .. })) => http.say(job, &text, &before),
            (Source::Socket, Some(cloud)) if by_phrase => {
                cloud.socket.say(now, job, &text);
                cloud.socket.end(now, job);
            }
            (Source::Device, _) => self.out.push_back(SpeakingOutput::Device(ToDevice::Say(job, text))),
            // `assign` writes to the socket.
            _ => {}
        }
        if before_it.is_none() {
            self.event(SpeakingEvent::TextSent);
        }
        if let Some(from) = moved {
            self.event(SpeakingEvent::Moved { from, to: source });
        }
    }
}
