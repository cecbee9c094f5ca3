//! Whole calls through real sockets on loopback: the speech thread on one side, the lab on the other, and a caller whose
//! samples are read letter by letter.

// What goes wrong in a test ends it, as it should.
#![allow(clippy::unwrap_used)]

mod call;
mod cuts;
mod faults;
mod letters;
mod realtime;
mod talk;
mod timer;
mod truevoice;
