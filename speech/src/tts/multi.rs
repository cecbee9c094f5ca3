//! ElevenLabs' `multi-stream-input`: one socket for the whole call, a context for each job.
//!
//! ```text
//! init (settings) ─► text + flush ─► text + flush ─► close ─► ... audio ... ─► isFinal     one context
//!        at most four that are open or closing; a job above that waits for a final
//! ```
//!
//! All that is written goes through one queue in order, so an init is always the first that the service sees of a
//! context, and nothing is ever sent about one that it has not seen.

mod context;

use super::eleven::{self, ElevenSettings};
use super::{JobId, TtsEvent, TtsOutput, VoiceSocket};
use crate::failure::{Breaker, Fault, Passing};
use crate::lifeline::{Due, Lifeline};
use crate::text::is_speakable;
use crate::transport::{ConnId, FromNet, Part, ToNet};
use context::{Context, Stage};
use offhook_units::{Moment, Span};
use serde_json::json;
use std::collections::VecDeque;

/// The service closes the socket at a sixth context; its own default context may count as one.
const CONTEXTS_MAX: usize = 4;
/// Without any message for so long a keep-alive goes out: half of the service's shortest limit.
const KEEP_ALIVE: Span = Span::from_millis(10_000);
/// After a flush audio must come within this.
const FIRST_AUDIO: Span = Span::from_millis(2_500);
/// After a close the final must come this long after the last audio.
const FINAL: Span = Span::from_millis(4_000);
/// A job that waits this long for a free context gets a new socket.
const SATURATED: Span = Span::from_millis(700);
/// Jobs that wait; above it they are lost at once.
const WAITING_MAX: usize = 16;

/// The machine. See [`VoiceSocket`] for the calling order.
#[derive(Debug)]
pub struct ElevenMulti {
    settings: ElevenSettings,
    line: Lifeline,
    last_sent: Moment,
    last_heard: Moment,
    contexts: Vec<Context>,
    out: VecDeque<TtsOutput>,
}

impl ElevenMulti {
    /// Not connected yet. `breaker` is shared by all calls, `seed` is not.
    pub fn new(settings: ElevenSettings, breaker: Breaker, seed: u64) -> Self {
        Self {
            settings,
            line: Lifeline::new(Part::Voice, breaker, seed),
            last_sent: Moment::ZERO,
            last_heard: Moment::ZERO,
            contexts: Vec::new(),
            out: VecDeque::new(),
        }
    }
}

impl VoiceSocket for ElevenMulti {
    fn rate_hz(&self) -> u32 {
        self.settings.format.rate_hz()
    }

    fn is_ready(&self) -> bool {
        self.line.open().is_some()
    }

    fn is_starting(&self) -> bool {
        self.line.is_starting()
    }

    fn takes_turns(&self) -> bool {
        true
    }

    fn open(&mut self, now: Moment) {
        if self.line.is_shut() {
            self.connect(now);
        }
    }

    fn say(&mut self, now: Moment, job: JobId, text: &str) {
        let text = text.trim();
        if !is_speakable(text) {
            return;
        }
        if self.line.held().is_none() || self.contexts.len() >= WAITING_MAX {
            return self.event(TtsEvent::Lost(job, Fault::Passing(Passing::Lost)));
        }
        let context = match self.contexts.iter_mut().position(|context| context.job == job) {
            Some(at) => self.contexts.get_mut(at),
            None => {
                self.contexts.push(Context::new(job, self.settings.format, now));
                self.contexts.last_mut()
            }
        };
        if let Some(context) = context {
            context.waiting.push(format!("{text} "));
        }
        self.write(now);
    }

    fn end(&mut self, now: Moment, job: JobId) {
        match self.contexts.iter_mut().find(|context| context.job == job) {
            Some(context) => context.ends = true,
            // It had nothing to say.
            None => return self.event(TtsEvent::Finished(job)),
        }
        self.write(now);
    }

    fn cancel(&mut self, now: Moment, job: JobId) {
        let Some(at) = self.contexts.iter().position(|context| context.job == job) else { return };
        match self.contexts.get_mut(at) {
            Some(context) if context.stage != Stage::Waiting => {
                context.cancelled = true;
                context.ends = true;
                context.waiting.clear();
            }
            // The service has not heard of it.
            _ => drop(self.contexts.remove(at)),
        }
        self.write(now);
    }

    fn shut(&mut self, now: Moment) {
        self.send(now, &json!({"close_socket": true}));
        let held = self.line.shut();
        self.close(held);
        self.contexts.clear();
    }

    fn handle_net(&mut self, now: Moment, conn: ConnId, message: FromNet) {
        if self.line.held() != Some(conn) {
            return;
        }
        match message {
            FromNet::Opened => {
                self.line.opened(now);
                (self.last_sent, self.last_heard) = (now, now);
                self.write(now);
            }
            FromNet::Text(text) => self.message(now, &text),
            FromNet::Binary(_) => {}
            FromNet::Closed(closed) => self.ended(now, Fault::of_close(&closed)),
        }
    }

    fn handle_timeout(&mut self, now: Moment) {
        match self.line.due(now) {
            Some(Due::Connect) => self.connect(now),
            Some(Due::GiveUp) => self.failed(now, Fault::Passing(Passing::Silent)),
            None if self.is_ready() => {
                if now >= self.last_sent + KEEP_ALIVE {
                    self.keep_alive(now);
                }
                self.watch(now);
            }
            None => {}
        }
    }

    fn poll_timeout(&self) -> Option<Moment> {
        if !self.is_ready() {
            return self.line.poll_timeout();
        }
        let watched = self.contexts.iter().filter_map(Context::due);
        watched.chain([self.last_sent + KEEP_ALIVE]).min()
    }

