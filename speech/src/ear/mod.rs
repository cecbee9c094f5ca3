//! Tells by ear where the words of a text lie in a sound: forced alignment, as it is done for subtitles. A voice that
//! tells where its words are speaks the text, too; what the two sounds are like, frame by frame, is laid over each other,
//! and the words of the one are those of the other.
//!
//! ```text
//! text ──► quick voice ──► sound, places ─► features ─┐
//!                                                     ├─► warp ─► places in what was heard, as far as it came
//! what was heard of a voice that tells no places ─► features ─┘
//! ```

mod features;
mod warp;

use crate::tts::CharTime;
use crate::voice::flite::{Flite, FliteSettings, FliteVoice};
use crate::voice::{Spoke, Voice};
use crate::wire::resample::Resampler;
use features::{Features, HOP, RATE_HZ, features, levelled};
use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use warp::warp;

/// Sound beyond this is not listened to, in seconds: a phrase is shorter. It bounds what is kept and what it costs.
pub(crate) const LONGEST_S: usize = 15;
/// Nobody speaks more characters a second; what of a text is behind that cannot have been heard.
const CHARS_PER_S: usize = 30;
/// A word is taken for whole when so much behind it was heard, in frames: where a sound breaks off the warp is not sure.
const BEHIND: usize = 5;
/// Of the last word of all so many frames may be missing.
const MISSING: usize = 2;
/// Another text in the same language comes to 0.64 and more when it is heard for long, the same text to 0.8 when it is
/// short. What is more unlike is another language, noise, or a song.
const UNLIKE_MAX: f32 = 0.85;
/// Of the end of a first warp nobody is sure: so many frames.
const AROUND: usize = 20;
/// So much quieter than the loudest is the silence before a sound: the natural logarithm of a power, 26 dB.
const QUIET: f32 = 6.0;
/// A soft beginning of a word, in frames.
const LEAD: usize = 3;

/// A word that came whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordEnd {
    /// So many characters of the text are over, white space left out.
    pub chars: u32,
    /// Here, from the start of the sound.
    pub at_ms: u32,
}

/// In less than this no word is told from another, in frames.
const LEAST: usize = 30;

/// So many texts are kept as the quick voice says them: a voice that is slow is listened to again and again.
const KEPT: usize = 8;

/// A text as the quick voice says it.
struct Reference {
    text: String,
    features: Features,
    times: Vec<CharTime>,
}

/// The ear.
pub struct Ear {
    voice: Box<dyn Voice>,
    /// The last one in front.
    kept: VecDeque<Reference>,
}

impl Ear {
    /// With the quickest voice that tells where its words are, if it is there.
    pub fn open() -> Option<Self> {
        let settings = FliteSettings { voice: FliteVoice::Kal16, speed: 1.0 };
        Flite::open(settings).ok().map(|voice| Self::with(Box::new(voice)))
    }

    /// With this voice.
    pub const fn with(voice: Box<dyn Voice>) -> Self {
        Self { voice, kept: VecDeque::new() }
    }

    /// The words of `text` that came whole in `samples`, which begin with it and may break off anywhere; each ends between
    /// its own last sound and the first of the next one. `None` where that cannot be told.
    pub fn place(&mut self, text: &str, samples: &[i16], rate_hz: u32) -> Option<Vec<WordEnd>> {
        if samples.len() > LONGEST_S * rate_hz as usize {
            return None;
        }
        let heard = features(&narrow(samples, rate_hz));
        let most = (samples.len() / rate_hz.max(1) as usize + 1) * CHARS_PER_S;
        let text = text.char_indices().nth(most).and_then(|(end, _)| text.get(..end)).unwrap_or(text);
        let Reference { features: reference, times, .. } = self.reference(text)?;
        let (heard_from, reference_from) = (first_sound(&heard)?, first_sound(reference)?);
        let frames = heard.frames.get(heard_from..)?;
        if frames.len() < LEAST {
            return Some(Vec::new());
        }
        let frames = levelled(frames, frames.len());
        let all = reference.frames.get(reference_from..)?;
        // How far it came is known roughly after the first time, and then what the reference is like until there.
        let came = *warp(&frames, &levelled(all, all.len()))?.path.last()? + AROUND;
        let warped = warp(&frames, &levelled(all, came))?;
        if warped.unlike > UNLIKE_MAX {
            return None;
        }
        let mut words = Vec::new();
        let mut path = warped.path.iter().enumerate().peekable();
        for (chars, is_last, ends_ms) in word_ends(text, times)? {
            let end = frame_at(ends_ms).saturating_sub(reference_from + if is_last { MISSING } else { 0 });
            while path.next_if(|(_, place)| **place < end).is_some() {}
            let Some((at, _)) = path.peek() else { break };
            if at + if is_last { 0 } else { BEHIND } >= frames.len() {
                break;
            }
            words.push(WordEnd { chars, at_ms: ms_of(heard_from + at) });
        }
        Some(words)
    }

