//! The scripted language model. It answers what the script says; without a script it says what it heard, and
//! what it is. It does not think, and does not pretend to.

use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What callers are heard to say, and what the model answers; each line is used once.
#[derive(Debug, Default)]
pub(crate) struct Script {
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    utterances: VecDeque<String>,
    replies: VecDeque<String>,
}

impl Script {
    pub(crate) fn new(utterances: Vec<String>, replies: Vec<String>) -> Self {
        Self { lines: Mutex::new(Lines { utterances: utterances.into(), replies: replies.into() }) }
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, utterances: Vec<String>, replies: Vec<String>) {
        let mut lines = self.lock();
        lines.utterances.extend(utterances);
        lines.replies.extend(replies);
    }

    pub(crate) fn forget(&self) {
        *self.lock() = Lines::default();
    }

    /// What the caller says next, if the script knows.
    pub(crate) fn utterance(&self) -> Option<String> {
        self.lock().utterances.pop_front()
    }

    /// The answer to what was said.
    pub(crate) fn reply(&self, said: &str) -> String {
        if let Some(reply) = self.lock().replies.pop_front() {
            return reply;
        }
        match said.trim() {
            "" => {
                "Hello. This is the built-in test service, which does not think. What would you like to say?"
                    .to_owned()
            }
            said => {
                let end = if said.ends_with(['.', '!', '?']) { "" } else { "." };
                format!(
                    "I heard: {said}{end} This is the built-in test service, which does not think. Please go on."
                )
            }
        }
    }
}

/// The last thing that the user said in `messages`: a text, or text parts put together.
pub(crate) fn last_said(messages: &Value) -> String {
    let user = |message: &&Value| message.get("role").and_then(Value::as_str) == Some("user");
    let last = messages.as_array().into_iter().flatten().rfind(user);
    match last.and_then(|message| message.get("content")) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts
            .iter()
            .filter_map(|part| part.get("text").and_then(Value::as_str))
            .collect::<Vec<_>>()
            .join(" "),
        _ => String::new(),
    }
}

/// `text` as a model writes it: a word at a time, with the space before it.
pub(crate) fn tokens(text: &str) -> VecDeque<String> {
    let mut all = VecDeque::new();
    let mut token = String::new();
    for letter in text.chars() {
        if letter.is_whitespace() && !token.trim().is_empty() {
            all.push_back(std::mem::take(&mut token));
        }
        token.push(letter);
    }
    if !token.is_empty() {
        all.push_back(token);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tokens_put_together_are_the_text() {
        let text = " Well,  that is\nall. ";
        let all = tokens(text);
        assert_eq!(all.iter().map(String::as_str).collect::<String>(), text);
        assert_eq!(all.len(), 5);
        assert!(tokens("").is_empty());
    }

    #[test]
    fn the_last_user_message_counts_in_either_form() {
        let messages = json!([{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]);
        assert_eq!(last_said(&messages), "one");
        let parts = json!([{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]);
        assert_eq!(last_said(&parts), "a b");
        assert_eq!(last_said(&json!("nonsense")), "");
    }

    #[test]
    fn a_script_is_used_up_and_then_the_truth_is_told() {
        let script = Script::new(vec!["yes".to_owned()], vec!["Fine.".to_owned()]);
        assert_eq!(script.utterance().as_deref(), Some("yes"));
        assert_eq!(script.utterance(), None);
        assert_eq!(script.reply("x"), "Fine.");
        assert!(script.reply("a room").contains("a room") && script.reply("").contains("does not think"));
    }
}
