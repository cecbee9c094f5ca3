//! What goes in and out of the user agent.

use crate::media::dtmf::Digit;
use crate::sdp::negotiate::{LocalMedia, Refusal, Stream};
use crate::sip::digest::client::Credentials;
use crate::sip::guard::Network;
use crate::sip::local::LocalAddrs;
use crate::sip::parse::Limits;
use crate::sip::registration;
use crate::sip::session_timer::Wishes;
use crate::sip::status::Status;
use crate::sip::transaction::{Capacity, Timings};
use crate::sip::transport::Peer;
use crate::sip::uri::Uri;
use offhook_units::{Pii, Span};
use std::fmt;

/// A call, for as long as the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// A trunk, by its place in the configuration: the first is the one to use when it is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrunkId(pub usize);

/// How the agent behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our addresses.
    pub locals: LocalAddrs,
    /// What we say in User-Agent and Server.
    pub software: String,
    /// The user part of our Contact.
    pub contact_user: String,
    /// Who may talk to us besides the trunks.
    pub allowed: Vec<Network>,
    /// What a caller has to prove, if anything.
    pub inbound: Option<Credentials>,
    /// Asks for MD5 before SHA-256, for callers who read the first challenge only.
    pub md5_first: bool,
    /// How many calls there may be.
    pub max_calls: usize,
    /// How long we let it ring, both ways.
    pub ring_limit: Span,
    /// Session timers.
    pub session: Wishes,
    /// Transaction timers.
    pub times: Timings,
    /// Transaction limits.
    pub capacity: Capacity,
    /// Message limits.
    pub limits: Limits,
}

impl Settings {
    /// What an appliance at `locals` uses when nothing else is said. Nobody may talk to it yet.
    pub fn new(locals: LocalAddrs) -> Self {
        Self {
            locals,
            software: "offhook".into(),
            contact_user: "offhook".into(),
            allowed: Vec::new(),
            inbound: None,
            md5_first: false,
            max_calls: 50,
            ring_limit: Span::from_millis(180_000),
            session: Wishes::default(),
            times: Timings::default(),
            capacity: Capacity::default(),
            limits: Limits::default(),
        }
    }
}

/// What comes from the sockets.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A datagram, or one message out of a stream.
    Bytes {
        /// From where.
        from: Peer,
        /// What.
        bytes: &'a [u8],
    },
    /// Nothing can be sent there.
    Unreachable(Peer),
}

/// What goes out.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes.
    Send {
        /// Where to.
        to: Peer,
        /// What.
        bytes: Vec<u8>,
    },
    /// Tell the appliance.
    Event(Event),
}

/// Who calls whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parties {
    /// The caller: P-Asserted-Identity where the trunk gives one, else From.
    pub from: Pii<Uri>,
    /// The caller's display name.
    pub display: Option<Pii<String>>,
    /// The number that was called: the Request-URI's user.
    pub called: Pii<String>,
    /// The number that was called first, when the call was diverted to us.
    pub diverted_from: Option<Pii<String>>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody calls. To be answered by [`super::Agent::ring`], `progress`, `answer` or `reject`.
    IncomingCall {
        /// The call.
        call: CallId,
        /// Who calls whom.
        parties: Parties,
        /// The call whose place it takes, if it is answered.
        replaces: Option<CallId>,
    },
    /// It rings: at the far end of a call of ours; or here, with something to be heard meanwhile.
    Ringing {
        /// The call.
        call: CallId,
        /// The media until the answer, if there are any.
        early: Option<Stream>,
    },
    /// The call stands, and this is its media.
    Answered {
        /// The call.
        call: CallId,
        /// Its media.
        stream: Stream,
    },
    /// Address, codec or direction changed.
    MediaChanged {
        /// The call.
        call: CallId,
        /// Its media now.
        stream: Stream,
    },
    /// The far end put the call on hold. The media came by [`Event::MediaChanged`].
    Held(CallId),
    /// The far end took it up again.
    Resumed(CallId),
    /// A change that we asked for was refused; what held before goes on.
    ChangeRefused {
        /// The call.
        call: CallId,
        /// The answer.
        status: Status,
    },
    /// A telephone key by SIP INFO.
    Key {
        /// The call.
        call: CallId,
        /// The key.
        key: Pii<Digit>,
    },
    /// How a transfer of ours goes.
    Transfer {
        /// The call.
        call: CallId,
        /// How far it is.
        progress: Transfer,
    },
    /// The call is over. Nothing more comes of it.
    Ended {
        /// The call.
        call: CallId,
        /// Why.
        reason: EndReason,
    },
    /// A trunk went up or down.
    Trunk {
        /// Which.
        trunk: TrunkId,
        /// What happened to it.
        event: registration::Event,
    },
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// The far end tries it.
    Accepted,
    /// The target said this.
    Progress(Status),
    /// The target took the call; ours ends.
    Done,
    /// It did not come about; our call goes on.
    Failed(Status),
}

