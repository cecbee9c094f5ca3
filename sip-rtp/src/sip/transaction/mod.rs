//! Transactions: a request, its repetitions and its answers (RFC 3261 17, RFC 6026).
//!
//! Calling order: [`Transactions::handle_input`] with what arrived or failed, [`Transactions::handle_timeout`] when
//! [`Transactions::poll_timeout`] is due, [`respond`](Transactions::respond),
//! [`request`](Transactions::request) and [`cancel`](Transactions::cancel) at will; after each of them
//! [`Transactions::poll_output`] until `None`.
//!
//! Settled here and not passed up: repetitions, ACKs to failures, CANCELs of nothing (481), merged requests
//! (482), stray responses, and requests beyond the limit (503).

mod ask;
mod build;
mod client;
mod key;
mod serve;
mod server;
mod timer;

pub use timer::Timings;

use self::client::Client;
use self::server::{Changes, Server};
use self::timer::Timer;
use super::message::{Message, Request, Response};
use super::timers::Timers;
use super::transport::Peer;
use offhook_units::Moment;
use std::collections::{BTreeMap, VecDeque};

/// A transaction that we answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(u64);

/// A transaction that we began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(u64);

/// What comes from below.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "handed over once and never stored")]
pub enum Input {
    /// A message arrived.
    Message {
        /// It.
        message: Message,
        /// From where.
        from: Peer,
    },
    /// Nothing can be sent there: no route, connection refused or lost.
    Unreachable(Peer),
}

/// What goes out, down to the wire or up to the user.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes.
    Send {
        /// Where to.
        to: Peer,
        /// What.
        bytes: Vec<u8>,
    },
    /// A request to be answered by [`Transactions::respond`]; an INVITE within 200 ms, if only with 100 (RFC 3261
    /// 17.2.1).
    Request {
        /// Its transaction.
        id: ServerId,
        /// It, with its top Via marked.
        request: Request,
        /// From where.
        from: Peer,
    },
    /// An ACK to a 2xx: no transaction of its own.
    Ack {
        /// It.
        request: Request,
        /// From where.
        from: Peer,
    },
    /// A CANCEL came in time, and was answered; the INVITE wants its 487.
    Cancelled(ServerId),
    /// The failure that the INVITE was answered with was never acknowledged.
    Unacknowledged(ServerId),
    /// An answer to our request.
    Response {
        /// Our request's transaction.
        id: ClientId,
        /// It.
        response: Response,
        /// From where.
        from: Peer,
    },
    /// Nothing more will come of our request, which was answered.
    Over(ClientId),
    /// No answer will come.
    Failed {
        /// Our request's transaction.
        id: ClientId,
        /// Why.
        why: Failure,
    },
}

/// Why a request stays without answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 64·T1 passed (counts as a 408, RFC 3261 8.1.3.1).
    TimedOut,
    /// It could not be sent (counts as a 503).
    Unreachable,
}

/// What was settled or dropped here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that came again.
    pub repeated_requests: u64,
    /// Responses to nothing that we asked.
    pub stray_responses: u64,
    /// Requests that were refused with 503 as there are too many.
    pub refused_full: u64,
    /// Requests that came by two ways.
    pub merged: u64,
}

/// How many transactions there may be.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// That we answer. UDP keeps each for 32 s.
    pub servers: usize,
    /// That we began.
    pub clients: usize,
    /// What the 503 tells to wait, in seconds.
    pub retry_after_s: u32,
}

impl Default for Capacity {
    /// 50 calls of some twenty transactions each, twice.
    fn default() -> Self {
        Self { servers: 2000, clients: 2000, retry_after_s: 5 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Server(ServerId),
    Client(ClientId),
}

/// All transactions of one user agent.
#[derive(Debug)]
pub struct Transactions {
    times: Timings,
    capacity: Capacity,
    next: u64,
    servers: BTreeMap<ServerId, Server>,
    server_keys: BTreeMap<String, ServerId>,
    merge_keys: BTreeMap<String, ServerId>,
    clients: BTreeMap<ClientId, Client>,
    client_keys: BTreeMap<String, ClientId>,
    timers: Timers<(Owner, Timer)>,
    out: VecDeque<Output>,
    counters: Counters,
}

impl Transactions {
    /// None yet.
    pub const fn new(times: Timings, capacity: Capacity) -> Self {
        Self {
            times,
            capacity,
            next: 0,
            servers: BTreeMap::new(),
            server_keys: BTreeMap::new(),
            merge_keys: BTreeMap::new(),
            clients: BTreeMap::new(),
            client_keys: BTreeMap::new(),
            timers: Timers::new(),
            out: VecDeque::new(),
            counters: Counters { repeated_requests: 0, stray_responses: 0, refused_full: 0, merged: 0 },
        }
    }

    /// Takes what came from below.
    pub fn handle_input(&mut self, now: Moment, input: Input) {
        match input {
            Input::Message { message: Message::Request(request), from } => {
                self.on_request(now, request, from)
            }
            Input::Message { message: Message::Response(response), from } => {
                self.on_response(now, response, from)
            }
            Input::Unreachable(peer) => self.on_unreachable(now, peer),
        }
    }

    /// Runs the timers that are due.
    pub fn handle_timeout(&mut self, now: Moment) {
        while let Some((owner, timer)) = self.timers.pop(now) {
            match owner {
                Owner::Server(id) => self.on_server_timer(now, id, timer),
                Owner::Client(id) => self.on_client_timer(now, id, timer),
            }
        }
    }

    /// When [`Transactions::handle_timeout`] has something to do; `None` when no timer runs.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.timers.next()
    }

    /// What is to be sent or known, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// How many there are, of both kinds.
    pub fn len(&self) -> usize {
        self.servers.len() + self.clients.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
            && self.timers.len() == 0
            && self.server_keys.is_empty()
            && self.client_keys.is_empty()
    }

    /// What was settled or dropped here.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// Starts and stops timers of a transaction that still lives.
    fn apply(&mut self, now: Moment, owner: Owner, changes: Changes) {
        let lives = match owner {
            Owner::Server(id) => self.servers.contains_key(&id),
            Owner::Client(id) => self.clients.contains_key(&id),
        };
        for (timer, wait) in changes {
            match wait.filter(|_| lives) {
                Some(wait) => self.timers.start((owner, timer), now + wait),
                None => self.timers.stop((owner, timer)),
            }
        }
    }

    const fn next_number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}
