//! What was said in a call, as it was heard.

use crate::llm::Role;

/// So many messages are told to the model: an hour of quick exchange would cost more than it helps.
const MESSAGES_MAX: usize = 60;
/// And none is longer than this.
const MESSAGE_MAX: usize = 16_000;

#[derive(Debug)]
pub(super) struct History {
    system: String,
    messages: Vec<(Role, String)>,
    /// Where the answer to what the caller said last stands or will stand; `None` while there is none.
    answer: Option<usize>,
}

impl History {
    pub(super) fn new(system: &str) -> Self {
        Self { system: system.to_owned(), messages: Vec::new(), answer: None }
    }

    pub(super) fn user(&mut self, text: &str) {
        self.add(self.messages.len(), Role::User, text);
    }

    /// The caller has said something that nobody knows yet.
    pub(super) const fn asked(&mut self) {
        self.answer = None;
    }

    /// What is heard next is the answer to it.
    pub(super) const fn answers(&mut self) {
        self.answer = Some(self.messages.len());
    }

    /// That was it.
    pub(super) fn late_user(&mut self, text: &str) {
        self.add(self.answer.unwrap_or(self.messages.len()), Role::User, text);
    }

    pub(super) fn assistant(&mut self, text: &str) {
        self.add(self.messages.len(), Role::Assistant, text);
    }

    /// The caller was the last to say something.
    pub(super) fn is_the_callers_turn(&self) -> bool {
        self.messages.last().is_some_and(|(role, _)| *role == Role::User)
    }

    /// For the model, the system's first.
    pub(super) fn messages(&self) -> Vec<(Role, String)> {
        let system = (Role::System, self.system.clone());
        [system]
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .chain(self.messages.iter().cloned())
            .collect()
    }

    /// Two messages of one side in a row are one: some servers want the sides to alternate. Not where the caller's words
    /// are missing between them, which may still come.
    fn add(&mut self, at: usize, role: Role, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        match at.checked_sub(1).and_then(|before| self.messages.get_mut(before)) {
            Some((last, before)) if *last == role && (role == Role::User || self.answer != Some(at)) => {
                if before.len() + text.len() < MESSAGE_MAX {
                    before.push(' ');
                    before.push_str(text);
                }
            }
            _ => {
                self.messages.insert(at, (role, text.chars().take(MESSAGE_MAX).collect()));
                self.answer =
                    self.answer.map(|answer| answer + usize::from(at == answer && role == Role::User));
            }
        }
        let excess = self.messages.len().saturating_sub(MESSAGES_MAX);
        self.messages.drain(..excess);
        self.answer = self.answer.map(|answer| answer.saturating_sub(excess));
    }
}
