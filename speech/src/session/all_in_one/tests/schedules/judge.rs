//! What must be true of every call.

use super::call::{Call, Came, FIRST};
use super::voice::{RATE, Sound, number, sounds};
use crate::llm::Role;

/// The caller hears nothing for no longer than this in the middle of a sentence that words promise; and a frame. Beside it
/// stands what the service itself puts between two words.
const SILENCE_MS: usize = 700 + 20;
/// So near to a sentence's end a service may be at it.
const ENDING: usize = 5;
const NEAR: usize = 4;

/// A word that was heard, or a part of it, be it in two voices.
#[derive(Clone, Copy, Debug)]
struct Heard {
    word: usize,
    ms: usize,
    /// And of the end of it, where it was said in two parts since it was not written whole for so long.
    tail: usize,
}

const fn ms(samples: usize) -> usize {
    samples * 1000 / RATE as usize
}

/// So much was heard of a word.
fn length_of(number: usize, heard: &[Heard]) -> usize {
    heard.iter().find(|heard| heard.word == number).map_or(0, |heard| heard.ms + heard.tail)
}

/// What was heard of the service's words.
fn heard_in(sounds: &[Sound]) -> Vec<Heard> {
    let mut all: Vec<Heard> = Vec::new();
    for sound in sounds {
        let (word, length) = (sound.word as usize, sound.ms as usize);
        match all.last_mut() {
            Some(last) if last.word == word => last.ms += length,
            Some(last) if word == 0 => last.tail += length,
            _ if (FIRST..99).contains(&word) => all.push(Heard { word, ms: length, tail: 0 }),
            _ => {}
        }
    }
    all
}

/// The words of a turn: their numbers, and their letters with those before.
fn words(text: &str) -> impl Iterator<Item = (usize, usize, usize)> {
    text.split(' ').scan(0, |before, word| {
        let (from, count) = (*before, word.len());
        *before += count;
        Some((number(word) as usize, from, count))
    })
}

const fn is_whole(ms: usize, letters: usize, letter_ms: usize) -> bool {
    ms + letter_ms * 3 / 4 > letters * letter_ms
}

/// The first rule that was broken, in words.
pub(super) fn judge(call: &Call, letter_ms: u64, device_tells: bool) -> Result<(), String> {
    if let Some(fault) = call.faults.first() {
        return Err(format!("fault: {fault}"));
    }
    let letter_ms = letter_ms as usize;
    let sounds = sounds(&call.heard, RATE);
    let heard = heard_in(&sounds);
    each_once_and_in_order(call, &heard, letter_ms, device_tells)?;
    for turn in &call.turns {
        if turn.is_undisturbed {
            nothing_is_lost(turn, &heard, letter_ms)?;
        }
        no_silence(turn, &sounds, letter_ms)?;
    }
    history_is_true(call, &heard, letter_ms)
}

fn each_once_and_in_order(
    call: &Call,
    heard: &[Heard],
    letter_ms: usize,
    device_tells: bool,
) -> Result<(), String> {
    for pair in heard.windows(2) {
        if pair[0].word >= pair[1].word {
            return Err(format!("again: word {} behind {}", pair[1].word, pair[0].word));
        }
    }
    for (number, _, letters) in call.turns.iter().flat_map(|turn| words(&turn.text)) {
        let length = heard.iter().find(|heard| heard.word == number).map_or(0, |heard| heard.ms);
        // A voice on the device that tells no letters says the word whole where it has not found the place in time.
        let again = if device_tells { 0 } else { letters * letter_ms };
        // The ear tells whole letters.
        if length >= (letters + 1) * letter_ms + again {
            return Err(format!("longer: {length} ms of word {number}, which has {}", letters * letter_ms));
        }
    }
    Ok(())
}

/// Letters that came of it; words of which a part came do not count.
fn came_of(turn: &Came) -> usize {
    let bytes = turn.written.last().map_or(0, |(_, bytes)| *bytes);
    let text = &turn.text[..bytes];
    let whole =
        if bytes == turn.text.len() { text } else { text.rsplit_once(' ').map_or("", |(before, _)| before) };
    whole.bytes().filter(|c| *c != b' ').count()
}

