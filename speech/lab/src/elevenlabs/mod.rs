//! ElevenLabs' text to speech: `stream-input`, `multi-stream-input`, and the HTTP stream.

mod context;
mod multi;
mod request;
mod single;

pub(crate) use multi::Multi;
pub(crate) use request::stream;
pub(crate) use single::Single;

use crate::faults::{Faults, Keys};
use crate::http::Request;
use crate::seen::Page;
use crate::session::{Audio, Out};
use crate::speak::{Chunk, Format, Speaker, Timed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use offhook_units::Span;
use serde_json::{Value, json};
use std::sync::Arc;

/// Idle time after which a connection is closed, in seconds: unless the client asks for another, and at most.
const IDLE_S: u32 = 20;
const LONGEST_IDLE_S: u32 = 180;

/// What a connection's query says.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `None` for a format that the lab does not make.
    pub(crate) format: Option<Format>,
    pub(crate) idle: Span,
    pub(crate) auto_mode: bool,
    /// Alignment with every chunk; otherwise all of it with the first chunk of what was generated in one go.
    pub(crate) sync_alignment: bool,
}

impl Settings {
    pub(crate) fn of(request: &Request, faults: &Faults) -> Self {
        let idle_s = request.number("inactivity_timeout").unwrap_or(IDLE_S).min(LONGEST_IDLE_S);
        let idle_ms = faults.idle_ms.unwrap_or(idle_s * 1000);
        Self {
            format: format_of(request),
            idle: Span::from_millis(idle_ms.into()),
            auto_mode: request.flag("auto_mode"),
            sync_alignment: request.flag("sync_alignment"),
        }
    }
}

/// What both sockets need.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) speaker: Arc<Speaker>,
    pub(crate) faults: Faults,
    pub(crate) page: Page,
    /// A wrong key is taken at the handshake and refused right after it, as the service does.
    pub(crate) wrong_key: bool,
}

impl Setup {
    /// What is wrong from the start; says so and closes.
    fn refuse(&self, out: &mut Out) {
        if self.wrong_key {
            error(out, "invalid_api_key", "The API key you used is not valid.");
        } else if self.settings.format.is_none() {
            error(
                out,
                "unsupported_output_format",
                "The lab makes pcm_*, ulaw_8000 and alaw_8000; set output_format.",
            );
        }
    }
}

/// The format that a request asks for. The vendor's default is MP3, which the lab does not make.
fn format_of(request: &Request) -> Option<Format> {
    Format::by_elevenlabs(&request.field("output_format")?)
}

/// An error message, and the close that follows it.
fn error(out: &mut Out, code: &str, message: &str) {
    out.json(&json!({"message": message, "error": code, "code": 1008}));
    out.close(1008, code);
}

/// A message with audio. `context` is none on the socket that has no contexts.
fn audio_message(chunk: &Chunk, context: Option<&str>, settings: &Settings, keys: Keys) -> (Value, Audio) {
    let letters = chunk.aligned(settings.sync_alignment);
    let alignment = letters.map_or(Value::Null, |letters| alignment(letters, keys));
    let mut message = json!({
        "audio": STANDARD.encode(&chunk.audio),
        "normalizedAlignment": alignment,
        "alignment": alignment,
    });
    sign(&mut message, Value::Null, context, keys);
    (message, Audio { bytes: chunk.audio.len(), us: chunk.us })
}

/// The last message of a context or of a connection.
fn final_message(context: Option<&str>, keys: Keys) -> Value {
    let mut message = json!({});
    if context.is_none() {
        message = json!({"audio": null});
    }
    sign(&mut message, Value::Bool(true), context, keys);
    message
}

/// Adds whether it is final and whose it is, in the spellings that have been seen.
fn sign(message: &mut Value, is_final: Value, context: Option<&str>, keys: Keys) {
    let mut spell = |final_key: &str, context_key: &str| {
        message[final_key] = is_final.clone();
        if let Some(context) = context {
            message[context_key] = context.into();
        }
    };
    if keys != Keys::Snake {
        spell("isFinal", "contextId");
    }
    if matches!(keys, Keys::Snake | Keys::Both) {
        spell("is_final", "context_id");
    }
}

fn alignment(letters: &[Timed], keys: Keys) -> Value {
    let (starts, lengths) = match keys {
        Keys::Plural => ("charsStartTimesMs", "charsDurationsMs"),
        _ => ("charStartTimesMs", "charDurationsMs"),
    };
    json!({
        "chars": letters.iter().map(|timed| timed.letter.to_string()).collect::<Vec<_>>(),
        starts: letters.iter().map(|timed| timed.start_ms).collect::<Vec<_>>(),
        lengths: letters.iter().map(|timed| timed.length_ms).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
