//! ElevenLabs' `stream-input`: one stream of speech a socket, so a socket for each turn. The next turn's socket is open
//! before it is needed.
//!
//! ```text
//! init (settings) ─► text + flush ─► text + flush ─► "" ─► ... audio ... ─► isFinal, close 1000
//! ```
//!
//! Here `""` ends the stream and a space keeps it alive; on the other socket it is the other way round.

use super::eleven::{self, ElevenSettings};
use super::{JobId, TtsEvent, TtsOutput, VoiceSocket};
use crate::failure::{Backoff, Breaker, Fault, Passing};
use crate::text::is_speakable;
use crate::transport::{Closed, ConnId, FromNet, Part, ToNet};
use crate::wire::audio::AudioDecoder;
use offhook_units::{Moment, Span};
use serde_json::json;
use std::collections::VecDeque;

/// Without any message for so long a keep-alive goes out.
const KEEP_ALIVE: Span = Span::from_millis(10_000);
/// A socket must be open after this.
const CONNECT: Span = Span::from_millis(3_000);
/// After a flush audio must come within this.
const FIRST_AUDIO: Span = Span::from_millis(2_500);
/// After the end of the text the end of the audio must come this long after the last of it.
const FINAL: Span = Span::from_millis(4_000);
/// An idle close of a socket younger than this is no idle close.
const IDLE_NOT_BEFORE: Span = Span::from_millis(5_000);
/// Turns at once; more is a service that never ends one.
const JOBS_MAX: usize = 4;

/// A socket: of a job, or the spare one.
#[derive(Debug)]
struct Link {
    conn: ConnId,
    since: Moment,
    open: bool,
    job: Option<JobId>,
    /// Text that is not written yet.
    waiting: Vec<String>,
    ends: bool,
    /// The end of the text was written then.
    ended: Option<Moment>,
    decoder: AudioDecoder,
    any: bool,
    owed: Option<Moment>,
    last_audio: Moment,
    last_sent: Moment,
}

/// The machine. See [`VoiceSocket`] for the calling order.
#[derive(Debug)]
pub struct ElevenSingle {
    settings: ElevenSettings,
    wanted: bool,
    links: Vec<Link>,
    last: ConnId,
    /// The next spare socket is not opened before.
    retry: Option<Moment>,
    backoff: Backoff,
    breaker: Breaker,
    out: VecDeque<TtsOutput>,
}

impl ElevenSingle {
    /// Not connected yet. `breaker` is shared by all calls, `seed` is not.
    pub const fn new(settings: ElevenSettings, breaker: Breaker, seed: u64) -> Self {
        Self {
            settings,
            wanted: false,
            links: Vec::new(),
            last: ConnId::none(Part::Voice),
            retry: None,
            backoff: Backoff::new(seed),
            breaker,
            out: VecDeque::new(),
        }
    }

    fn spare(&self) -> Option<&Link> {
        self.links.iter().find(|link| link.job.is_none())
    }

    /// Opens a spare socket, unless there is one or it is too early.
    fn prepare(&mut self, now: Moment) {
        if !self.wanted || self.spare().is_some() || self.retry.is_some_and(|at| now < at) {
            return;
        }
        if !self.breaker.allows(now) {
            self.retry = Some(self.breaker.opens_at(now));
            return;
        }
        self.retry = None;
        self.last = self.last.next();
        self.links.push(Link {
            conn: self.last,
            since: now,
            open: false,
            job: None,
            waiting: Vec::new(),
            ends: false,
            ended: None,
            decoder: AudioDecoder::new(self.settings.format),
            any: false,
            owed: None,
            last_audio: now,
            last_sent: now,
        });
        self.out.push_back(TtsOutput::Net(ToNet::Open(self.last, self.settings.socket("stream-input"))));
    }

