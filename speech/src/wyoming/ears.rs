//! Recognition over Wyoming. A server knows neither where an utterance ends nor what was said before it is over: the
//! appliance's own ears cut the utterances, and each has a connection of its own.

use super::event::{Event, Reader, encode};
use crate::failure::{Backoff, Breaker, Fault, Passing};
use crate::stt::{Recogniser, SttEvent, SttOutput, Unheard};
use crate::transport::{ConnId, FromNet, Part, Request, ToNet};
use crate::wire::audio::to_bytes;
use crate::wire::resample::Resampler;
use crate::wire::url::Url;
use offhook_units::{Moment, Span};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Where the recogniser is.
#[derive(Clone, Debug, PartialEq)]
pub struct WyomingEarsSettings {
    /// The server, `tcp://host:10300`.
    pub url: Url,
    /// Which of its models; its own choice without one.
    pub model: Option<String>,
    /// A language code; its own choice without one.
    pub language: Option<String>,
    /// Silence that ends an utterance, in milliseconds.
    pub endpointing_ms: u32,
    /// Samples a second of the caller's audio.
    pub rate_hz: u32,
}

/// What the servers want.
const RATE_HZ: u32 = 16_000;
/// Audio is sent in pieces of this.
const PIECE_MS: u32 = 60;
/// What lies before the moment in which the caller is heard to speak belongs to the first word.
const BEFORE_MS: u32 = 600;
/// The longest utterance.
const LONGEST: Span = Span::from_millis(30_000);
/// From the end of an utterance to its words, on a small machine.
const ANSWER: Span = Span::from_millis(15_000);
/// Utterances that wait for their words; the caller goes on talking while the server thinks.
const WAITING_MAX: usize = 4;
/// A caller whom nobody hears is told so after this: the caller may go on.
const AWAY: Span = Span::from_millis(500);
/// A transcript beyond this is cut off.
const TEXT_MAX: usize = 8_000;

#[derive(Debug)]
struct Utterance {
    conn: ConnId,
    open: bool,
    reader: Reader,
    /// All of it, so that it can be sent a second time.
    audio: Vec<i16>,
    sent: usize,
    began: Moment,
    /// The caller is silent since then.
    quiet: Option<Moment>,
    /// It is over since then.
    over: Option<Moment>,
    /// `audio-stop` was sent.
    stopped: bool,
    again: bool,
    partial: String,
    text: Option<String>,
}

/// The machine.
#[derive(Debug)]
pub struct WyomingEars {
    settings: WyomingEarsSettings,
    resampler: Resampler,
    before: VecDeque<i16>,
    utterances: VecDeque<Utterance>,
    last: ConnId,
    backoff: Backoff,
    breaker: Breaker,
    /// Nobody is asked before.
    rests_until: Moment,
    unheard: Unheard,
    out: VecDeque<SttOutput>,
}

const fn frames(ms: u32) -> usize {
    (RATE_HZ / 1000 * ms) as usize
}

impl WyomingEars {
    /// `breaker` is shared by all calls, `seed` is not.
    pub fn new(settings: WyomingEarsSettings, breaker: Breaker, seed: u64) -> Self {
        Self {
            resampler: Resampler::new(settings.rate_hz, RATE_HZ),
            settings,
            before: VecDeque::new(),
            utterances: VecDeque::new(),
            last: ConnId::none(Part::Ears),
            backoff: Backoff::new(seed),
            breaker,
            rests_until: Moment::ZERO,
            unheard: Unheard::new(AWAY),
            out: VecDeque::new(),
        }
    }

    /// The utterance that is being heard.
    fn current(&mut self) -> Option<&mut Utterance> {
        self.utterances.back_mut().filter(|utterance| utterance.over.is_none())
    }

    fn begin(&mut self, now: Moment) {
        if now < self.rests_until || self.utterances.len() >= WAITING_MAX || !self.breaker.allows(now) {
            self.unheard.lost(now);
            return;
        }
        let conn = self.connect();
        self.utterances.push_back(Utterance {
            conn,
            open: false,
            reader: Reader::default(),
            audio: self.before.iter().copied().collect(),
            sent: 0,
            began: now,
            quiet: None,
            over: None,
            stopped: false,
            again: false,
            partial: String::new(),
            text: None,
        });
    }

    fn connect(&mut self) -> ConnId {
        self.last = self.last.next();
        self.out.push_back(SttOutput::Net(ToNet::Open(self.last, Request::raw(self.settings.url.clone()))));
        self.last
    }

