//! Services that listen, think and speak by themselves: a call's connection to one, whichever it is. It is made, lost and
//! made again here, and keeps what the caller says meanwhile; what is said on it is its protocol's (`protocol`).
//!
//! ```text
//! caller's samples ─► kept while there is no connection ─► Protocol ─► messages ─► connection
//! events ◄─────────────────────────────────────────────── Protocol ◄─ messages ◄─┘
//! ```

mod protocol;

use crate::failure::{Breaker, Fault, Passing};
use crate::lifeline::{Due, Lifeline};
use crate::llm::Role;
use crate::realtime::{Realtime, RealtimeSettings};
use crate::transport::{ConnId, FromNet, Part, ToNet};
use crate::truevoice::{TrueVoice, TrueVoiceSettings};
use offhook_units::{Moment, Span};
pub(crate) use protocol::{Protocol, Said};
use std::collections::VecDeque;

/// Which of them.
#[derive(Clone, Debug, PartialEq)]
pub enum AllInOneSettings {
    /// The project's own.
    TrueVoice(TrueVoiceSettings),
    /// OpenAI's, and what copies it.
    Realtime(RealtimeSettings),
}

impl From<TrueVoiceSettings> for AllInOneSettings {
    fn from(settings: TrueVoiceSettings) -> Self {
        Self::TrueVoice(settings)
    }
}

impl From<RealtimeSettings> for AllInOneSettings {
    fn from(settings: RealtimeSettings) -> Self {
        Self::Realtime(settings)
    }
}

/// What comes out.
#[derive(Clone, Debug, PartialEq)]
pub enum AllInOneOutput {
    /// For the network.
    Net(ToNet),
    /// For the session.
    Event(AllInOneEvent),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllInOneEvent {
    /// The caller seems to have said this; more may follow.
    Interim(String),
    /// The caller said this, and it is the caller's turn: whatever we were saying is over, and the service answers.
    Transcript(String),
    /// The caller has spoken, and the service answers.
    Asked,
    /// That was what the caller said. It may come when the answer is heard already, and changes nothing.
    Heard(String),
    /// It was the caller's turn: whatever we were saying is over.
    Taken,
    /// Our turn begins: with its first word or its first sound.
    Begins,
    /// The next words of our turn.
    Words(String),
    /// The next samples of our turn, at [`AllInOneService::rate_hz`].
    Audio(Vec<i16>),
    /// All words of our turn came and no more audio does: it may be complete, or the service has fallen silent.
    /// [`AllInOneService::heard_out`] tells which.
    Pauses,
    /// No more audio of our turn comes, as [`AllInOneService::leaves_alone`] told, but its words still do.
    FallsSilent,
    /// Our turn is complete: all of its audio came, or all of its words where they are said by others.
    Ends,
    /// Nobody has told soon enough what [`AllInOneEvent::Pauses`] asked: it has to be told now, or our turn ends.
    Expires,
    /// No more of our turn comes, and it is not complete.
    Breaks {
        /// All of its words came.
        written: bool,
    },
    /// The service knows nothing of what was said so far; [`AllInOneService::remind`] tells it.
    Anew,
    /// The service was to say this to begin with, and does not.
    Ungreeted(String),
    /// The service did not like something, and goes on.
    Complaint(Fault),
    /// The service failed. It is tried again by itself.
    Fault(Fault),
}

/// Audio goes up in pieces of this.
const PIECE_MS: u32 = 20;
/// So much of the caller is kept for a connection that is not there yet.
const KEPT_MS: u32 = 1_000;

/// The machine of one call. Calling order: [`AllInOneService::open`] or [`AllInOneService::take`],
/// [`AllInOneService::hear`] for all of the caller's audio, [`AllInOneService::cancel`] when the caller breaks in,
/// [`AllInOneService::shut`] at hang-up.
#[derive(Debug)]
pub struct AllInOneService {
    protocol: Box<dyn Protocol>,
    /// Open only when all is agreed that the protocol has to agree upon,
    line: Lifeline,
    /// though messages go as soon as there is a connection.
    is_up: bool,
    waiting: Vec<i16>,
    /// Since when there is no connection and should be one.
    away: Option<Moment>,
    out: VecDeque<AllInOneOutput>,
}

impl AllInOneService {
    /// Not connected yet, for a call at `rate_hz`. `breaker` is shared by all calls, `seed` is not.
    pub fn new(settings: AllInOneSettings, breaker: Breaker, seed: u64, rate_hz: u32) -> Self {
        let protocol: Box<dyn Protocol> = match settings {
            AllInOneSettings::TrueVoice(settings) => Box::new(TrueVoice::new(settings)),
            AllInOneSettings::Realtime(settings) => Box::new(Realtime::new(settings, rate_hz)),
        };
        Self {
            protocol,
            line: Lifeline::new(Part::AllInOne, breaker, seed),
            is_up: false,
            waiting: Vec::new(),
            away: None,
            out: VecDeque::new(),
        }
    }

