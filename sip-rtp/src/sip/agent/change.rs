//! Changes that we ask for: hold, resume, session refreshes; and what happens when they meet the peer's own.

use super::call::{Call, Change};
use super::request::{Ask, Asked, InCall, way_to};
use super::{Agent, CallId, CallTimer, CommandError, EndReason, Event, Output};
use crate::sdp::{Description, Direction};
use crate::sip::header::Name;
use crate::sip::message::Response;
use crate::sip::method::Method;
use crate::sip::session_timer::{self, Agreed, Refresher};
use crate::sip::status::Status;
use crate::sip::transaction::Failure;
use offhook_units::{Moment, Span};

/// How soon a refresh is tried again that was refused.
const REFRESH_AGAIN: Span = Span::from_millis(10_000);

impl Agent {
    /// Puts the far end on hold.
    ///
    /// # Errors
    /// [`CommandError`] when the call does not stand or another change is under way.
    pub fn hold(&mut self, now: Moment, call: CallId) -> Result<(), CommandError> {
        self.change_direction(now, call, Direction::SendOnly)
    }

    /// Takes it up again.
    ///
    /// # Errors
    /// [`CommandError`] when the call does not stand or another change is under way.
    pub fn resume(&mut self, now: Moment, call: CallId) -> Result<(), CommandError> {
        self.change_direction(now, call, Direction::SendRecv)
    }

    fn change_direction(&mut self, now: Moment, call: CallId, want: Direction) -> Result<(), CommandError> {
        let found = self.calls.get_mut(&call).ok_or(CommandError::NoSuchCall)?;
        if !found.is_up() || !found.told {
            return Err(CommandError::WrongState);
        }
        if found.change.is_some() || found.retry.is_some() {
            return Err(CommandError::Busy);
        }
        self.start_change(now, call, Change::Direction(want));
        self.pump(now);
        Ok(())
    }

    /// Asks for a change now, or when the ACK to our last 2xx came.
    pub(super) fn start_change(&mut self, now: Moment, call: CallId, change: Change) {
        let Some(found) = self.calls.get_mut(&call).filter(|c| c.is_up()) else { return };
        if found.unacknowledged.is_some() || found.change.is_some() {
            found.retry = Some(change);
            return;
        }
        let update = change == Change::Refresh && found.can_update;
        let method = if update { Method::Update } else { Method::Invite };
        let (session, min_se_s) = (found.session, found.min_se_s);
        let Some((mut request, to)) = self.in_dialog(call, method) else { return };
        if let Some(negotiator) =
            self.calls.get_mut(&call).and_then(|c| c.negotiator.as_mut()).filter(|_| !update)
        {
            let offer = match change {
                Change::Direction(want) => negotiator.offer(want),
                Change::Refresh => negotiator.offer_again(),
            };
            request = request.with_body("application/sdp", offer.to_bytes());
        }
        session_timer::write_request(&mut request.headers, &self.settings.session, session, min_se_s);
        let id = self.ask(now, Ask::Call(call, InCall::Change(change)), request, to, 0);
        if let Some(found) = self.calls.get_mut(&call) {
            found.change = id.map(|id| (id, change));
        }
    }

    /// The ACK came: a change that waited for it may start.
    pub(super) fn change_waiting(&mut self, now: Moment, call: CallId) {
        let waiting = self.calls.get_mut(&call).filter(|c| c.change.is_none()).and_then(|c| c.retry.take());
        if let Some(change) = waiting {
            self.start_change(now, call, change);
        }
    }

    /// The peer's and our change met; ours is tried again now (RFC 3261 14.1).
    pub(super) fn on_glare_over(&mut self, now: Moment, call: CallId) {
        self.change_waiting(now, call);
    }

