//! Deepgram's voice: one socket for the whole call, one phrase at a time. Nothing in the audio says whose it is: the
//! order of `Flushed` and `Cleared` is all there is. A service that does not answer a `Clear` gets a new socket.

use super::{JobId, SpeaksOverHttp, TtsEvent, TtsOutput, VoiceSocket};
use crate::failure::{Breaker, Fault, Passing};
use crate::lifeline::{Due, Lifeline};
use crate::text::is_speakable;
use crate::transport::{ConnId, FromNet, Part, Request, ToNet};
use crate::wire::audio::{AudioDecoder, AudioFormat};
use crate::wire::url::{Scheme, Url};
use offhook_units::{Moment, Pii, Span};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Where and how Deepgram speaks.
#[derive(Clone, Debug, PartialEq)]
pub struct AuraSettings {
    /// The service: `https://api.deepgram.com`, or a server of one's own.
    pub base: Url,
    /// The key.
    pub key: Pii<String>,
    /// Which voice: `aura-2-thalia-en`.
    pub model: String,
    /// What is asked for.
    pub format: AudioFormat,
}

impl AuraSettings {
    fn url(&self, plain: Scheme, secret: Scheme) -> Url {
        let encoding = match self.format {
            AudioFormat::Mulaw8k => "mulaw",
            AudioFormat::Pcm16 { .. } => "linear16",
        };
        self.base
            .with_scheme(plain, secret)
            .join("v1/speak")
            .with("model", &self.model)
            .with("encoding", encoding)
            .with("sample_rate", &self.format.rate_hz().to_string())
    }

    fn token(&self) -> Pii<String> {
        Pii::new(format!("Token {}", self.key.reveal()))
    }
}

impl SpeaksOverHttp for AuraSettings {
    fn request(&self, text: &str, _before: &str) -> Request {
        // Without a container there is no header in the audio.
        let url = self.url(Scheme::Http, Scheme::Https).with("container", "none");
        Request::post_json(url, json!({"text": text}).to_string()).header("Authorization", &self.token())
    }

    fn format(&self) -> AudioFormat {
        self.format
    }
}

/// After a flush audio must come within this, and after audio more of it, or the answer to the flush.
const SILENT: Span = Span::from_millis(2_500);
/// A `Clear` must be answered within this.
const CLEARED: Span = Span::from_millis(1_000);
/// The service takes twenty flushes in a minute; one is kept back.
const FLUSHES: usize = 19;
const MINUTE: Span = Span::from_millis(60_000);
/// Jobs that wait; above it they are lost at once.
const WAITING_MAX: usize = 16;

#[derive(Debug)]
struct Job {
    id: JobId,
    text: String,
    ended: bool,
}

/// The job whose audio comes.
#[derive(Debug)]
struct Said {
    job: JobId,
    decoder: AudioDecoder,
    last: Moment,
    any: bool,
}

/// The machine. See [`VoiceSocket`] for the calling order.
#[derive(Debug)]
pub struct Aura {
    settings: AuraSettings,
    line: Lifeline,
    jobs: VecDeque<Job>,
    said: Option<Said>,
    /// Audio is of what was cleared since then, until the service says that it is done.
    clearing: Option<Moment>,
    flushes: VecDeque<Moment>,
    out: VecDeque<TtsOutput>,
}

impl Aura {
    /// Not connected yet. `breaker` is shared by all calls, `seed` is not.
    pub const fn new(settings: AuraSettings, breaker: Breaker, seed: u64) -> Self {
        Self {
            settings,
            line: Lifeline::new(Part::Voice, breaker, seed),
            jobs: VecDeque::new(),
            said: None,
            clearing: None,
            flushes: VecDeque::new(),
            out: VecDeque::new(),
        }
    }

    fn connect(&mut self, now: Moment) {
        let Some(conn) = self.line.connect(now) else { return };
        self.clearing = None;
        // The service counts them for each socket.
        self.flushes.clear();
        let request = Request::web_socket(self.settings.url(Scheme::Ws, Scheme::Wss))
            .header("Authorization", &self.settings.token());
        self.out.push_back(TtsOutput::Net(ToNet::Open(conn, request)));
    }

    /// Has the next job said, if none is.
    fn pump(&mut self, now: Moment) {
        let Some(conn) = self.line.open() else { return };
        while self.said.is_none() {
            let Some(job) = self.jobs.pop_front_if(|job| job.ended) else { return };
            if job.text.is_empty() {
                self.event(TtsEvent::Finished(job.id));
                continue;
            }
            while self.flushes.front().is_some_and(|&first| now.since(first) >= MINUTE) {
                self.flushes.pop_front();
            }
            if self.flushes.len() >= FLUSHES {
                // The service would refuse it; another way to speak is there at once.
                self.event(TtsEvent::Lost(job.id, Fault::Passing(Passing::Busy { after_s: 0 })));
                continue;
            }
            self.flushes.push_back(now);
            self.send(conn, &json!({"type": "Speak", "text": job.text}));
            self.send(conn, &json!({"type": "Flush"}));
            let decoder = AudioDecoder::new(self.settings.format);
            self.said = Some(Said { job: job.id, decoder, last: now, any: false });
        }
    }

