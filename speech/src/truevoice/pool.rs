//! Warm connections for bursts of calls: some are always open and idle, and a call that comes takes one.

use super::TrueVoiceSettings;
use crate::failure::{Backoff, Breaker, Fault, Passing};
use crate::transport::{ConnId, FromNet, Part, ToNet};
use offhook_units::{Moment, Span};
use std::collections::VecDeque;

/// How many connections wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// So many are idle at any time, if the service allows.
    pub min_idle: usize,
    /// So many at most, idle and opening.
    pub max: usize,
    /// An idle connection older than this is replaced: services and firewalls close old ones.
    pub max_age: Span,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self { min_idle: 2, max: 8, max_age: Span::from_millis(60_000) }
    }
}

/// A connection that a call takes.
#[derive(Debug, PartialEq)]
pub struct Warm {
    /// Its number in the pool.
    pub conn: ConnId,
    /// What came on it while it was idle: a service may greet as soon as it is connected to.
    pub came: Vec<FromNet>,
}

#[derive(Debug)]
struct Idle {
    conn: ConnId,
    since: Moment,
    open: bool,
    came: Vec<FromNet>,
    came_bytes: usize,
}

/// An opening may take so long.
const CONNECT: Span = Span::from_millis(5_000);
/// What an idle connection may say is kept up to this: ten seconds of audio and their words; the rest is dropped.
const CAME_BYTES_MAX: usize = 360_000;
const CAME_MAX: usize = 512;

/// The machine. Calling order: [`Pool::fill`] once; [`Pool::take`] for each call.
#[derive(Debug)]
pub struct Pool {
    service: TrueVoiceSettings,
    settings: PoolSettings,
    last: ConnId,
    idle: Vec<Idle>,
    /// Taken ones since the pool was last full: a burst makes the pool grow, up to its limit.
    burst: usize,
    not_before: Option<Moment>,
    backoff: Backoff,
    breaker: Breaker,
    out: VecDeque<ToNet>,
}

impl Pool {
    /// Empty. `breaker` is the calls' own.
    pub const fn new(
        service: TrueVoiceSettings,
        settings: PoolSettings,
        breaker: Breaker,
        seed: u64,
    ) -> Self {
        Self {
            service,
            settings,
            last: ConnId::none(Part::AllInOne),
            idle: Vec::new(),
            burst: 0,
            not_before: None,
            backoff: Backoff::new(seed),
            breaker,
            out: VecDeque::new(),
        }
    }

    /// Connections that are open and idle.
    pub fn idle(&self) -> usize {
        self.idle.iter().filter(|idle| idle.open).count()
    }

    /// Opens what is missing.
    pub fn fill(&mut self, now: Moment) {
        if self.not_before.is_some_and(|at| now < at) {
            return;
        }
        self.not_before = None;
        while self.idle.len() < self.wanted() {
            if !self.breaker.allows(now) {
                self.not_before = Some(self.breaker.opens_at(now));
                return;
            }
            self.last = self.last.next();
            let idle = Idle { conn: self.last, since: now, open: false, came: Vec::new(), came_bytes: 0 };
            self.idle.push(idle);
            self.out.push_back(ToNet::Open(self.last, self.service.request()));
        }
    }

    /// A connection for a call: the youngest, which is the least likely to be dead. `None` when there is none.
    pub fn take(&mut self, now: Moment) -> Option<Warm> {
        let at = self.idle.iter().rposition(|idle| idle.open);
        self.burst = (self.burst + 1).min(self.settings.max);
        let taken = at.map(|at| self.idle.remove(at));
        self.fill(now);
        taken.map(|Idle { conn, came, .. }| Warm { conn, came })
    }

    /// Takes what came for a connection.
    pub fn handle_net(&mut self, now: Moment, conn: ConnId, what: FromNet) {
        let Some(at) = self.idle.iter().position(|idle| idle.conn == conn) else { return };
        let bytes = match what {
            FromNet::Opened => return self.opened(at),
            FromNet::Closed(closed) => {
                let idle = self.idle.remove(at);
                // An idle connection that lived is closed by many services; that is no failure.
                if idle.open && now.since(idle.since) > CONNECT {
                    return self.fill(now);
                }
                return self.failed(now, Fault::of_close(&closed));
            }
            FromNet::Text(ref text) => text.len(),
            FromNet::Binary(ref bytes) => bytes.len(),
        };
        if let Some(idle) = self.idle.get_mut(at)
            && idle.came_bytes + bytes <= CAME_BYTES_MAX
            && idle.came.len() < CAME_MAX
        {
            idle.came_bytes += bytes;
            idle.came.push(what);
        }
    }

    /// The time has come that [`Pool::poll_timeout`] gave.
    pub fn handle_timeout(&mut self, now: Moment) {
        let limit = |idle: &Idle, settings: &PoolSettings| if idle.open { settings.max_age } else { CONNECT };
        while let Some(at) =
            self.idle.iter().position(|idle| now.since(idle.since) >= limit(idle, &self.settings))
        {
            let idle = self.idle.remove(at);
            self.out.push_back(ToNet::Close(idle.conn));
            if !idle.open {
                self.failed(now, Fault::Passing(Passing::Silent));
            }
        }
        self.fill(now);
    }

    /// When [`Pool::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let limit = |idle: &Idle| idle.since + if idle.open { self.settings.max_age } else { CONNECT };
        self.idle.iter().map(limit).chain(self.not_before).min()
    }

    /// What to ask of the network next.
    pub fn poll_output(&mut self) -> Option<ToNet> {
        self.out.pop_front()
    }

    fn wanted(&self) -> usize {
        (self.settings.min_idle + self.burst).min(self.settings.max)
    }

    fn opened(&mut self, at: usize) {
        if let Some(idle) = self.idle.get_mut(at) {
            idle.open = true;
        }
        self.backoff.worked();
        if self.idle() >= self.wanted() {
            self.burst = 0;
        }
    }

    fn failed(&mut self, now: Moment, fault: Fault) {
        self.breaker.failed(now, fault);
        self.not_before = Some(now + self.backoff.failed(fault.at_least()));
    }
}
