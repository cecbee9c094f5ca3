//! `offhook say`: text to a WAV file, with the voice on this device.

use super::configuration::ConfigArguments;
use super::failure::Failure;
use super::progress::Progress;
use crate::interrupt::Interrupt;
use crate::spoken;
use clap::{Args, ValueEnum};
use offhook_config::{Config, DeviceVoice, FliteVoice};
use offhook_speech::say::{Said, SayError, SaySettings, say_to_wav};
use offhook_speech::voice::{self, VoiceChoice};
use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Not in the comment below, because the tags would be links there.
const ABOUT: &str = "Speak text into a WAV file

Uses the voice on this device, no service and no network: that of speech.device_voice, which without a configuration is \
flite's slt where it is installed, else espeak-ng. The pauses come from the punctuation, and breaths are put where a person would take one; [pauses] and [breaths] of the configuration tune them. Tags in the text are understood: \
[breath], [breath type=\"deep\"], [sigh]; docs/spoken-text.md lists them.";

/// Speak text into a WAV file
#[derive(Args, Debug)]
#[command(long_about = ABOUT, after_help = "Examples:\n  offhook say \"Good morning. How can I help?\" --wav greeting.wav\n  \
                        offhook say \"One moment, please. [breath]\" --wav wait.wav --voice espeak-ng")]
pub(super) struct Say {
    /// What to say
    text: String,
    /// Where to write it: mono, 16-bit, at the voice's own rate
    #[arg(long, value_name = "F.wav")]
    wav: PathBuf,
    /// Which voice, instead of the configuration's
    #[arg(long, value_enum)]
    voice: Option<VoiceName>,
    /// Pauses and breaths vary with this number; the same one says the same text the same way
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    configuration: ConfigArguments,
}

/// The voices that can be asked for by name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum VoiceName {
    /// flite where it is installed, else espeak-ng
    Any,
    /// flite's slt; "flite" is the same
    #[value(alias = "flite")]
    Slt,
    /// flite's rms
    Rms,
    /// flite's kal16, which is made fastest
    Kal16,
    /// espeak-ng
    EspeakNg,
}

impl Say {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Config { pauses, breaths, speech, .. } = self.configuration.read()?;
        // The configuration has checked them.
        let plan = spoken::plan(pauses, breaths).unwrap_or_default();
        let wanted = match self.voice {
            None => speech.device_voice,
            Some(VoiceName::Any) => DeviceVoice::Auto,
            Some(VoiceName::Slt) => DeviceVoice::Flite(FliteVoice::Slt),
            Some(VoiceName::Rms) => DeviceVoice::Flite(FliteVoice::Rms),
            Some(VoiceName::Kal16) => DeviceVoice::Flite(FliteVoice::Kal16),
            Some(VoiceName::EspeakNg) => DeviceVoice::EspeakNg,
        };
        let mut voice = match wanted {
            // The prompts that are built in cannot say any text.
            DeviceVoice::Auto => voice::open(&VoiceChoice::Any)?,
            wanted => spoken::voice(&wanted)?,
        };
        let failed = |error| Failure::Write { path: self.wav.clone(), error };
        let interrupt = Interrupt::watch().unwrap_or_default();
        let mut file = super::create(&self.wav)?;
        let progress = Progress::line();
        let settings = SaySettings { seed: self.seed, plan };
        let report = say_to_wav(&self.text, &settings, voice.as_mut(), &mut file, &mut |said| {
            if let Said::Sentence { number, text } = said {
                progress.tell(format!("sentence {number}: {text}"));
            }
            if interrupt.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        drop(progress);
        let report = report.map_err(|error| match error {
            SayError::Voice(error) => error.into(),
            SayError::Write(detail) => failed(io::Error::other(detail)),
        })?;
        if report.stopped {
            return Err(Failure::Interrupted);
        }
        file.publish().map_err(failed)?;
        let left_out = match report.unspeakable {
            0 => String::new(),
            parts => format!(", {parts} parts left out that it cannot say"),
        };
        super::print(&format!(
            "{}: {} sentences, {:.1} s at {} Hz, by {}{left_out}",
            self.wav.display(),
            report.sentences,
            report.frames as f64 / f64::from(report.rate_hz.max(1)),
            report.rate_hz,
            voice.name()
        ))
    }
}
