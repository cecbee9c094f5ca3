//! Calls out: from the INVITE to the ACK.

use super::call::{Call, Fork, Outgoing, Phase};
use super::request::{Ask, InCall, MAX_CHALLENGES, way_to};
use super::screen::{self, ALLOW, SUPPORTED};
use super::{Agent, CallId, CallTimer, CommandError, EndReason, Event, Output, Place, TrunkId};
use crate::sdp::negotiate::{Negotiator, Refusal, Stream};
use crate::sdp::{Description, Direction};
use crate::sip::address::NameAddr;
use crate::sip::dialog::Dialog;
use crate::sip::digest::client::Subject;
use crate::sip::header::{Headers, Name};
use crate::sip::message::{self, CSeq, Ident, Request, Response};
use crate::sip::method::Method;
use crate::sip::session_timer::{self, Agreed};
use crate::sip::status::Status;
use crate::sip::transaction::{ClientId, Failure};
use crate::sip::transport::Peer;
use crate::sip::uri::{SipUri, Uri};
use offhook_units::Moment;

/// Branches of one call that are followed. More is a mistake or an attack.
const MAX_FORKS: usize = 12;
const MAX_REDIRECTS: u8 = 3;

impl Agent {
    /// Places a call.
    ///
    /// # Errors
    /// [`CommandError`] when it cannot even be tried.
    pub fn place(&mut self, now: Moment, place: Place) -> Result<CallId, CommandError> {
        if self.draining || self.calls().count() >= self.settings.max_calls {
            return Err(CommandError::Full);
        }
        let mut ways = self.ways(place.trunk);
        if ways.is_empty() {
            return Err(CommandError::NoTrunk);
        }
        let (trunk, peer) = ways.remove(0);
        let target = self.target(trunk, place.to.reveal()).ok_or(CommandError::BadTarget)?;
        let mut negotiator = Negotiator::new(place.media.clone(), &mut self.ids);
        let offer = negotiator.offer(Direction::SendRecv);
        let built = self.build_invite(trunk, peer, &target, &place);
        let (request, peer) = built.ok_or(CommandError::NoTrunk)?;
        let request = request.with_body("application/sdp", offer.to_bytes());
        let outgoing = Outgoing {
            place,
            client: None,
            request,
            ways,
            forks: Vec::new(),
            cancelled: None,
            redirects: 0,
            challenges: 0,
            min_se_s: 0,
        };
        let mut call = Call::new(Phase::Outgoing(Box::new(outgoing)), peer, Some(trunk), true);
        call.negotiator = Some(negotiator);
        let call = self.add_call(call);
        self.start_timer(now, call, CallTimer::Ring, self.settings.ring_limit);
        self.send_invite(now, call);
        self.pump(now);
        Ok(call)
    }

    /// The servers to try, best first: of the trunk that was named, or of all that are up.
    fn ways(&self, trunk: Option<TrunkId>) -> Vec<(TrunkId, Peer)> {
        let mut ways = Vec::new();
        for (i, registration) in self.trunks.iter().enumerate() {
            let id = TrunkId(i);
            if trunk.is_some_and(|t| t != id) || (trunk.is_none() && !registration.is_up()) {
                continue;
            }
            // The server that we are registered with, then its siblings.
            let current = registration.server();
            ways.extend(current.map(|peer| (id, peer)));
            ways.extend(registration.servers().iter().filter(|s| Some(**s) != current).map(|s| (id, *s)));
        }
        ways
    }

    /// Whom a number, or a whole URI, names at a trunk.
    pub(super) fn target(&self, trunk: TrunkId, to: &str) -> Option<Uri> {
        if to.contains(':') {
            return Uri::parse(to).filter(|uri| uri.sip().is_some());
        }
        let domain = self.trunks.get(trunk.0)?.settings().registrar.sip()?;
        let number = to.trim();
        let callable = !number.is_empty() && number.bytes().all(|b| b.is_ascii_graphic());
        callable.then(|| SipUri::new(Some(number), domain.host.clone(), domain.port).into())
    }

