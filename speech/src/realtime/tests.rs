use super::*;
use crate::all_in_one::{AllInOneOutput, AllInOneService};
use crate::failure::Breaker;
use crate::transport::{Closed, ConnId, FromNet, Lost, Part as Of, ToNet};
use crate::wire::audio::from_base64;

fn at(ms: u64) -> Moment {
    Moment::from_millis(ms)
}

fn settings() -> RealtimeSettings {
    RealtimeSettings {
        base: Url::parse("http://127.0.0.1:1/v1").unwrap(),
        key: Some(Pii::new("k".to_owned())),
        model: "m".to_owned(),
        voice: None,
        ears_model: Some("ears".to_owned()),
        language: None,
        endpointing_ms: 300,
        task: "Answer.".to_owned(),
        greeting: "Hello.".to_owned(),
    }
}

/// A session that is played by hand.
struct Bed {
    it: AllInOneService,
    conn: ConnId,
    opened: usize,
    closed: usize,
    sent: Vec<Value>,
    events: Vec<AllInOneEvent>,
    history: Vec<(Role, String)>,
}

impl Bed {
    fn new(settings: RealtimeSettings, rate_hz: u32) -> Self {
        let it = AllInOneService::new(settings.into(), Breaker::new(), 1, rate_hz);
        let (sent, events, history) = (Vec::new(), Vec::new(), Vec::new());
        let mut bed =
            Self { it, conn: ConnId::none(Of::AllInOne), opened: 0, closed: 0, sent, events, history };
        bed.it.open(at(0));
        bed.poll(0);
        bed
    }

    /// Connected, agreed, and with no greeting owed.
    fn open() -> Self {
        Self::open_with(settings())
    }

    fn open_with(settings: RealtimeSettings) -> Self {
        let mut bed = Self::new(RealtimeSettings { greeting: String::new(), ..settings }, 8_000);
        bed.up(0);
        bed.message(0, &json!({"type": "session.updated"}));
        (bed.sent, bed.events) = (Vec::new(), Vec::new());
        bed
    }

    fn up(&mut self, ms: u64) {
        self.net(ms, FromNet::Opened);
        self.message(ms, &json!({"type": "session.created", "session": {}}));
    }

    fn poll(&mut self, ms: u64) {
        while let Some(output) = self.it.poll_output() {
            match output {
                AllInOneOutput::Net(ToNet::Open(conn, request)) => {
                    assert_eq!(request.url.to_string(), "ws://127.0.0.1:1/v1/realtime?model=m");
                    let header = &request.headers[0];
                    assert_eq!(
                        (header.0.as_str(), header.1.reveal().as_str()),
                        ("Authorization", "Bearer k")
                    );
                    self.conn = conn;
                    self.opened += 1;
                }
                AllInOneOutput::Net(ToNet::Close(_)) => self.closed += 1,
                AllInOneOutput::Net(ToNet::Text(_, text)) => {
                    self.sent.push(serde_json::from_str(&text).unwrap());
                }
                AllInOneOutput::Net(ToNet::Probe(_)) => {}
                AllInOneOutput::Net(ToNet::Binary(..)) => panic!("binary"),
                AllInOneOutput::Event(AllInOneEvent::Anew) => {
                    let history = self.history.clone();
                    self.it.remind(at(ms), &history);
                }
                AllInOneOutput::Event(AllInOneEvent::Begins) => {
                    self.it.turn_begins();
                    self.events.push(AllInOneEvent::Begins);
                }
                AllInOneOutput::Event(event) => self.events.push(event),
            }
        }
    }

    fn net(&mut self, ms: u64, what: FromNet) {
        self.it.handle_net(at(ms), self.conn, what);
        self.poll(ms);
    }

    fn message(&mut self, ms: u64, message: &Value) {
        self.net(ms, FromNet::Text(message.to_string()));
    }

    /// So many bytes of audio of an item of a response.
    fn audio(&mut self, ms: u64, response: &str, item: &str, bytes: usize) {
        let delta = to_base64(&vec![0xFF; bytes]);
        let part = json!({"response_id": response, "item_id": item, "delta": delta});
        let mut message = json!({"type": "response.output_audio.delta"});
        message.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        self.message(ms, &message);
    }

    fn responds(&mut self, ms: u64, response: &str) {
        self.message(ms, &json!({"type": "response.created", "response": {"id": response}}));
    }

