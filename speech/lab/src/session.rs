//! What all protocols over a WebSocket have in common: messages come in, messages and audio go out, and some
//! of them go out at a time of their own. A session holds no socket and reads no clock.

use offhook_units::Moment;
use serde_json::Value;
use std::collections::VecDeque;

/// The lab's end of one conversation over a WebSocket.
pub(crate) trait Session {
    /// The connection stands.
    fn opened(&mut self, _now: Moment, _out: &mut Out) {}

    /// A text message came.
    fn text(&mut self, now: Moment, text: &str, out: &mut Out);

    /// A binary message came.
    fn binary(&mut self, now: Moment, data: &[u8], out: &mut Out);

    /// When [`Session::tick`] wants to be called next; `None` when nothing is pending.
    fn due(&self) -> Option<Moment>;

    /// Time has come for something.
    fn tick(&mut self, now: Moment, out: &mut Out);

    /// The vendor's own way to say that something failed.
    fn fail(&mut self, code: &str, out: &mut Out);
}

/// One thing that goes out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Send {
    /// A text message; with the audio in it, if there is any.
    Text { body: String, audio: Audio },
    /// A binary message, which is audio.
    Binary { body: Vec<u8>, audio: Audio },
    /// The end of the connection.
    Close { code: u16, reason: String },
}

/// How much audio is in a message.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Audio {
    pub(crate) bytes: usize,
    pub(crate) us: u64,
}

/// What a session wants to be sent, in order.
#[derive(Debug, Default)]
pub(crate) struct Out {
    queue: VecDeque<Send>,
    /// Audio that was heard, for faults that wait for it.
    heard_us: u64,
}

impl Out {
    pub(crate) fn json(&mut self, body: &Value) {
        self.queue.push_back(Send::Text { body: body.to_string(), audio: Audio::default() });
    }

    pub(crate) fn json_audio(&mut self, body: &Value, audio: Audio) {
        self.queue.push_back(Send::Text { body: body.to_string(), audio });
    }

    pub(crate) fn binary(&mut self, body: Vec<u8>, us: u64) {
        let audio = Audio { bytes: body.len(), us };
        self.queue.push_back(Send::Binary { body, audio });
    }

    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.queue.push_back(Send::Close { code, reason: reason.to_owned() });
    }

    /// A recogniser heard so much.
    pub(crate) fn heard(&mut self, us: u64) {
        self.heard_us += us;
    }

    pub(crate) const fn heard_us(&self) -> u64 {
        self.heard_us
    }

    pub(crate) fn next(&mut self) -> Option<Send> {
        self.queue.pop_front()
    }
}

#[cfg(test)]
impl Out {
    /// Takes everything as JSON, for tests: binary as `{"binary": length}`, closes as `{"close": code}`.
    pub(crate) fn drain(&mut self) -> Vec<Value> {
        self.queue
            .drain(..)
            .map(|send| match send {
                Send::Text { body, .. } => serde_json::from_str(&body).unwrap(),
                Send::Binary { body, .. } => serde_json::json!({"binary": body.len()}),
                Send::Close { code, reason } => serde_json::json!({"close": code, "reason": reason}),
            })
            .collect()
    }
}