    /// The INVITE by a trunk's server, and where it goes: to the first of the routes that the registrar gave, if it
    /// gave any (RFC 3608 6.1).
    fn build_invite(
        &mut self,
        trunk: TrunkId,
        server: Peer,
        target: &Uri,
        place: &Place,
    ) -> Option<(Request, Peer)> {
        let registration = self.trunks.get(trunk.0)?;
        let first = registration.service_route().first().and_then(|route| NameAddr::parse(route));
        let peer = first.map_or(server, |route| way_to(&route.uri, server));
        let (tag, call_id, branch) = (self.ids.tag(), self.ids.call_id(), self.ids.branch());
        let mut from = NameAddr::new(registration.settings().aor.clone()).with_tag(&tag);
        from.display = place.display.as_ref().map(|d| d.reveal().clone());
        let mut headers = Headers::default();
        for route in registration.service_route() {
            headers.push(Name::Route, route.clone());
        }
        headers.push(Name::MaxForwards, "70");
        let user = Some(registration.settings().contact_user.as_str());
        let contact = self.settings.locals.contact(user, peer, registration.public());
        headers.push(Name::Contact, NameAddr::new(contact).to_string());
        headers.push(Name::Allow, ALLOW);
        headers.push(Name::Supported, SUPPORTED);
        session_timer::write_request(&mut headers, &self.settings.session, None, 0);
        let ident = Ident {
            via: self.settings.locals.via(peer, &branch),
            from,
            to: NameAddr::new(target.clone()),
            call_id,
            cseq: CSeq { number: 1, method: Method::Invite },
        };
        let request =
            Request { method: Method::Invite, uri: target.clone(), ident, headers, body: Vec::new() };
        Some((request, peer))
    }

    /// Sends the call's INVITE, with credentials if the trunk was challenged before.
    fn send_invite(&mut self, now: Moment, call: CallId) {
        let Some(found) = self.calls.get_mut(&call) else { return };
        let (peer, trunk) = (found.peer, found.trunk);
        let Some(outgoing) = found.outgoing() else { return };
        let mut request = outgoing.request.clone();
        let challenges = outgoing.challenges;
        if challenges == 0
            && let Some(trunk) = trunk.and_then(|t| self.trunks.get_mut(t.0))
        {
            let (method, uri) = (request.method.to_string(), request.uri.to_string());
            let subject = Subject { method: &method, uri: &uri, body: &request.body };
            if let Some(line) = trunk.digest().0.and_then(|client| client.authorize(subject)) {
                // Where the last challenge came from is not known any more; a proxy's is the usual one for calls.
                request.headers.set(Name::ProxyAuthorization, line);
            }
        }
        let id = self.ask(now, Ask::Call(call, InCall::Invite), request.clone(), peer, challenges);
        match (id, self.calls.get_mut(&call).and_then(Call::outgoing)) {
            (Some(id), Some(outgoing)) => {
                outgoing.client = Some(id);
                outgoing.request = request;
            }
            _ => self.finish(call, EndReason::Unreachable),
        }
    }

    pub(super) fn on_invite_response(
        &mut self,
        now: Moment,
        call: CallId,
        id: ClientId,
        response: &Response,
        from: Peer,
    ) {
        let Some(found) = self.calls.get_mut(&call) else {
            return self.end_late_answer(now, id, response, from);
        };
        let current = found.outgoing().map(|o| o.client == Some(id));
        match (current, response.status) {
            (Some(true), status) if status.is_provisional() => self.on_ringing(now, call, response, from),
            (Some(true), status) if status.is_success() => self.on_accepted(now, call, response, from),
            (Some(true), _) => self.on_rejected(now, call, response),
            // Answered before: a copy, or another branch that was answered too.
            (_, status) if status.is_success() => self.on_further_answer(now, call, id, response, from),
            _ => {}
        }
    }

