//! OpenAI Realtime, an all-in-one service: the caller's audio up, words and speech down, all of it as JSON on one
//! WebSocket. The service hears where the caller's turns end; the appliance decides when the caller breaks in, and tells
//! how much of an answer was heard. What its description leaves open is decided in `docs/services.md`.
//!
//! ```text
//! session.created ─► session.update ─► conversation.item.create … ─► input_audio_buffer.append …
//! input_audio_buffer.committed ─► output_audio_transcript.delta · output_audio.delta … ─► response.done
//! barge-in: response.cancel, conversation.item.truncate up to what was heard
//! ```
//!
//! Lenient in what it reads: servers that copy the interface still send the names that it had before its release.

mod answers;
mod read;

use crate::all_in_one::{AllInOneEvent, Protocol, Said};
use crate::failure::{Fatal, Fault, Passing};
use crate::llm::Role;
use crate::text::{Sentence, Splitter};
use crate::transport::Request;
use crate::wire::audio::{AudioFormat, to_base64, to_bytes, to_mulaw};
use crate::wire::url::{Scheme, Url};
use answers::{Answers, Part, Stopped};
use offhook_units::{Moment, Pii, Span};
use read::{Message, Status, message};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Where Realtime is, and what it is told.
#[derive(Clone, Debug, PartialEq)]
pub struct RealtimeSettings {
    /// The service with its version: `https://api.openai.com/v1`, or a server of one's own.
    pub base: Url,
    /// The key.
    pub key: Option<Pii<String>>,
    /// Which model.
    pub model: String,
    /// Which of its voices; its own choice without one.
    pub voice: Option<String>,
    /// Which model writes down what the caller says; nobody does without one.
    pub ears_model: Option<String>,
    /// The caller's language, where the service shall not find it out.
    pub language: Option<String>,
    /// Silence that ends what the caller says, in milliseconds.
    pub endpointing_ms: u32,
    /// What it is told of its task.
    pub task: String,
    /// Its first words; it says none when empty.
    pub greeting: String,
}

/// The one rate of linear audio here; on a narrow line µ-law is asked for.
const PCM_HZ: u32 = 24_000;
/// The greeting must have begun so long after the call wants the service: the device says it otherwise.
const GREETS: Span = Span::from_millis(3_000);
/// The caller has spoken, and an answer must have begun after this.
const ANSWERS: Span = Span::from_millis(10_000);

/// How far the session is agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is none.
    Fresh,
    /// It was told what it shall be. If it does not take that its audio is in a format that nobody here expects.
    Told,
    /// It is as it was told.
    Agreed,
}

/// The protocol, as one call speaks it.
#[derive(Debug)]
pub(crate) struct Realtime {
    settings: RealtimeSettings,
    format: AudioFormat,
    stage: Stage,
    answers: Answers,
    /// The greeting as it is asked for: what the device makes of its marks, a model reads out or makes up.
    greeting: String,
    /// It was not heard to begin.
    greets: bool,
    /// An answer must have begun by then.
    owed: Option<Moment>,
    out: VecDeque<Said>,
}

impl Realtime {
    /// For a call at `rate_hz`.
    pub(crate) fn new(settings: RealtimeSettings, rate_hz: u32) -> Self {
        let format =
            if rate_hz == 8_000 { AudioFormat::Mulaw8k } else { AudioFormat::Pcm16 { rate_hz: PCM_HZ } };
        let greeting = plain(&settings.greeting);
        Self {
            greets: !greeting.is_empty(),
            greeting,
            settings,
            format,
            stage: Stage::Fresh,
            answers: Answers::new(format),
            owed: None,
            out: VecDeque::new(),
        }
    }

    fn send(&mut self, event: &Value) {
        self.out.push_back(Said::Text(event.to_string()));
    }

    fn event(&mut self, event: AllInOneEvent) {
        self.out.push_back(Said::Event(event));
    }

    /// Tells the session what it is; only what is named changes.
    fn configure(&mut self) {
        let RealtimeSettings { voice, ears_model, language, endpointing_ms, task, .. } = &self.settings;
        let format = match self.format {
            AudioFormat::Mulaw8k => json!({"type": "audio/pcmu"}),
            AudioFormat::Pcm16 { rate_hz } => json!({"type": "audio/pcm", "rate": rate_hz}),
        };
        let turns = json!({
            "type": "server_vad", "silence_duration_ms": endpointing_ms, "create_response": true,
            // The appliance knows its own echo, and decides.
            "interrupt_response": false,
        });
        let mut input = json!({"format": format, "turn_detection": turns});
        if let Some(model) = ears_model {
            let named = json!({"model": model, "language": language});
            let named = named.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
            input["transcription"] = named.map(|(name, value)| (name.clone(), value.clone())).collect();
        }
        let mut output = json!({"format": format});
        if let Some(voice) = voice {
            output["voice"] = voice.as_str().into();
        }
        let session = json!({
            "type": "realtime", "output_modalities": ["audio"], "instructions": task,
            "audio": {"input": input, "output": output},
        });
        self.send(&json!({"type": "session.update", "session": session}));
        self.stage = Stage::Told;
    }

