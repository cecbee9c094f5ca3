//! The resolver in virtual time, against name servers that are scripted zone by zone.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod hostile;
mod locating;
mod name_server;
mod outages;
mod world;
