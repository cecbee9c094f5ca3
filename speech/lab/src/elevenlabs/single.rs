//! `stream-input`: one stream of generation for a whole connection.

use super::context::Context;
use super::{Setup, audio_message, error, final_message};
use crate::session::{Out, Session};
use offhook_units::Moment;
use serde_json::Value;

/// One connection.
#[derive(Debug)]
pub(crate) struct Single {
    setup: Setup,
    context: Option<Context>,
    /// No more text comes.
    ended: bool,
    active: Moment,
    over: bool,
}

impl Single {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { setup, context: None, ended: false, active: Moment::ZERO, over: false }
    }

    fn refuse(&mut self, out: &mut Out, code: &str, message: &str) {
        self.over = true;
        error(out, code, message);
    }

    fn message(&mut self, now: Moment, message: &Value, out: &mut Out) {
        let page = &self.setup.page;
        let Some(text) = message.get("text").and_then(Value::as_str) else {
            return self.refuse(out, "invalid_message", "A message must have the field text.");
        };
        let flag = |name: &str| message.get(name).and_then(Value::as_bool).unwrap_or(false);
        let Some(context) = &mut self.context else {
            page.message("init");
            if text != " " {
                return self.refuse(
                    out,
                    "invalid_message",
                    "The first message must have one space as its text.",
                );
            }
            let Some(format) = self.setup.settings.format else { return };
            let Setup { settings, speaker, faults, .. } = &self.setup;
            self.context = Some(Context::new(message, settings, format, speaker, faults));
            return;
        };
        if !context.allows(message) {
            return self.refuse(
                out,
                "invalid_message",
                "voice_settings field must be provided in the first message only.",
            );
        }
        page.message(match text {
            "" => "end",
            " " => "keep-alive",
            _ => "text",
        });
        self.ended = text.is_empty();
        if !text.trim().is_empty() {
            page.text("", text);
        }
        let text = if text == " " { "" } else { text };
        context.take(now, text, flag("flush") || self.ended, flag("try_trigger_generation"));
        self.tick(now, out);
    }
}

impl Session for Single {
    fn opened(&mut self, now: Moment, out: &mut Out) {
        self.active = now;
        self.setup.refuse(out);
    }

    fn text(&mut self, now: Moment, text: &str, out: &mut Out) {
        self.active = now;
        if self.over || self.ended {
            return;
        }
        match serde_json::from_str(text) {
            Ok(message) => self.message(now, &message, out),
            Err(_) => self.refuse(out, "invalid_message", "A message must be JSON."),
        }
    }

    fn binary(&mut self, _now: Moment, _data: &[u8], out: &mut Out) {
        self.refuse(out, "invalid_message", "Messages are text.");
    }

    fn due(&self) -> Option<Moment> {
        if self.over {
            return None;
        }
        let idle = self.active + self.setup.settings.idle;
        Some(self.context.as_ref().and_then(Context::due).map_or(idle, |due| due.min(idle)))
    }

    fn tick(&mut self, now: Moment, out: &mut Out) {
        let Setup { settings, faults, .. } = &self.setup;
        if let Some(context) = &mut self.context {
            while let Some(chunk) = context.next(now) {
                self.active = now;
                let (message, audio) = audio_message(&chunk, None, settings, faults.keys);
                out.json_audio(&message, audio);
            }
            if self.ended && context.is_done() && !self.over {
                self.over = true;
                if !faults.no_final {
                    out.json(&final_message(None, faults.keys));
                    out.close(1000, "");
                }
            }
        }
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
