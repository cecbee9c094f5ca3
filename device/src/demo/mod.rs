//! A demonstration that needs no files and no network: a voice and bad networks of its own, and the simple
//! player that the engine is compared with.

mod fixed;
mod networks;

pub use fixed::FixedBuffer;
pub use networks::{NETWORKS, Network};

/// The voice: 19 s of flite's `slt`, 8 kHz µ-law. `device/assets/README.md` tells how it was made.
pub const VOICE_WAV: &[u8] = include_bytes!("../../assets/voice.wav");
