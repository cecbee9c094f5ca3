//! Where one phrase goes over into the next within a stream. Between sentences a voice is silent; at a comma or before an
//! emphasised word it need not be, and its small pauses are its own: there the stream is parted by what the service tells
//! of its characters and by the sound, the silence is trimmed off, and the rest that was planned comes in its place.

use super::Speaking;
use super::script;
use super::stream::Ends;
use super::timeline::Place;

/// What a character begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Next {
    /// Nothing: it goes on in its phrase.
    Same,
    /// A phrase with sound of its own.
    Phrase,
    /// A phrase that was given with the one before as one text.
    Part,
    /// The same by the count of characters, but not by the characters before and behind: this service counts otherwise, and
    /// a rest could lie within a word.
    Unparted,
}

/// Services round the times of their characters, and are a little wrong: what is parted is parted in the quietest place so
/// near to the one that they tell.
const NEAR_MS: usize = 40;
/// Looked at in steps of this.
const STEP_MS: usize = 5;
/// What is no louder on average is silence.
const SILENT: u64 = 64;
/// So much quieter it has to be. Loudness goes up and down within a word, too, and what they tell is the better guess there.
const QUIETER: u64 = 4;

/// The quietest place near sample `at`, and of several the nearest.
pub(super) fn quietest(samples: &[i16], at: usize, rate_hz: u32) -> usize {
    let step = (rate_hz as usize * STEP_MS / 1000).max(1);
    let near = NEAR_MS / STEP_MS * step;
    // At the end of a piece the silence is in the next one or was in the one before.
    let (Some(first), true) = (at.checked_sub(step), at + step <= samples.len()) else { return at };
    let loudness = |part: &[i16]| {
        let mean = part.iter().map(|x| u64::from(x.unsigned_abs())).sum::<u64>() / part.len().max(1) as u64;
        if mean <= SILENT { 0 } else { mean }
    };
    let told = loudness(samples.get(first..at + step).unwrap_or_default());
    let from = at.saturating_sub(near);
    let parts = samples.get(from..samples.len().min(at + near)).unwrap_or_default().chunks_exact(step);
    let places = parts.map(loudness).zip((from + step / 2..).step_by(step));
    let quietest = places.min_by_key(|(loudness, place)| (*loudness, place.abs_diff(at)));
    quietest.filter(|(loudness, _)| loudness * QUIETER <= told).map_or(at, |(_, place)| place)
}

impl Speaking {
    /// What the next character of the stream, `c`, begins.
    pub(super) fn comes_next(&self, c: char) -> Next {
        let Some(turn) = &self.turn else { return Next::Same };
        let Some(stream) = &turn.stream else { return Next::Same };
        let before = turn.phrases.get(stream.phrase);
        let chars = before.map_or(u32::MAX, script::Phrase::chars);
        let ends = |text: &str| stream.last.is_some_and(|last| text.ends_with(last));
        let next = turn.phrases.get(stream.phrase + 1).filter(|_| stream.phrase + 1 < stream.sent_to);
        match next.filter(|_| stream.chars >= chars) {
            None => Next::Same,
            Some(next) if !next.flows => Next::Phrase,
            Some(next) if next.text().starts_with(c) && before.is_some_and(|before| ends(before.text())) => {
                Next::Part
            }
            Some(_) => Next::Unparted,
        }
    }

    /// The next character belongs to the next phrase.
    pub(super) fn next_phrase(&mut self) {
        self.end_phrase();
        let Some(turn) = &mut self.turn else { return };
        let Some(stream) = &mut turn.stream else { return };
        turn.timeline.ends(self.mix.position());
        stream.phrase += 1;
        stream.chars = 0;
        stream.begun = false;
        self.begin_phrase();
        if let Some(stream) = self.turn.as_mut().and_then(|turn| turn.stream.as_mut()) {
            // Where silence was trimmed off its last word ends sooner than it was told.
            stream.whole_to = self.mix.position();
        }
    }

    /// The same, but the sound goes on: sample `at` of the piece is not surely where the phrase begins.
    pub(super) fn flow_on(&mut self, ends: &mut Vec<Ends>, at: usize) {
        let Some(turn) = &mut self.turn else { return };
        let Some(stream) = &mut turn.stream else { return };
        stream.phrase += 1;
        stream.chars = 0;
        stream.is_mixed = true;
        turn.begun = Some(stream.phrase);
        ends.push(Ends { offset: at, place: Place::new(stream.phrase, 0), word: false });
    }

    /// The sound of the phrase is over: its pace is measured, where it is known to be its own.
    fn end_phrase(&mut self) {
        let length = self.mix.end_phrase();
        let Some(turn) = &mut self.turn else { return };
        let Some(stream) = &mut turn.stream else { return };
        let (at, is_aligned) = (stream.phrase, stream.aligned);
        let is_mixed = std::mem::take(&mut stream.is_mixed);
        if is_aligned
            && !is_mixed
            && let Some((text, length)) = turn.sounded(at, length)
        {
            self.meter.measured(&text, length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_parted_in_silence_where_there_is_some_nearby_and_else_where_it_is_told() {
        let mut sound = vec![3_000; 4_000];
        assert_eq!(quietest(&sound, 2_000, 8_000), 2_000);
        sound[2_100..2_200].fill(900);
        assert_eq!(quietest(&sound, 2_000, 8_000), 2_000, "hardly softer");
        sound[2_100..2_200].fill(300);
        assert!((2_100..2_200).contains(&quietest(&sound, 2_000, 8_000)));
        sound[1_700..1_800].fill(30);
        assert!((1_700..1_800).contains(&quietest(&sound, 2_000, 8_000)));
        assert_eq!(quietest(&sound, 1_300, 8_000), 1_300, "that is too far away");
    }

    #[test]
    fn at_the_ends_of_a_piece_and_with_odd_figures_it_is_parted_where_it_is_told() {
        for (at, rate_hz) in [(0, 8_000), (39, 8_000), (4_000, 8_000), (4_001, 8_000), (50, 0)] {
            let mut sound = vec![3_000; 4_000];
            sound[100..200].fill(0);
            assert_eq!(quietest(&sound, at, rate_hz), at);
        }
        assert_eq!(quietest(&[], 0, 8_000), 0);
    }
}
