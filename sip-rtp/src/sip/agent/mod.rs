//! The user agent: calls in, calls out, and the trunks they come by.
//!
//! Calling order: [`Agent::handle_input`] with what arrives, [`Agent::handle_timeout`] when
//! [`Agent::poll_timeout`] is due, commands at will; after each of them [`Agent::poll_output`] until `None`. Every
//! call that was announced (or placed) ends with exactly one [`Event::Ended`].
//!
//! Names are not resolved here: a trunk's servers come in by [`Agent::set_servers`], and a next hop that is a name
//! (a Contact, a Record-Route) is taken to be behind the peer that the call came from.

mod call;
mod change;
mod door;
mod ending;
mod inbound;
mod outbound;
mod provisional;
mod refer;
mod request;
mod screen;
mod trunks;
mod types;
mod within;

pub use types::{
    CallId, CommandError, Counters, EndReason, Event, Input, Output, Parties, Place, Settings, Transfer,
    TrunkId,
};

use self::call::{Call, Phase};
use self::request::{Ask, Asked, InCall};
use super::digest::server::Server as DigestServer;
use super::guard::Guard;
use super::ids::Ids;
use super::message::Response;
use super::registration::Registration;
use super::timers::Timers;
use super::transaction::{self, ClientId, ServerId, Transactions};
use super::transport::Peer;
use offhook_units::{Moment, Span};
use std::collections::{BTreeMap, VecDeque};

/// Timers of a call, beside those of its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum CallTimer {
    /// Our 2xx again.
    Repeat,
    /// No ACK to our 2xx.
    NoAck,
    /// Our reliable provisional answer again.
    RepeatReliable,
    /// No PRACK to it.
    NoPrack,
    /// It rang long enough.
    Ring,
    /// Refresh the session.
    Refresh,
    /// The session was not refreshed.
    Expire,
    /// Try the change again that met another.
    Glare,
    /// Copies of the 2xx to our INVITE can no longer come.
    AckKept,
    /// No report of a transfer.
    NoReport,
}

impl CallTimer {
    const ALL: [Self; 10] = [
        Self::Repeat,
        Self::NoAck,
        Self::RepeatReliable,
        Self::NoPrack,
        Self::Ring,
        Self::Refresh,
        Self::Expire,
        Self::Glare,
        Self::AckKept,
        Self::NoReport,
    ];
}

/// A SIP user agent.
#[derive(Debug)]
pub struct Agent {
    settings: Settings,
    ids: Ids,
    guard: Guard,
    transactions: Transactions,
    trunks: Vec<Registration>,
    calls: BTreeMap<CallId, Call>,
    last_call: u64,
    /// INVITEs that wait for an answer.
    waiting: BTreeMap<ServerId, CallId>,
    asked: BTreeMap<ClientId, Asked>,
    timers: Timers<(CallId, CallTimer)>,
    digest: Option<DigestServer>,
    draining: bool,
    out: VecDeque<Output>,
    counters: Counters,
}

impl Agent {
    /// An agent with these trunks, the preferred one first. `seed` comes from the system's randomness: tags,
    /// nonces and keys hang on it.
    pub fn new(settings: Settings, trunks: Vec<super::registration::Settings>, seed: [u8; 32]) -> Self {
        let mut ids = Ids::new(seed);
        let locals = settings.locals;
        let trunks = trunks.into_iter().map(|t| Registration::new(t, locals, ids.fork())).collect();
        let mut secret = [0; 32];
        secret.copy_from_slice(&ids.bytes(32));
        let server = || DigestServer::new(settings.software.clone(), secret).md5_first(settings.md5_first);
        let digest = settings.inbound.is_some().then(server);
        Self {
            guard: Guard::new(settings.allowed.clone()),
            transactions: Transactions::new(settings.times, settings.capacity),
            settings,
            ids,
            trunks,
            calls: BTreeMap::new(),
            last_call: 0,
            waiting: BTreeMap::new(),
            asked: BTreeMap::new(),
            timers: Timers::new(),
            digest,
            draining: false,
            out: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Takes what came from the sockets.
    pub fn handle_input(&mut self, now: Moment, input: Input<'_>) {
        match input {
            Input::Bytes { from, bytes } => self.on_bytes(now, from, bytes),
            Input::Unreachable(peer) => {
                self.transactions.handle_input(now, transaction::Input::Unreachable(peer));
                for trunk in &mut self.trunks {
                    trunk.on_unreachable(now, peer);
                }
            }
        }
        self.pump(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Moment) {
        self.transactions.handle_timeout(now);
        for trunk in &mut self.trunks {
            trunk.handle_timeout(now);
        }
        self.pump(now);
        while let Some((call, timer)) = self.timers.pop(now) {
            self.on_call_timer(now, call, timer);
            self.pump(now);
        }
    }

    /// When [`Agent::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let trunks = self.trunks.iter().filter_map(Registration::poll_timeout).min();
        [self.transactions.poll_timeout(), self.timers.next(), trunks].into_iter().flatten().min()
    }

    /// What is to be sent or known, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// The door: who was turned away.
    pub const fn guard(&self) -> &Guard {
        &self.guard
    }

    /// Whether what comes from `peer` is worth reading: it may get past the door. Counts strangers.
    pub fn admits(&mut self, peer: Peer) -> bool {
        let ip = peer.addr.ip().to_canonical();
        self.guard.knows(ip) || self.is_party(ip) || self.guard.admits(ip)
    }

    /// What was counted.
    pub const fn counters(&self) -> (Counters, transaction::Counters) {
        (self.counters, self.transactions.counters())
    }

    /// Calls that were not ended yet.
    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        self.calls.iter().filter(|(_, call)| !matches!(call.phase, Phase::Ending)).map(|(id, _)| *id)
    }

    /// Whether nothing at all is left of any call: no transaction, no timer.
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
            && self.transactions.is_empty()
            && self.timers.len() == 0
            && self.waiting.is_empty()
            && self.asked.is_empty()
    }

