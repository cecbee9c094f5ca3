//! Where a trunk's name leads: NAPTR, SRV and addresses (RFC 3263), without sockets.
//!
//! [`resolver::Resolver`] is told the time, handed what name servers answer, and polled for what is to be asked and
//! for what was found: an ordered list of servers, as [`crate::sip::agent::Agent::set_servers`] takes it. It never
//! gives a name up, and what was found once outlives the name servers.
//!
//! The parts, from the wire up: [`wire`] codes messages (the crate `simple-dns`), [`record`] is what is kept of them,
//! `cache` keeps it, `exchange` is one question on its way over the name servers, `order` spreads load,
//! `locate` decides what to ask next and what follows, [`resolv_conf`] reads who is to be asked, [`hosts`] what needs no
//! asking.

mod cache;
mod exchange;
pub mod hosts;
mod locate;
mod order;
pub mod record;
pub mod resolv_conf;
pub mod resolver;
pub mod target;
pub mod wire;
