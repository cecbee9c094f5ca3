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
mod whole;

pub(crate) use whole::spoken;

use crate::tts::CharTime;
use crate::voice::flite::{Flite, FliteSettings, FliteVoice};
use crate::voice::{Spoke, Voice};
use crate::wire::resample::Resampler;
use features::{Features, Frame, HOP, RATE_HZ, features, levelled, loudness};
use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use warp::{NEVER, Over, warp};

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
/// To end where its text does may cost a sound so much more than to end elsewhere: about as much as half a frame of another
/// sound does.
const AT_END: f32 = 2.0;
/// And so much where there is silence behind it.
const AT_REST: f32 = 6.0;
/// Of the end of a first warp nobody is sure: so many frames.
const AROUND: usize = 20;
/// What is never louder is silence: the natural logarithm of a power, -55 dB below full scale.
const SILENCE: f32 = 8.0;
/// So much quieter than the loudest is the silence before a sound: the natural logarithm of a power, 26 dB.
const QUIET: f32 = 6.0;
/// So much below the loudest a voice is in the last ten milliseconds where it ends by itself, and seldom in the middle of a
/// word: the natural logarithm of a power, 16 dB.
const SOFT: f32 = 3.7;
/// So much of the silence behind a sound is listened to, in frames: in a text there is no more of it.
const REST: usize = 20;
/// A soft beginning of a word, in frames.
const LEAD: usize = 3;

/// A place in a text that a sound came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// So many characters of the text are over, white space left out,
    pub chars: u32,
    /// and so many thousandths of the next one.
    pub mille: u32,
    /// Here, from the start of the sound.
    pub at_ms: u32,
}

/// How far a sound came that may have broken off anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Came {
    /// The words that came whole: each ends between its own last sound and the first of the next one.
    pub words: Vec<Reached>,
    /// What came behind them, character by character, up to where the sound ends.
    pub part: Vec<Reached>,
    /// Where its first sound is, and where each character ends, those of whole words too: as likely too early as too late.
    pub letters: Vec<Reached>,
    /// It was surely this text that was heard, and no other.
    pub is_sure: bool,
    /// The sound does not break off in the middle of something loud.
    pub ends_softly: bool,
}

impl Came {
    /// When so many characters were over and so many thousandths of the next one, if it came there.
    pub(crate) fn time_of(&self, chars: u32, mille: u32) -> Option<u32> {
        let behind = self.letters.partition_point(|letter| letter.chars <= chars);
        let (before, after) = (self.letters.get(behind.checked_sub(1)?)?, self.letters.get(behind)?);
        Some(before.at_ms + after.at_ms.saturating_sub(before.at_ms) * mille.min(999) / 1000)
    }

    /// So many characters were heard, if it was surely this text.
    pub fn surely_reached(&self) -> Option<u32> {
        let last = self.last()?;
        self.is_sure.then_some(last.chars)
    }

    /// The same, whatever was heard.
    pub(crate) fn reached(&self) -> u32 {
        self.last().map_or(0, |last| last.chars)
    }

    fn last(&self) -> Option<&Reached> {
        self.part.last().or(self.words.last())
    }
}

