//! A recorded network and a recorded voice through the very engine of a live call, in virtual time.
//!
//! ```text
//! voice.wav ─► Voice ─► Stream: coded, as RTP datagrams ─┐
//! trace.csv ─► Trace: which arrives when ────────────────┴─► Session: parse, put, pull every 10 ms ─► Recording
//!                                                                                               └──► Log, Report
//! ```
//!
//! The only thing here that differs from one run to the next is the CPU time in the report.

mod json;
mod log;
mod play;
mod recording;
mod report;
mod session;
mod stream;
mod trace;
mod voice;
mod wav;

pub use json::JsonLine;
pub use log::Log;
pub use play::{Outputs, PlayError, play};
pub use recording::Recording;
pub use report::Report;
pub use session::{Pull, Session, pulls_in};
pub use stream::{Stream, StreamError};
pub use trace::{Arrival, PACKET_MS, Sent, Trace, TraceError, TraceFault};
pub use voice::Voice;
pub use wav::{WavError, WavFault};
