//! Voices on the device: what speaks when there is no service, or none is wanted.

mod ascii;
pub mod command;
pub mod flite;
mod places;
mod prompts;
pub mod wav;

pub use prompts::Prompts;

use crate::tts::CharTime;
use std::fmt;
use std::ops::ControlFlow;

/// Where a voice puts its audio: mono 16-bit samples as they come. Called with nothing at all while a voice
/// waits, so that it can be stopped at any time: [`ControlFlow::Break`] stops it at once.
pub type Sink<'a> = &'a mut dyn FnMut(&[i16]) -> ControlFlow<()>;

/// The same with the times of those characters that begin in the samples, counted from the first of these.
pub type PlacedSink<'a> = &'a mut dyn FnMut(&[i16], &[CharTime]) -> ControlFlow<()>;

/// Something that speaks.
pub trait Voice: Send {
    /// Its name, for logs and reports.
    fn name(&self) -> &str;

    /// Samples a second of what it delivers.
    fn rate_hz(&self) -> u32;

    /// Characters of text a second when it is not hurried.
    fn normal_chars_per_s(&self) -> f32;

    /// Whether it says any part of a sentence, and not whole ones alone.
    fn says_parts(&self) -> bool {
        true
    }

    /// Others wait: what it says from now on is made as quickly as it can be, be it less well, until this is taken back.
    /// A voice with one way to speak goes on with that.
    fn hurry(&mut self, _hurried: bool) {}

    /// Speaks `text`, a sentence or a part of one, and returns when all of it went into `sink`, or when
    /// `sink` broke off.
    ///
    /// # Errors
    /// [`VoiceError`]; the voice may be asked again.
    fn speak(&mut self, text: &str, sink: Sink<'_>) -> Result<Spoke, VoiceError>;

    /// The same, telling where the characters of `text` lie, if the voice knows: either all of them that are not white
    /// space, or none.
    ///
    /// # Errors
    /// As [`Voice::speak`].
    fn speak_placed(&mut self, text: &str, sink: PlacedSink<'_>) -> Result<Spoke, VoiceError> {
        self.speak(text, &mut |samples| sink(samples, &[]))
    }

    /// Whether [`Voice::speak_placed`] tells them, of all but odd texts.
    fn tells_places(&self) -> bool {
        false
    }
}

/// How speaking ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoke {
    /// All of it was spoken.
    All,
    /// The sink broke off.
    Stopped,
}

/// Which voice to use.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum VoiceChoice {
    /// flite's `slt` when it is installed, or else espeak-ng.
    #[default]
    Any,
    /// The same, or else the prompts that are built in, which say some sentences and no others.
    AnyOrPrompts,
    /// flite.
    Flite(flite::FliteSettings),
    /// A command.
    Command(command::CommandSettings),
}

/// Opens the voice that was chosen.
///
/// # Errors
/// [`VoiceError`] that says what is missing and what to install.
pub fn open(choice: &VoiceChoice) -> Result<Box<dyn Voice>, VoiceError> {
    match choice {
        VoiceChoice::Flite(settings) => Ok(Box::new(flite::Flite::open(*settings)?)),
        VoiceChoice::Command(settings) => Ok(Box::new(command::Command::open(settings.clone())?)),
        VoiceChoice::AnyOrPrompts => Ok(open(&VoiceChoice::Any).unwrap_or_else(|_| Box::new(Prompts))),
        VoiceChoice::Any => {
            let flite = match flite::Flite::open(flite::FliteSettings::default()) {
                Ok(voice) => return Ok(Box::new(voice)),
                Err(error) => error,
            };
            match command::Command::open(command::CommandSettings::espeak_ng()) {
                Ok(voice) => Ok(Box::new(voice)),
                Err(command) => {
                    Err(VoiceError::NoVoice { flite: Box::new(flite), command: Box::new(command) })
                }
            }
        }
    }
}

