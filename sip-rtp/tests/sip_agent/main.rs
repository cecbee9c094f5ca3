//! The user agent in virtual time: against a peer that is scripted message by message, against another agent over
//! a bad network, and against the messages of RFC 4475.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod answers;
mod called;
mod calling;
mod changes;
mod desk;
mod flood;
mod network;
mod registrar;
mod torture;
mod ways;
