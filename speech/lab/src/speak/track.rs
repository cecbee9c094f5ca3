//! One stream of speech: text is queued, audio comes out in chunks by the clock, each with the times of the
//! characters that begin in it: those that the voice tells. Where it does not, the sound of a piece is spread over its
//! characters evenly, which is an estimate.

use super::format::Format;
use super::pieces::pieces;
use super::speaker::{Sound, Speaker};
use crate::faults::Faults;
use offhook_speech::tts::CharTime;
use offhook_units::{Moment, Span};
use std::collections::VecDeque;
use std::sync::Arc;

/// How much faster than real time a service in good health sends.
const USUAL_PACE: f32 = 8.0;
/// Audio in one chunk, unless a fault cuts it otherwise.
const CHUNK_MS: u64 = 200;

/// A character with its place in the audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timed {
    pub(crate) letter: char,
    pub(crate) start_ms: u32,
    pub(crate) length_ms: u32,
}

/// Some audio.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chunk {
    pub(crate) audio: Vec<u8>,
    pub(crate) us: u64,
    /// Those that begin in this chunk, counted from its beginning.
    pub(crate) letters: Vec<Timed>,
    /// With the first chunk of a piece: all of the piece, counted from its beginning.
    pub(crate) piece: Option<Vec<Timed>>,
    /// The places of both are known, not estimated.
    pub(crate) is_told: bool,
}

impl Chunk {
    /// The letters that a service tells with this chunk which says where they are: those that begin in it, or all of a
    /// piece with its first chunk. None where that is not known: a client is better off without times than with wrong ones.
    pub(crate) fn aligned(&self, sync_alignment: bool) -> Option<&[Timed]> {
        let letters = if sync_alignment { Some(&self.letters) } else { self.piece.as_ref() };
        letters.filter(|_| self.is_told).map(Vec::as_slice)
    }
}

/// The stream.
#[derive(Debug)]
pub(crate) struct Track {
    speaker: Arc<Speaker>,
    format: Format,
    pace: f32,
    first: Span,
    chunk_bytes: usize,
    waiting: VecDeque<String>,
    playing: Option<Playing>,
    due: Moment,
}

#[derive(Debug)]
struct Playing {
    audio: Vec<u8>,
    letters: Vec<Timed>,
    sent: usize,
}

impl Track {
    pub(crate) fn new(speaker: &Arc<Speaker>, format: Format, faults: &Faults) -> Self {
        Self {
            speaker: Arc::clone(speaker),
            format,
            pace: faults.pace.unwrap_or(USUAL_PACE),
            first: Span::from_millis(faults.first_ms.unwrap_or(0).into()),
            chunk_bytes: faults.cut.unwrap_or_else(|| format.bytes_of_ms(CHUNK_MS)),
            waiting: VecDeque::new(),
            playing: None,
            due: Moment::ZERO,
        }
    }

    /// Queues `text`.
    pub(crate) fn say(&mut self, now: Moment, text: &str) {
        if self.is_idle() {
            self.due = now + self.first;
        }
        self.waiting.extend(pieces(text));
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.playing.is_none()
    }

    /// Forgets what was not given out.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.playing = None;
    }

    /// When the next chunk goes.
    pub(crate) fn due(&self) -> Option<Moment> {
        (!self.is_idle()).then_some(self.due)
    }

    /// The next chunk, if its time has come.
    pub(crate) fn next(&mut self, now: Moment) -> Option<Chunk> {
        if now < self.due {
            return None;
        }
        while self.playing.is_none() {
            let text = self.waiting.pop_front()?;
            let Sound { samples, chars } = &*self.speaker.say(&text, self.format.rate_hz);
            let audio = self.format.encode(samples);
            let us = self.format.us_of(audio.len());
            let letters = told(&text, chars, us).unwrap_or_else(|| spread(&text, us));
            // A piece without a sound has nothing to send, and nobody waits for it.
            self.playing = (!audio.is_empty()).then_some(Playing { audio, letters, sent: 0 });
        }
        let playing = self.playing.as_mut()?;
        let from = playing.sent;
        let to = (from + self.chunk_bytes).min(playing.audio.len());
        playing.sent = to;
        let us = self.format.us_of(to) - self.format.us_of(from);
        let chunk = Chunk {
            audio: playing.audio.get(from..to).unwrap_or_default().to_vec(),
            us,
            letters: within(&playing.letters, self.format.us_of(from), self.format.us_of(to)),
            piece: (from == 0).then(|| playing.letters.clone()),
            is_told: self.speaker.tells_places(),
        };
        if to == playing.audio.len() {
            self.playing = None;
        }
        // By the schedule, not by when this was called: an early chunk never makes up for a late one twice.
        let wait_us = if self.pace > 0.0 { us as f32 / self.pace } else { 0.0 };
        self.due = self.due.max(now - Span::from_millis(500)) + Span::from_micros(wait_us as i64);
        Some(chunk)
    }
}

