//! The real-time half of offhook: what the network did to a voice is undone here.

pub mod codec;
pub mod rate;
pub mod sound;
