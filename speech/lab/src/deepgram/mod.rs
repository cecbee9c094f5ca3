//! Deepgram: live recognition, its turn-taking model, and its voice.

mod aura;
mod flux;
mod listen;
mod request;

pub(crate) use aura::Aura;
pub(crate) use flux::Flux;
pub(crate) use listen::Listen;
pub(crate) use request::speak;
