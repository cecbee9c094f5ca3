//! What to do when a service fails: what kind of fault it is, when to try again, and when nobody should.

mod backoff;
mod breaker;
mod fault;

pub use backoff::Backoff;
pub use breaker::Breaker;
pub use fault::{Fatal, Fault, Passing};