    /// Samples a second, both ways.
    pub fn rate_hz(&self) -> u32 {
        self.protocol.rate_hz()
    }

    /// Connects.
    pub fn open(&mut self, now: Moment) {
        if self.line.is_shut() {
            self.away = Some(now);
            self.protocol.wanted(now);
            self.connect(now);
            if self.line.held().is_none() {
                // Nobody may try now: what the service was to say first is not waited for.
                self.protocol.broken();
                self.settle(now);
            }
        }
    }

    /// Whether it would [`AllInOneService::take`] a connection: before the first one, and while it waits to try again.
    pub fn wants_connection(&self) -> bool {
        self.protocol.takes_warm() && self.line.takes_another()
    }

    /// A connection that is open already, from the pool: gives the number that it has from now on, or `None` when
    /// none is wanted.
    pub fn take(&mut self, now: Moment) -> Option<ConnId> {
        if !self.wants_connection() {
            return None;
        }
        let conn = self.line.take(now);
        self.is_up = true;
        self.protocol.opened();
        self.settle(now);
        Some(conn)
    }

    /// The caller relies on it now: should nobody be there, that is known soon.
    pub fn probe(&mut self) {
        if self.line.open().is_some() {
            self.send(ToNet::Probe);
        }
    }

    /// Since when there is no connection, if there should be one.
    pub const fn away_since(&self) -> Option<Moment> {
        self.away
    }

    /// The next audio of the caller; silence too, since the service decides where an utterance ends.
    pub fn hear(&mut self, now: Moment, samples: &[i16]) {
        self.waiting.extend_from_slice(samples);
        let frames = |ms: u32| (self.rate_hz() / 1000 * ms) as usize;
        let (piece, kept) = (frames(PIECE_MS), frames(KEPT_MS));
        if self.line.open().is_some() {
            let whole = self.waiting.len() - self.waiting.len() % piece;
            let part: Vec<i16> = self.waiting.drain(..whole).collect();
            if !part.is_empty() {
                self.protocol.hear(&part);
                self.settle(now);
            }
        } else {
            let excess = self.waiting.len().saturating_sub(kept);
            self.waiting.drain(..excess);
        }
    }

    /// The caller breaks in, or a command stops the voice: so much of our turn was heard, and nothing more of it comes
    /// out.
    pub fn cancel(&mut self, now: Moment, heard: Span) {
        self.protocol.cancel(now, heard);
        self.settle(now);
    }

    /// A turn of ours is over since the service has begun the next one: so much of it was heard.
    pub fn overtaken(&mut self, now: Moment, heard: Span) {
        self.protocol.overtaken(heard);
        self.settle(now);
    }

    /// Whether all words of our turn were heard, of which [`AllInOneEvent::Pauses`] told.
    pub fn heard_out(&mut self, now: Moment, is_all: bool) {
        self.protocol.heard_out(is_all);
        self.settle(now);
    }

