//! Chat completions: a stream of server-sent events, or one JSON object.

use crate::answer::{Answer, Piece, Source};
use crate::faults::Faults;
use crate::http::Request;
use crate::model::{Script, last_said, tokens};
use crate::seen::Page;
use offhook_units::{Moment, Span};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// How long a token takes a model in good health, in milliseconds.
const TOKEN_MS: u32 = 15;
/// What a model thinks before it answers, when it is told to think aloud.
const THOUGHTS: [&str; 4] = ["The", " user", " wants", " something."];

/// A stream of events.
#[derive(Debug)]
struct Completion {
    model: String,
    events: VecDeque<(Value, bool)>,
    every: Span,
    due: Moment,
    comments: bool,
    split_marks: bool,
    no_done: bool,
    id: String,
}

/// Answers `POST /v1/chat/completions`.
pub(crate) fn chat(
    now: Moment,
    request: &Request,
    script: &Script,
    faults: &Faults,
    page: &Page,
    key_fits: bool,
) -> Answer {
    if !key_fits {
        return refusal(401, "invalid_api_key", "Incorrect API key provided");
    }
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        return refusal(400, "invalid_json", "The body must be JSON");
    };
    let (Some(messages), Some(model)) = (body.get("messages"), body.get("model").and_then(Value::as_str))
    else {
        return refusal(400, "missing_required_parameter", "model and messages are needed");
    };
    let said = last_said(messages);
    page.message("request");
    page.text("", &said);
    let reply = script.reply(&said);
    let prompt_tokens: usize = messages.to_string().split_whitespace().count();
    let usage = |count: usize| json!({"prompt_tokens": prompt_tokens, "completion_tokens": count, "total_tokens": prompt_tokens + count});
    let words = tokens(&reply);
    let id = format!("chatcmpl-lab-{}", now.as_micros());
    if body.get("stream").and_then(Value::as_bool) != Some(true) {
        return Answer::json(
            200,
            &json!({
                "id": id, "object": "chat.completion", "created": 1, "model": model, "usage": usage(words.len()),
                "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null,
                             "message": {"role": "assistant", "content": reply, "refusal": null}}],
            }),
        );
    }
    let wants_usage = body.pointer("/stream_options/include_usage").and_then(Value::as_bool) == Some(true);
    let usage = wants_usage.then(|| usage(words.len()));
    Answer::Stream("text/event-stream", Box::new(Completion::new(now, model, id, words, usage, faults)))
}

fn refusal(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, &error_body(code, message))
}

fn error_body(code: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": "lab_error", "param": null, "code": code}})
}

impl Completion {
    fn new(
        now: Moment,
        model: &str,
        id: String,
        words: VecDeque<String>,
        usage: Option<Value>,
        faults: &Faults,
    ) -> Self {
        let choice =
            |delta: Value, reason: Value| json!([{"index": 0, "delta": delta, "finish_reason": reason}]);
        let mut events =
            VecDeque::from([(choice(json!({"role": "assistant", "content": ""}), Value::Null), false)]);
        if faults.reasoning {
            let thought = |text: &&str| (choice(json!({"reasoning_content": text}), Value::Null), false);
            events.extend(THOUGHTS.iter().map(thought));
        }
        events.extend(words.iter().map(|word| (choice(json!({"content": word}), Value::Null), true)));
        events.push_back((choice(json!({}), "stop".into()), false));
        let mut completion = Self {
            model: model.to_owned(),
            events: VecDeque::new(),
            every: Span::from_millis(faults.token_ms.unwrap_or(TOKEN_MS).into()),
            due: now + Span::from_millis(faults.first_ms.unwrap_or(0).into()),
            comments: faults.reasoning,
            split_marks: faults.noise,
            no_done: faults.no_done,
            id,
        };
        completion.events =
            events.into_iter().map(|(choices, token)| (completion.chunk(choices, None), token)).collect();
        if let Some(usage) = usage {
            let last = completion.chunk(json!([]), Some(usage));
            completion.events.push_back((last, false));
        }
        completion
    }

    fn chunk(&self, choices: Value, usage: Option<Value>) -> Value {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": 1, "model": self.model, "choices": choices,
        });
        if let Some(usage) = usage {
            chunk["usage"] = usage;
        }
        chunk
    }
}

impl Source for Completion {
    fn due(&self) -> Option<Moment> {
        (!self.events.is_empty()).then_some(self.due)
    }

    fn next(&mut self, now: Moment) -> Option<Piece> {
        if now < self.due {
            return None;
        }
        let (event, token) = self.events.pop_front()?;
        if token {
            self.due = self.due.max(now - Span::from_millis(500)) + self.every;
        }
        let mut text = String::new();
        if self.comments {
            text.push_str(": still here\r\n\r\n");
        }
        if self.split_marks {
            // Fields that nobody knows, and line ends of the other kinds.
            text.push_str("id: 7\rretry: 100\revent: message\r");
        }
        text.push_str(&format!("data: {event}\n\n"));
        Some(Piece { bytes: text.into_bytes(), units: if token { 1000 } else { 0 }, audio_bytes: 0 })
    }

    fn error(&self, code: &str) -> Option<Vec<u8>> {
        Some(format!("data: {}\n\n", error_body(code, "The lab was told to fail.")).into_bytes())
    }

    fn ending(&mut self) -> Vec<u8> {
        if self.no_done { Vec::new() } else { b"data: [DONE]\n\n".to_vec() }
    }
}