    fn done(&mut self, ms: u64, response: &str, status: &str) {
        let response = json!({"id": response, "status": status});
        self.message(ms, &json!({"type": "response.done", "response": response}));
    }

    fn committed(&mut self, ms: u64) {
        self.message(ms, &json!({"type": "input_audio_buffer.committed", "item_id": "u"}));
    }

    fn error(&mut self, ms: u64, kind: &str, code: &str) {
        self.message(ms, &json!({"type": "error", "error": {"type": kind, "code": code}}));
    }

    fn cancel(&mut self, ms: u64, heard_ms: i64) {
        self.it.cancel(at(ms), Span::from_millis(heard_ms));
        self.poll(ms);
    }

    fn until(&mut self, ms: u64) {
        while let Some(due) = self.it.poll_timeout().filter(|&due| due <= at(ms)) {
            self.it.handle_timeout(due);
            self.poll(ms);
        }
    }

    fn lost(&mut self, ms: u64) {
        self.net(ms, FromNet::Closed(Closed::Lost(Lost::Broken)));
    }

    fn kinds(&self) -> Vec<&str> {
        self.sent.iter().map(|event| event["type"].as_str().unwrap()).collect()
    }

    /// What was truncated, and to how many milliseconds.
    fn truncated(&self) -> Vec<(&str, u64)> {
        let truncates = self.sent.iter().filter(|event| event["type"] == "conversation.item.truncate");
        let told = |event: &'_ Value| event["audio_end_ms"].as_u64().unwrap();
        truncates.map(|event| (event["item_id"].as_str().unwrap(), told(event))).collect()
    }
}

const LOST: AllInOneEvent = AllInOneEvent::Fault(Fault::Passing(Passing::Lost));

#[test]
fn v4_the_session_is_told_before_anything_else_and_asked_for_the_greeting() {
    let mut bed = Bed::new(settings(), 8_000);
    bed.it.hear(at(0), &[0; 640]);
    bed.net(1, FromNet::Opened);
    assert!(bed.sent.is_empty(), "the service speaks first");
    assert_eq!(bed.it.away_since(), Some(at(0)));
    bed.message(2, &json!({"type": "session.created"}));
    assert_eq!(bed.kinds(), ["session.update", "response.create", "input_audio_buffer.append"]);
    assert_eq!(bed.it.away_since(), None);
    let session = &bed.sent[0]["session"];
    assert_eq!(session["instructions"], "Answer.");
    let audio = &session["audio"];
    assert_eq!(audio["input"]["format"], json!({"type": "audio/pcmu"}));
    assert_eq!(audio["input"]["transcription"], json!({"model": "ears"}));
    assert_eq!(audio["input"]["turn_detection"]["interrupt_response"], false);
    assert_eq!(audio["output"], json!({"format": {"type": "audio/pcmu"}}));
    assert!(bed.sent[1]["response"]["instructions"].as_str().unwrap().ends_with("Hello."));
    assert_eq!(from_base64(bed.sent[2]["audio"].as_str().unwrap()), vec![0xFF; 640]);
}

#[test]
fn v4_a_wide_call_is_spoken_at_24_khz_and_what_is_not_chosen_is_not_named() {
    let with = RealtimeSettings {
        voice: Some("v".to_owned()),
        language: Some("en".to_owned()),
        greeting: String::new(),
        ..settings()
    };
    let mut bed = Bed::new(with, 16_000);
    bed.up(0);
    bed.it.hear(at(5), &[1; 480]);
    bed.poll(5);
    assert_eq!(bed.kinds(), ["session.update", "input_audio_buffer.append"]);
    let audio = &bed.sent[0]["session"]["audio"];
    let format = json!({"type": "audio/pcm", "rate": 24_000});
    assert_eq!(audio["output"], json!({"format": format, "voice": "v"}));
    assert_eq!(audio["input"]["transcription"], json!({"model": "ears", "language": "en"}));
    assert_eq!((bed.it.rate_hz(), bed.sent[1]["audio"].as_str().unwrap().len()), (24_000, 1_280));
    let mut bed = Bed::new(RealtimeSettings { ears_model: None, ..settings() }, 16_000);
    bed.up(0);
    assert_eq!(bed.sent[0]["session"]["audio"]["input"].get("transcription"), None);
}

