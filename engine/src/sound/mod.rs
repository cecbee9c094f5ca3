//! Sound itself: what is played where nothing arrived, how the two sides of a hole are joined, and how
//! speech is made shorter or longer without being heard.
//!
//! Real-time: every buffer is made in `new`; after that no allocation, lock, system call, panic or log.
//!
//! Works on 16-bit samples of any content, 8 to 48 kHz, with 32-bit floats inside:
//!
//! ```text
//! history ──► Guess ─► forward guess ──┐
//!             (pitch, voicing,          ├─► cross-fade in phase ─► gap      conceal, bridge
//! future ───► LPC envelope) backward ──┘            │
//! pauses ───► Background (level, spectrum) ─► noise ─┘ long holes end here
//! block ────► similarity over whole periods ─► squeeze, stretch             warp
//! ```

mod background;
mod bridge;
mod conceal;
mod crossing;
mod fade;
mod guess;
mod lpc;
mod noise;
mod pitch;
mod warp;

pub use background::ComfortNoise;
pub use conceal::{BRIDGE_MS, Concealer};
pub use warp::{Limits, Squeezed, Stretched, Texture, Warper};