    fn on_ringing(&mut self, now: Moment, call: CallId, response: &Response, from: Peer) {
        let Some(found) = self.calls.get_mut(&call) else { return };
        let before = found.negotiator.clone();
        let Some(outgoing) = found.outgoing() else { return };
        let Some(mut dialog) = Dialog::of_client(&outgoing.request, response) else {
            return;
        };
        let known = outgoing.forks.iter().position(|f| f.dialog.matches_response(&response.ident));
        let index = match known {
            Some(index) => index,
            None if outgoing.forks.len() >= MAX_FORKS => return,
            None => {
                dialog.refresh_target(&response.headers);
                outgoing.forks.push(Fork { dialog, rseq: None, negotiator: None, preview: None });
                outgoing.forks.len() - 1
            }
        };
        let Some(fork) = outgoing.forks.get_mut(index) else { return };
        let reliable = response.headers.lists(&Name::Require, "100rel");
        let rseq = response.headers.number(&Name::RSeq).filter(|_| reliable);
        // Copies and ones out of order are not acknowledged (RFC 3262 4).
        if let (Some(last), Some(this)) = (fork.rseq, rseq)
            && this != last.wrapping_add(1)
        {
            return;
        }
        let early = early_stream(before, fork, rseq.is_some(), response, from);
        fork.rseq = rseq.or(fork.rseq);
        if let Some(rseq) = rseq {
            self.send_prack(now, call, index, rseq, response);
        }
        if response.status != Status::TRYING {
            self.tell(Event::Ringing { call, early });
        }
    }

    fn send_prack(&mut self, now: Moment, call: CallId, fork: usize, rseq: u32, response: &Response) {
        let branch = self.ids.branch();
        let Some(found) = self.calls.get_mut(&call) else { return };
        let peer = found.peer;
        let Some(fork) = found.outgoing().and_then(|o| o.forks.get_mut(fork)) else { return };
        let to = way_to(fork.dialog.next_hop(), peer);
        let mut prack = fork.dialog.request(Method::Prack, self.settings.locals.via(to, &branch));
        prack.headers.push(Name::RAck, format!("{rseq} {} INVITE", response.ident.cseq.number));
        self.ask(now, Ask::Call(call, InCall::Prack), prack, to, 0);
    }

    fn on_accepted(&mut self, now: Moment, call: CallId, response: &Response, from: Peer) {
        self.stop_timer(call, CallTimer::Ring);
        let Some(found) = self.calls.get_mut(&call) else { return };
        let Phase::Outgoing(mut outgoing) = std::mem::replace(&mut found.phase, Phase::Up) else { return };
        let fork = outgoing.forks.iter().position(|f| f.dialog.matches_response(&response.ident));
        let fork = fork.map(|i| outgoing.forks.swap_remove(i));
        let described = screen::sdp_of(&response.headers, &response.body).map(Description::parse);
        let mut negotiated = None;
        let dialog = match fork {
            Some(Fork { mut dialog, negotiator, preview, .. }) => {
                dialog.confirm(response);
                // RFC 3261 13.2.1 has the answer in the 2xx again. Some leave out there what they said before.
                negotiated = negotiator.or(preview.filter(|_| described.is_none()));
                Some(dialog)
            }
            None => Dialog::of_client(&outgoing.request, response),
        };
        let Some(dialog) = dialog else {
            // A 2xx without a tag makes no dialog: there is nobody to talk to.
            return self.finish(call, EndReason::Lost);
        };
        found.dialog = Some(dialog);
        found.peer = Peer { flow: from.flow.or(found.peer.flow), ..found.peer };
        found.can_update = response.headers.lists(&Name::Allow, "UPDATE");
        found.session = Agreed::by_response(&response.headers);
        let stream = settle(&mut found.negotiator, negotiated, described, from);
        self.send_ack(now, call, response.ident.cseq.number);
        match (outgoing.cancelled, stream) {
            // The answer crossed our CANCEL: acknowledged and hung up (RFC 3261 9.1).
            (Some(reason), _) => self.say_bye(now, call, reason),
            (None, Ok(stream)) => {
                self.session_refreshed(now, call);
                self.tell_media(call, stream);
            }
            (None, Err(why)) => self.say_bye(now, call, EndReason::Media(why)),
        }
    }

    /// A 2xx after the first: a copy of it, or another phone that was picked up too.
    fn on_further_answer(
        &mut self,
        now: Moment,
        call: CallId,
        id: ClientId,
        response: &Response,
        from: Peer,
    ) {
        let ours = self.calls.get(&call).and_then(|c| c.dialog.as_ref());
        if ours.is_some_and(|d| d.matches_response(&response.ident)) {
            return self.repeat_ack(call, response);
        }
        self.end_late_answer(now, id, response, from);
    }