    fn message(&mut self, now: Moment, message: Message) {
        match message {
            Message::Created => {
                self.configure();
                // That a session is made proves nothing yet: an account that is used up has one, too.
                return self.event(AllInOneEvent::Anew);
            }
            Message::Updated => {
                self.stage = Stage::Agreed;
                return;
            }
            Message::Committed => {
                if self.answers.callers_turn() {
                    self.owed = Some(now + ANSWERS);
                    self.event(AllInOneEvent::Asked);
                }
            }
            // A noise may be taken for words; nothing was said then.
            Message::Heard(text) if text.is_empty() => {}
            Message::Heard(text) => self.event(AllInOneEvent::Heard(text)),
            Message::Responds { response } => self.answers.responds(response),
            Message::Words { part, text } => {
                if self.begins(now, &part) {
                    self.event(AllInOneEvent::Words(text));
                }
            }
            Message::Audio { part, bytes } => {
                if self.begins(now, &part) {
                    let samples = self.answers.audio(&bytes);
                    if !samples.is_empty() {
                        self.event(AllInOneEvent::Audio(samples));
                    }
                }
            }
            Message::Written { part } => {
                if self.answers.written(&part) {
                    self.event(AllInOneEvent::Ends);
                }
                return;
            }
            Message::Done { response, status } => return self.done(&response, status),
            Message::Error { fault, is_inside } => return self.complains(fault, is_inside),
            Message::Other => return,
        }
        self.out.push_back(Said::Worked);
    }

    /// Something of an answer came: false when nobody wants it any more.
    fn begins(&mut self, now: Moment, part: &Part) -> bool {
        if !self.answers.comes(now, part, &mut self.out) {
            return false;
        }
        (self.greets, self.owed, self.stage) = (false, None, Stage::Agreed);
        true
    }

    fn done(&mut self, response: &str, status: Status) {
        let Some(answer) = self.answers.done(response) else { return };
        let is_owed = self.owed.take().is_some();
        match status {
            Status::Whole => {
                if answer.is_some() {
                    self.event(AllInOneEvent::Ends);
                } else if is_owed {
                    self.unanswered(Fault::Passing(Passing::Silent));
                }
                self.out.push_back(Said::Worked);
            }
            // By itself: it has heard the caller, whatever it was told about that.
            Status::Cancelled => self.event(AllInOneEvent::Taken),
            Status::Failed(fault) => {
                if let Some(answer) = answer {
                    self.answers.cuts();
                    self.event(AllInOneEvent::Breaks { written: answer.written });
                }
                match fault {
                    Fault::Fatal(_) => self.out.push_back(Said::Failed(fault)),
                    Fault::Passing(_) => self.unanswered(fault),
                }
            }
        }
    }

    /// The session goes on, and the caller waits for nothing more of that answer.
    fn unanswered(&mut self, fault: Fault) {
        self.ungreeted();
        self.event(AllInOneEvent::Fault(fault));
    }

    /// The greeting is the device's, if it was not said.
    fn ungreeted(&mut self) {
        if std::mem::take(&mut self.greets) {
            self.event(AllInOneEvent::Ungreeted(self.settings.greeting.clone()));
        }
    }

    /// Most errors are about one event and not about the session.
    fn complains(&mut self, fault: Option<Fault>, is_inside: bool) {
        let is_over = match fault {
            Some(Fault::Fatal(_) | Fault::Passing(Passing::Idle)) => true,
            _ => is_inside || self.stage == Stage::Told,
        };
        self.out.push_back(match (is_over, is_inside) {
            (true, true) => Said::Failed(fault.unwrap_or(Fault::Passing(Passing::Inside))),
            (true, false) => Said::Failed(fault.unwrap_or(Fault::Fatal(Fatal::Refused))),
            (false, _) => {
                Said::Event(AllInOneEvent::Complaint(fault.unwrap_or(Fault::Passing(Passing::Ours))))
            }
        });
    }

