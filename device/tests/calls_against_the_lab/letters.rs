//! Reads what was heard: the lab's tones have a sound for each letter, 60 ms long, and here it is found again in the
//! samples. Words are told apart by the silence between them.

use offhook_lab::Tones;
use offhook_speech::voice::Voice as _;
use offhook_speech::wire::resample::Resampler;
use std::ops::ControlFlow;

/// Samples of a letter at 8 kHz.
const LETTER: usize = 480;
/// A sound that is this much like a letter is that letter.
const ALIKE: f32 = 0.8;
/// And of one that is so much like it nothing better is looked for.
const SAME: f32 = 0.97;
/// Below this nobody hears anything.
const QUIET: u16 = 250;
/// Silence that parts two words.
const GAP: usize = 240;

/// The letters' sounds.
pub(crate) struct Letters(Vec<(char, Vec<f32>)>);

impl Letters {
    pub(crate) fn new() -> Self {
        let sound = |letter: char| {
            let (mut wide, mut narrow) = (Vec::new(), Vec::new());
            let spoke = Tones.speak(&letter.to_string(), &mut |samples| {
                wide.extend_from_slice(samples);
                ControlFlow::Continue(())
            });
            assert!(spoke.is_ok());
            let mut resampler = Resampler::new(Tones.rate_hz(), 8_000);
            resampler.put(&wide, &mut narrow);
            resampler.finish(&mut narrow);
            narrow.resize(LETTER, 0);
            let narrow: Vec<f32> = narrow.into_iter().map(f32::from).collect();
            let norm = energy(&narrow).sqrt();
            (letter, narrow.into_iter().map(|x| x / norm).collect())
        };
        Self(('a'..='z').map(sound).collect())
    }

    /// The letters in `heard`, in small letters, with a space between words.
    pub(crate) fn read(&self, heard: &[i16]) -> String {
        let heard: Vec<f32> = heard.iter().map(|&x| f32::from(x)).collect();
        let (mut text, mut at, mut end) = (String::new(), 0, 0);
        while at + LETTER <= heard.len() {
            if heard[at].abs() < f32::from(QUIET) {
                at += 1;
                continue;
            }
            let first = at.saturating_sub(120).max(usize::saturating_sub(end, 40));
            let last = (at + 40).min(heard.len() - LETTER);
            match self.best(&heard, first, last) {
                Some((letter, from)) => {
                    if from > end + GAP && !text.is_empty() {
                        text.push(' ');
                    }
                    text.push(letter);
                    end = from + LETTER;
                    at = end;
                }
                // A part of a letter, or no letter at all.
                None => at += 40,
            }
        }
        text
    }

    /// The letter that begins between `first` and `last`, and where.
    fn best(&self, heard: &[f32], first: usize, last: usize) -> Option<(char, usize)> {
        let mut best = (ALIKE, None);
        for from in (first..=last).step_by(2) {
            let part = &heard[from..from + LETTER];
            let norm = energy(part).sqrt().max(1.0);
            for (letter, sound) in &self.0 {
                let alike = part.iter().zip(sound).map(|(x, y)| x * y).sum::<f32>() / norm;
                if alike > best.0 {
                    best = (alike, Some((*letter, from)));
                }
            }
            if best.0 > SAME {
                break;
            }
        }
        best.1
    }
}

fn energy(samples: &[f32]) -> f32 {
    samples.iter().map(|x| x * x).sum()
}

/// As [`Letters::read`] should find `text`.
pub(crate) fn plain(text: &str) -> String {
    let words: Vec<String> = text
        .split_whitespace()
        .map(|word| word.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect())
        .collect();
    words.join(" ")
}

/// Whether `heard` is `text`, though of the word with which others went on, as they were told in `rests`, one letter was
/// broken in two: both parts of it may be long enough to be read, or none.
pub(crate) fn goes_on_in_a_word(heard: &str, text: &str, rests: &[String]) -> bool {
    let (heard, said) = (heard.replace(' ', ""), plain(text).replace(' ', ""));
    let broken = rests.iter().filter_map(|rest| {
        let (before, _) = text.split_once(rest.as_str())?;
        let letters = |text: &str| plain(text).replace(' ', "").len();
        let word = rest.split_whitespace().next().unwrap_or_default();
        Some(letters(before)..letters(before) + letters(word))
    });
    let is_heard_without = |at: usize| heard == format!("{}{}", &said[..at], &said[at + 1..]);
    let is_heard_twice = |at: usize| heard == format!("{}{}", &said[..=at], &said[at..]);
    heard == said || broken.flatten().any(|at| is_heard_without(at) || is_heard_twice(at))
}