/// Why a voice does not speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoiceError {
    /// None of the voices that are tried by themselves is there.
    NoVoice {
        /// Why flite is not.
        flite: Box<VoiceError>,
        /// Why the command is not.
        command: Box<VoiceError>,
    },
    /// flite's library or one of its voices cannot be loaded.
    FliteMissing {
        /// The file.
        library: String,
        /// What the loader said.
        detail: String,
    },
    /// flite gave no audio for this text.
    FliteFailed,
    /// The command cannot be started.
    CommandMissing {
        /// Its name.
        program: String,
        /// What the system said.
        detail: String,
    },
    /// The command ended badly.
    CommandFailed {
        /// Its name.
        program: String,
        /// Its exit status and the last line that it wrote to stderr.
        detail: String,
    },
    /// The command said nothing for too long and was killed.
    CommandSilent {
        /// Its name.
        program: String,
        /// For how long.
        waited_ms: u32,
    },
    /// The command gave more sound than any voice needs for the text, and was killed.
    CommandEndless {
        /// Its name.
        program: String,
        /// How long its sound might have been.
        most_ms: u64,
    },
    /// A voice took too long for a word, and was stopped.
    Slow {
        /// Its name.
        voice: String,
        /// How long it was waited for.
        waited_ms: u64,
    },
    /// The audio is not what was expected.
    BadAudio(wav::BadAudio),
    /// There is nothing in the text that this voice can say.
    Unspeakable,
    /// One piece of text beyond any sentence.
    TooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
}

impl fmt::Display for VoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVoice { flite, command } => {
                write!(f, "no voice on this device. {flite}. {command}")
            }
            Self::FliteMissing { library, detail } => write!(
                f,
                "flite cannot be used: {library} could not be loaded ({detail}); install it with: apt-get install libflite1"
            ),
            Self::FliteFailed => f.write_str("flite gave no audio for this text"),
            Self::CommandMissing { program, detail } => {
                let package =
                    if program == "espeak-ng" { "; install it with: apt-get install espeak-ng" } else { "" };
                write!(f, "the voice command \"{program}\" could not be started ({detail}){package}")
            }
            Self::CommandFailed { program, detail } => {
                write!(f, "the voice command \"{program}\" failed: {detail}")
            }
            Self::CommandSilent { program, waited_ms } => {
                write!(f, "the voice command \"{program}\" gave no audio for {waited_ms} ms and was stopped")
            }
            Self::CommandEndless { program, most_ms } => write!(
                f,
                "the voice command \"{program}\" gave more than {} s of sound for one piece of text and was stopped: \
                 it must say the text that it is given once, and end",
                most_ms / 1000
            ),
            Self::Slow { voice, waited_ms } => write!(
                f,
                "the voice \"{voice}\" had not said one word after {waited_ms} ms and was stopped: it must end as soon \
                 as the text is said"
            ),
            Self::BadAudio(error) => write!(f, "the voice's audio cannot be used: {error}"),
            Self::Unspeakable => f.write_str("the text has nothing that this voice can say"),
            Self::TooLong { bytes, most } => {
                write!(
                    f,
                    "{bytes} bytes of text in one piece; a voice takes {most} at most: split it into sentences"
                )
            }
        }
    }
}

impl std::error::Error for VoiceError {}

impl From<wav::BadAudio> for VoiceError {
    fn from(error: wav::BadAudio) -> Self {
        Self::BadAudio(error)
    }
}

/// Longest piece of text that a voice takes: far above a sentence, well below what a pipe holds.
const TEXT_MAX: usize = 16 * 1024;

/// Refuses what no voice should be asked to say.
const fn check_length(text: &str) -> Result<(), VoiceError> {
    if text.len() > TEXT_MAX {
        return Err(VoiceError::TooLong { bytes: text.len(), most: TEXT_MAX });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_any_voice_both_ways_out_are_told() {
        let flite =
            VoiceError::FliteMissing { library: "libflite.so.1".to_owned(), detail: "not found".to_owned() };
        let command =
            VoiceError::CommandMissing { program: "espeak-ng".to_owned(), detail: "no such file".to_owned() };
        let message = VoiceError::NoVoice { flite: Box::new(flite), command: Box::new(command) }.to_string();
        assert!(
            message.contains("apt-get install libflite1") && message.contains("apt-get install espeak-ng")
        );
    }

    #[test]
    fn a_command_that_is_chosen_and_missing_is_not_replaced_by_another_voice() {
        let program = "no-such-voice-here".to_owned();
        let settings = command::CommandSettings::other(program, Vec::new(), command::Output::Raw, 22_050);
        let error = open(&VoiceChoice::Command(settings)).map(|_| ()).unwrap_err();
        assert!(matches!(error, VoiceError::CommandMissing { .. }), "{error}");
    }
}
