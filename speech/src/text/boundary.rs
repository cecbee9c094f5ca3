//! Whether a sentence ends here. Pure functions over what stands before and, where that does not settle it,
//! over what comes after.

use super::words::{self, Class};

/// What the text before a white space says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The sentence goes on.
    No,
    /// It ends here.
    Yes,
    /// The next word tells.
    If(Condition),
}

/// What must follow for the sentence to have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Anything but a small letter or a dash.
    NotLower,
    /// Anything but a digit.
    NotDigit,
    /// A capital.
    Upper,
    /// A capital word that commonly starts a sentence.
    Starter,
    /// A capital word that is no day, month or time zone.
    NotCalendar,
    /// Anything but a small letter, a dash or a month: the number before it may be a day, as in "am 3. Oktober".
    NotMonth,
}

/// Full stops, question and exclamation marks of the scripts that put no space after them.
pub(super) const fn is_wide_stop(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '｡' | '．')
}

/// What ends a sentence.
pub(super) const fn is_stop(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '؟' | '۔' | '।' | '॥' | '።' | '‽' | '⁇' | '⁈' | '⁉')
        || is_wide_stop(c)
}

/// What parts clauses.
pub(super) const fn is_clause_mark(c: char) -> bool {
    matches!(c, ',' | ';' | ':' | '—' | '–') || is_wide_clause_mark(c)
}

/// Those of them that have no space after them.
pub(super) const fn is_wide_clause_mark(c: char) -> bool {
    matches!(c, '、' | '，' | '；' | '：' | '،' | '؛')
}

/// Quotes and brackets that may stand after a stop and belong to its sentence.
pub(super) const fn is_closer(c: char) -> bool {
    matches!(c, '"' | '\'' | '”' | '’' | '»' | ')' | ']' | '}' | '」' | '』' | '）' | '》' | '】' | '〉')
}

/// Quotes and brackets that may stand before a word.
const fn is_opener(c: char) -> bool {
    matches!(c, '"' | '\'' | '“' | '‘' | '«' | '(' | '[' | '{' | '「' | '『' | '（' | '¿' | '¡' | '„' | '‚')
}

/// What `text`, which ends just before a white space, says about an end of the sentence.
pub(super) fn ending(text: &str) -> Ending {
    let core = text.trim_end_matches(is_closer);
    let quoted = core.len() != text.len();
    let softly = if quoted { Ending::If(Condition::NotLower) } else { Ending::Yes };
    match core.chars().next_back() {
        Some('…') => Ending::If(Condition::NotLower),
        Some('.') if core.ends_with("..") => Ending::If(Condition::NotLower),
        Some('.') => full_stop(core, softly),
        Some(c) if is_stop(c) => softly,
        _ => Ending::No,
    }
}

fn full_stop(core: &str, softly: Ending) -> Ending {
    let stripped = core.trim_end_matches('.');
    let word = stripped.rsplit(char::is_whitespace).next().unwrap_or(stripped).trim_start_matches(is_opener);
    if word.chars().all(|c| c.is_ascii_digit())
        && !word.is_empty()
        && word.len() <= 3
        && word.len() == stripped.len()
    {
        // The number of a list item, "1. Open the door".
        return Ending::No;
    }
    if softly == Ending::Yes && matches!(word.len(), 1..=2) && word.bytes().all(|c| c.is_ascii_digit()) {
        return Ending::If(Condition::NotMonth);
    }
    if let Some(class) = words::class_of(word) {
        return match class {
            Class::Never => Ending::No,
            Class::Starter => Ending::If(Condition::Starter),
            Class::Upper => Ending::If(Condition::Upper),
            Class::No if softly != Ending::Yes => softly,
            Class::No => Ending::If(Condition::NotDigit),
            Class::TimeOfDay => Ending::If(Condition::NotCalendar),
        };
    }
    if is_initials(word) {
        // "So do I." ends; "J. R. R. Tolkien" does not.
        return if word == "I" { softly } else { Ending::If(Condition::Starter) };
    }
    let shortened = word.len() >= 2
        && word.chars().all(|c| c.is_ascii_alphabetic())
        && word.chars().any(|c| c.is_ascii_lowercase())
        && !word.chars().any(|c| matches!(c.to_ascii_lowercase(), 'a' | 'e' | 'i' | 'o' | 'u' | 'y'));
    if shortened { Ending::If(Condition::NotLower) } else { softly }
}

/// One letter, or letters with dots between them: "J", "U.S".
fn is_initials(word: &str) -> bool {
    !word.is_empty()
        && word.split('.').all(|part| {
            let mut letters = part.chars();
            letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none()
        })
}

