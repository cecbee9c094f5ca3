//! Realtime over a WebSocket (the shape of its general release): the all-in-one service of this vendor.

use super::settings::Settings;
use crate::faults::Faults;
use crate::hear::{Ear, Heard, key_pressed, without_words};
use crate::model::{Script, last_said};
use crate::seen::Page;
use crate::session::{Audio, Out, Session};
use crate::speak::{Speaker, Track};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use offhook_units::Moment;
use serde_json::{Value, json};
use std::sync::Arc;

/// So many of the last answers can be truncated.
const ANSWERS_KEPT: usize = 64;

/// One session.
#[derive(Debug)]
pub(crate) struct Realtime {
    speaker: Arc<Speaker>,
    script: Arc<Script>,
    page: Page,
    faults: Faults,
    model: String,
    settings: Settings,
    ear: Ear,
    /// What the caller said last, by voice or as text.
    said: String,
    response: Option<Response>,
    /// Audio that each answer has produced, for those who truncate it.
    produced: Vec<(String, u64)>,
    events: u64,
    items: u64,
    over: bool,
}

/// An answer that is being given.
#[derive(Debug)]
struct Response {
    id: String,
    item: String,
    text: String,
    track: Track,
    last: Option<String>,
}

impl Response {
    fn part(&self) -> Value {
        json!({"response_id": self.id, "item_id": self.item, "output_index": 0, "content_index": 0})
    }

    fn item(&self, status: &str) -> Value {
        json!({
            "id": self.item, "object": "realtime.item", "type": "message", "status": status, "role": "assistant",
            "content": [{"type": "output_audio", "transcript": self.text}],
        })
    }
}

impl Realtime {
    pub(crate) fn new(
        model: String,
        speaker: &Arc<Speaker>,
        script: &Arc<Script>,
        faults: &Faults,
        page: &Page,
    ) -> Self {
        let settings = Settings::default();
        Self {
            speaker: Arc::clone(speaker),
            script: Arc::clone(script),
            page: page.clone(),
            faults: faults.clone(),
            model,
            ear: Ear::new(settings.input, settings.silence_ms),
            settings,
            said: String::new(),
            response: None,
            produced: Vec::new(),
            events: 0,
            items: 0,
            over: false,
        }
    }

    /// Sends an event of this type.
    fn say(&mut self, kind: &str, mut event: Value, audio: Audio, out: &mut Out) {
        self.events += 1;
        event["type"] = kind.into();
        event["event_id"] = format!("event_{}", self.events).into();
        out.json_audio(&event, audio);
    }

    fn tell(&mut self, kind: &str, event: Value, out: &mut Out) {
        self.say(kind, event, Audio::default(), out);
    }

    fn error(&mut self, code: &str, message: &str, out: &mut Out) {
        let error = json!({"type": "invalid_request_error", "code": code, "message": message, "param": null, "event_id": null});
        self.tell("error", json!({"error": error}), out);
    }

    fn new_item(&mut self) -> String {
        self.items += 1;
        format!("item_{}", self.items)
    }

    fn session(&self) -> Value {
        json!({"session": {
            "type": "realtime", "object": "realtime.session", "id": "sess_lab", "model": self.model,
            "output_modalities": ["audio"], "audio": self.settings.to_json(), "tools": [], "tool_choice": "auto",
        }})
    }

    fn message(&mut self, now: Moment, message: &Value, out: &mut Out) {
        let kind = message.get("type").and_then(Value::as_str).unwrap_or("unreadable").to_owned();
        if kind != "input_audio_buffer.append" {
            self.page.message(&kind);
        }
        match kind.as_str() {
            "session.update" => {
                self.settings.update(message.get("session").unwrap_or(&Value::Null));
                self.ear = Ear::new(self.settings.input, self.settings.silence_ms);
                let session = self.session();
                self.tell("session.updated", session, out);
            }
            "input_audio_buffer.append" => self.append(now, message, out),
            "input_audio_buffer.commit" => match self.ear.finish() {
                Some(heard) => self.heard(now, heard, out),
                None => {
                    self.error("input_audio_buffer_commit_empty", "There is no speech in the buffer.", out)
                }
            },
            "input_audio_buffer.clear" => {
                self.ear.finish();
                self.tell("input_audio_buffer.cleared", json!({}), out);
            }
            "conversation.item.create" => self.item_given(message, out),
            "conversation.item.truncate" => self.truncate(message, out),
            "response.create" if self.response.is_some() => {
                self.error(
                    "conversation_already_has_active_response",
                    "An answer is being given already.",
                    out,
                );
            }
            "response.create" => self.respond(now, out),
            "response.cancel" if self.response.is_some() => self.cancel("client_cancelled", out),
            "response.cancel" => {
                self.error("response_cancel_not_active", "There is no answer to cancel.", out)
            }
            _ => self.error("invalid_value", "The lab does not know this event.", out),
        }
    }

