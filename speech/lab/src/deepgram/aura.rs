//! `/v1/speak`: text in, raw audio out as binary messages. Nothing in the audio says whose it is; the order of
//! `Flushed` and `Cleared` is all there is.

use crate::faults::Faults;
use crate::http::Request;
use crate::seen::Page;
use crate::session::{Out, Session};
use crate::speak::{Format, Speaker, Track};
use offhook_units::{Moment, Span};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

/// Flushes that are taken in any minute.
const FLUSHES: usize = 20;
const MINUTE: Span = Span::from_millis(60_000);

/// One connection.
#[derive(Debug)]
pub(crate) struct Aura {
    page: Page,
    track: Track,
    format: Format,
    kept: String,
    /// A flush is answered when everything before it has gone.
    flushing: bool,
    sequence: u32,
    flushes: VecDeque<Moment>,
    closing: bool,
    over: bool,
    late: u32,
    last: Option<(Vec<u8>, u64)>,
    model: String,
}

impl Aura {
    /// By the query; `None` for an encoding that the lab does not make.
    pub(crate) fn new(
        request: &Request,
        speaker: &Arc<Speaker>,
        faults: &Faults,
        page: &Page,
    ) -> Option<Self> {
        let encoding = request.field("encoding").unwrap_or_else(|| "linear16".to_owned());
        let usual_hz = if encoding == "linear16" { 24_000 } else { 8_000 };
        let format = Format::by_deepgram(&encoding, request.number("sample_rate").unwrap_or(usual_hz))?;
        Some(Self {
            page: page.clone(),
            track: Track::new(speaker, format, faults),
            format,
            kept: String::new(),
            flushing: false,
            sequence: 0,
            flushes: VecDeque::new(),
            closing: false,
            over: false,
            late: faults.late,
            last: None,
            model: request.field("model").unwrap_or_else(|| "lab".to_owned()),
        })
    }

    fn flush(&mut self, now: Moment, out: &mut Out) {
        while self.flushes.front().is_some_and(|&first| now.since(first) >= MINUTE) {
            self.flushes.pop_front();
        }
        if self.flushes.len() >= FLUSHES {
            let description = "Too many Flush messages within a minute; this one was not done.";
            return out
                .json(&json!({"type": "Warning", "code": "EXCESSIVE_FLUSH", "description": description}));
        }
        self.flushes.push_back(now);
        self.flushing = true;
        self.speak(now);
    }

    fn speak(&mut self, now: Moment) {
        let text = std::mem::take(&mut self.kept);
        self.track.say(now, &text);
    }

    fn clear(&mut self, out: &mut Out) {
        self.kept.clear();
        self.track.clear();
        self.flushing = false;
        // What was on its way when the client said so comes before the answer; behind it nobody could tell it from what
        // follows, since audio has no name here.
        for _ in 0..self.late {
            if let Some((audio, us)) = self.last.clone() {
                out.binary(audio, us);
            }
        }
        out.json(&json!({"type": "Cleared", "sequence_id": self.sequence}));
        self.sequence += 1;
    }
}

impl Session for Aura {
    fn opened(&mut self, _now: Moment, out: &mut Out) {
        out.json(&json!({
            "type": "Metadata", "request_id": "lab", "model_name": self.model, "model_version": "0", "model_uuid": "lab",
        }));
    }

    fn text(&mut self, now: Moment, text: &str, out: &mut Out) {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let kind = message.get("type").and_then(Value::as_str).unwrap_or("unreadable").to_owned();
        self.page.message(&kind);
        match kind.as_str() {
            "Speak" => {
                let said = message.get("text").and_then(Value::as_str).unwrap_or_default();
                self.page.text("", said);
                self.kept.push_str(said);
            }
            "Flush" => self.flush(now, out),
            "Clear" => self.clear(out),
            "Close" => {
                self.speak(now);
                self.closing = true;
            }
            _ => {
                let description = format!("unknown message type {kind}");
                out.json(&json!({"type": "Warning", "code": "UNKNOWN_MESSAGE", "description": description}));
            }
        }
        self.tick(now, out);
    }

    fn binary(&mut self, _now: Moment, _data: &[u8], out: &mut Out) {
        self.fail("DATA-0000", out);
    }

    fn due(&self) -> Option<Moment> {
        if self.over { None } else { self.track.due() }
    }

    fn tick(&mut self, now: Moment, out: &mut Out) {
        if self.over {
            return;
        }
        while let Some(chunk) = self.track.next(now) {
            self.last = (self.late > 0).then(|| (chunk.audio.clone(), self.format.us_of(chunk.audio.len())));
            out.binary(chunk.audio, chunk.us);
        }
        if self.track.is_idle() && std::mem::take(&mut self.flushing) {
            out.json(&json!({"type": "Flushed", "sequence_id": self.sequence}));
            self.sequence += 1;
        }
        if self.track.is_idle() && self.closing {
            self.over = true;
            out.close(1000, "");
        }
    }

    fn fail(&mut self, code: &str, out: &mut Out) {
        self.over = true;
        out.close(1011, code);
    }
}
