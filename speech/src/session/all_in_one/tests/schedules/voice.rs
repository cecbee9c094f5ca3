//! A voice whose every letter can be told from its samples, and an ear that is always right about it. Each word is a tone
//! of its own pitch, which its number tells, and each of its letters lasts as long as any other.

use crate::ear::{Came, Reached};
use crate::speaking::Broken;

/// The call's rate.
pub(super) const RATE: u32 = 16_000;

/// The number of a word: "a17bc," has 17. One of which a part was written has less than 10.
pub(super) fn number(word: &str) -> u32 {
    word.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0)
}

/// Whether it is that word, or the beginning of it in the middle of its number.
fn begins(word: &str, number: u32) -> bool {
    let digits = word.trim_start_matches('a');
    let is_cut = digits.chars().all(|c| c.is_ascii_digit());
    self::number(word) == number || (is_cut && number.to_string().starts_with(digits))
}

/// Where the characters of a text lie when each takes `letter_ms`, a space too.
pub(super) fn letters(text: &str, letter_ms: u64) -> impl Iterator<Item = (char, u64)> {
    text.chars().zip((0..).map(move |at| at * letter_ms))
}

/// The sound of it.
pub(super) fn voice(text: &str, letter_ms: u64, rate_hz: u32) -> Vec<i16> {
    let letter = letter_ms as usize * rate_hz as usize / 1000;
    let mut sound = Vec::new();
    for (n, word) in text.split(' ').enumerate() {
        sound.resize(sound.len() + if n > 0 { letter } else { 0 }, 0);
        let step = std::f32::consts::TAU * (400.0 + 60.0 * number(word) as f32) / rate_hz as f32;
        sound.extend((0..word.len() * letter).map(|at| (8_000.0 * (step * at as f32).sin()) as i16));
    }
    sound
}

/// A word, or a part of one, from and to these samples. A play-out that falls dry makes holes in it, which are no sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sound {
    pub(super) word: u32,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) ms: u64,
}

/// What is heard in it, in its order.
pub(super) fn sounds(audio: &[i16], rate_hz: u32) -> Vec<Sound> {
    let ms = rate_hz as usize / 1000;
    let is_loud = |part: &[i16]| part.iter().any(|sample| sample.unsigned_abs() > 500);
    let mut parts: Vec<(usize, usize, u64)> = Vec::new();
    for at in audio.chunks(ms).enumerate().filter(|(_, part)| is_loud(part)).map(|(at, _)| at) {
        match parts.last_mut().filter(|(_, last, _)| at - *last < 12) {
            Some((_, last, ms)) => (*last, *ms) = (at, *ms + 1),
            None => parts.push((at, at, 1)),
        }
    }
    // Of less the pitch cannot be told.
    parts.retain(|(.., ms)| *ms >= 15);
    let sound = |(from, last, length): (usize, usize, u64)| {
        let (from, to) = (from * ms, ((last + 1) * ms).min(audio.len()));
        let word = ((pitch_hz(&audio[from..to], rate_hz) - 400.0) / 60.0).round() as u32;
        Sound { word, from, to, ms: length }
    };
    parts.into_iter().map(sound).collect()
}

/// By the times between rises through zero; those in which there is a hole are no period.
fn pitch_hz(part: &[i16], rate_hz: u32) -> f32 {
    let rise = |(at, pair): (usize, &[i16])| {
        let (before, after) = (f32::from(pair[0]), f32::from(pair[1]));
        (before < 0.0 && after >= 0.0).then(|| at as f32 - before / (after - before))
    };
    let rises: Vec<f32> = part.windows(2).enumerate().filter_map(rise).collect();
    let mut periods: Vec<f32> = rises.windows(2).map(|pair| pair[1] - pair[0]).collect();
    periods.sort_by(f32::total_cmp);
    let median = periods.get(periods.len() / 2).copied().unwrap_or(f32::MAX);
    periods.retain(|period| (0.7..1.4).contains(&(period / median)));
    periods.len() as f32 * rate_hz as f32 / periods.iter().sum::<f32>().max(1.0)
}

/// So much quiet at its end is no part of a word.
const QUIET_MS: usize = 15;

/// Of what surely broke off so much of the last word is missing at least.
const CUT_MS: u64 = 40;

/// How far `broken` came in its text. It is sure, unless what came is no part of that.
pub(super) fn listen(broken: &Broken, letter_ms: u64) -> Came {
    let ms = |samples: usize| samples as u64 * 1000 / u64::from(broken.rate_hz);
    let mut heard = sounds(&broken.samples, broken.rate_hz).into_iter().peekable();
    let reached = |chars: usize, at_ms: u64| Reached { chars: chars as u32, mille: 0, at_ms: at_ms as u32 };
    let (mut came, mut chars) = (Came { is_sure: true, ..Came::default() }, 0);
    let came_ms = ms(broken.samples.len());
    let all: usize = broken.text.split_whitespace().map(str::len).sum();
    for word in broken.text.split_whitespace() {
        let Some(first) = heard.next_if(|sound| begins(word, sound.word)) else { break };
        let mut to = first.to;
        while let Some(more) = heard.next_if(|sound| sound.word == first.word) {
            to = more.to;
        }
        let (from_ms, count) = (ms(first.from), word.len());
        if came.letters.is_empty() {
            came.letters.push(reached(0, from_ms));
        }
        // A tone begins and ends with a fraction of a millisecond of less.
        let sounds_ms = (ms(to) + 2 - from_ms).min(count as u64 * letter_ms);
        let is_last = chars + count == all;
        let most_ms = count as u64 * letter_ms - if broken.is_cut && is_last { CUT_MS } else { 0 };
        let sounds_ms = sounds_ms.min(most_ms);
        let whole = (sounds_ms / letter_ms) as usize;
        let ends = (1..=whole).map(|n| reached(chars + n, (from_ms + n as u64 * letter_ms).min(came_ms)));
        came.letters.extend(ends.clone());
        let ends_ms = (from_ms + count as u64 * letter_ms + letter_ms / 2).min(came_ms);
        if whole < count {
            came.part.extend(ends);
            let mille = (sounds_ms % letter_ms * 1000 / letter_ms) as u32;
            came.part.push(Reached { mille, ..reached(chars + whole, came_ms) });
            break;
        }
        chars += count;
        came.words.push(reached(chars, ends_ms));
    }
    let quiet = broken.samples.len().saturating_sub(QUIET_MS * broken.rate_hz as usize / 1000);
    came.ends_softly = broken.samples.iter().skip(quiet).all(|sample| sample.unsigned_abs() < 500);
    came.is_sure = heard.next().is_none_or(|_| broken.text.split_whitespace().count() == came.words.len());
    came
}
