use super::super::eleven::test_settings;
use super::*;
use crate::failure::Fatal;
use crate::transport::{Closed, Lost};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

const ONE: JobId = JobId(1);
const TWO: JobId = JobId(2);

fn at(ms: u64) -> Moment {
    Moment::from_millis(ms)
}

/// The machine and what it said.
struct Bed {
    multi: ElevenMulti,
    sent: Vec<Value>,
    events: Vec<TtsEvent>,
    opened: Vec<ConnId>,
    closed: Vec<ConnId>,
}

impl Bed {
    fn new() -> Self {
        let multi = ElevenMulti::new(test_settings(), Breaker::new(), 1);
        Self { multi, sent: Vec::new(), events: Vec::new(), opened: Vec::new(), closed: Vec::new() }
    }

    /// With its socket open at 0.
    fn open() -> Self {
        let mut bed = Self::new();
        bed.multi.open(at(0));
        bed.poll();
        bed.up(0);
        bed
    }

    fn conn(&self) -> ConnId {
        *self.opened.last().expect("it has connected")
    }

    fn up(&mut self, ms: u64) {
        self.multi.handle_net(at(ms), self.conn(), FromNet::Opened);
        self.poll();
    }

    fn poll(&mut self) {
        while let Some(output) = self.multi.poll_output() {
            match output {
                TtsOutput::Net(ToNet::Open(conn, _)) => self.opened.push(conn),
                TtsOutput::Net(ToNet::Text(_, text)) => self.sent.push(serde_json::from_str(&text).unwrap()),
                TtsOutput::Net(ToNet::Close(conn)) => self.closed.push(conn),
                TtsOutput::Net(ToNet::Binary(..) | ToNet::Probe(_)) => {
                    panic!("nothing binary goes to this service")
                }
                TtsOutput::Event(event) => self.events.push(event),
            }
        }
    }

    fn say(&mut self, ms: u64, job: JobId, text: &str) {
        self.multi.say(at(ms), job, text);
        self.poll();
    }

    fn end(&mut self, ms: u64, job: JobId) {
        self.multi.end(at(ms), job);
        self.poll();
    }

    fn cancel(&mut self, ms: u64, job: JobId) {
        self.multi.cancel(at(ms), job);
        self.poll();
    }

    fn hear(&mut self, ms: u64, message: &Value) {
        self.multi.handle_net(at(ms), self.conn(), FromNet::Text(message.to_string()));
        self.poll();
    }

    fn audio(&mut self, ms: u64, job: JobId, bytes: &[u8]) {
        self.hear(ms, &json!({"audio": STANDARD.encode(bytes), "contextId": format!("t{}", job.0)}));
    }

    fn last(&mut self, ms: u64, job: JobId) {
        self.hear(ms, &json!({"isFinal": true, "contextId": format!("t{}", job.0)}));
    }

    fn close(&mut self, ms: u64, code: u16, reason: &str) {
        let closed = Closed::Done { code, reason: reason.to_owned() };
        self.multi.handle_net(at(ms), self.conn(), FromNet::Closed(closed));
        self.poll();
    }

    /// Lets time pass.
    fn until(&mut self, ms: u64) {
        while let Some(due) = self.multi.poll_timeout().filter(|&due| due <= at(ms)) {
            self.multi.handle_timeout(due);
            self.poll();
        }
    }

    /// What was sent since the last time, in short.
    fn short(&mut self) -> Vec<String> {
        let one = |message: Value| {
            let id = message["context_id"].as_str().unwrap_or("-").to_owned();
            match (message["text"].as_str(), message["flush"].as_bool(), message["close_context"].as_bool()) {
                (Some(" "), ..) if message["voice_settings"].is_object() => format!("{id} init"),
                (Some(""), ..) => format!("{id} alive"),
                (Some(text), Some(true), _) => format!("{id} '{text}' flush"),
                (_, _, Some(true)) => format!("{id} close"),
                _ => message.to_string(),
            }
        };
        std::mem::take(&mut self.sent).into_iter().map(one).collect()
    }
}

fn pcm(job: JobId, samples: &[i16]) -> TtsEvent {
    TtsEvent::Audio { job, samples: samples.to_vec(), chars: Vec::new() }
}

