//! What the trunk thread is asked by others, and what it tells them.
//!
//! Requests come by a bounded channel and wake the thread; a full one refuses. Reports go by a bounded channel that this
//! thread never waits for: what does not fit is counted and lost.

use super::figures::{CallFigures, Snapshot};
use super::routes::Routes;
use super::switchboard::Unserved;
use mio::Waker;
use offhook_engine::Settings as PlayoutSettings;
use offhook_sip_rtp::media::dtmf::Digit;
use offhook_sip_rtp::names::resolver::Failure;
use offhook_sip_rtp::sip::agent::{CallId, CommandError, EndReason, Transfer, TrunkId};
use offhook_sip_rtp::sip::registration;
use offhook_sip_rtp::sip::status::Status;
use offhook_units::{Codec, Pii, Span};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// Requests that wait. They come from people and their tools, not by the thousand.
const MOST_REQUESTS: usize = 64;
/// Reports that wait, ladder lines among them: some seconds of a busy trunk.
const MOST_REPORTS: usize = 4_096;

/// What the thread can be asked.
#[derive(Debug)]
pub enum Request {
    /// Take no new calls; those that stand go on.
    Drain,
    /// Hang up every call, take back the registrations, and end the thread.
    Stop,
    /// Hang up one call.
    HangUp(CallId, Reply),
    /// Place a call.
    Place(Box<Outgoing>, Reply),
    /// Put the far end on hold, or take it up again.
    Hold(CallId, bool, Reply),
    /// Hand a call on to a number, or a whole URI.
    Transfer(CallId, Pii<String>, Reply),
    /// Connect the far ends of two calls with each other.
    TransferToCall(CallId, CallId, Reply),
    /// Press a telephone key.
    Press(CallId, Digit, Reply),
    /// Other routes, from the next call on; other buffers, from now on.
    Reload(Box<Live>),
    /// How everything stands.
    Snapshot(SyncSender<Box<Snapshot>>),
}

/// What can change while the thread runs.
#[derive(Clone, Debug)]
pub struct Live {
    /// What answers which number.
    pub routes: Routes,
    /// The jitter buffers of the calls to come; those of calls in progress are the audio thread's, and only reported here.
    pub playout: PlayoutSettings,
}

/// A call to be placed.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The number, or a whole URI.
    pub to: Pii<String>,
    /// The trunk; `None` is the first that is up.
    pub trunk: Option<TrunkId>,
    /// What the called one hears.
    pub target: super::routes::Target,
}

/// Where the answer to a request goes: the call that it is about, or why not. A channel of one place.
pub type Reply = SyncSender<Result<CallId, Refused>>;

/// Why a request was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// By the SIP side.
    Agent(CommandError),
    /// No media port is free.
    NoPort,
    /// Nothing here can answer with that.
    NoTarget,
    /// What answers with that is in another call.
    Busy,
    /// The peer takes no telephone keys that way, or too many wait.
    Keys,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(error) => error.fmt(f),
            Self::NoPort => f.write_str("no media port is free"),
            Self::NoTarget => f.write_str("nothing here answers that route just now"),
            Self::Busy => f.write_str("what answers that route is in another call"),
            Self::Keys => f.write_str("the keys cannot be sent"),
        }
    }
}

impl std::error::Error for Refused {}

impl From<Unserved> for Refused {
    fn from(why: Unserved) -> Self {
        match why {
            Unserved::Busy => Self::Busy,
            Unserved::Absent => Self::NoTarget,
        }
    }
}

