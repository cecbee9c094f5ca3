//! TrueVoice, the all-in-one service: the caller's audio up, words and speech down, on one WebSocket
//! (`/ws/conversation`). What its description leaves open is decided in `docs/truevoice.md`; this reads either answer.
//!
//! ```text
//! up:   PCM16 16 kHz, silence too · {"type":"cancel"} when the caller breaks in
//! down: transcript · llm_token … · llm_done · PCM16 16 kHz · optional: audio_start, audio_end, error
//! ```

mod pool;
mod read;
mod turns;

pub use pool::{Pool, PoolSettings, Warm};

use crate::failure::{Backoff, Breaker, Fault, Passing};
use crate::transport::{ConnId, FromNet, Part, Request, ToNet};
use crate::wire::audio::to_bytes;
use crate::wire::url::{Scheme, Url};
use offhook_units::{Moment, Pii, Span};
use read::{Message, message};
use std::collections::VecDeque;
use turns::Turns;

/// The service's rate, both ways.
pub const RATE_HZ: u32 = 16_000;

/// Where TrueVoice is.
#[derive(Clone, Debug, PartialEq)]
pub struct TrueVoiceSettings {
    /// The service's address; `/ws/conversation` is appended unless the address has a path of its own.
    pub url: Url,
    /// The key, for the `X-API-Key` header and as a bearer token.
    pub key: Option<Pii<String>>,
}

impl TrueVoiceSettings {
    /// The upgrade.
    fn request(&self) -> Request {
        let url = self.url.with_scheme(Scheme::Ws, Scheme::Wss);
        let url = if url.target() == "/" { url.join("ws/conversation") } else { url };
        let request = Request::web_socket(url);
        match &self.key {
            Some(key) => request
                .header("X-API-Key", key)
                .header("Authorization", &Pii::new(format!("Bearer {}", key.reveal()))),
            None => request,
        }
    }
}

/// What comes out.
#[derive(Clone, Debug, PartialEq)]
pub enum TrueVoiceOutput {
    /// For the network.
    Net(ToNet),
    /// For the session.
    Event(TrueVoiceEvent),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrueVoiceEvent {
    /// The caller seems to have said this; more may follow.
    Interim(String),
    /// The caller said this, and it is the caller's turn: whatever we were saying is over.
    Transcript(String),
    /// Our turn begins: with its first word or its first sound.
    Begins,
    /// The next words of our turn.
    Words(String),
    /// The next samples of our turn, at [`RATE_HZ`].
    Audio(Vec<i16>),
    /// Our turn is complete: all of its audio came.
    Ends,
    /// No more of our turn comes, and it is not complete.
    Breaks,
    /// The service failed. It is tried again by itself.
    Fault(Fault),
}

/// The socket must be open after this.
const CONNECT: Span = Span::from_millis(3_000);
/// Audio goes up in pieces of this.
const PIECE_MS: usize = 20;
/// So much of the caller is kept for a connection that is not there yet.
const KEPT_MS: usize = 1_000;

#[derive(Debug, PartialEq)]
enum Socket {
    Shut,
    Opening { conn: ConnId, since: Moment },
    Open(ConnId),
    Waiting(Moment),
}

/// The machine of one call. Calling order: [`TrueVoice::open`] or [`TrueVoice::take`], [`TrueVoice::hear`] for all of
/// the caller's audio, [`TrueVoice::cancel`] when the caller breaks in, [`TrueVoice::shut`] at hang-up.
#[derive(Debug)]
pub struct TrueVoice {
    settings: TrueVoiceSettings,
    socket: Socket,
    last: ConnId,
    waiting: Vec<i16>,
    turns: Turns,
    /// Since when there is no connection and should be one.
    away: Option<Moment>,
    backoff: Backoff,
    breaker: Breaker,
    out: VecDeque<TrueVoiceOutput>,
}

impl TrueVoice {
    /// Not connected yet. `breaker` is shared by all calls, `seed` is not.
    pub fn new(settings: TrueVoiceSettings, breaker: Breaker, seed: u64) -> Self {
        Self {
            settings,
            socket: Socket::Shut,
            last: ConnId::none(Part::AllInOne),
            waiting: Vec::new(),
            turns: Turns::default(),
            away: None,
            backoff: Backoff::new(seed),
            breaker,
            out: VecDeque::new(),
        }
    }

    /// Connects.
    pub fn open(&mut self, now: Moment) {
        if self.socket == Socket::Shut {
            self.away = Some(now);
            self.connect(now);
        }
    }

    /// Whether it would [`TrueVoice::take`] a connection: before the first one, and while it waits to try again.
    pub const fn wants_connection(&self) -> bool {
        matches!(self.socket, Socket::Shut) && self.last.number == 0
            || matches!(self.socket, Socket::Waiting(_))
    }

    /// A connection that is open already, from the pool: gives the number that it has from now on, or `None` when
    /// none is wanted.
    pub fn take(&mut self) -> Option<ConnId> {
        if !self.wants_connection() {
            return None;
        }
        self.last = self.last.next();
        self.opened(self.last);
        Some(self.last)
    }

    /// Since when there is no connection, if there should be one.
    pub const fn away_since(&self) -> Option<Moment> {
        self.away
    }