    /// The final answer to anything that we asked within a call.
    pub(super) fn on_in_call_response(
        &mut self,
        now: Moment,
        call: CallId,
        kind: InCall,
        asked: &Asked,
        response: &Response,
    ) {
        let status = response.status;
        let challenge = matches!(status, Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION);
        if challenge && self.prove(now, call, asked, response) {
            return;
        }
        match kind {
            InCall::Change(change) => self.on_change_response(now, call, change, asked, response),
            InCall::Bye => self.forget(call),
            InCall::Refer => self.on_refer_response(now, call, status),
            InCall::Info | InCall::Prack | InCall::Invite => {
                if status == Status::NO_SUCH_CALL && kind != InCall::Prack {
                    self.finish(call, EndReason::Lost);
                }
            }
        }
    }

    /// Nothing answered what we asked within a call.
    pub(super) fn on_in_call_failed(&mut self, now: Moment, call: CallId, kind: InCall, why: Failure) {
        match kind {
            InCall::Bye => self.forget(call),
            // What cannot be sent now counts as a 503 (RFC 3261 8.1.3.1), which ends no call: the way may be back in a moment.
            InCall::Change(change) if why == Failure::Unreachable => {
                if let Some(found) = self.calls.get_mut(&call) {
                    found.change = None;
                }
                self.withdraw_offer(call);
                self.change_refused(now, call, change, Status::SERVICE_UNAVAILABLE);
            }
            // RFC 3261 12.2.1.2: no answer within the dialog ends it.
            InCall::Change(_) => self.say_bye(now, call, EndReason::Lost),
            InCall::Refer => self.on_refer_response(now, call, Status::REQUEST_TIMEOUT),
            InCall::Info | InCall::Prack | InCall::Invite => {}
        }
    }

    fn on_change_response(
        &mut self,
        now: Moment,
        call: CallId,
        change: Change,
        asked: &Asked,
        response: &Response,
    ) {
        let invite = asked.request.method == Method::Invite;
        if let Some(found) = self.calls.get_mut(&call) {
            found.change = None;
        }
        if response.status.is_success() {
            // Only now: one that is refused leaves what we want of the peer's own changes as it was.
            if let (Change::Direction(want), Some(found)) = (change, self.calls.get_mut(&call)) {
                found.want = want;
            }
            return self.on_change_accepted(now, call, invite, response);
        }
        self.withdraw_offer(call);
        match response.status {
            Status::NO_SUCH_CALL => self.finish(call, EndReason::Lost),
            Status::REQUEST_TIMEOUT => self.say_bye(now, call, EndReason::Lost),
            Status::REQUEST_PENDING => self.wait_for_glare(now, call, change),
            Status::INTERVAL_TOO_SMALL => {
                let Some(found) = self.calls.get_mut(&call) else { return };
                let min = response.headers.number(&Name::MinSe).unwrap_or(0);
                // Only upwards, so that it ends.
                if min > found.min_se_s {
                    found.min_se_s = min;
                    self.start_change(now, call, change);
                }
            }
            Status::METHOD_NOT_ALLOWED | Status::NOT_IMPLEMENTED if !invite => {
                if let Some(found) = self.calls.get_mut(&call) {
                    found.can_update = false;
                }
                self.start_change(now, call, change);
            }
            // A busy peer may be asked again: 500 with Retry-After is the other answer to glare.
            Status::SERVER_ERROR if response.headers.get(&Name::RetryAfter).is_some() => {
                self.wait_for_glare(now, call, change);
            }
            status => self.change_refused(now, call, change, status),
        }
    }

    fn change_refused(&mut self, now: Moment, call: CallId, change: Change, status: Status) {
        match change {
            Change::Direction(_) => self.tell(Event::ChangeRefused { call, status }),
            // What is wrong today may be right in a moment, and the session ends without it.
            Change::Refresh => self.start_timer(now, call, CallTimer::Refresh, REFRESH_AGAIN),
        }
        self.change_waiting(now, call);
    }