#[test]
fn v4_an_answer_is_its_words_and_its_audio_and_what_the_caller_said_may_come_late() {
    let mut bed = Bed::open();
    bed.committed(10);
    bed.responds(15, "r");
    let words = json!({"type": "response.output_audio_transcript.delta", "response_id": "r", "item_id": "i", "delta": "Fine."});
    bed.message(20, &words);
    bed.audio(21, "r", "i", 2);
    let heard =
        json!({"type": "conversation.item.input_audio_transcription.completed", "transcript": "two nights "});
    bed.message(22, &heard);
    bed.audio(23, "r", "i", 1);
    bed.done(30, "r", "completed");
    let events = [
        AllInOneEvent::Asked,
        AllInOneEvent::Taken,
        AllInOneEvent::Begins,
        AllInOneEvent::Words("Fine.".to_owned()),
        AllInOneEvent::Audio(vec![0, 0]),
        AllInOneEvent::Heard("two nights".to_owned()),
        AllInOneEvent::Audio(vec![0]),
        AllInOneEvent::Ends,
    ];
    assert_eq!(bed.events, events);
    assert_eq!(bed.it.poll_timeout(), None, "nothing is waited for");
}

#[test]
fn v4_a_clone_that_names_nothing_is_understood() {
    let mut bed = Bed::open();
    bed.message(0, &json!({"type": "response.audio_transcript.delta", "delta": "Hi"}));
    bed.message(1, &json!({"type": "response.audio.delta", "delta": "/w=="}));
    bed.message(2, &json!({"type": "response.audio.delta", "delta": "/w"}));
    bed.cancel(3, 0);
    bed.message(4, &json!({"type": "response.audio.delta", "delta": "/w=="}));
    bed.message(5, &json!({"type": "response.done"}));
    bed.message(6, &json!({"type": "response.text.delta", "delta": "So."}));
    bed.message(7, &json!({"type": "response.done"}));
    let sound = || AllInOneEvent::Audio(vec![0]);
    let words = |text: &str| AllInOneEvent::Words(text.to_owned());
    let begins = AllInOneEvent::Begins;
    let first = [begins.clone(), words("Hi"), sound(), sound()];
    assert_eq!(bed.events, [&first[..], &[begins, words("So."), AllInOneEvent::Ends]].concat());
    assert_eq!(bed.kinds(), ["response.cancel"]);
}

#[test]
fn pitfall_08_odd_bytes_are_carried_within_an_item_and_never_into_the_next() {
    let mut bed = Bed::new(RealtimeSettings { greeting: String::new(), ..settings() }, 16_000);
    bed.up(0);
    bed.audio(1, "r", "a", 3);
    bed.audio(2, "r", "a", 2);
    bed.audio(3, "r", "b", 2);
    let garbage = json!({"type": "response.output_audio.delta", "response_id": "r", "item_id": "b", "delta": "no base64!"});
    bed.message(4, &garbage);
    bed.done(5, "r", "completed");
    let sound = |samples: usize| AllInOneEvent::Audio(vec![-1; samples]);
    let first = [AllInOneEvent::Begins, sound(1), sound(1), AllInOneEvent::Ends];
    assert_eq!(bed.events, [&first[..], &[AllInOneEvent::Begins, sound(1), AllInOneEvent::Ends]].concat());
}

#[test]
fn pitfall_15_what_is_truncated_is_what_was_heard_and_never_more_than_came() {
    for (heard_ms, told_ms) in [(40, 40), (900, 100)] {
        let mut bed = Bed::open();
        bed.responds(9, "r");
        bed.audio(10, "r", "a", 800);
        bed.cancel(50, heard_ms);
        assert_eq!(bed.kinds(), ["response.cancel", "conversation.item.truncate"]);
        assert_eq!(bed.sent[0]["response_id"], "r");
        assert_eq!(bed.truncated(), [("a", told_ms)]);
        // What was on its way is dropped; the next answer is not.
        bed.audio(60, "r", "a", 800);
        bed.done(61, "r", "cancelled");
        bed.audio(62, "r", "a", 800);
        bed.audio(70, "s", "b", 1);
        let sound = |samples: usize| AllInOneEvent::Audio(vec![0; samples]);
        assert_eq!(bed.events, [AllInOneEvent::Begins, sound(800), AllInOneEvent::Begins, sound(1)]);
    }
}