    fn reference(&mut self, text: &str) -> Option<&Reference> {
        let kept = self.kept.iter().position(|kept| kept.text == text).and_then(|at| self.kept.remove(at));
        let reference = match kept {
            Some(kept) => kept,
            None => {
                let (sound, times) = self.speak(text)?;
                Reference { text: text.to_owned(), features: features(&sound), times }
            }
        };
        self.kept.truncate(KEPT - 1);
        self.kept.push_front(reference);
        self.kept.front()
    }

    /// The sound of `text`, and when each of its characters is spoken.
    fn speak(&mut self, text: &str) -> Option<(Vec<i16>, Vec<CharTime>)> {
        let rate_hz = self.voice.rate_hz();
        let (mut sound, mut times) = (Vec::new(), Vec::new());
        let spoke = self.voice.speak_placed(text, &mut |samples, chars| {
            let came_ms = (sound.len() as u64 * 1000 / u64::from(rate_hz.max(1))) as u32;
            let at = |time: &CharTime| CharTime {
                at_ms: came_ms + time.at_ms,
                end_ms: came_ms + time.end_ms,
                ..*time
            };
            times.extend(chars.iter().map(at).filter(|time| !time.c.is_whitespace()));
            sound.extend_from_slice(samples);
            ControlFlow::Continue(())
        });
        (spoke == Ok(Spoke::All)).then(|| (narrow(&sound, rate_hz), times))
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ear").field("voice", &self.voice.name()).finish_non_exhaustive()
    }
}

/// Each word of `text` by the characters that are over behind it, whether it is the last, and the middle between its end
/// and the start of the next one. `None` where not every character has its time.
fn word_ends(text: &str, times: &[CharTime]) -> Option<Vec<(u32, bool, u32)>> {
    let mut ends = Vec::new();
    let mut chars = 0;
    for word in text.split_whitespace() {
        chars += word.chars().count();
        let end_ms = times.get(chars.checked_sub(1)?)?.end_ms;
        let next_ms = times.get(chars).map_or(end_ms, |next| next.at_ms.max(end_ms));
        ends.push((chars as u32, chars == times.len(), end_ms.midpoint(next_ms)));
    }
    (chars == times.len()).then_some(ends)
}

/// The frame whose middle is nearest.
const fn frame_at(ms: u32) -> usize {
    (ms as usize * RATE_HZ as usize / 1000).saturating_sub(features::WINDOW / 2) / HOP
}

/// The middle of a frame.
const fn ms_of(frame: usize) -> u32 {
    ((frame * HOP + features::WINDOW / 2) * 1000 / RATE_HZ as usize) as u32
}

fn first_sound(sound: &Features) -> Option<usize> {
    let loudest = sound.loudness.iter().copied().fold(0.0, f32::max);
    let first = sound.loudness.iter().position(|loudness| *loudness > loudest - QUIET)?;
    Some(first.saturating_sub(LEAD))
}

fn narrow(samples: &[i16], rate_hz: u32) -> Vec<i16> {
    let mut out = Vec::with_capacity(samples.len() * RATE_HZ as usize / rate_hz.max(1) as usize + 1);
    let mut resampler = Resampler::new(rate_hz, RATE_HZ);
    resampler.put(samples, &mut out);
    resampler.finish(&mut out);
    out
}

#[cfg(test)]
mod tests;