    /// Sends what there is of each utterance.
    fn send(&mut self) {
        let Self { utterances, out, .. } = self;
        for utterance in utterances.iter_mut().filter(|utterance| utterance.open) {
            let waiting = utterance.audio.get(utterance.sent..).unwrap_or_default();
            let whole = if utterance.over.is_some() {
                waiting.len()
            } else {
                waiting.len() - waiting.len() % frames(PIECE_MS)
            };
            for piece in waiting.get(..whole).unwrap_or_default().chunks(frames(PIECE_MS)) {
                event(out, utterance.conn, "audio-chunk", &format(), &to_bytes(piece));
            }
            utterance.sent += whole;
            if utterance.over.is_some() && !std::mem::replace(&mut utterance.stopped, true) {
                event(out, utterance.conn, "audio-stop", &json!({}), &[]);
            }
        }
    }

    fn opened(&mut self, conn: ConnId) {
        let mut transcribe = json!({});
        for (name, value) in [("name", &self.settings.model), ("language", &self.settings.language)] {
            if let (Some(value), Some(data)) = (value, transcribe.as_object_mut()) {
                data.insert(name.to_owned(), value.as_str().into());
            }
        }
        if let Some(utterance) = self.utterances.iter_mut().find(|utterance| utterance.conn == conn) {
            utterance.open = true;
            event(&mut self.out, conn, "transcribe", &transcribe, &[]);
            event(&mut self.out, conn, "audio-start", &format(), &[]);
        }
        self.send();
    }

    fn take(&mut self, now: Moment, conn: ConnId, came: &Event) {
        let Some(at) = self.utterances.iter().position(|utterance| utterance.conn == conn) else { return };
        let Some(utterance) = self.utterances.get_mut(at) else { return };
        match came.kind.as_str() {
            "transcript" => {
                let text = came.text("text").trim();
                utterance.text = Some(text.chars().take(TEXT_MAX).collect());
                utterance.over = utterance.over.or(Some(now));
                utterance.audio = Vec::new();
                utterance.open = false;
                self.out.push_back(SttOutput::Net(ToNet::Close(conn)));
                self.backoff.worked();
                self.breaker.worked();
                self.unheard.heard();
                self.tell();
            }
            "transcript-chunk" if utterance.partial.len() < TEXT_MAX => {
                utterance.partial.push_str(came.text("text"));
                let partial = utterance.partial.trim().to_owned();
                if at == 0 && !partial.is_empty() {
                    self.event(SttEvent::Interim(partial));
                }
            }
            "error" => {
                let text = format!("{} {}", came.text("code"), came.text("text"));
                let fault = Fault::of_name(&text).unwrap_or(Fault::Passing(Passing::Inside));
                self.out.push_back(SttOutput::Net(ToNet::Close(conn)));
                self.failed(now, at, fault);
            }
            _ => {}
        }
    }

    /// Utterances in the order in which they were spoken.
    fn tell(&mut self) {
        while let Some(utterance) = self.utterances.pop_front_if(|utterance| utterance.text.is_some()) {
            if let Some(text) = utterance.text.filter(|text| !text.is_empty()) {
                self.event(SttEvent::Utterance(text));
            }
        }
    }

    /// An utterance's connection is of no use any more: it is sent a second time, once.
    fn failed(&mut self, now: Moment, at: usize, fault: Fault) {
        self.breaker.failed(now, fault);
        self.event(SttEvent::Fault(fault));
        let again = self.utterances.get(at).is_some_and(|utterance| !utterance.again);
        if again && matches!(fault, Fault::Passing(_)) && self.breaker.allows(now) {
            let conn = self.connect();
            let Some(utterance) = self.utterances.get_mut(at) else { return };
            utterance.conn = conn;
            utterance.open = false;
            utterance.reader = Reader::default();
            utterance.sent = 0;
            utterance.stopped = false;
            utterance.again = true;
            utterance.over = utterance.over.map(|_| now);
            return;
        }
        self.utterances.remove(at);
        self.unheard.lost(now);
        self.rests_until = now + self.backoff.failed(fault.at_least());
        self.tell();
    }

