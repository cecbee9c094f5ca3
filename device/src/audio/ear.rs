//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! Hears whether somebody speaks: a detector's score for each 16 ms, and a rule that turns scores into a
//! beginning and an end.
//!
//! ```text
//! 10 ms at the call's rate ─► 16 kHz ─► 256 frames ─► earshot ─► Rule ─► Began, Ended
//! ```

use earshot::Detector;
use offhook_engine::rate::{Converter, RateError};
use offhook_units::{SampleRate, Span};
use std::fmt;

/// What the detector takes: 16 ms at 16 kHz.
const FRAME: usize = 256;
/// 10 ms at 16 kHz.
const MOST_CONVERTED: usize = 160;

/// A change of what is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody began to speak.
    Began,
    /// It was silent for long enough to say that they stopped.
    Ended,
}

/// Listens to one call.
pub struct Ear {
    detector: Box<Detector>,
    converter: Converter,
    frame: [i16; FRAME],
    filled: usize,
    rule: Rule,
}

impl Ear {
    /// For a call at `rate`.
    ///
    /// # Errors
    /// [`RateError`] for a rate that cannot be converted.
    pub fn new(rate: SampleRate) -> Result<Self, RateError> {
        Ok(Self {
            detector: Detector::default_boxed(),
            converter: Converter::new(rate, SampleRate::HZ_16000)?,
            frame: [0; FRAME],
            filled: 0,
            rule: Rule::default(),
        })
    }

    /// Hears the next 10 ms.
    pub fn hear(&mut self, pcm: &[i16]) -> Option<Heard> {
        let mut converted = [0; MOST_CONVERTED];
        let made = self.converter.process(pcm, &mut converted).produced;
        let mut heard = None;
        for sample in converted.iter().take(made) {
            if let Some(place) = self.frame.get_mut(self.filled) {
                *place = *sample;
            }
            self.filled += 1;
            if self.filled >= FRAME {
                self.filled = 0;
                let score = self.detector.predict_i16(&self.frame);
                heard = self.rule.judge(score, level_db(&self.frame)).or(heard);
            }
        }
        heard
    }

    /// How long it has been silent when [`Heard::Ended`] is told.
    pub const PAUSE: Span = Span::from_millis(Rule::END_FRAMES as i64 * 16);

    /// Whether somebody speaks now.
    pub const fn hears_speech(&self) -> bool {
        self.rule.speaking
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ear").field("rule", &self.rule).finish_non_exhaustive()
    }
}

/// Level below full scale, dB; silence is −96.
fn level_db(frame: &[i16]) -> f32 {
    let power = frame.iter().map(|s| f32::from(*s) * f32::from(*s)).sum::<f32>() / frame.len().max(1) as f32;
    10.0 * (power / (32_768.0 * 32_768.0)).max(2.5e-10).log10()
}

/// From scores to a beginning and an end.
#[derive(Clone, Copy, Debug)]
struct Rule {
    speaking: bool,
    /// Frames in a row that speak for a change.
    run: u32,
    /// What the room sounds like without speech, dB.
    floor_db: f32,
}

impl Default for Rule {
    fn default() -> Self {
        Self { speaking: false, run: 0, floor_db: Self::QUIETEST_DB }
    }
}

impl Rule {
    /// A frame with a higher score is speech, the detector's own measure.
    const SPEECH: f32 = 0.5;
    /// So many frames of it in a row begin speech: 48 ms. Fewer, and a click begins it; more, and the device talks
    /// on over its caller.
    const BEGIN_FRAMES: u32 = 3;
    /// So many frames without end it: 480 ms. Pauses within a sentence are shorter.
    const END_FRAMES: u32 = 30;
    /// Speech stands above the room by this much, dB.
    const ABOVE_FLOOR_DB: f32 = 6.0;
    /// Below this nobody speaks, dB.
    const QUIETEST_DB: f32 = -60.0;
    /// How fast the floor follows a louder room, dB a frame: 6 dB in 2 s.
    const FLOOR_RISE_DB: f32 = 0.05;

    fn judge(&mut self, score: f32, level_db: f32) -> Option<Heard> {
        let speech = score > Self::SPEECH && level_db > self.floor_db + Self::ABOVE_FLOOR_DB;
        if !speech {
            self.floor_db = level_db.clamp(Self::QUIETEST_DB, self.floor_db + Self::FLOOR_RISE_DB);
        }
        self.run = if speech == self.speaking { 0 } else { self.run + 1 };
        let needed = if self.speaking { Self::END_FRAMES } else { Self::BEGIN_FRAMES };
        if self.run < needed {
            return None;
        }
        (self.speaking, self.run) = (speech, 0);
        Some(if speech { Heard::Began } else { Heard::Ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(rule: &mut Rule, score: f32, level_db: f32, frames: usize) -> Vec<Heard> {
        (0..frames).filter_map(|_| rule.judge(score, level_db)).collect()
    }

    #[test]
    fn a_click_begins_nothing_and_a_pause_ends_nothing() {
        let mut rule = Rule::default();
        judge(&mut rule, 0.0, -70.0, 50);
        assert_eq!(judge(&mut rule, 0.9, -20.0, 2), []);
        assert_eq!(judge(&mut rule, 0.0, -70.0, 1), []);
        assert_eq!(judge(&mut rule, 0.9, -20.0, 40), [Heard::Began]);
        assert_eq!(judge(&mut rule, 0.0, -70.0, 29), []);
        assert_eq!(judge(&mut rule, 0.9, -20.0, 1), []);
        assert_eq!(judge(&mut rule, 0.0, -70.0, 60), [Heard::Ended]);
    }

    #[test]
    fn a_loud_room_is_no_speech_once_it_is_known() {
        let mut rule = Rule::default();
        judge(&mut rule, 0.1, -40.0, 2_000);
        assert_eq!(judge(&mut rule, 0.9, -37.0, 100), [], "a detector that is taken in is not enough");
        assert_eq!(judge(&mut rule, 0.9, -20.0, 10), [Heard::Began]);
    }

    #[test]
    fn silence_and_a_tone_are_no_speech_at_any_rate() {
        for rate in [SampleRate::HZ_8000, SampleRate::HZ_16000, SampleRate::HZ_48000] {
            let mut ear = Ear::new(rate).unwrap();
            let tick = rate.frames_in_ms(10);
            let silence = vec![0; tick];
            for _ in 0..200 {
                assert_eq!(ear.hear(&silence), None);
            }
            assert!(!ear.hears_speech());
        }
    }
}