    fn append(&mut self, now: Moment, message: &Value, out: &mut Out) {
        let text = message.get("audio").and_then(Value::as_str).unwrap_or_default();
        let Ok(audio) = STANDARD.decode(text) else {
            return self.error("invalid_value", "The audio is no base64.", out);
        };
        self.page.audio_in(audio.len());
        out.heard(self.settings.input.us_of(audio.len()));
        for heard in self.ear.hear(&audio) {
            if self.settings.turn_detection {
                self.heard(now, heard, out);
            }
        }
    }

    fn heard(&mut self, now: Moment, heard: Heard, out: &mut Out) {
        let next = format!("item_{}", self.items + 1);
        match heard {
            Heard::Began { at_us } => {
                self.tell(
                    "input_audio_buffer.speech_started",
                    json!({"audio_start_ms": at_us / 1000, "item_id": next}),
                    out,
                );
                if self.settings.interrupt_response && self.response.is_some() {
                    self.cancel("turn_detected", out);
                }
            }
            Heard::Ended { from_us, to_us } => {
                self.tell(
                    "input_audio_buffer.speech_stopped",
                    json!({"audio_end_ms": to_us / 1000, "item_id": next}),
                    out,
                );
                let said = self.script.utterance().unwrap_or_else(|| without_words(from_us, to_us));
                self.understood(now, said, out);
            }
            Heard::Key { key, .. } => self.understood(now, key_pressed(key), out),
        }
    }

    fn understood(&mut self, now: Moment, said: String, out: &mut Out) {
        let item = self.new_item();
        self.page.text("", &said);
        self.tell("input_audio_buffer.committed", json!({"item_id": item, "previous_item_id": null}), out);
        let content = json!([{"type": "input_audio", "transcript": said}]);
        self.item_stands(&item, "user", &content, out);
        let transcript = json!({"item_id": item, "content_index": 0, "transcript": said});
        self.tell("conversation.item.input_audio_transcription.completed", transcript, out);
        self.said = said;
        if self.settings.turn_detection && self.settings.create_response && self.response.is_none() {
            self.respond(now, out);
        }
    }

    fn item_stands(&mut self, id: &str, role: &str, content: &Value, out: &mut Out) {
        let item = json!({
            "id": id, "object": "realtime.item", "type": "message", "status": "completed", "role": role, "content": content,
        });
        for kind in ["conversation.item.added", "conversation.item.done"] {
            self.tell(kind, json!({"item": item, "previous_item_id": null}), out);
        }
    }

    fn item_given(&mut self, message: &Value, out: &mut Out) {
        let given = message.get("item").cloned().unwrap_or_default();
        let id = self.new_item();
        let id = given.get("id").and_then(Value::as_str).map_or(id, str::to_owned);
        let role = given.get("role").and_then(Value::as_str).unwrap_or("user").to_owned();
        let said = last_said(&json!([given]));
        if !said.is_empty() {
            self.page.text("", &said);
            self.said = said;
        }
        self.item_stands(&id, &role, given.get("content").unwrap_or(&Value::Null), out);
    }

    /// More than was produced cannot be cut off.
    fn truncate(&mut self, message: &Value, out: &mut Out) {
        let id = message.get("item_id").and_then(Value::as_str).unwrap_or_default();
        let end_ms = message.get("audio_end_ms").and_then(Value::as_u64);
        let produced = self.produced.iter().find(|(item, _)| item == id).map(|(_, us)| us / 1000);
        match (produced, end_ms) {
            (Some(produced), Some(end_ms)) if end_ms <= produced => {
                let event = json!({"item_id": id, "content_index": 0, "audio_end_ms": end_ms});
                self.tell("conversation.item.truncated", event, out);
            }
            (Some(produced), _) => {
                let message = format!("Audio content of {produced}ms is already shorter than that.");
                self.error("invalid_value", &message, out);
            }
            (None, _) => self.error("item_not_found", "There is no such item with audio.", out),
        }
    }