#[test]
fn pitfall_15_an_answer_that_had_come_whole_is_truncated_item_by_item_and_nothing_is_cancelled() {
    let mut bed = Bed::open();
    bed.audio(0, "q", "old", 800);
    bed.done(1, "q", "completed");
    bed.responds(2, "r");
    bed.audio(3, "r", "a", 800);
    // The second goes on in the same turn: nobody says that a turn begins.
    let part = json!({"type": "response.output_audio.delta", "response_id": "r", "item_id": "b", "delta": to_base64(&[0xFF; 1_600])});
    bed.it.handle_net(at(4), bed.conn, FromNet::Text(part.to_string()));
    while bed.it.poll_output().is_some() {}
    bed.done(5, "r", "completed");
    bed.cancel(200, 150);
    assert_eq!(bed.truncated(), [("b", 50)], "the first was heard whole, and an older turn is no matter");
    bed.cancel(210, 150);
    assert_eq!(bed.kinds(), ["conversation.item.truncate"], "once");
}

#[test]
fn v3_the_service_takes_a_turn_while_we_are_heard_and_the_rest_of_the_old_one_is_over() {
    let mut bed = Bed::open();
    bed.audio(0, "q", "a", 8_000);
    bed.done(1, "q", "completed");
    bed.committed(300);
    bed.audio(500, "r", "b", 8);
    assert_eq!(bed.events[3..6], [AllInOneEvent::Asked, AllInOneEvent::Taken, AllInOneEvent::Begins]);
    // In the calling order of the session: the old turn is settled before the new one is said to begin.
    let mut bed = Bed::open();
    bed.audio(0, "q", "a", 8_000);
    bed.done(1, "q", "completed");
    bed.committed(300);
    let delta =
        json!({"type": "response.output_audio.delta", "response_id": "r", "item_id": "b", "delta": "/w=="});
    bed.it.handle_net(at(500), bed.conn, FromNet::Text(delta.to_string()));
    bed.it.overtaken(at(500), Span::from_millis(450));
    bed.poll(500);
    assert_eq!(bed.truncated(), [("a", 450)]);
    // One that stops by itself when the caller speaks has decided so, too.
    let mut bed = Bed::open();
    bed.audio(0, "q", "a", 8_000);
    bed.done(1, "q", "cancelled");
    assert_eq!(bed.events.last(), Some(&AllInOneEvent::Taken));
}

#[test]
fn b1_a_cough_while_an_answer_comes_is_no_turn() {
    let mut bed = Bed::open();
    bed.responds(0, "r");
    bed.audio(1, "r", "a", 8);
    bed.committed(2);
    bed.error(3, "invalid_request_error", "conversation_already_has_active_response");
    bed.audio(4, "r", "b", 8);
    let sound = AllInOneEvent::Audio(vec![0; 8]);
    let begins = AllInOneEvent::Begins;
    assert_eq!(bed.events, [begins.clone(), sound.clone(), AllInOneEvent::Ends, begins, sound]);
}

#[test]
fn an_error_about_one_event_leaves_the_session_and_others_are_sorted() {
    let mut bed = Bed::open();
    bed.error(10, "invalid_request_error", "response_cancel_not_active");
    assert!(bed.events.is_empty(), "that race is no fault");
    bed.error(11, "invalid_request_error", "invalid_value");
    assert_eq!(bed.events, [AllInOneEvent::Complaint(Fault::Passing(Passing::Ours))]);
    for (kind, code, fault) in [
        ("server_error", "x", Fault::Passing(Passing::Inside)),
        ("invalid_request_error", "insufficient_quota", Fault::Fatal(Fatal::Quota)),
        ("invalid_request_error", "session_expired", Fault::Passing(Passing::Idle)),
    ] {
        let mut bed = Bed::open();
        bed.audio(0, "r", "a", 8);
        bed.error(10, kind, code);
        assert_eq!(bed.closed, 1, "{code}");
        assert_eq!(bed.events[2..], [AllInOneEvent::Breaks { written: false }, AllInOneEvent::Fault(fault)]);
    }
}

#[test]
fn a_session_that_is_refused_what_it_shall_be_is_no_session() {
    // Its audio would be in a format that nobody expects: noise.
    let mut bed = Bed::new(settings(), 8_000);
    bed.up(0);
    bed.error(1, "invalid_request_error", "invalid_value");
    let [said, fault] = &bed.events[..] else { panic!("{:?}", bed.events) };
    assert_eq!(said, &AllInOneEvent::Ungreeted("Hello.".to_owned()));
    assert_eq!((fault, bed.closed), (&AllInOneEvent::Fault(Fault::Fatal(Fatal::Refused)), 1));
    assert!(bed.it.poll_timeout().unwrap() >= at(30_000), "trying again changes nothing");
}

