//! Requests of the peer within a call.

use super::inbound::with_abilities;
use super::screen::{self, ALLOW};
use super::{Agent, Call, CallId, EndReason, Event, Phase};
use crate::media::dtmf::{DTMF, DTMF_RELAY, InfoError, key_of_info};
use crate::sdp::Description;
use crate::sip::header::Name;
use crate::sip::message::{self, Request, Response};
use crate::sip::method::Method;
use crate::sip::session_timer::Agreed;
use crate::sip::status::Status;
use crate::sip::transaction::ServerId;
use crate::sip::transport::Peer;
use crate::sip::words;
use offhook_units::{Moment, Pii};

impl Agent {
    pub(super) fn on_request_within(&mut self, now: Moment, id: ServerId, request: &Request, from: Peer) {
        // A call of ours that rings at several places has a dialog with each.
        let is_there = |call: &Call| call.dialogs().any(|dialog| dialog.matches(&request.ident));
        let Some(call) = self.calls.iter().find(|(_, call)| is_there(call)).map(|(id, _)| *id) else {
            self.counters.unknown_dialog += 1;
            return self.refuse(now, id, request.response(Status::NO_SUCH_CALL));
        };
        if let Some(refusal) = screen::unsupported(request) {
            return self.refuse(now, id, refusal);
        }
        let dialog = self.calls.get_mut(&call).and_then(|c| c.dialog_of(&request.ident));
        if dialog.is_some_and(|d| d.take_number(&request.ident).is_err()) {
            // RFC 3261 12.2.2.
            return self.refuse(now, id, request.response(Status::SERVER_ERROR));
        }
        match &request.method {
            Method::Invite => self.on_offer(now, id, call, request, from),
            Method::Update => self.on_offer(now, id, call, request, from),
            Method::Bye => self.on_bye(now, id, call, request),
            Method::Prack => self.on_prack(now, id, call, request, from),
            Method::Info => self.on_info(now, id, call, request),
            Method::Options => {
                let answer =
                    with_abilities(request.response(Status::OK)).with(Name::Accept, "application/sdp");
                self.refuse(now, id, answer);
            }
            Method::Notify => self.on_notify(now, id, call, request),
            // To be sent elsewhere by a caller is nothing an appliance agrees to.
            Method::Refer => self.refuse(now, id, request.response(Status::DECLINE)),
            Method::Other(_) => {
                self.refuse(now, id, request.response(Status::NOT_IMPLEMENTED).with(Name::Allow, ALLOW));
            }
            _ => self.refuse(now, id, request.response(Status::METHOD_NOT_ALLOWED).with(Name::Allow, ALLOW)),
        }
    }

    /// Re-INVITE and UPDATE: another direction, address or codec, or a session refresh.
    fn on_offer(&mut self, now: Moment, id: ServerId, call: CallId, request: &Request, from: Peer) {
        let is_invite = request.method == Method::Invite;
        if let Some(refusal) = self.cannot_change(call, request).or_else(|| screen::content(request)) {
            return self.refuse(now, id, refusal);
        }
        let session = match Agreed::by_request(&request.headers, &self.settings.session) {
            Ok(session) => session,
            Err(small) => {
                let refusal =
                    request.response(Status::INTERVAL_TOO_SMALL).with(Name::MinSe, small.0.to_string());
                return self.refuse(now, id, refusal);
            }
        };
        let mut response = request.response(Status::OK);
        let Some(found) = self.calls.get_mut(&call) else { return };
        let (want, mut told, mut offered) = (found.want, None, false);
        let described = screen::sdp_of(&request.headers, &request.body).map(Description::parse);
        match (described, found.negotiator_of(&request.ident)) {
            (Some(Ok(offer)), Some(negotiator)) => match negotiator.answer(&offer, want, from.addr.ip()) {
                Ok((text, stream)) => {
                    response = response.with_body("application/sdp", text.to_bytes());
                    told = Some(stream);
                }
                Err(_) => return self.refuse(now, id, request.response(Status::NOT_ACCEPTABLE_HERE)),
            },
            (Some(_), _) => return self.refuse(now, id, request.response(Status::NOT_ACCEPTABLE_HERE)),
            // Without an offer, a re-INVITE asks for ours: for all that we want, not for what the peer left of it when it
            // put us on hold (RFC 3261 14.2). An UPDATE only refreshes.
            (None, Some(negotiator)) if is_invite => {
                response = response.with_body("application/sdp", negotiator.offer(want).to_bytes());
                offered = true;
            }
            _ => {}
        }
        if let Some(dialog) = found.dialog_of(&request.ident) {
            dialog.refresh_target(&request.headers);
        }
        // What one branch says moves no other, nor the INVITE of all.
        if found.outgoing().is_none() {
            found.peer = Peer { flow: from.flow, ..from };
        }
        found.can_update |= request.headers.lists(&Name::Allow, "UPDATE");
        found.session = session.or(found.session.filter(|_| !is_invite));
        if let Some(session) = session {
            session.write_response(&mut response.headers);
        }
        self.accept_offer(now, id, call, response, is_invite.then_some(offered));
        self.session_refreshed(now, call);
        if let Some(stream) = told {
            self.tell_media(call, stream);
        }
    }

