//! The session with an all-in-one service that is played by hand, in virtual time.

mod follows;
mod schedules;

use super::super::{Input, SessionSettings, Shared};
use super::*;
use crate::conversation::ConversationSettings;
use crate::ear::{Came, Reached};
use crate::realtime::RealtimeSettings;
use crate::speaking::{Broken, ChunkSettings, FromDevice, Source, Spoken, ToDevice};
use crate::text::PlanSettings;
use crate::transport::{Closed, FromNet, Lost, ToNet};
use crate::truevoice::TrueVoiceSettings;
use crate::tts::JobId;
use crate::wire::url::Url;
use serde_json::{Value, json};

fn at(ms: u64) -> Moment {
    Moment::from_millis(ms)
}

/// Another of them, which greets nobody.
fn realtime() -> RealtimeSettings {
    RealtimeSettings {
        base: Url::parse("http://127.0.0.1:1/v1").unwrap(),
        key: None,
        model: "m".to_owned(),
        voice: None,
        ears_model: None,
        language: None,
        endpointing_ms: 300,
        task: String::new(),
        greeting: String::new(),
    }
}

fn settings() -> SessionSettings {
    SessionSettings {
        rate_hz: 8_000,
        conversation: ConversationSettings {
            system: String::new(),
            greeting: "Not to be said.".to_owned(),
            sorry: "Sorry about that.".to_owned(),
        },
        voice: None,
        has_device_voice: true,
        device_says_parts: true,
        plan: PlanSettings::default(),
        chunks: ChunkSettings::default(),
        ears: None,
        mind: None,
        all_in_one: Some(
            TrueVoiceSettings { url: Url::parse("http://127.0.0.1:1").unwrap(), key: None }.into(),
        ),
        seed: 1,
    }
}

struct Bed {
    session: Session,
    ms: u64,
    conns: Vec<ConnId>,
    closed: Vec<ConnId>,
    sent: Vec<String>,
    audio_up: usize,
    device: Vec<(JobId, String)>,
    events: Vec<SessionEvent>,
    heard: Vec<i16>,
    probed: usize,
    /// The ear hears so many milliseconds a letter, if it hears anything.
    letter_ms: Option<usize>,
}

/// What an ear hears that is sure of itself.
fn heard(broken: &Broken, letter_ms: usize) -> Came {
    let came = broken.samples.len() * 1_000 / broken.rate_hz as usize / letter_ms;
    let mut chars = 0;
    let ends = broken.text.split_whitespace().map(|word| {
        chars += word.chars().count();
        chars
    });
    let reached = |chars: usize| Reached { chars: chars as u32, mille: 0, at_ms: (chars * letter_ms) as u32 };
    let words: Vec<Reached> = ends.take_while(|&end| end <= came).map(reached).collect();
    let whole = words.last().map_or(0, |word| word.chars as usize);
    let all = broken.text.chars().filter(|c| !c.is_whitespace()).count();
    let part = (whole + 1..=came.min(all)).map(reached).collect();
    Came { words, part, is_sure: true, ..Came::default() }
}

impl Bed {
    fn new() -> Self {
        Self::with(settings())
    }

    fn with(settings: SessionSettings) -> Self {
        let mut session = Session::open(at(0), settings, &Shared::default());
        session.answered(at(0));
        let mut bed = Self {
            session,
            ms: 0,
            conns: Vec::new(),
            closed: Vec::new(),
            sent: Vec::new(),
            audio_up: 0,
            device: Vec::new(),
            events: Vec::new(),
            heard: Vec::new(),
            probed: 0,
            letter_ms: None,
        };
        bed.poll();
        bed.net(FromNet::Opened);
        bed
    }

