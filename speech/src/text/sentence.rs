//! A sentence as it leaves the splitter.

use super::boundary::{is_clause_mark, is_closer, is_stop};
use crate::breath::BreathKind;

/// A sentence, or the part of one that is spoken in one go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// What to speak: no markup, white space single. Empty only when nothing but cues were left at the end.
    pub text: String,
    /// What happens inside of it, in order.
    pub cues: Vec<Cue>,
    /// How it ends.
    pub end: End,
}

impl Sentence {
    /// Whether there is anything in it that a voice can say. Services fail on text that has nothing.
    pub fn is_speakable(&self) -> bool {
        is_speakable(&self.text)
    }
}

/// Whether there is anything in `text` that a voice can say.
pub(crate) fn is_speakable(text: &str) -> bool {
    text.chars().any(char::is_alphanumeric)
}

/// Something that happens at a place in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cue {
    /// Byte offset into [`Sentence::text`]: before the character there.
    pub at: usize,
    /// What happens.
    pub kind: CueKind,
}

/// What happens at a cue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CueKind {
    /// A breath was asked for by a tag.
    Breath(BreathKind),
    /// The next word is emphasised: a pause comes before it.
    Emphasis,
}

/// How a sentence ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// With a full stop.
    FullStop,
    /// With a question mark, alone or among others.
    Question,
    /// With an exclamation mark.
    Exclamation,
    /// With three dots: it trails off.
    Ellipsis,
    /// With its line, paragraph or list item, and no mark; or with the whole text.
    Line,
    /// Not at all: a clause that goes on after a comma.
    Clause,
    /// Not at all: it was too long and was cut between two words.
    Cut,
}

/// What the last characters of `text` say about its end.
pub(super) fn end_of(text: &str) -> Option<End> {
    let core = text.trim_end_matches(is_closer);
    let run = &core[core.trim_end_matches(is_stop).len()..];
    if run.contains(['?', '？', '؟', '‽', '⁇', '⁈', '⁉']) {
        Some(End::Question)
    } else if run.contains(['!', '！']) {
        Some(End::Exclamation)
    } else if run.contains('…') || run.len() >= 2 && run.bytes().all(|b| b == b'.') {
        Some(End::Ellipsis)
    } else if !run.is_empty() {
        Some(End::FullStop)
    } else if core.ends_with(is_clause_mark) {
        Some(End::Clause)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_marks_name_the_end() {
        for (text, end) in [
            ("Yes.", Some(End::FullStop)),
            ("はい。」", Some(End::FullStop)),
            ("Really?!", Some(End::Question)),
            ("\"Go!\"", Some(End::Exclamation)),
            ("Well...", Some(End::Ellipsis)),
            ("Well…)", Some(End::Ellipsis)),
            ("First,", Some(End::Clause)),
            ("Title", None),
            ("", None),
        ] {
            assert_eq!(end_of(text), end, "{text}");
        }
    }

    #[test]
    fn marks_alone_are_not_speakable() {
        let of = |text: &str| Sentence { text: text.to_owned(), cues: Vec::new(), end: End::Line };
        assert!(!of("...").is_speakable() && !of("").is_speakable());
        assert!(of("7").is_speakable() && of("はい").is_speakable());
    }
}
