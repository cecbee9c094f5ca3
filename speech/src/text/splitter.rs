//! Cuts streamed text into sentences as soon as each one is certain.
//!
//! ```text
//! push(&str) ─► markup out ─► letters gather ─► a stop and white space: ended? ─► Sentence
//!                                   │               (or wait for the next word)
//!                                   └─ a first clause early; a cut when there is no end
//! ```
//!
//! Every decision depends on the characters alone, taken one by one: how the stream was cut into pieces
//! cannot change what comes out. Memory is bounded: text without an end is cut.

use super::boundary::{self, Condition, Ending};
use super::markup::{Markup, Token};
use super::sentence::{Cue, CueKind, End, Sentence, end_of, is_speakable};

/// More cues than this in one sentence are left out: nobody breathes that often.
const CUES_MAX: usize = 32;

/// The first clause of an answer goes out alone when it has at least this many characters, so that the voice starts
/// sooner.
const FIRST_CLAUSE: usize = 24;
/// A first clause is held until so many characters follow it: a sentence that ends within them goes out whole, since
/// little time would be saved.
const FIRST_CLAUSE_WAIT: usize = 12;
/// Text without an end is cut at this many characters, at a comma or a space where there is one.
const LONGEST: usize = 300;

/// A possible end that the next word confirms or not.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    end: usize,
    condition: Condition,
}

/// The splitter of one answer. Calling order: [`Splitter::push`] for each piece of text, [`Splitter::finish`]
/// once at its end; then it is ready for the next answer.
#[derive(Debug)]
pub struct Splitter {
    /// A first clause may go out alone.
    is_early: bool,
    markup: Markup,
    tokens: Vec<Token>,
    text: String,
    chars: usize,
    cues: Vec<Cue>,
    waiting: Option<Waiting>,
    /// Byte offset after the last clause mark.
    clause: Option<usize>,
    /// Byte offset after the first clause of the answer, and how many characters followed it.
    early: Option<(usize, usize)>,
    first: bool,
}

impl Splitter {
    /// For an answer that is still being written.
    pub fn new() -> Self {
        Self {
            is_early: true,
            markup: Markup::new(),
            tokens: Vec::new(),
            text: String::new(),
            chars: 0,
            cues: Vec::new(),
            waiting: None,
            clause: None,
            early: None,
            first: true,
        }
    }

    /// For a text that is all there: nothing is won by parting its first sentence.
    pub fn of_whole() -> Self {
        Self { is_early: false, ..Self::new() }
    }

    /// Takes the next piece of text and gives back the sentences that it completed.
    pub fn push(&mut self, piece: &str) -> Vec<Sentence> {
        let mut done = Vec::new();
        for c in piece.chars() {
            self.markup.push(c, &mut self.tokens);
            self.take_tokens(&mut done);
        }
        done
    }

    /// The text ends here: gives back what is left.
    pub fn finish(&mut self) -> Vec<Sentence> {
        let mut done = Vec::new();
        self.markup.finish(&mut self.tokens);
        self.take_tokens(&mut done);
        self.end_block(&mut done);
        let mut cues = std::mem::take(&mut self.cues);
        cues.retain(|cue| cue.kind != CueKind::Emphasis);
        if !cues.is_empty() {
            done.push(Sentence { text: String::new(), cues, end: End::Line });
        }
        self.first = true;
        done
    }

    /// Whether words wait for the end of their sentence: whole ones, or with the last one that may not be.
    pub fn holds_words(&self, with_last: bool) -> bool {
        is_speakable(self.text.get(..self.words_to(with_last)).unwrap_or_default())
    }

    /// Gives out the words that wait for the end of their sentence; that goes on behind them.
    pub fn words(&mut self, with_last: bool) -> Vec<Sentence> {
        let mut done = Vec::new();
        self.split(self.words_to(with_last), End::Cut, &mut done);
        done
    }

    fn words_to(&self, with_last: bool) -> usize {
        if with_last { self.text.len() } else { self.text.rfind(' ').unwrap_or(0) }
    }

    /// A whole text.
    pub fn all(&mut self, text: &str) -> Vec<Sentence> {
        let mut done = self.push(text);
        done.extend(self.finish());
        done
    }

    /// Forgets everything that has not come out yet: the answer was broken off.
    pub fn clear(&mut self) {
        *self = Self { is_early: self.is_early, ..Self::new() };
    }

    fn take_tokens(&mut self, done: &mut Vec<Sentence>) {
        let mut tokens = std::mem::take(&mut self.tokens);
        for token in tokens.drain(..) {
            match token {
                Token::Char(' ') => self.space(done),
                Token::Char(c) => self.letter(c, done),
                Token::Break => self.end_block(done),
                Token::Breath(kind) => self.cue(CueKind::Breath(kind)),
                Token::Emphasis => self.cue(CueKind::Emphasis),
            }
        }
        self.tokens = tokens;
    }

    fn cue(&mut self, kind: CueKind) {
        if self.cues.len() < CUES_MAX {
            self.cues.push(Cue { at: self.text.len(), kind });
        }
    }

    fn space(&mut self, done: &mut Vec<Sentence>) {
        if self.text.is_empty() || self.text.ends_with(' ') {
            return;
        }
        let end = self.text.len();
        if self.waiting.is_none() {
            match boundary::ending(&self.text) {
                Ending::Yes => return self.split(end, End::Line, done),
                Ending::If(condition) => self.waiting = Some(Waiting { end, condition }),
                Ending::No => self.note_clause(end),
            }
        }
        self.append(' ', done);
    }