/// The characters of `text` where the voice tells them to be, if it told all of them: white space lies between its
/// neighbours, and behind the last of them at the very end of the sound, which lasts `us` microseconds.
fn told(text: &str, chars: &[CharTime], us: u64) -> Option<Vec<Timed>> {
    let last_ms = (us / 1000).saturating_sub(1) as u32;
    let mut times = chars.iter().filter(|time| !time.c.is_whitespace()).peekable();
    let (mut all, mut end_ms) = (Vec::new(), 0);
    for letter in text.chars() {
        let next = times.peek().map(|time| (time.at_ms.min(last_ms), time.end_ms));
        let (from_ms, to_ms) = match next {
            Some((at_ms, _)) if letter.is_whitespace() => (end_ms, at_ms),
            None if letter.is_whitespace() => (last_ms, last_ms + 1),
            _ => (next?.0, times.next_if(|time| time.c == letter)?.end_ms),
        };
        let start_ms = from_ms.max(end_ms).min(last_ms);
        end_ms = to_ms.max(start_ms);
        all.push(Timed { letter, start_ms, length_ms: end_ms - start_ms });
    }
    times.next().is_none().then_some(all)
}

/// Spreads the characters of `text` evenly over `us` microseconds; the space behind them is not spoken, and lies at the
/// very end.
fn spread(text: &str, us: u64) -> Vec<Timed> {
    let count = text.trim_end().chars().count().max(1) as u64;
    let last_ms = (us / 1000).saturating_sub(1) as u32;
    let ms_at = |n: u64| (us * n / count / 1000) as u32;
    let timed = |(letter, n)| match n < count {
        true => Timed { letter, start_ms: ms_at(n), length_ms: ms_at(n + 1) - ms_at(n) },
        false => Timed { letter, start_ms: last_ms, length_ms: 1 },
    };
    text.chars().zip(0..).map(timed).collect()
}

