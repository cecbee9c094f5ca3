//! Deepgram's live recognition: one socket for the whole call, audio up as it comes, words down. In two dialects: v1
//! tells words and silences, Flux (v2) tells turns.
//!
//! An utterance is what the final results say until the first of: the service hears its end (`speech_final`), it has
//! heard no word for a while (`UtteranceEnd`, not believed while the caller is heard to speak), our own clock says
//! that nothing new has come for too long, or it is longer than anybody talks.

use super::read::{Heard, message};
use super::{HEARD, Recogniser, SttEvent, SttOutput, Unheard};
use crate::failure::{Breaker, Fault, Passing};
use crate::lifeline::{Due, Lifeline};
use crate::transport::{ConnId, FromNet, Part, Request, ToNet};
use crate::wire::audio::to_bytes;
use crate::wire::url::{Scheme, Url};
use offhook_units::{Moment, Pii, Span};
use std::collections::VecDeque;

/// What the service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `/v1/listen`.
    V1,
    /// `/v2/listen`: the service decides where a turn ends.
    Flux,
}

impl Dialect {
    /// Audio is sent in pieces of this, to keep frames few and delay low; Flux wants 80 ms.
    const fn piece_ms(self) -> u32 {
        match self {
            Self::V1 => 40,
            Self::Flux => 80,
        }
    }

    /// The message that ends an utterance.
    const fn finalize(self) -> &'static str {
        match self {
            Self::V1 => "{\"type\":\"Finalize\"}",
            Self::Flux => "{\"type\":\"ForceEndTurn\"}",
        }
    }
}

/// Where and how Deepgram listens.
#[derive(Clone, Debug, PartialEq)]
pub struct DeepgramSettings {
    /// The service: `https://api.deepgram.com`, or a server of one's own.
    pub base: Url,
    /// The key.
    pub key: Pii<String>,
    /// What it speaks; the model must fit it.
    pub dialect: Dialect,
    /// Which model, `nova-3` or `flux-general-en`.
    pub model: String,
    /// A language code; the service's own default without one.
    pub language: Option<String>,
    /// Silence that ends an utterance, in milliseconds; Flux has a mind of its own.
    pub endpointing_ms: u32,
    /// Samples a second of the caller's audio.
    pub rate_hz: u32,
}

impl DeepgramSettings {
    fn url(&self) -> Url {
        let base = self.base.with_scheme(Scheme::Ws, Scheme::Wss);
        let path = match self.dialect {
            Dialect::V1 => "v1/listen",
            Dialect::Flux => "v2/listen",
        };
        let url = base
            .join(path)
            .with("model", &self.model)
            .with("encoding", "linear16")
            .with("sample_rate", &self.rate_hz.to_string());
        let (url, language) = match self.dialect {
            Dialect::V1 => (
                url.with("channels", "1")
                    .with("interim_results", "true")
                    .with("endpointing", &self.endpointing_ms.to_string())
                    .with("utterance_end_ms", "1000")
                    .with("vad_events", "true")
                    .with("punctuate", "true")
                    .with("smart_format", "true")
                    .with("no_delay", "true"),
                "language",
            ),
            Dialect::Flux => (url, "language_hint"),
        };
        match &self.language {
            Some(code) => url.with(language, code),
            None => url,
        }
    }
}

/// Without audio for so long a keep-alive goes out; the service closes after 10 s.
const KEEP_ALIVE: Span = Span::from_millis(4_000);
/// What is kept for a new connection to hear again: what no final result has covered and no utterance has told yet, so
/// much of it while nobody is heard to speak,
const REPLAY_MS: u32 = 1_500;
/// and so much once there are words, or the caller speaks and nothing is said of it.
const REPLAY_WORDS_MS: u32 = 15_000;
/// Words that no further result follows are an utterance after this.
const STALE: Span = Span::from_millis(2_000);
/// A `Finalize` is answered within this.
const FINALIZED: Span = Span::from_millis(1_000);
/// The service says something of speech within so long after its end, or it hears nothing any more.
const DEAF: Span = Span::from_millis(4_000);
/// So many connections are given up for the same words: a service need not say anything of what are none.
const DEAF_MOST: u8 = 2;
/// A caller whom nobody hears is told so after this: a new connection may hear what was said.
const AWAY: Span = Span::from_millis(3_000);
/// The longest utterance; then what there is goes out.
const LONGEST: Span = Span::from_millis(30_000);
/// A transcript beyond this is cut off.
const TEXT_MAX: usize = 8_000;

