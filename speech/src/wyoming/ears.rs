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
mod tests {
    use super::*;
    use crate::transport::{Closed, Lost};

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    struct Bed {
        ears: WyomingEars,
        opened: Vec<ConnId>,
        closed: Vec<ConnId>,
        /// Kinds of events and samples, for each connection.
        sent: Vec<(ConnId, String, usize)>,
        told: Vec<SttEvent>,
    }

    impl Bed {
        fn new() -> Self {
            let settings = WyomingEarsSettings {
                url: Url::parse("tcp://127.0.0.1:10300").unwrap(),
                model: None,
                language: Some("en".to_owned()),
                endpointing_ms: 300,
                rate_hz: 16_000,
            };
            let (opened, closed, sent, told) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
            Self { ears: WyomingEars::new(settings, Breaker::new(), 1), opened, closed, sent, told }
        }

        fn poll(&mut self) {
            while let Some(output) = self.ears.poll_output() {
                match output {
                    SttOutput::Net(ToNet::Open(conn, _)) => self.opened.push(conn),
                    SttOutput::Net(ToNet::Close(conn)) => self.closed.push(conn),
                    SttOutput::Net(ToNet::Text(..) | ToNet::Probe(_)) => panic!("text"),
                    SttOutput::Net(ToNet::Binary(conn, bytes)) => {
                        assert!(!self.closed.contains(&conn), "said into no connection");
                        let mut reader = Reader::default();
                        reader.put(&bytes);
                        let event = reader.next().unwrap().unwrap();
                        self.sent.push((conn, event.kind, event.payload.len() / 2));
                    }
                    SttOutput::Event(event) => self.told.push(event),
                }
            }
        }

        fn hear(&mut self, ms: u64, length_ms: u32) {
            self.ears.hear(at(ms), &vec![100; frames(length_ms)]);
            self.poll();
        }

        fn speaks(&mut self, ms: u64, speaks: bool) {
            self.ears.caller_speaks(at(ms), speaks);
            self.poll();
        }

        fn net(&mut self, ms: u64, conn: ConnId, message: FromNet) {
            self.ears.handle_net(at(ms), conn, message);
            self.poll();
        }

        fn time(&mut self, ms: u64) {
            self.ears.handle_timeout(at(ms));
            self.poll();
        }

        fn answer(&mut self, ms: u64, conn: ConnId, text: &str) {
            self.net(ms, conn, FromNet::Binary(encode("transcript", &json!({"text": text}), &[])));
        }

        fn samples(&self, conn: ConnId) -> usize {
            self.sent.iter().filter(|(whose, ..)| *whose == conn).map(|(.., samples)| samples).sum()
        }

        fn utter(&mut self, ms: u64) -> ConnId {
            self.speaks(ms, true);
            let conn = *self.opened.last().unwrap();
            self.net(ms, conn, FromNet::Opened);
            self.speaks(ms + 100, false);
            self.time(ms + 400);
            conn
        }
    }

    #[test]
    fn an_utterance_has_what_came_just_before_it_and_ends_after_silence() {
        let mut bed = Bed::new();
        bed.hear(0, 2_000);
        assert!(bed.opened.is_empty(), "silence is nobody's");
        bed.speaks(2_000, true);
        let conn = bed.opened[0];
        bed.hear(2_100, 100);
        bed.net(2_101, conn, FromNet::Opened);
        bed.speaks(2_200, false);
        bed.speaks(2_400, true);
        bed.speaks(2_500, false);
        bed.hear(2_600, 500);
        assert_eq!(bed.ears.poll_timeout(), Some(at(2_800)));
        bed.time(2_800);
        let kinds: Vec<&str> = bed.sent.iter().map(|(_, kind, _)| kind.as_str()).collect();
        assert_eq!((kinds[0], kinds[1], *kinds.last().unwrap()), ("transcribe", "audio-start", "audio-stop"));
        assert_eq!(bed.samples(conn), frames(600 + 100 + 500));
        bed.net(2_900, conn, FromNet::Binary(encode("transcript-chunk", &json!({"text": "two "}), &[])));
        bed.answer(3_000, conn, " two nights ");
        let two = |text: &str| text.to_owned();
        assert_eq!(bed.told, [SttEvent::Interim(two("two")), SttEvent::Utterance(two("two nights"))]);
        assert_eq!((bed.closed, bed.ears.poll_timeout()), (vec![conn], None));
    }

    #[test]
    fn words_come_in_the_order_in_which_they_were_spoken() {
        let mut bed = Bed::new();
        let (first, second) = (bed.utter(1_000), bed.utter(2_000));
        bed.answer(2_500, second, "two");
        assert!(bed.told.is_empty());
        bed.answer(2_600, first, "one");
        assert_eq!(bed.told, ["one", "two"].map(|text| SttEvent::Utterance(text.to_owned())));
    }

    #[test]
    fn a_connection_that_breaks_is_tried_once_more_with_all_of_the_utterance() {
        let mut bed = Bed::new();
        bed.hear(0, 600);
        let first = bed.utter(1_000);
        bed.net(1_500, first, FromNet::Closed(Closed::Lost(Lost::Broken)));
        let second = *bed.opened.last().unwrap();
        assert_ne!(first, second);
        bed.net(1_501, second, FromNet::Opened);
        assert_eq!(bed.samples(second), bed.samples(first));
        bed.net(1_600, second, FromNet::Closed(Closed::Lost(Lost::Broken)));
        assert_eq!(bed.opened.len(), 2);
        assert!(bed.told.iter().all(|event| matches!(event, SttEvent::Fault(_))) && bed.told.len() == 2);
        bed.speaks(1_610, true);
        assert_eq!(bed.opened.len(), 2, "it rests");
        bed.speaks(1_620, false);
        bed.speaks(3_000, true);
        assert_eq!(bed.opened.len(), 3);
    }