    /// Writes what a link has to say.
    fn write(&mut self, now: Moment, at: usize) {
        let Some(link) = self.links.get_mut(at).filter(|link| link.open) else { return };
        let conn = link.conn;
        let mut send = |message: serde_json::Value| {
            self.out.push_back(TtsOutput::Net(ToNet::Text(conn, message.to_string())));
        };
        for text in std::mem::take(&mut link.waiting) {
            send(json!({"text": text, "flush": true}));
            link.last_sent = now;
            link.owed = link.owed.or(Some(now));
        }
        if link.ends && link.ended.is_none() {
            send(json!({"text": ""}));
            link.ended = Some(now);
        }
    }

    fn message(&mut self, now: Moment, at: usize, text: &str) {
        let message = eleven::read(text);
        if let Some(error) = message.error {
            let fault = Fault::of_name(&error).unwrap_or(Fault::Passing(Passing::Inside));
            return self.failed(now, at, fault, true);
        }
        let Some(link) = self.links.get_mut(at) else { return };
        let mut samples = Vec::new();
        if !message.audio.is_empty() {
            link.decoder.put(&message.audio, &mut samples);
            link.any = true;
            link.owed = None;
            link.last_audio = now;
            // Only something useful proves that the service works.
            self.backoff.worked();
            self.breaker.worked();
        }
        let job = link.job;
        if let Some(job) = job
            && !(samples.is_empty() && message.chars.is_empty())
        {
            self.out.push_back(TtsOutput::Event(TtsEvent::Audio { job, samples, chars: message.chars }));
        }
        if message.is_final {
            self.over(now, at, true);
        }
    }

    /// A link's stream came to its end.
    fn over(&mut self, now: Moment, at: usize, close: bool) {
        let whole = self.links.get(at).is_some_and(|link| link.ended.is_some() && link.any);
        if !whole {
            // An end of what nobody began, or of nothing, at once and again and again: a service that fails.
            return self.failed(now, at, Fault::Passing(Passing::Silent), close);
        }
        let link = self.links.remove(at);
        if close {
            self.out.push_back(TtsOutput::Net(ToNet::Close(link.conn)));
        }
        link.job.into_iter().for_each(|job| self.event(TtsEvent::Finished(job)));
        self.prepare(now);
    }

    /// A link is of no use any more.
    fn failed(&mut self, now: Moment, at: usize, fault: Fault, close: bool) {
        let link = self.links.remove(at);
        if close {
            self.out.push_back(TtsOutput::Net(ToNet::Close(link.conn)));
        }
        let idle = fault == Fault::Passing(Passing::Idle) && now.since(link.since) >= IDLE_NOT_BEFORE;
        if !idle {
            self.breaker.failed(now, fault);
            self.retry = Some(now + self.backoff.failed(fault.at_least()));
        }
        if let Some(job) = link.job {
            self.event(TtsEvent::Lost(job, fault));
        }
        self.event(TtsEvent::Fault(fault));
        self.prepare(now);
    }

    fn due(link: &Link) -> Moment {
        if !link.open {
            return link.since + CONNECT;
        }
        let keep_alive = link.ended.is_none().then(|| link.last_sent + KEEP_ALIVE);
        [Self::patience(link), keep_alive].into_iter().flatten().min().unwrap_or(link.since + CONNECT)
    }

    /// When a link that owes something is given up.
    fn patience(link: &Link) -> Option<Moment> {
        let first = link.owed.map(|since| since + FIRST_AUDIO);
        let last = link.ended.map(|ended| ended.max(link.last_audio) + FINAL);
        [first, last].into_iter().flatten().min()
    }

    fn event(&mut self, event: TtsEvent) {
        self.out.push_back(TtsOutput::Event(event));
    }
}

impl VoiceSocket for ElevenSingle {
    fn rate_hz(&self) -> u32 {
        self.settings.format.rate_hz()
    }

    fn is_ready(&self) -> bool {
        self.spare().is_some_and(|spare| spare.open)
    }

    fn is_starting(&self) -> bool {
        self.spare().is_some() && !self.backoff.has_failed()
    }

    fn takes_turns(&self) -> bool {
        true
    }

    fn open(&mut self, now: Moment) {
        self.wanted = true;
        self.prepare(now);
    }

