//! The rules of both sockets, without a socket.

use super::*;
use crate::seen::Book;
use crate::session::Session;
use crate::speak::LabVoice;
use offhook_units::Moment;

struct Bench {
    book: Book,
    session: Box<dyn Session>,
    out: Out,
    now: Moment,
}

fn bench(query: &str, faults: &str, new: fn(Setup) -> Box<dyn Session>) -> Bench {
    let request = Request { query: format!("output_format=ulaw_8000&{query}"), ..Request::default() };
    let faults: Faults = faults.parse().unwrap();
    let book = Book::default();
    let setup = Setup {
        settings: Settings::of(&request, &faults),
        speaker: Arc::new(Speaker::new(LabVoice::Tones)),
        faults,
        page: book.open(Moment::ZERO, "/x", "", false),
        wrong_key: false,
    };
    let mut bench = Bench { book, session: new(setup), out: Out::default(), now: Moment::ZERO };
    bench.session.opened(bench.now, &mut bench.out);
    bench
}

fn multi(query: &str, faults: &str) -> Bench {
    bench(query, faults, |setup| Box::new(Multi::new(setup)))
}

fn single(query: &str, faults: &str) -> Bench {
    bench(query, faults, |setup| Box::new(Single::new(setup)))
}

impl Bench {
    fn say(&mut self, message: Value) -> Vec<Value> {
        self.session.text(self.now, &message.to_string(), &mut self.out);
        self.out.drain()
    }

    fn init(&mut self, id: &str) -> Vec<Value> {
        self.say(json!({"text": " ", "context_id": id, "voice_settings": {"stability": 0.5}}))
    }

    /// Lets time pass, from one due moment to the next.
    fn pass(&mut self, ms: i64) -> Vec<Value> {
        let until = self.now + Span::from_millis(ms);
        let mut came = Vec::new();
        while let Some(due) = self.session.due().filter(|&due| due <= until) {
            self.now = self.now.max(due);
            self.session.tick(self.now, &mut self.out);
            came.extend(self.out.drain());
        }
        self.now = until;
        came
    }
}

fn letters(messages: &[Value]) -> String {
    let chars = |message: &Value| message.pointer("/alignment/chars").cloned().unwrap_or_default();
    messages
        .iter()
        .flat_map(|message| chars(message).as_array().cloned().unwrap_or_default())
        .filter_map(|letter| letter.as_str().map(str::to_owned))
        .collect()
}

fn error_of(messages: &[Value]) -> (String, u64) {
    let error =
        messages.iter().find_map(|message| message.get("error")).and_then(Value::as_str).unwrap_or_default();
    let close =
        messages.iter().find_map(|message| message.get("close")).and_then(Value::as_u64).unwrap_or_default();
    (error.to_owned(), close)
}

#[test]
fn a_context_speaks_what_was_flushed_and_is_final_when_it_is_closed() {
    for query in ["", "sync_alignment=true"] {
        let mut bench = multi(query, "");
        bench.init("t1");
        bench.say(json!({"text": "Good morning. ", "context_id": "t1"}));
        assert!(bench.pass(100).is_empty(), "nothing before the flush: the schedule wants 120 characters");
        let mut came = bench.say(json!({"context_id": "t1", "flush": true}));
        came.extend(bench.pass(5_000));
        assert_eq!(letters(&came), "Good morning. ");
        assert!(came.iter().all(|message| message["contextId"] == "t1" && message["isFinal"].is_null()));
        bench.say(json!({"text": "Never flushed. ", "context_id": "t1"}));
        let last = bench.say(json!({"context_id": "t1", "close_context": true}));
        assert_eq!(last, [json!({"isFinal": true, "contextId": "t1"})], "what was not flushed is lost");
    }
}

#[test]
fn a_closing_context_counts_until_it_is_final_and_the_sixth_closes_the_socket() {
    let mut bench = multi("", "");
    for n in 0..5 {
        bench.init(&format!("t{n}"));
    }
    bench.say(json!({"text": "A long sentence that takes its time. ", "context_id": "t0", "flush": true}));
    bench.say(json!({"context_id": "t0", "close_context": true}));
    assert_eq!(error_of(&bench.init("t5")), ("max_active_conversations".to_owned(), 1008));
    assert_eq!(bench.book.all().visits[0].most_contexts, 5);
}

#[test]
fn a_bare_flush_makes_a_phantom_that_the_real_beginning_runs_into() {
    for bare in [json!({"context_id": "t1", "flush": true}), json!({"context_id": "t1", "text": ""})] {
        let mut bench = multi("", "");
        assert!(bench.say(bare).is_empty());
        assert_eq!(error_of(&bench.init("t1")).1, 1008);
    }
}

