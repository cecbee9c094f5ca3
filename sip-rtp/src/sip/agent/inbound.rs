//! Calls in: from the INVITE to the ACK of our answer.

use super::call::{Call, Incoming, Phase, Unacknowledged};
use super::screen::{self, ALLOW, SUPPORTED};
use super::{Agent, CallId, CallTimer, CommandError, EndReason, Event, Parties};
use crate::sdp::Description;
use crate::sdp::negotiate::{LocalMedia, Negotiator, Refusal, Stream};
use crate::sip::dialog::Dialog;
use crate::sip::digest::client::Subject;
use crate::sip::digest::server::Verdict;
use crate::sip::header::Name;
use crate::sip::message::{self, Request, Response};
use crate::sip::method::Method;
use crate::sip::session_timer::Agreed;
use crate::sip::status::Status;
use crate::sip::transaction::ServerId;
use crate::sip::transfer::Replaces;
use crate::sip::transport::Peer;
use offhook_units::{Moment, Pii};

impl Agent {
    pub(super) fn on_request(&mut self, now: Moment, id: ServerId, request: Request, from: Peer) {
        if request.in_dialog() {
            return self.on_request_within(now, id, &request, from);
        }
        if let Some(refusal) = screen::screen(&request) {
            return self.refuse(now, id, refusal);
        }
        match request.method {
            Method::Invite => self.on_invite(now, id, request, from),
            Method::Options => {
                let mut answer =
                    request.response(if self.draining { Status::SERVICE_UNAVAILABLE } else { Status::OK });
                answer.headers.push(Name::Accept, "application/sdp");
                self.dress(&mut answer.headers, from, None);
                self.refuse(now, id, answer);
            }
            // Everything else that we serve lives in dialogs.
            _ => {
                self.counters.unknown_dialog += 1;
                self.refuse(now, id, request.response(Status::NO_SUCH_CALL));
            }
        }
    }

    /// Answers a request that makes no dialog of ours.
    pub(super) fn refuse(&mut self, now: Moment, id: ServerId, response: Response) {
        let tag = self.ids.tag();
        self.transactions.respond(now, id, &response.with_to_tag(&tag));
    }

    fn on_invite(&mut self, now: Moment, id: ServerId, request: Request, from: Peer) {
        if let Some(refusal) = self.turned_away(now, &request) {
            return self.refuse(now, id, refusal);
        }
        let session = match Agreed::by_request(&request.headers, &self.settings.session) {
            Ok(session) => session,
            Err(too_small) => {
                let refusal = request.response(Status::INTERVAL_TOO_SMALL);
                return self.refuse(now, id, refusal.with(Name::MinSe, too_small.0.to_string()));
            }
        };
        let replaces = match self.replaced_by(&request) {
            Ok(replaces) => replaces,
            Err(status) => return self.refuse(now, id, request.response(status)),
        };
        if let Some(body) = screen::sdp_of(&request.headers, &request.body)
            && Description::parse(body).is_err()
        {
            return self.refuse(now, id, request.response(Status::NOT_ACCEPTABLE_HERE));
        }
        // It may take the appliance a while to answer: this stops the caller's repetitions.
        self.transactions.respond(now, id, &request.response(Status::TRYING));
        let tag = self.ids.tag();
        let parties = parties(&request);
        let trunk = self.trunk_of(from);
        let dialog = Dialog::of_server(&request, &tag);
        let can_update = request.headers.lists(&Name::Allow, "UPDATE");
        let incoming = Incoming {
            server: id,
            request,
            tag,
            replaces,
            reliable: None,
            rseq: 0,
            settled: false,
            answer: None,
        };
        let mut call = Call::new(Phase::Incoming(Box::new(incoming)), from, trunk, false);
        (call.dialog, call.session, call.can_update) = (Some(dialog), session, can_update);
        let call = self.add_call(call);
        self.waiting.insert(id, call);
        self.start_timer(now, call, CallTimer::Ring, self.settings.ring_limit);
        self.tell(Event::IncomingCall { call, parties, replaces });
    }