    fn letter(&mut self, c: char, done: &mut Vec<Sentence>) {
        if !boundary::is_closer(c) && !boundary::is_stop(c) {
            let core = self.text.trim_end_matches(boundary::is_closer);
            match core.chars().next_back() {
                Some(stop) if boundary::is_wide_stop(stop) => self.split(self.text.len(), End::Line, done),
                Some(mark) if boundary::is_wide_clause_mark(mark) => self.note_clause(self.text.len()),
                // "Are you?I am": the space was forgotten. After a full stop it may be a name ("Node.JS").
                Some('?' | '!') if c.is_uppercase() && self.ends_with_plain_word() => {
                    self.split(self.text.len(), End::Line, done);
                }
                _ => {}
            }
        }
        self.append(c, done);
    }

    /// Whether the last word is letters and its stop, and not the middle of an address.
    fn ends_with_plain_word(&self) -> bool {
        let word = self.text.rsplit(' ').next().unwrap_or_default();
        let letters = word.trim_end_matches(boundary::is_closer).trim_end_matches(boundary::is_stop);
        letters.chars().count() >= 2 && letters.chars().all(char::is_alphabetic)
    }

    /// Adds `c` and sees what it settles.
    fn append(&mut self, c: char, done: &mut Vec<Sentence>) {
        if self.chars >= LONGEST && c != ' ' && (!is_combining(c) || self.chars >= 2 * LONGEST) {
            self.cut(done);
        }
        self.text.push(c);
        self.chars += 1;
        if let Some(Waiting { end, condition }) = self.waiting {
            match boundary::settle(condition, self.text.get(end..).unwrap_or_default()) {
                Some(true) => self.split(end, End::Line, done),
                Some(false) => self.waiting = None,
                None => {}
            }
        } else if let Some((end, after)) = self.early {
            if self.is_within_number(end) {
                self.early = None;
                return;
            }
            self.early = Some((end, after + 1));
            // The space after the comma is the first of those that follow.
            if after >= FIRST_CLAUSE_WAIT && c != ' ' {
                self.split(end, End::Clause, done);
            }
        }
    }

    /// Remembers a clause that ends at `end`, if one does.
    fn note_clause(&mut self, end: usize) {
        let core = self.text.trim_end_matches(boundary::is_closer);
        if !core.ends_with(boundary::is_clause_mark) {
            return;
        }
        self.clause = Some(end);
        if self.first && self.is_early && self.early.is_none() && self.chars >= FIRST_CLAUSE {
            self.early = Some((end, 0));
        }
    }

    /// "January 5, 2026": a comma between two digits parts no clause.
    fn is_within_number(&self, end: usize) -> bool {
        let (before, after) = self.text.split_at_checked(end).unwrap_or_default();
        let is_digit = |c: char| c.is_ascii_digit();
        before.trim_end_matches(boundary::is_clause_mark).ends_with(is_digit)
            && after.trim_start().starts_with(is_digit)
    }

    /// Too long without an end: cuts where it hurts least.
    fn cut(&mut self, done: &mut Vec<Sentence>) {
        let third = self.text.len() / 3;
        let space = self.text.trim_end().rfind(' ').filter(|&at| at > third);
        let possible = self.waiting.map(|w| w.end).or(self.clause.filter(|&at| at > third));
        let end = possible.or(space).unwrap_or(self.text.len());
        self.split(end, End::Cut, done);
    }

    fn end_block(&mut self, done: &mut Vec<Sentence>) {
        self.split(self.text.len(), End::Line, done);
    }

    /// Gives out the text up to byte `end`; what is behind it starts the next sentence. `otherwise` is how
    /// it ends when its last character does not say.
    fn split(&mut self, end: usize, otherwise: End, done: &mut Vec<Sentence>) {
        let head = self.text.get(..end).unwrap_or(&self.text).trim_end();
        let tail = self.text.get(head.len()..).unwrap_or_default().trim_start();
        let (head_len, kept) = (head.len(), self.text.len() - tail.len());
        // A cue behind the last word is for the words that follow.
        let is_earlier = |cue: &Cue| head.get(cue.at..).is_some_and(is_speakable);
        let later = self.cues.iter().position(|cue| !is_earlier(cue)).unwrap_or(self.cues.len());
        let mut rest = self.cues.split_off(later);
        for cue in &mut rest {
            cue.at = cue.at.saturating_sub(kept);
        }
        let cues = std::mem::replace(&mut self.cues, rest);
        if head_len > 0 {
            let end = match end_of(head) {
                // "We are open:" before a list ends with its line.
                Some(End::Clause) if otherwise == End::Line => End::Line,
                Some(end) => end,
                None => otherwise,
            };
            done.push(Sentence { text: head.to_owned(), cues, end });
            self.first = false;
        }
        self.text.drain(..kept);
        self.chars = self.text.chars().count();
        self.waiting = None;
        self.clause = None;
        self.early = None;
    }
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new()
    }
}

/// Accents that stand on the letter before them, and joiners: a cut never parts them from it.
const fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{20D0}'..='\u{20FF}' | '\u{FE20}'..='\u{FE2F}'
        | '\u{200C}' | '\u{200D}')
}

#[cfg(test)]
mod tests;