    fn say(&mut self, now: Moment, job: JobId, text: &str) {
        let text = text.trim();
        if !is_speakable(text) {
            return;
        }
        let known = self.links.iter().position(|link| link.job == Some(job));
        let room = self.links.len() <= JOBS_MAX;
        let at = known.or_else(|| self.links.iter().position(|link| link.job.is_none()).filter(|_| room));
        let Some(link) = at.and_then(|at| self.links.get_mut(at)) else {
            return self.event(TtsEvent::Lost(job, Fault::Passing(Passing::Lost)));
        };
        link.job = Some(job);
        link.waiting.push(format!("{text} "));
        self.write(now, at.unwrap_or_default());
        self.prepare(now);
    }

    fn end(&mut self, now: Moment, job: JobId) {
        match self.links.iter().position(|link| link.job == Some(job)) {
            Some(at) => {
                if let Some(link) = self.links.get_mut(at) {
                    link.ends = true;
                }
                self.write(now, at);
            }
            // It had nothing to say.
            None => self.event(TtsEvent::Finished(job)),
        }
    }

    fn cancel(&mut self, now: Moment, job: JobId) {
        let Some(at) = self.links.iter().position(|link| link.job == Some(job)) else { return };
        let link = self.links.remove(at);
        self.out.push_back(TtsOutput::Net(ToNet::Close(link.conn)));
        self.prepare(now);
    }

    fn shut(&mut self, _now: Moment) {
        self.wanted = false;
        for link in std::mem::take(&mut self.links) {
            self.out.push_back(TtsOutput::Net(ToNet::Close(link.conn)));
        }
    }

    fn handle_net(&mut self, now: Moment, conn: ConnId, message: FromNet) {
        let Some(at) = self.links.iter().position(|link| link.conn == conn) else { return };
        let Some(link) = self.links.get_mut(at) else { return };
        match message {
            FromNet::Opened => {
                link.open = true;
                link.last_sent = now;
                // The init opens the stream; the settings never change after it.
                let init = json!({"text": " ", "voice_settings": eleven::voice_settings()});
                self.out.push_back(TtsOutput::Net(ToNet::Text(conn, init.to_string())));
                self.write(now, at);
            }
            FromNet::Text(text) => self.message(now, at, &text),
            FromNet::Binary(_) => {}
            // The end of a stream, for a service that says no more than that.
            FromNet::Closed(Closed::Done { code: 1000, .. }) if link.ended.is_some() && link.any => {
                self.over(now, at, false);
            }
            FromNet::Closed(closed) => self.failed(now, at, Fault::of_close(&closed), false),
        }
    }

    fn handle_timeout(&mut self, now: Moment) {
        if self.retry.is_some_and(|at| now >= at) {
            self.retry = None;
            self.prepare(now);
        }
        while let Some(at) = self.links.iter().position(|link| now >= Self::due(link)) {
            let Some(link) = self.links.get_mut(at) else { return };
            let silent = !link.open || Self::patience(link).is_some_and(|due| now >= due);
            if silent {
                self.failed(now, at, Fault::Passing(Passing::Silent), true);
            } else {
                link.last_sent = now;
                let space = json!({"text": " "}).to_string();
                self.out.push_back(TtsOutput::Net(ToNet::Text(link.conn, space)));
            }
        }
    }

    fn poll_timeout(&self) -> Option<Moment> {
        let retry = self.retry.filter(|_| self.wanted && self.spare().is_none());
        self.links.iter().map(Self::due).chain(retry).min()
    }

