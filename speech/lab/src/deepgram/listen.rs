//! `/v1/listen`: audio in, results out. Times are true; words are the script's, or say that there are none.

use crate::faults::{Faults, UtteranceEnd};
use crate::hear::{Ear, Heard, key_pressed, without_words};
use crate::http::Request;
use crate::model::Script;
use crate::seen::Page;
use crate::session::{Out, Session};
use crate::speak::Format;
use offhook_units::{Moment, Span};
use serde_json::{Value, json};
use std::sync::Arc;

/// A connection without audio and without KeepAlive for so long is closed.
const IDLE_MS: u32 = 10_000;
/// Time between two interim results.
const INTERIM_US: u64 = 500_000;
/// Words come out of a script so fast, in interim results.
const WORD_US: u64 = 350_000;

/// One stream.
#[derive(Debug)]
pub(crate) struct Listen {
    script: Arc<Script>,
    page: Page,
    ear: Ear,
    format: Format,
    interim: bool,
    vad_events: bool,
    speech_final: bool,
    utterance_end_us: Option<u64>,
    /// The end of the utterance is told while it goes on.
    ends_early: bool,
    idle: Span,
    active: Moment,
    /// What the caller is saying, by the script.
    words: Option<String>,
    interim_at_us: u64,
    /// End of the last word, until an UtteranceEnd was sent for it.
    last_word_us: Option<u64>,
    /// End of the audio that final results cover.
    covered_us: u64,
    over: bool,
}

impl Listen {
    /// By the query; `None` for an encoding that the lab does not decode.
    pub(crate) fn new(request: &Request, script: &Arc<Script>, faults: &Faults, page: &Page) -> Option<Self> {
        let format = Format::by_deepgram(&request.field("encoding")?, request.number("sample_rate")?)?;
        let endpointing = request.field("endpointing");
        let silence_ms =
            endpointing.as_deref().and_then(|text| text.parse().ok()).unwrap_or(10).clamp(10, 5_000);
        Some(Self {
            script: Arc::clone(script),
            page: page.clone(),
            ear: Ear::new(format, silence_ms),
            format,
            interim: request.flag("interim_results"),
            vad_events: request.flag("vad_events"),
            speech_final: endpointing.as_deref() != Some("false") && !faults.no_final,
            utterance_end_us: request
                .number("utterance_end_ms")
                .filter(|_| faults.utterance_end != Some(UtteranceEnd::Never))
                .map(|ms| u64::from(ms) * 1000),
            ends_early: faults.utterance_end == Some(UtteranceEnd::Early),
            idle: Span::from_millis(faults.idle_ms.unwrap_or(IDLE_MS).into()),
            active: Moment::ZERO,
            words: None,
            interim_at_us: 0,
            last_word_us: None,
            covered_us: 0,
            over: false,
        })
    }

    fn heard(&mut self, heard: Heard, out: &mut Out) {
        match heard {
            Heard::Began { at_us } => {
                self.words = self.script.utterance();
                self.interim_at_us = at_us + INTERIM_US;
                if self.vad_events {
                    out.json(
                        &json!({"type": "SpeechStarted", "channel": [0, 1], "timestamp": seconds(at_us)}),
                    );
                }
            }
            Heard::Ended { from_us, to_us } => {
                let words = self.words.take().unwrap_or_else(|| without_words(from_us, to_us));
                self.page.text("", &words);
                let last = Last { is_final: true, speech_final: self.speech_final, from_finalize: false };
                self.results(&words, from_us, to_us, last, out);
                self.last_word_us = Some(to_us);
            }
            Heard::Key { key, at_us } => {
                let words = key_pressed(key);
                self.page.text("", &words);
                let last = Last { is_final: true, speech_final: self.speech_final, from_finalize: false };
                self.results(&words, at_us, at_us + 40_000, last, out);
            }
        }
    }

    /// The part of the script that has been heard so far.
    fn interim(&mut self, out: &mut Out) {
        let Some((from_us, to_us)) = self.ear.going() else { return };
        if !self.interim || self.ear.at_us() < self.interim_at_us {
            return;
        }
        self.interim_at_us += INTERIM_US;
        let Some(words) = &self.words else { return };
        let count = ((to_us - from_us) / WORD_US).max(1) as usize;
        let so_far = words.split_whitespace().take(count).collect::<Vec<_>>().join(" ");
        self.results(&so_far, from_us, to_us, Last::default(), out);
        if self.ends_early && self.utterance_end_us.is_some() {
            Self::tell_utterance_end(to_us, out);
        }
    }

    fn utterance_end(&mut self, out: &mut Out) {
        let (Some(limit), Some(last)) = (self.utterance_end_us, self.last_word_us) else { return };
        if self.ear.going().is_none() && self.ear.at_us() >= last + limit {
            self.last_word_us = None;
            Self::tell_utterance_end(last, out);
        }
    }

    fn tell_utterance_end(at_us: u64, out: &mut Out) {
        out.json(&json!({"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": seconds(at_us)}));
    }

