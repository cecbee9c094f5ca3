//! Transfers that we ask for, blind and attended (RFC 3515, 5589), and telephone keys that we send by INFO.

use super::request::{Ask, InCall};
use super::{Agent, CallId, CallTimer, CommandError, EndReason, Event, Transfer, TrunkId};
use crate::media::dtmf::{DTMF_RELAY, Digit, info_of_key};
use crate::sip::address::NameAddr;
use crate::sip::header::Name;
use crate::sip::message::Request;
use crate::sip::method::Method;
use crate::sip::status::Status;
use crate::sip::transaction::ServerId;
use crate::sip::transfer::{Report, refer_to};
use crate::sip::uri::Uri;
use offhook_units::Moment;

impl Agent {
    /// Asks the far end of `call` to call `target` instead.
    ///
    /// # Errors
    /// [`CommandError`] when the call does not stand or is being transferred already.
    pub fn refer(&mut self, now: Moment, call: CallId, target: &Uri) -> Result<(), CommandError> {
        self.send_refer(now, call, refer_to(target, None))
    }

    /// The same, where `to` is a whole URI, or a number at the call's trunk; at the first trunk for a call of none.
    ///
    /// # Errors
    /// As [`Agent::refer`], and when `to` cannot be called.
    pub fn transfer(&mut self, now: Moment, call: CallId, to: &str) -> Result<(), CommandError> {
        let found = self.calls.get(&call).ok_or(CommandError::NoSuchCall)?;
        let target = self.target(found.trunk.unwrap_or(TrunkId(0)), to).ok_or(CommandError::BadTarget)?;
        self.refer(now, call, &target)
    }

    /// Asks the far end of `call` to take our place in `other`, a call of ours with whom it shall talk to.
    ///
    /// # Errors
    /// [`CommandError`] when either call does not stand, or both are one.
    pub fn refer_to_call(&mut self, now: Moment, call: CallId, other: CallId) -> Result<(), CommandError> {
        if call == other {
            return Err(CommandError::WrongState);
        }
        let other = self.calls.get(&other).ok_or(CommandError::NoSuchCall)?;
        let dialog = other.dialog.as_ref().filter(|_| other.is_up()).ok_or(CommandError::WrongState)?;
        let replaces = dialog.as_replaces().ok_or(CommandError::WrongState)?;
        let value = refer_to(&dialog.target, Some(&replaces));
        self.send_refer(now, call, value)
    }

    fn send_refer(&mut self, now: Moment, call: CallId, value: String) -> Result<(), CommandError> {
        let found = self.calls.get_mut(&call).ok_or(CommandError::NoSuchCall)?;
        if !found.is_up() {
            return Err(CommandError::WrongState);
        }
        if found.transferring {
            return Err(CommandError::Busy);
        }
        let by = found.dialog.as_ref().map(|d| NameAddr::new(d.local.uri.clone()).to_string());
        let (mut request, to) = self.in_dialog(call, Method::Refer).ok_or(CommandError::WrongState)?;
        request.headers.push(Name::ReferTo, value);
        request.headers.push(Name::ReferredBy, by.unwrap_or_default());
        self.ask(now, Ask::Call(call, InCall::Refer), request, to, 0).ok_or(CommandError::Full)?;
        if let Some(found) = self.calls.get_mut(&call) {
            found.transferring = true;
        }
        // Timer N of RFC 6665 4.1.2.4: a subscription of which no report comes is none.
        self.start_timer(now, call, CallTimer::NoReport, self.settings.times.patience());
        self.pump(now);
        Ok(())
    }

    pub(super) fn on_refer_response(&mut self, now: Moment, call: CallId, status: Status) {
        match status {
            Status::NO_SUCH_CALL => self.say_bye(now, call, EndReason::Lost),
            status if status.is_success() => self.follow_transfer(now, call, Transfer::Accepted),
            status => self.follow_transfer(now, call, Transfer::Failed(status)),
        }
    }

    /// The far end took it on and says nothing of it, or no more.
    pub(super) fn on_no_report(&mut self, now: Moment, call: CallId) {
        self.follow_transfer(now, call, Transfer::Failed(Status::REQUEST_TIMEOUT));
    }

    /// Tells how a transfer goes that is under way: a report may overtake the answer, and be the last one.
    fn follow_transfer(&mut self, now: Moment, call: CallId, progress: Transfer) {
        let Some(found) = self.calls.get_mut(&call).filter(|c| c.transferring && c.is_up()) else { return };
        found.transferring = matches!(progress, Transfer::Accepted | Transfer::Progress(_));
        match progress {
            // The first report is still waited for.
            Transfer::Accepted => {}
            // At the target it may ring for as long as it does anywhere.
            Transfer::Progress(_) => {
                self.start_timer(now, call, CallTimer::NoReport, self.settings.ring_limit);
            }
            Transfer::Done | Transfer::Failed(_) => self.stop_timer(call, CallTimer::NoReport),
        }
        self.tell(Event::Transfer { call, progress });
        // The target took over: our call has nobody left to talk to. Many peers say BYE themselves; both may.
        if progress == Transfer::Done {
            self.hang_up_for(now, call, EndReason::HungUp);
        }
    }

    pub(super) fn on_notify(&mut self, now: Moment, id: ServerId, call: CallId, notify: &Request) {
        let event = notify.headers.get(&Name::Event).unwrap_or("").split(';').next().unwrap_or("").trim();
        if !event.eq_ignore_ascii_case("refer") {
            return self.refuse(now, id, notify.response(Status::BAD_EVENT).with(Name::AllowEvents, "refer"));
        }
        self.refuse(now, id, notify.response(Status::OK));
        let report = Report::read(&notify.headers, &notify.body);
        let progress = match report.status {
            Some(_) if report.succeeded() => Transfer::Done,
            Some(status) if report.last => Transfer::Failed(status),
            Some(status) => Transfer::Progress(status),
            None if report.last => Transfer::Failed(Status::REQUEST_TIMEOUT),
            None => return,
        };
        self.follow_transfer(now, call, progress);
    }

    /// Sends a telephone key by INFO.
    ///
    /// # Errors
    /// [`CommandError`] when the call does not stand.
    pub fn send_key(
        &mut self,
        now: Moment,
        call: CallId,
        key: Digit,
        duration_ms: u32,
    ) -> Result<(), CommandError> {
        let found = self.calls.get(&call).ok_or(CommandError::NoSuchCall)?;
        if !found.is_up() {
            return Err(CommandError::WrongState);
        }
        let (request, to) = self.in_dialog(call, Method::Info).ok_or(CommandError::WrongState)?;
        let request = request.with_body(DTMF_RELAY, info_of_key(key, duration_ms).into_bytes());
        self.ask(now, Ask::Call(call, InCall::Info), request, to, 0).ok_or(CommandError::Full)?;
        self.pump(now);
        Ok(())
    }
}
