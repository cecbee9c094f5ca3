//! Why a command ended without its result: each with what it is about, and its exit code.

use crate::demo::CallError;
use crate::exit;
use crate::replay::{PlayError, StreamError, TraceError, WavError};
use crate::run::secrets::SecretError;
use crate::run::settings::SettingsError;
use crate::run::supervisor::Ending;
use crate::trunk::start::StartError;
use offhook_config::Problems;
use offhook_engine::codec::Unavailable;
use offhook_engine::rate::RateError;
use offhook_speech::voice::VoiceError;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What went wrong. `Display` is what the person at the terminal reads.
#[derive(Debug)]
pub enum Failure {
    /// Two arguments that cannot both be meant.
    SamePlace {
        /// The file that would be overwritten.
        path: PathBuf,
        /// What it is.
        is: &'static str,
    },
    /// An input is missing or cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// An output cannot be written.
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A trace that cannot be used.
    Trace {
        /// The file.
        path: PathBuf,
        /// Where and what.
        error: TraceError,
    },
    /// A recording that cannot be used.
    Recording {
        /// The file.
        path: PathBuf,
        /// Where and what.
        error: WavError,
    },
    /// The configuration is wrong.
    Config(Problems),
    /// The configuration is not even text.
    ConfigText {
        /// The file.
        path: PathBuf,
        /// The first byte that is no UTF-8.
        at: usize,
    },
    /// A codec does not start.
    Codec(Unavailable),
    /// The voice could not be coded.
    Stream(StreamError),
    /// A voice did not speak.
    Voice(VoiceError),
    /// A server that cannot open its doors.
    Listen {
        /// Which door.
        what: String,
        /// What the system said.
        error: io::Error,
    },
    /// The text has nothing to be said.
    Unspeakable,
    /// A secret cannot be used.
    Secret {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        error: SecretError,
    },
    /// Where a route hands calls on to is no address.
    Transfer(String),
    /// What agents need does not begin.
    Speech(String),
    /// The sound card's side of the audio thread cannot be made.
    Sound(RateError),
    /// The trunk cannot begin.
    Trunk(StartError),
    /// The system gives no thread, or no signals.
    Thread(io::Error),
    /// A call that was placed came to nothing.
    Call {
        /// Who was called.
        to: String,
        /// Why.
        error: CallError,
    },
    /// The service ended by a fault of its own.
    Ended(Ending),
    /// Ctrl-C, or SIGTERM.
    Interrupted,
}

impl Failure {
    /// The exit code that stands for it.
    pub const fn code(&self) -> u8 {
        match self {
            Self::SamePlace { .. } | Self::Call { error: CallError::Target(_), .. } => exit::USAGE,
            Self::Read { .. } | Self::Secret { error: SecretError::Read(_), .. } => exit::NO_INPUT,
            Self::Write { .. } => exit::CANNOT_WRITE,
            Self::Secret { .. } | Self::Trace { .. } | Self::Recording { .. } | Self::Unspeakable => {
                exit::BAD_DATA
            }
            Self::Config(_) | Self::ConfigText { .. } | Self::Transfer(_) => exit::BAD_CONFIG,
            Self::Codec(_)
            | Self::Stream(_)
            | Self::Voice(_)
            | Self::Listen { .. }
            | Self::Speech(_)
            | Self::Sound(_)
            | Self::Trunk(_)
            | Self::Call { .. }
            | Self::Thread(_) => exit::UNAVAILABLE,
            Self::Ended(_) => exit::FAULT,
            Self::Interrupted => exit::INTERRUPTED,
        }
    }

    /// The same for a log, in which no numbers of people stand: a line for each thing that is wrong.
    pub fn redacted(&self) -> String {
        match self {
            Self::Config(problems) => problems.redacted().to_string(),
            Self::Transfer(_) => {
                "a line of [route] hands calls on to what is no address: expected a sip: address, or a number and a \
                 trunk"
                    .to_owned()
            }
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SamePlace { path, is } => {
                write!(f, "offhook: {} is the {is}; give the output another name", path.display())
            }
            Self::Read { path, error } => write!(f, "offhook: {} cannot be read: {error}", path.display()),
            Self::Write { path, error } => {
                write!(f, "offhook: {} cannot be written: {error}", path.display())
            }
            Self::Trace { path, error } => write!(f, "offhook: {}: {error}", path.display()),
            Self::Recording { path, error } => write!(f, "offhook: {}: {error}", path.display()),
            // Several lines, with the places drawn: they begin with a word of their own.
            Self::Config(problems) => problems.fmt(f),
            Self::ConfigText { path, at } => write!(
                f,
                "offhook: {}: byte {at} is no UTF-8; expected a text file such as config/offhook.toml",
                path.display()
            ),
            Self::Codec(error) => write!(f, "offhook: {error}"),
            Self::Stream(error) => write!(f, "offhook: the voice cannot be coded: {error}"),
            Self::Voice(error) => write!(f, "offhook: {error}"),
            Self::Listen { what, error } => write!(f, "offhook: {what} cannot be used: {error}"),
            Self::Unspeakable => f.write_str("offhook: there is nothing in the text that can be said"),
            Self::Secret { path, error } => write!(f, "offhook: {} {error}", path.display()),
            Self::Transfer(to) => write!(
                f,
                "offhook: calls cannot be handed on to {to}: expected a sip: address, or a number and a trunk"
            ),
            Self::Speech(why) => write!(f, "offhook: calls cannot be talked to: {why}"),
            Self::Sound(error) => write!(f, "offhook: {error}"),
            Self::Trunk(error) => write!(f, "offhook: {error}"),
            Self::Thread(error) => write!(f, "offhook: the system gives no thread: {error}"),
            Self::Call { error: error @ CallError::Target(_), .. } => write!(f, "offhook: {error}"),
            Self::Call { to, error } => write!(f, "offhook: the call to {to}: {error}"),
            Self::Ended(ending) => write!(f, "offhook: {ending}"),
            Self::Interrupted => f.write_str("offhook: interrupted; nothing half-written is left"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

impl From<Unavailable> for Failure {
    fn from(error: Unavailable) -> Self {
        Self::Codec(error)
    }
}

impl From<PlayError> for Failure {
    fn from(error: PlayError) -> Self {
        match error {
            PlayError::Codec(error) => Self::Codec(error),
            PlayError::Write { path, error } => Self::Write { path, error },
        }
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Secret(path, error) => Self::Secret { path, error },
            SettingsError::Transfer(to) => Self::Transfer(to),
            SettingsError::Speech(why) => Self::Speech(why),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::Trunk(error)
    }
}

impl From<StreamError> for Failure {
    fn from(error: StreamError) -> Self {
        Self::Stream(error)
    }
}

impl From<VoiceError> for Failure {
    fn from(error: VoiceError) -> Self {
        match error {
            VoiceError::Unspeakable => Self::Unspeakable,
            other => Self::Voice(other),
        }
    }
}
