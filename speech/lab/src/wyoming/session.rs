//! One client of Wyoming: it asks what there is, has text spoken, or has speech recognised.

use super::event::Event;
use crate::faults::Faults;
use crate::hear::{Ear, Heard, key_pressed, without_words};
use crate::model::Script;
use crate::seen::Page;
use crate::session::Audio;
use crate::speak::{Encoding, Format, Speaker, Track};
use offhook_units::Moment;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

/// The rate of most voices of piper: not one that a telephone has, so that clients must look.
const RATE_HZ: u32 = 22_050;
const SPOKEN: Format = Format { encoding: Encoding::Pcm, rate_hz: RATE_HZ };
/// Silence that ends what is said, for the words of a script, in milliseconds.
const SILENCE_MS: u32 = 500;

/// What goes out, in order.
pub(crate) type Events = VecDeque<(Event, Audio)>;

/// The client.
#[derive(Debug)]
pub(crate) struct Client {
    script: Arc<Script>,
    page: Page,
    voice: String,
    track: Track,
    /// Text comes in parts: each sentence is an utterance of its own.
    streaming: bool,
    kept: String,
    /// An `audio-start` is out without its `audio-stop`.
    sounding: bool,
    /// What is said when everything was spoken.
    owed: Option<&'static str>,
    ear: Option<Ear>,
    understood: Vec<String>,
}

impl Client {
    pub(crate) fn new(speaker: &Arc<Speaker>, script: &Arc<Script>, faults: &Faults, page: &Page) -> Self {
        Self {
            script: Arc::clone(script),
            page: page.clone(),
            voice: speaker.name().to_owned(),
            track: Track::new(speaker, SPOKEN, faults),
            streaming: false,
            kept: String::new(),
            sounding: false,
            owed: None,
            ear: None,
            understood: Vec::new(),
        }
    }

    pub(crate) fn take(&mut self, now: Moment, event: &Event, out: &mut Events) {
        self.page.message(&event.kind);
        match event.kind.as_str() {
            "describe" => say(out, "info", info(&self.voice)),
            "ping" => say(out, "pong", json!({"text": event.text("text")})),
            "synthesize" if !self.streaming => {
                self.page.text("", event.text("text"));
                self.track.say(now, event.text("text"));
                self.start(out);
                self.owed = Some("audio-stop");
            }
            "synthesize-start" => self.streaming = true,
            "synthesize-chunk" if self.streaming => {
                self.page.text("", event.text("text"));
                self.kept.push_str(event.text("text"));
                if let Some(end) = self.kept.rfind(['.', '!', '?']) {
                    let rest = self.kept.split_off(end + 1);
                    let ready = std::mem::replace(&mut self.kept, rest);
                    self.track.say(now, &ready);
                }
            }
            "synthesize-stop" if self.streaming => {
                let rest = std::mem::take(&mut self.kept);
                self.track.say(now, &rest);
                self.owed = Some("synthesize-stopped");
            }
            "audio-start" => self.listen(event),
            "audio-chunk" => self.hear(&event.payload),
            "audio-stop" => self.transcript(out),
            _ => {}
        }
        self.tick(now, out);
    }

    fn start(&mut self, out: &mut Events) {
        self.sounding = true;
        say(out, "audio-start", audio_form());
    }

    fn stop(&mut self, out: &mut Events) {
        if std::mem::take(&mut self.sounding) {
            say(out, "audio-stop", json!({}));
        }
    }

    pub(crate) fn due(&self) -> Option<Moment> {
        self.track.due()
    }

    pub(crate) fn tick(&mut self, now: Moment, out: &mut Events) {
        while let Some(chunk) = self.track.next(now) {
            if self.streaming && chunk.piece.is_some() {
                self.stop(out);
                self.start(out);
            }
            let audio = Audio { bytes: chunk.audio.len(), us: chunk.us };
            out.push_back((Event { payload: chunk.audio, ..Event::new("audio-chunk", audio_form()) }, audio));
        }
        if self.track.is_idle()
            && let Some(owed) = self.owed.take()
        {
            self.stop(out);
            if owed == "synthesize-stopped" {
                self.streaming = false;
                say(out, owed, json!({}));
            }
        }
    }

    fn listen(&mut self, start: &Event) {
        let number = |name: &str| start.data.get(name).and_then(Value::as_u64);
        let rate_hz = number("rate").and_then(|hz| u32::try_from(hz).ok()).unwrap_or(16_000);
        let format = Format::by_deepgram("linear16", rate_hz);
        let fits = number("width") == Some(2) && number("channels") == Some(1);
        self.ear = format.filter(|_| fits).map(|format| Ear::new(format, SILENCE_MS));
        self.understood.clear();
    }

    fn hear(&mut self, audio: &[u8]) {
        self.page.audio_in(audio.len());
        let heard = self.ear.as_mut().map(|ear| ear.hear(audio)).unwrap_or_default();
        heard.into_iter().for_each(|heard| self.heard(heard));
    }

    fn heard(&mut self, heard: Heard) {
        match heard {
            Heard::Began { .. } => {}
            Heard::Ended { from_us, to_us } => {
                let words = self.script.utterance().unwrap_or_else(|| without_words(from_us, to_us));
                self.understood.push(words);
            }
            Heard::Key { key, .. } => self.understood.push(key_pressed(key)),
        }
    }

    fn transcript(&mut self, out: &mut Events) {
        let Some(mut ear) = self.ear.take() else {
            return say(
                out,
                "error",
                json!({"text": "expected 16-bit mono audio from 8 to 48 kHz", "code": "bad-format"}),
            );
        };
        ear.finish().into_iter().for_each(|heard| self.heard(heard));
        let text = std::mem::take(&mut self.understood).join(" ");
        self.page.text("", &text);
        say(out, "transcript", json!({"text": text, "language": "en"}));
    }
}

fn say(out: &mut Events, kind: &str, data: Value) {
    out.push_back((Event::new(kind, data), Audio::default()));
}

fn audio_form() -> Value {
    json!({"rate": RATE_HZ, "width": 2, "channels": 1})
}

fn info(voice: &str) -> Value {
    let part = |name: &str, description: &str, more: Value| {
        let mut part = json!({
            "name": name, "description": description, "installed": true, "version": "0",
            "attribution": {"name": "offhook lab", "url": ""},
        });
        if let (Some(part), Some(more)) = (part.as_object_mut(), more.as_object()) {
            part.extend(more.clone());
        }
        part
    };
    let voices = json!([part("lab", voice, json!({"languages": ["en"], "speakers": null}))]);
    let models = json!([part("lab", "speech times and keys; no words", json!({"languages": ["en"]}))]);
    json!({
        "tts": [part("lab", voice, json!({"voices": voices, "supports_synthesize_streaming": true}))],
        "asr": [part("lab", "speech times and keys; no words", json!({"models": models, "supports_transcript_streaming": false}))],
        "handle": [], "intent": [], "wake": [], "mic": [], "snd": [],
    })
}
