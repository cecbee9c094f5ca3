//! What speaks where no voice is installed: a hum whose two resonances change with each letter. Nobody takes it
//! for a person, and nobody is told that it is one; it has a sound for every letter and a length in proportion,
//! which is all that a protocol needs.

use offhook_speech::tts::CharTime;
use offhook_speech::voice::{PlacedSink, Sink, Spoke, Voice, VoiceError};
use std::f32::consts::TAU;
use std::ops::ControlFlow;

const RATE_HZ: u32 = 16_000;
/// A letter lasts 60 ms: some 16 letters a second, as people speak.
const LETTER_FRAMES: usize = 960;
const LETTER_MS: u32 = 60;

/// The hum. Each letter has one sound of its own, so that what somebody heard can be read from the samples.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tones;

impl Voice for Tones {
    fn name(&self) -> &str {
        "built-in tones (no speech synthesiser)"
    }

    fn rate_hz(&self) -> u32 {
        RATE_HZ
    }

    fn normal_chars_per_s(&self) -> f32 {
        RATE_HZ as f32 / LETTER_FRAMES as f32
    }

    fn speak(&mut self, text: &str, sink: Sink<'_>) -> Result<Spoke, VoiceError> {
        self.speak_placed(text, &mut |samples, _| sink(samples))
    }

    fn speak_placed(&mut self, text: &str, sink: PlacedSink<'_>) -> Result<Spoke, VoiceError> {
        if !text.chars().any(char::is_alphanumeric) {
            return Err(VoiceError::Unspeakable);
        }
        for letter in text.chars() {
            let time = CharTime { c: letter, at_ms: 0, end_ms: LETTER_MS };
            if sink(&sound(letter), &[time]) == ControlFlow::Break(()) {
                return Ok(Spoke::Stopped);
            }
        }
        Ok(Spoke::All)
    }

    fn tells_places(&self) -> bool {
        true
    }
}

/// 60 ms of a letter; silence for what is none.
fn sound(letter: char) -> Vec<i16> {
    if !letter.is_alphanumeric() {
        return vec![0; LETTER_FRAMES];
    }
    let place = (letter.to_ascii_lowercase() as u32 % 26) as f32 / 26.0;
    let (low_hz, high_hz) = (300.0 + 500.0 * place, 2_300.0 - 1_300.0 * place);
    (0..LETTER_FRAMES)
        .map(|n| {
            let t = n as f32 / RATE_HZ as f32;
            // Each letter rises and falls, so that it begins and ends at nothing.
            let envelope = (TAU / 2.0 * n as f32 / LETTER_FRAMES as f32).sin();
            let hum = 0.4 * (TAU * 120.0 * t).sin()
                + 0.4 * (TAU * low_hz * t).sin()
                + 0.2 * (TAU * high_hz * t).sin();
            (hum * envelope * 12_000.0) as i16
        })
        .collect()
}