    /// Whether every goodbye was answered: no call is left, and no trunk is being asked. Transactions may still wait
    /// for repetitions.
    pub fn has_said_goodbye(&self) -> bool {
        self.calls.is_empty() && !self.trunks.iter().any(Registration::is_asking)
    }

    /// Takes no new calls from now on; those that stand go on.
    pub const fn drain(&mut self) {
        self.draining = true;
    }

    /// Carries everything that the parts want done to where it belongs, until nobody wants anything.
    fn pump(&mut self, now: Moment) {
        loop {
            let mut idle = true;
            while let Some(output) = self.transactions.poll_output() {
                idle = false;
                self.on_transaction(now, output);
            }
            for trunk in 0..self.trunks.len() {
                idle &= !self.pump_trunk(now, TrunkId(trunk));
            }
            if idle {
                return;
            }
        }
    }

    fn on_transaction(&mut self, now: Moment, output: transaction::Output) {
        use transaction::Output as From;
        match output {
            From::Send { to, bytes } => self.out.push_back(Output::Send { to, bytes }),
            From::Request { id, request, from } => self.on_request(now, id, request, from),
            From::Ack { request, from } => self.on_ack(now, &request, from),
            From::Cancelled(id) => self.on_cancelled(now, id),
            // The refusal went unacknowledged; the call ended when it was sent.
            From::Unacknowledged(_) => {}
            From::Response { id, response, from } => self.on_response(now, id, &response, from),
            From::Failed { id, why } => self.on_failed(now, id, why),
            From::Over(id) => drop(self.asked.remove(&id)),
        }
    }

    fn on_response(&mut self, now: Moment, id: ClientId, response: &Response, from: Peer) {
        let Some(asked) = self.asked.get(&id) else { return };
        let what = asked.what;
        match what {
            Ask::Trunk(trunk) => {
                if let Some(registration) = self.trunks.get_mut(trunk.0) {
                    registration.on_response(now, response);
                }
            }
            Ask::Call(call, InCall::Invite) => self.on_invite_response(now, call, id, response, from),
            // Entries live as long as their transactions: a 2xx to an INVITE may come again.
            Ask::Call(call, kind) if !response.status.is_provisional() => {
                let changed =
                    self.calls.get(&call).and_then(|c| c.change).is_some_and(|(change, _)| change == id);
                if matches!(kind, InCall::Change(_)) && !changed {
                    return self.repeat_ack(call, response);
                }
                if let Some(asked) = self.asked.get(&id).cloned() {
                    self.on_in_call_response(now, call, kind, &asked, response);
                }
            }
            Ask::Call(..) => {}
        }
    }

    fn on_failed(&mut self, now: Moment, id: ClientId, why: transaction::Failure) {
        let Some(asked) = self.asked.remove(&id) else { return };
        let unreachable = why == transaction::Failure::Unreachable;
        if unreachable && (self.retry_by_udp(now, &asked) || self.retry_elsewhere(now, &asked)) {
            return;
        }
        match asked.what {
            Ask::Trunk(trunk) => self.on_trunk_failed(now, trunk, asked.request.ident.cseq.number, why),
            Ask::Call(call, InCall::Invite) => self.on_invite_failed(now, call, why),
            Ask::Call(call, kind) => self.on_in_call_failed(now, call, kind, why),
        }
    }

    fn on_call_timer(&mut self, now: Moment, call: CallId, timer: CallTimer) {
        match timer {
            CallTimer::Repeat => self.repeat_answer(now, call),
            CallTimer::NoAck => self.on_no_ack(now, call),
            CallTimer::RepeatReliable => self.repeat_reliable(now, call),
            CallTimer::NoPrack => self.on_no_prack(now, call),
            CallTimer::Ring => self.on_ring_limit(now, call),
            CallTimer::Refresh => self.refresh_session(now, call),
            CallTimer::Expire => self.on_expired(now, call),
            CallTimer::Glare => self.on_glare_over(now, call),
            CallTimer::NoReport => self.on_no_report(now, call),
            CallTimer::AckKept => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.ack = None;
                }
            }
        }
    }

    fn tell(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }

    fn start_timer(&mut self, now: Moment, call: CallId, timer: CallTimer, after: Span) {
        self.timers.start((call, timer), now + after);
    }

    fn stop_timer(&mut self, call: CallId, timer: CallTimer) {
        self.timers.stop((call, timer));
    }

    fn add_call(&mut self, call: Call) -> CallId {
        self.last_call += 1;
        let id = CallId(self.last_call);
        self.calls.insert(id, call);
        id
    }
}
