//! A demonstration that needs no files: a voice and bad networks of its own, calls over them, and the simple player
//! that the engine is compared with.

mod caller;
mod delay;
mod fixed;
mod leg;
mod networks;
mod wire;

pub use caller::{CallError, Caller};
pub use delay::delays_ms;
pub use fixed::FixedBuffer;
pub use leg::{Heard, Reported};
pub use networks::{NETWORKS, Network};

/// The voice: 19 s of flite's `slt`, 8 kHz µ-law. `device/assets/README.md` tells how it was made.
pub const VOICE_WAV: &[u8] = include_bytes!("../../assets/voice.wav");