#[test]
fn a_keep_alive_keeps_and_silence_ends() {
    let mut bench = multi("inactivity_timeout=30", "");
    bench.pass(29_000);
    bench.say(json!({"text": ""}));
    assert!(bench.pass(29_000).is_empty());
    assert_eq!(error_of(&bench.pass(2_000)), ("input_timeout_exceeded".to_owned(), 1008));
    assert_eq!(bench.session.due(), None);
}

#[test]
fn frames_of_a_closed_context_come_late_when_asked() {
    let mut bench = multi("", "late=2");
    bench.init("t1");
    bench.say(json!({"text": "Hello there. ", "context_id": "t1", "flush": true}));
    bench.say(json!({"context_id": "t1", "close_context": true}));
    let came = bench.pass(5_000);
    let at = came.iter().position(|message| message["isFinal"] == true).unwrap();
    assert_eq!(came.len() - at - 1, 2);
    assert!(
        came[at + 1..].iter().all(|message| message["contextId"] == "t1" && message["audio"].is_string())
    );
}

#[test]
fn the_fields_are_spelled_as_asked() {
    for (keys, present, absent) in [
        ("snake", ["context_id", "is_final"], ["contextId", "isFinal"]),
        ("both", ["context_id", "contextId"], ["none", "none"]),
        ("plural", ["contextId", "isFinal"], ["context_id", "is_final"]),
    ] {
        let mut bench = multi("", &format!("keys={keys}"));
        bench.init("t1");
        let came = bench.say(json!({"text": "Hello. ", "context_id": "t1", "flush": true}));
        let message = came[0].as_object().unwrap();
        assert!(present.iter().all(|key| message.contains_key(*key)), "{keys}");
        assert!(absent.iter().all(|key| !message.contains_key(*key)), "{keys}");
        let plural = message["alignment"].get("charsDurationsMs").is_some();
        assert_eq!(plural, keys == "plural");
    }
}

#[test]
fn close_socket_says_everything_first() {
    let mut bench = multi("", "");
    bench.init("t1");
    bench.say(json!({"text": "Hello there. ", "context_id": "t1", "flush": true}));
    bench.say(json!({"close_socket": true}));
    let came = bench.pass(5_000);
    assert_eq!(came.last(), Some(&json!({"close": 1000, "reason": ""})));
    assert_eq!(came[came.len() - 2], json!({"isFinal": true, "contextId": "t1"}));
}

#[test]
fn the_single_stream_wants_a_space_first_and_ends_with_an_empty_text() {
    let mut bench = single("", "");
    assert_eq!(error_of(&bench.say(json!({"text": "Hello"}))).1, 1008);

    let mut bench = single("", "");
    bench.say(json!({"text": " "}));
    bench.say(json!({"text": "Hello there. "}));
    bench.say(json!({"text": " "}));
    let mut came = bench.say(json!({"text": ""}));
    came.extend(bench.pass(5_000));
    assert_eq!(letters(&came), "Hello there. ");
    assert_eq!(
        came[came.len() - 2..],
        [json!({"audio": null, "isFinal": true}), json!({"close": 1000, "reason": ""})]
    );
}

#[test]
fn text_is_spoken_when_the_schedule_or_the_trigger_says_so() {
    let fifty = "This sentence has some sixty characters in it, or more. ";
    let mut bench = single("", "");
    bench.say(json!({"text": " ", "generation_config": {"chunk_length_schedule": [50]}}));
    assert!(!bench.say(json!({"text": fifty})).is_empty());
    let mut bench = single("", "");
    bench.say(json!({"text": " "}));
    assert!(bench.say(json!({"text": fifty})).is_empty());
    assert!(!bench.say(json!({"text": "x ", "try_trigger_generation": true})).is_empty());
    let mut bench = single("auto_mode=True", "");
    bench.say(json!({"text": " "}));
    assert!(!bench.say(json!({"text": "Yes. "})).is_empty());
}

#[test]
fn what_the_lab_cannot_make_is_refused() {
    let mut bench = multi("", "");
    bench.session.binary(Moment::ZERO, b"x", &mut bench.out);
    assert_eq!(error_of(&bench.out.drain()).1, 1008);
    let mut bench = single("", "");
    bench.session.text(Moment::ZERO, "{", &mut bench.out);
    assert_eq!(error_of(&bench.out.drain()).1, 1008);
}
