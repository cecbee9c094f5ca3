//! The asking side of a transaction (RFC 3261 17.1 with RFC 6026 7.2, 8.4).

use super::server::Changes;
use super::timer::{Timer, Timings};
use crate::sip::message::Request;
use crate::sip::method::Method;
use crate::sip::status::Status;
use crate::sip::transport::Peer;
use offhook_units::Span;

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing heard yet.
    Calling,
    /// A provisional answer came.
    Proceeding,
    /// INVITE was answered 2xx; others may follow from other branches.
    Accepted,
    /// A final answer came.
    Completed,
}

/// What is to be done after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Stay,
    /// Send the request again.
    Repeat,
    /// Tell the user of the answer.
    Report,
    /// Acknowledge the failure and tell the user.
    AckAndReport,
    /// Acknowledge a failure that came again.
    Ack,
    /// Tell the user of the answer; over.
    ReportAndEnd,
    /// Acknowledge the failure, tell the user; over.
    AckReportAndEnd,
    /// Tell the user that no answer came; over.
    TimeOut,
    /// Over.
    End,
}

/// How far a CANCEL got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancel {
    /// Not wanted.
    No,
    /// Wanted, but nothing was heard yet: it must not overtake its INVITE (RFC 3261 9.1).
    Wanted,
    /// Sent.
    Sent,
}

#[derive(Debug)]
pub(super) struct Client {
    pub(super) state: State,
    pub(super) request: Request,
    pub(super) bytes: Vec<u8>,
    pub(super) peer: Peer,
    pub(super) cancel: Cancel,
    /// The gap of timer A or E.
    gap: Span,
}

impl Client {
    pub(super) fn new(request: Request, peer: Peer, times: &Timings, changes: &mut Changes) -> Self {
        let bytes = request.to_bytes();
        let client = Self { state: State::Calling, request, bytes, peer, cancel: Cancel::No, gap: times.t1 };
        let (again, give_up) = client.timers();
        let reliable = peer.transport.is_reliable();
        changes.extend([again, give_up].map(|timer| (timer, timer.first(times, reliable))));
        client
    }

    pub(super) fn is_invite(&self) -> bool {
        self.request.method == Method::Invite
    }

    fn timers(&self) -> (Timer, Timer) {
        if self.is_invite() { (Timer::A, Timer::B) } else { (Timer::E, Timer::F) }
    }

    pub(super) fn on_response(&mut self, status: Status, times: &Timings, changes: &mut Changes) -> Step {
        match (self.state, self.is_invite()) {
            (State::Calling | State::Proceeding, _) if status.is_provisional() => {
                self.on_provisional(changes);
                Step::Report
            }
            (State::Calling | State::Proceeding, true) => self.on_invite_final(status, times, changes),
            (State::Calling | State::Proceeding, false) => {
                self.state = State::Completed;
                changes.extend([(Timer::E, None), (Timer::F, None)]);
                match Timer::K.first(times, self.peer.transport.is_reliable()) {
                    Some(wait) => changes.push((Timer::K, Some(wait))),
                    None => return Step::ReportAndEnd,
                }
                Step::Report
            }
            // Repetitions of a 2xx, and those of other branches: the user acknowledges both.
            (State::Accepted, _) if status.is_success() => Step::Report,
            (State::Completed, true) if !status.is_provisional() && !status.is_success() => Step::Ack,
            _ => Step::Stay,
        }
    }

    fn on_provisional(&mut self, changes: &mut Changes) {
        if self.state == State::Calling && self.is_invite() {
            // From here on it may ring for as long as the user allows; with a CANCEL out, for 64·T1.
            changes.push((Timer::A, None));
            // A change of a call that stands does not ring: without its final answer it would hang here for ever.
            if self.cancel == Cancel::No && !self.request.in_dialog() {
                changes.push((Timer::B, None));
            }
        }
        self.state = State::Proceeding;
    }

    fn on_invite_final(&mut self, status: Status, times: &Timings, changes: &mut Changes) -> Step {
        changes.extend([(Timer::A, None), (Timer::B, None)]);
        let reliable = self.peer.transport.is_reliable();
        if status.is_success() {
            self.state = State::Accepted;
            changes.push((Timer::M, Timer::M.first(times, reliable)));
            return Step::Report;
        }
        self.state = State::Completed;
        match Timer::D.first(times, reliable) {
            Some(wait) => changes.push((Timer::D, Some(wait))),
            None => return Step::AckReportAndEnd,
        }
        Step::AckAndReport
    }

    pub(super) fn on_timer(&mut self, timer: Timer, times: &Timings, changes: &mut Changes) -> Step {
        match timer {
            Timer::A => {
                // Doubles without bound: B ends it (RFC 3261 17.1.1.2).
                self.gap = self.gap + self.gap;
                changes.push((timer, Some(self.gap)));
                Step::Repeat
            }
            Timer::E => {
                self.gap = if self.state == State::Proceeding { times.t2 } else { times.doubled(self.gap) };
                changes.push((timer, Some(self.gap)));
                Step::Repeat
            }
            Timer::B | Timer::F => Step::TimeOut,
            _ => Step::End,
        }
    }
}
