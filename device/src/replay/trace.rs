//! What a network did to one RTP stream: a CSV of `seq,send_ms,arrive_ms`.
//!
//! One row a packet of 20 ms. Without `arrive_ms` it was lost; a second row for a `seq` is a duplicate. A `seq`
//! without a row was lost too.

use offhook_units::{Moment, Span};
use std::fmt;
use std::io::{self, Write};

/// What each packet carries, ms.
pub const PACKET_MS: u32 = 20;
/// The first line of a trace.
const HEADER: &str = "seq,send_ms,arrive_ms";
/// A day: beyond it a number is a mistake, and what it would make us write is beyond a WAV file.
const MOST_MS: f64 = 24.0 * 3_600_000.0;
const MOST_PACKETS: u32 = (MOST_MS as u32) / PACKET_MS;
/// What is played after the last packet: all that may still wait in the buffer.
const TAIL: Span = Span::from_millis(1_000);

/// A packet's way: when it was sent, and when it came, if it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its number, from 0.
    pub packet: u32,
    /// When it left.
    pub sent: Moment,
    /// When it came; `None` is lost.
    pub arrived: Option<Moment>,
}

/// A packet that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub at: Moment,
    /// Its number.
    pub packet: u32,
}

/// A whole trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    rows: Vec<Sent>,
    arrivals: Vec<Arrival>,
    packets: u32,
    lost: u32,
}

impl Trace {
    /// A trace of these rows, in any order.
    pub fn new(rows: Vec<Sent>) -> Self {
        let packets = rows.iter().map(|row| row.packet + 1).max().unwrap_or(0);
        let mut arrivals: Vec<Arrival> =
            rows.iter().filter_map(|row| row.arrived.map(|at| Arrival { at, packet: row.packet })).collect();
        // Stable: what comes at one instant comes in the order of the rows.
        arrivals.sort_by_key(|arrival| arrival.at);
        let mut came = vec![false; packets as usize];
        for arrival in &arrivals {
            if let Some(came) = came.get_mut(arrival.packet as usize) {
                *came = true;
            }
        }
        let lost = came.iter().filter(|came| !**came).count() as u32;
        Self { rows, arrivals, packets, lost }
    }

    /// Reads a CSV.
    ///
    /// # Errors
    /// [`TraceError`] for the first line that is not as it should be.
    pub fn parse(bytes: &[u8]) -> Result<Self, TraceError> {
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        let mut lines = bytes.split(|byte| *byte == b'\n').zip(1..).map(|(line, number)| (number, line));
        let (_, first) = lines.next().unwrap_or((1, b""));
        let header = text(1, first)?;
        if header.split(',').map(str::trim).ne(HEADER.split(',')) {
            return Err(TraceError { line: 1, fault: TraceFault::Header(excerpt(header)) });
        }
        let mut rows = Vec::new();
        for (number, line) in lines {
            let line = text(number, line)?;
            if !line.trim().is_empty() {
                rows.push(row(line).map_err(|fault| TraceError { line: number, fault })?);
            }
        }
        if rows.is_empty() {
            return Err(TraceError { line: 2, fault: TraceFault::NoPackets });
        }
        Ok(Self::new(rows))
    }

    /// Writes it as a CSV that [`Self::parse`] reads.
    ///
    /// # Errors
    /// When `to` cannot be written.
    pub fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        writeln!(to, "{HEADER}")?;
        let ms = |moment: Moment| moment.as_micros() as f64 / 1000.0;
        for row in &self.rows {
            let arrived = row.arrived.map_or(String::new(), |at| format!("{:.3}", ms(at)));
            writeln!(to, "{},{:.3},{arrived}", row.packet, ms(row.sent))?;
        }
        Ok(())
    }

    /// Each packet that comes, in the order in which they come.
    pub fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// How many packets were sent: one more than the highest number.
    pub fn packets(&self) -> u32 {
        self.packets
    }

    /// How many of them never came.
    pub fn lost(&self) -> u32 {
        self.lost
    }

    /// How many came again.
    pub fn repeated(&self) -> u32 {
        self.arrivals.len() as u32 - (self.packets - self.lost)
    }

    /// How long a replay lasts: until all was sent and has come, and a second more.
    pub fn length(&self) -> Span {
        let sent = Moment::from_millis(u64::from(self.packets) * u64::from(PACKET_MS));
        let last = self.arrivals.last().map_or(Moment::ZERO, |arrival| arrival.at);
        sent.max(last).since(Moment::ZERO) + TAIL
    }
}

