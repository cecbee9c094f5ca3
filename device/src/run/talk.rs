//! What the agents' conversations tell: counted, timed stage by stage, and told in the log.

use super::exposition::{by, counter};
use super::stages::{Answer, Stages, Step};
use crate::conversation::{News, Told};
use crate::http::metrics::{Exposition, Histogram, Type};
use offhook_speech::session::SessionEvent;
use offhook_speech::transport::Part;
use offhook_units::Span;
use std::collections::{BTreeMap, BTreeSet};

/// The services of a call, with their names in metrics.
const PARTS: [(Part, &str); 5] = [
    (Part::Voice, "voice"),
    (Part::VoiceHttp, "voice_http"),
    (Part::Ears, "ears"),
    (Part::Mind, "mind"),
    (Part::AllInOne, "all_in_one"),
];

/// Upper edges of the histogram of unplanned silences, seconds: from what nobody hears to what everybody does.
const GAP_EDGES: [f64; 8] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0];

/// Upper edges of the histogram of chunks, seconds: the bounds of `chunks.*` and steps between.
const CHUNK_EDGES: [f64; 7] = [0.02, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0];

/// Turns, faults, and how long answers took.
#[derive(Debug)]
pub struct Talk {
    turns: u64,
    utterances: u64,
    unspoken: u64,
    /// Speech that services sent too far ahead.
    surplus: Span,
    moves: u64,
    /// In the order of [`PARTS`].
    faults: [u64; PARTS.len()],
    stages: Stages,
    /// Silences within turns that nobody planned.
    gaps: Histogram<{ GAP_EDGES.len() }>,
    /// Each call's present answer.
    answers: BTreeMap<u64, Answer>,
    /// How long the chunks of speech are that go to the play-out.
    chunks: Histogram<{ CHUNK_EDGES.len() }>,
    /// Chunks in which another voice took over, and those with samples at the limit.
    retransmits: u64,
    clipped: u64,
    /// Calls in which the device is speaking.
    speaking: BTreeSet<u64>,
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            turns: 0,
            utterances: 0,
            unspoken: 0,
            surplus: Span::ZERO,
            moves: 0,
            faults: [0; PARTS.len()],
            stages: Stages::default(),
            gaps: Histogram::new(GAP_EDGES),
            answers: BTreeMap::new(),
            chunks: Histogram::new(CHUNK_EDGES),
            retransmits: 0,
            clipped: 0,
            speaking: BTreeSet::new(),
        }
    }
}

impl Talk {
    /// Something happened in a conversation.
    pub fn note(&mut self, told: &Told) {
        if told.news == News::Over {
            return self.over(told.call);
        }
        if let News::Gap(gap) = told.news {
            return self.gaps.add(f64::from(gap.as_millis_f32()) / 1e3);
        }
        let before = self.answers.entry(told.call).or_default();
        let mut answer = before.clone();
        step(&mut answer, told);
        self.stages.count(before, &answer);
        *before = answer;
        let News::Session(event) = &told.news else { return };
        match event {
            SessionEvent::Utterance(_) => self.utterances += 1,
            SessionEvent::TurnBegins => {
                self.turns += 1;
                self.speaking.insert(told.call);
            }
            SessionEvent::TurnEnds(_) => drop(self.speaking.remove(&told.call)),
            SessionEvent::Chunk(chunk) => {
                self.chunks.add(chunk.duration.as_micros() as f64 / 1e6);
                self.retransmits += u64::from(chunk.flags.retransmit);
                self.clipped += u64::from(chunk.clipped > 0);
            }
            SessionEvent::Moved { .. } => self.moves += 1,
            SessionEvent::Unspoken(_) => self.unspoken += 1,
            SessionEvent::Surplus(length) => self.surplus += *length,
            SessionEvent::Fault(part, _) => {
                let place = PARTS.iter().position(|(known, _)| known == part);
                if let Some(count) = place.and_then(|place| self.faults.get_mut(place)) {
                    *count += 1;
                }
            }
            _ => {}
        }
    }

