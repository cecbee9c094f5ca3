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
use crate::failure::{Backoff, Breaker, Fault, Passing};
use crate::transport::{ConnId, FromNet, Part, ToNet};
use context::{Context, Stage};
use offhook_units::{Moment, Span};
use serde_json::json;
use std::collections::VecDeque;

/// The service closes the socket at a sixth context; its own default context may count as one.
const CONTEXTS_MAX: usize = 4;
/// Without any message for so long a keep-alive goes out: half of the service's shortest limit.
const KEEP_ALIVE: Span = Span::from_millis(10_000);
/// The socket must be open after this.
const CONNECT: Span = Span::from_millis(3_000);
/// After a flush audio must come within this.
const FIRST_AUDIO: Span = Span::from_millis(2_500);
/// After a close the final must come this long after the last audio.
const FINAL: Span = Span::from_millis(4_000);
/// A job that waits this long for a free context gets a new socket.
const SATURATED: Span = Span::from_millis(700);
/// An idle close of a socket younger than this is no idle close.
const IDLE_NOT_BEFORE: Span = Span::from_millis(5_000);
/// Jobs that wait; above it they are lost at once.
const WAITING_MAX: usize = 16;

#[derive(Debug, PartialEq)]
enum Socket {
    /// Not wanted, or never again.
    Shut,
    Opening {
        conn: ConnId,
        since: Moment,
    },
    Open {
        conn: ConnId,
        since: Moment,
        last_sent: Moment,
        last_heard: Moment,
    },
    /// Failed; tried again then.
    Waiting(Moment),
}

/// The machine. See [`VoiceSocket`] for the calling order.
#[derive(Debug)]
pub struct ElevenMulti {
    settings: ElevenSettings,
    socket: Socket,
    last: ConnId,
    contexts: Vec<Context>,
    backoff: Backoff,
    breaker: Breaker,
    /// Messages about contexts that are over, or never were.
    strays: u64,
    out: VecDeque<TtsOutput>,
}

impl ElevenMulti {
    /// Not connected yet. `breaker` is shared by all calls, `seed` is not.
    pub fn new(settings: ElevenSettings, breaker: Breaker, seed: u64) -> Self {
        Self {
            settings,
            socket: Socket::Shut,
            last: ConnId::none(Part::Voice),
            contexts: Vec::new(),
            backoff: Backoff::new(seed),
            breaker,
            strays: 0,
            out: VecDeque::new(),
        }
    }

    /// Messages that were about no running context.
    pub const fn strays(&self) -> u64 {
        self.strays
    }
}

impl VoiceSocket for ElevenMulti {
    fn rate_hz(&self) -> u32 {
        self.settings.format.rate_hz()
    }

    fn is_ready(&self) -> bool {
        matches!(self.socket, Socket::Open { .. })
    }

    fn is_starting(&self) -> bool {
        matches!(self.socket, Socket::Opening { .. }) && self.last.number == 1
    }

    fn takes_turns(&self) -> bool {
        true
    }

    fn open(&mut self, now: Moment) {
        if self.socket != Socket::Shut {
            return;
        }
        self.connect(now);
    }

