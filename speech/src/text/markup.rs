//! Takes markup out of streamed text: Markdown, HTML, code blocks, emoji; and turns the tags of ours and the
//! emphasis into tokens. Fed one character at a time, so that it cannot matter how a stream was cut up, and
//! never holds more than one bracketed piece.

use super::held::{self, Angle};
use crate::breath::BreathKind;

/// A piece of speakable text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A character to be spoken; any white space is `' '`.
    Char(char),
    /// What follows is a block of its own: a paragraph, a heading, an item of a list.
    Break,
    /// A breath was asked for here.
    Breath(BreathKind),
    /// The next word is emphasised.
    Emphasis,
}

/// What the last characters may turn out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing special.
    Text,
    /// At the start of a line; `held` is what may be a list mark, a heading mark or a rule.
    LineStart,
    /// A run of this many `*`, `_`, `~` or backticks.
    Run(char, usize),
    /// After `[`: a tag of ours, or a bracket.
    Bracket,
    /// After `]`: a link target may follow.
    Closed,
    /// In a link target, with this many brackets open.
    Target(usize),
    /// After `<`.
    Angle,
    /// In a code block, after this many backticks in a row.
    Fence(usize),
    /// After a backslash.
    Escape,
    /// After a `!` that may start an image.
    Bang,
}

/// The filter. Call [`Markup::push`] for every character and [`Markup::finish`] at the end.
#[derive(Debug)]
pub(super) struct Markup {
    state: State,
    held: String,
    /// The last character that went out.
    last: char,
    /// Something unspoken was taken out here: letters on both sides of it stay apart.
    gap: bool,
    /// A line ended here; whether that parts two blocks depends on the next line.
    newline: bool,
    /// This line is a heading, a list item or a table row: its end is the end of a block.
    block: bool,
    in_code: bool,
    emphasis: bool,
}

impl Markup {
    pub(super) const fn new() -> Self {
        Self {
            state: State::LineStart,
            held: String::new(),
            last: ' ',
            gap: false,
            newline: false,
            block: false,
            in_code: false,
            emphasis: false,
        }
    }

    /// Takes the next character; what is certain goes to `out`.
    pub(super) fn push(&mut self, c: char, out: &mut Vec<Token>) {
        let c = match c {
            '\r' => return,
            '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => '\n',
            c => c,
        };
        match self.state {
            State::Text => self.text(c, out),
            State::LineStart => self.line_start(c, out),
            State::Run(mark, count) if c == mark => self.state = State::Run(mark, count.saturating_add(1)),
            State::Run(mark, count) => {
                self.end_run(mark, count, c, out);
                if let State::Fence(_) = self.state { self.fence(c) } else { self.text(c, out) }
            }
            State::Bracket => self.bracket(c, out),
            State::Closed if c == '(' => self.hold(State::Target(1), c),
            State::Closed => self.text(c, out),
            State::Target(open) => self.target(open, c, out),
            State::Angle => self.angle(c, out),
            State::Fence(_) => self.fence(c),
            State::Escape if c.is_ascii_punctuation() => {
                self.state = State::Text;
                self.emit(c, out);
            }
            State::Escape => {
                self.emit('\\', out);
                self.text(c, out);
            }
            State::Bang if c == '[' => self.hold(State::Bracket, c),
            State::Bang => {
                self.emit('!', out);
                self.text(c, out);
            }
        }
    }

    /// The text ends here; what was held goes out as what it now must be. The filter is as new.
    pub(super) fn finish(&mut self, out: &mut Vec<Token>) {
        if self.state == State::LineStart && !is_rule(&self.held) {
            self.release_line(out);
        }
        match self.state {
            State::Run(mark, count) => self.end_run(mark, count, '\n', out),
            State::Bracket | State::Target(_) | State::Angle => self.release(out),
            State::Escape => self.emit('\\', out),
            State::Bang => self.emit('!', out),
            State::Text | State::LineStart | State::Closed | State::Fence(_) => {}
        }
        *self = Self::new();
    }

