//! `offhook run`: the appliance. This is the control thread; it starts the others and is their one way out.
//!
//! ```text
//!  signals ─┐                         ┌─► audio thread ─┐
//!  file  ───┼─► events ─► supervisor ─┼─► trunk thread ─┼─► an end of any of them is an event too
//!  a look ──┘   (this thread)         └─► HTTP thread ──┘
//! ```
//!
//! [`supervisor`] decides and is told the time; [`appliance`] carries it out.

pub mod appliance;
pub mod book;
mod exposition;
mod handset;
mod pages;
mod reload;
pub mod secrets;
mod service;
mod services;
mod sessions;
pub mod settings;
mod signals;
mod speech;
mod stages;
mod status;
pub mod supervisor;
mod talk;
mod threads;
mod watch;