/// What the thread tells.
#[derive(Debug)]
pub enum Report {
    /// One SIP message, for the log: redacted.
    Ladder(String),
    /// A trunk went up or down.
    Trunk(TrunkId, registration::Event),
    /// A trunk's name leads nowhere just now; it is looked up again after this long.
    Name(TrunkId, Failure, Span),
    /// Our own address is another one from now on.
    Address(IpAddr),
    /// A call came in and goes to the named route.
    Incoming(CallId, &'static str),
    /// A call was refused before it was one.
    Refused(Status),
    /// There was no room for that many since the last such report.
    Full {
        /// How many: of calls mostly.
        refused: u64,
        /// How many calls there may be; `None` while no new ones are taken.
        places: Option<usize>,
    },
    /// It stands.
    Answered {
        /// The call.
        call: CallId,
        /// What is spoken.
        codec: Codec,
        /// By SRTP.
        encrypted: bool,
    },
    /// A key was pressed.
    Key(CallId, Pii<char>),
    /// Something explains bad or missing audio.
    Doubt(CallId, Doubt),
    /// How a transfer goes.
    Transfer(CallId, Transfer),
    /// The far end did not let itself be put on hold, or be taken up again.
    ChangeRefused(CallId, Status),
    /// The far end holds, or holds no more.
    Held(CallId, bool),
    /// It is over.
    Ended {
        /// The call.
        call: CallId,
        /// Why.
        reason: EndReason,
        /// The wire was silent for too long, and that is why we hung up.
        silent: bool,
        /// How it was; `None` for a call that never had media.
        figures: Option<Box<CallFigures>>,
    },
}

/// What may be wrong with a call's audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// We send and nothing arrives.
    OneWay,
    /// The peer's SDP says so.
    Sdp(offhook_sip_rtp::sdp::negotiate::Finding),
    /// Its packets come from elsewhere than its SDP says; ours go there too now.
    Remote(SocketAddr),
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ladder(line) => f.write_str(line),
            Self::Trunk(trunk, registration::Event::Up { server, .. }) => {
                write!(f, "trunk {} is up at {} {}", trunk.0 + 1, server.transport, server.addr)
            }
            Self::Trunk(trunk, registration::Event::Down { why, retry_in }) => {
                write!(
                    f,
                    "trunk {} is down: {why}; next try in {:.0} s",
                    trunk.0 + 1,
                    retry_in.as_millis_f32() / 1e3
                )
            }
            Self::Address(ip) => write!(f, "our own address is {ip} now"),
            Self::Name(trunk, why, retry_in) => {
                let why = match why {
                    Failure::NoSuchName => "nobody knows its server's name",
                    Failure::NoAnswer => "no name server answers",
                };
                write!(f, "trunk {}: {why}; next try in {:.0} s", trunk.0 + 1, retry_in.as_millis_f32() / 1e3)
            }
            Self::Incoming(call, route) => write!(f, "call {}: incoming, to {route}", call.0),
            Self::Refused(status) => write!(f, "a call was refused with {status} {}", status.reason()),
            Self::Full { refused, places } => {
                let what =
                    if *refused == 1 { "one call was".to_owned() } else { format!("{refused} calls were") };
                write!(f, "{what} refused with 503 Service Unavailable: ")?;
                match places {
                    Some(places) => write!(f, "there is room for {places} at once (calls.max)"),
                    None => f.write_str("no new ones are taken before the end"),
                }
            }
            Self::Answered { call, codec, encrypted } => {
                write!(f, "call {}: answered, {codec}{}", call.0, if *encrypted { ", encrypted" } else { "" })
            }
            Self::Key(call, key) => write!(f, "call {}: key {key}", call.0),
            Self::Doubt(call, Doubt::OneWay) => write!(f, "call {}: we send, and nothing arrives", call.0),
            Self::Doubt(call, Doubt::Sdp(finding)) => {
                write!(f, "call {}: the peer's SDP asks for media at {finding}", call.0)
            }
            Self::Doubt(call, Doubt::Remote(addr)) => write!(f, "call {}: media come from {addr}", call.0),
            Self::Transfer(call, how) => write!(f, "call {}: transfer: {how}", call.0),
            Self::ChangeRefused(call, status) => {
                write!(f, "call {}: hold or resume was refused with {status} {}", call.0, status.reason())
            }
            Self::Held(call, held) => {
                write!(f, "call {}: {}", call.0, if *held { "on hold" } else { "taken up again" })
            }
            Self::Ended { call, silent: true, .. } => {
                write!(f, "call {}: ended: the caller's RTP stopped", call.0)
            }
            Self::Ended { call, reason, .. } => write!(f, "call {}: ended: {reason}", call.0),
        }
    }
}

/// The others' end of the thread.
#[derive(Clone, Debug)]
pub struct Handle {
    requests: SyncSender<Request>,
    waker: Arc<Waker>,
}

/// The thread does not take the request: it has too many, or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTaken;

impl Handle {
    /// Asks for something.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn ask(&self, request: Request) -> Result<(), NotTaken> {
        self.requests.try_send(request).map_err(|_full_or_over| NotTaken)?;
        self.waker.wake().map_err(|_over| NotTaken)
    }

    /// Asks for something that is answered, and waits for the answer.
    ///
    /// # Errors
    /// [`NotTaken`]; a request that was taken and refused is an answer.
    pub fn call(&self, request: impl FnOnce(Reply) -> Request) -> Result<Result<CallId, Refused>, NotTaken> {
        let (reply, answer) = sync_channel(1);
        self.ask(request(reply))?;
        answer.recv().map_err(|_over| NotTaken)
    }

    /// How everything stands.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub fn snapshot(&self) -> Result<Box<Snapshot>, NotTaken> {
        let (reply, answer) = sync_channel(1);
        self.ask(Request::Snapshot(reply))?;
        answer.recv().map_err(|_over| NotTaken)
    }
}

/// The thread's end.
#[derive(Debug)]
pub(super) struct Office {
    requests: Receiver<Request>,
    reports: SyncSender<Report>,
    lost: u64,
}

/// Both ends, and where the reports come out. `waker` wakes the thread.
pub(super) fn office(waker: Waker) -> (Office, Handle, Receiver<Report>) {
    let (requests, incoming) = sync_channel(MOST_REQUESTS);
    let (reports, told) = sync_channel(MOST_REPORTS);
    let handle = Handle { requests, waker: Arc::new(waker) };
    (Office { requests: incoming, reports, lost: 0 }, handle, told)
}

impl Office {
    /// The next request.
    pub(super) fn next(&self) -> Option<Request> {
        self.requests.try_recv().ok()
    }

    /// Tells something, if there is room.
    pub(super) fn tell(&mut self, report: Report) {
        if let Err(TrySendError::Full(_)) = self.reports.try_send(report) {
            self.lost += 1;
        }
    }

    /// Reports that found no room.
    pub(super) const fn lost(&self) -> u64 {
        self.lost
    }
}
