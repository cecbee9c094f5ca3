//! OpenAI's interfaces, and those of the many servers that copy them.

mod chat;

pub(crate) use chat::chat;
