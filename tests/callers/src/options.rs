//! The command line.

use clap::Parser;
use std::net::SocketAddr;

/// Places many calls with sound and says what became of each packet
///
/// Two ways. Without --minutes: all calls at once, a settling time in silence, then --seconds of numbered sound, of which
/// each 10 ms must come back once. With --minutes: calls come and go, up to --calls at once, each of random length; some
/// vanish without a word (--dead), and rubbish is thrown at the target (--rubbish).
///
/// One JSON object a line goes to stdout: {"at":"begin"} when the counted time begins, {"at":"end"} when it is over,
/// then the figures.
#[derive(Debug, Parser)]
#[command(name = "offhook-callers", version)]
pub(crate) struct Options {
    /// Where SIP listens, over UDP
    pub(crate) target: SocketAddr,
    /// The number to call
    #[arg(long, default_value = "600")]
    pub(crate) number: String,
    /// Calls at once
    #[arg(long, default_value_t = 10)]
    pub(crate) calls: usize,
    /// New calls a second
    #[arg(long, default_value_t = 50.0)]
    pub(crate) rate: f64,
    /// Silence before the counted time: the buffers give back the delay that they began with
    #[arg(long, default_value_t = 10.0)]
    pub(crate) settle: f64,
    /// The counted time
    #[arg(long, default_value_t = 10.0)]
    pub(crate) seconds: f64,
    /// Calls come and go for so long
    #[arg(long)]
    pub(crate) minutes: Option<f64>,
    /// Length of the calls that come and go: the shortest, in seconds
    #[arg(long, default_value_t = 1.0)]
    pub(crate) shortest: f64,
    /// The longest, in seconds
    #[arg(long, default_value_t = 20.0)]
    pub(crate) longest: f64,
    /// Of a hundred calls that come and go, so many whose caller vanishes: no packet, no BYE, no answer
    #[arg(long, default_value_t = 0)]
    pub(crate) dead: u32,
    /// Packets of rubbish a second, to the SIP port and to the media ports of calls that stand
    #[arg(long, default_value_t = 0.0)]
    pub(crate) rubbish: f64,
    /// What is left to chance follows from this number
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}
