//! `multi-stream-input`: up to five contexts on one connection, the one for conversations.

use super::context::Context;
use super::{Setup, audio_message, error, final_message};
use crate::session::{Out, Session};
use crate::speak::Chunk;
use offhook_units::Moment;
use serde_json::Value;

/// Contexts at once, those that are closing too.
const CONTEXTS: usize = 5;
/// The context of messages that name none.
const DEFAULT: &str = "default";

/// One connection.
#[derive(Debug)]
pub(crate) struct Multi {
    setup: Setup,
    contexts: Vec<Named>,
    ending: bool,
    active: Moment,
    over: bool,
}

#[derive(Debug)]
struct Named {
    id: String,
    context: Context,
    closing: bool,
    /// What went last, for frames that come too late.
    last: Option<Chunk>,
}

impl Multi {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { setup, contexts: Vec::new(), ending: false, active: Moment::ZERO, over: false }
    }

    fn refuse(&mut self, out: &mut Out, code: &str, message: &str) {
        self.over = true;
        error(out, code, message);
    }

    fn message(&mut self, now: Moment, message: &Value, out: &mut Out) {
        let flag = |name: &str| message.get(name).and_then(Value::as_bool).unwrap_or(false);
        if flag("close_socket") {
            self.setup.page.message("close_socket");
            self.ending = true;
            self.contexts.iter_mut().for_each(|named| named.closing = true);
            return;
        }
        let given = message.get("context_id").or_else(|| message.get("contextId")).and_then(Value::as_str);
        let text = message.get("text").and_then(Value::as_str);
        if given.is_none() && text == Some("") {
            return self.setup.page.message("keep-alive");
        }
        let id = given.unwrap_or(DEFAULT);
        if flag("close_context") {
            self.setup.page.message("close_context");
            // What was flushed is still spoken; what was not is lost.
            if let Some(named) = self.contexts.iter_mut().find(|named| named.id == id) {
                named.closing = true;
            }
            return;
        }
        if !self.is_open(id) && !self.open(id, message, out) {
            return;
        }
        self.feed(now, id, text, message, out);
    }

    fn is_open(&self, id: &str) -> bool {
        self.contexts.iter().any(|named| named.id == id)
    }

    /// Any message that names an unknown context opens it, a bare flush and a keep-alive too.
    fn open(&mut self, id: &str, first: &Value, out: &mut Out) -> bool {
        let most = self.setup.faults.contexts.map_or(CONTEXTS, |most| most as usize);
        if self.contexts.len() >= most {
            let message = format!(
                "Maximum simultaneous contexts per WebSocket connection exceeded ({most}). Close a context first."
            );
            self.refuse(out, "max_active_conversations", &message);
            return false;
        }
        let Some(format) = self.setup.settings.format else { return false };
        let Setup { settings, speaker, faults, page, .. } = &self.setup;
        let context = Context::new(first, settings, format, speaker, faults);
        self.contexts.push(Named { id: id.to_owned(), context, closing: false, last: None });
        page.context(id, self.contexts.len());
        page.message("init");
        true
    }

    fn feed(&mut self, now: Moment, id: &str, text: Option<&str>, message: &Value, out: &mut Out) {
        let Some(named) = self.contexts.iter_mut().find(|named| named.id == id) else { return };
        if !named.context.allows(message) {
            let why = "voice_settings field must be provided in the first message of a context only.";
            return self.refuse(out, "invalid_message", why);
        }
        if named.closing {
            return self.setup.page.message("after close");
        }
        let flag = |name: &str| message.get(name).and_then(Value::as_bool).unwrap_or(false);
        let spoken = text.filter(|text| !text.trim().is_empty());
        if let Some(text) = spoken {
            self.setup.page.message("text");
            self.setup.page.text(id, text);
        } else if flag("flush") {
            self.setup.page.message("flush");
        } else if text == Some("") {
            self.setup.page.message("keep-alive");
        }
        named.context.take(now, spoken.unwrap_or_default(), flag("flush"), flag("try_trigger_generation"));
    }

    /// Contexts that are closed and have said everything are done.
    fn finish(&mut self, out: &mut Out) {
        let faults = &self.setup.faults;
        if faults.no_final {
            return;
        }
        self.contexts.retain(|named| {
            let done = named.closing && named.context.is_done();
            if done {
                out.json(&final_message(Some(&named.id), faults.keys));
                for _ in 0..faults.late {
                    if let Some(chunk) = &named.last {
                        let (message, audio) =
                            audio_message(chunk, Some(&named.id), &self.setup.settings, faults.keys);
                        out.json_audio(&message, audio);
                    }
                }
            }
            !done
        });
        if self.ending && self.contexts.is_empty() && !self.over {
            self.over = true;
            out.close(1000, "");
        }
    }
}

impl Session for Multi {
    fn opened(&mut self, now: Moment, out: &mut Out) {
        self.active = now;
        self.setup.refuse(out);
    }

    fn text(&mut self, now: Moment, text: &str, out: &mut Out) {
        self.active = now;
        if self.over || self.ending {
            return;
        }
        match serde_json::from_str(text) {
            Ok(message) => self.message(now, &message, out),
            Err(_) => self.refuse(out, "invalid_message", "A message must be JSON."),
        }
        self.tick(now, out);
    }

    fn binary(&mut self, _now: Moment, _data: &[u8], out: &mut Out) {
        self.refuse(out, "invalid_message", "Messages are text.");
    }

    fn due(&self) -> Option<Moment> {
        if self.over {
            return None;
        }
        let idle = self.active + self.setup.settings.idle;
        self.contexts.iter().filter_map(|named| named.context.due()).chain([idle]).min()
    }

    fn tick(&mut self, now: Moment, out: &mut Out) {
        if self.over {
            return;
        }
        let Setup { settings, faults, .. } = &self.setup;
        for named in &mut self.contexts {
            while let Some(chunk) = named.context.next(now) {
                self.active = now;
                let (message, audio) = audio_message(&chunk, Some(&named.id), settings, faults.keys);
                out.json_audio(&message, audio);
                if faults.late > 0 {
                    named.last = Some(chunk);
                }
            }
        }
        self.finish(out);
        if !self.over && now >= self.active + self.setup.settings.idle {
            self.refuse(
                out,
                "input_timeout_exceeded",
                "You have not submitted a new text input within the timeout.",
            );
        }
    }

    fn fail(&mut self, code: &str, out: &mut Out) {
        self.refuse(out, code, "The lab was told to fail.");
    }
}