    fn text(&mut self, c: char, out: &mut Vec<Token>) {
        self.state = State::Text;
        match c {
            '\n' => {
                self.in_code = false;
                self.emphasis = false;
                self.newline = !self.block;
                if std::mem::take(&mut self.block) {
                    out.push(Token::Break);
                }
                self.last = ' ';
                self.state = State::LineStart;
            }
            '`' => self.state = State::Run('`', 1),
            _ if self.in_code => self.emit(c, out),
            '*' | '_' | '~' => self.state = State::Run(c, 1),
            '[' => self.hold(State::Bracket, c),
            ']' => {
                self.gap = true;
                self.state = State::Closed;
            }
            '<' => self.hold(State::Angle, c),
            '\\' => self.state = State::Escape,
            '!' if self.last == ' ' => self.state = State::Bang,
            '|' => self.gap = true,
            _ => self.emit(c, out),
        }
    }

    fn hold(&mut self, state: State, c: char) {
        self.state = state;
        self.held.clear();
        self.held.push(c);
    }

    /// One character to be spoken, whatever it would mean as markup.
    fn emit(&mut self, c: char, out: &mut Vec<Token>) {
        if held::is_invisible(c) {
            return;
        }
        if held::is_picture(c) {
            self.gap = true;
            return;
        }
        let c = if c.is_whitespace() { ' ' } else { c };
        if self.gap && c.is_alphanumeric() && self.last.is_alphanumeric() {
            out.push(Token::Char(' '));
        }
        self.gap = false;
        self.last = c;
        out.push(Token::Char(c));
    }

    /// What was held is text after all; an opening square bracket is not spoken.
    fn release(&mut self, out: &mut Vec<Token>) {
        let held = std::mem::take(&mut self.held);
        for (i, c) in held.chars().enumerate() {
            if i == 0 && c == '[' { self.gap = true } else { self.emit(c, out) }
        }
        self.state = State::Text;
    }

    fn bracket(&mut self, c: char, out: &mut Vec<Token>) {
        if c == ']' {
            if let Some(kind) = held::tag(self.held.trim_start_matches('[')) {
                out.push(Token::Breath(kind));
                self.held.clear();
                self.gap = true;
                self.state = State::Text;
                return;
            }
            self.release(out);
            return self.text(c, out);
        }
        self.held.push(c);
        if !held::may_become_tag(&self.held) {
            self.held.pop();
            self.release(out);
            self.text(c, out);
        }
    }

    fn target(&mut self, open: usize, c: char, out: &mut Vec<Token>) {
        self.held.push(c);
        self.state = State::Target(open + usize::from(c == '(') - usize::from(c == ')'));
        if self.state == State::Target(0) {
            self.held.clear();
            self.gap = true;
            self.state = State::Text;
            return;
        }
        let strange = c.is_whitespace() && !held::is_address_start(&self.held);
        if c == '\n' || strange || self.held.len() > held::TARGET_MAX {
            self.held.pop();
            self.release(out);
            self.text(c, out);
        }
    }

    fn angle(&mut self, c: char, out: &mut Vec<Token>) {
        let first = self.held.len() == 1;
        if first && !(c.is_ascii_alphabetic() || c == '/') || c == '\n' || c == '<' {
            self.release(out);
            return self.text(c, out);
        }
        self.held.push(c);
        if c == '>' {
            let inner = self.held.get(1..self.held.len() - 1).unwrap_or_default();
            match held::angle(inner) {
                Angle::Tag => self.held.clear(),
                Angle::Space => {
                    self.held.clear();
                    self.emit(' ', out);
                }
                Angle::Address => self.held = inner.to_owned(),
                Angle::Text => {}
            }
            self.release(out);
        } else if self.held.len() > held::ANGLE_MAX {
            self.release(out);
        }
    }

    const fn fence(&mut self, c: char) {
        let State::Fence(ticks) = self.state else { return };
        self.state = match c {
            '`' => State::Fence(ticks.saturating_add(1)),
            _ if ticks >= 3 => State::Text,
            _ => State::Fence(0),
        };
        if let (State::Text, '\n') = (self.state, c) {
            self.state = State::LineStart;
        }
    }