/// Of the last word the full stop need not be heard: no voice but the one of these tests says it.
fn needed(turn: &Came, before: usize, letters: usize) -> usize {
    let all = turn.text.bytes().filter(|c| *c != b' ').count();
    letters - usize::from(before + letters == all)
}

fn nothing_is_lost(turn: &Came, heard: &[Heard], letter_ms: usize) -> Result<(), String> {
    let came = came_of(turn);
    for (number, before, letters) in words(&turn.text).filter(|(_, before, letters)| before + letters <= came)
    {
        let length = length_of(number, heard);
        if !is_whole(length, needed(turn, before, letters), letter_ms) {
            let all = letters * letter_ms;
            return Err(format!("lost: {length} ms of word {number}, which has {all}; {came} letters came"));
        }
    }
    Ok(())
}

/// Between two sounds of one turn.
fn no_silence(turn: &Came, sounds: &[Sound], letter_ms: usize) -> Result<(), String> {
    let of_turn = |word: u32| words(&turn.text).find(|(number, ..)| *number == word as usize);
    for pair in sounds.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        let gap = ms(after.from - before.to);
        let Some((word, from, _)) = of_turn(before.word).filter(|_| of_turn(after.word).is_some()) else {
            continue;
        };
        if gap <= SILENCE_MS + letter_ms {
            continue;
        }
        let heard_of_it = sounds.iter().filter(|sound| sound.word as usize == word && sound.to <= before.to);
        let length: usize = heard_of_it.map(|sound| sound.ms as usize).sum();
        let at = from + (length + letter_ms / 2) / letter_ms;
        let begins_ms = ms(before.to) as u64;
        let bytes = turn.written.iter().rev().find(|(ms, _)| *ms <= begins_ms).map_or(0, |(_, bytes)| *bytes);
        let came = turn.text[..bytes].bytes().filter(|c| *c != b' ').count();
        let near_an_end = words(&turn.text).zip(turn.text.split(' ')).any(|((_, before, letters), word)| {
            word.ends_with('.') && (before + letters).abs_diff(at) <= NEAR
        });
        if came > at + ENDING + 1 && !near_an_end {
            return Err(format!(
                "silence: {gap} ms at {begins_ms} ms, behind {at} letters of {came} that came"
            ));
        }
    }
    Ok(())
}

fn history_is_true(call: &Call, heard: &[Heard], letter_ms: usize) -> Result<(), String> {
    let history = call.session.history();
    let said = history.iter().filter(|(role, _)| *role == Role::Assistant);
    let said =
        said.flat_map(|(_, text)| text.split_whitespace()).map(|word| (number(word) as usize, word.len()));
    let said: Vec<(usize, usize)> = said.filter(|(word, _)| (FIRST..99).contains(word)).collect();
    if let Some(pair) = said.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
        return Err(format!("history: word {} behind {}", pair[1].0, pair[0].0));
    }
    for turn in &call.turns {
        let came = came_of(turn);
        for (number, before, letters) in words(&turn.text) {
            let length = length_of(number, heard);
            let claimed = said.iter().find(|(word, _)| *word == number).map(|(_, letters)| *letters);
            let is_claimed = claimed.is_some();
            // A word that was not written whole is remembered as it was said.
            let needed = claimed.map_or(0, |claimed| claimed.min(needed(turn, before, letters)));
            // Where a voice is stopped that tells no letters they are thought to be spread evenly.
            let spread = usize::from(!turn.is_undisturbed);
            let length = length + spread * letter_ms;
            if is_claimed && !is_whole(length, needed, letter_ms) {
                let all = letters * letter_ms;
                let rule = if turn.is_undisturbed { "claims" } else { "claims of a stopped turn" };
                return Err(format!("{rule}: {length} ms were heard of word {number}, which has {all}"));
            }
            let is_owed = turn.is_undisturbed && before + letters <= came;
            if is_owed && !is_claimed && is_whole(length, letters, letter_ms) {
                return Err(format!("forgets: word {number} was heard"));
            }
        }
    }
    Ok(())
}
