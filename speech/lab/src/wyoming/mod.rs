//! Wyoming: speech for all-local installations, over a raw TCP socket of its own.

mod event;
mod serve;
mod session;

pub(crate) use serve::serve;
