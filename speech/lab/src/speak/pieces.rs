//! Cuts text into what is spoken in one go: sentences, and parts of those that have no end. Nothing of the text
//! is lost, so that the times of characters can be given for all of it.

/// Longest piece, in characters: what a voice says in some ten seconds.
const LONGEST: usize = 200;

/// The pieces of `text`, which put together are `text` again.
pub(crate) fn pieces(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut piece = String::new();
    let mut length = 0;
    let mut ended = false;
    for letter in text.chars() {
        // The space behind a sentence belongs to it.
        if ended && !letter.is_whitespace() {
            all.push(std::mem::take(&mut piece));
            (length, ended) = (0, false);
        }
        let after_mark = piece.ends_with(['.', '!', '?', '…', ';', ':']);
        piece.push(letter);
        length += 1;
        ended =
            ended || (letter.is_whitespace() && (after_mark || length >= LONGEST)) || length >= 2 * LONGEST;
    }
    if !piece.is_empty() {
        all.push(piece);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sentences_are_told_apart_and_numbers_kept() {
        assert_eq!(pieces("It is 3.14 now. Yes! "), ["It is 3.14 now. ", "Yes! "]);
        assert!(pieces("").is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_piece_is_endless(text in ".{0,900}") {
            let cut = pieces(&text);
            prop_assert_eq!(cut.concat(), text);
            prop_assert!(cut.iter().all(|piece| piece.trim_end().chars().count() <= 2 * LONGEST));
        }
    }
}