    /// When an utterance is over, or its words have not come in time; never for one that only waits for those before it.
    fn due(&self, utterance: &Utterance) -> Option<Moment> {
        if utterance.text.is_some() {
            return None;
        }
        Some(match (utterance.over, utterance.quiet) {
            (Some(over), _) => over + ANSWER,
            (None, Some(quiet)) => {
                let silence = Span::from_millis(i64::from(self.settings.endpointing_ms));
                (quiet + silence).min(utterance.began + LONGEST)
            }
            (None, None) => utterance.began + LONGEST,
        })
    }

    fn event(&mut self, event: SttEvent) {
        self.out.push_back(SttOutput::Event(event));
    }
}

fn format() -> Value {
    json!({"rate": RATE_HZ, "width": 2, "channels": 1})
}

fn event(out: &mut VecDeque<SttOutput>, conn: ConnId, kind: &str, data: &Value, payload: &[u8]) {
    out.push_back(SttOutput::Net(ToNet::Binary(conn, encode(kind, data, payload))));
}

impl Recogniser for WyomingEars {
    /// There is nothing to connect to before somebody speaks.
    fn open(&mut self, _now: Moment) {}

    fn hear(&mut self, _now: Moment, samples: &[i16]) {
        let mut converted = Vec::new();
        self.resampler.put(samples, &mut converted);
        self.before.extend(&converted);
        let excess = self.before.len().saturating_sub(frames(BEFORE_MS));
        self.before.drain(..excess);
        if let Some(utterance) = self.current() {
            utterance.audio.extend(converted);
            self.send();
        }
    }

    fn caller_speaks(&mut self, now: Moment, speaks: bool) {
        self.unheard.caller_speaks(now, speaks);
        match (self.current(), speaks) {
            (Some(utterance), true) => utterance.quiet = None,
            (Some(utterance), false) => utterance.quiet = utterance.quiet.or(Some(now)),
            (None, true) => self.begin(now),
            (None, false) => {}
        }
    }

    fn shut(&mut self) {
        for utterance in std::mem::take(&mut self.utterances) {
            if utterance.text.is_none() {
                self.out.push_back(SttOutput::Net(ToNet::Close(utterance.conn)));
            }
        }
        self.before.clear();
        self.unheard.heard();
    }

    fn handle_net(&mut self, now: Moment, conn: ConnId, message: FromNet) {
        let mine = |utterance: &Utterance| utterance.conn == conn && utterance.text.is_none();
        let Some(at) = self.utterances.iter().position(mine) else { return };
        match message {
            FromNet::Opened => self.opened(conn),
            FromNet::Text(_) => {}
            FromNet::Binary(bytes) => {
                if let Some(utterance) = self.utterances.get_mut(at) {
                    utterance.reader.put(&bytes);
                }
                // The place may move as utterances in front are told.
                while let Some(at) = self.utterances.iter().position(mine) {
                    let Some(utterance) = self.utterances.get_mut(at) else { return };
                    match utterance.reader.next() {
                        Ok(Some(event)) => self.take(now, conn, &event),
                        Ok(None) => return,
                        Err(_) => {
                            self.out.push_back(SttOutput::Net(ToNet::Close(conn)));
                            return self.failed(now, at, Fault::Passing(Passing::Inside));
                        }
                    }
                }
            }
            FromNet::Closed(closed) => self.failed(now, at, Fault::of_close(&closed)),
        }
    }

    fn handle_timeout(&mut self, now: Moment) {
        if self.unheard.tell(now) {
            self.event(SttEvent::Unheard);
        }
        let is_due = |it: &Self, utterance: &Utterance| it.due(utterance).is_some_and(|due| now >= due);
        while let Some(at) = self.utterances.iter().position(|utterance| is_due(self, utterance)) {
            let Some(utterance) = self.utterances.get_mut(at) else { return };
            if utterance.over.is_none() {
                utterance.over = Some(now);
                let speaks_on = utterance.quiet.is_none();
                self.send();
                if speaks_on {
                    self.before.clear();
                    self.begin(now);
                }
            } else {
                self.out.push_back(SttOutput::Net(ToNet::Close(utterance.conn)));
                self.failed(now, at, Fault::Passing(Passing::Silent));
            }
        }
    }

    fn poll_timeout(&self) -> Option<Moment> {
        let utterances = self.utterances.iter().filter_map(|utterance| self.due(utterance));
        utterances.chain(self.unheard.due()).min()
    }

    fn poll_output(&mut self) -> Option<SttOutput> {
        self.out.pop_front()
    }
}

#[cfg(test)]
mod tests;