    /// A call is over.
    pub fn over(&mut self, call: u64) {
        self.answers.remove(&call);
        self.speaking.remove(&call);
    }

    /// The calls in which the device is speaking.
    pub fn speaking(&self) -> impl Iterator<Item = u64> {
        self.speaking.iter().copied()
    }

    /// The stages of a call's last answer, as far as they are known.
    pub(super) fn stages(&self, call: u64) -> impl Iterator<Item = (&'static str, Span)> {
        self.answers.get(&call).into_iter().flat_map(Answer::stages)
    }

    /// Writes its metrics.
    pub(super) fn write(&self, to: &mut Exposition) {
        counter(to, "offhook_agent_turns_total", "Turns of the device in conversations.", self.turns);
        counter(to, "offhook_agent_utterances_total", "Things that callers said.", self.utterances);
        counter(to, "offhook_agent_unspoken_total", "Sentences that no voice could say.", self.unspoken);
        let (name, help) = (
            "offhook_agent_surplus_seconds_total",
            "Speech that a service sent too far ahead of its playing, and that was dropped.",
        );
        let surplus = self.surplus.as_micros() as f64 / 1e6;
        to.metric(name, Type::Counter, help, &[("", &surplus)]);
        counter(to, "offhook_agent_moves_total", "Times that speech went on in another way.", self.moves);
        let faults: Vec<(&str, u64)> = PARTS.iter().map(|(_, name)| *name).zip(self.faults).collect();
        by(to, "offhook_agent_faults_total", "Faults of speech services.", "part", &faults);
        let help = "Chunks in which another voice took over from one that broke off.";
        counter(to, "offhook_agent_chunks_retransmitted_total", help, self.retransmits);
        let help = "Chunks with samples at the limit of 16 bits.";
        counter(to, "offhook_agent_chunks_clipped_total", help, self.clipped);
        let help = "How long the chunks of speech are that go to the play-out.";
        self.chunks.write(to, "offhook_agent_chunk_seconds", help);
        self.stages.write(to);
        let help = "Silences within a turn that nobody planned, as its voice did not keep pace.";
        self.gaps.write(to, "offhook_agent_gap_seconds", help);
    }
}

fn step(answer: &mut Answer, told: &Told) {
    let step = match &told.news {
        News::Speaks => return answer.speaks(),
        News::Session(SessionEvent::TurnBegins) => return answer.begins(),
        News::Silent => Step::Silent,
        News::Session(SessionEvent::Asked) => Step::Asked,
        News::Session(SessionEvent::FirstToken) => Step::FirstWords,
        News::Session(SessionEvent::TextSent) => Step::TextSent,
        News::Session(SessionEvent::FirstAudio) => Step::FirstAudio,
        News::Laid => Step::Laid,
        News::Packed => Step::Packed,
        News::Session(_) | News::Gap(_) | News::Over => return,
    };
    answer.reach(step, told.at);
}