#[test]
fn an_answer_that_fails_is_told_and_only_what_a_person_must_mend_ends_the_session() {
    let failed = |code: &str| json!({"type": "response.done", "response": {"id": "r", "status": "failed", "status_details": {"type": "failed", "error": {"type": "x", "code": code}}}});
    let mut bed = Bed::open();
    bed.committed(0);
    bed.responds(1, "r");
    bed.message(2, &failed("rate_limit_exceeded"));
    let busy = AllInOneEvent::Fault(Fault::Passing(Passing::Busy { after_s: 0 }));
    assert_eq!((bed.events.last(), bed.closed), (Some(&busy), 0));
    bed.message(3, &failed("insufficient_quota"));
    assert_eq!(bed.closed, 0, "that response is over");
    bed.committed(4);
    bed.responds(5, "r");
    bed.message(6, &failed("insufficient_quota"));
    assert_eq!(bed.closed, 1);
}

#[test]
fn v3_a_break_is_tried_again_knows_what_was_said_and_does_not_greet_a_second_time() {
    let mut bed = Bed::new(settings(), 8_000);
    bed.up(0);
    bed.audio(500, "r", "a", 8);
    bed.lost(1_000);
    assert_eq!(bed.events[2..], [AllInOneEvent::Breaks { written: false }, LOST]);
    assert_eq!(bed.it.away_since(), Some(at(1_000)));
    bed.history = vec![
        (Role::System, "Answer.".to_owned()),
        (Role::User, "Hi".to_owned()),
        (Role::Assistant, "Yes?".to_owned()),
    ];
    bed.until(1_300);
    bed.sent.clear();
    bed.up(1_400);
    let create = "conversation.item.create";
    assert_eq!((bed.opened, bed.kinds()), (2, vec!["session.update", create, create]));
    let content = json!([{"type": "output_text", "text": "Yes?"}]);
    assert_eq!(
        (&bed.sent[2]["item"]["role"], &bed.sent[2]["item"]["content"]),
        (&json!("assistant"), &content)
    );
    assert_eq!(bed.it.away_since(), None);
}

#[test]
fn v2_of_an_answer_that_others_say_the_words_still_come_and_no_audio() {
    for written in [true, false] {
        let mut bed = Bed::open();
        let tells = |bed: &mut Bed, ms: u64, kind: &str| {
            let kind = format!("response.output_audio_transcript.{kind}");
            bed.message(ms, &json!({"type": kind, "response_id": "r", "item_id": "a", "delta": "So"}));
        };
        tells(&mut bed, 0, "delta");
        if written {
            tells(&mut bed, 0, "done");
        }
        bed.audio(0, "r", "a", 800);
        bed.sent.clear();
        bed.events.clear();
        bed.it.leaves_alone(at(1_000));
        bed.it.leaves_alone(at(1_000));
        bed.poll(1_000);
        if written {
            assert_eq!(bed.events, [AllInOneEvent::Breaks { written: true }]);
            assert_eq!(bed.kinds(), ["response.cancel"]);
        } else {
            bed.audio(1_500, "r", "a", 800);
            tells(&mut bed, 1_600, "delta");
            tells(&mut bed, 1_700, "done");
            let words = AllInOneEvent::Words("So".to_owned());
            assert_eq!(bed.events, [AllInOneEvent::FallsSilent, words, AllInOneEvent::Ends]);
            bed.cancel(1_800, 500);
            assert_eq!(bed.kinds(), ["response.cancel", "conversation.item.truncate"]);
            assert_eq!(bed.truncated(), [("a", 100)], "no more than was kept of it");
        }
        bed.events.clear();
        bed.audio(5_000, "r", "a", 800);
        assert!(bed.events.is_empty());
        bed.audio(6_000, "s", "b", 800);
        assert_eq!(bed.events.len(), 2);
    }
}

/// Nothing has a name, and the end of the answer that others said was never told.
#[test]
fn v2_a_new_answer_is_heard_after_one_that_fell_silent_without_an_end() {
    let mut bed = Bed::open();
    let words = json!({"type": "response.output_audio_transcript.delta", "delta": "So"});
    bed.message(0, &json!({"type": "response.created"}));
    bed.message(0, &words);
    bed.it.leaves_alone(at(500));
    bed.message(900, &json!({"type": "response.output_audio_transcript.done"}));
    bed.events.clear();
    bed.message(1_500, &json!({"type": "response.created"}));
    bed.message(1_500, &words);
    assert_eq!(bed.events, [AllInOneEvent::Begins, AllInOneEvent::Words("So".to_owned())]);
}

