//! How calls end.

use super::call::{Call, Phase};
use super::request::{Ask, InCall};
use super::{Agent, CallId, CallTimer, CommandError, EndReason, Event};
use crate::sip::header::Name;
use crate::sip::method::Method;
use crate::sip::status::Status;
use offhook_units::Moment;

impl Agent {
    /// Ends a call, whatever its state: refuses, cancels or hangs up.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`] when it ended already.
    pub fn hang_up(&mut self, now: Moment, call: CallId) -> Result<(), CommandError> {
        let found = self.calls.get(&call).ok_or(CommandError::NoSuchCall)?;
        if matches!(found.phase, Phase::Ending) {
            return Err(CommandError::NoSuchCall);
        }
        self.hang_up_for(now, call, EndReason::HungUp);
        self.pump(now);
        Ok(())
    }

    pub(super) fn hang_up_for(&mut self, now: Moment, call: CallId, reason: EndReason) {
        let Some(found) = self.calls.get_mut(&call) else { return };
        match &found.phase {
            Phase::Incoming(_) => self.refuse_call(now, call, Status::TEMPORARILY_UNAVAILABLE, reason),
            Phase::Outgoing(_) => self.cancel_call(now, call, reason),
            // No BYE before the ACK: it would be a BYE to a call that the peer has not yet (RFC 3261 15).
            Phase::Up if found.unacknowledged.is_some() && !found.ours => found.hang_up = Some(reason),
            Phase::Up => self.say_bye(now, call, reason),
            Phase::Ending => {}
        }
    }

    /// Sends BYE. The call is over for the appliance; what is left of it waits for the answer.
    pub(super) fn say_bye(&mut self, now: Moment, call: CallId, reason: EndReason) {
        if !self.calls.get(&call).is_some_and(Call::is_up) {
            return;
        }
        let Some((mut request, to)) = self.in_dialog(call, Method::Bye) else {
            return self.finish(call, reason);
        };
        if let Some(text) = bye_reason(&reason) {
            request.headers.push(Name::Reason, text);
        }
        self.close(call, reason);
        if self.ask(now, Ask::Call(call, InCall::Bye), request, to, 0).is_none() {
            self.forget(call);
        }
    }

    /// Tells that a call is over and forgets it.
    pub(super) fn finish(&mut self, call: CallId, reason: EndReason) {
        if self.calls.get(&call).is_some_and(|c| !matches!(c.phase, Phase::Ending)) {
            self.close(call, reason);
        }
        self.forget(call);
    }

    /// Tells that a call is over, and stops all that it had running.
    fn close(&mut self, call: CallId, reason: EndReason) {
        let Some(found) = self.calls.get_mut(&call) else { return };
        let phase = std::mem::replace(&mut found.phase, Phase::Ending);
        found.unacknowledged = None;
        found.retry = None;
        if let Phase::Incoming(incoming) = phase {
            self.waiting.remove(&incoming.server);
        }
        // The ACK is kept: copies of the far end's 2xx may still come.
        for timer in CallTimer::ALL.into_iter().filter(|t| *t != CallTimer::AckKept) {
            self.stop_timer(call, timer);
        }
        self.tell(Event::Ended { call, reason });
    }

    /// Drops what is left of a call.
    pub(super) fn forget(&mut self, call: CallId) {
        self.calls.remove(&call);
        for timer in CallTimer::ALL {
            self.stop_timer(call, timer);
        }
    }
}

/// What the BYE says of its cause (RFC 3326), where it is more than the usual.
fn bye_reason(reason: &EndReason) -> Option<String> {
    let (cause, text) = match reason {
        EndReason::SessionExpired => (408, "session timer expired"),
        EndReason::NotAcknowledged => (408, "ACK did not come"),
        EndReason::Media(_) => (488, "no common media"),
        EndReason::Lost => (408, "no answer within the call"),
        _ => return None,
    };
    Some(format!("SIP;cause={cause};text=\"{text}\""))
}