    fn poll_output(&mut self) -> Option<TtsOutput> {
        self.out.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::super::eleven::test_settings;
    use super::*;
    use crate::transport::Lost;
    use crate::wire::audio::AudioFormat;
    use serde_json::Value;

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    struct Bed {
        single: ElevenSingle,
        opened: Vec<ConnId>,
        closed: Vec<ConnId>,
        sent: Vec<(ConnId, Value)>,
        events: Vec<TtsEvent>,
    }

    impl Bed {
        fn open() -> Self {
            let single = ElevenSingle::new(test_settings(), Breaker::new(), 1);
            let (opened, closed, sent, events) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            let mut bed = Self { single, opened, closed, sent, events };
            bed.single.open(at(0));
            bed.poll();
            bed.up(0, 0);
            bed
        }

        fn poll(&mut self) {
            while let Some(output) = self.single.poll_output() {
                match output {
                    TtsOutput::Net(ToNet::Open(conn, request)) => {
                        assert!(request.url.target().contains("/stream-input?"), "{request:?}");
                        self.opened.push(conn);
                    }
                    TtsOutput::Net(ToNet::Close(conn)) => self.closed.push(conn),
                    TtsOutput::Net(ToNet::Text(conn, text)) => {
                        self.sent.push((conn, serde_json::from_str(&text).unwrap()));
                    }
                    TtsOutput::Net(ToNet::Binary(..) | ToNet::Probe(_)) => panic!("binary"),
                    TtsOutput::Event(event) => self.events.push(event),
                }
            }
        }

        fn net(&mut self, ms: u64, nth: usize, message: FromNet) {
            self.single.handle_net(at(ms), self.opened[nth], message);
            self.poll();
        }

        fn up(&mut self, ms: u64, nth: usize) {
            self.net(ms, nth, FromNet::Opened);
        }

        fn message(&mut self, ms: u64, nth: usize, message: &Value) {
            self.net(ms, nth, FromNet::Text(message.to_string()));
        }

        fn say(&mut self, ms: u64, job: u32, text: &str) {
            self.single.say(at(ms), JobId(job), text);
            self.poll();
        }

        fn end(&mut self, ms: u64, job: u32) {
            self.single.end(at(ms), JobId(job));
            self.poll();
        }

        fn until(&mut self, ms: u64) {
            while let Some(due) = self.single.poll_timeout().filter(|&due| due <= at(ms)) {
                self.single.handle_timeout(due);
                self.poll();
            }
        }

        fn texts(&self, nth: usize) -> Vec<&str> {
            let of =
                |(conn, message): &&(ConnId, Value)| *conn == self.opened[nth] && message["text"].is_string();
            self.sent.iter().filter(of).map(|(_, message)| message["text"].as_str().unwrap()).collect()
        }
    }

    const AUDIO: &str = "/w=="; // 0xFF: silence in µ-law

    #[test]
    fn v1_a_turn_is_a_socket_and_the_next_one_is_open_before_it_is_needed() {
        let mut bed = Bed::open();
        assert!(bed.sent[0].1["voice_settings"].is_object() && bed.sent[0].1["text"] == " ");
        bed.say(100, 1, "Hello.");
        assert_eq!(bed.opened.len(), 2);
        bed.up(110, 1);
        bed.say(120, 1, "How are you?");
        bed.end(121, 1);
        assert_eq!(bed.texts(0), [" ", "Hello. ", "How are you? ", ""]);
        assert!(bed.sent.iter().filter(|(_, m)| m["text"] == "Hello. ").all(|(_, m)| m["flush"] == true));
        bed.message(200, 0, &json!({"audio": AUDIO, "isFinal": null}));
        bed.message(210, 0, &json!({"audio": null, "isFinal": true}));
        bed.net(211, 0, FromNet::Closed(Closed::Done { code: 1000, reason: String::new() }));
        let audio = TtsEvent::Audio { job: JobId(1), samples: vec![0], chars: Vec::new() };
        assert_eq!(bed.events, [audio, TtsEvent::Finished(JobId(1))]);
        bed.say(300, 2, "Yes.");
        assert_eq!(bed.texts(1), [" ", "Yes. "]);
        assert!(bed.single.is_ready() || bed.single.is_starting());
    }

    #[test]
    fn pitfall_01_the_spare_socket_is_kept_alive_and_replaced_when_it_is_closed_for_idleness() {
        let mut bed = Bed::open();
        bed.until(60_000);
        assert_eq!(bed.texts(0), [" "; 7], "the init, and a space each ten seconds");
        bed.message(61_000, 0, &json!({"error": "input_timeout_exceeded", "code": 1008}));
        assert_eq!(bed.opened.len(), 2, "at once");
        assert_eq!(bed.events, [TtsEvent::Fault(Fault::Passing(Passing::Idle))]);
    }

    #[test]
    fn pitfall_08_a_byte_without_its_other_half_is_carried_over_within_its_turn() {
        let mut bed = Bed::open();
        for link in &mut bed.single.links {
            link.decoder = AudioDecoder::new(AudioFormat::Pcm16 { rate_hz: 16_000 });
        }
        bed.say(100, 1, "Hello.");
        for audio in ["AQAC", "AAMA"] {
            bed.message(200, 0, &json!({"audio": audio}));
        }
        let audio =
            |samples: &[i16]| TtsEvent::Audio { job: JobId(1), samples: samples.to_vec(), chars: Vec::new() };
        assert_eq!(bed.events, [audio(&[1]), audio(&[2, 3])]);
    }

    #[test]
    fn a_barge_in_closes_the_turns_socket_and_nothing_of_it_comes_out() {
        let mut bed = Bed::open();
        bed.say(100, 1, "A long answer.");
        bed.up(110, 1);
        bed.single.cancel(at(200), JobId(1));
        bed.poll();
        bed.message(201, 0, &json!({"audio": AUDIO}));
        assert_eq!((bed.closed.as_slice(), bed.events.as_slice()), (&[bed.opened[0]][..], &[][..]));
        bed.say(210, 2, "Yes?");
        assert_eq!(bed.texts(1), [" ", "Yes? "]);
    }

    #[test]
    fn pitfall_05_no_audio_and_no_end_lose_the_turn() {
        let mut bed = Bed::open();
        bed.say(100, 1, "Hello.");
        bed.up(110, 1);
        bed.until(2_600);
        assert_eq!(bed.events[0], TtsEvent::Lost(JobId(1), Fault::Passing(Passing::Silent)));
        bed.say(3_000, 2, "Hello.");
        bed.message(3_100, 1, &json!({"audio": AUDIO}));
        bed.end(3_101, 2);
        bed.until(7_101);
        assert!(
            bed.events.contains(&TtsEvent::Lost(JobId(2), Fault::Passing(Passing::Silent))),
            "{:?}",
            bed.events
        );
    }

    #[test]
    fn pitfall_11_a_service_that_accepts_and_closes_is_not_flooded() {
        let mut bed = Bed::open();
        let mut closed = 0;
        for ms in (0..10_000).step_by(10) {
            bed.until(ms);
            if bed.opened.len() > closed {
                closed += 1;
                bed.up(ms, closed - 1);
                bed.net(ms, closed - 1, FromNet::Closed(Closed::Lost(Lost::Broken)));
            }
        }
        assert!((3..10).contains(&bed.opened.len()), "{}", bed.opened.len());
        bed.say(10_000, 1, "Hello.");
        let lost = TtsEvent::Lost(JobId(1), Fault::Passing(Passing::Lost));
        assert!(bed.single.is_ready() || bed.single.is_starting() || bed.events.contains(&lost));
    }

    #[test]
    fn pitfall_11_a_service_that_ends_a_stream_which_nobody_began_is_not_flooded() {
        let mut bed = Bed::open();
        let mut ended = 0;
        for ms in (0..10_000).step_by(10) {
            bed.until(ms);
            if bed.opened.len() > ended {
                ended += 1;
                bed.up(ms, ended - 1);
                bed.message(ms, ended - 1, &json!({"isFinal": true}));
            }
        }
        assert!((3..10).contains(&bed.opened.len()), "{}", bed.opened.len());
    }

    #[test]
    fn hanging_up_leaves_no_socket_and_no_timer() {
        let mut bed = Bed::open();
        bed.say(100, 1, "Hello.");
        bed.single.shut(at(200));
        bed.poll();
        assert_eq!((bed.closed.len(), bed.single.poll_timeout()), (2, None));
    }
}