/// One line of the log, with the stages of the call's last answer. What was said does not stand in it.
pub(super) fn log(told: &Told, stages: &[(&'static str, Span)]) {
    let call = told.call;
    let event = match &told.news {
        News::Session(event) => event,
        News::Packed => {
            let stage = |(name, took): &(&str, Span)| format!("{name} {:.0} ms", took.as_millis_f32());
            let stages: Vec<String> = stages.iter().map(stage).collect();
            return tracing::info!(call, "speech: a turn begins: {}", stages.join(", "));
        }
        News::Gap(gap) => return tracing::debug!(call, "speech: a gap of {:.0} ms", gap.as_millis_f32()),
        News::Speaks | News::Silent | News::Laid | News::Over => return,
    };
    match event {
        SessionEvent::Fault(part, fault) => tracing::warn!(call, "speech: {part:?}: {fault:?}"),
        SessionEvent::Unspoken(_) => tracing::warn!(call, "speech: no voice could say a sentence"),
        SessionEvent::Moved { from, to } => {
            tracing::info!(call, "speech goes on by {to:?} instead of {from:?}")
        }
        SessionEvent::Mark(_) | SessionEvent::Interim(_) | SessionEvent::Chunk(_) => {}
        event => tracing::debug!(call, "speech: {event:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_speech::speaking::{Chunk, ChunkFlags, Spoken};
    use offhook_units::{Moment, Pii, Span};

    #[test]
    fn a_call_is_spoken_in_from_the_turns_begin_to_its_end_or_the_calls() {
        let mut talk = Talk::default();
        let mut note = |call, event| talk.note(&Told { call, at: Moment::ZERO, news: News::Session(event) });
        for call in [7, 8, 9] {
            note(call, SessionEvent::TurnBegins);
        }
        note(7, SessionEvent::TurnEnds(Pii::new(Spoken { text: String::new(), whole: true })));
        talk.over(9);
        assert_eq!(talk.speaking().collect::<Vec<_>>(), [8]);
    }

    #[test]
    fn chunks_are_counted_by_their_length() {
        let mut talk = Talk::default();
        let flags = ChunkFlags { retransmit: true, ..ChunkFlags::default() };
        let duration = Span::from_millis(250);
        let chunk =
            Chunk { sequence: 0, at: 0, duration, flags, level_db: -20.0, clipped: 2, latency: Span::ZERO };
        for event in
            [SessionEvent::Chunk(chunk), SessionEvent::Surplus(duration), SessionEvent::Surplus(duration)]
        {
            talk.note(&Told { call: 7, at: Moment::ZERO, news: News::Session(event) });
        }
        let mut text = Exposition::default();
        talk.write(&mut text);
        let text = text.finish();
        for line in [
            "offhook_agent_chunks_retransmitted_total 1",
            "offhook_agent_surplus_seconds_total 0.5",
            "offhook_agent_chunks_clipped_total 1",
            "offhook_agent_chunk_seconds_bucket{le=\"0.2\"} 0",
            "offhook_agent_chunk_seconds_bucket{le=\"0.3\"} 1",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
    }

    #[test]
    fn an_answer_is_timed_from_what_is_told_of_it() {
        let mut talk = Talk::default();
        let mut note = |ms, news| talk.note(&Told { call: 7, at: Moment::from_millis(ms), news });
        note(900, News::Speaks);
        note(1_000, News::Silent);
        note(1_300, News::Session(SessionEvent::Asked));
        note(1_420, News::Session(SessionEvent::FirstToken));
        note(1_430, News::Session(SessionEvent::TurnBegins));
        note(1_430, News::Session(SessionEvent::TextSent));
        note(1_600, News::Session(SessionEvent::FirstAudio));
        note(1_601, News::Laid);
        note(1_620, News::Packed);
        note(3_000, News::Gap(Span::from_millis(30)));
        let took: Vec<i64> = talk.stages(7).map(|(_, took)| took.as_micros() / 1000).collect();
        assert_eq!(took, [300, 120, 10, 170, 1, 19]);
        let mut text = Exposition::default();
        talk.write(&mut text);
        let text = text.finish();
        for line in [
            "offhook_agent_answer_seconds_sum 0.62",
            "offhook_agent_gap_seconds_bucket{le=\"0.02\"} 0",
            "offhook_agent_gap_seconds_bucket{le=\"0.05\"} 1",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
        talk.over(7);
        // What comes behind the end of a call leaves nothing behind either.
        for news in [News::Session(SessionEvent::TurnBegins), News::Over] {
            talk.note(&Told { call: 7, at: Moment::ZERO, news });
        }
        assert_eq!((talk.answers.len(), talk.speaking.len()), (0, 0));
    }
}
