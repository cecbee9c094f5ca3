//! `/v2/listen`: recognition by turns. A turn begins when somebody speaks and ends after silence; how sure it
//! is of the end follows from how long the silence has lasted, because that is all that it hears.

use crate::faults::Faults;
use crate::hear::{Ear, Heard, key_pressed, without_words};
use crate::http::Request;
use crate::model::Script;
use crate::seen::Page;
use crate::session::{Out, Session};
use crate::speak::Format;
use offhook_units::{Moment, Span};
use serde_json::{Value, json};
use std::sync::Arc;

/// Silence that ends a turn at a threshold of 0.5; each further tenth wants 100 ms more.
const SILENCE_MS: f32 = 300.0;
/// Time between two updates of a turn.
const UPDATE_US: u64 = 250_000;
/// Words come out of a script so fast, in updates.
const WORD_US: u64 = 350_000;
/// A connection without audio for so long is closed.
const IDLE_MS: u32 = 10_000;

/// The silence after which the lab is so sure.
fn silence_ms(threshold: f32) -> u32 {
    (SILENCE_MS + (threshold - 0.5) * 1_000.0) as u32
}

/// One stream.
#[derive(Debug)]
pub(crate) struct Flux {
    script: Arc<Script>,
    page: Page,
    ear: Ear,
    format: Format,
    threshold: f32,
    /// Silence after which the end is likely; none when nobody asked for the early word.
    eager_us: Option<u64>,
    sequence: u64,
    turn: u64,
    words: Option<String>,
    update_us: u64,
    /// The early word was given, for a turn that ended there.
    eager_at: Option<u64>,
    idle: Span,
    active: Moment,
    over: bool,
}

impl Flux {
    /// By the query; `None` for an encoding that the lab does not decode.
    pub(crate) fn new(request: &Request, script: &Arc<Script>, faults: &Faults, page: &Page) -> Option<Self> {
        let format = Format::by_deepgram(&request.field("encoding")?, request.number("sample_rate")?)?;
        let share = |name: &str| request.field(name).and_then(|text| text.parse::<f32>().ok());
        let threshold = share("eot_threshold").unwrap_or(0.7).clamp(0.5, 0.9);
        let eager = share("eager_eot_threshold").map(|eager| eager.clamp(0.3, threshold));
        Some(Self {
            script: Arc::clone(script),
            page: page.clone(),
            ear: Ear::new(format, silence_ms(threshold)),
            format,
            threshold,
            eager_us: eager.map(|eager| u64::from(silence_ms(eager)) * 1_000),
            sequence: 0,
            turn: 0,
            words: None,
            update_us: 0,
            eager_at: None,
            idle: Span::from_millis(faults.idle_ms.unwrap_or(IDLE_MS).into()),
            active: Moment::ZERO,
            over: false,
        })
    }

    fn say(&mut self, mut message: Value, out: &mut Out) {
        message["request_id"] = "lab".into();
        message["sequence_id"] = self.sequence.into();
        self.sequence += 1;
        out.json(&message);
    }

    fn turn(&mut self, event: &str, text: &str, from_us: u64, sure: f32, out: &mut Out) {
        let message = self.turn_info(event, text, from_us, sure);
        self.say(message, out);
    }

    fn turn_info(&self, event: &str, text: &str, from_us: u64, sure: f32) -> Value {
        let words: Vec<Value> =
            text.split_whitespace().map(|word| json!({"word": word, "confidence": 1.0})).collect();
        json!({
            "type": "TurnInfo", "event": event, "turn_index": self.turn, "transcript": text, "words": words,
            "audio_window_start": from_us as f64 / 1e6, "audio_window_end": self.ear.at_us() as f64 / 1e6,
            "end_of_turn_confidence": sure,
        })
    }

    /// The script as far as it was spoken.
    fn so_far(&self, from_us: u64, to_us: u64) -> String {
        let count = ((to_us - from_us) / WORD_US).max(1) as usize;
        let words = self.words.as_deref().unwrap_or_default();
        words.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
    }