    fn truncate(&mut self, heard: Span) {
        for (item, end_ms) in self.answers.truncate(heard) {
            self.send(&json!({
                "type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": end_ms,
            }));
        }
    }

    /// The answer is not waited for any more.
    fn breaks(&mut self, stopped: Option<Stopped>) {
        if let Some(Stopped { response, written }) = stopped {
            self.event(AllInOneEvent::Breaks { written });
            self.stop(&response);
        }
    }

    fn stop(&mut self, response: &str) {
        let mut cancel = json!({"type": "response.cancel"});
        if !response.is_empty() {
            cancel["response_id"] = response.into();
        }
        self.send(&cancel);
    }
}

impl Protocol for Realtime {
    fn request(&self) -> Request {
        let url = self.settings.base.with_scheme(Scheme::Ws, Scheme::Wss).join("realtime");
        let request = Request::web_socket(url.with("model", &self.settings.model));
        match &self.settings.key {
            Some(key) => request.header("Authorization", &Pii::new(format!("Bearer {}", key.reveal()))),
            None => request,
        }
    }

    fn rate_hz(&self) -> u32 {
        self.format.rate_hz()
    }

    fn wanted(&mut self, now: Moment) {
        self.owed = self.greets.then(|| now + GREETS);
    }

    /// The service speaks first.
    fn opened(&mut self) {}

    fn hear(&mut self, samples: &[i16]) {
        let bytes = match self.format {
            AudioFormat::Mulaw8k => to_mulaw(samples),
            AudioFormat::Pcm16 { .. } => to_bytes(samples),
        };
        self.send(&json!({"type": "input_audio_buffer.append", "audio": to_base64(&bytes)}));
    }

    fn text(&mut self, now: Moment, text: &str) {
        self.message(now, message(text));
    }

    fn binary(&mut self, _now: Moment, _bytes: &[u8]) {}

    fn cancel(&mut self, _now: Moment, heard: Span) {
        if let Some(Stopped { response, .. }) = self.answers.stop() {
            self.owed = None;
            self.stop(&response);
        }
        self.truncate(heard);
    }

    fn overtaken(&mut self, heard: Span) {
        self.truncate(heard);
    }

    fn leaves_alone(&mut self, _now: Moment) {
        match self.answers.leaves_alone() {
            Some(true) => {
                let stopped = self.answers.stop();
                self.breaks(stopped);
            }
            Some(false) => self.event(AllInOneEvent::FallsSilent),
            None => {}
        }
    }

    fn turn_begins(&mut self) {
        self.answers.turn_begins();
    }

    fn remind(&mut self, _now: Moment, history: &[(Role, String)]) {
        for (role, text) in history {
            let kind = match role {
                // It has its instructions.
                Role::System => continue,
                Role::User => "input_text",
                Role::Assistant => "output_text",
            };
            let content = json!([{"type": kind, "text": text}]);
            let item = json!({"type": "message", "role": role.name(), "content": content});
            self.send(&json!({"type": "conversation.item.create", "item": item}));
        }
        if self.greets {
            let instructions =
                format!("Say exactly this, in its own language, and nothing else: {}", self.greeting);
            self.send(&json!({"type": "response.create", "response": {"instructions": instructions}}));
        }
        self.out.push_back(Said::Ready);
    }

    fn broken(&mut self) {
        if let Some(answer) = self.answers.broken() {
            self.event(AllInOneEvent::Breaks { written: answer.written });
        }
        (self.stage, self.owed) = (Stage::Fresh, None);
        self.ungreeted();
    }

    fn clear(&mut self) {
        self.answers.broken();
        (self.stage, self.owed, self.greets) = (Stage::Fresh, None, false);
    }

    fn poll_timeout(&self) -> Option<Moment> {
        [self.owed, self.answers.poll_timeout()].into_iter().flatten().min()
    }

    fn handle_timeout(&mut self, now: Moment) {
        if self.owed.take_if(|owed| now >= *owed).is_some() {
            self.out.push_back(Said::Failed(Fault::Passing(Passing::Silent)));
        }
        let stopped = self.answers.fell_silent(now);
        self.breaks(stopped);
    }

    fn poll(&mut self) -> Option<Said> {
        self.out.pop_front()
    }
}

/// The words of it; none where nothing in it can be said.
fn plain(text: &str) -> String {
    let mut sentences = Splitter::of_whole().all(text);
    sentences.retain(Sentence::is_speakable);
    sentences.into_iter().map(|sentence| sentence.text).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
