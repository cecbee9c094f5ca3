//! The answering side of a transaction (RFC 3261 17.2 with RFC 6026 7.1, 8.5).

use super::timer::{Timer, Timings};
use crate::sip::status::Status;
use crate::sip::transport::Peer;
use offhook_units::Span;

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No final answer yet.
    Proceeding,
    /// INVITE answered 2xx: repetitions are the user's matter, not ours.
    Accepted,
    /// Final answer sent.
    Completed,
    /// ACK came.
    Confirmed,
}

/// What is to be done after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Stay,
    /// Send the last answer again.
    Repeat,
    /// Nobody acknowledged the failure; over.
    Unacknowledged,
    /// Over.
    End,
}

#[derive(Debug)]
pub(super) struct Server {
    pub(super) invite: bool,
    pub(super) state: State,
    /// Where answers go.
    pub(super) peer: Peer,
    /// The last answer, as sent.
    pub(super) last: Option<Vec<u8>>,
    pub(super) key: String,
    pub(super) merge_key: Option<String>,
    /// Timer G's current gap.
    gap: Span,
}

/// Timers to start (`Some`) and to stop (`None`).
pub(super) type Changes = Vec<(Timer, Option<Span>)>;

impl Server {
    pub(super) const fn new(invite: bool, peer: Peer, key: String, merge_key: Option<String>) -> Self {
        Self { invite, state: State::Proceeding, peer, last: None, key, merge_key, gap: Span::ZERO }
    }

    /// The same request came again.
    pub(super) const fn on_repeat(&self) -> Step {
        match self.state {
            State::Proceeding | State::Completed if self.last.is_some() => Step::Repeat,
            _ => Step::Stay,
        }
    }

    /// The user answers. `false` when it is too late for that.
    pub(super) fn on_answer(
        &mut self,
        status: Status,
        times: &Timings,
        changes: &mut Changes,
    ) -> Option<Step> {
        if self.state != State::Proceeding {
            return None;
        }
        if status.is_provisional() {
            return Some(Step::Stay);
        }
        let reliable = self.peer.transport.is_reliable();
        if !self.invite {
            self.state = State::Completed;
            let Some(wait) = Timer::J.first(times, reliable) else { return Some(Step::End) };
            changes.push((Timer::J, Some(wait)));
        } else if status.is_success() {
            self.state = State::Accepted;
            changes.push((Timer::L, Timer::L.first(times, reliable)));
        } else {
            self.state = State::Completed;
            self.gap = times.t1;
            changes.push((Timer::G, Timer::G.first(times, reliable)));
            changes.push((Timer::H, Timer::H.first(times, reliable)));
        }
        Some(Step::Stay)
    }

    /// The ACK to a failure.
    pub(super) fn on_ack(&mut self, times: &Timings, changes: &mut Changes) -> Step {
        if self.state != State::Completed || !self.invite {
            return Step::Stay;
        }
        self.state = State::Confirmed;
        changes.extend([(Timer::G, None), (Timer::H, None)]);
        match Timer::I.first(times, self.peer.transport.is_reliable()) {
            Some(wait) => changes.push((Timer::I, Some(wait))),
            None => return Step::End,
        }
        Step::Stay
    }

    pub(super) fn on_timer(&mut self, timer: Timer, times: &Timings, changes: &mut Changes) -> Step {
        match timer {
            Timer::G => {
                self.gap = times.doubled(self.gap);
                changes.push((Timer::G, Some(self.gap)));
                Step::Repeat
            }
            Timer::H => Step::Unacknowledged,
            _ => Step::End,
        }
    }
}
