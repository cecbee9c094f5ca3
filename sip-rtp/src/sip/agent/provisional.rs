//! What is said before the answer: ringing, early media, and the reliable kind of both (RFC 3262).

use super::call::Reliable;
use super::inbound::dialog_response;
use super::{Agent, CallId, CallTimer, CommandError, EndReason, Output};
use crate::sdp::Description;
use crate::sdp::negotiate::{LocalMedia, Refusal};
use crate::sip::header::Name;
use crate::sip::message::{Request, Response};
use crate::sip::status::Status;
use crate::sip::transaction::ServerId;
use crate::sip::transport::Peer;
use offhook_units::Moment;

impl Agent {
    /// Says that it rings.
    ///
    /// # Errors
    /// [`CommandError`] when nobody waits for that.
    pub fn ring(&mut self, now: Moment, call: CallId) -> Result<(), CommandError> {
        self.provisional(now, call, Status::RINGING, None)
    }

    /// Says that there is something to hear before the answer, and where it is sent.
    ///
    /// # Errors
    /// [`CommandError`] when nobody waits for that. Media that do not agree end the call instead.
    pub fn progress(&mut self, now: Moment, call: CallId, media: LocalMedia) -> Result<(), CommandError> {
        self.provisional(now, call, Status::SESSION_PROGRESS, Some(media))
    }

    fn provisional(
        &mut self,
        now: Moment,
        call: CallId,
        status: Status,
        media: Option<LocalMedia>,
    ) -> Result<(), CommandError> {
        let found = self.calls.get_mut(&call).ok_or(CommandError::NoSuchCall)?;
        let peer = found.peer;
        let incoming = found.incoming().ok_or(CommandError::WrongState)?;
        // One at a time: the next waits for the PRACK of the last.
        if incoming.reliable.is_some() {
            return Err(CommandError::Busy);
        }
        let headers = &incoming.request.headers;
        let needed = headers.lists(&Name::Require, "100rel");
        let reliable = needed || (media.is_some() && headers.lists(&Name::Supported, "100rel"));
        let offered = !incoming.request.body.is_empty();
        let mut response = dialog_response(&incoming.request, status, &incoming.tag);
        let mut early = None;
        // An offer of ours may only stand in a reliable answer (RFC 3262 5).
        if let Some(media) = media.filter(|_| offered || reliable) {
            match self.describe(call, media) {
                Ok(described) => {
                    if let Some(text) = described.text() {
                        response = response.with_body("application/sdp", text.to_bytes());
                    }
                    early = described.stream();
                }
                Err(why) => {
                    self.refuse_call(now, call, Status::NOT_ACCEPTABLE_HERE, EndReason::Media(why));
                    self.pump(now);
                    return Ok(());
                }
            }
        }
        let public = self.public_of(call);
        self.dress(&mut response.headers, peer, public);
        self.send_provisional(now, call, response, reliable);
        if let Some(stream) = early {
            self.tell_media(call, stream);
        }
        self.pump(now);
        Ok(())
    }

    fn send_provisional(&mut self, now: Moment, call: CallId, mut response: Response, reliable: bool) {
        let times = self.settings.times;
        let first = u32::try_from(self.ids.below(1 << 30)).unwrap_or(0) + 1;
        let Some(incoming) = self.calls.get_mut(&call).and_then(|c| c.incoming()) else { return };
        if reliable {
            incoming.rseq = if incoming.rseq == 0 { first } else { incoming.rseq + 1 };
            response = response.with(Name::Require, "100rel").with(Name::RSeq, incoming.rseq.to_string());
            incoming.reliable = Some(Reliable { response: response.clone(), gap: times.t1 });
        }
        let server = incoming.server;
        self.transactions.respond(now, server, &response);
        if reliable {
            self.start_timer(now, call, CallTimer::RepeatReliable, times.t1);
            self.start_timer(now, call, CallTimer::NoPrack, times.patience());
        }
    }

    pub(super) fn repeat_reliable(&mut self, now: Moment, call: CallId) {
        let Some(incoming) = self.calls.get_mut(&call).and_then(|c| c.incoming()) else { return };
        let server = incoming.server;
        let Some(reliable) = &mut incoming.reliable else { return };
        // Doubles without a bound of its own; 64·T1 ends it (RFC 3262 3).
        reliable.gap = reliable.gap + reliable.gap;
        let (gap, bytes) = (reliable.gap, reliable.response.to_bytes());
        if let Some(to) = self.transactions.peer_of(server) {
            self.out.push_back(Output::Send { to, bytes });
        }
        self.start_timer(now, call, CallTimer::RepeatReliable, gap);
    }

    pub(super) fn on_no_prack(&mut self, now: Moment, call: CallId) {
        // RFC 3262 3: a 5xx, as the caller does not hear us.
        self.refuse_call(now, call, Status::SERVER_TIMEOUT, EndReason::NotAcknowledged);
    }

    /// A PRACK, in the dialog of `call`.
    pub(super) fn on_prack(&mut self, now: Moment, id: ServerId, call: CallId, prack: &Request, from: Peer) {
        let Some(found) = self.calls.get_mut(&call) else { return };
        let acknowledged = found.incoming().is_some_and(|incoming| {
            let number = incoming.request.ident.cseq.number;
            let expected = format!("{} {number} INVITE", incoming.rseq);
            let words: Vec<_> =
                prack.headers.get(&Name::RAck).unwrap_or("").split_ascii_whitespace().collect();
            incoming.reliable.is_some() && words.join(" ") == expected
        });
        if !acknowledged {
            return self.refuse(now, id, prack.response(Status::NO_SUCH_CALL));
        }
        let want = found.want;
        let mut response = prack.response(Status::OK);
        let described = super::screen::sdp_of(&prack.headers, &prack.body).map(Description::parse);
        let media = match (described, found.negotiator.as_mut()) {
            (Some(Ok(answer)), Some(negotiator)) if negotiator.is_waiting() => {
                Some(negotiator.accept(&answer, from.addr.ip()))
            }
            (Some(Ok(offer)), Some(negotiator)) => {
                let answered = negotiator.answer(&offer, want, from.addr.ip());
                let (text, media) = match answered {
                    Ok((text, stream)) => (text, Ok(stream)),
                    Err(why) => (negotiator.decline(&offer), Err(why)),
                };
                response = response.with_body("application/sdp", text.to_bytes());
                Some(media)
            }
            (Some(Err(_)), Some(_)) => Some(Err(Refusal::NoAudio)),
            _ => None,
        };
        let early = match media.transpose() {
            Ok(early) => early,
            Err(why) => {
                // A PRACK acknowledges, whatever it offers: 200, and then the call is over (RFC 6337 2.3).
                self.transactions.respond(now, id, &response);
                return self.refuse_call(now, call, Status::NOT_ACCEPTABLE_HERE, EndReason::Media(why));
            }
        };
        let agreed = found.negotiator.as_ref().is_some_and(|negotiator| negotiator.stream().is_some());
        let waiting = found.incoming().and_then(|incoming| {
            let described = incoming.reliable.take().is_some_and(|sent| !sent.response.body.is_empty());
            incoming.settled |= described && agreed;
            incoming.answer.take()
        });
        self.stop_timer(call, CallTimer::RepeatReliable);
        self.stop_timer(call, CallTimer::NoPrack);
        self.transactions.respond(now, id, &response);
        if let Some(stream) = early {
            self.tell_media(call, stream);
        }
        if let Some(media) = waiting {
            self.answer_now(now, call, media);
        }
    }
}