/// Whether `after` settles the matter: `Some(true)` when the sentence ended, `None` while more must be seen.
pub(super) fn settle(condition: Condition, after: &str) -> Option<bool> {
    let word = after.trim_start_matches(|c: char| c.is_whitespace() || is_opener(c));
    let first = word.chars().next()?;
    let dash = matches!(first, '-' | '–' | '—');
    match condition {
        Condition::NotLower => Some(!first.is_lowercase() && !dash),
        Condition::NotMonth if first.is_lowercase() || dash => Some(false),
        Condition::NotMonth => Some(!words::is_month(whole_word(word)?)),
        Condition::NotDigit => Some(!first.is_ascii_digit()),
        Condition::Upper => Some(is_capital(first)),
        Condition::Starter | Condition::NotCalendar if !is_capital(first) => Some(false),
        Condition::Starter => Some(words::starts_sentence(whole_word(word)?)),
        Condition::NotCalendar => Some(!words::is_calendar(whole_word(word)?)),
    }
}

/// A letter that is not a small one: scripts without case count as capitals.
fn is_capital(c: char) -> bool {
    c.is_alphabetic() && !c.is_lowercase()
}

/// The word at the start of `text`, once something stands after it or it is too long for any list.
fn whole_word(text: &str) -> Option<&str> {
    const LONGEST: usize = 24;
    let end = text.find(|c: char| !c.is_alphabetic() && c != '\'' && c != '’');
    match end {
        Some(end) => text.get(..end),
        None if text.len() > LONGEST => Some(text),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(before: &str, after: &str) -> Option<bool> {
        match ending(before) {
            Ending::No => Some(false),
            Ending::Yes => Some(true),
            Ending::If(condition) => settle(condition, after),
        }
    }

    #[test]
    fn abbreviations_wait_for_what_follows() {
        assert_eq!(ends("Ask Dr.", " Who"), Some(false));
        assert_eq!(ends("apples, pears etc.", " a"), Some(false));
        assert_eq!(ends("apples, pears etc.", " T"), Some(true));
        assert_eq!(ends("It is No.", " 5"), Some(false));
        assert_eq!(ends("I said no.", " n"), Some(true));
        assert_eq!(ends("on Main St.", " Then "), Some(true));
        assert_eq!(ends("on Main St.", " Louis "), Some(false));
        assert_eq!(ends("on Main St.", " Th"), None, "the word is not whole yet");
        assert_eq!(ends("see fig.", " 3"), Some(false));
        assert_eq!(ends("el núm.", " 5"), Some(false));
        assert_eq!(ends("i morgen kl.", " 10"), Some(false));
        assert_eq!(ends("the mfg.", " date"), Some(false));
    }

    #[test]
    fn initials_and_times_are_not_the_end() {
        assert_eq!(ends("by J.", " Smith "), Some(false));
        assert_eq!(ends("in the U.S.", " Army "), Some(false));
        assert_eq!(ends("in the U.S.", " He "), Some(true));
        assert_eq!(ends("So do I.", ""), Some(true));
        assert_eq!(ends("at 5 p.m.", " Monday,"), Some(false));
        assert_eq!(ends("at 5 p.m.", " Bring "), Some(true));
        assert_eq!(ends("at 5 p.m.", " on"), Some(false));
        assert_eq!(ends("am 3.", " Oktober "), Some(false));
        assert_eq!(ends("den 24.", " desember"), Some(false));
        assert_eq!(ends("Am 3.", " Okt"), None, "the word is not whole yet");
        assert_eq!(ends("You are number 3.", " May "), Some(true));
        assert_eq!(ends("Press 1 or 2.", " 3 is"), Some(true));
    }

    #[test]
    fn closing_quotes_belong_to_the_sentence() {
        assert_eq!(ends("He said \"no.\"", " and"), Some(false));
        assert_eq!(ends("(He left.)", " Then"), Some(true));
        assert_eq!(ends("\"Really?\"", " — he"), Some(false));
        assert_eq!(ends("Really?!", ""), Some(true));
    }

    #[test]
    fn ellipses_end_only_before_a_capital() {
        assert_eq!(ends("Well...", " maybe"), Some(false));
        assert_eq!(ends("Well…", " Maybe"), Some(true));
    }

    #[test]
    fn plain_words_and_numbers_end_at_once() {
        for text in ["It is done.", "It costs 3.50.", "See example.com.", "on TV.", "a naïve café.", "ok."]
        {
            assert_eq!(ending(text), Ending::Yes, "{text}");
        }
        assert_eq!(ending("1."), Ending::No, "the number of a list item");
        assert_eq!(ending("and 3,"), Ending::No);
    }
}
