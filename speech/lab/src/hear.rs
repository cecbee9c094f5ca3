//! The recogniser's ear. It knows when somebody speaks, by energy, and which keys are pressed (DTMF, by ITU-T
//! Q.23's frequencies), and it claims no more than that: words come from a script, or are not given.

use crate::speak::Format;
use std::f32::consts::TAU;

/// Length of the frames that are judged.
const FRAME_US: u64 = 20_000;
/// Root mean square above which a frame is sound: -42 dB below full scale.
const LOUD: f32 = 260.0;
/// Loud frames in a row that make a beginning.
const BEGINS: u32 = 3;
const ROWS_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS_HZ: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// What was heard, with its time in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Somebody began to speak.
    Began { at_us: u64 },
    /// Somebody spoke and has been silent for as long as was agreed.
    Ended { from_us: u64, to_us: u64 },
    /// A key was pressed.
    Key { key: char, at_us: u64 },
}

/// One stream's ear.
#[derive(Debug)]
pub(crate) struct Ear {
    format: Format,
    bytes: Vec<u8>,
    /// Time of the frame that comes next.
    at_us: u64,
    silence_us: u64,
    speech: Option<Speech>,
    loud_frames: u32,
    key: Option<char>,
    key_frames: u32,
}

#[derive(Clone, Copy, Debug)]
struct Speech {
    from_us: u64,
    /// End of the last loud frame.
    to_us: u64,
}

impl Ear {
    /// An ear that takes `silence_ms` of silence as the end.
    pub(crate) fn new(format: Format, silence_ms: u32) -> Self {
        Self {
            format,
            bytes: Vec::new(),
            at_us: 0,
            silence_us: u64::from(silence_ms) * 1000,
            speech: None,
            loud_frames: 0,
            key: None,
            key_frames: 0,
        }
    }

    /// From now on `silence_ms` of silence are the end.
    pub(crate) fn wait(&mut self, silence_ms: u32) {
        self.silence_us = u64::from(silence_ms) * 1000;
    }

    /// How much was heard.
    pub(crate) const fn at_us(&self) -> u64 {
        self.at_us
    }

    /// Speech that goes on: from when, and until when so far.
    pub(crate) fn going(&self) -> Option<(u64, u64)> {
        self.speech.map(|speech| (speech.from_us, speech.to_us))
    }

    /// Ends what goes on, whatever the silence; for those who say that it is over.
    pub(crate) fn finish(&mut self) -> Option<Heard> {
        let speech = self.speech.take()?;
        Some(Heard::Ended { from_us: speech.from_us, to_us: speech.to_us })
    }

    /// Hears audio; an odd byte waits for its other half.
    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Vec<Heard> {
        self.bytes.extend_from_slice(bytes);
        let frame_bytes = self.format.bytes_of_ms(FRAME_US / 1000).max(2);
        let frames: Vec<Vec<i16>> =
            self.bytes.chunks_exact(frame_bytes).map(|frame| self.format.decode(frame)).collect();
        self.bytes.drain(..frames.len() * frame_bytes);
        let mut heard = Vec::new();
        for frame in frames {
            self.frame(&frame, &mut heard);
            self.at_us += FRAME_US;
        }
        heard
    }

    fn frame(&mut self, frame: &[i16], heard: &mut Vec<Heard>) {
        let key = key_in(frame, self.format.rate_hz);
        self.key_frames =
            if key.is_some() && key == self.key { self.key_frames + 1 } else { u32::from(key.is_some()) };
        self.key = key;
        if let Some(key) = key.filter(|_| self.key_frames == 2) {
            heard.push(Heard::Key { key, at_us: self.at_us - FRAME_US });
        }
        let end_us = self.at_us + FRAME_US;
        let loud = key.is_none() && level(frame) > LOUD;
        self.loud_frames = if loud { self.loud_frames + 1 } else { 0 };
        match &mut self.speech {
            Some(speech) if loud => speech.to_us = end_us,
            Some(speech) if end_us - speech.to_us >= self.silence_us => heard.extend(self.finish()),
            None if self.loud_frames == BEGINS => {
                let from_us = end_us - u64::from(BEGINS) * FRAME_US;
                self.speech = Some(Speech { from_us, to_us: end_us });
                heard.push(Heard::Began { at_us: from_us });
            }
            _ => {}
        }
    }
}

fn level(frame: &[i16]) -> f32 {
    let sum: f32 = frame.iter().map(|&sample| f32::from(sample).powi(2)).sum();
    (sum / frame.len().max(1) as f32).sqrt()
}

