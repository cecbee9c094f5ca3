//! RTCP of one call: reports on what we send and receive, the peer's reports on the same, round-trip time,
//! and the quality figures that carriers and phones expect (RFC 3550, RFC 3611).
//!
//! ```text
//! datagram -> Compound (framing, RFC 3550 A.2) -> RtcpPacket -> RtcpSession -> reported
//! RTP in and out -> SourceStats, Bursts ----------------------------^   |
//!                                   Schedule (RFC 3550 6.3) ------------+--> poll_output
//! ```

mod bursts;
mod compound;
mod ntp;
mod report;
mod schedule;
mod session;
mod source;
mod xr;

pub use compound::{Compound, RtcpError, RtcpPacket};
pub use ntp::NtpTime;
pub use report::{Cname, ReportBlock, SenderInfo, Ssrcs};
pub use session::{LocalFigures, RemoteReport, RtcpConfig, RtcpCounters, RtcpSession};
pub use source::{Arrival, SourceStats};
pub use xr::{DelayLimits, DlrrItem, VoipMetrics, XrBlock};
