//! What the agents' conversations tell: counted, timed stage by stage, and told in the log.

use super::exposition::{by, counter};
use super::stages::{Answer, Stages, Step};
use crate::conversation::{News, Told};
use crate::http::metrics::Exposition;
use offhook_speech::session::SessionEvent;
use offhook_speech::transport::Part;
use offhook_units::Span;
use std::collections::{BTreeMap, BTreeSet};

/// The services of a call, with their names in metrics.
const PARTS: [(Part, &str); 4] =
    [(Part::Voice, "voice"), (Part::VoiceHttp, "voice_http"), (Part::Ears, "ears"), (Part::Mind, "mind")];

/// Turns, faults, and how long answers took.
#[derive(Debug, Default)]
pub struct Talk {
    turns: u64,
    utterances: u64,
    unspoken: u64,
    moves: u64,
    /// In the order of [`PARTS`].
    faults: [u64; PARTS.len()],
    stages: Stages,
    /// Each call's present answer.
    answers: BTreeMap<u64, Answer>,
    /// Calls in which the device is speaking.
    speaking: BTreeSet<u64>,
}

impl Talk {
    /// Something happened in a conversation.
    pub fn note(&mut self, told: &Told) {
        if told.news == News::Over {
            return self.over(told.call);
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
            SessionEvent::Moved { .. } => self.moves += 1,
            SessionEvent::Unspoken(_) => self.unspoken += 1,
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
        counter(to, "offhook_agent_moves_total", "Times that speech went on in another way.", self.moves);
        let faults: Vec<(&str, u64)> = PARTS.iter().map(|(_, name)| *name).zip(self.faults).collect();
        by(to, "offhook_agent_faults_total", "Faults of speech services.", "part", &faults);
        self.stages.write(to);
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
        News::Session(_) | News::Over => return,
    };
    answer.reach(step, told.at);
}

/// One line of the log. What was said does not stand in it.
pub(super) fn log(told: &Told, talk: &Talk) {
    let call = told.call;
    let event = match &told.news {
        News::Session(event) => event,
        News::Packed => {
            let stage = |(name, took): (&str, Span)| format!("{name} {:.0} ms", took.as_millis_f32());
            let stages: Vec<String> = talk.stages(call).map(stage).collect();
            return tracing::info!(call, "speech: a turn begins: {}", stages.join(", "));
        }
        News::Speaks | News::Silent | News::Laid | News::Over => return,
    };
    match event {
        SessionEvent::Fault(part, fault) => tracing::warn!(call, "speech: {part:?}: {fault:?}"),
        SessionEvent::Unspoken(_) => tracing::warn!(call, "speech: no voice could say a sentence"),
        SessionEvent::Moved { from, to } => {
            tracing::info!(call, "speech goes on by {to:?} instead of {from:?}")
        }
        SessionEvent::Mark(_) | SessionEvent::Interim(_) => {}
        event => tracing::debug!(call, "speech: {event:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_speech::speaking::Spoken;
    use offhook_units::{Moment, Pii};

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
        let took: Vec<i64> = talk.stages(7).map(|(_, took)| took.as_micros() / 1000).collect();
        assert_eq!(took, [300, 120, 10, 170, 1, 19]);
        let mut text = Exposition::default();
        talk.write(&mut text);
        let text = text.finish();
        assert!(text.contains("offhook_agent_answer_seconds_sum 0.62\n"), "{text}");
        talk.over(7);
        // What comes behind the end of a call leaves nothing behind either.
        for news in [News::Session(SessionEvent::TurnBegins), News::Over] {
            talk.note(&Told { call: 7, at: Moment::ZERO, news });
        }
        assert_eq!((talk.answers.len(), talk.speaking.len()), (0, 0));
    }
}