    fn results(&mut self, text: &str, from_us: u64, to_us: u64, last: Last, out: &mut Out) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let at = |n: usize| seconds(from_us + (to_us - from_us) * n as u64 / words.len().max(1) as u64);
        let timed = |(n, word): (usize, &&str)| {
            let bare = word.trim_matches(|letter: char| !letter.is_alphanumeric()).to_lowercase();
            json!({"word": bare, "start": at(n), "end": at(n + 1), "confidence": 1.0, "punctuated_word": word})
        };
        let start_us = self.covered_us;
        if last.is_final {
            self.covered_us = self.ear.at_us();
        }
        out.json(&json!({
            "type": "Results", "channel_index": [0, 1], "start": seconds(start_us),
            "duration": seconds(self.ear.at_us().saturating_sub(start_us)),
            "is_final": last.is_final, "speech_final": last.speech_final, "from_finalize": last.from_finalize,
            "channel": {"alternatives": [{
                "transcript": text, "confidence": 1.0,
                "words": words.iter().enumerate().map(timed).collect::<Vec<_>>(),
            }]},
            "metadata": {"request_id": "lab", "model_uuid": "lab",
                         "model_info": {"name": "lab", "version": "0", "arch": "energy and a script"}},
        }));
    }

    /// Ends what goes on and says all that is known.
    fn flush(&mut self, from_finalize: bool, out: &mut Out) {
        let ended = self.ear.finish();
        if let Some(ended) = ended {
            self.heard(ended, out);
        }
        if from_finalize {
            let last = Last { is_final: true, speech_final: false, from_finalize: true };
            let at_us = self.ear.at_us();
            self.results("", at_us, at_us, last, out);
        }
    }

    fn close(&mut self, out: &mut Out) {
        self.flush(false, out);
        self.over = true;
        out.json(&json!({
            "type": "Metadata", "transaction_key": "deprecated", "request_id": "lab", "sha256": "",
            "created": "2026-01-01T00:00:00.000Z", "duration": seconds(self.ear.at_us()), "channels": 1,
        }));
        out.close(1000, "");
    }
}

/// What a result is the end of.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    is_final: bool,
    speech_final: bool,
    from_finalize: bool,
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

impl Session for Listen {
    fn opened(&mut self, now: Moment, _out: &mut Out) {
        self.active = now;
    }

    fn text(&mut self, now: Moment, text: &str, out: &mut Out) {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let kind = message.get("type").and_then(Value::as_str).unwrap_or("unreadable").to_owned();
        self.page.message(&kind);
        match kind.as_str() {
            "KeepAlive" => self.active = now,
            "Finalize" => self.flush(true, out),
            "CloseStream" => self.close(out),
            "Configure" => out.json(&json!({"type": "ConfigureSuccess"})),
            _ => out
                .json(&json!({"type": "Error", "variant": "SchemaError", "description": "unknown message"})),
        }
    }

    fn binary(&mut self, now: Moment, data: &[u8], out: &mut Out) {
        if self.over {
            return;
        }
        if data.is_empty() {
            // An empty binary message is the old way to say that the stream is over.
            return self.close(out);
        }
        self.active = now;
        self.page.audio_in(data.len());
        out.heard(self.format.us_of(data.len()));
        for heard in self.ear.hear(data) {
            self.heard(heard, out);
        }
        self.interim(out);
        self.utterance_end(out);
    }

    fn due(&self) -> Option<Moment> {
        (!self.over).then(|| self.active + self.idle)
    }

    fn tick(&mut self, now: Moment, out: &mut Out) {
        if !self.over && now >= self.active + self.idle {
            self.over = true;
            out.close(
                1011,
                "NET-0001: did not receive audio data or a text message within the timeout window",
            );
        }
    }

    fn fail(&mut self, code: &str, out: &mut Out) {
        self.over = true;
        out.json(&json!({"type": "Error", "variant": code, "description": "The lab was told to fail."}));
        out.close(1011, code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seen::Book;

    /// What comes while somebody says five words in two seconds and is silent for two more, 20 ms at a time.
    fn session(faults: &str) -> Vec<Value> {
        let query =
            "encoding=linear16&sample_rate=8000&interim_results=true&endpointing=300&utterance_end_ms=1000";
        let request = Request { query: query.to_owned(), ..Request::default() };
        let script = Arc::new(Script::new(vec!["one two three four five".to_owned()], Vec::new()));
        let page = Book::default().open(Moment::ZERO, "/v1/listen", "", false);
        let mut listen = Listen::new(&request, &script, &faults.parse().unwrap(), &page).unwrap();
        let mut out = Out::default();
        let sound = |n: usize| if n % 20 < 10 { 8_000i16 } else { -8_000 };
        let audio: Vec<u8> =
            (0..32_000).flat_map(|n| if n < 16_000 { sound(n) } else { 0 }.to_le_bytes()).collect();
        audio.chunks(320).for_each(|part| listen.binary(Moment::ZERO, part, &mut out));
        out.drain()
    }

    /// How many of them end an utterance by `speech_final`, and where those by `UtteranceEnd` say that it ended.
    fn ends(came: &[Value]) -> (usize, Vec<f64>) {
        let finals = came.iter().filter(|message| message["speech_final"] == true).count();
        (finals, came.iter().filter_map(|message| message["last_word_end"].as_f64()).collect())
    }

    #[test]
    fn an_utterance_ends_by_both_messages_unless_a_switch_takes_one_away_or_sends_it_early() {
        assert_eq!(ends(&session("")), (1, vec![2.0]));
        assert_eq!(ends(&session("no_final")), (0, vec![2.0]));
        assert_eq!(ends(&session("utterance_end=never")), (1, vec![]));
        let (finals, at) = ends(&session("utterance_end=early"));
        assert!(finals == 1 && at.first() == Some(&0.5) && at.last() == Some(&2.0), "{at:?}");
        let came = session("no_final,utterance_end=never");
        let is_final = |message: &&Value| message["is_final"] == true;
        let text =
            came.iter().rfind(is_final).map(|message| &message["channel"]["alternatives"][0]["transcript"]);
        assert_eq!((ends(&came), text), ((0, vec![]), Some(&"one two three four five".into())));
    }
}
