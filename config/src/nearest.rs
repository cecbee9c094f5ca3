//! The name that a typo was probably meant to be.

/// Longer words than this are no typos of ours, and comparing them would cost their length squared.
const LONGEST: usize = 64;

/// The candidate fewest edits away from `word`, unless even that one is too far to be a guess worth telling.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (edits(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance: insertions, deletions and substitutions of characters.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (to, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let here = (diagonal + usize::from(from != *to)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, here);
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_textbook() {
        for (a, b, distance) in
            [("", "", 0), ("", "abc", 3), ("kitten", "sitting", 3), ("min_ms", "mim_ms", 1)]
        {
            assert_eq!(edits(a, b), distance, "{a} {b}");
            assert_eq!(edits(b, a), distance, "{b} {a}");
        }
    }

    #[test]
    fn a_typo_finds_its_word_and_a_stranger_finds_none() {
        let words = ["min_ms", "target_ms", "max_ms"];
        assert_eq!(nearest("mun_ms", words), Some("min_ms"));
        assert_eq!(nearest("TARGET", words), Some("target_ms"));
        assert_eq!(nearest("colour", words), None);
        assert_eq!(nearest(&"m".repeat(100_000), words), None);
    }
}
