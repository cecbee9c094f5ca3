//! ElevenLabs: what its three ways to speak have in common. Lenient in what it reads: the service, its documents and
//! its own libraries differ in how they spell their keys.

use super::{CharTime, SpeaksOverHttp};
use crate::transport::Request;
use crate::wire::audio::{AudioFormat, from_base64};
use crate::wire::url::{Scheme, Url};
use offhook_units::Pii;
use serde_json::{Value, json};

/// Where and how ElevenLabs speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct ElevenSettings {
    /// The service: `https://api.elevenlabs.io`, one of its regions, or a server of one's own.
    pub base: Url,
    /// The key, for the `xi-api-key` header.
    pub key: Pii<String>,
    /// Which voice.
    pub voice_id: String,
    /// Which model; `eleven_flash_v2_5` is the quick one.
    pub model_id: String,
    /// A language code, for models that take one.
    pub language: Option<String>,
    /// What is asked for: µ-law at 8 kHz on a narrow line, PCM at 16 kHz on a wide one.
    pub format: AudioFormat,
}

impl ElevenSettings {
    /// The address of one of the voice's endpoints, with the query that all of them take.
    fn endpoint(&self, base: &Url, name: &str) -> Url {
        let format = match self.format {
            AudioFormat::Mulaw8k => "ulaw_8000".to_owned(),
            AudioFormat::Pcm16 { rate_hz } => format!("pcm_{rate_hz}"),
        };
        base.join(&format!("v1/text-to-speech/{}/{name}", self.voice_id)).with("output_format", &format)
    }

    /// The upgrade to one of the two sockets.
    pub(super) fn socket(&self, name: &str) -> Request {
        let mut url = self
            .endpoint(&self.base.with_scheme(Scheme::Ws, Scheme::Wss), name)
            .with("model_id", &self.model_id)
            // The most it takes; keep-alives come far more often.
            .with("inactivity_timeout", "180")
            .with("auto_mode", "true")
            .with("sync_alignment", "true");
        if let Some(language) = &self.language {
            url = url.with("language_code", language);
        }
        Request::web_socket(url).header("xi-api-key", &self.key)
    }

    fn post(&self, name: &str, text: &str, before: &str) -> Request {
        let url = self.endpoint(&self.base.with_scheme(Scheme::Http, Scheme::Https), name);
        let mut body = json!({"text": text, "model_id": self.model_id, "voice_settings": voice_settings()});
        if let Some(body) = body.as_object_mut() {
            if !before.is_empty() {
                body.insert("previous_text".to_owned(), before.into());
            }
            if let Some(language) = &self.language {
                body.insert("language_code".to_owned(), language.as_str().into());
            }
        }
        Request::post_json(url, body.to_string()).header("xi-api-key", &self.key)
    }
}

impl SpeaksOverHttp for ElevenSettings {
    fn request(&self, text: &str, before: &str) -> Request {
        self.post("stream", text, before)
    }

    fn timed_request(&self, text: &str, before: &str) -> Option<Request> {
        Some(self.post("stream/with-timestamps", text, before))
    }

    fn format(&self) -> AudioFormat {
        self.format
    }
}

/// How a voice sounds: the service's own defaults. Written in the first message of each context, and never changed after.
pub(super) fn voice_settings() -> Value {
    json!({"stability": 0.5, "similarity_boost": 0.75, "speed": 1.0})
}

/// A message of the service.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Message {
    pub(super) context: Option<String>,
    pub(super) audio: Vec<u8>,
    pub(super) chars: Vec<CharTime>,
    pub(super) is_final: bool,
    /// The name of an error, or its prose when it has none.
    pub(super) error: Option<String>,
}

/// Reads a message; what is no JSON object counts as an empty one.
pub(super) fn read(text: &str) -> Message {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return Message::default() };
    let field = |names: &[&str]| names.iter().find_map(|name| value.get(name)).filter(|v| !v.is_null());
    let context = field(&["contextId", "context_id"]).and_then(Value::as_str).map(str::to_owned);
    let audio = field(&["audio"]).and_then(Value::as_str);
    let is_final = field(&["isFinal", "is_final"]).and_then(Value::as_bool).unwrap_or(false);
    let error = field(&["error"]).map(|error| {
        let name = error.as_str().map_or_else(|| error.to_string(), str::to_owned);
        let prose = field(&["message"]).and_then(Value::as_str).unwrap_or_default();
        format!("{name} {prose}").trim().to_owned()
    });
    Message {
        context,
        audio: audio.map(from_base64).unwrap_or_default(),
        chars: field(&["alignment"]).map(characters).unwrap_or_default(),
        is_final,
        error,
    }
}