    fn poll_output(&mut self) -> Option<TtsOutput> {
        self.out.pop_front()
    }
}

impl ElevenMulti {
    fn connect(&mut self, now: Moment) {
        if let Some(conn) = self.line.connect(now) {
            let request = self.settings.socket("multi-stream-input");
            self.out.push_back(TtsOutput::Net(ToNet::Open(conn, request)));
        }
    }

    fn close(&mut self, conn: Option<ConnId>) {
        self.out.extend(conn.map(|conn| TtsOutput::Net(ToNet::Close(conn))));
    }

    /// Writes all that may be written: closes first, since they make room.
    fn write(&mut self, now: Moment) {
        if !self.is_ready() {
            return;
        }
        let mut contexts = std::mem::take(&mut self.contexts);
        for context in &mut contexts {
            if context.stage == Stage::Open && context.ends && context.waiting.is_empty() {
                self.send(now, &json!({"context_id": context.id, "close_context": true}));
                context.close(now);
            }
        }
        let mut used = contexts.iter().filter(|context| context.stage != Stage::Waiting).count();
        for context in &mut contexts {
            if context.stage == Stage::Waiting {
                if used >= CONTEXTS_MAX || context.waiting.is_empty() {
                    continue;
                }
                used += 1;
                let settings = eleven::voice_settings();
                self.send(now, &json!({"text": " ", "context_id": context.id, "voice_settings": settings}));
                context.stage = Stage::Open;
            }
            for text in std::mem::take(&mut context.waiting) {
                self.send(now, &json!({"text": text, "context_id": context.id, "flush": true}));
                context.owed(now);
            }
            if context.stage == Stage::Open && context.ends {
                self.send(now, &json!({"context_id": context.id, "close_context": true}));
                context.close(now);
            }
        }
        // A job that ended without a word.
        contexts.retain(|context| {
            let over = context.stage == Stage::Waiting && context.ends && context.waiting.is_empty();
            if over {
                self.event(TtsEvent::Finished(context.job));
            }
            !over
        });
        self.contexts = contexts;
    }

    fn send(&mut self, now: Moment, message: &serde_json::Value) {
        if let Some(conn) = self.line.open() {
            self.last_sent = now;
            self.out.push_back(TtsOutput::Net(ToNet::Text(conn, message.to_string())));
        }
    }

    fn keep_alive(&mut self, now: Moment) {
        let open = self.contexts.iter().find(|context| context.stage == Stage::Open);
        let message = match open {
            Some(context) => json!({"text": "", "context_id": context.id}),
            None => json!({"text": ""}),
        };
        self.send(now, &message);
    }

    fn message(&mut self, now: Moment, text: &str) {
        self.last_heard = now;
        let message = eleven::read(text);
        if let Some(error) = message.error {
            return self.ended(now, Fault::of_name(&error).unwrap_or(Fault::Passing(Passing::Inside)));
        }
        let id = message.context.unwrap_or_default();
        // What is about a context that is over, or that never was, is about nothing.
        let Some(at) = self.contexts.iter().position(|context| context.id == id) else { return };
        let Some(context) = self.contexts.get_mut(at) else { return };
        let (job, heard) = (context.job, !context.cancelled);
        let samples = context.audio(now, &message.audio);
        if !samples.is_empty() || message.is_final {
            self.line.worked();
        }
        if heard && !(samples.is_empty() && message.chars.is_empty()) {
            self.event(TtsEvent::Audio { job, samples, chars: message.chars });
        }
        if message.is_final {
            let context = self.contexts.remove(at);
            if heard {
                let whole = context.ends && context.waiting.is_empty() && context.got_audio;
                self.event(if whole {
                    TtsEvent::Finished(job)
                } else {
                    TtsEvent::Lost(job, Fault::Passing(Passing::Silent))
                });
            }
            self.write(now);
        }
    }

    /// The service ended the socket, or says that it will.
    fn ended(&mut self, now: Moment, fault: Fault) {
        if self.line.was_idle(now, fault) {
            self.close(self.line.held());
            self.lose_all(fault);
            self.event(TtsEvent::Fault(fault));
            return self.connect(now);
        }
        self.failed(now, fault);
    }

    /// The socket is of no use any more.
    fn failed(&mut self, now: Moment, fault: Fault) {
        let held = self.line.failed(now, fault);
        self.close(held);
        self.lose_all(fault);
        self.event(TtsEvent::Fault(fault));
    }

    fn lose_all(&mut self, fault: Fault) {
        for context in std::mem::take(&mut self.contexts) {
            if !context.cancelled {
                self.event(TtsEvent::Lost(context.job, fault));
            }
        }
    }

    /// Contexts that owe something and are silent.
    fn watch(&mut self, now: Moment) {
        let overdue = |context: &Context| context.due().is_some_and(|due| now >= due);
        let Some(at) = self.contexts.iter().position(overdue) else { return };
        let Some(context) = self.contexts.get(at) else { return };
        let asked = context.asked();
        let saturated = context.stage == Stage::Waiting;
        if saturated || self.last_heard < asked {
            // Four contexts that never end, or a socket with nobody behind it: a new one serves everybody better.
            return self.failed(now, Fault::Passing(Passing::Silent));
        }
        let context = self.contexts.remove(at);
        if context.stage == Stage::Open {
            self.send(now, &json!({"context_id": context.id, "close_context": true}));
        }
        if !context.cancelled {
            self.event(TtsEvent::Lost(context.job, Fault::Passing(Passing::Silent)));
        }
        self.write(now);
    }

    fn event(&mut self, event: TtsEvent) {
        self.out.push_back(TtsOutput::Event(event));
    }
}

#[cfg(test)]
mod tests;