    /// Sends the 2xx; for an INVITE (`Some`) it is repeated until its ACK.
    fn accept_offer(
        &mut self,
        now: Moment,
        id: ServerId,
        call: CallId,
        mut response: Response,
        invite: Option<bool>,
    ) {
        let public = self.public_of(call);
        let Some(peer) = self.calls.get(&call).map(|c| c.peer) else { return };
        self.dress(&mut response.headers, peer, public);
        let to = self.transactions.peer_of(id);
        self.transactions.respond(now, id, &response);
        if let (Some(offered), Some(to)) = (invite, to) {
            self.await_ack(now, call, response.to_bytes(), to, response.ident.cseq.number, offered);
        }
    }

    /// Reasons to put a change off (RFC 3261 14.2, RFC 3311 5.2).
    fn cannot_change(&mut self, call: CallId, request: &Request) -> Option<Response> {
        let invite = request.method == Method::Invite;
        let wait = self.ids.below(10);
        let found = self.calls.get_mut(&call)?;
        // Whether an offer of ours waits there for its answer; nothing where nothing was answered yet.
        let offering = found.negotiator_of(&request.ident).map(|negotiator| negotiator.is_waiting());
        let later = || Some(request.response(Status::SERVER_ERROR).with(Name::RetryAfter, wait.to_string()));
        let pending = || Some(request.response(Status::REQUEST_PENDING));
        if matches!(found.phase, Phase::Ending) {
            return Some(request.response(Status::NO_SUCH_CALL));
        }
        // An UPDATE without an offer only refreshes, and crosses nothing.
        if !invite && request.body.is_empty() {
            return None;
        }
        match (&found.phase, offering) {
            // The INVITE of this dialog was not answered yet: theirs, or ours.
            (Phase::Incoming(_), _) if invite => later(),
            (Phase::Outgoing(_), _) if invite => pending(),
            // Their first offer waits for our answer, or ours for theirs.
            (Phase::Incoming(_), None) => later(),
            (Phase::Incoming(_), Some(true)) | (Phase::Outgoing(_), None | Some(true)) => pending(),
            _ if found.change.is_some() => pending(),
            // Our answer to the last one was not acknowledged yet, or holds an offer that waits for its answer.
            _ if found.unacknowledged.as_ref().is_some_and(|w| invite || w.offered) => later(),
            _ => None,
        }
    }

    fn on_bye(&mut self, now: Moment, id: ServerId, call: CallId, request: &Request) {
        self.refuse(now, id, request.response(Status::OK));
        let reason = reason_text(request);
        let Some(found) = self.calls.get_mut(&call) else { return };
        match &found.phase {
            // Both sides said BYE: ours was told already.
            Phase::Ending => {}
            Phase::Incoming(_) => {
                self.refuse_call(now, call, Status::REQUEST_TERMINATED, EndReason::FarEndHungUp(reason));
            }
            // A fork that rings is no call yet; the INVITE has its own end.
            Phase::Outgoing(_) => {}
            Phase::Up => self.finish(call, EndReason::FarEndHungUp(reason)),
        }
    }

    fn on_info(&mut self, now: Moment, id: ServerId, call: CallId, request: &Request) {
        let kind = message::body_type(&request.headers, &request.body);
        match kind.map(|kind| key_of_info(&kind, &request.body)) {
            // Without a body it asks whether the call still stands.
            None => self.refuse(now, id, request.response(Status::OK)),
            Some(Ok(key)) => {
                self.refuse(now, id, request.response(Status::OK));
                // Behind our BYE the call's end was told, and nothing more comes of it.
                if self.calls().any(|stands| stands == call) {
                    self.tell(Event::Key { call, key: Pii::new(key) });
                }
            }
            Some(Err(InfoError::NoSignal | InfoError::NotAKey)) => {
                self.refuse(now, id, request.response(Status::BAD_REQUEST));
            }
            Some(Err(InfoError::ContentType)) => {
                let refusal = request.response(Status::UNSUPPORTED_MEDIA);
                self.refuse(now, id, refusal.with(Name::Accept, format!("{DTMF_RELAY}, {DTMF}")));
            }
        }
    }
}

/// The words of a Reason header (RFC 3326), as they may stand in a log.
fn reason_text(request: &Request) -> Option<String> {
    request.headers.get(&Name::Reason).map(|reason| words::plain(reason, words::MOST_OF_A_REASON))
}