    /// The next audio of the caller at [`RATE_HZ`]; silence too, since the service decides where an utterance ends.
    pub fn hear(&mut self, samples: &[i16]) {
        self.waiting.extend_from_slice(samples);
        let piece = RATE_HZ as usize * PIECE_MS / 1000;
        if let Socket::Open(conn) = self.socket {
            let whole = self.waiting.len() - self.waiting.len() % piece;
            let part: Vec<i16> = self.waiting.drain(..whole).collect();
            if !part.is_empty() {
                self.out.push_back(TrueVoiceOutput::Net(ToNet::Binary(conn, to_bytes(&part))));
            }
        } else {
            let excess = self.waiting.len().saturating_sub(RATE_HZ as usize * KEPT_MS / 1000);
            self.waiting.drain(..excess);
        }
    }

    /// The caller breaks in, or a command stops the voice: nothing of the turn that runs comes out any more.
    pub fn cancel(&mut self, now: Moment) {
        let number = self.turns.cancel(now);
        if let Socket::Open(conn) = self.socket {
            // A service that does not know it must ignore it, as everything that it does not know.
            let cancel = match number {
                Some(number) => format!("{{\"type\":\"cancel\",\"turn\":{number}}}"),
                None => "{\"type\":\"cancel\"}".to_owned(),
            };
            self.out.push_back(TrueVoiceOutput::Net(ToNet::Text(conn, cancel)));
        }
    }

    /// Bytes of cancelled turns that were dropped.
    pub const fn dropped(&self) -> u64 {
        self.turns.dropped()
    }

    /// The call is over.
    pub fn shut(&mut self) {
        if let Socket::Opening { conn, .. } | Socket::Open(conn) = self.socket {
            self.out.push_back(TrueVoiceOutput::Net(ToNet::Close(conn)));
        }
        self.socket = Socket::Shut;
        self.away = None;
        self.turns.clear();
        self.waiting.clear();
    }

    /// Takes what came for a connection.
    pub fn handle_net(&mut self, now: Moment, conn: ConnId, what: FromNet) {
        match self.socket {
            Socket::Opening { conn: current, .. } | Socket::Open(current) if current == conn => {}
            _ => return,
        }
        match what {
            FromNet::Opened => self.opened(conn),
            FromNet::Text(text) => self.message(now, message(&text)),
            FromNet::Binary(bytes) if bytes.is_empty() => {}
            FromNet::Binary(bytes) => {
                self.turns.audio(now, &bytes);
                self.worked();
            }
            FromNet::Closed(closed) => self.failed(now, Fault::of_close(&closed)),
        }
    }

    /// The time has come that [`TrueVoice::poll_timeout`] gave.
    pub fn handle_timeout(&mut self, now: Moment) {
        match self.socket {
            Socket::Waiting(until) if now >= until => self.connect(now),
            Socket::Opening { since, .. } if now >= since + CONNECT => {
                self.failed(now, Fault::Passing(Passing::Silent));
            }
            _ => {}
        }
        self.turns.handle_timeout(now);
    }

    /// When [`TrueVoice::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let socket = match self.socket {
            Socket::Waiting(until) => Some(until),
            Socket::Opening { since, .. } => Some(since + CONNECT),
            Socket::Shut | Socket::Open(_) => None,
        };
        [socket, self.turns.poll_timeout()].into_iter().flatten().min()
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<TrueVoiceOutput> {
        let event = |event| TrueVoiceOutput::Event(event);
        self.turns.out.pop_front().map(event).or_else(|| self.out.pop_front())
    }

    fn opened(&mut self, conn: ConnId) {
        self.socket = Socket::Open(conn);
        self.away = None;
        self.hear(&[]);
    }

    fn connect(&mut self, now: Moment) {
        if !self.breaker.allows(now) {
            self.socket = Socket::Waiting(self.breaker.opens_at(now));
            return;
        }
        self.last = self.last.next();
        self.socket = Socket::Opening { conn: self.last, since: now };
        self.out.push_back(TrueVoiceOutput::Net(ToNet::Open(self.last, self.settings.request())));
    }

    fn message(&mut self, now: Moment, message: Message) {
        match message {
            Message::Transcript { text, is_final: false } => self.event(TrueVoiceEvent::Interim(text)),
            Message::Transcript { text, is_final: true } => {
                self.turns.callers_turn(now);
                self.event(TrueVoiceEvent::Transcript(text));
            }
            Message::Token { text, turn } => self.turns.words(now, turn, text),
            Message::Written { turn } => self.turns.written(now, turn),
            Message::AudioStart { turn } => self.turns.audio_start(turn),
            Message::AudioEnd => self.turns.audio_end(),
            Message::Error(text) => {
                return self.failed(now, Fault::of_name(&text).unwrap_or(Fault::Passing(Passing::Inside)));
            }
            Message::Other => return,
        }
        self.worked();
    }

    fn worked(&mut self) {
        self.backoff.worked();
        self.breaker.worked();
    }

    fn failed(&mut self, now: Moment, fault: Fault) {
        if let Socket::Opening { conn, .. } | Socket::Open(conn) = self.socket {
            self.out.push_back(TrueVoiceOutput::Net(ToNet::Close(conn)));
        }
        self.breaker.failed(now, fault);
        self.socket = Socket::Waiting(now + self.backoff.failed(fault.at_least()));
        self.away = self.away.or(Some(now));
        self.turns.broken();
        self.event(TrueVoiceEvent::Fault(fault));
    }

    /// Behind what the turns have to say, so that all of it keeps its order.
    fn event(&mut self, event: TrueVoiceEvent) {
        self.turns.out.push_back(event);
    }
}

#[cfg(test)]
mod tests;
