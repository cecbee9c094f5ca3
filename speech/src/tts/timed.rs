//! Speech over HTTP that tells where its characters are: a JSON object a line, each with some audio, some characters,
//! or both. What is known of them: that times are seconds, and that they follow each other. Whether they count from
//! the start of their own line or of the whole, and whether they come before their sound or with it, is taken as it
//! comes.

use super::CharTime;
use crate::wire::audio::{AudioDecoder, AudioFormat, from_base64};
use serde_json::Value;
use std::collections::VecDeque;

/// A line beyond this is no speech: the largest message that a socket may carry.
const LINE_MAX: usize = 16 << 20;
/// Characters whose sound has not come; more are an hour of talk.
const AHEAD_MAX: usize = 50_000;
/// Whatever time comes is taken into an hour.
const SECONDS_MAX: f64 = 3_600.0;

/// Some sound, with the characters that begin in it, counted from its start.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) samples: Vec<i16>,
    pub(super) chars: Vec<CharTime>,
}

/// The body tells that the service failed, or it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

/// The reader of one body. Calling order: [`TimedReader::put`] for all that comes, [`TimedReader::finish`] at its end.
#[derive(Debug)]
pub(super) struct TimedReader {
    line: Vec<u8>,
    decoder: AudioDecoder,
    /// Samples that came.
    came: u64,
    /// Characters whose sound has not come, by their times from the start of the body.
    ahead: VecDeque<CharTime>,
    /// When the last character of the line before started, as it was written.
    last_at_ms: u32,
    /// A line's times count from its own start: one was seen that began before the line before it ended.
    by_line: bool,
}

impl TimedReader {
    /// At the start of a body with audio in this format.
    pub(super) const fn new(format: AudioFormat) -> Self {
        Self {
            line: Vec::new(),
            decoder: AudioDecoder::new(format),
            came: 0,
            ahead: VecDeque::new(),
            last_at_ms: 0,
            by_line: false,
        }
    }

