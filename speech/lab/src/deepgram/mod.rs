//! Deepgram: live recognition, its turn-taking model, and its voice.

mod aura;
mod flux;
mod listen;

pub(crate) use aura::Aura;
pub(crate) use flux::Flux;
pub(crate) use listen::Listen;