#[test]
fn v1_a_turn_is_init_text_flush_close_and_final_on_one_socket() {
    let mut bed = Bed::open();
    for (job, ms) in [(ONE, 0), (TWO, 5_000)] {
        bed.say(ms, job, "Good morning. ");
        bed.say(ms, job, "How are you?");
        bed.end(ms, job);
        let id = format!("t{}", job.0);
        assert_eq!(
            bed.short(),
            [
                format!("{id} init"),
                format!("{id} 'Good morning. ' flush"),
                format!("{id} 'How are you? ' flush"),
                format!("{id} close")
            ]
        );
        bed.audio(ms + 100, job, &[0x80, 0xFF]);
        bed.last(ms + 200, job);
        assert_eq!(std::mem::take(&mut bed.events), [pcm(job, &[32_124, 0]), TtsEvent::Finished(job)]);
    }
    assert_eq!(bed.opened.len(), 1);
}

#[test]
fn v1_text_that_comes_while_it_connects_waits_and_hang_up_leaves_nothing() {
    let mut bed = Bed::new();
    bed.multi.open(at(0));
    bed.poll();
    bed.say(10, ONE, "Hello.");
    assert!(bed.sent.is_empty());
    bed.up(50);
    assert_eq!(bed.short(), ["t1 init", "t1 'Hello. ' flush"]);
    bed.multi.shut(at(100));
    bed.poll();
    assert_eq!(bed.sent, [json!({"close_socket": true})]);
    assert_eq!(bed.closed, [bed.conn()]);
    assert_eq!(bed.multi.poll_timeout(), None);
    bed.audio(110, ONE, &[0]);
    assert!(bed.events.is_empty());
}

#[test]
fn pitfall_01_keep_alives_go_out_through_silences_and_an_idle_close_is_harmless() {
    let mut bed = Bed::open();
    bed.until(600_000);
    assert_eq!(bed.sent.len(), 60, "one each ten seconds");
    assert!(bed.sent.iter().all(|message| *message == json!({"text": ""})));
    assert_eq!((bed.opened.len(), bed.events.len()), (1, 0), "the same socket after ten minutes");

    bed.close(600_000, 1008, "input_timeout_exceeded");
    assert_eq!(bed.opened.len(), 2, "connects again at once");
    assert_eq!(bed.events, [TtsEvent::Fault(Fault::Passing(Passing::Idle))]);
}

#[test]
fn pitfall_01_an_idle_close_is_harmless_when_a_message_announces_it_too() {
    let mut bed = Bed::open();
    for minute in 1..=6u64 {
        bed.hear(minute * 60_000, &json!({"message": "x", "error": "input_timeout_exceeded", "code": 1008}));
        assert_eq!(bed.opened.len() as u64, minute + 1, "at once, and no switch opens");
        bed.up(minute * 60_000);
    }
    assert_eq!(bed.events, vec![TtsEvent::Fault(Fault::Passing(Passing::Idle)); 6]);
}

#[test]
fn pitfall_01_an_idle_close_that_comes_at_once_is_not_believed() {
    let mut bed = Bed::open();
    bed.close(100, 1008, "input_timeout_exceeded");
    assert_eq!(bed.opened.len(), 1, "it waits before it tries again");
    bed.until(400);
    assert_eq!(bed.opened.len(), 2);
}

#[test]
fn pitfall_02_no_more_than_four_contexts_are_open_or_closing() {
    let mut bed = Bed::open();
    for n in 1..=4 {
        bed.say(0, JobId(n), "Yes.");
        bed.cancel(0, JobId(n));
    }
    bed.say(0, JobId(5), "Five.");
    assert!(!bed.short().iter().any(|message| message.starts_with("t5")), "the fifth waits");
    bed.last(100, JobId(2));
    assert_eq!(bed.short(), ["t5 init", "t5 'Five. ' flush"], "a final makes room");
    assert!(bed.events.is_empty(), "nothing of a cancelled job is told");
}

#[test]
fn pitfall_02_closes_are_sent_before_opens() {
    let mut bed = Bed::open();
    bed.say(0, ONE, "One.");
    bed.short();
    bed.multi.cancel(at(1), ONE);
    bed.multi.say(at(1), TWO, "Two.");
    bed.poll();
    assert_eq!(bed.short(), ["t1 close", "t2 init", "t2 'Two. ' flush"]);
}

#[test]
fn pitfall_02_a_job_that_finds_no_room_gets_a_new_socket() {
    let mut bed = Bed::open();
    for n in 1..=4 {
        bed.say(0, JobId(n), "Yes.");
        bed.cancel(0, JobId(n));
    }
    bed.say(10, JobId(5), "Five.");
    bed.until(709);
    assert!(bed.events.is_empty());
    bed.until(2_000);
    let silent = Fault::Passing(Passing::Silent);
    assert_eq!(bed.events, [TtsEvent::Lost(JobId(5), silent), TtsEvent::Fault(silent)]);
    assert_eq!(bed.opened.len(), 2);
}

