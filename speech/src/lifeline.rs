//! The one connection that a machine keeps for a whole call: given up when it does not open, tried again after a wait that
//! grows, and by one call for all of them while the service is gone.
//!
//! ```text
//! Shut ─► Opening ─► Open ─┐
//!          ▲   └──────┬────┘ failed
//!          └─ Waiting ◄
//! ```
//!
//! It tells which connection to open and which to close; whoever owns it does so.

use crate::failure::{Backoff, Breaker, Fault, Passing};
use crate::transport::{ConnId, Part};
use offhook_units::{Moment, Span};

/// It must be open after this.
const CONNECT: Span = Span::from_millis(3_000);
/// An idle close of a connection younger than this is no idle close.
const IDLE_NOT_BEFORE: Span = Span::from_millis(5_000);

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// Not wanted yet, or never again.
    Shut,
    Opening {
        since: Moment,
    },
    Open {
        since: Moment,
    },
    /// Failed; tried again then.
    Waiting(Moment),
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Try again: [`Lifeline::connect`].
    Connect,
    /// It does not open: [`Lifeline::failed`].
    GiveUp,
}

/// The connection. Calling order: [`Lifeline::connect`], [`Lifeline::opened`], [`Lifeline::worked`] for whatever proves
/// that the service works, [`Lifeline::failed`] when it does not, and so on until [`Lifeline::shut`].
#[derive(Debug)]
pub(crate) struct Lifeline {
    state: State,
    last: ConnId,
    /// The present connection has done something useful.
    has_worked: bool,
    backoff: Backoff,
    breaker: Breaker,
}

impl Lifeline {
    /// `breaker` is shared by all calls, `seed` is not.
    pub(crate) const fn new(part: Part, breaker: Breaker, seed: u64) -> Self {
        let (last, backoff) = (ConnId::none(part), Backoff::new(seed));
        Self { state: State::Shut, last, has_worked: false, backoff, breaker }
    }

    /// The connection, once it is open.
    pub(crate) fn open(&self) -> Option<ConnId> {
        matches!(self.state, State::Open { .. }).then_some(self.last)
    }

    /// The connection, be it that it is not open yet.
    pub(crate) fn held(&self) -> Option<ConnId> {
        matches!(self.state, State::Opening { .. } | State::Open { .. }).then_some(self.last)
    }

    /// Not connected, and not wanted.
    pub(crate) fn is_shut(&self) -> bool {
        self.state == State::Shut
    }

    /// It connects, and nothing has failed: worth waiting for.
    pub(crate) const fn is_starting(&self) -> bool {
        matches!(self.state, State::Opening { .. }) && !self.backoff.has_failed()
    }

    /// Whether the present connection has done something useful.
    pub(crate) const fn has_worked(&self) -> bool {
        self.has_worked
    }

    /// Connects: gives what to open. Nothing when the service is left alone for a while.
    pub(crate) fn connect(&mut self, now: Moment) -> Option<ConnId> {
        if !self.breaker.allows(now) {
            self.state = State::Waiting(self.breaker.opens_at(now));
            return None;
        }
        Some(self.take(now))
    }

    /// Whether a connection that is open already would be taken instead: before the first one, and while it waits.
    pub(crate) const fn takes_another(&self) -> bool {
        matches!(self.state, State::Shut) && self.last.number == 0 || matches!(self.state, State::Waiting(_))
    }

    /// Takes such a connection: gives the number that it has from now on. [`Lifeline::opened`] follows.
    pub(crate) const fn take(&mut self, now: Moment) -> ConnId {
        self.last = self.last.next();
        self.has_worked = false;
        self.state = State::Opening { since: now };
        self.last
    }

    /// It is open.
    pub(crate) const fn opened(&mut self, now: Moment) {
        self.state = State::Open { since: now };
    }

    /// Something useful came: only that proves that the service works.
    pub(crate) fn worked(&mut self) {
        self.has_worked = true;
        self.backoff.worked();
        self.breaker.worked();
    }

