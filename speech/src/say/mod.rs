//! Text to audio with a voice on the device: `offhook say`, and what takes over when the cloud is gone.
//!
//! ```text
//! text ─► Splitter ─► Planner ─► Speaker: voice ─► trim, fade, join ─► sink
//!                                        breath, silence ──┘
//! ```

pub(crate) mod join;
mod loudness;

use crate::breath::BreathKind;
use crate::text::{PauseKind, PlanSettings, Planner, RateMeter, Rest, Sentence, SpeechRate, Splitter, Step};
use crate::voice::{Spoke, Voice, VoiceError, wav};
use join::{Joiner, RestSound};
use offhook_units::Span;
use std::fmt;
use std::io::Write;
use std::ops::ControlFlow;

/// How text is said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SaySettings {
    /// Its pauses and breaths.
    pub plan: PlanSettings,
    /// What pauses and breaths are drawn from: the same seed says the same text the same way.
    pub seed: u64,
}

impl Default for SaySettings {
    fn default() -> Self {
        Self { plan: PlanSettings::default(), seed: 1 }
    }
}

/// What happens while text is said, in the order of the audio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Said<'a> {
    /// A sentence starts.
    Sentence {
        /// Counted from 1.
        number: u32,
        /// Its text.
        text: &'a str,
    },
    /// The voice cannot say this part; it is left out.
    Unspeakable(&'a str),
    /// The next samples, mono. Empty while the voice has none yet: break off here, too.
    Audio(&'a [i16]),
    /// A rest begins here.
    Rest(Placed),
}

/// A rest in the audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What it stands for.
    pub kind: Option<PauseKind>,
    /// First frame of it, just after the last sound.
    pub at_frame: u64,
    /// All of it.
    pub frames: u64,
    /// The breath in it, and how many frames that takes.
    pub breath: Option<(BreathKind, u64)>,
}

/// Who listens to [`Said`]; [`ControlFlow::Break`] stops the voice at once.
pub type Listener<'a> = &'a mut dyn FnMut(Said<'_>) -> ControlFlow<()>;

/// What was said in the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Samples a second.
    pub rate_hz: u32,
    /// How many there are.
    pub frames: u64,
    /// Sentences that were begun.
    pub sentences: u32,
    /// Parts that the voice said.
    pub spoken: u32,
    /// Parts that the voice could not say.
    pub unspeakable: u32,
    /// Whether the listener broke off.
    pub stopped: bool,
    /// Every rest.
    pub rests: Vec<Placed>,
    /// The speech rate that was measured in the end, 1 being the voice's own pace.
    pub rate: f32,
}

/// Says sentences one after another with one voice. Calling order: [`Speaker::say`] for each sentence,
/// [`Speaker::finish`] at the end of the answer.
pub struct Speaker<'v> {
    voice: &'v mut dyn Voice,
    planner: Planner,
    meter: RateMeter,
    joiner: Joiner,
    sentences: u32,
    spoken: u32,
}

impl<'v> Speaker<'v> {
    /// At the start of an answer.
    pub fn new(settings: &SaySettings, voice: &'v mut dyn Voice) -> Self {
        Self {
            planner: Planner::new(settings.plan, settings.seed),
            meter: RateMeter::new(voice.normal_chars_per_s()),
            joiner: Joiner::new(voice.rate_hz()),
            sentences: 0,
            spoken: 0,
            voice,
        }
    }

    /// The speech rate measured so far.
    pub fn rate(&self) -> SpeechRate {
        self.meter.rate()
    }

    /// Says a sentence, with the rest that the one before it left.
    ///
    /// # Errors
    /// [`VoiceError`]: what of the sentence was not said is lost; the speaker may go on.
    pub fn say(&mut self, sentence: &Sentence, listener: Listener<'_>) -> Result<Spoke, VoiceError> {
        let steps = self.planner.plan(sentence, self.meter.rate());
        let mut announced = false;
        for step in steps {
            let flow = match step {
                Step::Rest(rest) => self.rest(&rest, listener),
                Step::Speak(text) => {
                    if !std::mem::replace(&mut announced, true) {
                        self.sentences += 1;
                        let announcement = Said::Sentence { number: self.sentences, text: &sentence.text };
                        if listener(announcement).is_break() {
                            return Ok(Spoke::Stopped);
                        }
                    }
                    self.phrase(&text, listener)?
                }
            };
            if flow.is_break() {
                return Ok(Spoke::Stopped);
            }
        }
        Ok(Spoke::All)
    }

    /// The answer is over: what was held back of it comes out.
    pub fn finish(&mut self, listener: Listener<'_>) -> Spoke {
        let flow = self.joiner.finish(&mut |samples| listener(Said::Audio(samples)));
        if flow.is_break() { Spoke::Stopped } else { Spoke::All }
    }

