//! The trunk thread and the audio thread as they run, on loopback, with a small telephone at the other end.

mod authority;
mod busy;
mod calls;
mod doors;
mod media;
mod name_server;
mod names;
mod office;
mod phone;
mod secure;
mod streams;
