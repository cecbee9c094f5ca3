//! `/ws/conversation`: the all-in-one service. Audio in is PCM16 at 16 kHz; out come what was understood, the
//! words of the answer, and the answer's audio in the same format. What the interface leaves open is done in
//! the plain way: each transcript is final, a new one cuts off the answer that is being given, nobody greets.

use crate::faults::Faults;
use crate::hear::{Ear, Heard, key_pressed, without_words};
use crate::model::{Script, tokens};
use crate::seen::Page;
use crate::session::{Out, Session};
use crate::speak::{Format, Speaker, Track};
use offhook_units::{Moment, Span};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

const FORMAT: Format = Format::PCM_16K;
/// Silence after which the caller has finished, in milliseconds.
const SILENCE_MS: u32 = 500;
/// How long a token takes, in milliseconds.
const TOKEN_MS: u32 = 15;

/// One conversation.
#[derive(Debug)]
pub(crate) struct Conversation {
    script: Arc<Script>,
    page: Page,
    ear: Ear,
    track: Track,
    tokens: VecDeque<String>,
    sentence: String,
    every: Span,
    first: Span,
    due: Moment,
    late: u32,
    last: Option<Vec<u8>>,
}

impl Conversation {
    pub(crate) fn new(speaker: &Arc<Speaker>, script: &Arc<Script>, faults: &Faults, page: &Page) -> Self {
        Self {
            script: Arc::clone(script),
            page: page.clone(),
            ear: Ear::new(FORMAT, SILENCE_MS),
            track: Track::new(speaker, FORMAT, faults),
            tokens: VecDeque::new(),
            sentence: String::new(),
            every: Span::from_millis(faults.token_ms.unwrap_or(TOKEN_MS).into()),
            first: Span::from_millis(faults.first_ms.unwrap_or(0).into()),
            due: Moment::ZERO,
            late: faults.late,
            last: None,
        }
    }

    fn understood(&mut self, now: Moment, said: &str, out: &mut Out) {
        self.stop(out);
        self.page.text("", said);
        out.json(&json!({"type": "transcript", "text": said}));
        self.tokens = tokens(&self.script.reply(said));
        self.due = now + self.first;
    }

    /// Breaks the answer off.
    fn stop(&mut self, out: &mut Out) {
        if self.track.is_idle() && self.tokens.is_empty() {
            return;
        }
        self.track.clear();
        self.tokens.clear();
        self.sentence.clear();
        for _ in 0..self.late {
            if let Some(audio) = self.last.clone() {
                let us = FORMAT.us_of(audio.len());
                out.binary(audio, us);
            }
        }
    }

    fn write(&mut self, now: Moment, out: &mut Out) {
        while now >= self.due
            && let Some(token) = self.tokens.pop_front()
        {
            self.due += self.every;
            self.sentence.push_str(&token);
            out.json(&json!({"type": "llm_token", "text": token}));
            let done = self.tokens.is_empty();
            if done || self.sentence.ends_with(['.', '!', '?']) {
                let sentence = std::mem::take(&mut self.sentence);
                self.track.say(now, &sentence);
            }
            if done {
                out.json(&json!({"type": "llm_done"}));
            }
        }
    }
}

impl Session for Conversation {
    fn text(&mut self, now: Moment, text: &str, out: &mut Out) {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let kind = message.get("type").and_then(Value::as_str).unwrap_or("unreadable");
        self.page.message(kind);
        // Not in the interface as it was given; a client that offers it is understood.
        if kind == "cancel" {
            self.stop(out);
        }
        self.tick(now, out);
    }

    fn binary(&mut self, now: Moment, data: &[u8], out: &mut Out) {
        self.page.audio_in(data.len());
        for heard in self.ear.hear(data) {
            match heard {
                Heard::Began { .. } => {}
                Heard::Ended { from_us, to_us } => {
                    let said = self.script.utterance().unwrap_or_else(|| without_words(from_us, to_us));
                    self.understood(now, &said, out);
                }
                Heard::Key { key, .. } => self.understood(now, &key_pressed(key), out),
            }
        }
        self.tick(now, out);
    }

    fn due(&self) -> Option<Moment> {
        let token = (!self.tokens.is_empty()).then_some(self.due);
        [token, self.track.due()].into_iter().flatten().min()
    }

    fn tick(&mut self, now: Moment, out: &mut Out) {
        self.write(now, out);
        while let Some(chunk) = self.track.next(now) {
            self.last = (self.late > 0).then(|| chunk.audio.clone());
            out.binary(chunk.audio, chunk.us);
        }
    }

    fn fail(&mut self, code: &str, out: &mut Out) {
        out.json(&json!({"type": "error", "code": code, "message": "The lab was told to fail."}));
        out.close(1011, code);
    }
}