    fn send(&mut self, conn: ConnId, message: &Value) {
        self.out.push_back(TtsOutput::Net(ToNet::Text(conn, message.to_string())));
    }

    fn message(&mut self, now: Moment, text: &str) {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let field = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
        match field("type") {
            "Cleared" => self.clearing = None,
            // Of what was cleared.
            "Flushed" if self.clearing.is_some() => {}
            "Flushed" => {
                if let Some(said) = self.said.take() {
                    self.event(if said.any {
                        TtsEvent::Finished(said.job)
                    } else {
                        TtsEvent::Lost(said.job, Fault::Passing(Passing::Silent))
                    });
                }
                self.pump(now);
            }
            "Warning" if field("code").contains("FLUSH") => {
                if let Some(said) = self.said.take() {
                    self.event(TtsEvent::Lost(said.job, Fault::Passing(Passing::Busy { after_s: 0 })));
                }
                // What was written without being flushed must not come out with the next phrase.
                self.clear(now);
                self.pump(now);
            }
            "Error" => self.failed(now, Fault::of_name(text).unwrap_or(Fault::Passing(Passing::Inside))),
            _ => {}
        }
    }

    fn audio(&mut self, now: Moment, bytes: &[u8]) {
        if self.clearing.is_some() {
            return;
        }
        let Some(said) = &mut self.said else { return };
        let mut samples = Vec::new();
        said.decoder.put(bytes, &mut samples);
        said.last = now;
        if samples.is_empty() {
            return;
        }
        said.any = true;
        let job = said.job;
        self.line.worked();
        self.event(TtsEvent::Audio { job, samples, chars: Vec::new() });
    }

    fn clear(&mut self, now: Moment) {
        if let Some(conn) = self.line.open() {
            self.send(conn, &json!({"type": "Clear"}));
            self.clearing = self.clearing.or(Some(now));
        }
    }

    /// The socket is of no use any more.
    fn failed(&mut self, now: Moment, fault: Fault) {
        let held = self.line.failed(now, fault);
        self.close(held);
        self.lose_all(fault);
        self.event(TtsEvent::Fault(fault));
    }

    fn lose_all(&mut self, fault: Fault) {
        let waiting: Vec<JobId> = self.jobs.drain(..).map(|job| job.id).collect();
        for job in self.said.take().map(|said| said.job).into_iter().chain(waiting) {
            self.event(TtsEvent::Lost(job, fault));
        }
    }

    fn close(&mut self, conn: Option<ConnId>) {
        self.out.extend(conn.map(|conn| TtsOutput::Net(ToNet::Close(conn))));
    }

    fn event(&mut self, event: TtsEvent) {
        self.out.push_back(TtsOutput::Event(event));
    }
}

