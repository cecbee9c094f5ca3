//! The service that does all of it, in a session: its events become the conversation's, and the device steps in where it
//! owes the caller an answer.

use super::{Output, Session, SessionEvent};
use crate::all_in_one::{AllInOneEvent, AllInOneOutput, AllInOneService, AllInOneSettings};
use crate::failure::Breaker;
use crate::transport::{ConnId, FromNet, Part};
use crate::wire::resample::Resampler;
use offhook_units::{Moment, Pii, Span};

/// The caller who speaks after the service was away for so long is not heard by it: what it missed does not fit into what
/// is kept for it.
const AWAY: Span = Span::from_millis(1_000);
/// And when the connection is lost so soon behind the caller's words, and nothing came since they began, nobody heard them.
const UNHEARD: Span = Span::from_millis(5_000);

/// The service, and the caller's way to it.
#[derive(Debug)]
pub(super) struct AllInOne {
    pub(super) service: AllInOneService,
    to_service: Resampler,
    caller_speaks: bool,
    /// When the caller fell silent, if nothing has come since the caller began to speak.
    unheard: Option<Moment>,
    /// Something came since then.
    is_there: bool,
}

impl AllInOne {
    pub(super) fn new(service: AllInOneSettings, breaker: Breaker, seed: u64, rate_hz: u32) -> Self {
        let service = AllInOneService::new(service, breaker, seed, rate_hz);
        Self {
            to_service: Resampler::new(rate_hz, service.rate_hz()),
            service,
            caller_speaks: false,
            unheard: None,
            is_there: true,
        }
    }

    pub(super) fn hear(&mut self, now: Moment, samples: &[i16]) {
        let mut converted = Vec::new();
        self.to_service.put(samples, &mut converted);
        self.service.hear(now, &converted);
    }

    /// True when the caller has said something that the service did not hear.
    pub(super) fn caller_speaks(&mut self, now: Moment, speaks: bool) -> bool {
        let was = std::mem::replace(&mut self.caller_speaks, speaks);
        if speaks && !was {
            (self.unheard, self.is_there) = (None, false);
            self.service.probe();
        }
        let falls_silent = was && !speaks;
        if falls_silent && !self.is_there {
            self.unheard = Some(now);
        }
        falls_silent && self.service.away_since().is_some_and(|since| now.since(since) >= AWAY)
    }

    pub(super) fn handle_net(&mut self, now: Moment, conn: ConnId, message: FromNet) {
        if matches!(message, FromNet::Text(_) | FromNet::Binary(_)) {
            (self.unheard, self.is_there) = (None, true);
        }
        self.service.handle_net(now, conn, message);
    }

    /// The connection is lost. True when the caller has just said something that was lost with it.
    fn is_lost(&mut self, now: Moment) -> bool {
        self.unheard.take().is_some_and(|at| now.since(at) <= UNHEARD)
    }
}

impl Session {
    /// Whether [`Session::take_connection`] would take one.
    pub fn wants_connection(&self) -> bool {
        self.all_in_one.as_ref().is_some_and(|all| all.service.wants_connection())
    }

    /// A connection to the all-in-one service that is open already. Gives the number that it has from now on; `None`
    /// when this session wants none. What came on it before is handed in as if it came now.
    pub fn take_connection(&mut self, now: Moment) -> Option<ConnId> {
        self.all_in_one.as_mut()?.service.take(now)
    }

    /// The service that does all of it is told, if it is its voice that stops.
    pub(super) fn cancel_service(&mut self, now: Moment, heard: u64) {
        if self.speaking.is_foreign()
            && let Some(all) = &mut self.all_in_one
        {
            all.service.cancel(now, self.speaking.heard_of_turn(heard));
        }
    }

    pub(super) fn served(&mut self, now: Moment, output: AllInOneOutput) {
        let event = match output {
            AllInOneOutput::Net(net) => return self.out.push_back(Output::Net(net)),
            AllInOneOutput::Event(event) => event,
        };
        match event {
            AllInOneEvent::Interim(text) => self.event(SessionEvent::Interim(Pii::new(text))),
            AllInOneEvent::Transcript(text) => {
                // The service has taken the caller's turn: what we still had to say is over.
                self.flush(now);
                self.conversation.note_utterance(&text);
                self.event(SessionEvent::Utterance(Pii::new(text)));
                self.event(SessionEvent::Asked);
            }
            AllInOneEvent::Asked => {
                self.conversation.service_asked();
                self.event(SessionEvent::Asked);
            }
            AllInOneEvent::Heard(text) => {
                self.conversation.note_late(&text);
                self.event(SessionEvent::Utterance(Pii::new(text)));
            }
            AllInOneEvent::Taken => {
                if self.speaking.is_foreign()
                    && let Some(all) = &mut self.all_in_one
                {
                    all.service.overtaken(now, self.speaking.heard_of_turn(self.heard));
                }
                self.flush(now);
            }
            AllInOneEvent::Begins => self.service_begins(now),
            AllInOneEvent::Words(text) => self.speaking.foreign_words(now, &text),
            AllInOneEvent::Audio(samples) => {
                let rate_hz = self.all_in_one.as_ref().map_or(0, |all| all.service.rate_hz());
                self.speaking.foreign_audio(now, &samples, rate_hz);
            }
            AllInOneEvent::Pauses => self.speaking.foreign_pauses(now),
            AllInOneEvent::FallsSilent => self.speaking.foreign_falls_silent(now),
            AllInOneEvent::Ends => self.speaking.foreign_end(now),
            AllInOneEvent::Expires => self.speaking.foreign_expires(now),
            AllInOneEvent::Breaks { written } => {
                if self.speaking.is_foreign() && !written {
                    self.conversation.service_broke_off();
                }
                self.speaking.foreign_break(now);
            }
            AllInOneEvent::Anew => {
                let history = self.conversation.messages();
                if let Some(all) = &mut self.all_in_one {
                    all.service.remind(now, &history);
                }
            }
            AllInOneEvent::Ungreeted(text) => {
                self.flush(now);
                self.conversation.say(&text);
            }
            AllInOneEvent::Complaint(fault) => self.event(SessionEvent::Fault(Part::AllInOne, fault)),
            AllInOneEvent::Fault(fault) => {
                self.event(SessionEvent::Fault(Part::AllInOne, fault));
                self.conversation.service_failed();
                let in_vain = self.all_in_one.as_mut().is_some_and(|all| all.is_lost(now));
                if in_vain && !self.speaking.is_speaking() {
                    self.conversation.not_understood();
                }
            }
        }
    }

    fn service_begins(&mut self, now: Moment) {
        if self.speaking.foreign_is_stood_in_for() {
            return self.service_goes_on(now);
        }
        if !self.speaking.foreign_may_go_on() {
            // The device, with an apology or a prompt.
            self.flush(now);
        }
        let is_new = self.speaking.begin_foreign(now);
        self.conversation.service_answers(is_new);
        if is_new {
            if let Some(all) = &mut self.all_in_one {
                all.service.turn_begins();
            }
            self.event(SessionEvent::FirstToken);
            self.event(SessionEvent::TurnBegins);
            // Its words and its voice are one.
            self.event(SessionEvent::TextSent);
        }
    }

    /// It is at its next turn while the device says the rest of the one before, of which nothing may be lost: the device
    /// says both.
    fn service_goes_on(&mut self, now: Moment) {
        self.speaking.foreign_follows(now);
        self.conversation.service_answers(false);
        if let Some(all) = &mut self.all_in_one {
            all.service.leaves_alone(now);
        }
    }
}

#[cfg(test)]
mod tests;