    /// Reasons to take no call at all: proof, room.
    fn turned_away(&mut self, now: Moment, request: &Request) -> Option<Response> {
        if let (Some(server), Some(credentials)) = (&mut self.digest, &self.settings.inbound) {
            let (method, uri) = (request.method.to_string(), request.uri.to_string());
            let subject = Subject { method: &method, uri: &uri, body: &request.body };
            let verdict = server.check(now, request.headers.all(&Name::Authorization), subject, credentials);
            if verdict != Verdict::Accepted {
                self.counters.refused_unproven += u64::from(verdict == Verdict::Wrong);
                let mut refusal = request.response(Status::UNAUTHORIZED);
                for challenge in server.challenges(now, verdict == Verdict::Stale) {
                    refusal.headers.push(Name::WwwAuthenticate, challenge.to_string());
                }
                return Some(refusal);
            }
        }
        if self.draining || self.calls().count() >= self.settings.max_calls {
            self.counters.refused_full += 1;
            let wait = self.settings.capacity.retry_after_s.to_string();
            return Some(request.response(Status::SERVICE_UNAVAILABLE).with(Name::RetryAfter, wait));
        }
        None
    }

    /// The call that an INVITE wants to take the place of (RFC 3891 3).
    fn replaced_by(&self, request: &Request) -> Result<Option<CallId>, Status> {
        let Some(value) = request.headers.get(&Name::Replaces) else { return Ok(None) };
        let replaces = Replaces::parse(value).ok_or(Status::BAD_REQUEST)?;
        let is = |call: &Call| {
            call.dialog.as_ref().is_some_and(|d| {
                d.call_id == replaces.call_id
                    && d.local.tag() == Some(replaces.to_tag.as_str())
                    && d.remote.tag() == Some(replaces.from_tag.as_str())
            })
        };
        let (id, call) = self.calls.iter().find(|(_, call)| is(call)).ok_or(Status::NO_SUCH_CALL)?;
        match call.phase {
            Phase::Up if replaces.early_only => Err(Status::BUSY_HERE),
            Phase::Up => Ok(Some(*id)),
            Phase::Ending => Err(Status::DECLINE),
            // Not answered yet: not ours to be picked up (RFC 3891 3).
            Phase::Incoming(_) | Phase::Outgoing(_) => Err(Status::NO_SUCH_CALL),
        }
    }

    /// Answers the call.
    ///
    /// # Errors
    /// [`CommandError`] when there is nothing to answer. Media that do not agree end the call instead.
    pub fn answer(&mut self, now: Moment, call: CallId, media: LocalMedia) -> Result<(), CommandError> {
        let found = self.calls.get_mut(&call).ok_or(CommandError::NoSuchCall)?;
        let incoming = found.incoming().ok_or(CommandError::WrongState)?;
        // A 2xx must not overtake a reliable provisional answer with SDP (RFC 3262 3).
        if incoming.reliable.is_some() {
            incoming.answer = Some(media);
            return Ok(());
        }
        self.answer_now(now, call, media);
        self.pump(now);
        Ok(())
    }

    pub(super) fn answer_now(&mut self, now: Moment, call: CallId, media: LocalMedia) {
        let described = match self.describe(call, media) {
            Ok(described) => described,
            Err(why) => {
                return self.refuse_call(now, call, Status::NOT_ACCEPTABLE_HERE, EndReason::Media(why));
            }
        };
        let public = self.public_of(call);
        let Some(found) = self.calls.get_mut(&call) else { return };
        let Phase::Incoming(incoming) = std::mem::replace(&mut found.phase, Phase::Up) else { return };
        let (session, from) = (found.session, found.peer);
        let Some(to) = self.transactions.peer_of(incoming.server) else {
            return self.finish(call, EndReason::Cancelled);
        };
        let mut response = dialog_response(&incoming.request, Status::OK, &incoming.tag);
        self.dress(&mut response.headers, from, public);
        if let Some(session) = session {
            session.write_response(&mut response.headers);
        }
        let offered = matches!(described, Described::Offer(_));
        if let Some(text) = described.text() {
            response = response.with_body("application/sdp", text.to_bytes());
        }
        self.waiting.remove(&incoming.server);
        self.transactions.respond(now, incoming.server, &response);
        self.stop_timer(call, CallTimer::Ring);
        self.await_ack(now, call, response.to_bytes(), to, incoming.request.ident.cseq.number, offered);
        self.session_refreshed(now, call);
        if let Some(old) = incoming.replaces {
            self.hang_up_for(now, old, EndReason::Replaced);
        }
        if let Some(stream) = described.stream() {
            self.tell_media(call, stream);
        }
    }

