//! Any text of a language model, cut anywhere: the same sentences each time, tidy, bounded, with their cues in place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_speech::text::{Sentence, Splitter};

fuzz_target!(|input: (&str, u8)| {
    let (text, piece) = input;
    let whole = split(text, text.chars().count().max(1));
    assert_eq!(whole, split(text, usize::from(piece).max(1)), "where a stream is cut makes no difference");
    for sentence in &whole {
        assert_eq!(sentence.text.trim(), sentence.text);
        assert!(sentence.text.chars().count() <= 601);
        assert!(sentence.cues.iter().all(|cue| sentence.text.is_char_boundary(cue.at)));
    }
});

fn split(text: &str, piece: usize) -> Vec<Sentence> {
    let mut splitter = Splitter::new();
    let chars: Vec<char> = text.chars().collect();
    let mut all = Vec::new();
    for part in chars.chunks(piece) {
        all.extend(splitter.push(&part.iter().collect::<String>()));
    }
    all.extend(splitter.finish());
    all
}