/// The utterance that is being heard.
#[derive(Debug, Default)]
struct Utterance {
    finals: String,
    interim: String,
    began: Option<Moment>,
    /// When something new was last heard.
    last: Moment,
    /// A `Finalize` is out.
    asked: bool,
    /// The stretch that `interim` is about,
    stretch: Option<u64>,
    /// and where it ends in the audio of this connection.
    ends_ms: Option<u64>,
}

impl Utterance {
    fn text(&self) -> String {
        let mut text = self.finals.clone();
        append(&mut text, &self.interim);
        text
    }
}

/// Appends words with a space between, as far as there is room for them.
fn append(text: &mut String, more: &str) {
    let room = TEXT_MAX.saturating_sub(text.len());
    let more = more.get(..more.floor_char_boundary(room)).unwrap_or_default();
    if more.is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(more);
}

/// The machine. See [`Recogniser`] for the calling order.
#[derive(Debug)]
pub struct Deepgram {
    settings: DeepgramSettings,
    line: Lifeline,
    last_sent: Moment,
    /// Audio that is not sent yet.
    waiting: Vec<i16>,
    /// The last audio that was sent, as far as neither a final result covers it nor its words are told.
    sent: VecDeque<i16>,
    /// Samples that this connection was sent.
    sent_to: u64,
    utterance: Utterance,
    /// Of this stretch so many words are told already, which its final result will say again.
    told: Option<(u64, usize)>,
    /// Whether the caller is heard to speak, by the appliance's own ears.
    speaking: bool,
    /// When what the caller says began; `None` once the service had a word about it.
    spoke: Option<Moment>,
    /// The caller has ended, and the service has not said a word about it.
    unanswered: Option<Moment>,
    /// So many connections were given up for that.
    deaf: u8,
    /// The caller was heard to speak while there was no connection.
    missed: bool,
    unheard: Unheard,
    out: VecDeque<SttOutput>,
}

impl Deepgram {
    /// Not connected yet. `breaker` is shared by all calls, `seed` is not.
    pub fn new(settings: DeepgramSettings, breaker: Breaker, seed: u64) -> Self {
        Self {
            settings,
            line: Lifeline::new(Part::Ears, breaker, seed),
            last_sent: Moment::ZERO,
            waiting: Vec::new(),
            sent: VecDeque::new(),
            sent_to: 0,
            utterance: Utterance::default(),
            told: None,
            speaking: false,
            spoke: None,
            unanswered: None,
            deaf: 0,
            missed: false,
            unheard: Unheard::new(AWAY),
            out: VecDeque::new(),
        }
    }
}

impl Recogniser for Deepgram {
    fn open(&mut self, now: Moment) {
        if self.line.is_shut() {
            self.connect(now);
        }
    }

    fn hear(&mut self, now: Moment, samples: &[i16]) {
        self.waiting.extend_from_slice(samples);
        let piece = self.frames(self.settings.dialect.piece_ms());
        let Some(conn) = self.line.open() else {
            // Nobody to send it to: the end of it is kept for the next connection.
            self.missed |= self.speaking;
            let excess = self.waiting.len().saturating_sub(self.kept());
            self.waiting.drain(..excess);
            return;
        };
        let whole = self.waiting.len() - self.waiting.len() % piece;
        if whole == 0 {
            return;
        }
        self.last_sent = now;
        let part: Vec<i16> = self.waiting.drain(..whole).collect();
        for piece in part.chunks(piece) {
            self.send(conn, piece);
        }
    }

    fn caller_speaks(&mut self, now: Moment, speaks: bool) {
        self.speaking = speaks;
        self.unheard.caller_speaks(now, speaks);
        if speaks {
            if self.line.open().is_none() {
                self.unheard.lost(now);
            }
            (self.spoke, self.deaf) = (Some(now), 0);
            return;
        }
        let was_long = self.spoke.take().is_some_and(|began| now >= began + HEARD);
        // What nobody was there to hear is kept for the next connection, and is no fault of this one.
        if was_long && self.line.open().is_some() {
            self.unanswered = self.unanswered.or(Some(now));
        }
    }

    fn shut(&mut self) {
        if let Some(conn) = self.line.open() {
            let close = "{\"type\":\"CloseStream\"}".to_owned();
            self.out.push_back(SttOutput::Net(ToNet::Text(conn, close)));
        }
        let held = self.line.shut();
        self.close(held);
        self.utterance = Utterance::default();
        self.answered();
        self.waiting.clear();
        self.sent.clear();
    }