    /// The caller hears nothing more of our turn in the middle of a sentence, and others can say its words; or they still
    /// say those of the one before. No more of its audio is wanted.
    pub fn leaves_alone(&mut self, now: Moment) {
        self.protocol.leaves_alone(now);
        self.settle(now);
    }

    /// What [`AllInOneEvent::Begins`] told is a turn of its own, and does not go on with the one before.
    pub fn turn_begins(&mut self) {
        self.protocol.turn_begins();
    }

    /// What was said so far, for a service that asked by [`AllInOneEvent::Anew`].
    pub fn remind(&mut self, now: Moment, history: &[(Role, String)]) {
        self.protocol.remind(now, history);
        self.settle(now);
    }

    /// The call is over.
    pub fn shut(&mut self) {
        let conn = self.line.shut();
        self.close(conn);
        self.away = None;
        self.protocol.clear();
        self.waiting.clear();
    }

    /// Takes what came for a connection.
    pub fn handle_net(&mut self, now: Moment, conn: ConnId, what: FromNet) {
        if self.line.held() != Some(conn) {
            return;
        }
        match what {
            FromNet::Opened => {
                if !std::mem::replace(&mut self.is_up, true) {
                    self.protocol.opened();
                }
            }
            FromNet::Text(text) => self.protocol.text(now, &text),
            FromNet::Binary(bytes) => self.protocol.binary(now, &bytes),
            FromNet::Closed(closed) => self.failed(now, Fault::of_close(&closed)),
        }
        self.settle(now);
    }

    /// The time has come that [`AllInOneService::poll_timeout`] gave.
    pub fn handle_timeout(&mut self, now: Moment) {
        match self.line.due(now) {
            Some(Due::Connect) => self.connect(now),
            Some(Due::GiveUp) => self.failed(now, Fault::Passing(Passing::Silent)),
            None => {}
        }
        self.protocol.handle_timeout(now);
        self.settle(now);
    }

    /// When [`AllInOneService::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Moment> {
        [self.line.poll_timeout(), self.protocol.poll_timeout()].into_iter().flatten().min()
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<AllInOneOutput> {
        self.out.pop_front()
    }

    /// Does what the protocol says.
    fn settle(&mut self, now: Moment) {
        while let Some(said) = self.protocol.poll() {
            match said {
                Said::Text(text) => self.send(|conn| ToNet::Text(conn, text)),
                Said::Binary(bytes) => self.send(|conn| ToNet::Binary(conn, bytes)),
                Said::Event(event) => self.out.push_back(AllInOneOutput::Event(event)),
                Said::Ready => {
                    if self.is_up && self.line.open().is_none() {
                        self.line.opened(now);
                        self.away = None;
                        self.hear(now, &[]);
                        // It may have waited for long, and the caller may speak already.
                        self.probe();
                    }
                }
                Said::Worked => self.line.worked(),
                Said::Failed(fault) => self.failed(now, fault),
            }
        }
    }

    fn send(&mut self, message: impl FnOnce(ConnId) -> ToNet) {
        if let Some(conn) = self.line.held().filter(|_| self.is_up) {
            self.out.push_back(AllInOneOutput::Net(message(conn)));
        }
    }

    fn connect(&mut self, now: Moment) {
        if let Some(conn) = self.line.connect(now) {
            self.out.push_back(AllInOneOutput::Net(ToNet::Open(conn, self.protocol.request())));
        }
    }

    fn close(&mut self, conn: Option<ConnId>) {
        self.is_up = false;
        self.out.extend(conn.map(|conn| AllInOneOutput::Net(ToNet::Close(conn))));
    }

    fn failed(&mut self, now: Moment, fault: Fault) {
        // An old connection that is closed is no sign of trouble.
        let was_idle = self.line.was_idle(now, fault);
        let conn = if was_idle { self.line.shut() } else { self.line.failed(now, fault) };
        self.close(conn);
        self.away = self.away.or(Some(now));
        self.protocol.broken();
        self.settle(now);
        self.out.push_back(AllInOneOutput::Event(AllInOneEvent::Fault(fault)));
        if was_idle {
            self.connect(now);
        }
    }
}