/// An alignment, in any of its spellings.
fn characters(alignment: &Value) -> Vec<CharTime> {
    let list = |names: &[&str]| names.iter().find_map(|name| alignment.get(name)?.as_array());
    let chars = list(&["chars", "characters"]);
    let starts = list(&["charStartTimesMs", "charsStartTimesMs", "char_start_times_ms"]);
    let lengths = list(&["charDurationsMs", "charsDurationsMs", "char_durations_ms"]);
    let (Some(chars), Some(starts)) = (chars, starts) else { return Vec::new() };
    // Whatever number comes is taken into an hour.
    let ms = |value: &Value| value.as_f64().unwrap_or(0.0).clamp(0.0, 3_600_000.0) as u32;
    let letters = |(i, (letters, start)): (usize, (&Value, &Value))| {
        let at_ms = ms(start);
        let end_ms = at_ms + lengths.and_then(|all| all.get(i)).map_or(0, ms);
        CharTime::each(letters, at_ms, end_ms)
    };
    chars.iter().zip(starts).enumerate().flat_map(letters).collect()
}

#[cfg(test)]
pub(super) fn test_settings() -> ElevenSettings {
    ElevenSettings {
        base: Url::parse("http://127.0.0.1:8080").unwrap(),
        key: Pii::new("k".to_owned()),
        voice_id: "v".to_owned(),
        model_id: "eleven_flash_v2_5".to_owned(),
        language: None,
        format: AudioFormat::Mulaw8k,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_is_read_and_both_at_once_are_no_error() {
        for text in [
            r#"{"audio":"AQI=","isFinal":null,"contextId":"t1","alignment":{"chars":["H","i"],"charStartTimesMs":[0,60],"charDurationsMs":[60,80]}}"#,
            r#"{"audio":"AQI=","is_final":false,"context_id":"t1","alignment":{"chars":["H","i"],"charStartTimesMs":[0,60],"charsDurationsMs":[60,80]}}"#,
            r#"{"audio":"AQI=","contextId":"t1","context_id":"t1","isFinal":false,"is_final":false,"alignment":{"chars":["H","i"],"charsStartTimesMs":[0,60],"charDurationsMs":[60,80]},"x":1}"#,
        ] {
            let chars =
                vec![CharTime { c: 'H', at_ms: 0, end_ms: 60 }, CharTime { c: 'i', at_ms: 60, end_ms: 140 }];
            let message = Message {
                context: Some("t1".to_owned()),
                audio: vec![1, 2],
                chars,
                is_final: false,
                error: None,
            };
            assert_eq!(read(text), message);
        }
        let accent =
            r#"{"alignment":{"chars":["e\u0301",""],"charStartTimesMs":[10,70],"charDurationsMs":[60,0]}}"#;
        let letter = |c| CharTime { c, at_ms: 10, end_ms: 70 };
        assert_eq!(read(accent).chars, ['e', '\u{301}'].map(letter));
        assert!(read(r#"{"isFinal":true,"contextId":"t1"}"#).is_final);
        assert_eq!(read(r#"{"type":"flush_done"}"#), Message::default());
        assert_eq!(
            read(r#"{"error":"quota_exceeded","message":"x","code":1008}"#).error.as_deref(),
            Some("quota_exceeded x")
        );
    }

    #[test]
    fn a_narrow_line_asks_for_mulaw_and_a_wide_one_for_pcm() {
        let narrow = test_settings();
        let target = narrow.socket("multi-stream-input").url.target().to_owned();
        assert!(
            target.starts_with("/v1/text-to-speech/v/multi-stream-input?output_format=ulaw_8000&"),
            "{target}"
        );
        let wide = ElevenSettings { format: AudioFormat::Pcm16 { rate_hz: 16_000 }, ..narrow };
        assert!(wide.request("x", "").url.target().ends_with("/stream?output_format=pcm_16000"));
    }

    #[test]
    fn pitfall_01_17_a_socket_lives_through_silences_and_waits_for_no_hundred_characters() {
        for path in ["multi-stream-input", "stream-input"] {
            let target = test_settings().socket(path).url.target().to_owned();
            assert!(
                target.contains("inactivity_timeout=180") && target.contains("auto_mode=true"),
                "{target}"
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_can_break_the_reader(text in "\\PC{0,80}", a in any::<f64>(), n in -5i64..5) {
            let _ = read(&text);
            let _ = read(&json!({"audio": text, "isFinal": n, "alignment": {"chars": [text, n], "charStartTimesMs": [a, text], "charDurationsMs": n}}).to_string());
        }
    }
}
