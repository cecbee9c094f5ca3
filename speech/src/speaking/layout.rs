//! Where the words of a stream lie that does not tell: as the ear heard them, or by the pace of its voice.

use super::place::Sound;
use super::script::{self, words_end};
use super::stream::Stream;
use super::timeline::Place;
use super::turn::Turn;
use crate::ear::Reached;
use crate::text::count;

/// How far a lost stream came: its phrase and the characters of it.
pub(super) fn came(turn: &Turn, stream: &Stream) -> (usize, u32) {
    if stream.heard.is_some() {
        // Nothing that another voice had not said.
        return stream.first;
    }
    if stream.aligned {
        return (stream.phrase, stream.chars.saturating_sub(u32::from(stream.is_cut)));
    }
    let Sound { from_us, from_chars, .. } = stream.sound;
    let chars = (stream.came_us.saturating_sub(from_us) * stream.chars_per_s / 1_000_000) as u32;
    let (phrase, chars) = behind(turn, stream, from_chars.saturating_add(chars));
    // The last phrase is never taken for complete: its end was not told.
    let all = turn.phrases.get(phrase).map_or(0, script::Phrase::chars);
    (phrase, chars.min(all.saturating_sub(1)))
}

/// Where somebody is who has said `chars` characters since the start of a stream.
pub(super) fn behind(turn: &Turn, stream: &Stream, mut chars: u32) -> (usize, u32) {
    let (mut phrase, mut done) = stream.first;
    while let Some(all) = turn.phrases.get(phrase).map(script::Phrase::chars) {
        if phrase + 1 >= stream.sent_to || done.saturating_add(chars) < all {
            break;
        }
        chars -= all.saturating_sub(done);
        (phrase, done) = (phrase + 1, 0);
    }
    (phrase, done.saturating_add(chars))
}

impl Stream {
    /// Where what came of it until `at_ms` stands, when all that came ends at `end`.
    pub(super) fn position_of(&self, at_ms: u32, end: u64, call_hz: u32) -> u64 {
        let left_us = self.came_us.saturating_sub(u64::from(at_ms) * 1000);
        end.saturating_sub(left_us * u64::from(call_hz) / 1_000_000).max(self.starts)
    }
}

/// Lays out a stream as the ear heard it; what came of it stands before `end`.
pub(super) fn lay_out_heard(turn: &mut Turn, stream: &Stream, heard: &[Reached], end: u64, call_hz: u32) {
    for reached in heard {
        let (phrase, chars) = behind(turn, stream, reached.chars);
        let place = Place { phrase, chars, mille: reached.mille };
        turn.timeline.add(stream.position_of(reached.at_ms, end, call_hz), place);
    }
}

/// Where a broken-off stream did not tell which word lies where, what came of it until `end` is laid out evenly over the
/// words that it is thought to have come to.
pub(super) fn lay_out(turn: &mut Turn, stream: &Stream, end: u64) {
    if stream.aligned || stream.last_audio.is_none() {
        return;
    }
    let (last, chars) = came(turn, stream);
    let text = turn.phrases.get(last).map(script::Phrase::text).unwrap_or_default();
    let whole = count(text.get(..words_end(text, chars)).unwrap_or_default());
    let mut places: Vec<(usize, u32)> = (stream.first.0..last)
        .flat_map(|at| [(at, turn.phrases.get(at).map_or(0, script::Phrase::chars)), (at + 1, 0)])
        .collect();
    places.extend([(last, whole), (last, chars)]);
    let before =
        |at: usize| (stream.first.0..at).filter_map(|at| turn.phrases.get(at)).map(script::Phrase::chars);
    let count = |(at, chars): (usize, u32)| (before(at).sum::<u32>() + chars).saturating_sub(stream.first.1);
    let all = u64::from(count((last, chars)).max(1));
    let length = end.saturating_sub(stream.starts);
    let points: Vec<(u64, Place)> = places
        .into_iter()
        .filter(|&place| place > stream.first)
        .map(|place| {
            let position = stream.starts + length * u64::from(count(place)) / all;
            (position, Place::new(place.0, place.1))
        })
        .collect();
    points.into_iter().for_each(|(position, place)| turn.timeline.add(position, place));
}

/// Without characters from the service the phrases of a stream share its length by theirs. Gives how many there are.
pub(super) fn spread(turn: &mut Turn, stream: &Stream, end: u64) -> Option<u32> {
    if stream.aligned {
        return None;
    }
    let length = end.saturating_sub(stream.starts);
    let chars = |at: usize| turn.phrases.get(at).map_or(0, script::Phrase::chars);
    let skipped = stream.first.1;
    let all: u32 = (stream.first.0..stream.sent_to).map(chars).sum::<u32>().saturating_sub(skipped).max(1);
    let mut done = 0;
    for at in stream.first.0..stream.sent_to {
        let own = chars(at);
        done += if at == stream.first.0 { own.saturating_sub(skipped) } else { own };
        let position = stream.starts + length * u64::from(done) / u64::from(all);
        turn.timeline.add(position, Place::new(at, own));
        if at + 1 < stream.sent_to {
            turn.timeline.add(position, Place::new(at + 1, 0));
        }
    }
    Some(all)
}
