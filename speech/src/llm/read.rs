//! One event of a stream of chat completions. Servers differ: what is not understood is passed over, and what a
//! model thinks aloud (`reasoning`, `reasoning_content`) is not looked at, so that it cannot be spoken; thoughts in the text
//! itself are taken out by `thoughts`.

use serde_json::Value;

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text to speak, which may be empty; a refusal in words is spoken too.
    Text {
        text: String,
        /// The model is done with it; its reason may be anything.
        is_last: bool,
    },
    /// `[DONE]`.
    Done,
    /// The server failed; its words.
    Error(String),
    /// Nothing of interest: usage, roles, padding, thoughts.
    Nothing,
}

pub(super) fn piece(name: &str, data: &str) -> Piece {
    if data.trim() == "[DONE]" {
        return Piece::Done;
    }
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return if name == "error" { Piece::Error(data.to_owned()) } else { Piece::Nothing };
    };
    if let Some(error) = value.get("error").filter(|error| !error.is_null()) {
        return Piece::Error(error.as_str().map_or_else(|| error.to_string(), str::to_owned));
    }
    if name == "error" {
        return Piece::Error(data.to_owned());
    }
    // The usage chunk has an empty list.
    let Some(choice) = value.get("choices").and_then(|choices| choices.get(0)) else { return Piece::Nothing };
    let text = |field: &str| choice.pointer(&format!("/delta/{field}")).and_then(Value::as_str);
    let text =
        text("content").filter(|text| !text.is_empty()).or_else(|| text("refusal")).unwrap_or_default();
    // Some servers write an empty reason all the way.
    let is_last =
        choice.get("finish_reason").and_then(Value::as_str).is_some_and(|reason| !reason.is_empty());
    if text.is_empty() && !is_last {
        return Piece::Nothing;
    }
    Piece::Text { text: text.to_owned(), is_last }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_kind_of_event_is_told() {
        let text = |text: &str| Piece::Text { text: text.to_owned(), is_last: false };
        let last = |text: &str| Piece::Text { text: text.to_owned(), is_last: true };
        for (data, expected) in [
            (
                r#"{"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}],"obfuscation":"xxx"}"#,
                text("Hello"),
            ),
            (r#"{"choices":[{"delta":{"refusal":"I cannot."}}]}"#, text("I cannot.")),
            (
                r#"{"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
                Piece::Nothing,
            ),
            (r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#, last("")),
            (r#"{"choices":[{"delta":{"content":" you."},"finish_reason":"length"}]}"#, last(" you.")),
            (r#"{"choices":[{"delta":{"content":"I"},"finish_reason":""}]}"#, text("I")),
            (r#"{"choices":[],"usage":{"total_tokens":9}}"#, Piece::Nothing),
            (r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"x"}]}}]}"#, Piece::Nothing),
            ("[DONE]", Piece::Done),
            (r#"{"error":"out of memory"}"#, Piece::Error("out of memory".to_owned())),
            (r#"{"error":{"message":"x"}}"#, Piece::Error(r#"{"message":"x"}"#.to_owned())),
            ("not json", Piece::Nothing),
        ] {
            assert_eq!(piece("", data), expected, "{data}");
        }
        assert_eq!(piece("error", "gone"), Piece::Error("gone".to_owned()));
    }

    #[test]
    fn thoughts_are_never_spoken() {
        for field in ["reasoning", "reasoning_content", "thinking"] {
            let data =
                format!(r#"{{"choices":[{{"delta":{{"{field}":"The caller seems odd.","content":""}}}}]}}"#);
            assert_eq!(piece("", &data), Piece::Nothing);
        }
    }

    proptest! {
        #[test]
        fn no_event_breaks_the_reader(name in "\\PC{0,8}", data in "\\PC{0,80}") {
            let _ = piece(&name, &data);
        }
    }
}