impl VoiceSocket for Aura {
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
        false
    }

    fn open(&mut self, now: Moment) {
        if self.line.is_shut() {
            self.connect(now);
        }
    }

    fn say(&mut self, now: Moment, job: JobId, text: &str) {
        if self.line.held().is_none() || self.jobs.len() >= WAITING_MAX {
            return self.event(TtsEvent::Lost(job, Fault::Passing(Passing::Lost)));
        }
        let text = text.trim();
        let text = if is_speakable(text) { text } else { "" };
        match self.jobs.iter_mut().find(|known| known.id == job) {
            Some(known) => {
                known.text.push(' ');
                known.text.push_str(text);
            }
            None => self.jobs.push_back(Job { id: job, text: text.to_owned(), ended: false }),
        }
        self.pump(now);
    }

    fn end(&mut self, now: Moment, job: JobId) {
        if let Some(job) = self.jobs.iter_mut().find(|known| known.id == job) {
            job.ended = true;
        }
        self.pump(now);
    }

    fn cancel(&mut self, now: Moment, job: JobId) {
        self.jobs.retain(|known| known.id != job);
        if self.said.take_if(|said| said.job == job).is_some() {
            self.clear(now);
        }
        self.pump(now);
    }

    fn shut(&mut self, _now: Moment) {
        if let Some(conn) = self.line.open() {
            self.send(conn, &json!({"type": "Close"}));
        }
        let held = self.line.shut();
        self.close(held);
        self.said = None;
        self.jobs.clear();
    }

    fn handle_net(&mut self, now: Moment, conn: ConnId, message: FromNet) {
        if self.line.held() != Some(conn) {
            return;
        }
        match message {
            FromNet::Opened => {
                self.line.opened(now);
                self.pump(now);
            }
            FromNet::Text(text) => self.message(now, &text),
            FromNet::Binary(bytes) => self.audio(now, &bytes),
            // It has spoken, and nothing was owed: an idle socket, or the end of its hour.
            FromNet::Closed(_) if self.line.has_worked() && self.said.is_none() => self.connect(now),
            FromNet::Closed(closed) => self.failed(now, Fault::of_close(&closed)),
        }
    }

    fn handle_timeout(&mut self, now: Moment) {
        match self.line.due(now) {
            Some(Due::Connect) => self.connect(now),
            None if self.is_ready() && self.clearing.is_some_and(|since| now >= since + CLEARED) => {
                // What it still sends is of nobody knows what: a new socket, and what waits goes with it.
                self.close(self.line.held());
                self.lose_all(Fault::Passing(Passing::Silent));
                self.connect(now);
            }
            _ if self.poll_timeout().is_some_and(|due| now >= due) => {
                self.failed(now, Fault::Passing(Passing::Silent));
            }
            _ => {}
        }
    }

    fn poll_timeout(&self) -> Option<Moment> {
        if !self.is_ready() {
            return self.line.poll_timeout();
        }
        let clearing = self.clearing.map(|since| since + CLEARED);
        let said = self.said.as_ref().map(|said| said.last + SILENT);
        [clearing, said].into_iter().flatten().min()
    }

    fn poll_output(&mut self) -> Option<TtsOutput> {
        self.out.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{Closed, Lost};

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    fn settings() -> AuraSettings {
        AuraSettings {
            base: Url::parse("http://127.0.0.1:1").unwrap(),
            key: Pii::new("k".to_owned()),
            model: "aura-2-thalia-en".to_owned(),
            format: AudioFormat::Mulaw8k,
        }
    }

    struct Bed {
        aura: Aura,
        conn: ConnId,
        opened: usize,
        sent: Vec<String>,
        events: Vec<TtsEvent>,
    }

    impl Bed {
        fn open() -> Self {
            let aura = Aura::new(settings(), Breaker::new(), 1);
            let (sent, events) = (Vec::new(), Vec::new());
            let mut bed = Self { aura, conn: ConnId::none(Part::Voice), opened: 0, sent, events };
            bed.aura.open(at(0));
            bed.poll();
            bed.net(0, FromNet::Opened);
            bed
        }

        fn poll(&mut self) {
            while let Some(output) = self.aura.poll_output() {
                match output {
                    TtsOutput::Net(ToNet::Open(conn, request)) => {
                        let end = "/v1/speak?model=aura-2-thalia-en&encoding=mulaw&sample_rate=8000";
                        assert!(request.url.to_string().ends_with(end), "{request:?}");
                        self.conn = conn;
                        self.opened += 1;
                    }
                    TtsOutput::Net(ToNet::Text(_, text)) => {
                        let message: Value = serde_json::from_str(&text).unwrap();
                        let text = message["text"].as_str().or(message["type"].as_str()).unwrap();
                        self.sent.push(text.to_owned());
                    }
                    TtsOutput::Net(ToNet::Close(_)) => self.sent.push("closed".to_owned()),
                    TtsOutput::Net(ToNet::Binary(..) | ToNet::Probe(_)) => panic!("binary"),
                    TtsOutput::Event(event) => self.events.push(event),
                }
            }
        }

        fn net(&mut self, ms: u64, message: FromNet) {
            self.aura.handle_net(at(ms), self.conn, message);
            self.poll();
        }

        fn message(&mut self, ms: u64, kind: &str) {
            self.net(ms, FromNet::Text(json!({"type": kind, "sequence_id": 0}).to_string()));
        }

        fn audio(&mut self, ms: u64) {
            self.net(ms, FromNet::Binary(vec![0xFF]));
        }

        fn say(&mut self, ms: u64, job: u32, text: &str) {
            self.aura.say(at(ms), JobId(job), text);
            self.aura.end(at(ms), JobId(job));
            self.poll();
        }

        fn cancel(&mut self, ms: u64, job: u32) {
            self.aura.cancel(at(ms), JobId(job));
            self.poll();
        }
    }

    fn audio(job: u32) -> TtsEvent {
        TtsEvent::Audio { job: JobId(job), samples: vec![0], chars: Vec::new() }
    }

    #[test]
    fn a_phrase_is_spoken_flushed_and_finished_when_the_service_says_so() {
        let mut bed = Bed::open();
        bed.say(1, 1, "One.");
        bed.say(2, 2, "Two.");
        assert_eq!(bed.sent, ["One.", "Flush"], "one at a time");
        bed.audio(100);
        bed.message(110, "Flushed");
        assert_eq!(bed.sent[2..], ["Two.", "Flush"]);
        bed.audio(200);
        bed.message(210, "Flushed");
        let finished = |job| TtsEvent::Finished(JobId(job));
        assert_eq!(bed.events, [audio(1), finished(1), audio(2), finished(2)]);
    }

    #[test]
    fn pitfall_08_a_byte_without_its_other_half_is_carried_over_within_its_phrase() {
        let mut bed = Bed::open();
        bed.aura.settings.format = AudioFormat::Pcm16 { rate_hz: 16_000 };
        bed.say(1, 1, "One.");
        for bytes in [&[1, 0, 2][..], &[0, 9]] {
            bed.net(50, FromNet::Binary(bytes.to_vec()));
        }
        bed.message(60, "Flushed");
        bed.say(70, 2, "Two.");
        bed.net(80, FromNet::Binary(vec![3, 0]));
        let audio =
            |job, sample| TtsEvent::Audio { job: JobId(job), samples: vec![sample], chars: Vec::new() };
        assert_eq!(bed.events, [audio(1, 1), audio(1, 2), TtsEvent::Finished(JobId(1)), audio(2, 3)]);
    }

    #[test]
    fn pitfall_07_what_comes_of_a_cleared_phrase_does_not_reach_the_next() {
        let mut bed = Bed::open();
        bed.say(1, 1, "A long answer.");
        bed.audio(50);
        bed.cancel(60, 1);
        bed.say(61, 2, "Yes?");
        assert_eq!(bed.sent[2..], ["Clear", "Yes?", "Flush"]);
        bed.audio(62);
        bed.message(63, "Flushed");
        bed.audio(64);
        bed.message(65, "Cleared");
        bed.audio(70);
        bed.message(71, "Flushed");
        assert_eq!(bed.events, [audio(1), audio(2), TtsEvent::Finished(JobId(2))]);
    }

    #[test]
    fn pitfall_07_a_clear_that_is_not_answered_gets_a_new_socket() {
        let mut bed = Bed::open();
        bed.say(1, 1, "A long answer.");
        bed.cancel(60, 1);
        bed.say(100, 2, "Yes?");
        assert_eq!(bed.aura.poll_timeout(), Some(at(1_060)));
        bed.aura.handle_timeout(at(1_060));
        bed.poll();
        assert_eq!(bed.opened, 2);
        assert_eq!(bed.events, [TtsEvent::Lost(JobId(2), Fault::Passing(Passing::Silent))]);
    }

    #[test]
    fn the_flushes_of_a_minute_are_counted_and_what_is_above_goes_another_way() {
        let mut bed = Bed::open();
        for job in 0..20 {
            let ms = u64::from(job) * 1_000;
            bed.say(ms, job, "Yes.");
            bed.audio(ms);
            bed.message(ms, "Flushed");
        }
        let busy = |job| TtsEvent::Lost(JobId(job), Fault::Passing(Passing::Busy { after_s: 0 }));
        assert_eq!(bed.events.last(), Some(&busy(19)));
        bed.say(60_500, 20, "Yes.");
        assert_eq!(bed.sent.last().unwrap(), "Flush", "a minute after the first there is room for one");
        bed.net(60_600, FromNet::Text(json!({"type": "Warning", "code": "EXCESSIVE_FLUSH"}).to_string()));
        assert_eq!((bed.events.last(), bed.sent.last().unwrap().as_str()), (Some(&busy(20)), "Clear"));
    }

    #[test]
    fn silence_and_a_break_lose_the_phrase_and_an_idle_close_loses_nothing() {
        let mut bed = Bed::open();
        bed.say(1, 1, "One.");
        bed.aura.handle_timeout(at(2_501));
        bed.poll();
        assert_eq!(bed.events[0], TtsEvent::Lost(JobId(1), Fault::Passing(Passing::Silent)));
        let mut bed = Bed::open();
        bed.say(1, 1, "One.");
        bed.audio(20);
        bed.message(30, "Flushed");
        bed.net(90_000, FromNet::Closed(Closed::Done { code: 1011, reason: "NET-0001".to_owned() }));
        assert_eq!((bed.opened, bed.events.len()), (2, 2));
        bed.net(90_010, FromNet::Closed(Closed::Lost(Lost::Broken)));
        assert_eq!(
            (bed.opened, bed.events.last()),
            (2, Some(&TtsEvent::Fault(Fault::Passing(Passing::Lost))))
        );
    }

    #[test]
    fn over_http_there_is_no_header_in_the_audio() {
        let request = settings().request("One.", "");
        assert!(request.url.to_string().ends_with("&sample_rate=8000&container=none"), "{request:?}");
    }
}