    /// Acknowledges and hangs up a dialog that nobody wants: a second phone that was picked up, or an answer to
    /// a call that ended meanwhile.
    fn end_late_answer(&mut self, now: Moment, id: ClientId, response: &Response, from: Peer) {
        let Some(asked) = self.asked.get(&id).filter(|_| response.status.is_success()) else { return };
        let Some(mut dialog) = Dialog::of_client(&asked.request, response) else { return };
        let what = asked.what;
        let to = way_to(dialog.next_hop(), from);
        let (ack_branch, bye_branch) = (self.ids.branch(), self.ids.branch());
        let ack = dialog.ack(response.ident.cseq.number, self.settings.locals.via(to, &ack_branch));
        self.out.push_back(Output::Send { to, bytes: ack.to_bytes() });
        let bye = dialog.request(Method::Bye, self.settings.locals.via(to, &bye_branch));
        if let Ask::Call(_, _) = what {
            // Of no call: its answer is nobody's business.
            self.transactions.request(now, bye, to);
        }
    }

    fn on_rejected(&mut self, now: Moment, call: CallId, response: &Response) {
        let Some(outgoing) = self.calls.get_mut(&call).and_then(Call::outgoing) else { return };
        if let Some(reason) = outgoing.cancelled.take() {
            return self.finish(call, reason);
        }
        match response.status {
            Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION if self.prove_invite(now, call, response) => {
            }
            Status::INTERVAL_TOO_SMALL if self.widen_session(now, call, response) => {}
            Status::SERVICE_UNAVAILABLE | Status::SERVER_TIMEOUT if self.next_way(now, call) => {}
            status if (300..400).contains(&status.code()) && self.redirect(now, call, response) => {}
            status => self.finish(call, EndReason::Rejected(status)),
        }
    }

    fn prove_invite(&mut self, now: Moment, call: CallId, response: &Response) -> bool {
        let Some(outgoing) = self.calls.get_mut(&call).and_then(Call::outgoing) else { return false };
        if outgoing.challenges >= MAX_CHALLENGES {
            return false;
        }
        let request = outgoing.request.clone();
        let Some(mut request) = self.proven(call, &request, response) else { return false };
        request.ident.cseq.number = request.ident.cseq.number.saturating_add(1);
        let Some(outgoing) = self.calls.get_mut(&call).and_then(Call::outgoing) else { return false };
        (outgoing.request, outgoing.challenges) = (request, outgoing.challenges + 1);
        self.send_invite(now, call);
        true
    }

    /// RFC 4028 7.4: the interval was too small; once more with the one that was asked for.
    fn widen_session(&mut self, now: Moment, call: CallId, response: &Response) -> bool {
        let (wishes, branch) = (self.settings.session, self.ids.branch());
        let Some(outgoing) = self.calls.get_mut(&call).and_then(Call::outgoing) else { return false };
        let Some(min) = response.headers.number(&Name::MinSe).filter(|min| *min > outgoing.min_se_s) else {
            return false;
        };
        outgoing.min_se_s = min;
        session_timer::write_request(&mut outgoing.request.headers, &wishes, None, min);
        again(&mut outgoing.request, &branch);
        self.send_invite(now, call);
        true
    }

    /// Follows a 3xx to its first address that we can call.
    fn redirect(&mut self, now: Moment, call: CallId, response: &Response) -> bool {
        let contacts = message::addresses(&response.headers, &Name::Contact);
        let target = contacts.into_iter().map(|c| c.uri).find(|uri| uri.sip().is_some());
        let branch = self.ids.branch();
        let Some(found) = self.calls.get_mut(&call) else { return false };
        let peer = found.peer;
        let (Some(target), Some(outgoing)) = (target, found.outgoing()) else { return false };
        if outgoing.redirects >= MAX_REDIRECTS || outgoing.request.uri.is_same(&target) {
            return false;
        }
        outgoing.redirects += 1;
        outgoing.request.uri = target.clone();
        again(&mut outgoing.request, &branch);
        // Towards the trunk, whose business it is to reach what it named; unless it named an address.
        let to = way_to(&target, peer);
        outgoing.request.ident.via = self.settings.locals.via(to, &branch);
        found.peer = to;
        self.send_invite(now, call);
        true
    }

