//! Deepgram's live recognition, v1: one socket for the whole call, audio up as it comes, words down.
//!
//! An utterance is what the final results say until the first of: the service hears its end (`speech_final`), it has
//! heard no word for a while (`UtteranceEnd`, not believed while the caller is heard to speak), our own clock says
//! that nothing new has come for too long, or it is longer than anybody talks.

use super::read::{Heard, message};
use super::{SttEvent, SttOutput};
use crate::failure::{Backoff, Breaker, Fault, Passing};
use crate::transport::{Closed, ConnId, FromNet, Part, Request, ToNet};
use crate::wire::audio::to_bytes;
use crate::wire::url::{Scheme, Url};
use offhook_units::{Moment, Pii, Span};
use std::collections::VecDeque;

/// Where and how Deepgram listens.
#[derive(Clone, Debug, PartialEq)]
pub struct DeepgramSettings {
    /// The service: `https://api.deepgram.com`, or a server of one's own.
    pub base: Url,
    /// The key.
    pub key: Pii<String>,
    /// Which model, `nova-3`.
    pub model: String,
    /// A language code; the service's own default without one.
    pub language: Option<String>,
    /// Silence that ends an utterance, in milliseconds.
    pub endpointing_ms: u32,
    /// Samples a second of the caller's audio.
    pub rate_hz: u32,
}

/// Audio is sent in pieces of this, to keep frames few and delay low.
const PIECE_MS: u32 = 40;
/// Without audio for so long a keep-alive goes out; the service closes after 10 s.
const KEEP_ALIVE: Span = Span::from_millis(4_000);
/// The socket must be open after this.
const CONNECT: Span = Span::from_millis(3_000);
/// What is kept for a new connection to hear again.
const REPLAY_MS: u32 = 1_500;
/// Words that no further result follows are an utterance after this.
const STALE: Span = Span::from_millis(2_000);
/// The longest utterance; then what there is goes out.
const LONGEST: Span = Span::from_millis(30_000);
/// A transcript beyond this is cut off.
const TEXT_MAX: usize = 8_000;

#[derive(Debug, PartialEq)]
enum Socket {
    Shut,
    Opening { conn: ConnId, since: Moment },
    Open { conn: ConnId, last_sent: Moment },
    Waiting(Moment),
}

/// The utterance that is being heard.
#[derive(Debug, Default)]
struct Utterance {
    finals: String,
    interim: String,
    began: Option<Moment>,
    /// When something new was last heard.
    last: Moment,
    /// A `Finalize` is out.
    asked: bool,
}

impl Utterance {
    fn text(&self) -> String {
        let mut text = self.finals.clone();
        append(&mut text, &self.interim);
        text
    }
}

