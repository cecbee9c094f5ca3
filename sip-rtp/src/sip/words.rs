//! What peers write in words of their own, for logs.

use std::net::IpAddr;

/// The most that is kept of what a peer says a call ended for.
pub(crate) const MOST_OF_A_REASON: usize = 120;

/// The shortest telephone number: the causes of Q.850 and SIP have three digits.
const DIGITS_OF_A_NUMBER: usize = 4;

/// What a peer wrote freely, fit for a log: of at most so many characters, without any that would rule the terminal, and
/// with what may tell of a person left out: telephone numbers, be they written in groups, and addresses.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let words: Vec<Word<'_>> = text.split_inclusive(ends_word).map(Word::of).collect();
    let mut out = String::new();
    for number in words.chunk_by(|word, next| word.leads_on && next.is_group()) {
        let tells = number.iter().map(Word::digits).sum::<usize>() >= DIGITS_OF_A_NUMBER;
        for word in number {
            let is_hidden = word.text.contains('@') || tells && word.digits() > 0;
            out.push_str(if is_hidden { "…" } else { word.text });
            out.push_str(word.end);
        }
    }
    // Beyond ASCII there are characters that turn a line around, and digits of other scripts.
    out.chars().filter(|c| *c == '…' || c.is_ascii() && !c.is_control()).take(most).collect()
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || "\"';,=<>()".contains(c)
}

/// A word, and the character that ends it.
struct Word<'a> {
    text: &'a str,
    end: &'a str,
    /// Another group of the same number may follow: `+49 (30) 555` goes on behind each of its words, `603, 12` does not.
    leads_on: bool,
}

impl<'a> Word<'a> {
    fn of(piece: &'a str) -> Self {
        let text = piece.trim_end_matches(ends_word);
        let end = piece.get(text.len()..).unwrap_or("");
        let joins = end.chars().all(|c| c.is_whitespace() || "()".contains(c));
        // Of `tel:+49` the last part is a group.
        let group = text.rsplit(':').next().unwrap_or("");
        Self { text, end, leads_on: joins && of_a_number(group) }
    }

    /// Whether it holds nothing but a piece of a number, or what stands between two.
    fn is_group(&self) -> bool {
        of_a_number(self.text)
    }

    fn digits(&self) -> usize {
        self.text.chars().filter(char::is_ascii_digit).count()
    }
}

fn of_a_number(text: &str) -> bool {
    // The code of a Warning is followed by an address at times.
    let is_address = text.parse::<IpAddr>().is_ok();
    !is_address && text.chars().all(|c| c.is_ascii_digit() || "+-./\u{2010}\u{2011}\u{2013}".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_short_and_tells_no_numbers() {
        assert_eq!(
            plain("Q.850;cause=16;text=\"NORMAL_CLEARING\"", 120),
            "Q.850;cause=16;text=\"NORMAL_CLEARING\""
        );
        let tells = "SIP;cause=302;text=\"moved to +49-30-5550100, ask bob@192.0.2.7 (or 6001)\"";
        assert_eq!(plain(tells, 120), "SIP;cause=302;text=\"moved to …, ask … (or …)\"");
        assert_eq!(plain("a\r\n\u{1b}[31mb\u{202e}c\u{0661}", 120), "a[31mbc");
        assert_eq!(plain(&"x ".repeat(500), 120).len(), 120);
    }

    #[test]
    fn a_number_in_groups_is_a_number() {
        for (says, kept) in [
            ("moved to +49 30 123 456 today", "moved to … … … … today"),
            ("ask 030-1234-567", "ask …"),
            ("ask (030) 1234567, please", "ask (…) …, please"),
            ("+49 (0) 30 / 12 34 56", "… (…) … / … … …"),
            ("tel:+49 30 12", "… … …"),
            ("1 800 GOFER", "… … GOFER"),
            ("01.23.45.67.89", "…"),
            ("030\u{a0}12", "……"),
            ("60 \u{2013} 12", "…  …"),
        ] {
            assert_eq!(plain(says, 120), kept, "{says}");
        }
    }

    #[test]
    fn what_is_no_number_stays() {
        for says in [
            "Q.850;cause=16;text=\"Normal call clearing\"",
            "SIP;cause=486;text=\"SIP/2.0 486 Busy Here\"",
            "after 30 s, at 9:30, 3 of 12 lines, 99 % full",
            "cause=16, 603, 12",
            "version 1.2.3 (build 17)",
        ] {
            assert_eq!(plain(says, 120), says);
        }
        assert_eq!(plain("399 192.0.2.1 \"no codec\"", 120), "399 … \"no codec\"");
    }
}
