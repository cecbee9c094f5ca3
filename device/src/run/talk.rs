//! What the agents' conversations tell: counted, timed stage by stage, and told in the log.

use super::exposition::{by, counter};
use crate::conversation::Told;
use crate::http::metrics::{Exposition, Histogram};
use offhook_speech::session::SessionEvent;
use offhook_speech::transport::Part;
use offhook_units::Moment;
use std::collections::{BTreeMap, BTreeSet};

/// Upper edges of the histograms of stages, seconds.
const EDGES: [f64; 9] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// The services of a call, with their names in metrics.
const PARTS: [(Part, &str); 4] =
    [(Part::Voice, "voice"), (Part::VoiceHttp, "voice_http"), (Part::Ears, "ears"), (Part::Mind, "mind")];

type Stage = Histogram<{ EDGES.len() }>;

/// The stages of a turn.
#[derive(Debug)]
pub struct Talk {
    turns: u64,
    utterances: u64,
    unspoken: u64,
    moves: u64,
    /// In the order of [`PARTS`].
    faults: [u64; PARTS.len()],
    /// From the question to the language model's first words.
    first_words: Stage,
    /// From the question to the first sentence that goes to a voice.
    first_sentence: Stage,
    /// When each call's model was asked last, for as long as the answer has not begun.
    asked: BTreeMap<u64, Moment>,
    /// Calls in which the device is speaking.
    speaking: BTreeSet<u64>,
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            turns: 0,
            utterances: 0,
            unspoken: 0,
            moves: 0,
            faults: [0; PARTS.len()],
            first_words: Histogram::new(EDGES),
            first_sentence: Histogram::new(EDGES),
            asked: BTreeMap::new(),
            speaking: BTreeSet::new(),
        }
    }
}

impl Talk {
    /// Something happened in a conversation.
    pub fn note(&mut self, now: Moment, told: &Told) {
        let since = |asked: Moment| f64::from(now.since(asked).as_millis_f32()) / 1e3;
        match &told.event {
            SessionEvent::Utterance(_) => self.utterances += 1,
            SessionEvent::Asked => drop(self.asked.insert(told.call, now)),
            SessionEvent::FirstToken => {
                if let Some(asked) = self.asked.get(&told.call) {
                    self.first_words.add(since(*asked));
                }
            }
            SessionEvent::TurnBegins => {
                self.turns += 1;
                self.speaking.insert(told.call);
                if let Some(asked) = self.asked.remove(&told.call) {
                    self.first_sentence.add(since(asked));
                }
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
        self.asked.remove(&call);
        self.speaking.remove(&call);
    }

    /// The calls in which the device is speaking.
    pub fn speaking(&self) -> impl Iterator<Item = u64> {
        self.speaking.iter().copied()
    }

    /// Writes its metrics.
    pub(super) fn write(&self, to: &mut Exposition) {
        counter(to, "offhook_agent_turns_total", "Turns of the device in conversations.", self.turns);
        counter(to, "offhook_agent_utterances_total", "Things that callers said.", self.utterances);
        counter(to, "offhook_agent_unspoken_total", "Sentences that no voice could say.", self.unspoken);
        counter(to, "offhook_agent_moves_total", "Times that speech went on in another way.", self.moves);
        let faults: Vec<(&str, u64)> = PARTS.iter().map(|(_, name)| *name).zip(self.faults).collect();
        by(to, "offhook_agent_faults_total", "Faults of speech services.", "part", &faults);
        let help = "From the question to the language model's first words.";
        self.first_words.write(to, "offhook_agent_first_words_seconds", help);
        let help = "From the question to the first sentence that goes to a voice.";
        self.first_sentence.write(to, "offhook_agent_first_sentence_seconds", help);
    }
}

/// One line of the log. What was said does not stand in it.
pub(super) fn log(told: &Told) {
    let call = told.call;
    match &told.event {
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
    use offhook_units::Pii;

    #[test]
    fn a_call_is_spoken_in_from_the_turns_begin_to_its_end_or_the_calls() {
        let mut talk = Talk::default();
        for call in [7, 8, 9] {
            talk.note(Moment::ZERO, &Told { call, event: SessionEvent::TurnBegins });
        }
        let ends = SessionEvent::TurnEnds(Pii::new(Spoken { text: String::new(), whole: true }));
        talk.note(Moment::ZERO, &Told { call: 7, event: ends });
        talk.over(9);
        assert_eq!(talk.speaking().collect::<Vec<_>>(), [8]);
    }

    #[test]
    fn stages_are_timed_from_the_question() {
        let mut talk = Talk::default();
        let mut note = |ms, event| talk.note(Moment::from_millis(ms), &Told { call: 7, event });
        note(0, SessionEvent::TurnBegins);
        note(1_000, SessionEvent::Asked);
        note(1_200, SessionEvent::FirstToken);
        note(1_600, SessionEvent::TurnBegins);
        note(9_000, SessionEvent::TurnBegins);
        let mut text = Exposition::default();
        talk.write(&mut text);
        let text = text.finish();
        for line in [
            "offhook_agent_turns_total 3",
            "offhook_agent_first_words_seconds_bucket{le=\"0.1\"} 0",
            "offhook_agent_first_words_seconds_bucket{le=\"0.25\"} 1",
            "offhook_agent_first_sentence_seconds_bucket{le=\"0.5\"} 0",
            "offhook_agent_first_sentence_seconds_count 1",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
    }
}
