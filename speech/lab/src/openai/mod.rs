//! OpenAI's interfaces, and those of the many servers that copy them.

mod chat;
mod realtime;
mod settings;

pub(crate) use chat::chat;
pub(crate) use realtime::Realtime;