    fn handle_net(&mut self, now: Moment, conn: ConnId, message: FromNet) {
        if self.line.held() != Some(conn) {
            return;
        }
        match message {
            FromNet::Opened => {
                self.line.opened(now);
                self.unheard.may_hear(now);
                self.last_sent = now;
                // What the last connection has not answered for good is heard again, if words were on their way.
                if self.utterance.began.is_some() || self.speaking || self.unanswered.is_some() {
                    let again: Vec<i16> = self.sent.drain(..).chain(self.waiting.drain(..)).collect();
                    self.waiting = again;
                    self.utterance.interim.clear();
                    // And takes its time: what the last one was asked this one does not answer.
                    (self.utterance.asked, self.utterance.last) = (false, now);
                }
                self.sent.clear();
                (self.sent_to, self.told, self.missed) = (0, None, false);
                self.unanswered = self.unanswered.filter(|_| self.deaf < DEAF_MOST).map(|_| now);
                self.hear(now, &[]);
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
            None if self.deaf_at().is_some_and(|at| now >= at) => {
                self.deaf += 1;
                self.failed(now, Fault::Passing(Passing::Silent));
            }
            None if self.line.open().is_some() && now >= self.last_sent + KEEP_ALIVE => self.keep_alive(now),
            None => {}
        }
        if self.unheard.tell(now) {
            self.event(SttEvent::Unheard);
        }
        if self.stale_at().is_some_and(|at| now >= at) {
            if self.utterance.asked || self.line.open().is_none() {
                self.end_utterance();
            } else {
                self.utterance.asked = true;
                self.utterance.last = now;
                self.control(now, self.settings.dialect.finalize());
            }
        }
    }

    fn poll_timeout(&self) -> Option<Moment> {
        let alive = self.line.open().map(|_| self.last_sent + KEEP_ALIVE);
        [self.line.poll_timeout(), alive, self.stale_at(), self.deaf_at(), self.unheard.due()]
            .into_iter()
            .flatten()
            .min()
    }

    fn poll_output(&mut self) -> Option<SttOutput> {
        self.out.pop_front()
    }
}

impl Deepgram {
    const fn frames(&self, ms: u32) -> usize {
        let frames = self.settings.rate_hz as usize * ms as usize / 1000;
        if frames == 0 { 1 } else { frames }
    }

    /// When a service that says nothing of what the caller said hears nothing any more.
    fn deaf_at(&self) -> Option<Moment> {
        self.line.open().and(self.unanswered).map(|since| since + DEAF)
    }

    /// The service has a word about what the caller says.
    const fn answered(&mut self) {
        (self.spoke, self.unanswered, self.deaf) = (None, None, 0);
        self.unheard.heard();
    }

    /// When our own clock ends the utterance.
    fn stale_at(&self) -> Option<Moment> {
        let Utterance { began, last, asked, .. } = self.utterance;
        let capped = began? + LONGEST;
        Some(match (asked, self.speaking) {
            // The answer has its time, however long the utterance is.
            (true, _) => last + FINALIZED,
            // While the caller is heard to speak only the cap counts.
            (false, true) => capped.max(last),
            (false, false) => (last + STALE).min(capped),
        })
    }

    /// Audio goes out, and is kept until a final result covers it or its words are told.
    fn send(&mut self, conn: ConnId, samples: &[i16]) {
        self.out.push_back(SttOutput::Net(ToNet::Binary(conn, to_bytes(samples))));
        self.sent.extend(samples);
        self.sent_to += samples.len() as u64;
        let excess = self.sent.len().saturating_sub(self.kept());
        self.sent.drain(..excess);
    }

    /// So many samples are kept for a new connection.
    const fn kept(&self) -> usize {
        let is_unheard = self.missed || self.spoke.is_some() || self.unanswered.is_some();
        let has_words = self.utterance.began.is_some() || is_unheard;
        self.frames(if has_words { REPLAY_WORDS_MS } else { REPLAY_MS })
    }

    /// The words of the audio up to here are known: nobody needs to hear it again. Of all that was sent, where the
    /// message does not say how far it goes: a word missed costs less than an order given twice.
    fn covered(&mut self, ends_ms: Option<u64>) {
        let heard_to = ends_ms.map_or(self.sent_to, |ms| ms * u64::from(self.settings.rate_hz) / 1000);
        let behind = self.sent_to.saturating_sub(heard_to);
        let excess = self.sent.len().saturating_sub(usize::try_from(behind).unwrap_or(usize::MAX));
        self.sent.drain(..excess);
    }