#[test]
fn v2_a_greeting_that_the_service_does_not_say_is_said_by_the_device_once() {
    let ungreeted = AllInOneEvent::Ungreeted("Hello.".to_owned());
    // It is not there.
    let mut bed = Bed::new(settings(), 8_000);
    bed.lost(5);
    assert_eq!(bed.events, [ungreeted.clone(), LOST]);
    bed.until(300);
    bed.up(400);
    assert_eq!(bed.kinds(), ["session.update"], "it is not asked to greet as well");
    // It is there and says nothing.
    let mut bed = Bed::new(settings(), 8_000);
    bed.up(100);
    bed.until(2_999);
    assert!(bed.events.is_empty());
    bed.until(3_000);
    let silent = [ungreeted.clone(), AllInOneEvent::Fault(Fault::Passing(Passing::Silent))];
    assert_eq!(bed.events, silent);
    // Its connection took most of the caller's patience.
    let mut bed = Bed::new(settings(), 8_000);
    bed.until(2_900);
    bed.up(2_900);
    bed.until(3_000);
    assert_eq!((&bed.events[..], bed.closed), (&silent[..], 1));
    // Nobody may try.
    let breaker = Breaker::new();
    breaker.failed(at(0), Fault::Fatal(Fatal::Key));
    let mut it = AllInOneService::new(settings().into(), breaker, 1, 8_000);
    it.open(at(1));
    assert_eq!(it.poll_output(), Some(AllInOneOutput::Event(ungreeted)));
}

#[test]
fn v2_a_greeting_that_comes_back_without_a_word_is_said_by_the_device_at_once() {
    for status in ["completed", "incomplete", "failed"] {
        let mut bed = Bed::new(settings(), 8_000);
        bed.up(100);
        bed.responds(200, "r");
        bed.done(300, "r", status);
        let ungreeted = AllInOneEvent::Ungreeted("Hello.".to_owned());
        assert_eq!(bed.events.first(), Some(&ungreeted), "{status}");
        bed.until(60_000);
        assert_eq!((bed.events.len(), bed.closed), (2, 0), "{:?}", bed.events);
    }
}

#[test]
fn a_greeting_is_asked_for_by_its_words_and_said_by_the_device_with_its_marks() {
    let greeting = "**Hello** [breath] there. <break time=\"1s\"/> Who calls?";
    let mut bed = Bed::new(RealtimeSettings { greeting: greeting.to_owned(), ..settings() }, 8_000);
    bed.up(0);
    let asked = bed.sent[1]["response"]["instructions"].as_str().unwrap();
    assert!(asked.ends_with(": Hello there. Who calls?"), "{asked}");
    bed.lost(100);
    assert_eq!(bed.events, [AllInOneEvent::Ungreeted(greeting.to_owned()), LOST]);
    let mut bed = Bed::new(RealtimeSettings { greeting: "[sigh]".to_owned(), ..settings() }, 8_000);
    bed.up(0);
    assert_eq!(bed.kinds(), ["session.update"], "nothing in it can be said");
}

#[test]
fn v2_an_answer_without_a_word_is_told_and_the_session_goes_on() {
    for status in ["completed", "incomplete"] {
        let mut bed = Bed::open();
        bed.committed(1_000);
        bed.responds(1_100, "r");
        bed.done(1_200, "r", status);
        let silent = AllInOneEvent::Fault(Fault::Passing(Passing::Silent));
        assert_eq!(bed.events, [AllInOneEvent::Asked, silent], "{status}");
        bed.until(60_000);
        assert_eq!((bed.events.len(), bed.closed), (2, 0));
        // Nobody asked for this one.
        bed.responds(60_000, "s");
        bed.done(60_100, "s", status);
        assert_eq!(bed.events.len(), 2);
    }
}

#[test]
fn what_is_heard_without_a_word_is_no_utterance() {
    let mut bed = Bed::open();
    for text in ["", " ", "Yes."] {
        let kind = "conversation.item.input_audio_transcription.completed";
        bed.message(1_000, &json!({"type": kind, "item_id": "u", "transcript": text}));
    }
    assert_eq!(bed.events, [AllInOneEvent::Heard("Yes.".to_owned())]);
}