    /// `trigger` is why a turn ends, if it does.
    fn heard(&mut self, heard: Heard, trigger: &str, out: &mut Out) {
        match heard {
            Heard::Began { at_us } => {
                self.words = self.script.utterance();
                self.update_us = at_us + UPDATE_US;
                self.eager_at = None;
                let text = self.so_far(at_us, at_us);
                self.turn("StartOfTurn", &text, at_us, 0.0, out);
            }
            Heard::Ended { from_us, to_us } => {
                let text = self.words.take().unwrap_or_else(|| without_words(from_us, to_us));
                self.end(&text, from_us, trigger, out);
            }
            Heard::Key { key, at_us } => {
                let text = key_pressed(key);
                self.turn("StartOfTurn", &text, at_us, 0.0, out);
                self.end(&text, at_us, trigger, out);
            }
        }
    }

    fn end(&mut self, text: &str, from_us: u64, trigger: &str, out: &mut Out) {
        self.page.text("", text);
        let mut message = self.turn_info("EndOfTurn", text, from_us, self.threshold);
        message["trigger"] = trigger.into();
        self.say(message, out);
        self.turn += 1;
    }

    /// What happens within a turn.
    fn within(&mut self, out: &mut Out) {
        let Some((from_us, to_us)) = self.ear.going() else { return };
        let now_us = self.ear.at_us();
        match self.eager_at {
            Some(at_us) if to_us > at_us => {
                self.eager_at = None;
                let text = self.so_far(from_us, to_us);
                self.turn("TurnResumed", &text, from_us, 0.0, out);
            }
            None if self.eager_us.is_some_and(|eager_us| now_us >= to_us + eager_us) => {
                self.eager_at = Some(to_us);
                let text = self.words.clone().unwrap_or_else(|| without_words(from_us, to_us));
                self.turn("EagerEndOfTurn", &text, from_us, self.threshold, out);
            }
            _ if now_us >= self.update_us => {
                self.update_us += UPDATE_US;
                let text = self.so_far(from_us, to_us);
                self.turn("Update", &text, from_us, 0.0, out);
            }
            _ => {}
        }
    }
}

impl Session for Flux {
    fn opened(&mut self, now: Moment, out: &mut Out) {
        self.active = now;
        self.say(json!({"type": "Connected"}), out);
    }

    fn text(&mut self, now: Moment, text: &str, out: &mut Out) {
        self.active = now;
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let kind = message.get("type").and_then(Value::as_str).unwrap_or("unreadable").to_owned();
        self.page.message(&kind);
        match kind.as_str() {
            "Configure" => {
                if let Some(threshold) = message.pointer("/thresholds/eot_threshold").and_then(Value::as_f64)
                {
                    self.threshold = (threshold as f32).clamp(0.5, 0.9);
                    self.ear.wait(silence_ms(self.threshold));
                }
                self.say(json!({"type": "ConfigureSuccess"}), out);
            }
            "ForceEndTurn" | "CloseStream" => {
                let ended = self.ear.finish();
                ended.into_iter().for_each(|ended| self.heard(ended, "manual", out));
                if kind == "CloseStream" {
                    self.over = true;
                    out.close(1000, "");
                }
            }
            _ => {
                let description = format!("unknown message type {kind}");
                self.say(
                    json!({"type": "Error", "code": "UNPARSABLE_CLIENT_MESSAGE", "description": description}),
                    out,
                );
                self.over = true;
                out.close(1008, "UNPARSABLE_CLIENT_MESSAGE");
            }
        }
    }

    fn binary(&mut self, now: Moment, data: &[u8], out: &mut Out) {
        if self.over {
            return;
        }
        self.active = now;
        self.page.audio_in(data.len());
        out.heard(self.format.us_of(data.len()));
        // Frame by frame, so that a large message has the same turns as many small ones.
        for part in data.chunks(self.format.bytes_of_ms(20).max(2)) {
            for heard in self.ear.hear(part) {
                self.heard(heard, "model", out);
            }
            self.within(out);
        }
    }

    fn due(&self) -> Option<Moment> {
        (!self.over).then(|| self.active + self.idle)
    }

    fn tick(&mut self, now: Moment, out: &mut Out) {
        if !self.over && now >= self.active + self.idle {
            self.fail("NET-0001", out);
        }
    }

    fn fail(&mut self, code: &str, out: &mut Out) {
        self.over = true;
        self.say(
            json!({"type": "Error", "code": code, "description": "The stream ended with an error."}),
            out,
        );
        out.close(1011, code);
    }
}