    fn poll(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Net(ToNet::Open(conn, _)) => self.conns.push(conn),
                Output::Net(ToNet::Close(conn)) => self.closed.push(conn),
                Output::Net(ToNet::Probe(_)) => self.probed += 1,
                Output::Net(ToNet::Text(_, text)) => self.sent.push(text),
                Output::Net(ToNet::Binary(_, bytes)) => self.audio_up += bytes.len(),
                Output::Device(ToDevice::Say(job, text)) => self.device.push((job, text)),
                Output::Device(ToDevice::Place(job, broken)) => {
                    let came = self.letter_ms.map(|letter_ms| heard(&broken, letter_ms));
                    self.input(Input::Device(job, FromDevice::Places(came)));
                }
                Output::Device(ToDevice::Stop(_)) => {}
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn input(&mut self, input: Input<'_>) {
        self.session.handle_input(at(self.ms), input);
        self.poll();
    }

    fn net(&mut self, what: FromNet) {
        let conn = *self.conns.last().expect("it connects");
        self.input(Input::Net(conn, what));
    }

    fn tells(&mut self, message: &Value) {
        self.net(FromNet::Text(message.to_string()));
    }

    fn caller_says(&mut self, text: &str) {
        self.tells(&json!({"type": "transcript", "text": text}));
    }

    /// The service answers: all words, and so much audio at 16 kHz.
    fn answers(&mut self, text: &str, audio_ms: usize) {
        self.tells(&json!({"type": "llm_token", "text": text}));
        self.tells(&json!({"type": "llm_done"}));
        self.speaks(audio_ms);
    }

    fn speaks(&mut self, audio_ms: usize) {
        // A loud square wave of 400 Hz, which ends with silence, as voices do.
        let level = |i: usize| if i + 30 * 16 < audio_ms * 16 { 6_000i16 } else { 0 };
        let samples: Vec<u8> = (0..audio_ms * 16)
            .flat_map(|i| (if i % 40 < 20 { level(i) } else { -level(i) }).to_le_bytes())
            .collect();
        samples.chunks(6_400).for_each(|part| self.net(FromNet::Binary(part.to_vec())));
    }

    /// Time passes: the caller is silent and hears what there is, 20 ms at a time.
    fn pass(&mut self, ms: u64) {
        let until = self.ms + ms;
        while self.ms < until {
            self.ms += 20;
            if self.session.poll_timeout().is_some_and(|due| due <= at(self.ms)) {
                self.session.handle_timeout(at(self.ms));
                self.poll();
            }
            let mut part = [0; 160];
            let count = self.session.read_audio(&mut part);
            self.heard.extend(&part[..count]);
            if count > 0 {
                self.input(Input::Played(self.session.given()));
            }
            self.input(Input::CallerAudio(&[0; 160]));
        }
    }

    /// The device says what it was asked, 50 ms a letter.
    fn device_speaks(&mut self) -> Vec<String> {
        let jobs = std::mem::take(&mut self.device);
        for (job, text) in &jobs {
            let samples: Vec<i16> =
                (0..text.len() * 400).map(|i| if i % 20 < 10 { 5_000 } else { -5_000 }).collect();
            self.input(Input::Device(*job, FromDevice::Audio { samples, rate_hz: 8_000, chars: Vec::new() }));
            self.input(Input::Device(*job, FromDevice::Finished));
        }
        jobs.into_iter().map(|(_, text)| text).collect()
    }

    fn history(&self) -> Vec<String> {
        self.session.history().iter().map(|(role, text)| format!("{}: {text}", role.name())).collect()
    }

    fn turns(&self) -> Vec<Spoken> {
        let turn = |event: &SessionEvent| match event {
            SessionEvent::TurnEnds(spoken) => Some(spoken.reveal().clone()),
            _ => None,
        };
        self.events.iter().filter_map(turn).collect()
    }
}

#[test]
fn v3_a_turn_is_heard_as_it_came_and_remembered_with_its_words() {
    let mut bed = Bed::new();
    bed.caller_says("What time is it?");
    bed.answers("It is five o'clock.", 1_500);
    bed.pass(3_000);
    assert_eq!(bed.history(), ["user: What time is it?", "assistant: It is five o'clock."]);
    assert!(bed.turns()[0].whole && bed.device.is_empty());
    assert!(bed.heard.len().abs_diff(12_000) < 20, "{} samples", bed.heard.len());
    // The caller's audio at 16 kHz, silence too; a few milliseconds wait in the resampler and for a whole piece.
    assert!(bed.audio_up.abs_diff(3_000 * 32) < 1_400, "{} bytes", bed.audio_up);
}

#[test]
fn v5_a_transcript_that_grows_is_remembered_once() {
    let mut bed = Bed::new();
    for text in ["What", "What time", "What time", "What time is it?", "Hello?"] {
        bed.caller_says(text);
    }
    assert_eq!(bed.history(), ["user: What time is it? Hello?"]);
    bed.answers("Five.", 400);
    bed.pass(1_500);
    bed.caller_says("What");
    assert_eq!(bed.history(), ["user: What time is it? Hello?", "assistant: Five.", "user: What"]);
}

#[test]
fn v5_a_barge_in_keeps_no_more_than_was_heard() {
    let story = "Once upon a time there was a king who had three sons and a garden";
    let letters = story.chars().filter(|c| !c.is_whitespace()).count();
    let mut bed = Bed::new();
    bed.caller_says("Tell me a story.");
    bed.tells(&json!({"type": "llm_token", "text": story}));
    bed.speaks(letters * 60);
    bed.pass(1_600);
    let heard = bed.session.given();
    bed.input(Input::BargeIn(heard));
    assert_eq!(bed.sent, ["{\"type\":\"cancel\"}"]);
    let said = bed.turns()[0].clone();
    assert!(!said.whole && story.starts_with(&said.text), "{said:?}");
    let claimed = said.text.chars().filter(|c| !c.is_whitespace()).count();
    assert!((8..=20).contains(&claimed), "of twenty letters that were heard, {claimed} are claimed");
    let before = bed.heard.len();
    bed.speaks(400);
    bed.pass(500);
    assert_eq!(bed.heard.len(), before, "what still came of it is not heard");
    bed.caller_says("Stop it.");
    bed.answers("As you wish.", 900);
    bed.pass(2_000);
    assert_eq!(bed.history().last().unwrap(), "assistant: As you wish.");
}

#[test]
fn v2_what_a_lost_connection_left_unsaid_is_said_by_the_device() {
    let text = "one two three four five six seven eight nine ten eleven twelve";
    let mut bed = Bed::new();
    bed.caller_says("Count.");
    bed.answers(text, 1_600);
    bed.pass(400);
    bed.net(FromNet::Closed(Closed::Lost(Lost::Broken)));
    let said = bed.device_speaks();
    let [rest] = &said[..] else { panic!("{said:?}") };
    assert!(text.ends_with(rest.as_str()) && rest.len() < text.len() - 8, "{rest}");
    bed.pass(8_000);
    assert_eq!(bed.turns(), [Spoken { text: text.to_owned(), whole: true }]);
    assert!(bed.events.contains(&SessionEvent::Moved { from: Source::AllInOne, to: Source::Device }));
    assert!(!bed.events.iter().any(|event| matches!(event, SessionEvent::Unspoken(_))));
}

#[test]
fn v2_a_service_that_falls_silent_in_mid_sentence_is_stood_in_for_and_not_heard_when_it_goes_on() {
    let text = "one two three four five six seven eight nine ten eleven twelve";
    for written in [true, false] {
        let mut bed = Bed::new();
        bed.letter_ms = Some(50);
        bed.caller_says("Count.");
        let (begun, more) = text.split_at(if written { text.len() } else { 33 });
        bed.tells(&json!({"type": "llm_token", "text": begun}));
        if written {
            bed.tells(&json!({"type": "llm_done"}));
        }
        bed.speaks(1_000);
        bed.pass(1_300);
        assert!(bed.device.is_empty(), "it may only rest");
        bed.pass(100);
        let mut said = bed.device_speaks();
        if !written {
            bed.tells(&json!({"type": "llm_token", "text": more}));
            bed.tells(&json!({"type": "llm_done"}));
        }
        bed.speaks(1_000);
        bed.pass(2_500);
        bed.speaks(1_000);
        said.extend(bed.device_speaks());
        bed.pass(6_000);
        let said = said.join(" ");
        assert!(text.ends_with(&said) && text.len() - said.len() == 24, "{said:?}");
        assert_eq!(bed.turns(), [Spoken { text: text.to_owned(), whole: true }]);
        assert!(bed.sent.is_empty(), "{:?}", bed.sent);
        assert_eq!(bed.history().len(), 2, "and nobody is sorry: {:?}", bed.history());
    }
}

#[test]
fn b1_a_service_that_is_stood_in_for_is_told_when_the_caller_breaks_in() {
    let mut bed = Bed::new();
    bed.letter_ms = Some(50);
    bed.answers("one two three four five six seven eight nine ten eleven twelve", 1_000);
    bed.pass(1_400);
    assert_eq!(bed.device_speaks().len(), 1);
    bed.pass(400);
    let heard = bed.session.given();
    bed.input(Input::BargeIn(heard));
    assert_eq!(bed.sent, ["{\"type\":\"cancel\"}"]);
}

#[test]
fn v2_a_service_that_says_no_more_is_done_when_all_was_heard_and_else_stood_in_for() {
    let text = "The answer is a little longer than what was heard of it.";
    for (letter_ms, is_all) in [(32, true), (60, false)] {
        let mut bed = Bed::new();
        bed.letter_ms = Some(letter_ms);
        bed.caller_says("Well?");
        bed.answers(text, 1_500);
        bed.pass(2_500);
        assert_eq!(bed.device_speaks().is_empty(), is_all);
        bed.pass(5_000);
        assert_eq!(bed.turns(), [Spoken { text: text.to_owned(), whole: true }]);
    }
}

/// What the ear has heard already counts more than the pace of the last turn.
#[test]
fn v2_v5_a_service_that_falls_silent_before_its_last_words_is_stood_in_for_whatever_its_pace() {
    let mut bed = Bed::new();
    bed.letter_ms = Some(60);
    bed.caller_says("Count.");
    bed.answers("one two three four five six seven eight nine", 2_000);
    bed.tells(&json!({"type": "audio_end"}));
    bed.pass(3_000);
    let text = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twentyone";
    bed.answers(text, 0);
    for _ in 0..(70 * 60 / 20) {
        bed.speaks(20);
        bed.pass(20);
    }
    bed.pass(4_000);
    assert_eq!(bed.device_speaks(), ["twentyone"]);
    bed.pass(3_000);
    assert_eq!(bed.turns()[1], Spoken { text: text.to_owned(), whole: true });
}

/// At the end of a sentence, and it does not tell that all is written.
#[test]
fn v2_v5_words_that_a_silent_service_still_owes_after_a_sentence_are_said_though_their_end_was_never_told() {
    let text = "One two three four five six seven eight. Nine ten.";
    let mut bed = Bed::new();
    bed.letter_ms = Some(70);
    bed.caller_says("Well?");
    bed.tells(&json!({"type": "llm_token", "text": text}));
    bed.speaks(34 * 70);
    bed.pass(7_000);
    assert_eq!(bed.device_speaks(), ["Nine ten."]);
    bed.pass(3_000);
    assert_eq!(bed.turns()[0], Spoken { text: text.to_owned(), whole: true });
}

#[test]
fn v2_words_without_a_voice_are_said_by_the_device() {
    let mut bed = Bed::new();
    bed.caller_says("Hello?");
    bed.answers("Good morning to you.", 0);
    bed.pass(2_600);
    assert_eq!(bed.device_speaks(), ["Good morning to you."]);
    bed.pass(2_000);
    assert_eq!(bed.history(), ["user: Hello?", "assistant: Good morning to you."]);
}

#[test]
fn v5_without_a_device_history_claims_only_what_came() {
    let mut bed = Bed::new();
    bed.session =
        Session::open(at(0), SessionSettings { has_device_voice: false, ..settings() }, &Shared::default());
    bed.session.answered(at(0));
    bed.conns.clear();
    bed.poll();
    bed.net(FromNet::Opened);
    bed.answers("one two three four five six seven eight nine ten eleven twelve", 800);
    bed.net(FromNet::Closed(Closed::Lost(Lost::Broken)));
    bed.pass(3_000);
    let turn = &bed.turns()[0];
    assert!(!turn.whole && turn.text.len() < 16, "{turn:?}");
}

#[test]
fn v3_a_connection_that_is_lost_between_turns_tells_the_caller_nothing() {
    let mut bed = Bed::new();
    bed.caller_says("Hi");
    bed.answers("Hello.", 400);
    bed.pass(1_500);
    bed.net(FromNet::Closed(Closed::Lost(Lost::Broken)));
    bed.pass(400);
    assert_eq!(bed.conns.len(), 2, "it connects again");
    bed.net(FromNet::Opened);
    bed.pass(2_000);
    assert!(bed.device.is_empty() && bed.turns().len() == 1);
}

#[test]
fn v2_a_caller_who_is_owed_an_answer_or_not_heard_at_all_is_told_so_once() {
    let mut bed = Bed::new();
    bed.caller_says("What time is it?");
    bed.net(FromNet::Closed(Closed::Lost(Lost::Broken)));
    assert_eq!(bed.device_speaks(), ["Sorry about that."]);
    bed.pass(1_200);
    bed.net(FromNet::Closed(Closed::Lost(Lost::Broken)));
    assert!(bed.device.is_empty(), "once");
    bed.pass(1_000);
    for speaks in [true, false] {
        bed.input(Input::CallerSpeaks(speaks));
    }
    assert_eq!(bed.device_speaks(), ["Sorry about that."], "nobody heard it");
}

#[test]
fn v3_a_caller_whose_words_are_lost_with_a_connection_that_was_dead_is_told_so() {
    for (says, dies_after_ms, told) in
        [(false, 1_500, true), (false, 4_900, true), (false, 5_100, false), (true, 1_500, false)]
    {
        let mut bed = Bed::new();
        bed.input(Input::CallerSpeaks(true));
        assert_eq!(bed.probed, 2, "it is found out whether somebody listens");
        bed.pass(1_000);
        if says {
            bed.tells(&json!({"type": "transcript", "text": "What", "final": false}));
        }
        bed.input(Input::CallerSpeaks(false));
        bed.pass(dies_after_ms);
        bed.net(FromNet::Closed(Closed::Lost(Lost::Silent)));
        let sorry = if told { &["Sorry about that."][..] } else { &[] };
        assert_eq!(bed.device_speaks(), sorry, "{says} {dies_after_ms}");
    }
}

#[test]
fn a_service_that_goes_on_by_itself_is_heard_to_its_end() {
    let mut bed = Bed::new();
    bed.answers("One moment.", 600);
    bed.tells(&json!({"type": "audio_end"}));
    // The caller still hears it when the service goes on.
    bed.pass(200);
    bed.answers("Here it is.", 600);
    bed.tells(&json!({"type": "audio_end"}));
    bed.pass(2_000);
    assert_eq!(bed.history(), ["assistant: One moment. Here it is."]);
    assert!(bed.heard.len().abs_diff(9_600) < 40, "{} samples", bed.heard.len());
    assert_eq!(bed.turns().len(), 1);
}

#[test]
fn a_service_that_returns_takes_the_word_from_the_device() {
    let mut bed = Bed::new();
    bed.caller_says("What time is it?");
    bed.net(FromNet::Closed(Closed::Lost(Lost::Broken)));
    bed.device_speaks();
    bed.pass(400);
    bed.net(FromNet::Opened);
    bed.answers("Hello, I am back.", 900);
    assert!(bed.events.iter().any(|event| matches!(event, SessionEvent::Flush { .. })));
    bed.pass(2_000);
    assert_eq!(bed.history().last().unwrap().split(' ').next_back(), Some("back."));
}

#[test]
fn b5_a_call_of_ten_minutes_keeps_its_socket_and_hang_up_leaves_nothing() {
    let mut bed = Bed::new();
    for minute in 1..=10u64 {
        bed.caller_says("And now?");
        bed.answers("Still here.", 700);
        bed.pass(minute * 60_000 - bed.ms);
    }
    assert_eq!((bed.conns.len(), bed.turns().len()), (1, 10));
    assert!(bed.heard.len().abs_diff(10 * 5_600) < 200);
    bed.input(Input::HangUp);
    assert_eq!(bed.closed, bed.conns);
    assert_eq!(bed.session.poll_timeout(), None);
    bed.speaks(400);
    assert_eq!(bed.session.read_audio(&mut [0; 800]), 0);
}