impl fmt::Display for Transfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("the far end tries it"),
            Self::Progress(status) => write!(f, "the target says {status} {}", status.reason()),
            Self::Done => f.write_str("the target took the call"),
            Self::Failed(status) => write!(f, "failed with {status} {}", status.reason()),
        }
    }
}

/// Why a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// We hung up.
    HungUp,
    /// The far end hung up, saying this: cut short, and without numbers.
    FarEndHungUp(Option<String>),
    /// The caller gave up before we answered.
    Cancelled,
    /// We refused it.
    Refused(Status),
    /// The far end refused it.
    Rejected(Status),
    /// Nobody answered in time.
    NoAnswer,
    /// No server could be reached.
    Unreachable,
    /// Our answer was never acknowledged.
    NotAcknowledged,
    /// The session timer ran out: no refresh came, or ours went unanswered.
    SessionExpired,
    /// The far end does not know the call any more.
    Lost,
    /// No common media.
    Media(Refusal),
    /// Another call took its place.
    Replaced,
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HungUp => f.write_str("we hung up"),
            Self::FarEndHungUp(None) => f.write_str("the far end hung up"),
            Self::FarEndHungUp(Some(why)) => write!(f, "the far end hung up: {why}"),
            Self::Cancelled => f.write_str("the caller gave up"),
            Self::Refused(status) => write!(f, "refused by us with {status} {}", status.reason()),
            Self::Rejected(status) => write!(f, "refused by the far end with {status} {}", status.reason()),
            Self::NoAnswer => f.write_str("nobody answered"),
            Self::Unreachable => f.write_str("no server could be reached"),
            Self::NotAcknowledged => f.write_str("our answer was never acknowledged"),
            Self::SessionExpired => f.write_str("session timer: no refresh in time"),
            Self::Lost => f.write_str("the far end no longer knows the call"),
            Self::Media(why) => write!(f, "media: {why}"),
            Self::Replaced => f.write_str("another call took its place"),
        }
    }
}

/// A call to be placed.
#[derive(Clone, Debug)]
pub struct Place {
    /// The number or user to call, or a whole URI.
    pub to: Pii<String>,
    /// The display name to show.
    pub display: Option<Pii<String>>,
    /// The trunk; `None` for the first that is up, with fall-back to the others.
    pub trunk: Option<TrunkId>,
    /// Our media.
    pub media: LocalMedia,
}

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// There is no such call (any more).
    NoSuchCall,
    /// The call is not in a state for it.
    WrongState,
    /// There are as many calls as there may be.
    Full,
    /// No trunk is up.
    NoTrunk,
    /// The number or URI cannot be called.
    BadTarget,
    /// Another change is under way.
    Busy,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchCall => "there is no such call",
            Self::WrongState => "the call is not in a state for that",
            Self::Full => "there are as many calls as there may be",
            Self::NoTrunk => "no trunk is up",
            Self::BadTarget => "this cannot be called",
            Self::Busy => "another change of the call is under way",
        })
    }
}

impl std::error::Error for CommandError {}

/// What the agent counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages that were malformed and answered.
    pub malformed_answered: u64,
    /// Messages that were malformed and dropped.
    pub malformed_dropped: u64,
    /// Messages of a call's far end, from an address that is not the trunk's, that belong to no call.
    pub unexpected: u64,
    /// Requests inside dialogs that we do not have.
    pub unknown_dialog: u64,
    /// ACKs to nothing.
    pub stray_acks: u64,
    /// Calls refused as there were too many.
    pub refused_full: u64,
    /// Calls refused for want of proof.
    pub refused_unproven: u64,
    /// Calls refused as we have no audio in common.
    pub refused_media: u64,
}
