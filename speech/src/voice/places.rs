//! Where the characters of a text lie in its sound, from what a synthesiser tells of its tokens.

use super::ascii::push_ascii;
use crate::tts::CharTime;

/// What the synthesiser took for a word, a number or the like, without the signs around it, and when it says that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) name: String,
    pub(super) from_ms: u32,
    pub(super) to_ms: u32,
}

/// The times of all characters of `text` that are not white space. `None` where the tokens are not those of the text, or
/// one of them has no sound: no times are better than wrong ones.
pub(super) fn places(text: &str, tokens: &[Token]) -> Option<Vec<CharTime>> {
    let mut ascii = String::with_capacity(text.len() + 8);
    let mut chars = Vec::with_capacity(text.len());
    for c in text.chars() {
        let from = ascii.len();
        push_ascii(&mut ascii, c);
        // A sign that is said as a word has spaces around it.
        let spaces = ascii.get(from..).map_or(0, |s| s.len() - s.trim_start().len());
        chars.push((c, (from + spaces).min(ascii.len())));
    }
    let (mut chars, mut times) = (chars.into_iter().peekable(), Vec::new());
    let (mut seen, mut end_ms) = (0, 0);
    let says = |text: &str| text.contains(|c: char| c.is_ascii_alphanumeric());
    for Token { name, from_ms, to_ms } in tokens {
        let rest = ascii.get(seen..)?;
        let from = seen + rest.find(name.as_str()).filter(|at| rest.get(..*at).is_some_and(|s| !says(s)))?;
        let to = from + name.len();
        if says(name) && (to_ms <= from_ms || *from_ms < end_ms) {
            return None;
        }
        // Signs before it lie behind the token before.
        while let Some((c, _)) = chars.next_if(|(_, at)| *at < from) {
            times.push(CharTime { c, at_ms: end_ms, end_ms });
        }
        // Signs that stand alone may have no sound.
        let from_ms = (*from_ms).max(end_ms);
        let to_ms = (*to_ms).max(from_ms);
        let place = |at: usize| {
            let share = u64::from(to_ms - from_ms) * (at.min(to) - from) as u64 / name.len().max(1) as u64;
            from_ms + share as u32
        };
        while let Some((c, at)) = chars.next_if(|(_, at)| *at < to) {
            let next = chars.peek().map_or(to, |(_, at)| *at);
            times.push(CharTime { c, at_ms: place(at), end_ms: place(next) });
        }
        (seen, end_ms) = (to, to_ms);
    }
    times.extend(chars.map(|(c, _)| CharTime { c, at_ms: end_ms, end_ms }));
    times.retain(|time| !time.c.is_whitespace());
    (!says(ascii.get(seen..)?) && end_ms > 0).then_some(times)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(name: &str, from_ms: u32, to_ms: u32) -> Token {
        Token { name: name.to_owned(), from_ms, to_ms }
    }

    fn ends(text: &str, tokens: &[Token]) -> Option<Vec<(char, u32)>> {
        Some(places(text, tokens)?.iter().map(|time| (time.c, time.end_ms)).collect())
    }

    #[test]
    fn letters_share_their_token_and_signs_have_no_length() {
        let tokens = [token("Oh", 100, 300), token("no", 400, 500)];
        let expected =
            vec![('O', 200), ('h', 300), (',', 300), ('n', 450), ('o', 500), ('!', 500), (')', 500)];
        assert_eq!(ends("Oh, no!) ", &tokens), Some(expected));
    }

    #[test]
    fn characters_that_are_said_as_words_have_the_time_of_those() {
        let tokens = [token("5", 0, 300), token("euro", 300, 700), token("Gross", 800, 1_300)];
        let expected = vec![('5', 300), ('€', 700), ('—', 700)];
        let expected = [expected, vec![('G', 900), ('r', 1_000), ('o', 1_100), ('ß', 1_300)]].concat();
        assert_eq!(ends("5 € — Groß", &tokens), Some(expected));
    }

    #[test]
    fn tokens_that_are_not_of_the_text_give_no_times() {
        let one = token("one", 0, 100);
        assert!(ends("one two", &[one.clone(), token("two", 100, 200)]).is_some());
        assert_eq!(ends("one two", std::slice::from_ref(&one)), None, "one is missing");
        assert_eq!(ends("one two", &[one.clone(), token("too", 100, 200)]), None, "another word");
        assert_eq!(ends("one two", &[token("two", 0, 100)]), None, "a word is passed over");
        assert_eq!(ends("one two", &[one.clone(), token("two", 100, 100)]), None, "no sound");
        assert_eq!(ends("one two", &[one, token("two", 50, 200)]), None, "back in time");
        assert_eq!(ends("...", &[token("...", 0, 0)]), None);
    }

    proptest! {
        #[test]
        fn no_tokens_break_it(text in "\\PC{0,20}", tokens in prop::collection::vec(("[a-z.]{0,2}", 0u32..50, 0u32..50), 0..9)) {
            let own = text.split(' ').map(|name| token(name, 10, 20)).collect::<Vec<_>>();
            let odd = tokens.into_iter().map(|(name, from, to)| token(&name, from, to)).collect::<Vec<_>>();
            for tokens in [own, odd] {
                let times = places(&text, &tokens).unwrap_or_default();
                prop_assert!(times.is_sorted_by_key(|time| time.end_ms) && times.iter().all(|time| time.at_ms <= time.end_ms));
            }
        }
    }
}
