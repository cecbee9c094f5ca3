//! Whether all of a text came: what of it is there to be spoken at all, and how a voice ends that was not broken off.

use super::Came;
use crate::text::count;

/// What a direction stands between.
const BRACKETS: [(char, char); 3] = [('[', ']'), ('(', ')'), ('*', '*')];

/// What of a text is there to be spoken: it may end with signs, smileys, or directions as `[laughs]`.
pub(crate) fn spoken(mut text: &str) -> &str {
    loop {
        text = text.trim_end_matches(|c: char| {
            !c.is_alphanumeric() && BRACKETS.iter().all(|(_, close)| c != *close)
        });
        let inside = |&(open, close)| text.strip_suffix(close)?.rsplit_once(open);
        match BRACKETS.iter().find_map(inside) {
            Some((before, inside)) if inside.chars().all(char::is_lowercase) => text = before,
            _ => return text.trim_end_matches(|c: char| !c.is_alphanumeric()),
        }
    }
}

/// Of the last word of a text so many characters may not be heard where the voice ends softly: it may be written otherwise
/// than it is spoken, or the silence behind it was cut off.
const ENDING: u32 = 5;
/// A word as short need not be one.
const SHORT: u32 = 2;

/// Whether all of a text came, of which surely so much was heard.
fn is_whole(text: &str, reached: u32, ends_softly: bool) -> bool {
    let text = spoken(text);
    let missing = count(text).saturating_sub(reached);
    let last = text.split_whitespace().next_back().map_or(0, count);
    missing == 0 || (ends_softly && missing <= ENDING && (missing < last || last <= SHORT))
}

impl Came {
    /// Whether all of `text` came, if it was surely heard. It may have grown since the ear was asked.
    pub fn is_all_of(&self, text: &str) -> Option<bool> {
        Some(is_whole(text, self.surely_reached()?, self.ends_softly))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_where_there_is_nothing_more_to_be_spoken() {
        for (text, all) in [
            ("", ""),
            ("...", ""),
            ("See you.", "See you"),
            ("It is **nine**", "It is **nine"),
            ("See you! \u{1F44B}\u{1F3FD}", "See you"),
            ("See you. [laughs] \u{1F600}", "See you"),
            ("[whispers] See you [sighs][smiles].", "[whispers] See you"),
            ("You find it on [our website].", "You find it on [our website"),
            ("See you]", "See you"),
            ("See you! *waves*", "See you"),
            ("See you (smiles).", "See you"),
            ("See you (on Monday)", "See you (on Monday"),
            ("See you **soon**", "See you **soon"),
            ("See you*", "See you"),
            ("[laughs]", ""),
        ] {
            assert_eq!(spoken(text), all, "{text:?}");
        }
    }

    #[test]
    fn brackets_without_end_take_no_time() {
        let closed = "]".repeat(16_000);
        assert_eq!((spoken(&closed), spoken(&format!("[{closed}"))), ("", ""));
        assert_eq!(spoken(&"[a]".repeat(5_000)), "");
        assert_eq!((spoken(&"*".repeat(16_000)), spoken(&"(".repeat(16_000))), ("", ""));
    }

    #[test]
    fn a_text_is_whole_to_its_last_letter_or_to_a_soft_end_in_its_last_word() {
        let text = "How can I help you today?";
        let whole =
            |missing: u32, ends_softly| is_whole(text, count("HowcanIhelpyoutoday") - missing, ends_softly);
        assert_eq!([0, 1, 4, 5, 8].map(|missing| whole(missing, false)), [true, false, false, false, false]);
        assert_eq!([0, 1, 4, 5, 8].map(|missing| whole(missing, true)), [true, true, true, false, false]);
        assert!(is_whole("You are cancelling it, appointment", 25, true));
        assert!(!is_whole("You are cancelling it, appointment", 24, true));
        assert!(is_whole("See you then! XD", 11, true) && !is_whole("See you then! XD", 11, false));
    }
}
