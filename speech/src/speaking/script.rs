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
    /// Only a small rest parts it from the phrase before: a voice may be given both in one go, as one text. Where it tells
    /// which word lies where, or says them one by one, that rest is made all the same.
    pub(super) flows: bool,
}

impl Phrase {
    pub(super) fn new(text: String, rest: Option<Rest>, sentence: u32, starts_sentence: bool) -> Self {
        Self { chars: count(&text), text, rest, sentence, starts_sentence, flows: false }
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

/// Behind the phrases that may be said in one go with phrase `at`, as one text.
pub(super) fn flow_end(phrases: &[Phrase], at: usize) -> usize {
    let more = phrases.iter().skip(at + 1).take_while(|phrase| phrase.flows);
    at + 1 + more.count()
}

/// That text.
pub(super) fn joined(phrases: &[Phrase]) -> String {
    phrases.iter().map(Phrase::text).collect::<Vec<_>>().join(" ")
}

/// The phrases of the next sentence. A `pending` rest is the one that no word has followed yet: one with a breath is kept for
/// what comes.
pub(super) fn phrases(
    planner: &mut Planner,
    sentence: &Sentence,
    rate: SpeechRate,
    number: u32,
    pending: &mut Option<Rest>,
) -> Vec<Phrase> {
    let mut phrases: Vec<Phrase> = Vec::new();
    for step in planner.plan(sentence, rate) {
        match step {
            Step::Rest(rest) => {
                *pending = Some(match *pending {
                    // Two rests in a row make one, with one breath.
                    Some(before) => Rest {
                        kind: before.kind.or(rest.kind),
                        length: before.length + rest.length,
                        breath: rest.breath.or(before.breath),
                    },
                    None => rest,
                });
            }
            Step::Speak(text) => match (phrases.last_mut(), pending.take()) {
                // A table without a rest here leaves it to the voice.
                (Some(phrase), None) => {
                    phrase.push(" ");
                    phrase.push(&text);
                }
                (last, rest) => {
                    let starts_sentence = last.is_none();
                    let flows = !starts_sentence && rest.as_ref().is_some_and(is_small);
                    phrases.push(Phrase { flows, ..Phrase::new(text, rest, number, starts_sentence) });
                }
            },
        }
    }
    *pending = pending.filter(|rest| rest.breath.is_some());
    phrases
}

/// A voice makes such a rest by itself, in the melody of its sentence.
fn is_small(rest: &Rest) -> bool {
    rest.breath.is_none() && matches!(rest.kind, Some(PauseKind::Comma | PauseKind::Emphasis))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{PauseRange, PauseTable, PlanSettings, Splitter};

    #[test]
    fn what_commas_and_emphasis_part_is_one_text_and_breaths_part_it() {
        let sentences = Splitter::new().all("Well, that is *very* good. Now [breath] the next, please.");
        let mut planner = Planner::new(PlanSettings::default(), 1);
        let all: Vec<Phrase> = (0..)
            .zip(&sentences)
            .flat_map(|(i, s)| phrases(&mut planner, s, SpeechRate::NORMAL, i, &mut None))
            .collect();
        let short: Vec<(&str, bool, u32)> =
            all.iter().map(|p| (p.text(), p.rest.is_some(), p.sentence)).collect();
        assert_eq!(
            short,
            [
                ("Well,", false, 0),
                ("that is", true, 0),
                ("very good.", true, 0),
                ("Now", true, 1),
                ("the next,", true, 1),
                ("please.", true, 1)
            ]
        );
        let mut texts = Vec::new();
        let mut at = 0;
        while at < all.len() {
            let to = flow_end(&all, at);
            texts.push(joined(&all[at..to]));
            at = to;
        }
        assert_eq!(texts, ["Well, that is very good.", "Now", "the next, please."]);
    }

    #[test]
    fn without_a_rest_in_the_table_a_comma_parts_nothing() {
        let none = PauseRange::new(0, 0).unwrap();
        let pauses = PauseTable { comma: none, emphasis: none, ..PauseTable::default() };
        let mut planner = Planner::new(PlanSettings { pauses, ..PlanSettings::default() }, 1);
        let sentence = &Splitter::of_whole().all("Well, that is *very* good.")[0];
        let all = phrases(&mut planner, sentence, SpeechRate::NORMAL, 0, &mut None);
        assert_eq!(all.iter().map(Phrase::text).collect::<Vec<_>>(), ["Well, that is very good."]);
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