/// Appends words with a space between.
fn append(text: &mut String, more: &str) {
    if more.is_empty() || text.len() > TEXT_MAX {
        return;
    }
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// The machine. Calling order: [`Deepgram::open`] when the call comes, [`Deepgram::hear`] for all of the caller's
/// audio, [`Deepgram::shut`] at hang-up.
#[derive(Debug)]
pub struct Deepgram {
    settings: DeepgramSettings,
    socket: Socket,
    last: ConnId,
    /// Audio that is not sent yet.
    waiting: Vec<i16>,
    /// The last audio that was sent.
    sent: VecDeque<i16>,
    utterance: Utterance,
    /// Whether the caller is heard to speak, by the appliance's own ears.
    speaking: bool,
    backoff: Backoff,
    breaker: Breaker,
    out: VecDeque<SttOutput>,
}

impl Deepgram {
    /// Not connected yet. `breaker` is shared by all calls, `seed` is not.
    pub fn new(settings: DeepgramSettings, breaker: Breaker, seed: u64) -> Self {
        Self {
            settings,
            socket: Socket::Shut,
            last: ConnId::none(Part::Ears),
            waiting: Vec::new(),
            sent: VecDeque::new(),
            utterance: Utterance::default(),
            speaking: false,
            backoff: Backoff::new(seed),
            breaker,
            out: VecDeque::new(),
        }
    }

    /// Connects. It is ready as soon as the upgrade is done: the first message of the service may come much later.
    pub fn open(&mut self, now: Moment) {
        if self.socket == Socket::Shut {
            self.connect(now);
        }
    }

    /// The next audio of the caller.
    pub fn hear(&mut self, now: Moment, samples: &[i16]) {
        self.waiting.extend_from_slice(samples);
        let piece = self.frames(PIECE_MS);
        let Socket::Open { conn, last_sent } = &mut self.socket else {
            // Nobody to send it to: the end of it is kept for the next connection.
            let excess =
                self.waiting.len().saturating_sub(self.settings.rate_hz as usize * REPLAY_MS as usize / 1000);
            self.waiting.drain(..excess);
            return;
        };
        let whole = self.waiting.len() - self.waiting.len() % piece;
        if whole == 0 {
            return;
        }
        *last_sent = now;
        let conn = *conn;
        let part: Vec<i16> = self.waiting.drain(..whole).collect();
        self.out.push_back(SttOutput::Net(ToNet::Binary(conn, to_bytes(&part))));
        self.sent.extend(part);
        let excess = self.sent.len().saturating_sub(self.frames(REPLAY_MS));
        self.sent.drain(..excess);
    }

    /// Whether the caller speaks now, as the appliance hears it.
    pub const fn caller_speaks(&mut self, speaks: bool) {
        self.speaking = speaks;
    }

    /// The call is over.
    pub fn shut(&mut self) {
        match self.socket {
            Socket::Open { conn, .. } => {
                let close = "{\"type\":\"CloseStream\"}".to_owned();
                self.out.push_back(SttOutput::Net(ToNet::Text(conn, close)));
                self.out.push_back(SttOutput::Net(ToNet::Close(conn)));
            }
            Socket::Opening { conn, .. } => self.out.push_back(SttOutput::Net(ToNet::Close(conn))),
            Socket::Shut | Socket::Waiting(_) => {}
        }
        self.socket = Socket::Shut;
        self.utterance = Utterance::default();
        self.waiting.clear();
        self.sent.clear();
    }

    /// Takes what came for a connection.
    pub fn handle_net(&mut self, now: Moment, conn: ConnId, message: FromNet) {
        match self.socket {
            Socket::Opening { conn: current, .. } | Socket::Open { conn: current, .. } if current == conn => {
            }
            _ => return,
        }
        match message {
            FromNet::Opened => {
                self.socket = Socket::Open { conn, last_sent: now };
                // What the last connection may not have answered is heard again, if words were on their way.
                if self.utterance.began.is_some() {
                    let again: Vec<i16> = self.sent.drain(..).chain(self.waiting.drain(..)).collect();
                    self.waiting = again;
                    self.utterance.interim.clear();
                }
                self.sent.clear();
                self.hear(now, &[]);
            }
            FromNet::Text(text) => self.message(now, &text),
            FromNet::Binary(_) => {}
            FromNet::Closed(closed) => self.closed(now, &closed),
        }
    }

    /// The time has come that [`Deepgram::poll_timeout`] gave.
    pub fn handle_timeout(&mut self, now: Moment) {
        match self.socket {
            Socket::Waiting(until) if now >= until => self.connect(now),
            Socket::Opening { since, .. } if now >= since + CONNECT => {
                self.failed(now, Fault::Passing(Passing::Silent));
            }
            Socket::Open { last_sent, .. } if now >= last_sent + KEEP_ALIVE => {
                self.control(now, "{\"type\":\"KeepAlive\"}");
            }
            _ => {}
        }
        if self.stale_at().is_some_and(|at| now >= at) {
            if self.utterance.asked || !matches!(self.socket, Socket::Open { .. }) {
                self.end_utterance();
            } else {
                self.utterance.asked = true;
                self.utterance.last = now;
                self.control(now, "{\"type\":\"Finalize\"}");
            }
        }
    }

    /// When [`Deepgram::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let socket = match self.socket {
            Socket::Shut => None,
            Socket::Waiting(until) => Some(until),
            Socket::Opening { since, .. } => Some(since + CONNECT),
            Socket::Open { last_sent, .. } => Some(last_sent + KEEP_ALIVE),
        };
        [socket, self.stale_at()].into_iter().flatten().min()
    }

    /// What to do next.
    pub fn poll_output(&mut self) -> Option<SttOutput> {
        self.out.pop_front()
    }

    const fn frames(&self, ms: u32) -> usize {
        let frames = self.settings.rate_hz as usize * ms as usize / 1000;
        if frames == 0 { 1 } else { frames }
    }

    /// When our own clock ends the utterance.
    fn stale_at(&self) -> Option<Moment> {
        let began = self.utterance.began?;
        let patience = if self.utterance.asked { Span::from_millis(1_000) } else { STALE };
        let quiet = self.utterance.last + patience;
        // While the caller is heard to speak only the cap counts.
        let capped = began + LONGEST;
        Some(if self.speaking && !self.utterance.asked {
            capped.max(self.utterance.last)
        } else {
            quiet.min(capped)
        })
    }

    fn connect(&mut self, now: Moment) {
        if !self.breaker.allows(now) {
            self.socket = Socket::Waiting(self.breaker.opens_at(now));
            return;
        }
        let settings = &self.settings;
        let mut url = settings
            .base
            .with_scheme(Scheme::Ws, Scheme::Wss)
            .join("v1/listen")
            .with("model", &settings.model)
            .with("encoding", "linear16")
            .with("sample_rate", &settings.rate_hz.to_string())
            .with("channels", "1")
            .with("interim_results", "true")
            .with("endpointing", &settings.endpointing_ms.to_string())
            .with("utterance_end_ms", "1000")
            .with("vad_events", "true")
            .with("punctuate", "true")
            .with("smart_format", "true")
            .with("no_delay", "true");
        if let Some(language) = &settings.language {
            url = url.with("language", language);
        }
        let token = Pii::new(format!("Token {}", settings.key.reveal()));
        self.last = self.last.next();
        self.socket = Socket::Opening { conn: self.last, since: now };
        let request = Request::web_socket(url).header("Authorization", &token);
        self.out.push_back(SttOutput::Net(ToNet::Open(self.last, request)));
    }

    fn control(&mut self, now: Moment, text: &str) {
        if let Socket::Open { conn, last_sent } = &mut self.socket {
            *last_sent = now;
            self.out.push_back(SttOutput::Net(ToNet::Text(*conn, text.to_owned())));
        }
    }

    fn message(&mut self, now: Moment, text: &str) {
        match message(text) {
            Heard::Results { text, is_final, speech_final, from_finalize } => {
                self.backoff.worked();
                self.breaker.worked();
                self.words(now, &text, is_final);
                if speech_final || from_finalize && self.utterance.asked {
                    self.end_utterance();
                }
            }
            // Word gaps alone: the caller may be in the middle of a number.
            Heard::UtteranceEnd if !self.speaking => self.end_utterance(),
            Heard::Error(text) => {
                self.failed(now, Fault::of_name(&text).unwrap_or(Fault::Passing(Passing::Inside)));
            }
            Heard::UtteranceEnd | Heard::Other => {}
        }
    }

    fn words(&mut self, now: Moment, text: &str, is_final: bool) {
        if is_final {
            append(&mut self.utterance.finals, text);
            self.utterance.interim.clear();
        } else {
            let kept = text.chars().take(TEXT_MAX).collect();
            // The same words again are nothing new.
            if self.utterance.interim == kept {
                return;
            }
            self.utterance.interim = kept;
        }
        if text.is_empty() {
            return;
        }
        self.utterance.began = self.utterance.began.or(Some(now));
        self.utterance.last = now;
        self.utterance.asked = false;
        self.event(SttEvent::Interim(self.utterance.text()));
    }

    fn end_utterance(&mut self) {
        let utterance = std::mem::take(&mut self.utterance);
        let text = utterance.text();
        if !text.is_empty() {
            self.event(SttEvent::Utterance(text));
        }
    }

    fn closed(&mut self, now: Moment, closed: &Closed) {
        let fault = Fault::of_close(closed);
        if fault == Fault::Passing(Passing::Idle) && matches!(self.socket, Socket::Open { .. }) {
            self.event(SttEvent::Fault(fault));
            // A pause before it, so that a service which does nothing but this is not flooded.
            self.socket = Socket::Waiting(now + self.backoff.failed(Span::ZERO));
            return;
        }
        self.failed(now, fault);
    }

    fn failed(&mut self, now: Moment, fault: Fault) {
        if let Socket::Opening { conn, .. } | Socket::Open { conn, .. } = self.socket {
            self.out.push_back(SttOutput::Net(ToNet::Close(conn)));
        }
        self.breaker.failed(now, fault);
        self.socket = Socket::Waiting(now + self.backoff.failed(fault.at_least()));
        self.event(SttEvent::Fault(fault));
    }

    fn event(&mut self, event: SttEvent) {
        self.out.push_back(SttOutput::Event(event));
    }
}

#[cfg(test)]
mod tests;