    /// Whether `fault` is the end of a connection that was idle for long: nothing is wrong, and a new one is due at once.
    pub(crate) fn was_idle(&self, now: Moment, fault: Fault) -> bool {
        let old = matches!(self.state, State::Open { since } if now.since(since) >= IDLE_NOT_BEFORE);
        old && fault == Fault::Passing(Passing::Idle)
    }

    /// It is of no use any more: gives what to close.
    pub(crate) fn failed(&mut self, now: Moment, fault: Fault) -> Option<ConnId> {
        let held = self.held();
        self.breaker.failed(now, fault);
        self.state = State::Waiting(now + self.backoff.failed(fault.at_least()));
        held
    }

    /// Nobody wants it any more: gives what to close.
    pub(crate) fn shut(&mut self) -> Option<ConnId> {
        let held = self.held();
        self.state = State::Shut;
        held
    }

    /// What is to be done now.
    pub(crate) fn due(&self, now: Moment) -> Option<Due> {
        match self.state {
            State::Waiting(until) if now >= until => Some(Due::Connect),
            State::Opening { since } if now >= since + CONNECT => Some(Due::GiveUp),
            _ => None,
        }
    }

    /// When [`Lifeline::due`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Moment> {
        match self.state {
            State::Shut | State::Open { .. } => None,
            State::Waiting(until) => Some(until),
            State::Opening { since } => Some(since + CONNECT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: Fault = Fault::Passing(Passing::Lost);
    const IDLE: Fault = Fault::Passing(Passing::Idle);

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    fn lifeline() -> Lifeline {
        Lifeline::new(Part::Voice, Breaker::new(), 1)
    }

    #[test]
    fn a_connection_has_a_number_of_its_own_and_is_told_to_close_once() {
        let mut line = lifeline();
        assert!(line.is_shut() && line.poll_timeout().is_none());
        let first = line.connect(at(0)).unwrap();
        assert_eq!((line.held(), line.open(), line.is_starting()), (Some(first), None, true));
        line.opened(at(10));
        assert_eq!((line.open(), line.poll_timeout()), (Some(first), None));
        assert_eq!(line.failed(at(20), LOST), Some(first));
        assert_eq!((line.held(), line.failed(at(20), LOST)), (None, None));
        let again = line.poll_timeout().unwrap();
        assert_eq!((line.due(at(20)), line.due(again)), (None, Some(Due::Connect)));
        assert_eq!(line.connect(again), Some(first.next()));
        assert!(!line.is_starting(), "after a failure nobody waits for it");
        assert_eq!((line.shut(), line.shut(), line.poll_timeout()), (Some(first.next()), None, None));
    }

    #[test]
    fn one_that_does_not_open_is_given_up_and_waits_grow_until_something_useful_came() {
        let mut line = lifeline();
        line.connect(at(0));
        assert_eq!((line.due(at(2_999)), line.due(at(3_000))), (None, Some(Due::GiveUp)));
        let mut waits = Vec::new();
        for _ in 0..3 {
            line.failed(at(3_000), LOST);
            waits.push(line.poll_timeout().unwrap());
            line.connect(at(3_000));
            line.opened(at(3_000));
        }
        assert!(waits.is_sorted(), "an open connection proves nothing: {waits:?}");
        assert!(!line.has_worked());
        line.worked();
        line.failed(at(3_000), LOST);
        assert!(line.poll_timeout().unwrap() <= at(3_250));
    }

    #[test]
    fn pitfall_11_while_the_service_is_gone_for_all_calls_this_one_waits() {
        let (breaker, mut others) = (Breaker::new(), lifeline());
        let mut line = Lifeline::new(Part::Voice, breaker.clone(), 1);
        (0..4).for_each(|_| breaker.failed(at(0), LOST));
        assert_eq!((line.connect(at(10)), line.poll_timeout()), (None, Some(at(2_000))));
        assert!(line.connect(at(2_000)).is_some() && others.connect(at(0)).is_some());
    }

    #[test]
    fn pitfall_01_only_a_connection_that_stood_for_a_while_was_idle() {
        let mut line = lifeline();
        line.connect(at(0));
        line.opened(at(0));
        assert!(!line.was_idle(at(4_999), IDLE) && line.was_idle(at(5_000), IDLE));
        assert!(!line.was_idle(at(5_000), LOST));
    }
}