#[test]
fn v2_an_answer_that_is_owed_or_stops_coming_is_given_up() {
    let silent = AllInOneEvent::Fault(Fault::Passing(Passing::Silent));
    let mut bed = Bed::open();
    bed.committed(1_000);
    bed.responds(1_100, "r");
    bed.until(10_999);
    assert_eq!(bed.events, [AllInOneEvent::Asked]);
    bed.until(11_000);
    assert_eq!((bed.events.last(), bed.closed), (Some(&silent), 1));
    let mut bed = Bed::open();
    bed.audio(1_000, "r", "a", 8);
    bed.message(
        1_000,
        &json!({"type": "response.output_audio_transcript.done", "response_id": "r", "item_id": "a"}),
    );
    bed.until(4_000);
    assert_eq!(bed.events.last(), Some(&AllInOneEvent::Breaks { written: true }));
    assert_eq!(bed.kinds(), ["response.cancel"]);
    bed.audio(4_100, "r", "a", 8);
    assert_eq!(bed.events.len(), 3, "somebody else has said it");
}

#[test]
fn pitfall_11_a_service_that_makes_sessions_and_closes_them_is_asked_ever_more_rarely() {
    let mut bed = Bed::new(RealtimeSettings { greeting: String::new(), ..settings() }, 8_000);
    for ms in (0..60_000).step_by(50) {
        if bed.it.poll_timeout().is_some_and(|due| due <= at(ms)) {
            bed.it.handle_timeout(at(ms));
            bed.poll(ms);
        }
        if bed.opened > bed.closed {
            bed.up(ms);
            bed.net(ms, FromNet::Closed(Closed::Done { code: 1011, reason: String::new() }));
        }
    }
    assert!((4..16).contains(&bed.opened), "{} sessions in a minute", bed.opened);
}

#[test]
fn hang_up_leaves_no_connection_no_timer_and_nothing_to_say() {
    let mut bed = Bed::new(settings(), 8_000);
    bed.up(0);
    bed.audio(100, "r", "a", 8);
    bed.committed(200);
    bed.it.shut();
    bed.poll(200);
    assert_eq!((bed.closed, bed.it.poll_timeout()), (1, None));
    let before = bed.events.len();
    bed.audio(300, "r", "a", 8);
    bed.it.hear(at(300), &[1; 1_600]);
    bed.poll(300);
    assert_eq!((bed.events.len(), bed.opened), (before, 1));
}

#[test]
fn a_turn_of_countless_items_keeps_its_bounds_and_its_sum() {
    let mut bed = Bed::open();
    for n in 0..200 {
        let item = format!("i{n}");
        let delta = to_base64(&[0xFF; 80]);
        let part = json!({"type": "response.output_audio.delta", "response_id": "r", "item_id": item, "delta": delta});
        bed.it.handle_net(at(n), bed.conn, FromNet::Text(part.to_string()));
        while bed.it.poll_output().is_some() {}
    }
    // 2 s came in 200 items; 1.985 s of them were heard.
    bed.cancel(300, 1_985);
    assert_eq!(bed.truncated(), [("i198", 5), ("i199", 0)]);
}

#[test]
fn v5_an_item_of_which_others_say_the_rest_is_truncated_to_what_was_heard_in_the_services_voice() {
    // It breaks off in several ways; the turn goes on with another item, in no voice of the service.
    for way in ["left", "failed", "silent"] {
        let mut bed = Bed::open();
        bed.responds(0, "r");
        bed.audio(1, "r", "a", 800);
        match way {
            "left" => bed.it.leaves_alone(at(1_000)),
            "failed" => bed.done(1_000, "r", "failed"),
            _ => bed.until(3_001),
        }
        bed.poll(3_001);
        bed.responds(3_100, "s");
        let delta = json!({"type": "response.output_audio.delta", "response_id": "s", "item_id": "b", "delta": to_base64(&[0xFF; 80])});
        bed.it.handle_net(at(3_101), bed.conn, FromNet::Text(delta.to_string()));
        bed.it.leaves_alone(at(3_101));
        while bed.it.poll_output().is_some() {}
        bed.done(3_200, "s", "completed");
        bed.sent.clear();
        bed.cancel(4_000, 100);
        assert_eq!(bed.truncated(), [("a", 100), ("b", 0)], "{way}");
        assert_eq!(bed.kinds().len(), 2, "{way}");
    }
}
