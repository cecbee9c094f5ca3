//! What peers write in words of their own, for logs.

/// The most that is kept of what a peer says a call ended for.
pub(crate) const MOST_OF_A_REASON: usize = 120;

/// What a peer wrote freely, fit for a log: of at most so many characters, without any that would rule the terminal, and
/// with what may tell of a person left out: words with a telephone number's worth of digits, and addresses. The causes of
/// Q.850 and SIP have three digits.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let ends_word = |c: char| c.is_whitespace() || "\"';,=<>()".contains(c);
    let is_shown = |word: &str| !word.contains('@') && word.chars().filter(char::is_ascii_digit).count() < 4;
    let mut out = String::new();
    for piece in text.split_inclusive(ends_word) {
        let word = piece.trim_end_matches(ends_word);
        out.push_str(if is_shown(word) { word } else { "…" });
        out.push_str(piece.get(word.len()..).unwrap_or(""));
    }
    // Beyond ASCII there are characters that turn a line around, and digits of other scripts.
    out.chars().filter(|c| *c == '…' || c.is_ascii() && !c.is_control()).take(most).collect()
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
}