    /// Tries the next server, or the next trunk.
    fn next_way(&mut self, now: Moment, call: CallId) -> bool {
        let Some(outgoing) = self.calls.get_mut(&call).and_then(Call::outgoing) else { return false };
        if outgoing.ways.is_empty() {
            return false;
        }
        let (trunk, peer) = outgoing.ways.remove(0);
        let (place, body) = (outgoing.place.clone(), outgoing.request.body.clone());
        let Some(target) = self.target(trunk, place.to.reveal()) else { return false };
        // A new call to that server, Call-ID and all: it may know the old one as failed.
        let Some((request, peer)) = self.build_invite(trunk, peer, &target, &place) else { return false };
        let request = request.with_body("application/sdp", body);
        let Some(found) = self.calls.get_mut(&call) else { return false };
        (found.trunk, found.peer) = (Some(trunk), peer);
        if let Some(outgoing) = found.outgoing() {
            (outgoing.request, outgoing.challenges) = (request, 0);
            outgoing.forks.clear();
        }
        self.send_invite(now, call);
        true
    }

    pub(super) fn on_invite_failed(&mut self, now: Moment, call: CallId, why: Failure) {
        let Some(outgoing) = self.calls.get_mut(&call).and_then(Call::outgoing) else { return };
        if let Some(reason) = outgoing.cancelled.take() {
            return self.finish(call, reason);
        }
        if !self.next_way(now, call) {
            let reason = match why {
                Failure::TimedOut => EndReason::NoAnswer,
                Failure::Unreachable => EndReason::Unreachable,
            };
            self.finish(call, reason);
        }
    }

    /// Gives a call up that was not answered yet.
    pub(super) fn cancel_call(&mut self, now: Moment, call: CallId, reason: EndReason) {
        self.stop_timer(call, CallTimer::Ring);
        let Some(outgoing) = self.calls.get_mut(&call).and_then(Call::outgoing) else { return };
        outgoing.cancelled.get_or_insert(reason);
        if let Some(client) = outgoing.client {
            self.transactions.cancel(now, client);
        }
    }

    pub(super) fn on_ring_limit(&mut self, now: Moment, call: CallId) {
        match self.calls.get(&call).map(|c| &c.phase) {
            Some(Phase::Incoming(_)) => {
                self.refuse_call(now, call, Status::TEMPORARILY_UNAVAILABLE, EndReason::NoAnswer);
            }
            Some(Phase::Outgoing(_)) => self.cancel_call(now, call, EndReason::NoAnswer),
            _ => {}
        }
    }
}

/// The same request under a new branch and number.
fn again(request: &mut Request, branch: &str) {
    request.ident.via.params.set("branch", Some(branch.to_owned()));
    request.ident.cseq.number = request.ident.cseq.number.saturating_add(1);
    request.headers.remove(&Name::Authorization);
    request.headers.remove(&Name::ProxyAuthorization);
}

/// What is to be heard before the answer. A reliable description is the answer to our offer and stays; any
/// other is a preview (RFC 3261 13.2.1).
fn early_stream(
    offered: Option<Negotiator>,
    fork: &mut Fork,
    reliable: bool,
    response: &Response,
    from: Peer,
) -> Option<Stream> {
    let described = Description::parse(screen::sdp_of(&response.headers, &response.body)?).ok()?;
    if let Some(settled) = &fork.negotiator {
        return settled.stream().cloned();
    }
    let mut negotiator = offered?;
    let stream = negotiator.accept(&described, from.addr.ip()).ok()?;
    let kept = if reliable { &mut fork.negotiator } else { &mut fork.preview };
    *kept = Some(negotiator);
    Some(stream)
}

/// What was agreed when the 2xx came: by itself, or by a reliable answer before it.
fn settle(
    negotiator: &mut Option<Negotiator>,
    early: Option<Negotiator>,
    described: Option<Result<Description, crate::sdp::Unusable>>,
    from: Peer,
) -> Result<Stream, Refusal> {
    if let Some(early) = early {
        let stream = early.stream().cloned().ok_or(Refusal::OutOfStep);
        *negotiator = Some(early);
        return stream;
    }
    let ours = negotiator.as_mut().ok_or(Refusal::OutOfStep)?;
    match described {
        Some(Ok(answer)) => ours.accept(&answer, from.addr.ip()),
        Some(Err(_)) | None => Err(Refusal::NoAudio),
    }
}
