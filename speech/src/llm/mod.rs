//! Language models, by the protocol that OpenAI's chat completions began and most servers speak today.

mod chat;
mod read;
mod thoughts;

pub use chat::{Chat, ChatEvent, ChatOutput, ChatSettings};

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Whoever set the appliance up.
    System,
    /// The caller.
    User,
    /// The model, as far as the caller heard it.
    Assistant,
}

impl Role {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}