/// Those that begin from `from_us` until before `to_us`, counted from `from_us`.
fn within(letters: &[Timed], from_us: u64, to_us: u64) -> Vec<Timed> {
    let (from, to) = (from_us.div_ceil(1000) as u32, to_us.div_ceil(1000) as u32);
    letters
        .iter()
        .filter(|timed| (from..to).contains(&timed.start_ms))
        .map(|timed| Timed { start_ms: timed.start_ms - from, ..*timed })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speak::{Encoding, LabVoice};
    use offhook_speech::voice::flite::FliteVoice;

    fn track(faults: &str) -> Track {
        let speaker = Arc::new(Speaker::new(LabVoice::Tones));
        Track::new(&speaker, Format::MULAW_8K, &faults.parse().unwrap())
    }

    fn drain(track: &mut Track, mut now: Moment) -> (Vec<Chunk>, Moment) {
        let mut all = Vec::new();
        while let Some(due) = track.due() {
            now = now.max(due);
            all.extend(track.next(now));
        }
        (all, now)
    }

    #[test]
    fn the_letters_of_all_chunks_are_the_text_and_the_sound_is_whole() {
        let text = "Hello there. How are you? ";
        for faults in ["", "cut=333", "cut=1001,pace=0"] {
            let mut track = track(faults);
            track.say(Moment::ZERO, text);
            let (chunks, _) = drain(&mut track, Moment::ZERO);
            let letters: String =
                chunks.iter().flat_map(|chunk| &chunk.letters).map(|timed| timed.letter).collect();
            assert_eq!(letters, text, "{faults}");
            let pieces: usize = chunks.iter().filter_map(|chunk| chunk.piece.as_ref()).map(Vec::len).sum();
            assert_eq!(pieces, text.len());
            let bytes: usize = chunks.iter().map(|chunk| chunk.audio.len()).sum();
            // 60 ms a letter; the space behind each sentence is not spoken.
            assert_eq!(bytes, 24 * 480);
        }
    }

    #[test]
    fn each_letter_of_a_phrase_lies_where_its_sound_is() {
        let letters = spread("ab c ", 240_000);
        let places: Vec<_> =
            letters.iter().map(|timed| (timed.letter, timed.start_ms, timed.length_ms)).collect();
        assert_eq!(places, [('a', 0, 60), ('b', 60, 60), (' ', 120, 60), ('c', 180, 60), (' ', 239, 1)]);
    }

    #[test]
    fn letters_lie_where_the_voice_tells_and_nowhere_where_it_tells_of_another_text() {
        let time = |(c, at_ms, end_ms)| CharTime { c, at_ms, end_ms };
        let chars = [('a', 20, 90), (',', 90, 90), ('b', 300, 410)].map(time);
        let letters = told("a, b ", &chars, 500_000).unwrap();
        let places: Vec<_> =
            letters.iter().map(|timed| (timed.letter, timed.start_ms, timed.length_ms)).collect();
        assert_eq!(places, [('a', 20, 70), (',', 90, 0), (' ', 90, 210), ('b', 300, 110), (' ', 499, 1)]);
        for text in ["a, c", "a,", "a, b c"] {
            assert_eq!(told(text, &chars, 500_000), None, "{text}");
        }
        assert_eq!(told("a", &[], 500_000), None);
    }

    #[test]
    fn a_real_voice_is_silent_where_its_letters_say_that_it_is() {
        let speaker = Arc::new(Speaker::new(LabVoice::Flite(FliteVoice::Slt)));
        assert!(speaker.tells_places(), "scripts/setup installs it");
        let mut track =
            Track::new(&speaker, Format { encoding: Encoding::Pcm, rate_hz: 8_000 }, &"".parse().unwrap());
        track.say(Moment::ZERO, "Well, this is one, and this is two. ");
        let (chunks, _) = drain(&mut track, Moment::ZERO);
        let letters = chunks[0].piece.as_ref().unwrap();
        let audio: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.audio.clone()).collect();
        let loudest = |from_ms: u32, to_ms: u32| {
            let part = &audio[from_ms as usize * 16..to_ms as usize * 16];
            part.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]]).unsigned_abs()).max().unwrap()
        };
        let commas = letters.windows(2).filter(|pair| pair[0].letter == ',');
        let gaps: Vec<_> = commas.map(|pair| (pair[1].start_ms, pair[1].length_ms)).collect();
        assert_eq!(gaps.len(), 2, "{letters:?}");
        for (at_ms, length_ms) in gaps {
            assert!(length_ms > 60, "{length_ms} ms at a comma");
            // Its sounds die away, and the next one is on its way.
            let loud = loudest(at_ms + length_ms / 2, at_ms + length_ms - 20);
            assert!(loud < 300, "{loud} in the middle of a pause");
        }
    }

    #[test]
    fn the_pace_is_kept() {
        let mut slow = track("pace=0.5,first_ms=100");
        slow.say(Moment::from_millis(50), "abcde fghij");
        assert_eq!(slow.due(), Some(Moment::from_millis(150)));
        assert_eq!(slow.next(Moment::from_millis(149)), None);
        let (chunks, end) = drain(&mut slow, Moment::ZERO);
        assert_eq!(chunks.len(), 4);
        // 660 ms of sound in four chunks: the last one goes when the first three have taken twice their length.
        assert_eq!(end, Moment::from_millis(150 + 1200));
        assert_eq!(slow.due(), None);
    }

    #[test]
    fn text_without_a_sound_ends_by_itself() {
        let mut track = track("");
        track.say(Moment::ZERO, "... !");
        let (chunks, _) = drain(&mut track, Moment::ZERO);
        assert!(chunks.is_empty() && track.is_idle());
    }
}
