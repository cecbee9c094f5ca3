//! Deepgram: live recognition, its turn-taking model, and its voice.

mod aura;
mod listen;

pub(crate) use aura::Aura;
pub(crate) use listen::Listen;