#[test]
fn pitfall_03_nothing_is_sent_about_a_context_that_the_service_has_not_seen() {
    let mut bed = Bed::open();
    bed.end(0, ONE);
    bed.cancel(0, ONE);
    bed.say(0, TWO, "...");
    bed.end(0, TWO);
    bed.cancel(0, TWO);
    assert!(bed.sent.is_empty());
    assert_eq!(bed.events, [TtsEvent::Finished(ONE), TtsEvent::Finished(TWO)], "nothing to say is said");

    let mut bed = Bed::new();
    bed.multi.open(at(0));
    bed.poll();
    bed.say(0, ONE, "Hello.");
    bed.cancel(10, ONE);
    bed.up(20);
    assert!(bed.sent.is_empty(), "cancelled before it was ever written");
}

#[test]
fn pitfall_04_the_init_is_the_first_message_of_every_context_and_always_the_same() {
    let mut bed = Bed::open();
    let mut inits = Vec::new();
    for n in 1..=20 {
        bed.say(u64::from(n) * 11_000, JobId(n), "Text.");
        bed.audio(u64::from(n) * 11_000 + 100, JobId(n), &[1]);
        bed.until(u64::from(n) * 11_000 + 10_500);
        let mut sent = std::mem::take(&mut bed.sent).into_iter();
        let init = sent.find(|message| message["context_id"] == format!("t{n}")).expect("its first message");
        assert_eq!(init["text"], " ");
        inits.push(init["voice_settings"].clone());
        bed.end(u64::from(n) * 11_000 + 10_600, JobId(n));
        bed.last(u64::from(n) * 11_000 + 10_700, JobId(n));
    }
    assert!(inits[0].is_object() && inits.iter().all(|init| *init == inits[0]));
}

#[test]
fn pitfall_05_silence_after_a_flush_is_noticed() {
    let mut bed = Bed::open();
    bed.say(0, ONE, "Hello.");
    bed.hear(100, &json!({"type": "flush_done"}));
    bed.until(2_499);
    assert!(bed.events.is_empty());
    bed.until(2_500);
    assert_eq!(bed.events, [TtsEvent::Lost(ONE, Fault::Passing(Passing::Silent))]);
    assert_eq!(
        bed.short().last().map(String::as_str),
        Some("t1 close"),
        "the socket lives, the context does not"
    );
    assert_eq!(bed.opened.len(), 1);
}

#[test]
fn pitfall_05_a_final_that_never_comes_ends_the_wait() {
    let mut bed = Bed::open();
    bed.say(0, ONE, "Hello.");
    bed.end(0, ONE);
    bed.audio(500, ONE, &[1]);
    bed.events.clear();
    bed.until(4_499);
    assert!(bed.events.is_empty());
    bed.until(4_500);
    assert_eq!(bed.events, [TtsEvent::Lost(ONE, Fault::Passing(Passing::Silent))]);
}

#[test]
fn pitfall_05_a_final_without_audio_is_a_loss_and_no_success() {
    let mut bed = Bed::open();
    bed.say(0, ONE, "Hello.");
    bed.end(0, ONE);
    bed.last(100, ONE);
    assert_eq!(bed.events, [TtsEvent::Lost(ONE, Fault::Passing(Passing::Silent))]);
}

#[test]
fn a_socket_with_nobody_behind_it_is_replaced() {
    let mut bed = Bed::open();
    bed.say(1_000, ONE, "Hello.");
    bed.until(4_000);
    assert_eq!(bed.closed.len(), 1);
    assert_eq!(bed.opened.len(), 2, "half-open TCP: nothing at all came after the text");
}

#[test]
fn pitfall_07_audio_of_a_cancelled_job_goes_nowhere() {
    let mut bed = Bed::open();
    bed.say(0, ONE, "One.");
    bed.audio(100, ONE, &[0x80]);
    bed.cancel(150, ONE);
    bed.say(150, TWO, "Two.");
    bed.audio(200, ONE, &[0x80]);
    bed.audio(210, TWO, &[0xFF]);
    bed.last(220, ONE);
    bed.audio(230, ONE, &[0x80]);
    assert_eq!(bed.events, [pcm(ONE, &[32_124]), pcm(TWO, &[0])]);
}