    /// Our description for the 2xx: the answer to the INVITE's offer, or an offer of ours. What an earlier
    /// provisional answer said is said again, unless that was reliable and is acknowledged (RFC 6337 3.1.1).
    pub(super) fn describe(&mut self, call: CallId, media: LocalMedia) -> Result<Described, Refusal> {
        let found = self.calls.get_mut(&call).ok_or(Refusal::OutOfStep)?;
        let (want, from) = (found.want, found.peer.addr.ip());
        let Phase::Incoming(incoming) = &found.phase else { return Err(Refusal::OutOfStep) };
        if let Some(negotiator) = &found.negotiator
            && let (Some(sent), Some(stream)) = (negotiator.last_sent(), negotiator.stream())
        {
            let stream = stream.clone();
            return Ok(match incoming.settled {
                true => Described::Settled(stream),
                false => Described::Answer(sent.clone(), stream),
            });
        }
        let request = &incoming.request;
        let negotiator = found.negotiator.get_or_insert_with(|| Negotiator::new(media, &mut self.ids));
        match screen::sdp_of(&request.headers, &request.body).map(Description::parse) {
            Some(Ok(offer)) => {
                let (text, stream) = negotiator.answer(&offer, want, from)?;
                Ok(Described::Answer(text, stream))
            }
            Some(Err(_)) => Err(Refusal::NoAudio),
            None => Ok(Described::Offer(negotiator.offer(want))),
        }
    }

    /// Refuses the call.
    ///
    /// # Errors
    /// [`CommandError`] when there is nothing to refuse.
    pub fn reject(&mut self, now: Moment, call: CallId, status: Status) -> Result<(), CommandError> {
        let found = self.calls.get_mut(&call).ok_or(CommandError::NoSuchCall)?;
        found.incoming().ok_or(CommandError::WrongState)?;
        self.refuse_call(now, call, status, EndReason::Refused(status));
        self.pump(now);
        Ok(())
    }

    /// Gives a waiting INVITE this final answer, and ends its call.
    pub(super) fn refuse_call(&mut self, now: Moment, call: CallId, status: Status, reason: EndReason) {
        self.counters.refused_media += u64::from(matches!(reason, EndReason::Media(_)));
        if let Some(incoming) = self.calls.get_mut(&call).and_then(Call::incoming) {
            let response = incoming.request.response(status).with_to_tag(&incoming.tag);
            let server = incoming.server;
            self.transactions.respond(now, server, &response);
        }
        self.finish(call, reason);
    }

    pub(super) fn on_cancelled(&mut self, now: Moment, id: ServerId) {
        if let Some(call) = self.waiting.get(&id).copied() {
            self.refuse_call(now, call, Status::REQUEST_TERMINATED, EndReason::Cancelled);
        }
    }

    /// Repeats our 2xx until its ACK comes.
    pub(super) fn await_ack(
        &mut self,
        now: Moment,
        call: CallId,
        bytes: Vec<u8>,
        to: Peer,
        number: u32,
        offered: bool,
    ) {
        let times = self.settings.times;
        let Some(found) = self.calls.get_mut(&call) else { return };
        found.unacknowledged = Some(Unacknowledged { bytes, to, number, gap: times.t1, offered });
        // Over a reliable transport too: a proxy behind it may lose the answer (RFC 3261 13.3.1.4).
        self.start_timer(now, call, CallTimer::Repeat, times.t1);
        self.start_timer(now, call, CallTimer::NoAck, times.patience());
    }

    pub(super) fn repeat_answer(&mut self, now: Moment, call: CallId) {
        let times = self.settings.times;
        let Some(waiting) = self.calls.get_mut(&call).and_then(|c| c.unacknowledged.as_mut()) else { return };
        waiting.gap = times.doubled(waiting.gap);
        let (gap, send) = (waiting.gap, super::Output::Send { to: waiting.to, bytes: waiting.bytes.clone() });
        self.out.push_back(send);
        self.start_timer(now, call, CallTimer::Repeat, gap);
    }

    pub(super) fn on_no_ack(&mut self, now: Moment, call: CallId) {
        if let Some(found) = self.calls.get_mut(&call) {
            found.unacknowledged = None;
        }
        self.say_bye(now, call, EndReason::NotAcknowledged);
    }

