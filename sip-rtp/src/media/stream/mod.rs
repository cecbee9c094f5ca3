//! The receive side of one call leg: which packets are the call's, and what they carry.
//!
//! ```text
//! datagram -> demux, header -> address (Latch) -> SRTP -> payload type (PayloadMap) -> source (Sources) -> Incoming
//!     each step may refuse, and each refusal has its counter
//! ```

mod gate;
mod latch;
mod payloads;
mod sources;
mod watch;

pub use gate::{DropCounters, Dropped, GateConfig, GateEvent, Incoming, ReceiveGate, RtcpRoute};
pub use latch::Reach;
pub use payloads::{Kind, PayloadMap};
pub use watch::{MediaWatch, Patience, Silence};
