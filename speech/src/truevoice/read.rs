//! Text messages of TrueVoice.

use serde_json::Value;

/// What a message says. `turn` is the number of the turn that it is about, where the service counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// What the caller said. Without a field that says otherwise it is final.
    Transcript { text: String, is_final: bool },
    /// The next words of an answer.
    Token { text: String, turn: Option<u64> },
    /// `llm_done`: all words of the turn came.
    Written { turn: Option<u64> },
    /// Audio of a turn begins.
    AudioStart { turn: Option<u64> },
    /// All audio of a turn came.
    AudioEnd,
    /// The service failed; what it said of it.
    Error(String),
    /// Anything else; every side must ignore what it does not know.
    Other,
}

/// One transcript or token is no longer than this, in bytes.
const TEXT_MAX: usize = 8_000;

pub(super) fn message(text: &str) -> Message {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return Message::Other };
    let words = || {
        let words = value.get("text").and_then(Value::as_str).unwrap_or_default();
        let end = (0..=words.len().min(TEXT_MAX)).rev().find(|&end| words.is_char_boundary(end));
        words.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
    };
    let flag = |name: &str| value.get(name).and_then(Value::as_bool);
    let turn = value.get("turn").and_then(Value::as_u64);
    match value.get("type").and_then(Value::as_str) {
        Some("transcript") => Message::Transcript {
            text: words(),
            is_final: flag("final").or_else(|| flag("is_final")).unwrap_or(true),
        },
        Some("llm_token") => Message::Token { text: words(), turn },
        Some("llm_done") => Message::Written { turn },
        Some("audio_start") => Message::AudioStart { turn },
        Some("audio_end") => Message::AudioEnd,
        Some("error") => Message::Error(text.to_owned()),
        _ => Message::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_transcript_is_final_unless_it_says_otherwise() {
        for (text, is_final) in [
            (r#"{"type":"transcript","text":"a"}"#, true),
            (r#"{"type":"transcript","text":"a","final":false}"#, false),
            (r#"{"type":"transcript","text":"a","is_final":false}"#, false),
            (r#"{"type":"transcript","text":"a","final":null}"#, true),
        ] {
            assert_eq!(message(text), Message::Transcript { text: "a".to_owned(), is_final }, "{text}");
        }
    }

    #[test]
    fn what_is_endless_is_cut_at_a_letter() {
        let text = format!("{{\"type\":\"llm_token\",\"text\":\"{}\"}}", "é".repeat(9_001));
        let Message::Token { text, turn: None } = message(&text) else { panic!("no token") };
        assert_eq!(text, "é".repeat(TEXT_MAX / 2));
    }

    proptest! {
        #[test]
        fn any_text_is_a_message(text in ".{0,300}") {
            message(&text);
        }
    }
}