    fn say(&mut self, now: Moment, job: JobId, text: &str) {
        let text = text.trim();
        if !text.chars().any(char::is_alphanumeric) {
            return;
        }
        if matches!(self.socket, Socket::Shut | Socket::Waiting(_)) || self.contexts.len() >= WAITING_MAX {
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
        if let Socket::Open { conn, .. } = self.socket {
            self.send(now, &json!({"close_socket": true}));
            self.out.push_back(TtsOutput::Net(ToNet::Close(conn)));
        } else if let Socket::Opening { conn, .. } = self.socket {
            self.out.push_back(TtsOutput::Net(ToNet::Close(conn)));
        }
        self.socket = Socket::Shut;
        self.contexts.clear();
    }

    fn handle_net(&mut self, now: Moment, conn: ConnId, message: FromNet) {
        match self.socket {
            Socket::Opening { conn: current, .. } | Socket::Open { conn: current, .. } if current == conn => {
            }
            _ => return,
        }
        match message {
            FromNet::Opened => {
                self.socket = Socket::Open { conn, since: now, last_sent: now, last_heard: now };
                self.write(now);
            }
            FromNet::Text(text) => self.message(now, &text),
            FromNet::Binary(_) => self.strays += 1,
            FromNet::Closed(closed) => self.ended(now, Fault::of_close(&closed)),
        }
    }

    fn handle_timeout(&mut self, now: Moment) {
        match self.socket {
            Socket::Waiting(until) if now >= until => self.connect(now),
            Socket::Opening { since, .. } if now >= since + CONNECT => self.drop_socket(now, Passing::Silent),
            Socket::Open { last_sent, .. } => {
                if now >= last_sent + KEEP_ALIVE {
                    self.keep_alive(now);
                }
                self.watch(now);
            }
            _ => {}
        }
    }

    fn poll_timeout(&self) -> Option<Moment> {
        match self.socket {
            Socket::Shut => None,
            Socket::Waiting(until) => Some(until),
            Socket::Opening { since, .. } => Some(since + CONNECT),
            Socket::Open { last_sent, .. } => {
                let watched = self.contexts.iter().filter_map(Context::due);
                watched.chain([last_sent + KEEP_ALIVE]).min()
            }
        }
    }

    fn poll_output(&mut self) -> Option<TtsOutput> {
        self.out.pop_front()
    }
}

impl ElevenMulti {
    fn connect(&mut self, now: Moment) {
        if !self.breaker.allows(now) {
            self.socket = Socket::Waiting(self.breaker.opens_at(now));
            return;
        }
        self.last = self.last.next();
        self.socket = Socket::Opening { conn: self.last, since: now };
        let request = self.settings.socket("multi-stream-input");
        self.out.push_back(TtsOutput::Net(ToNet::Open(self.last, request)));
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
                let settings = self.settings.voice_settings();
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
        if let Socket::Open { conn, last_sent, .. } = &mut self.socket {
            *last_sent = now;
            self.out.push_back(TtsOutput::Net(ToNet::Text(*conn, message.to_string())));
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
        if let Socket::Open { last_heard, .. } = &mut self.socket {
            *last_heard = now;
        }
        let message = eleven::read(text);
        if let Some(error) = message.error {
            return self.ended(now, Fault::of_name(&error).unwrap_or(Fault::Passing(Passing::Inside)));
        }
        let id = message.context.unwrap_or_default();
        let Some(at) = self.contexts.iter().position(|context| context.id == id) else {
            self.strays += u64::from(!message.audio.is_empty());
            return;
        };
        let Some(context) = self.contexts.get_mut(at) else { return };
        let (job, heard) = (context.job, !context.cancelled);
        let samples = context.audio(now, &message.audio);
        if !samples.is_empty() || message.is_final {
            // Something useful came: only that proves that the service works.
            self.backoff.worked();
            self.breaker.worked();
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
        if let Socket::Open { conn, since, .. } = self.socket
            && fault == Fault::Passing(Passing::Idle)
            && now.since(since) >= IDLE_NOT_BEFORE
        {
            // Nothing is wrong: a new one at once.
            self.out.push_back(TtsOutput::Net(ToNet::Close(conn)));
            self.lose_all(fault);
            self.event(TtsEvent::Fault(fault));
            return self.connect(now);
        }
        self.failed(now, fault);
    }

    /// The socket is of no use any more.
    fn failed(&mut self, now: Moment, fault: Fault) {
        if let Socket::Opening { conn, .. } | Socket::Open { conn, .. } = self.socket {
            self.out.push_back(TtsOutput::Net(ToNet::Close(conn)));
        }
        self.breaker.failed(now, fault);
        let wait = self.backoff.failed(fault.at_least());
        self.socket = Socket::Waiting(now + wait);
        self.lose_all(fault);
        self.event(TtsEvent::Fault(fault));
    }

    fn drop_socket(&mut self, now: Moment, why: Passing) {
        self.failed(now, Fault::Passing(why));
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
        let Socket::Open { last_heard, .. } = self.socket else { return };
        let overdue = |context: &Context| context.due().is_some_and(|due| now >= due);
        let Some(at) = self.contexts.iter().position(overdue) else { return };
        let Some(context) = self.contexts.get(at) else { return };
        let asked = context.asked();
        let saturated = context.stage == Stage::Waiting;
        if saturated || last_heard < asked {
            // Four contexts that never end, or a socket with nobody behind it: a new one serves everybody better.
            return self.drop_socket(now, Passing::Silent);
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
