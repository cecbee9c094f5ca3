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
}

impl History {
    pub(super) fn new(system: &str) -> Self {
        Self { system: system.to_owned(), messages: Vec::new() }
    }

    pub(super) fn user(&mut self, text: &str) {
        self.add(Role::User, text);
    }

    pub(super) fn assistant(&mut self, text: &str) {
        self.add(Role::Assistant, text);
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

    /// Two messages of one side in a row are one: some servers want the sides to alternate.
    fn add(&mut self, role: Role, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        match self.messages.last_mut() {
            Some((last, before)) if *last == role => {
                if before.len() + text.len() < MESSAGE_MAX {
                    before.push(' ');
                    before.push_str(text);
                }
            }
            _ => self.messages.push((role, text.chars().take(MESSAGE_MAX).collect())),
        }
        let excess = self.messages.len().saturating_sub(MESSAGES_MAX);
        self.messages.drain(..excess);
    }
}
