//! The voice that all connections share, with a memory: what was said lately is not made again.

use super::resample::resample;
use super::tones::Tones;
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
    voice: Mutex<Box<dyn Voice>>,
    memory: Mutex<VecDeque<Remembered>>,
}

/// A text at a rate, and its sound.
type Remembered = (String, u32, Arc<[i16]>);

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
        Self { name: voice.name().to_owned(), voice: Mutex::new(voice), memory: Mutex::default() }
    }

    /// What speaks, in words.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `text` at `rate_hz`; nothing when there is nothing in it that can be said.
    pub(crate) fn say(&self, text: &str, rate_hz: u32) -> Arc<[i16]> {
        let text = text.trim();
        if let Some(known) = self.recall(text, rate_hz) {
            return known;
        }
        let mut samples = Vec::new();
        let voice_hz = {
            let mut voice = lock(&self.voice);
            // What a voice cannot say stays unsaid, as with a service; half of it is better than nothing.
            let _ = voice.speak(text, &mut |more| {
                samples.extend_from_slice(more);
                ControlFlow::Continue(())
            });
            voice.rate_hz()
        };
        let lead = samples.iter().position(|sample| sample.unsigned_abs() > SOFT).unwrap_or(0);
        samples.drain(..lead.saturating_sub(LEAD_MS * voice_hz as usize / 1_000));
        let audio: Arc<[i16]> = resample(&samples, voice_hz, rate_hz).into();
        let mut memory = lock(&self.memory);
        if memory.len() >= REMEMBERED {
            memory.pop_front();
        }
        memory.push_back((text.to_owned(), rate_hz, Arc::clone(&audio)));
        audio
    }

    fn recall(&self, text: &str, rate_hz: u32) -> Option<Arc<[i16]>> {
        let memory = lock(&self.memory);
        let (.., audio) = memory.iter().find(|(said, hz, _)| *hz == rate_hz && said == text)?;
        Some(Arc::clone(audio))
    }
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
        let first =
            |rate_hz| speaker.say("Hello there.", rate_hz).iter().position(|x| x.unsigned_abs() > SOFT);
        assert!(first(8_000).is_some_and(|at| (100..=200).contains(&at)), "{:?}", first(8_000));
        assert!(first(16_000).is_some_and(|at| (200..=400).contains(&at)), "{:?}", first(16_000));
    }

    #[test]
    fn what_is_said_again_is_remembered_and_what_cannot_be_said_is_nothing() {
        let speaker = Speaker::new(LabVoice::Tones);
        let first = speaker.say("Hello there.", 8_000);
        assert!(Arc::ptr_eq(&first, &speaker.say(" Hello there. ", 8_000)));
        assert_eq!(first.len(), 12 * 480);
        assert_eq!(speaker.say("Hello there.", 16_000).len(), 12 * 960);
        assert!(speaker.say("...", 8_000).is_empty());
        assert!(speaker.name().contains("tones"));
    }
}
