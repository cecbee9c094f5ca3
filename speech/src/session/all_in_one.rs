//! The service that does all of it, in a session: its events become the conversation's, and the device steps in where it
//! owes the caller an answer.

use super::{Output, Session, SessionEvent};
use crate::failure::Breaker;
use crate::transport::{ConnId, FromNet, Part};
use crate::truevoice::{self, TrueVoice, TrueVoiceEvent, TrueVoiceOutput, TrueVoiceSettings};
use crate::wire::resample::Resampler;
use offhook_units::{Moment, Pii, Span};

/// The caller who speaks after the service was away for so long is not heard by it: what it missed does not fit into what
/// is kept for it.
const AWAY: Span = Span::from_millis(1_000);

/// The service, and the caller's way to it.
#[derive(Debug)]
pub(super) struct AllInOne {
    service: TrueVoice,
    to_service: Resampler,
    caller_speaks: bool,
}

impl AllInOne {
    pub(super) fn new(service: TrueVoiceSettings, breaker: Breaker, seed: u64, rate_hz: u32) -> Self {
        Self {
            service: TrueVoice::new(service, breaker, seed),
            to_service: Resampler::new(rate_hz, truevoice::RATE_HZ),
            caller_speaks: false,
        }
    }

    pub(super) fn open(&mut self, now: Moment) {
        self.service.open(now);
    }

    pub(super) fn hear(&mut self, samples: &[i16]) {
        let mut converted = Vec::new();
        self.to_service.put(samples, &mut converted);
        self.service.hear(&converted);
    }

    /// True when the caller has said something that the service did not hear.
    pub(super) fn caller_speaks(&mut self, now: Moment, speaks: bool) -> bool {
        let was = std::mem::replace(&mut self.caller_speaks, speaks);
        was && !speaks && self.service.away_since().is_some_and(|since| now.since(since) >= AWAY)
    }

    pub(super) fn cancel(&mut self, now: Moment) {
        self.service.cancel(now);
    }

    pub(super) fn shut(&mut self) {
        self.service.shut();
    }

    pub(super) fn handle_net(&mut self, now: Moment, conn: ConnId, what: FromNet) {
        self.service.handle_net(now, conn, what);
    }

    pub(super) fn handle_timeout(&mut self, now: Moment) {
        self.service.handle_timeout(now);
    }

    pub(super) fn poll_timeout(&self) -> Option<Moment> {
        self.service.poll_timeout()
    }

    pub(super) fn poll_output(&mut self) -> Option<TrueVoiceOutput> {
        self.service.poll_output()
    }
}

impl Session {
    /// Whether [`Session::take_connection`] would take one.
    pub fn wants_connection(&self) -> bool {
        self.all_in_one.as_ref().is_some_and(|all| all.service.wants_connection())
    }

    /// A connection to the all-in-one service that is open already. Gives the number that it has from now on; `None`
    /// when this session wants none. What came on it before is handed in as if it came now.
    pub fn take_connection(&mut self) -> Option<ConnId> {
        self.all_in_one.as_mut()?.service.take()
    }

    pub(super) fn served(&mut self, now: Moment, output: TrueVoiceOutput) {
        let event = match output {
            TrueVoiceOutput::Net(net) => return self.out.push_back(Output::Net(net)),
            TrueVoiceOutput::Event(event) => event,
        };
        match event {
            TrueVoiceEvent::Interim(text) => self.event(SessionEvent::Interim(Pii::new(text))),
            TrueVoiceEvent::Transcript(text) => {
                // The service has taken the caller's turn: what we still had to say is over.
                self.flush(now);
                self.conversation.note_utterance(&text);
                self.event(SessionEvent::Utterance(Pii::new(text)));
                self.event(SessionEvent::Asked);
            }
            TrueVoiceEvent::Begins => self.service_begins(now),
            TrueVoiceEvent::Words(text) => self.speaking.foreign_words(&text),
            TrueVoiceEvent::Audio(samples) => self.speaking.foreign_audio(now, &samples, truevoice::RATE_HZ),
            TrueVoiceEvent::Ends => self.speaking.foreign_end(now),
            TrueVoiceEvent::Breaks => self.speaking.foreign_break(now),
            TrueVoiceEvent::Fault(fault) => {
                self.event(SessionEvent::Fault(Part::AllInOne, fault));
                self.conversation.service_failed();
            }
        }
    }

    fn service_begins(&mut self, now: Moment) {
        self.conversation.service_answers();
        if !self.speaking.foreign_may_go_on() {
            // The device, with an apology or with the rest of what the service broke off.
            self.flush(now);
        }
        if self.speaking.begin_foreign(now) {
            self.event(SessionEvent::FirstToken);
            self.event(SessionEvent::TurnBegins);
            // Its words and its voice are one.
            self.event(SessionEvent::TextSent);
        }
    }
}

#[cfg(test)]
mod tests;
