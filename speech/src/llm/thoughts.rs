//! Thoughts that a server leaves in the text, between marks (`<think>` … `</think>`), taken out of it while it comes. They
//! may be cut anywhere.

/// The marks that models are known to write, small.
const MARKS: [(&str, &str); 5] = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[think]", "[/think]"),
];

/// The filter of one answer.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    /// What may become a mark; never longer than the longest of them.
    held: String,
    /// The mark that ends the thoughts.
    until: Option<&'static str>,
}

impl Thoughts {
    /// Takes the next piece; gives what of it is to be spoken.
    pub(super) fn put(&mut self, text: &str) -> String {
        let mut spoken = String::new();
        for c in text.chars() {
            self.held.push(c);
            self.settle(&mut spoken);
        }
        spoken
    }

    /// The text ends here: what was held back was no mark.
    pub(super) fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        if self.until.is_some() { String::new() } else { held }
    }

    /// Gives out the first characters of what is held, as long as no mark can begin with them.
    fn settle(&mut self, spoken: &mut String) {
        while let Some(first) = self.held.chars().next() {
            let small = self.held.to_ascii_lowercase();
            let may_come = |mark: &str| mark.starts_with(&small);
            match self.until {
                Some(end) if small == end => (self.until, self.held) = (None, String::new()),
                Some(end) if may_come(end) => return,
                Some(_) => drop(self.held.remove(0)),
                None => match MARKS.iter().find(|(begin, _)| small == *begin) {
                    Some((_, end)) => (self.until, self.held) = (Some(*end), String::new()),
                    None if MARKS.iter().any(|(begin, _)| may_come(begin)) => return,
                    None => {
                        spoken.push(first);
                        self.held.remove(0);
                    }
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn spoken(pieces: &[&str]) -> String {
        let mut thoughts = Thoughts::default();
        let mut all: String = pieces.iter().map(|piece| thoughts.put(piece)).collect();
        all.push_str(&thoughts.finish());
        all
    }

    #[test]
    fn thoughts_between_marks_are_never_spoken_and_all_else_is() {
        for (text, left) in [
            ("<think>\nA < B, </b> so I say yes.\n</think>\n\nYes.", "\n\nYes."),
            ("<THINK>x</Think>Yes, <<thinking>y</thinking>5 < 6.", "Yes, <5 < 6."),
            ("[THINK]x[/THINK]Yes. [th [breath]", "Yes. [th [breath]"),
            ("<thought>x</thought><reasoning>y</reasoning>Yes.", "Yes."),
            ("Yes. <think>and never", "Yes. "),
            ("<thin ice> <thi", "<thin ice> <thi"),
        ] {
            assert_eq!(spoken(&[text]), left, "{text}");
            let letters: Vec<String> = text.chars().map(String::from).collect();
            assert_eq!(spoken(&letters.iter().map(String::as_str).collect::<Vec<_>>()), left, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_without_marks_is_left_alone_and_little_is_held(pieces in prop::collection::vec("[<\\[thin/éß ]{0,12}", 0..8)) {
            let text = pieces.concat();
            let mut thoughts = Thoughts::default();
            let mut all = String::new();
            for piece in &pieces {
                all.push_str(&thoughts.put(piece));
                prop_assert!(thoughts.held.len() <= 12);
            }
            all.push_str(&thoughts.finish());
            prop_assert_eq!(all, text);
        }
    }
}