fn text(line: u32, bytes: &[u8]) -> Result<&str, TraceError> {
    let text = std::str::from_utf8(bytes).map_err(|_| TraceError { line, fault: TraceFault::NotText })?;
    Ok(text.strip_suffix('\r').unwrap_or(text))
}

fn row(line: &str) -> Result<Sent, TraceFault> {
    let mut columns = line.split(',').map(str::trim);
    let (Some(seq), Some(send), Some(arrive), None) =
        (columns.next(), columns.next(), columns.next(), columns.next())
    else {
        return Err(TraceFault::Columns(line.split(',').count()));
    };
    let packet: u32 = seq.parse().map_err(|_| TraceFault::Seq(excerpt(seq)))?;
    if packet >= MOST_PACKETS {
        return Err(TraceFault::Seq(excerpt(seq)));
    }
    let sent = moment("send_ms", send)?;
    let arrived = if arrive.is_empty() { None } else { Some(moment("arrive_ms", arrive)?) };
    Ok(Sent { packet, sent, arrived })
}

/// Milliseconds with a fraction, to the microsecond.
fn moment(column: &'static str, number: &str) -> Result<Moment, TraceFault> {
    let ms: f64 = number.parse().map_err(|_| TraceFault::Time { column, found: excerpt(number) })?;
    if !(0.0..=MOST_MS).contains(&ms) {
        return Err(TraceFault::Time { column, found: excerpt(number) });
    }
    Ok(Moment::from_micros((ms * 1000.0).round() as u64))
}

/// The head of something wrong, for an error: short, and on one line.
fn excerpt(text: &str) -> String {
    const MOST: usize = 40;
    let head: String = text.chars().take(MOST).collect();
    let more = if text.chars().nth(MOST).is_some() { "…" } else { "" };
    format!("{}{more}", head.escape_debug())
}

/// A trace that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceError {
    /// Counted from 1.
    pub line: u32,
    /// What is wrong there.
    pub fault: TraceFault,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TraceFault {
    /// Bytes that are no UTF-8.
    NotText,
    /// The first line is something else.
    Header(String),
    /// So many columns.
    Columns(usize),
    /// A number of a packet that is none.
    Seq(String),
    /// A time that is none.
    Time {
        /// In which column.
        column: &'static str,
        /// What stands there.
        found: String,
    },
    /// Nothing but the header.
    NoPackets,
}

impl fmt::Display for TraceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => {
                f.write_str("not a text file; expected a CSV with the columns seq,send_ms,arrive_ms")
            }
            Self::Header(found) => write!(f, "the first line is \"{found}\"; expected \"{HEADER}\""),
            Self::Columns(found) => {
                write!(f, "{found} columns; expected 3: {HEADER} (arrive_ms empty where the packet was lost)")
            }
            Self::Seq(found) => {
                write!(f, "seq is \"{found}\"; expected a whole number from 0 to {}", MOST_PACKETS - 1)
            }
            Self::Time { column, found } => {
                write!(
                    f,
                    "{column} is \"{found}\"; expected milliseconds from 0 to {MOST_MS}, as in 41.250"
                )?;
                if *column == "arrive_ms" {
                    f.write_str(", or nothing where the packet was lost")
                } else {
                    Ok(())
                }
            }
            Self::NoPackets => f.write_str("no packet at all; expected at least one line behind the header"),
        }
    }
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.fault)
    }
}

impl std::error::Error for TraceError {}

#[cfg(test)]
mod tests;