    #[test]
    fn a_server_that_answers_before_the_caller_has_ended_is_told_nothing_more() {
        let mut bed = Bed::new();
        bed.speaks(0, true);
        bed.net(1, bed.opened[0], FromNet::Opened);
        bed.hear(600, 600);
        bed.speaks(700, false);
        bed.time(1_000);
        bed.speaks(2_000, true);
        bed.net(2_001, bed.opened[1], FromNet::Opened);
        bed.answer(2_500, bed.opened[1], "two");
        bed.speaks(3_000, false);
        bed.speaks(3_100, true);
        bed.net(3_101, bed.opened[2], FromNet::Opened);
        bed.answer(3_200, bed.opened[0], "one");
        assert_eq!(bed.told, ["one", "two"].map(|text| SttEvent::Utterance(text.to_owned())));
    }

    #[test]
    fn v2_a_caller_whom_no_server_hears_is_told_so_once() {
        let mut bed = Bed::new();
        let unheard = |bed: &Bed| bed.told.iter().filter(|event| **event == SttEvent::Unheard).count();
        bed.speaks(0, true);
        let lost = || FromNet::Closed(Closed::Lost(Lost::Broken));
        bed.net(1, bed.opened[0], lost());
        bed.net(2, bed.opened[1], lost());
        bed.speaks(1_000, false);
        bed.time(1_499);
        assert_eq!(unheard(&bed), 0, "the caller may go on");
        bed.time(1_500);
        bed.time(9_000);
        assert_eq!((unheard(&bed), bed.ears.poll_timeout()), (1, None));
        // A cough is not worth it.
        bed.speaks(10_000, true);
        bed.net(10_001, bed.opened[2], lost());
        bed.net(10_002, bed.opened[3], lost());
        bed.speaks(10_200, false);
        bed.time(20_000);
        assert_eq!(unheard(&bed), 1);
        // What breaks when the caller has ended is told, too.
        let mut bed = Bed::new();
        bed.hear(0, 600);
        bed.speaks(0, true);
        bed.net(1, bed.opened[0], FromNet::Opened);
        bed.speaks(1_000, false);
        bed.time(1_300);
        bed.net(1_400, bed.opened[0], lost());
        bed.net(1_401, bed.opened[1], lost());
        bed.time(1_901);
        assert_eq!(unheard(&bed), 1);
        // Whose call is over waits for nothing.
        bed.speaks(3_000, true);
        bed.net(3_001, bed.opened[2], lost());
        bed.net(3_002, bed.opened[3], lost());
        bed.speaks(4_000, false);
        assert!(bed.ears.poll_timeout().is_some());
        bed.ears.shut();
        assert_eq!(bed.ears.poll_timeout(), None);
    }

    #[test]
    fn a_server_that_never_answers_and_a_caller_who_never_stops_have_an_end() {
        let mut bed = Bed::new();
        bed.speaks(0, true);
        bed.net(1, bed.opened[0], FromNet::Opened);
        assert_eq!(bed.ears.poll_timeout(), Some(at(30_000)));
        bed.speaks(29_900, false);
        bed.time(30_000);
        assert_eq!(bed.sent.last().unwrap().1, "audio-stop");
        bed.time(45_000);
        assert_eq!(bed.told, [SttEvent::Fault(Fault::Passing(Passing::Silent))]);
        bed.net(45_001, bed.opened[1], FromNet::Opened);
        bed.time(60_000);
        bed.time(60_500);
        assert_eq!((bed.ears.poll_timeout(), bed.closed.len()), (None, 2));
    }

    #[test]
    fn words_that_came_wait_for_those_before_them_however_long_these_take() {
        let mut bed = Bed::new();
        let (first, second) = (bed.utter(1_000), bed.utter(2_000));
        bed.answer(2_500, second, "two");
        // The server says more than it was asked.
        bed.net(2_501, second, FromNet::Binary(encode("error", &json!({"text": "x"}), &[])));
        bed.time(16_400);
        let again = *bed.opened.last().unwrap();
        assert_eq!((bed.opened.len(), bed.closed.as_slice()), (3, &[second, first][..]));
        bed.time(17_400);
        assert_eq!(bed.opened.len(), 3, "what is answered is not asked again");
        bed.net(17_500, again, FromNet::Opened);
        bed.answer(17_600, again, "one");
        assert_eq!(bed.told[1..], ["one", "two"].map(|text| SttEvent::Utterance(text.to_owned())));
        assert_eq!(bed.ears.poll_timeout(), None);
    }

    #[test]
    fn a_caller_who_goes_on_goes_on_in_another_utterance_and_nothing_is_sent_twice() {
        let mut bed = Bed::new();
        bed.hear(0, 600);
        bed.speaks(0, true);
        bed.net(1, bed.opened[0], FromNet::Opened);
        bed.hear(29_000, 1_000);
        bed.time(30_000);
        bed.net(30_001, bed.opened[1], FromNet::Opened);
        bed.hear(30_060, 60);
        assert_eq!(bed.samples(bed.opened[0]), frames(1_600));
        assert_eq!(bed.samples(bed.opened[1]), frames(60));
    }

    #[test]
    fn hanging_up_closes_all() {
        let mut bed = Bed::new();
        let conn = bed.utter(0);
        bed.ears.shut();
        bed.poll();
        assert_eq!((bed.closed.as_slice(), bed.ears.poll_timeout()), (&[conn][..], None));
    }
}
