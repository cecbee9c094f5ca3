//! One call, from its first message to its last.

use super::types::{CallId, EndReason, Place, TrunkId};
use crate::sdp::Direction;
use crate::sdp::negotiate::{LocalMedia, Negotiator};
use crate::sip::dialog::Dialog;
use crate::sip::message::{Ident, Request, Response};
use crate::sip::session_timer::Agreed;
use crate::sip::transaction::{ClientId, ServerId};
use crate::sip::transport::Peer;
use offhook_units::Span;

/// Where a call stands.
#[derive(Debug)]
pub(super) enum Phase {
    /// Somebody calls and was not answered yet.
    Incoming(Box<Incoming>),
    /// We call and were not answered yet.
    Outgoing(Box<Outgoing>),
    /// It stands.
    Up,
    /// We said BYE; what is left is its answer.
    Ending,
}

/// An INVITE that waits for our final answer.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) server: ServerId,
    pub(super) request: Request,
    pub(super) tag: String,
    /// The call whose place this one takes when it is answered.
    pub(super) replaces: Option<CallId>,
    /// A reliable provisional answer that was not acknowledged (RFC 3262).
    pub(super) reliable: Option<Reliable>,
    /// RSeq of the last one.
    pub(super) rseq: u32,
    /// A PRACK confirmed an answer that settled the media: the 2xx does not say it again.
    pub(super) settled: bool,
    /// The answer that has to wait for that acknowledgement.
    pub(super) answer: Option<LocalMedia>,
}

/// A provisional answer that is repeated until its PRACK.
#[derive(Debug)]
pub(super) struct Reliable {
    pub(super) response: Response,
    pub(super) gap: Span,
}

/// An INVITE of ours.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) place: Place,
    pub(super) client: Option<ClientId>,
    pub(super) request: Request,
    /// Ways not tried yet, best first.
    pub(super) ways: Vec<(TrunkId, Peer)>,
    /// One for each tag that answered.
    pub(super) forks: Vec<Fork>,
    /// It is to be ended as soon as it can be.
    pub(super) cancelled: Option<EndReason>,
    pub(super) redirects: u8,
    pub(super) challenges: u8,
    pub(super) min_se_s: u32,
}

impl Outgoing {
    /// The branch that a request of the peer comes from.
    fn fork_of(&mut self, ident: &Ident) -> Option<&mut Fork> {
        self.forks.iter_mut().find(|fork| fork.dialog.matches(ident))
    }
}

/// One branch of a call of ours that rings.
#[derive(Debug)]
pub(super) struct Fork {
    pub(super) dialog: Dialog,
    /// RSeq of the last reliable answer.
    pub(super) rseq: Option<u32>,
    /// Its media, once a reliable answer settled it.
    pub(super) negotiator: Option<Negotiator>,
    /// What an unreliable one said of them: it holds if the 2xx says nothing.
    pub(super) preview: Option<Negotiator>,
}

/// Our 2xx to an INVITE, repeated until its ACK (RFC 3261 13.3.1.4).
#[derive(Debug)]
pub(super) struct Unacknowledged {
    pub(super) bytes: Vec<u8>,
    pub(super) to: Peer,
    pub(super) number: u32,
    pub(super) gap: Span,
    /// It held our offer; the answer comes with the ACK.
    pub(super) offered: bool,
}

/// A change that we asked for and that was not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Hold or resume.
    Direction(Direction),
    /// A session refresh.
    Refresh,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) phase: Phase,
    /// The trunk whose credentials and address hold.
    pub(super) trunk: Option<TrunkId>,
    /// Where messages go when nothing better is known.
    pub(super) peer: Peer,
    pub(super) dialog: Option<Dialog>,
    pub(super) negotiator: Option<Negotiator>,
    /// What we would have: less than both ways while we hold the call.
    pub(super) want: Direction,
    pub(super) held: bool,
    pub(super) session: Option<Agreed>,
    pub(super) min_se_s: u32,
    /// The peer serves UPDATE.
    pub(super) can_update: bool,
    pub(super) unacknowledged: Option<Unacknowledged>,
    /// Our ACK to the 2xx of our last INVITE, for its repetitions: number, bytes, where to.
    pub(super) ack: Option<(u32, Vec<u8>, Peer)>,
    pub(super) change: Option<(ClientId, Change)>,
    /// A change that waits for another try after a 491, or for the ACK to our 2xx.
    pub(super) retry: Option<Change>,
    /// A hang-up that waits for the ACK: no BYE may overtake it (RFC 3261 15).
    pub(super) hang_up: Option<EndReason>,
    /// Whether Answered was told.
    pub(super) told: bool,
    /// A transfer of ours is under way.
    pub(super) transferring: bool,
    /// We made the call: our glare timer is the longer one.
    pub(super) ours: bool,
}

impl Call {
    pub(super) const fn new(phase: Phase, peer: Peer, trunk: Option<TrunkId>, ours: bool) -> Self {
        Self {
            phase,
            trunk,
            peer,
            dialog: None,
            negotiator: None,
            want: Direction::SendRecv,
            held: false,
            session: None,
            min_se_s: 0,
            can_update: false,
            unacknowledged: None,
            ack: None,
            change: None,
            retry: None,
            hang_up: None,
            told: false,
            transferring: false,
            ours,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up)
    }

    /// All its dialogs: its own, and those of its branches that ring.
    pub(super) fn dialogs(&self) -> impl Iterator<Item = &Dialog> {
        let forks = match &self.phase {
            Phase::Outgoing(outgoing) => outgoing.forks.as_slice(),
            _ => &[],
        };
        self.dialog.iter().chain(forks.iter().map(|fork| &fork.dialog))
    }

    /// The dialog that a request of the peer belongs to.
    pub(super) fn dialog_of(&mut self, ident: &Ident) -> Option<&mut Dialog> {
        match &mut self.phase {
            Phase::Outgoing(outgoing) => outgoing.fork_of(ident).map(|fork| &mut fork.dialog),
            _ => self.dialog.as_mut().filter(|dialog| dialog.matches(ident)),
        }
    }

    /// What was offered and answered there. None of a branch that rings and has not settled anything.
    pub(super) fn negotiator_of(&mut self, ident: &Ident) -> Option<&mut Negotiator> {
        match &mut self.phase {
            Phase::Outgoing(outgoing) => outgoing.fork_of(ident)?.negotiator.as_mut(),
            _ => self.negotiator.as_mut(),
        }
    }

    pub(super) fn incoming(&mut self) -> Option<&mut Incoming> {
        match &mut self.phase {
            Phase::Incoming(incoming) => Some(incoming),
            _ => None,
        }
    }

    pub(super) fn outgoing(&mut self) -> Option<&mut Outgoing> {
        match &mut self.phase {
            Phase::Outgoing(outgoing) => Some(outgoing),
            _ => None,
        }
    }
}
