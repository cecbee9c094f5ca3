//! `[log]`: what is told, and how.

use crate::key::{Effect, Expects, Key};
use crate::reading::Reading;

static LEVEL: Key = Key {
    path: "log.level",
    variable: None,
    expects: Expects::Choice { of: &["error", "warn", "info", "debug", "trace"], default: "info" },
    effect: Effect::Live,
};
static FORMAT: Key = Key::at_restart(
    "log.format",
    Expects::Choice { of: &["auto", "text", "json", "journal"], default: "auto" },
);
pub(crate) static KEYS: [&Key; 2] = [&LEVEL, &FORMAT];

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What went wrong for good.
    Error,
    /// What went wrong and was got over.
    Warn,
    /// What happens in the ordinary course.
    Info,
    /// What helps to find a fault.
    Debug,
    /// Everything.
    Trace,
}

/// The form of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The journal where the service manager listens to it, text otherwise.
    Auto,
    /// Lines for people, on stderr.
    Text,
    /// A JSON object a line, on stderr.
    Json,
    /// Fields, to journald.
    Journal,
}

/// The log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// How much.
    pub level: Level,
    /// In which form.
    pub format: Format,
}

pub(crate) fn read(reading: &Reading) -> Log {
    let level = match reading.text(&LEVEL).as_str() {
        "error" => Level::Error,
        "warn" => Level::Warn,
        "debug" => Level::Debug,
        "trace" => Level::Trace,
        _ => Level::Info,
    };
    let format = match reading.text(&FORMAT).as_str() {
        "text" => Format::Text,
        "json" => Format::Json,
        "journal" => Format::Journal,
        _ => Format::Auto,
    };
    Log { level, format }
}
