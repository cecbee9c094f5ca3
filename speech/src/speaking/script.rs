//! What is to be spoken in a turn: phrases with the rests between them, counted so that it can be said at any moment
//! which words are over.

use crate::text::{PauseKind, Planner, Rest, Sentence, SpeechRate, Step, count};

/// What is spoken in one go.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Phrase {
    text: String,
    /// Of its text, which is looked at whenever something of it comes.
    chars: u32,
    /// Between the phrase before and this one.
    pub(super) rest: Option<Rest>,
    /// Counted from 0 in the turn.
    pub(super) sentence: u32,
    pub(super) starts_sentence: bool,
}

impl Phrase {
    pub(super) fn new(text: String, rest: Option<Rest>, sentence: u32, starts_sentence: bool) -> Self {
        Self { chars: count(&text), text, rest, sentence, starts_sentence }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Its characters, white space left out: services write that as they like.
    pub(super) const fn chars(&self) -> u32 {
        self.chars
    }

    /// It ends behind the whole words of its first `chars` characters. Gives the rest.
    pub(super) fn cut(&mut self, chars: u32) -> String {
        let rest = self.text.split_off(words_end(&self.text, chars));
        self.chars = count(&self.text);
        rest.trim().to_owned()
    }

    /// Whether there is something before the last word, more than its first `chars` characters.
    pub(super) fn has_before_open_word(&self, chars: u32) -> bool {
        let before = count(self.text.trim_end_matches(|c: char| !c.is_whitespace()));
        before > 0 && before >= chars
    }

    /// It ends before the last word, if nothing tells that this is whole. Gives that.
    pub(super) fn take_open_word(&mut self) -> String {
        let at = self.text.trim_end_matches(|c: char| !c.is_whitespace()).len();
        let part = self.text.split_off(at);
        self.chars = count(&self.text);
        part
    }

    /// Without white space at its end: what follows has its own.
    pub(super) fn trim(&mut self) {
        self.text.truncate(self.text.trim_end().len());
    }

    /// It goes on.
    pub(super) fn push(&mut self, more: &str) {
        self.text.push_str(more);
        self.chars += count(more);
    }
}

/// The byte offset behind the whole words that the first `chars` characters make.
pub(super) fn words_end(text: &str, chars: u32) -> usize {
    let (mut seen, mut end) = (0, 0);
    for word in text.split_whitespace() {
        seen += count(word);
        if seen > chars {
            break;
        }
        // `word` is a part of `text`: the distance of the two is its place.
        end = word.as_ptr() as usize - text.as_ptr() as usize + word.len();
    }
    end
}

/// The phrases of the next sentence. A voice in the cloud makes its own small pauses: commas and emphasis stay inside
/// of a phrase, unless a breath stands there.
pub(super) fn phrases(
    planner: &mut Planner,
    sentence: &Sentence,
    rate: SpeechRate,
    number: u32,
) -> Vec<Phrase> {
    let mut phrases: Vec<Phrase> = Vec::new();
    let mut pending: Option<Rest> = None;
    for step in planner.plan(sentence, rate) {
        match step {
            Step::Rest(rest) => {
                pending = Some(match pending {
                    // Two rests in a row make one; the breath of the longer one stays.
                    Some(before) => Rest { length: before.length + rest.length, ..rest },
                    None => rest,
                });
            }
            Step::Speak(text) => {
                let rest = pending.take();
                let small = rest.is_none_or(|rest| {
                    rest.breath.is_none() && matches!(rest.kind, Some(PauseKind::Comma | PauseKind::Emphasis))
                });
                match phrases.last_mut() {
                    Some(phrase) if small => {
                        phrase.push(" ");
                        phrase.push(&text);
                    }
                    last => {
                        let starts_sentence = last.is_none();
                        phrases.push(Phrase::new(text, rest, number, starts_sentence));
                    }
                }
            }
        }
    }
    phrases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{PlanSettings, Splitter};

    #[test]
    fn commas_stay_inside_and_breaths_part() {
        let sentences = Splitter::new().all("Well, that is *very* good. Now [breath] the next, please.");
        let mut planner = Planner::new(PlanSettings::default(), 1);
        let all: Vec<Phrase> = (0..)
            .zip(&sentences)
            .flat_map(|(i, s)| phrases(&mut planner, s, SpeechRate::NORMAL, i))
            .collect();
        let short: Vec<(&str, bool, u32)> =
            all.iter().map(|p| (p.text(), p.rest.is_some(), p.sentence)).collect();
        assert_eq!(
            short,
            [("Well, that is very good.", false, 0), ("Now", true, 1), ("the next, please.", true, 1)]
        );
    }

    #[test]
    fn words_are_whole_or_not_said() {
        let text = "One  two three.";
        for (chars, said) in
            [(0, ""), (2, ""), (3, "One"), (5, "One"), (6, "One  two"), (12, text), (99, text)]
        {
            assert_eq!(&text[..words_end(text, chars)], said, "{chars}");
        }
    }
}