    fn connect(&mut self, now: Moment) {
        let Some(conn) = self.line.connect(now) else { return };
        let token = Pii::new(format!("Token {}", self.settings.key.reveal()));
        let request = Request::web_socket(self.settings.url()).header("Authorization", &token);
        self.out.push_back(SttOutput::Net(ToNet::Open(conn, request)));
    }

    fn close(&mut self, conn: Option<ConnId>) {
        self.out.extend(conn.map(|conn| SttOutput::Net(ToNet::Close(conn))));
    }

    fn keep_alive(&mut self, now: Moment) {
        match self.settings.dialect {
            Dialect::V1 => self.control(now, "{\"type\":\"KeepAlive\"}"),
            // It has no such message: silence is one.
            Dialect::Flux => {
                let silence = vec![0; self.frames(Dialect::Flux.piece_ms())];
                if let Some(conn) = self.line.open() {
                    self.last_sent = now;
                    self.send(conn, &silence);
                }
            }
        }
    }

    fn control(&mut self, now: Moment, text: &str) {
        if let Some(conn) = self.line.open() {
            self.last_sent = now;
            self.out.push_back(SttOutput::Net(ToNet::Text(conn, text.to_owned())));
        }
    }

    fn message(&mut self, now: Moment, text: &str) {
        match message(text) {
            Heard::Results { text, is_final, speech_final, from_finalize, stretch, ends_ms } => {
                self.line.worked();
                self.answered();
                let text = self.untold(stretch, text);
                let asked = self.utterance.asked;
                self.words(now, &text, is_final);
                self.utterance.stretch = stretch.filter(|_| !is_final);
                self.utterance.ends_ms = ends_ms;
                if is_final {
                    self.told = None;
                    self.covered(ends_ms);
                }
                if speech_final || from_finalize && asked {
                    self.end_utterance();
                }
            }
            // Word gaps alone: the caller may be in the middle of a number.
            Heard::UtteranceEnd if !self.speaking => self.end_utterance(),
            Heard::Error(text) => {
                self.ended(now, Fault::of_name(&text).unwrap_or(Fault::Passing(Passing::Inside)));
            }
            Heard::UtteranceEnd | Heard::Other => {}
        }
    }

    /// What of a result's words was not told before: an utterance that our own clock ended took some of them.
    fn untold(&self, stretch: Option<u64>, text: String) -> String {
        match self.told {
            Some((told, words)) if stretch == Some(told) => {
                text.split_whitespace().skip(words).collect::<Vec<_>>().join(" ")
            }
            _ => text,
        }
    }

    fn words(&mut self, now: Moment, text: &str, is_final: bool) {
        if is_final {
            append(&mut self.utterance.finals, text);
            self.utterance.interim.clear();
        } else {
            let kept = text.chars().take(TEXT_MAX).collect();
            // The same words again are nothing new.
            if self.utterance.interim == kept {
                return;
            }
            self.utterance.interim = kept;
        }
        if text.is_empty() {
            return;
        }
        self.utterance.began = self.utterance.began.or(Some(now));
        self.utterance.last = now;
        self.utterance.asked = false;
        self.event(SttEvent::Interim(self.utterance.text()));
    }

    fn end_utterance(&mut self) {
        let utterance = std::mem::take(&mut self.utterance);
        let before = |stretch| self.told.filter(|(told, _)| *told == stretch).map_or(0, |(_, words)| words);
        if let Some(stretch) = utterance.stretch.filter(|_| !utterance.interim.is_empty()) {
            self.told = Some((stretch, before(stretch) + utterance.interim.split_whitespace().count()));
        }
        if !utterance.interim.is_empty() {
            self.covered(utterance.ends_ms);
        }
        let text = utterance.text();
        if !text.is_empty() {
            self.unheard.heard();
            self.event(SttEvent::Utterance(text));
        }
    }

    /// The service ended the socket, or says that it will.
    fn ended(&mut self, now: Moment, fault: Fault) {
        if !self.line.was_idle(now, fault) {
            return self.failed(now, fault);
        }
        self.close(self.line.held());
        self.event(SttEvent::Fault(fault));
        self.connect(now);
    }

    fn failed(&mut self, now: Moment, fault: Fault) {
        let held = self.line.failed(now, fault);
        self.close(held);
        self.event(SttEvent::Fault(fault));
        if self.speaking || self.unanswered.is_some() {
            self.unheard.lost(now);
        }
    }

    fn event(&mut self, event: SttEvent) {
        self.out.push_back(SttOutput::Event(event));
    }
}

#[cfg(test)]
mod tests;
