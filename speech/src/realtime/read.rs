//! Realtime's messages: the names of its release, and those before it, which others still send.

use super::answers::Part;
use crate::failure::{Fault, Passing};
use crate::wire::audio::from_base64;
use serde_json::Value;

/// A transcript beyond this is cut off, in bytes.
const TEXT_MAX: usize = 8_000;
/// A name that is longer is none.
const NAME_MAX: usize = 200;

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// The session is there.
    Created,
    /// It is what it was told to be.
    Updated,
    /// What the caller said is complete.
    Committed,
    /// The caller said this.
    Heard(String),
    /// An answer is being made.
    Responds { response: String },
    /// The next words of an answer.
    Words { part: Part, text: String },
    /// The next audio of an answer.
    Audio { part: Part, bytes: Vec<u8> },
    /// All words of an answer came.
    Written { part: Part },
    /// An answer is over.
    Done { response: String, status: Status },
    /// Something went wrong, in the service itself where `is_inside`.
    Error { fault: Option<Fault>, is_inside: bool },
    /// Anything else.
    Other,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// All of it came, or as much as was allowed.
    Whole,
    /// It was stopped.
    Cancelled,
    /// It could not be made.
    Failed(Fault),
}

pub(super) fn message(text: &str) -> Message {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return Message::Other };
    let field = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
    let part = || Part { response: name(value.get("response_id")), item: name(value.get("item_id")) };
    let response = || name(value.pointer("/response/id"));
    match field("type") {
        "session.created" => Message::Created,
        "session.updated" => Message::Updated,
        "input_audio_buffer.committed" => Message::Committed,
        "conversation.item.input_audio_transcription.completed" => {
            Message::Heard(short(field("transcript")).trim().to_owned())
        }
        "response.created" => Message::Responds { response: response() },
        // One that answers in text alone is given a voice by the device.
        "response.output_audio_transcript.delta"
        | "response.audio_transcript.delta"
        | "response.output_text.delta"
        | "response.text.delta" => Message::Words { part: part(), text: short(field("delta")).to_owned() },
        "response.output_audio.delta" | "response.audio.delta" => {
            Message::Audio { part: part(), bytes: from_base64(field("delta")) }
        }
        "response.output_audio_transcript.done"
        | "response.audio_transcript.done"
        | "response.output_text.done"
        | "response.text.done" => Message::Written { part: part() },
        "response.done" => Message::Done { response: response(), status: status(&value) },
        "error" => error(&value),
        _ => Message::Other,
    }
}

fn status(value: &Value) -> Status {
    match value.pointer("/response/status").and_then(Value::as_str) {
        Some("cancelled") => Status::Cancelled,
        Some("failed") => {
            let error = value.pointer("/response/status_details/error");
            Status::Failed(error.and_then(named).unwrap_or(Fault::Passing(Passing::Inside)))
        }
        _ => Status::Whole,
    }
}

fn error(value: &Value) -> Message {
    // Older servers have it as a bare text.
    let error = value.get("error").unwrap_or(value);
    match error.get("code").and_then(Value::as_str) {
        // What was to be stopped was over already; the caller spoke while an answer came, and nobody broke in.
        Some("response_cancel_not_active" | "conversation_already_has_active_response") => Message::Other,
        _ => {
            let is_inside = error.get("type").and_then(Value::as_str) == Some("server_error");
            Message::Error { fault: named(error), is_inside }
        }
    }
}

/// By what an error says of itself.
fn named(error: &Value) -> Option<Fault> {
    Fault::of_name(short(&error.to_string()))
}

fn name(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).filter(|name| name.len() <= NAME_MAX).unwrap_or_default().to_owned()
}

fn short(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Fatal;
    use proptest::prelude::*;

    fn part(response: &str, item: &str) -> Part {
        Part { response: response.to_owned(), item: item.to_owned() }
    }

    #[test]
    fn old_names_and_new_ones_mean_the_same() {
        for kind in ["response.output_audio.delta", "response.audio.delta"] {
            let text = format!(r#"{{"type":"{kind}","response_id":"r","item_id":"i","delta":"AQI="}}"#);
            assert_eq!(message(&text), Message::Audio { part: part("r", "i"), bytes: vec![1, 2] });
        }
        for kind in ["response.output_audio_transcript.delta", "response.audio_transcript.delta"] {
            let text = format!(r#"{{"type":"{kind}","item_id":"i","delta":" so"}}"#);
            assert_eq!(message(&text), Message::Words { part: part("", "i"), text: " so".to_owned() });
        }
    }

    #[test]
    fn endings_and_errors_are_told_apart() {
        let done =
            |rest: &str| message(&format!(r#"{{"type":"response.done","response":{{"id":"r"{rest}}}}}"#));
        let over = |status| Message::Done { response: "r".to_owned(), status };
        for whole in ["", r#","status":"completed""#, r#","status":"incomplete""#, r#","status":7"#] {
            assert_eq!(done(whole), over(Status::Whole), "{whole}");
        }
        assert_eq!(done(r#","status":"cancelled""#), over(Status::Cancelled));
        assert_eq!(done(r#","status":"failed""#), over(Status::Failed(Fault::Passing(Passing::Inside))));
        let error = |rest: &str| message(&format!(r#"{{"type":"error","error":{rest}}}"#));
        let sorted = |fault, is_inside| Message::Error { fault, is_inside };
        assert_eq!(error(r#"{"type":"invalid_request_error","code":"x"}"#), sorted(None, false));
        assert_eq!(error(r#"{"type":"server_error","code":null}"#), sorted(None, true));
        let key = Some(Fault::Fatal(Fatal::Key));
        assert_eq!(error(r#"{"type":"invalid_request_error","code":"invalid_api_key"}"#), sorted(key, false));
        assert_eq!(error(r#""invalid_api_key""#), sorted(key, false));
        assert_eq!(error(r#"{"code":"response_cancel_not_active"}"#), Message::Other);
    }

    #[test]
    fn what_is_no_message_or_an_unknown_one_is_left_alone() {
        for other in [r#"{"type":"rate_limits.updated"}"#, "[]", "", "7", r#"{"type":5}"#, "{", "null"] {
            assert_eq!(message(other), Message::Other, "{other}");
        }
    }

    #[test]
    fn what_is_endless_is_cut() {
        let text = format!(
            r#"{{"type":"response.output_text.delta","item_id":"{}","delta":"{}"}}"#,
            "i".repeat(500),
            "é".repeat(9_001)
        );
        let Message::Words { part: of, text } = message(&text) else { panic!("no words") };
        assert_eq!((of, text), (part("", ""), "é".repeat(TEXT_MAX / 2)));
    }

    proptest! {
        #[test]
        fn no_message_breaks_the_reader(text in "\\PC{0,80}") {
            message(&text);
        }
    }
}