    fn respond(&mut self, now: Moment, out: &mut Out) {
        let item = self.new_item();
        let text = self.script.reply(&std::mem::take(&mut self.said));
        let mut track = Track::new(&self.speaker, self.settings.output, &self.faults);
        track.say(now, &text);
        let response =
            Response { id: format!("resp_{}", self.items), item: item.clone(), text, track, last: None };
        let (id, part) = (response.id.clone(), response.part());
        let bare = json!({
            "id": item, "object": "realtime.item", "type": "message", "status": "in_progress", "role": "assistant", "content": [],
        });
        self.response = Some(response);
        if self.produced.len() >= ANSWERS_KEPT {
            self.produced.remove(0);
        }
        self.produced.push((item, 0));
        let created = json!({"id": id, "object": "realtime.response", "status": "in_progress", "output": []});
        self.tell("response.created", json!({"response": created}), out);
        self.tell(
            "response.output_item.added",
            json!({"response_id": id, "output_index": 0, "item": bare}),
            out,
        );
        self.tell("conversation.item.added", json!({"item": bare, "previous_item_id": null}), out);
        let mut added = part;
        added["part"] = json!({"type": "audio", "transcript": ""});
        self.tell("response.content_part.added", added, out);
    }

    fn cancel(&mut self, reason: &str, out: &mut Out) {
        let Some(response) = self.response.take() else { return };
        let details = json!({"type": "cancelled", "reason": reason});
        self.done(&response, "cancelled", &details, out);
        for _ in 0..self.faults.late {
            if let Some(delta) = &response.last {
                let mut event = response.part();
                event["delta"] = delta.as_str().into();
                self.tell("response.output_audio.delta", event, out);
            }
        }
    }

    fn done(&mut self, response: &Response, status: &str, details: &Value, out: &mut Out) {
        let item = response.item(if status == "completed" { "completed" } else { "incomplete" });
        let mut transcript = response.part();
        transcript["transcript"] = response.text.as_str().into();
        self.tell("response.output_audio.done", response.part(), out);
        self.tell("response.output_audio_transcript.done", transcript, out);
        self.tell(
            "response.output_item.done",
            json!({"response_id": response.id, "output_index": 0, "item": item}),
            out,
        );
        self.tell("conversation.item.done", json!({"item": item, "previous_item_id": null}), out);
        let words = response.text.split_whitespace().count();
        self.tell("response.done", json!({"response": {
            "id": response.id, "object": "realtime.response", "status": status, "status_details": details, "output": [item],
            "usage": {"input_tokens": 0, "output_tokens": words, "total_tokens": words},
        }}), out);
    }
}

impl Session for Realtime {
    fn opened(&mut self, _now: Moment, out: &mut Out) {
        let session = self.session();
        self.tell("session.created", session, out);
    }

    fn text(&mut self, now: Moment, text: &str, out: &mut Out) {
        match serde_json::from_str(text) {
            Ok(message) => self.message(now, &message, out),
            Err(_) => self.error("invalid_json", "A message must be JSON.", out),
        }
        self.tick(now, out);
    }

    fn binary(&mut self, _now: Moment, _data: &[u8], out: &mut Out) {
        self.error("invalid_json", "Messages are text.", out);
    }

    fn due(&self) -> Option<Moment> {
        if self.over { None } else { self.response.as_ref().and_then(|response| response.track.due()) }
    }

    fn tick(&mut self, now: Moment, out: &mut Out) {
        let Some(mut response) = self.response.take() else { return };
        while let Some(chunk) = response.track.next(now) {
            if let Some(piece) = &chunk.piece {
                let mut event = response.part();
                event["delta"] = piece.iter().map(|timed| timed.letter).collect::<String>().into();
                self.tell("response.output_audio_transcript.delta", event, out);
            }
            let delta = STANDARD.encode(&chunk.audio);
            let mut event = response.part();
            event["delta"] = delta.as_str().into();
            response.last = (self.faults.late > 0).then_some(delta);
            if let Some((_, us)) = self.produced.iter_mut().find(|(item, _)| *item == response.item) {
                *us += chunk.us;
            }
            let audio = Audio { bytes: chunk.audio.len(), us: chunk.us };
            self.say("response.output_audio.delta", event, audio, out);
        }
        if response.track.is_idle() {
            self.done(&response, "completed", &Value::Null, out);
        } else {
            self.response = Some(response);
        }
    }

    fn fail(&mut self, code: &str, out: &mut Out) {
        self.over = true;
        self.response = None;
        let error = json!({"type": "server_error", "code": code, "message": "The lab was told to fail.", "param": null, "event_id": null});
        self.tell("error", json!({"error": error}), out);
        out.close(1011, code);
    }
}