    /// A run of `count` times `mark` ended before `next`.
    fn end_run(&mut self, mark: char, count: usize, next: char, out: &mut Vec<Token>) {
        self.state = State::Text;
        if mark == '`' {
            if count >= 3 {
                self.in_code = false;
                out.push(Token::Break);
                self.last = ' ';
                self.state = State::Fence(0);
            } else {
                self.in_code = !self.in_code;
            }
            return;
        }
        let inside_word = mark == '_' && next.is_alphanumeric() && self.last.is_alphanumeric();
        if mark == '~' || inside_word {
            return self.literal_run(mark, count, out);
        }
        if self.emphasis && !self.last.is_whitespace() {
            self.emphasis = false;
        } else if !self.last.is_alphanumeric() && opens_word(next) {
            self.emphasis = true;
            out.push(Token::Emphasis);
        } else {
            self.literal_run(mark, count, out);
        }
    }

    /// One sign is a sign; more of them are some markup that lost its other half.
    fn literal_run(&mut self, mark: char, count: usize, out: &mut Vec<Token>) {
        if count == 1 { self.emit(mark, out) } else { self.gap = true }
    }

    fn line_start(&mut self, c: char, out: &mut Vec<Token>) {
        match (self.held.as_str(), c) {
            ("", '\n') => self.end_block(out),
            ("", c) if c.is_whitespace() => {}
            (held, '\n') if is_rule(held) => self.end_block(out),
            ("#" | "##" | "###" | "####" | "#####" | "######" | "-" | "+" | "*" | "•", ' ' | '\t') => {
                self.start_block(out);
            }
            (">", c) => {
                self.held.clear();
                self.line_start(c, out);
            }
            (held, c) if held.starts_with('|') && !is_mark(c) => {
                let row = std::mem::take(&mut self.held);
                self.start_block(out);
                for c in row.chars().chain([c]) {
                    self.push(c, out);
                }
            }
            (held, ' ') if is_ordinal(held) => {
                let number = std::mem::take(&mut self.held);
                self.start_block(out);
                for digit in number.chars() {
                    self.emit(digit, out);
                }
                self.emit(' ', out);
            }
            (held, c) if may_start_line(held, c) => self.held.push(c),
            _ => {
                self.release_line(out);
                self.push(c, out);
            }
        }
    }

    fn start_block(&mut self, out: &mut Vec<Token>) {
        self.end_block(out);
        self.block = true;
        self.state = State::Text;
    }

    fn end_block(&mut self, out: &mut Vec<Token>) {
        out.push(Token::Break);
        self.held.clear();
        self.newline = false;
        self.last = ' ';
    }

    /// The line starts with no mark: it goes on where the last one ended, and what was held is text.
    fn release_line(&mut self, out: &mut Vec<Token>) {
        if std::mem::take(&mut self.newline) {
            out.push(Token::Char(' '));
        }
        self.state = State::Text;
        let held = std::mem::take(&mut self.held);
        for c in held.chars() {
            self.push(c, out);
        }
    }
}

/// Whether emphasis may start before `c`.
fn opens_word(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '"' | '\'' | '“' | '‘' | '(' | '[' | '`' | '_' | '*' | '¿' | '¡' | '$' | '€' | '£')
}

/// Characters of rules and table lines.
const fn is_mark(c: char) -> bool {
    matches!(c, '-' | '=' | '_' | '*' | '|' | ':' | '+' | ' ')
}

/// A line of at least three rule characters is a picture of a line.
fn is_rule(line: &str) -> bool {
    line.len() >= 3 && line.chars().all(is_mark)
}

/// `1.`, `2)`, up to three digits.
fn is_ordinal(held: &str) -> bool {
    held.strip_suffix(['.', ')'])
        .is_some_and(|n| !n.is_empty() && n.len() <= 3 && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether `held` and then `c` may still be the mark that starts a line.
fn may_start_line(held: &str, c: char) -> bool {
    const RULE_MAX: usize = 200;
    match c {
        '#' => held.len() < 6 && held.bytes().all(|b| b == b'#'),
        '0'..='9' => held.len() < 3 && held.bytes().all(|b| b.is_ascii_digit()),
        '.' | ')' => !held.is_empty() && held.bytes().all(|b| b.is_ascii_digit()),
        '•' | '>' => held.is_empty(),
        c => is_mark(c) && held.len() < RULE_MAX && held.chars().all(is_mark),
    }
}

#[cfg(test)]
mod tests;