    /// Takes the next bytes; what they complete is appended to `pieces`.
    ///
    /// # Errors
    /// [`Failed`]: nothing that follows is of use.
    pub(super) fn put(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) -> Result<(), Failed> {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            if self.line.len() + part.len() > LINE_MAX {
                return Err(Failed);
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.line_ends(pieces)?;
            }
        }
        Ok(())
    }

    /// The body is complete; its last line need not be.
    ///
    /// # Errors
    /// [`Failed`].
    pub(super) fn finish(&mut self, pieces: &mut Vec<Piece>) -> Result<(), Failed> {
        self.line_ends(pieces)
    }

    fn line_ends(&mut self, pieces: &mut Vec<Piece>) -> Result<(), Failed> {
        let line = std::mem::take(&mut self.line);
        let line = line.trim_ascii();
        // Some servers write the same objects as server-sent events.
        let line = line.strip_prefix(b"data:").unwrap_or(line);
        // A line that is no object says nothing, like one that was lost on the way.
        let Ok(Value::Object(object)) = serde_json::from_slice(line) else { return Ok(()) };
        if ["error", "detail"].iter().any(|name| object.get(*name).is_some_and(|value| !value.is_null())) {
            return Err(Failed);
        }
        let mut piece = Piece::default();
        let audio = ["audio_base64", "audio"].iter().find_map(|name| object.get(*name)?.as_str());
        self.decoder.put(&audio.map(from_base64).unwrap_or_default(), &mut piece.samples);
        if let Some(alignment) = object.get("alignment") {
            self.read_times(alignment);
        }
        let from_ms = self.ms();
        self.came += piece.samples.len() as u64;
        let to_ms = self.ms();
        while let Some(time) = self.ahead.pop_front_if(|time| time.at_ms < to_ms) {
            let (at_ms, end_ms) = (time.at_ms.saturating_sub(from_ms), time.end_ms.saturating_sub(from_ms));
            piece.chars.push(CharTime { at_ms, end_ms, ..time });
        }
        if piece != Piece::default() {
            pieces.push(piece);
        }
        Ok(())
    }

    /// Appends the characters of a line to those that are ahead.
    fn read_times(&mut self, alignment: &Value) {
        let list = |name: &str| alignment.get(name).and_then(Value::as_array);
        let Some(chars) = list("characters") else { return };
        let Some(starts) = list("character_start_times_seconds") else { return };
        let ends = list("character_end_times_seconds");
        let ms = |value: &Value| (value.as_f64().unwrap_or(0.0).clamp(0.0, SECONDS_MAX) * 1e3).round() as u32;
        let Some(first_ms) = starts.first().map(ms) else { return };
        let came_ms = self.ms();
        self.by_line |= first_ms < self.last_at_ms;
        let base_ms = if self.by_line || first_ms <= came_ms.abs_diff(first_ms) { came_ms } else { 0 };
        self.last_at_ms = starts.last().map_or(0, ms);
        let room = AHEAD_MAX.saturating_sub(self.ahead.len());
        let time = |(i, (c, start)): (usize, (&Value, &Value))| {
            let at_ms = ms(start);
            let end_ms = ends.and_then(|ends| ends.get(i)).map_or(at_ms, ms).max(at_ms);
            CharTime::each(c, base_ms + at_ms, base_ms + end_ms)
        };
        self.ahead.extend(chars.iter().zip(starts).enumerate().flat_map(time).take(room));
    }

    /// How much sound came, in milliseconds.
    fn ms(&self) -> u32 {
        let ms = self.came * 1000 / u64::from(self.decoder.rate_hz().max(1));
        // Beyond it no time is believed anyway.
        ms.min(SECONDS_MAX as u64 * 1000) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::audio::to_base64;
    use proptest::prelude::*;
    use serde_json::json;

    fn line(ms: usize, chars: &[(&str, f64)]) -> String {
        let audio = to_base64(&vec![0xFF; ms * 8]);
        let alignment = json!({
            "characters": chars.iter().map(|(c, _)| *c).collect::<Vec<_>>(),
            "character_start_times_seconds": chars.iter().map(|(_, at)| *at).collect::<Vec<_>>(),
            "character_end_times_seconds": chars.iter().map(|(_, at)| at + 0.06).collect::<Vec<_>>(),
        });
        format!("{}\n", json!({"audio_base64": audio, "alignment": alignment, "normalized_alignment": null}))
    }

    /// Each character with the time at which it starts, counted from the start of all sound.
    fn read(bytes: &[u8], cut: usize) -> (Result<(), Failed>, usize, Vec<(char, usize)>) {
        let (mut reader, mut pieces) = (TimedReader::new(AudioFormat::Mulaw8k), Vec::new());
        let mut outcome = bytes.chunks(cut).try_for_each(|part| reader.put(part, &mut pieces));
        outcome = outcome.and_then(|()| reader.finish(&mut pieces));
        let (mut came, mut chars) = (0, Vec::new());
        for piece in pieces {
            chars.extend(piece.chars.iter().map(|time| (time.c, came + time.at_ms as usize)));
            came += piece.samples.len() / 8;
        }
        (outcome, came, chars)
    }

    #[test]
    fn times_count_from_the_line_or_from_the_start_and_come_with_their_sound_or_before_it() {
        let by_line = [line(120, &[("O", 0.0), ("n", 0.06)]), line(120, &[("e", 0.0), (".", 0.06)])];
        let from_start = [line(120, &[("O", 0.0), ("n", 0.06)]), line(120, &[("e", 0.12), (".", 0.18)])];
        let before = [line(120, &[("O", 0.0), ("n", 0.06), ("e", 0.12), (".", 0.18)]), line(120, &[])];
        let after = [line(120, &[]), line(120, &[("O", 0.0), ("n", 0.06), ("e", 0.12), (".", 0.18)])];
        let whole = vec![('O', 0), ('n', 60), ('e', 120), ('.', 180)];
        for lines in [by_line, from_start, before] {
            for cut in [1, 7, 10_000] {
                assert_eq!(read(lines.concat().as_bytes(), cut), (Ok(()), 240, whole.clone()), "{lines:?}");
            }
        }
        // Counted from the line that they came with: what of it has no sound is not said to be spoken.
        assert_eq!(read(after.concat().as_bytes(), 99).2, [('O', 120), ('n', 180)]);
    }

    #[test]
    fn a_letter_that_lies_across_two_lines_is_told_with_the_first_and_ends_in_the_second() {
        let (mut reader, mut pieces) = (TimedReader::new(AudioFormat::Mulaw8k), Vec::new());
        let text = [line(90, &[("O", 0.0), ("n", 0.06)]), line(90, &[("e", 0.03)])].concat();
        reader.put(text.as_bytes(), &mut pieces).unwrap();
        let last = pieces[0].chars[1];
        assert_eq!((last.c, last.at_ms, last.end_ms), ('n', 60, 120));
    }

    #[test]
    fn audio_without_padding_is_heard_and_a_letter_and_its_accent_in_one_entry_are_two() {
        let text = line(61, &[("e\u{301}", 0.0), ("t", 0.03)]);
        assert!(text.contains("=\""), "{text}");
        let (outcome, came, chars) = read(text.replace("=\"", "\"").as_bytes(), 7);
        assert_eq!((outcome, came, chars), (Ok(()), 61, vec![('e', 0), ('\u{301}', 0), ('t', 30)]));
    }

    #[test]
    fn a_failure_within_the_body_is_told_and_what_is_no_object_is_passed_over() {
        let good = line(60, &[("O", 0.0)]);
        let odd = format!("\r\n[1]\nnonsense\n{{\"x\":1}}\ndata: {good}");
        assert_eq!(read(odd.as_bytes(), 5), (Ok(()), 60, vec![('O', 0)]));
        let failed = format!("{good}{{\"detail\":{{\"status\":\"system_busy\"}}}}\n{good}");
        assert_eq!(read(failed.as_bytes(), 5).0, Err(Failed));
        assert_eq!(read(&[b'x'; LINE_MAX + 1], 1 << 16).0, Err(Failed), "a line without an end");
        assert_eq!(read(good.trim().as_bytes(), 9).1, 60, "the last line needs no end");
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_can_break_the_reader(text in "\\PC{0,60}", at in any::<f64>(), cut in 1usize..50) {
            let lines = [line(20, &[("a", at), (&text, -at)]), text.clone(), line(1, &[(&text, at)])].join("\n");
            let (_, came, chars) = read(lines.as_bytes(), cut);
            prop_assert!(came <= 21 && chars.len() <= 1 + 2 * text.chars().count());
            let _ = read(text.as_bytes(), cut);
        }
    }
}
