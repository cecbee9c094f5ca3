//! The voice that all connections share, with a memory: what was said lately is not made again.

use super::resample::resample;
use super::tones::Tones;
use offhook_speech::tts::CharTime;
use offhook_speech::voice::flite::{FliteSettings, FliteVoice};
use offhook_speech::voice::{self, Voice, VoiceChoice};
use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Pieces that are remembered: a few minutes of speech, some 20 MB at most.
const REMEMBERED: usize = 64;

/// So much of a voice's own silence before its first sound is left: flite has a fifth of a second of it, and a service that
/// sent that first would have every answer late.
const LEAD_MS: usize = 20;
/// What is louder is a sound.
const SOFT: u16 = 64;

/// Which voice speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabVoice {
    /// flite or espeak-ng where one is installed, else tones.
    #[default]
    Best,
    /// This voice of flite where it is installed, else tones.
    Flite(FliteVoice),
    /// Tones: the same on every machine, and made at once.
    Tones,
}

/// Speaks for everybody.
pub(crate) struct Speaker {
    name: String,
    tells_places: bool,
    voice: Mutex<Box<dyn Voice>>,
    memory: Mutex<VecDeque<Remembered>>,
}

/// A text at a rate, and its sound.
type Remembered = (String, u32, Arc<Sound>);

/// What was said.
#[derive(Debug, Default)]
pub(crate) struct Sound {
    pub(crate) samples: Vec<i16>,
    /// Where the characters lie in it, if the voice told.
    pub(crate) chars: Vec<CharTime>,
}

impl fmt::Debug for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speaker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Speaker {
    pub(crate) fn new(which: LabVoice) -> Self {
        let opened = match which {
            LabVoice::Best => voice::open(&VoiceChoice::Any).ok(),
            LabVoice::Flite(voice) => {
                let settings = FliteSettings { voice, ..FliteSettings::default() };
                voice::open(&VoiceChoice::Flite(settings)).ok()
            }
            LabVoice::Tones => None,
        };
        let voice = opened.unwrap_or_else(|| Box::new(Tones));
        let (name, tells_places) = (voice.name().to_owned(), voice.tells_places());
        Self { name, tells_places, voice: Mutex::new(voice), memory: Mutex::default() }
    }

    /// What speaks, in words.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether it knows where its characters are.
    pub(crate) const fn tells_places(&self) -> bool {
        self.tells_places
    }

    /// `text` at `rate_hz`; nothing when there is nothing in it that can be said.
    pub(crate) fn say(&self, text: &str, rate_hz: u32) -> Arc<Sound> {
        let text = text.trim();
        if let Some(known) = self.recall(text, rate_hz) {
            return known;
        }
        let (mut sound, voice_hz) = {
            let mut voice = lock(&self.voice);
            (speak(&mut **voice, text), voice.rate_hz())
        };
        sound.samples = resample(&sound.samples, voice_hz, rate_hz);
        let sound = Arc::new(sound);
        let mut memory = lock(&self.memory);
        if memory.len() >= REMEMBERED {
            memory.pop_front();
        }
        memory.push_back((text.to_owned(), rate_hz, Arc::clone(&sound)));
        sound
    }

    fn recall(&self, text: &str, rate_hz: u32) -> Option<Arc<Sound>> {
        let memory = lock(&self.memory);
        let (.., sound) = memory.iter().find(|(said, hz, _)| *hz == rate_hz && said == text)?;
        Some(Arc::clone(sound))
    }
}

/// What the voice says at its own rate. What it cannot say stays unsaid, as with a service; half of it is better than nothing.
fn speak(voice: &mut dyn Voice, text: &str) -> Sound {
    let rate_hz = voice.rate_hz().max(1) as usize;
    let ms = |samples: usize| (samples * 1000 / rate_hz) as u32;
    let Sound { mut samples, mut chars } = Sound::default();
    let _ = voice.speak_placed(text, &mut |more, times| {
        let from_ms = ms(samples.len());
        let later = |time: &CharTime| CharTime {
            at_ms: from_ms.saturating_add(time.at_ms),
            end_ms: from_ms.saturating_add(time.end_ms),
            ..*time
        };
        chars.extend(times.iter().map(later));
        samples.extend_from_slice(more);
        ControlFlow::Continue(())
    });
    let lead = samples.iter().position(|sample| sample.unsigned_abs() > SOFT).unwrap_or(0);
    let left_out = lead.saturating_sub(LEAD_MS * rate_hz / 1_000);
    samples.drain(..left_out);
    for time in &mut chars {
        time.at_ms = time.at_ms.saturating_sub(ms(left_out));
        time.end_ms = time.end_ms.saturating_sub(ms(left_out));
    }
    Sound { samples, chars }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voices_own_silence_before_its_first_sound_is_left_out() {
        let speaker = Speaker::new(LabVoice::Flite(FliteVoice::Slt));
        assert!(speaker.name().contains("flite"), "scripts/setup installs it");
        let first = |rate_hz| {
            speaker.say("Hello there.", rate_hz).samples.iter().position(|x| x.unsigned_abs() > SOFT)
        };
        assert!(first(8_000).is_some_and(|at| (100..=200).contains(&at)), "{:?}", first(8_000));
        assert!(first(16_000).is_some_and(|at| (200..=400).contains(&at)), "{:?}", first(16_000));
    }

    #[test]
    fn what_is_said_again_is_remembered_and_what_cannot_be_said_is_nothing() {
        let speaker = Speaker::new(LabVoice::Tones);
        let first = speaker.say("Hello there.", 8_000);
        assert!(Arc::ptr_eq(&first, &speaker.say(" Hello there. ", 8_000)));
        assert_eq!(first.samples.len(), 12 * 480);
        assert_eq!(speaker.say("Hello there.", 16_000).samples.len(), 12 * 960);
        assert!(speaker.say("...", 8_000).samples.is_empty());
        assert!(speaker.name().contains("tones"));
    }
}
