//! What the tests of the play-out share: a sender, a network made of numbers, a tick, and a heap that counts.
//! Everything happens in virtual time.
#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test program uses a part of it")]

pub mod call;
pub mod dice;
pub mod heap;
pub mod sender;

pub use call::{Call, Tick};
pub use dice::Dice;
pub use sender::{Sender, Sound, Wire};