#[test]
fn pitfall_08_a_byte_without_its_other_half_is_carried_over_within_its_context() {
    let format = crate::wire::audio::AudioFormat::Pcm16 { rate_hz: 16_000 };
    let settings = ElevenSettings { format, ..test_settings() };
    let mut bed = Bed { multi: ElevenMulti::new(settings, Breaker::new(), 1), ..Bed::new() };
    bed.multi.open(at(0));
    bed.poll();
    bed.up(0);
    bed.say(0, ONE, "One.");
    bed.say(0, TWO, "Two.");
    bed.audio(10, ONE, &[1, 0, 2]);
    bed.audio(11, TWO, &[7]);
    bed.audio(12, ONE, &[0, 3, 0]);
    bed.audio(13, TWO, &[0]);
    assert_eq!(bed.events, [pcm(ONE, &[1]), pcm(ONE, &[2, 3]), pcm(TWO, &[7])]);
}

#[test]
fn pitfall_10_what_was_on_its_way_is_told_as_lost_when_the_socket_breaks() {
    let mut bed = Bed::open();
    bed.say(0, ONE, "One.");
    bed.say(0, TWO, "Two.");
    bed.cancel(10, TWO);
    let lost = Closed::Lost(Lost::Broken);
    bed.multi.handle_net(at(20), bed.conn(), FromNet::Closed(lost));
    bed.poll();
    let fault = Fault::Passing(Passing::Lost);
    assert_eq!(bed.events, [TtsEvent::Lost(ONE, fault), TtsEvent::Fault(fault)]);
    bed.events.clear();
    bed.say(30, JobId(3), "Three.");
    assert_eq!(
        bed.events,
        [TtsEvent::Lost(JobId(3), fault)],
        "it does not wait for a socket that may never come"
    );
    bed.until(400);
    bed.up(450);
    bed.say(500, JobId(4), "Four.");
    assert!(bed.short().contains(&"t4 'Four. ' flush".to_owned()));
}

#[test]
fn pitfall_11_accept_then_close_is_no_success() {
    let mut bed = Bed::new();
    bed.multi.open(at(0));
    bed.poll();
    let mut ms = 0;
    for _ in 0..6 {
        bed.up(ms);
        bed.close(ms, 1011, "");
        // Far enough for whatever wait there is.
        let before = bed.opened.len();
        while bed.opened.len() == before {
            ms += 50;
            bed.until(ms);
            assert!(ms < 300_000, "it gave up");
        }
    }
    assert!(ms > 4_000, "six attempts took {ms} ms: the waits must grow");
}

#[test]
fn pitfall_11_a_wrong_key_is_not_tried_again_at_once() {
    let mut bed = Bed::new();
    bed.multi.open(at(0));
    bed.poll();
    let refused = Closed::Refused { status: 401, retry_after_s: None, body: "invalid_api_key".to_owned() };
    bed.multi.handle_net(at(0), bed.conn(), FromNet::Closed(refused));
    bed.poll();
    assert_eq!(bed.events, [TtsEvent::Fault(Fault::Fatal(Fatal::Key))]);
    bed.until(29_000);
    assert_eq!(bed.opened.len(), 1);
}

#[test]
fn pitfall_11_an_error_message_is_read_before_the_close_that_follows() {
    let mut bed = Bed::open();
    bed.say(0, ONE, "Hello.");
    bed.hear(10, &json!({"message": "x", "error": "quota_exceeded", "code": 1008}));
    bed.close(11, 1008, "x");
    let fault = Fault::Fatal(Fatal::Quota);
    assert_eq!(bed.events, [TtsEvent::Lost(ONE, fault), TtsEvent::Fault(fault)]);
}

#[test]
fn pitfall_12_text_with_nothing_to_say_is_never_sent() {
    let mut bed = Bed::open();
    for text in ["", " ", "...", "—!", "👋"] {
        bed.say(0, ONE, text);
    }
    assert!(bed.sent.is_empty());
}

#[test]
fn a_socket_that_does_not_open_in_three_seconds_is_given_up() {
    let mut bed = Bed::new();
    bed.multi.open(at(0));
    bed.poll();
    bed.say(100, ONE, "Hello.");
    bed.until(2_999);
    assert!(bed.events.is_empty());
    bed.until(3_000);
    assert_eq!(bed.events[0], TtsEvent::Lost(ONE, Fault::Passing(Passing::Silent)));
    assert_eq!(bed.closed.len(), 1);
}
