//! What a Realtime session was told about its audio and its turns. Only what an update names changes.

use crate::speak::{Encoding, Format};
use serde_json::{Value, json};

/// The settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) input: Format,
    pub(crate) output: Format,
    /// Without it the client commits and asks for answers itself.
    pub(crate) turn_detection: bool,
    pub(crate) silence_ms: u32,
    pub(crate) create_response: bool,
    pub(crate) interrupt_response: bool,
}

/// The one rate that linear audio has here.
const PCM: Format = Format { encoding: Encoding::Pcm, rate_hz: 24_000 };

impl Default for Settings {
    fn default() -> Self {
        Self {
            input: PCM,
            output: PCM,
            turn_detection: true,
            silence_ms: 500,
            create_response: true,
            interrupt_response: true,
        }
    }
}

impl Settings {
    pub(crate) fn update(&mut self, session: &Value) {
        let format = |path: &str, now: Format| match session.pointer(path).and_then(Value::as_str) {
            Some("audio/pcmu") => Format::MULAW_8K,
            Some("audio/pcma") => Format::ALAW_8K,
            Some("audio/pcm") => PCM,
            _ => now,
        };
        self.input = format("/audio/input/format/type", self.input);
        self.output = format("/audio/output/format/type", self.output);
        let Some(turns) = session.pointer("/audio/input/turn_detection") else { return };
        self.turn_detection = !turns.is_null();
        let flag = |name: &str, now: bool| turns.get(name).and_then(Value::as_bool).unwrap_or(now);
        self.create_response = flag("create_response", self.create_response);
        self.interrupt_response = flag("interrupt_response", self.interrupt_response);
        let silence_ms = turns.get("silence_duration_ms").and_then(Value::as_u64);
        self.silence_ms = silence_ms.map_or(self.silence_ms, |ms| ms.clamp(20, 10_000) as u32);
    }

    /// The part `audio` of a session.
    pub(crate) fn to_json(self) -> Value {
        let format = |format: Format| match format.encoding {
            Encoding::Pcm => json!({"type": "audio/pcm", "rate": format.rate_hz}),
            Encoding::Mulaw => json!({"type": "audio/pcmu"}),
            Encoding::Alaw => json!({"type": "audio/pcma"}),
        };
        let turns = self.turn_detection.then(|| {
            json!({
                "type": "server_vad", "silence_duration_ms": self.silence_ms,
                "create_response": self.create_response, "interrupt_response": self.interrupt_response,
            })
        });
        json!({
            "input": {"format": format(self.input), "turn_detection": turns},
            "output": {"format": format(self.output), "voice": "lab", "speed": 1.0},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_changes_and_null_is_a_name() {
        let mut settings = Settings::default();
        settings.update(&json!({"audio": {"input": {"format": {"type": "audio/pcmu"}, "turn_detection": {"silence_duration_ms": 300}}}}));
        assert_eq!((settings.input, settings.output), (Format::MULAW_8K, PCM));
        assert_eq!(
            (settings.silence_ms, settings.turn_detection, settings.create_response),
            (300, true, true)
        );
        settings.update(&json!({"audio": {"input": {"turn_detection": null}}}));
        assert_eq!((settings.input, settings.turn_detection), (Format::MULAW_8K, false));
        assert_eq!(settings.to_json().pointer("/input/turn_detection"), Some(&Value::Null));
    }
}