/// The key whose two tones make up most of a frame.
fn key_in(frame: &[i16], rate_hz: u32) -> Option<char> {
    let all: f32 = frame.iter().map(|&sample| f32::from(sample).powi(2)).sum();
    if level(frame) < LOUD {
        return None;
    }
    let strongest = |tones: &[f32; 4]| {
        let powers = tones.map(|hz| power(frame, hz, rate_hz));
        (0..4).map(|n| (n, powers[n])).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
    };
    let ((row, low), (column, high)) = (strongest(&ROWS_HZ), strongest(&COLUMNS_HZ));
    // Two tones hold nearly all energy, and neither is much weaker than the other (Q.24: 8 dB at most).
    let pure = (low + high) > 0.8 * all && low < 8.0 * high && high < 8.0 * low;
    pure.then(|| KEYS.get(row)?.get(column).copied()).flatten()
}

/// The energy that a tone of `hz` has in `frame` (Goertzel), in the scale of the sum of squares.
fn power(frame: &[i16], hz: f32, rate_hz: u32) -> f32 {
    let turn = 2.0 * (TAU * hz / rate_hz as f32).cos();
    let (mut one, mut two) = (0.0f32, 0.0f32);
    for &sample in frame {
        (one, two) = (f32::from(sample) + turn * one - two, one);
    }
    2.0 * (one * one + two * two - turn * one * two) / frame.len().max(1) as f32
}

/// What a recogniser that knows no words says about speech of this length.
pub(crate) fn without_words(from_us: u64, to_us: u64) -> String {
    format!("[{:.1} seconds of speech]", (to_us - from_us) as f32 / 1e6)
}

/// What it says about a key.
pub(crate) fn key_pressed(key: char) -> String {
    format!("[key {key}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tones(hz: &[f32], ms: u32, rate_hz: u32) -> Vec<i16> {
        let at =
            |n: u32| hz.iter().map(|hz| (TAU * hz * n as f32 / rate_hz as f32).sin() * 6_000.0).sum::<f32>();
        (0..rate_hz * ms / 1000).map(|n| at(n) as i16).collect()
    }

    #[test]
    fn speech_is_found_where_it_is() {
        for format in [Format::MULAW_8K, Format::PCM_16K] {
            let mut audio = tones(&[], 500, format.rate_hz);
            audio.extend(tones(&[200.0, 450.0, 600.0], 800, format.rate_hz));
            audio.extend(tones(&[], 700, format.rate_hz));
            let mut ear = Ear::new(format, 300);
            let heard: Vec<Heard> =
                format.encode(&audio).chunks(333).flat_map(|part| ear.hear(part)).collect();
            let wanted =
                [Heard::Began { at_us: 500_000 }, Heard::Ended { from_us: 500_000, to_us: 1_300_000 }];
            assert_eq!(heard, wanted);
            assert_eq!(ear.going(), None);
        }
    }

    #[test]
    fn every_key_is_told_and_is_no_speech() {
        for (row, low) in ROWS_HZ.iter().enumerate() {
            for (column, high) in COLUMNS_HZ.iter().enumerate() {
                let mut ear = Ear::new(Format::MULAW_8K, 300);
                let mut audio = tones(&[], 100, 8_000);
                audio.extend(tones(&[*low, *high], 100, 8_000));
                audio.extend(tones(&[], 400, 8_000));
                let heard = ear.hear(&Format::MULAW_8K.encode(&audio));
                assert_eq!(heard, [Heard::Key { key: KEYS[row][column], at_us: 100_000 }], "{low} {high}");
            }
        }
    }

    #[test]
    fn somebody_who_says_that_it_is_over_ends_it() {
        let mut ear = Ear::new(Format::PCM_16K, 300);
        ear.hear(&Format::PCM_16K.encode(&tones(&[200.0], 200, 16_000)));
        assert_eq!(ear.going(), Some((0, 200_000)));
        assert_eq!(ear.finish(), Some(Heard::Ended { from_us: 0, to_us: 200_000 }));
        assert_eq!(ear.finish(), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_time_goes_on(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..700), 0..40)) {
            let mut ear = Ear::new(Format::PCM_16K, 100);
            parts.iter().for_each(|part| drop(ear.hear(part)));
            let bytes: usize = parts.iter().map(Vec::len).sum();
            prop_assert_eq!(ear.at_us(), (bytes / 640) as u64 * FRAME_US);
        }
    }
}