/// In less than this no word is told from another, in frames.
const LEAST: usize = 30;
/// And one text from another.
const SURE: usize = 50;
/// What is heard is surely a text and no other when it is so much more like it than like what nobody says: less than one by
/// this, where a second is heard, and the more is heard the less by chance.
const BY_CHANCE: f32 = 0.22;
/// What nobody says is the same voice backwards, begun at so many places.
const BACKWARDS: usize = 4;
/// What came of a word is known within some tens of milliseconds: so much of it is rather heard again than lost,
const BACK_MS: u32 = 40;
/// and nobody is so much faster than the quick voice, in percent.
const FASTEST: u32 = 130;

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

    /// How far `samples`, which begin with `text` and may break off anywhere, came in it. `None` where that cannot be told.
    pub fn place(&mut self, text: &str, samples: &[i16], rate_hz: u32) -> Option<Came> {
        self.place_of(text, samples, rate_hz, false)
    }

    /// The same. Where they surely break off it is never all of `text`.
    pub fn place_of(&mut self, text: &str, samples: &[i16], rate_hz: u32, is_cut: bool) -> Option<Came> {
        if samples.len() > LONGEST_S * rate_hz as usize {
            return None;
        }
        let sound = narrow(samples, rate_hz);
        let mut heard = features(&sound);
        let mut length_ms = (samples.len() * 1000 / rate_hz.max(1) as usize) as u32;
        let ends = last_sound(&heard.loudness) + REST;
        if ends < heard.frames.len() {
            heard.truncate(ends);
            length_ms = ms_of(ends);
        }
        let most = (samples.len() / rate_hz.max(1) as usize + 1) * CHARS_PER_S;
        let text = text.char_indices().nth(most).and_then(|(end, _)| text.get(..end)).unwrap_or(text);
        let Reference { features: reference, times, .. } = self.reference(text)?;
        let Some(heard_from) = first_sound(&heard.loudness) else { return Some(Came::default()) };
        // How loud the loudest will be is not known of what has only begun.
        let begins = first_sound(&reference.loudness)? + heard.loudness.len() - heard_from;
        let reference_from = first_sound(reference.loudness.get(..begins).unwrap_or(&reference.loudness))?;
        let frames = heard.frames.get(heard_from..)?;
        let all = reference.frames.get(reference_from..)?;
        let words = word_ends(text, times)?;
        // Of a sound that has only begun it cannot be told what it is: how far it came is taken from the clock.
        let by_clock = (frames.len() < LEAST).then(|| (0..frames.len()).collect());
        let rests = last_sound(&heard.loudness) < heard.loudness.len();
        let over = Over {
            from: frame_at(times.last()?.end_ms).saturating_sub(reference_from + MISSING),
            more: match (is_cut, rests) {
                (true, _) => 0.0,
                (false, true) => AT_REST,
                (false, false) => AT_END,
            },
        };
        let warped = laid_over(frames, all, over);
        let is_sure = warped.as_ref().is_some_and(|(_, until)| {
            let sound = last_sound(&heard.loudness).saturating_sub(heard_from);
            is_surely(frames.get(..sound).unwrap_or(frames), all.get(..*until).unwrap_or(all))
        });
        let path = warped.map(|(path, _)| path).or(by_clock)?;
        let loudest = heard.loudness.iter().copied().fold(0.0, f32::max);
        let end = sound.get(sound.len().saturating_sub(HOP)..).unwrap_or_default();
        let ends_softly = loudness(end) <= loudest - SOFT;
        let mut came = Came { is_sure, ends_softly, ..Came::default() };
        let reaches = |ends_ms: u32, missing: usize| {
            let end = frame_at(ends_ms).saturating_sub(reference_from + missing);
            path.partition_point(|place| *place < end)
        };
        for (chars, is_last, ends_ms) in words {
            let at = reaches(ends_ms, if is_last { MISSING } else { 0 });
            if frames.len() < LEAST
                || (is_last && is_cut)
                || at + if is_last { 0 } else { BEHIND } >= frames.len()
            {
                break;
            }
            came.words.push(Reached { chars, mille: 0, at_ms: ms_of(heard_from + at) });
        }
        let letters = (1..).zip(times).map(|(chars, time)| (chars, reaches(time.end_ms, 0)));
        came.letters = std::iter::once((0, 0))
            .chain(letters.take_while(|(_, at)| *at < frames.len()))
            .map(|(chars, at)| Reached { chars, mille: 0, at_ms: ms_of(heard_from + at) })
            .collect();
        let whole = came.words.last().map_or(0, |word| word.chars);
        let ends_ms = {
            let since_ms = came.words.last().map_or(ms_of(heard_from), |word| word.at_ms);
            let since = frames.len().min(frame_at(since_ms).saturating_sub(heard_from));
            let most_ms = length_ms.saturating_sub(since_ms) * FASTEST / 100;
            let (since, last) = (*path.get(since)?, *path.last()?);
            // Behind the middle of the last frame there is still half of one.
            let behind_ms = length_ms.saturating_sub(ms_of(heard.frames.len() - 1));
            let ends_ms = ms_of(reference_from + last) + behind_ms;
            let ends_ms = if is_cut { ends_ms.min(times.last()?.end_ms) } else { ends_ms };
            ends_ms.min(ms_of(reference_from + since) + most_ms).saturating_sub(BACK_MS)
        };
        for (chars, time) in (0..).zip(times).skip(whole as usize) {
            if time.end_ms <= ends_ms {
                let at_ms = ms_of(heard_from + reaches(time.end_ms, 0)) + BACK_MS;
                came.part.push(Reached { chars: chars + 1, mille: 0, at_ms: at_ms.min(length_ms) });
                continue;
            }
            let came_ms = ends_ms.saturating_sub(time.at_ms);
            let mille = (came_ms * 1000 / (time.end_ms - time.at_ms).max(1)).min(999);
            // Where nothing of a letter came the one before is not longer for that.
            if mille > 0 {
                came.part.push(Reached { chars, mille, at_ms: length_ms });
            }
            break;
        }
        Some(came)
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

/// What was heard laid over the reference, and to where of it at most; `None` where the one is not the other's text.
fn laid_over(heard: &[Frame], reference: &[Frame], over: Over) -> Option<(Vec<usize>, usize)> {
    let frames = levelled(heard, heard.len());
    // How far it came is known roughly after the first time, and then what the reference is like until there.
    let reached = *warp(&frames, &levelled(reference, reference.len()), over)?.path.last()?;
    let came = reached + AROUND;
    let reference = levelled(reference, came);
    // The second time the reference is said at the pace of what was heard, as far as that is speech.
    let pace = reached.max(heard.len() / 2).max(1);
    let place = |at: usize| at * pace / heard.len();
    let paced: Vec<Frame> = (0..).map_while(|at| reference.get(place(at)).copied()).collect();
    let paced_over = Over { from: (over.from * heard.len()).div_ceil(pace), ..over };
    let warped = warp(&frames, &paced, paced_over)?;
    (warped.unlike <= UNLIKE_MAX).then(|| (warped.path.into_iter().map(place).collect(), came))
}

/// Whether what was heard is surely that of the reference, which goes no farther. Every second frame tells, of a
/// long sound every fifth.
fn is_surely(heard: &[Frame], reference: &[Frame]) -> bool {
    if heard.len() < SURE {
        return false;
    }
    let step = 2 + heard.len() / 500;
    let some = |frames: &[Frame]| -> Vec<Frame> {
        levelled(frames, frames.len()).into_iter().step_by(step).collect()
    };
    let (frames, mut reference) = (some(heard), some(reference));
    let cost = |reference: &[Frame]| warp(&frames, reference, NEVER).map(|warped| warped.cost);
    let Some(own) = cost(&reference) else { return false };
    reference.reverse();
    let turn = reference.len() / BACKWARDS;
    let nobody = (0..BACKWARDS).map(|_| {
        reference.rotate_left(turn);
        cost(&reference)
    });
    let Some(nobody) = nobody.sum::<Option<f32>>() else { return false };
    let by_chance = BY_CHANCE * (RATE_HZ as f32 / (HOP * heard.len()) as f32).sqrt();
    own <= (1.0 - by_chance) * nobody / BACKWARDS as f32
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

fn first_sound(loudness: &[f32]) -> Option<usize> {
    let loudest = loudness.iter().copied().fold(0.0, f32::max);
    if loudest < SILENCE {
        return None;
    }
    let first = loudness.iter().position(|loudness| *loudness > loudest - QUIET)?;
    Some(first.saturating_sub(LEAD))
}

/// How many frames are over behind the last sound.
fn last_sound(loudness: &[f32]) -> usize {
    let loudest = loudness.iter().copied().fold(0.0, f32::max);
    loudness.iter().rposition(|loudness| *loudness > loudest - QUIET).map_or(0, |last| last + 1)
}

fn narrow(samples: &[i16], rate_hz: u32) -> Vec<i16> {
    let mut out = Vec::with_capacity(samples.len() * RATE_HZ as usize / rate_hz.max(1) as usize + 1);
    let mut resampler = Resampler::new(rate_hz, RATE_HZ);
    resampler.put(samples, &mut out);
    resampler.finish(&mut out);
    out
}

#[cfg(test)]
pub(crate) mod tests;
