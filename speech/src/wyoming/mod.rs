//! Wyoming: speech on machines of the local network, as Home Assistant's piper and whisper serve it. Plain TCP, no
//! key: for a network that one trusts.
//!
//! ```text
//! Event = one line of JSON, then data_length bytes of JSON, then payload_length bytes of audio
//! voice: synthesize ─► audio-start · audio-chunk … · audio-stop           one phrase at a time
//! ears:  transcribe · audio-start · audio-chunk … · audio-stop ─► transcript   one connection an utterance
//! ```
//!
//! There is no message that stops a voice: a barge-in closes the connection, and the next one is opened at once.

mod ears;
mod event;
mod voice;

pub use ears::{WyomingEars, WyomingEarsSettings};
pub use voice::{WyomingVoice, WyomingVoiceSettings};
