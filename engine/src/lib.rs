//! The real-time half of offhook: what the network did to a voice is undone here.
//!
//! One [`Playout`] a call: packets in as they come, 10 ms of sound out at each tick. No sockets, no clock, no
//! files and no logging; after start-up no allocation, no lock and no panic either.

pub mod codec;
pub mod decide;
pub mod network;
mod packet;
mod playout;
pub mod rate;
pub mod sequencer;
mod settings;
pub mod sound;
mod stats;
mod store;
mod timeline;

pub use packet::{Packet, PacketKind};
pub use playout::Playout;
pub use settings::Settings;
pub use stats::Stats;