    pub(super) fn on_ack(&mut self, now: Moment, ack: &Request, from: Peer) {
        let found =
            self.calls.iter_mut().find(|(_, c)| c.dialog.as_ref().is_some_and(|d| d.matches(&ack.ident)));
        let Some((id, call)) = found else {
            self.counters.stray_acks += 1;
            return;
        };
        let id = *id;
        if call.unacknowledged.as_ref().is_none_or(|w| w.number != ack.ident.cseq.number) {
            return;
        }
        let offered = call.unacknowledged.take().is_some_and(|w| w.offered);
        let hang_up = call.hang_up.take();
        self.stop_timer(id, CallTimer::Repeat);
        self.stop_timer(id, CallTimer::NoAck);
        if let Some(reason) = hang_up {
            return self.say_bye(now, id, reason);
        }
        if offered {
            self.take_late_answer(now, id, ack, from);
        }
        self.change_waiting(now, id);
    }

    /// The answer to the offer that stood in our 2xx.
    fn take_late_answer(&mut self, now: Moment, call: CallId, ack: &Request, from: Peer) {
        let Some(found) = self.calls.get_mut(&call) else { return };
        let described =
            screen::sdp_of(&ack.headers, &ack.body).and_then(|body| Description::parse(body).ok());
        let accepted = match (described, found.negotiator.as_mut()) {
            (Some(answer), Some(negotiator)) => negotiator.accept(&answer, from.addr.ip()),
            _ => Err(Refusal::OutOfStep),
        };
        match accepted {
            Ok(stream) => self.tell_media(call, stream),
            // In a call that stood before, what held goes on.
            Err(_) if found.told => {
                if let Some(negotiator) = found.negotiator.as_mut() {
                    negotiator.withdraw();
                }
            }
            Err(why) => self.say_bye(now, call, EndReason::Media(why)),
        }
    }

    /// Tells of a call's media: what is heard before it stands; that it stands, the first time; what changed, later.
    pub(super) fn tell_media(&mut self, call: CallId, stream: Stream) {
        let Some(found) = self.calls.get_mut(&call) else { return };
        // An UPDATE before the answer.
        if !found.is_up() {
            return self.tell(Event::Ringing { call, early: Some(stream) });
        }
        let held = std::mem::replace(&mut found.held, stream.held);
        if !std::mem::replace(&mut found.told, true) {
            return self.tell(Event::Answered { call, stream });
        }
        let now_held = stream.held;
        self.tell(Event::MediaChanged { call, stream });
        match (held, now_held) {
            (false, true) => self.tell(Event::Held(call)),
            (true, false) => self.tell(Event::Resumed(call)),
            _ => {}
        }
    }
}

/// What goes into an answer to an INVITE.
pub(super) enum Described {
    /// The answer to its offer.
    Answer(Description, Stream),
    /// Our offer.
    Offer(Description),
    /// Nothing: it was all said and acknowledged before.
    Settled(Stream),
}

impl Described {
    pub(super) const fn text(&self) -> Option<&Description> {
        match self {
            Self::Answer(text, _) | Self::Offer(text) => Some(text),
            Self::Settled(_) => None,
        }
    }

    /// The media, where they are agreed.
    pub(super) fn stream(self) -> Option<Stream> {
        match self {
            Self::Answer(_, stream) | Self::Settled(stream) => Some(stream),
            Self::Offer(_) => None,
        }
    }
}

/// An answer that makes a dialog: with our tag and the request's Record-Route (RFC 3261 12.1.1).
pub(super) fn dialog_response(request: &Request, status: Status, tag: &str) -> Response {
    let mut response = request.response(status).with_to_tag(tag);
    for route in request.headers.all(&Name::RecordRoute) {
        response.headers.push(Name::RecordRoute, route);
    }
    response
}

/// Who calls whom. Asserted identities count, as only the trunk gets here.
fn parties(request: &Request) -> Parties {
    let asserted = message::addresses(&request.headers, &Name::AssertedIdentity).into_iter().next();
    let from = asserted.unwrap_or_else(|| request.ident.from.clone());
    let called = request.uri.user().or_else(|| request.ident.to.uri.user()).unwrap_or_default();
    // The lowest Diversion is the first one (RFC 5806 4.1).
    let diverted = message::addresses(&request.headers, &Name::Diversion).into_iter().next_back();
    Parties {
        from: Pii::new(from.uri),
        display: from.display.or_else(|| request.ident.from.display.clone()).map(Pii::new),
        called: Pii::new(called),
        diverted_from: diverted.and_then(|d| d.uri.user()).map(Pii::new),
    }
}

/// The answer to OPTIONS and to methods that are not allowed says what is.
pub(super) fn with_abilities(response: Response) -> Response {
    response.with(Name::Allow, ALLOW).with(Name::Supported, SUPPORTED)
}