    fn on_change_accepted(&mut self, now: Moment, call: CallId, invite: bool, response: &Response) {
        let Some(found) = self.calls.get_mut(&call) else { return };
        if let Some(dialog) = found.dialog.as_mut() {
            dialog.refresh_target(&response.headers);
        }
        let signalling = found.peer.addr.ip();
        let described = super::screen::sdp_of(&response.headers, &response.body).map(Description::parse);
        let accepted = match (described, found.negotiator.as_mut()) {
            (Some(Ok(answer)), Some(negotiator)) => negotiator.accept(&answer, signalling).ok(),
            _ => None,
        };
        found.session = Agreed::by_response(&response.headers).or(found.session.filter(|_| !invite));
        if invite {
            self.send_ack(now, call, response.ident.cseq.number);
        }
        // Hung up meanwhile: the ACK was all that was left to do.
        if !self.calls.get(&call).is_some_and(Call::is_up) {
            return;
        }
        self.session_refreshed(now, call);
        match accepted {
            Some(stream) => {
                let changed = self.calls.get(&call).is_some_and(|c| c.held != stream.held);
                // A refresh that changed nothing is nothing to tell.
                let before = self
                    .calls
                    .get(&call)
                    .and_then(|c| c.negotiator.as_ref())
                    .and_then(|n| n.previous().cloned());
                if changed || before.as_ref() != Some(&stream) {
                    self.tell_media(call, stream);
                }
            }
            None => self.withdraw_offer(call),
        }
        self.change_waiting(now, call);
    }

    fn withdraw_offer(&mut self, call: CallId) {
        if let Some(negotiator) = self.calls.get_mut(&call).and_then(|c| c.negotiator.as_mut()) {
            negotiator.withdraw();
        }
    }

    /// RFC 3261 14.1: who made the call waits 2.1 to 4 s, the other side at most 2 s, in steps of 10 ms.
    fn wait_for_glare(&mut self, now: Moment, call: CallId, change: Change) {
        let steps = self.ids.below(191) as i64;
        let Some(found) = self.calls.get_mut(&call) else { return };
        found.retry = Some(change);
        let ms = if found.ours { 2100 + steps * 10 } else { steps * 10 };
        self.start_timer(now, call, CallTimer::Glare, Span::from_millis(ms));
    }

    /// Acknowledges the 2xx of an INVITE of ours, and keeps the ACK for its repetitions.
    pub(super) fn send_ack(&mut self, now: Moment, call: CallId, number: u32) {
        let branch = self.ids.branch();
        let Some(found) = self.calls.get_mut(&call) else { return };
        let Some(dialog) = found.dialog.as_ref() else { return };
        let to = way_to(dialog.next_hop(), found.peer);
        let bytes = dialog.ack(number, self.settings.locals.via(to, &branch)).to_bytes();
        found.ack = Some((number, bytes.clone(), to));
        self.out.push_back(Output::Send { to, bytes });
        self.start_timer(now, call, CallTimer::AckKept, self.settings.times.patience());
    }

    /// A 2xx came again: so goes its ACK.
    pub(super) fn repeat_ack(&mut self, call: CallId, response: &Response) {
        let kept = self.calls.get(&call).and_then(|c| c.ack.as_ref());
        if let Some((_, bytes, to)) = kept.filter(|(number, ..)| *number == response.ident.cseq.number) {
            let send = Output::Send { to: *to, bytes: bytes.clone() };
            self.out.push_back(send);
        }
    }

    /// The session was refreshed, by whomever: both of its timers start anew.
    pub(super) fn session_refreshed(&mut self, now: Moment, call: CallId) {
        match self.calls.get(&call).and_then(|c| c.session) {
            Some(session) => {
                self.start_timer(now, call, CallTimer::Expire, session.dead_after());
                match session.refresher {
                    Refresher::Us => self.start_timer(now, call, CallTimer::Refresh, session.refresh_after()),
                    Refresher::Them => self.stop_timer(call, CallTimer::Refresh),
                }
            }
            None => {
                self.stop_timer(call, CallTimer::Expire);
                self.stop_timer(call, CallTimer::Refresh);
            }
        }
    }

    pub(super) fn refresh_session(&mut self, now: Moment, call: CallId) {
        self.start_change(now, call, Change::Refresh);
    }

    pub(super) fn on_expired(&mut self, now: Moment, call: CallId) {
        self.say_bye(now, call, EndReason::SessionExpired);
    }
}
