//! Messages of Deepgram's live recognition, of both dialects.

use serde_json::Value;

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// Words of a stretch of audio.
    Results {
        text: String,
        /// Frozen: append it. Otherwise the next one replaces it.
        is_final: bool,
        /// The service hears the end of the utterance.
        speech_final: bool,
        /// The answer to a `Finalize`.
        from_finalize: bool,
        /// Which stretch, where the message says: results of the same one have the same number.
        stretch: Option<u64>,
        /// Where it ends in the audio of this connection, where the message says.
        ends_ms: Option<u64>,
    },
    /// No word for as long as was asked for.
    UtteranceEnd,
    /// The service failed; its words.
    Error(String),
    /// Anything else: `Metadata`, `SpeechStarted`, what is new.
    Other,
}

pub(super) fn message(text: &str) -> Heard {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return Heard::Other };
    let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
    // Whatever number comes is taken into a day.
    let ms = |name: &str| Some((value.get(name)?.as_f64()?.clamp(0.0, 86_400.0) * 1e3).round() as u64);
    match value.get("type").and_then(Value::as_str) {
        Some("Results") => {
            let transcript = value.pointer("/channel/alternatives/0/transcript").and_then(Value::as_str);
            Heard::Results {
                text: transcript.unwrap_or_default().trim().to_owned(),
                is_final: flag("is_final") || flag("speech_final"),
                speech_final: flag("speech_final"),
                from_finalize: flag("from_finalize"),
                stretch: ms("start"),
                ends_ms: ms("start").zip(ms("duration")).map(|(start, length)| start + length),
            }
        }
        // Flux: each message holds the whole turn so far, so the last one holds all of it.
        Some("TurnInfo") => {
            let ended = value.get("event").and_then(Value::as_str) == Some("EndOfTurn");
            let transcript = value.get("transcript").and_then(Value::as_str).unwrap_or_default();
            let text = transcript.trim().to_owned();
            Heard::Results {
                text,
                is_final: ended,
                speech_final: ended,
                from_finalize: false,
                stretch: value.get("turn_index").and_then(Value::as_u64),
                ends_ms: ms("audio_window_end"),
            }
        }
        Some("UtteranceEnd") => Heard::UtteranceEnd,
        Some("Error") => Heard::Error(text.to_owned()),
        _ => Heard::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_told_apart() {
        let text = r#"{"type":"Results","channel_index":[0,1],"is_final":true,"speech_final":false,"start":1.2,"duration":0.9,
            "channel":{"alternatives":[{"transcript":" two nights ","confidence":0.98}]}}"#;
        let results = Heard::Results {
            text: "two nights".to_owned(),
            is_final: true,
            speech_final: false,
            from_finalize: false,
            stretch: Some(1_200),
            ends_ms: Some(2_100),
        };
        assert_eq!(message(text), results);
        assert_eq!(message(r#"{"type":"UtteranceEnd","last_word_end":2.05}"#), Heard::UtteranceEnd);
        for other in [r#"{"type":"Metadata"}"#, r#"{"type":"Brand new"}"#, "[]", "", "7"] {
            assert_eq!(message(other), Heard::Other);
        }
        let empty = message(r#"{"type":"Results","channel":{"alternatives":[]}}"#);
        assert!(matches!(empty, Heard::Results { text, .. } if text.is_empty()));
    }

    #[test]
    fn a_turn_is_replaced_until_it_ends() {
        let turn = |event: &str| {
            let text =
                format!(r#"{{"type":"TurnInfo","event":"{event}","turn_index":3,"transcript":"two "}}"#);
            message(&text)
        };
        let results = |ended| Heard::Results {
            text: "two".to_owned(),
            is_final: ended,
            speech_final: ended,
            from_finalize: false,
            stretch: Some(3),
            ends_ms: None,
        };
        for event in ["StartOfTurn", "Update", "EagerEndOfTurn", "TurnResumed", "a new one"] {
            assert_eq!(turn(event), results(false));
        }
        assert_eq!(turn("EndOfTurn"), results(true));
    }

    proptest! {
        #[test]
        fn no_message_breaks_the_reader(text in "\\PC{0,80}", start in any::<f64>(), duration in any::<f64>()) {
            let _ = message(&text);
            let _ = message(&serde_json::json!({"type": "Results", "start": start, "duration": duration}).to_string());
        }
    }
}
