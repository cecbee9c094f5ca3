//! Hundreds of callers in one process: places calls, sends each a voice that can be told apart 10 ms by 10 ms, looks at
//! every packet that comes back, and says what was missing or came twice.
//!
//! It has no part of the product in it: what it says of the product does not rest on the product's own code. One thread
//! serves every call each 20 ms, the calls spread over those 20 ms, so that it costs little beside what it measures.
//!
//! ```text
//! options ─► crowd: who calls when ─► call: one SIP dialog ─► stream: RTP, numbered sound
//!                 └── wires: the sockets and the clock
//! ```

mod call;
mod crowd;
mod options;
mod pick;
mod rubbish;
mod sip;
mod sound;
mod stream;
mod wires;

use clap::Parser as _;
use options::Options;
use std::process::ExitCode;

/// Exit code for a way of calling that cannot be served: no socket, no target.
const CANNOT: u8 = 69;

fn main() -> ExitCode {
    match crowd::run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell_error(&error.to_string());
            ExitCode::from(CANNOT)
        }
    }
}

#[allow(clippy::print_stderr, reason = "a command line tool says there why it cannot")]
fn tell_error(text: &str) {
    eprintln!("callers: {text}");
}
