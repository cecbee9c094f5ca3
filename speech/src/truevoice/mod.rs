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

use crate::all_in_one::{AllInOneEvent, Protocol, Said};
use crate::failure::{Fault, Passing};
use crate::transport::Request;
use crate::wire::audio::to_bytes;
use crate::wire::url::{Scheme, Url};
use offhook_units::{Moment, Pii, Span};
use read::{Message, message};
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

/// The protocol, as one call speaks it.
#[derive(Debug)]
pub(crate) struct TrueVoice {
    settings: TrueVoiceSettings,
    turns: Turns,
}

impl TrueVoice {
    pub(crate) fn new(settings: TrueVoiceSettings) -> Self {
        Self { settings, turns: Turns::default() }
    }

    fn message(&mut self, now: Moment, message: Message) {
        match message {
            Message::Transcript { text, is_final: false } => self.event(AllInOneEvent::Interim(text)),
            Message::Transcript { text, is_final: true } => {
                self.turns.callers_turn(now);
                self.event(AllInOneEvent::Transcript(text));
            }
            Message::Token { text, turn } => self.turns.words(now, turn, text),
            Message::Written { turn } => self.turns.written(now, turn),
            Message::AudioStart { turn } => self.turns.audio_start(turn),
            Message::AudioEnd => self.turns.audio_end(),
            Message::Error(text) => {
                let fault = Fault::of_name(&text).unwrap_or(Fault::Passing(Passing::Inside));
                return self.turns.out.push_back(Said::Failed(fault));
            }
            Message::Other => return,
        }
        self.turns.out.push_back(Said::Worked);
    }

    /// Behind what the turns have to say, so that all of it keeps its order.
    fn event(&mut self, event: AllInOneEvent) {
        self.turns.out.push_back(Said::Event(event));
    }
}

impl Protocol for TrueVoice {
    fn request(&self) -> Request {
        self.settings.request()
    }

    fn takes_warm(&self) -> bool {
        true
    }

    fn rate_hz(&self) -> u32 {
        RATE_HZ
    }

    fn opened(&mut self) {
        self.turns.out.push_back(Said::Ready);
    }

    fn hear(&mut self, samples: &[i16]) {
        self.turns.out.push_back(Said::Binary(to_bytes(samples)));
    }

    fn text(&mut self, now: Moment, text: &str) {
        self.message(now, message(text));
    }

    fn binary(&mut self, now: Moment, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.turns.audio(now, bytes);
            self.turns.out.push_back(Said::Worked);
        }
    }

    fn heard_out(&mut self, is_all: bool) {
        self.turns.heard_out(is_all);
    }

    fn leaves_alone(&mut self, now: Moment) {
        self.turns.leaves_alone(now);
    }

    /// It keeps no account of what was heard.
    fn cancel(&mut self, now: Moment, _heard: Span) {
        let number = self.turns.cancel(now);
        // A service that does not know it must ignore it, as everything that it does not know.
        self.turns.out.push_back(Said::Text(match number {
            Some(number) => format!("{{\"type\":\"cancel\",\"turn\":{number}}}"),
            None => "{\"type\":\"cancel\"}".to_owned(),
        }));
    }

    fn broken(&mut self) {
        self.turns.broken();
    }

    fn clear(&mut self) {
        self.turns.clear();
    }

    fn poll_timeout(&self) -> Option<Moment> {
        self.turns.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Moment) {
        self.turns.handle_timeout(now);
    }

    fn poll(&mut self) -> Option<Said> {
        self.turns.out.pop_front()
    }
}

#[cfg(test)]
mod tests;