    fn phrase(&mut self, text: &str, listener: Listener<'_>) -> Result<ControlFlow<()>, VoiceError> {
        let Self { voice, joiner, .. } = self;
        let spoke = voice.speak(text, &mut |samples| {
            if samples.is_empty() {
                return listener(Said::Audio(&[]));
            }
            joiner.put(samples, &mut |joined| listener(Said::Audio(joined)))
        });
        if spoke == Ok(Spoke::Stopped) {
            return Ok(ControlFlow::Break(()));
        }
        let (flow, heard) = self.joiner.end_phrase(&mut |samples| listener(Said::Audio(samples)));
        match spoke {
            Ok(_) => {
                self.spoken += 1;
                self.meter.measured(text, self.span(heard));
            }
            Err(VoiceError::Unspeakable) => return Ok(listener(Said::Unspeakable(text))),
            Err(error) => return Err(error),
        }
        Ok(flow)
    }

    fn rest(&mut self, rest: &Rest, listener: Listener<'_>) -> ControlFlow<()> {
        let quiet_out = self.joiner.quiet_out() as u64;
        let sound = RestSound::new(&rest.behind(self.span(quiet_out)), self.voice.rate_hz());
        let placed = Placed {
            kind: rest.kind,
            at_frame: self.joiner.after_sound(),
            frames: quiet_out + sound.frames as u64,
            breath: rest.breath.map(|b| (b.kind, sound.breath.len() as u64)),
        };
        listener(Said::Rest(placed))?;
        self.joiner.rest(&sound, &mut |samples| listener(Said::Audio(samples)))
    }

    fn span(&self, frames: u64) -> Span {
        Span::from_micros((frames * 1_000_000 / u64::from(self.voice.rate_hz().max(1))) as i64)
    }
}

impl fmt::Debug for Speaker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speaker")
            .field("voice", &self.voice.name())
            .field("joiner", &self.joiner)
            .finish_non_exhaustive()
    }
}

/// Says all of `text`. Parts that the voice cannot say are left out and counted.
///
/// # Errors
/// [`VoiceError`] when the voice fails.
pub fn say(
    text: &str,
    settings: &SaySettings,
    voice: &mut dyn Voice,
    listener: Listener<'_>,
) -> Result<Report, VoiceError> {
    let mut report = Report { rate_hz: voice.rate_hz(), ..Report::default() };
    let mut listener = |said: Said<'_>| {
        match said {
            Said::Sentence { .. } => report.sentences += 1,
            Said::Unspeakable(_) => report.unspeakable += 1,
            Said::Audio(samples) => report.frames += samples.len() as u64,
            Said::Rest(placed) => report.rests.push(placed),
        }
        listener(said)
    };
    let mut speaker = Speaker::new(settings, voice);
    let mut stopped = false;
    for sentence in &Splitter::of_whole().all(text) {
        if speaker.say(sentence, &mut listener)? == Spoke::Stopped {
            stopped = true;
            break;
        }
    }
    stopped = stopped || speaker.finish(&mut listener) == Spoke::Stopped;
    let (rate, spoken) = (speaker.rate().get(), speaker.spoken);
    Ok(Report { stopped, rate, spoken, ..report })
}

/// Says all of `text` into a mono 16-bit WAV file; `listener` hears of it as it goes. This is `offhook say`.
///
/// # Errors
/// [`SayError`].
pub fn say_to_wav(
    text: &str,
    settings: &SaySettings,
    voice: &mut dyn Voice,
    file: &mut dyn Write,
    listener: Listener<'_>,
) -> Result<Report, SayError> {
    let mut samples = Vec::new();
    let report = say(text, settings, voice, &mut |said| {
        if let Said::Audio(part) = said {
            samples.extend_from_slice(part);
        }
        listener(said)
    })?;
    // Pauses and breaths alone are not the text that was to be said.
    let says_nothing = report.frames == 0 || report.spoken == 0 && report.unspeakable > 0;
    if says_nothing && !report.stopped {
        return Err(SayError::Voice(VoiceError::Unspeakable));
    }
    let frames = u32::try_from(samples.len()).unwrap_or(u32::MAX);
    let bytes: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
    let written = file.write_all(&wav::header(report.rate_hz, frames)).and_then(|()| file.write_all(&bytes));
    written.and_then(|()| file.flush()).map_err(|error| SayError::Write(error.to_string()))?;
    Ok(report)
}

/// Why text was not said into a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SayError {
    /// The voice failed.
    Voice(VoiceError),
    /// The file could not be written.
    Write(String),
}

impl fmt::Display for SayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Voice(error) => error.fmt(f),
            Self::Write(error) => write!(f, "the WAV file could not be written: {error}"),
        }
    }
}

impl std::error::Error for SayError {}

impl From<VoiceError> for SayError {
    fn from(error: VoiceError) -> Self {
        Self::Voice(error)
    }
}

#[cfg(test)]
mod tests;
