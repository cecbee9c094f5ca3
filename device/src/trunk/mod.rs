//! The trunk thread: everything with a socket on the telephone side of the appliance.

pub mod routes;
pub mod settings;
