//! The session against services that are played by hand: what it asks of each, and what each sees of the others.

use super::*;
use crate::stt::{DeepgramSettings, Dialect};
use crate::transport::{Closed, RequestKind};
use crate::tts::ElevenSettings;
use crate::wire::audio::AudioFormat;
use crate::wire::url::Url;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

fn at(ms: u64) -> Moment {
    Moment::from_millis(ms)
}

fn settings() -> SessionSettings {
    let base = Url::parse("http://127.0.0.1:1").unwrap();
    let key = Pii::new("k".to_owned());
    SessionSettings {
        rate_hz: 8_000,
        conversation: ConversationSettings {
            system: String::new(),
            greeting: "Hello there.".to_owned(),
            sorry: "Sorry about that.".to_owned(),
        },
        voice: Some(VoiceSettings::ElevenMulti(ElevenSettings {
            base: base.clone(),
            key: Pii::new("k".to_owned()),
            voice_id: "v".to_owned(),
            model_id: "m".to_owned(),
            language: None,
            format: AudioFormat::Mulaw8k,
        })),
        has_device_voice: false,
        device_says_parts: false,
        plan: PlanSettings::default(),
        chunks: ChunkSettings::default(),
        ears: Some(EarsSettings::Deepgram(DeepgramSettings {
            base: base.clone(),
            key: Pii::new(key.reveal().clone()),
            dialect: Dialect::V1,
            model: "nova-3".to_owned(),
            language: None,
            endpointing_ms: 300,
            rate_hz: 8_000,
        })),
        mind: Some(ChatSettings { base, key: Some(key), model: "m".to_owned(), first_word_ms: 5_000 }),
        all_in_one: None,
        seed: 1,
    }
}

struct Bed {
    session: Session,
    ms: u64,
    voice: Vec<Value>,
    asked: Vec<Value>,
    events: Vec<SessionEvent>,
    conns: Vec<ConnId>,
    closed: Vec<ConnId>,
}

impl Bed {
    fn new() -> Self {
        let session = Session::open(at(0), settings(), &Shared::default());
        let mut bed = Self {
            session,
            ms: 0,
            voice: Vec::new(),
            asked: Vec::new(),
            events: Vec::new(),
            conns: Vec::new(),
            closed: Vec::new(),
        };
        bed.poll();
        for part in [Part::Voice, Part::Ears] {
            bed.net(ConnId { part, number: 1 }, FromNet::Opened);
        }
        bed.session.answered(at(0));
        bed.poll();
        bed
    }

    fn poll(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Net(ToNet::Open(conn, request)) => {
                    self.conns.push(conn);
                    if let RequestKind::Post(body) = request.kind {
                        self.asked.push(serde_json::from_str(&body).unwrap());
                    }
                }
                Output::Net(ToNet::Text(conn, text)) if conn.part == Part::Voice => {
                    self.voice.push(serde_json::from_str(&text).unwrap());
                }
                Output::Net(ToNet::Close(conn)) => self.closed.push(conn),
                Output::Net(_) | Output::Device(_) => {}
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn input(&mut self, input: Input<'_>) {
        self.session.handle_input(at(self.ms), input);
        self.poll();
    }

    fn net(&mut self, conn: ConnId, message: FromNet) {
        self.input(Input::Net(conn, message));
    }

    /// The voice says 100 ms for each text that it was given since the last time.
    fn voice_speaks(&mut self) {
        for message in std::mem::take(&mut self.voice) {
            let id = message["context_id"].clone();
            if message["flush"] == true {
                let text: String = message["text"].as_str().unwrap().to_owned();
                let count = text.chars().count();
                let chars: Vec<String> = text.chars().map(|c| c.to_string()).collect();
                let starts: Vec<usize> = (0..count).map(|i| i * 60).collect();
                let alignment =
                    json!({"chars": chars, "charStartTimesMs": starts, "charDurationsMs": vec![60; count]});
                // A loud square wave.
                let audio: Vec<u8> = (0..count * 480).map(|i| if i % 16 < 8 { 0x80 } else { 0x00 }).collect();
                let frame = json!({"audio": STANDARD.encode(audio), "contextId": id, "alignment": alignment});
                self.net(ConnId { part: Part::Voice, number: 1 }, FromNet::Text(frame.to_string()));
            } else if message["close_context"] == true {
                let last = json!({"isFinal": true, "contextId": id});
                self.net(ConnId { part: Part::Voice, number: 1 }, FromNet::Text(last.to_string()));
            }
        }
    }

    /// The caller hears so much more.
    fn play(&mut self, frames: usize) -> usize {
        let mut part = vec![0; frames];
        let count = self.session.read_audio(&mut part);
        self.ms += frames as u64 / 8;
        self.input(Input::Played(self.session.given()));
        count
    }

    /// Time passes: the caller is silent, and everything that is due is done.
    fn pass(&mut self, ms: u64) {
        let until = self.ms + ms;
        while self.ms < until {
            self.ms += 20;
            if self.session.poll_timeout().is_some_and(|due| due <= at(self.ms)) {
                self.session.handle_timeout(at(self.ms));
                self.poll();
            }
            self.input(Input::CallerAudio(&[0; 160]));
            let mut part = [0; 160];
            if self.session.read_audio(&mut part) > 0 {
                self.input(Input::Played(self.session.given()));
            }
        }
    }

    fn caller_says(&mut self, text: &str) {
        let channel = json!({"alternatives": [{"transcript": text}]});
        let result = json!({"type": "Results", "is_final": true, "speech_final": true, "channel": channel});
        self.net(ConnId { part: Part::Ears, number: 1 }, FromNet::Text(result.to_string()));
    }

    fn model_writes(&mut self, text: &str) {
        let data = format!("data: {}\n\n", json!({"choices": [{"delta": {"content": text}}]}));
        self.net(self.mind(), FromNet::Binary(data.into_bytes()));
    }

    fn model_ends(&mut self) {
        self.net(self.mind(), FromNet::Binary(b"data: [DONE]\n\n".to_vec()));
    }

    fn mind(&self) -> ConnId {
        *self.conns.iter().rfind(|conn| conn.part == Part::Mind).expect("the model was asked")
    }

    fn roles(&self) -> Vec<String> {
        self.session.history().iter().map(|(role, text)| format!("{}: {text}", role.name())).collect()
    }
}

#[test]
fn v4_a_call_from_greeting_to_answer() {
    let mut bed = Bed::new();
    bed.voice_speaks();
    assert!(bed.play(80_000) > 4_000, "the greeting");
    assert!(!bed.session.is_speaking());
    bed.caller_says("What time is it?");
    assert_eq!(bed.asked[0]["messages"].as_array().map(Vec::len), Some(2));
    bed.model_writes("It is five o'clock. ");
    bed.model_writes("Goodbye");
    bed.voice_speaks();
    assert!(bed.play(8_000) > 0, "the first sentence is heard while the model writes");
    bed.model_ends();
    bed.voice_speaks();
    bed.play(80_000);
    assert_eq!(
        bed.roles(),
        ["assistant: Hello there.", "user: What time is it?", "assistant: It is five o'clock. Goodbye"]
    );
    let stages =
        [SessionEvent::Asked, SessionEvent::FirstToken, SessionEvent::TextSent, SessionEvent::FirstAudio];
    let places = stages.map(|stage| bed.events.iter().rposition(|event| *event == stage));
    assert!(places.is_sorted() && places[0].is_some(), "{places:?}");
    let turns = bed.events.iter().filter(|event| **event == SessionEvent::FirstAudio).count();
    assert_eq!(turns, 2, "the greeting's and the answer's, whatever they are made of");
}

/// Who waited for the first sentence would have the caller wait for TCP, TLS and the upgrade.
#[test]
fn pitfall_17_the_sockets_are_opened_before_there_is_anything_to_say_and_stay_for_all_sentences() {
    let mut session = Session::open(at(0), settings(), &Shared::default());
    let mut opened = Vec::new();
    while let Some(output) = session.poll_output() {
        opened.extend(match output {
            Output::Net(ToNet::Open(conn, _)) => Some(conn.part),
            _ => None,
        });
    }
    opened.sort_by_key(|part| *part as u8);
    assert_eq!(opened, [Part::Voice, Part::Ears], "and nobody has answered yet");
    let mut bed = Bed::new();
    for text in ["One. ", "Two is here. ", "Three is, too. "] {
        bed.voice_speaks();
        bed.play(80_000);
        bed.caller_says("And now?");
        bed.model_writes(text);
        bed.model_ends();
    }
    assert_eq!(bed.conns.iter().filter(|conn| conn.part == Part::Voice).count(), 1);
}

#[test]
fn b1_v5_a_barge_in_stops_model_and_voice_and_keeps_what_was_heard() {
    let mut bed = Bed::new();
    bed.voice_speaks();
    bed.play(80_000);
    bed.caller_says("Tell me a story.");
    bed.model_writes("Once upon a time there was a king. He had ");
    bed.voice_speaks();
    bed.play(8_400);
    let heard = bed.session.given();
    // What the play-out holds beside it was never heard.
    let mut held = [0; 4_000];
    bed.session.read_audio(&mut held);
    let mind = bed.mind();
    bed.input(Input::BargeIn(heard));
    assert!(bed.closed.contains(&mind), "the model is stopped");
    assert_eq!(bed.events.last(), Some(&SessionEvent::Flush { up_to: bed.session.given() }));
    assert_eq!(bed.play(8_000), 0, "and the voice");
    // 8400 samples: seventeen characters of 60 ms, and some.
    assert_eq!(bed.roles().last().unwrap(), "assistant: Once upon a time");
    bed.model_writes("a wife. ");
    bed.caller_says("Stop.");
    assert_eq!(bed.asked.len(), 2);
    assert_eq!(bed.roles().last().unwrap(), "user: Stop.");
}

#[test]
fn b1_a_cough_while_the_model_thinks_costs_no_answer() {
    let mut bed = Bed::new();
    bed.voice_speaks();
    bed.play(80_000);
    bed.caller_says("What time is it?");
    let given = bed.session.given();
    bed.input(Input::BargeIn(given));
    bed.model_writes("Five o'clock. Anything else? ");
    assert!(bed.session.is_speaking());
}

#[test]
fn words_of_the_caller_over_our_voice_take_the_turn_and_flush_the_play_out() {
    let mut bed = Bed::new();
    bed.voice_speaks();
    bed.play(2_000);
    bed.caller_says("mm-hmm");
    assert!(bed.session.is_speaking());
    bed.caller_says("I need a person please");
    assert!(bed.events.iter().any(|event| matches!(event, SessionEvent::Flush { .. })));
    assert_eq!(bed.asked.len(), 1);
}

#[test]
fn without_a_mind_the_caller_is_told_so() {
    let mut bed = Bed::new();
    bed.session.mind = None;
    bed.voice_speaks();
    bed.play(80_000);
    bed.caller_says("Hello?");
    let texts: Vec<&str> = bed.voice.iter().filter_map(|message| message["text"].as_str()).collect();
    assert!(texts.contains(&"Sorry about that. "), "{texts:?}");
}

#[test]
fn v1_hang_up_leaves_no_connection_and_no_timer() {
    let mut bed = Bed::new();
    bed.voice_speaks();
    bed.play(80_000);
    bed.caller_says("What time is it?");
    bed.model_writes("It is ");
    bed.input(Input::HangUp);
    bed.conns.sort_by_key(|conn| (conn.part as u8, conn.number));
    bed.closed.sort_by_key(|conn| (conn.part as u8, conn.number));
    assert_eq!(bed.conns, bed.closed);
    assert_eq!(bed.session.poll_timeout(), None);
    bed.model_writes("late");
    assert_eq!(bed.play(8_000), 0);
}

#[test]
fn b5_a_call_of_ten_minutes_keeps_its_sockets_and_hang_up_leaves_nothing() {
    let mut bed = Bed::new();
    bed.voice_speaks();
    for minute in 1..=10u64 {
        bed.pass(minute * 60_000 - bed.ms);
        bed.caller_says("And now?");
        bed.model_writes("Still here.");
        bed.model_ends();
        bed.voice_speaks();
        bed.pass(3_000);
    }
    let count = |bed: &Bed, part: Part| bed.conns.iter().filter(|conn| conn.part == part).count();
    assert_eq!([count(&bed, Part::Voice), count(&bed, Part::Ears), count(&bed, Part::Mind)], [1, 1, 10]);
    let heard = bed.events.iter().filter(|event| matches!(event, SessionEvent::TurnEnds(_))).count();
    assert_eq!((heard, bed.session.history().len()), (11, 21), "the greeting and ten answers");
    bed.input(Input::HangUp);
    bed.conns.retain(|conn| conn.part != Part::Mind);
    bed.closed.retain(|conn| conn.part != Part::Mind);
    bed.conns.sort_by_key(|conn| conn.part as u8);
    bed.closed.sort_by_key(|conn| conn.part as u8);
    assert_eq!(bed.conns, bed.closed);
    assert_eq!((bed.session.poll_timeout(), bed.session.read_audio(&mut [0; 8_000])), (None, 0));
}

#[test]
fn say_is_a_turn_of_its_own() {
    let mut bed = Bed::new();
    bed.voice_speaks();
    bed.play(4_000);
    bed.input(Input::Say("This call ends in one minute."));
    assert!(bed.events.iter().any(|event| matches!(event, SessionEvent::Flush { .. })));
    bed.voice_speaks();
    bed.play(80_000);
    assert_eq!(bed.roles().last().unwrap().split(": ").last(), Some("Hello This call ends in one minute."));
}

#[test]
fn a_thousand_sessions_leave_nothing_open() {
    let breakers = Shared::default();
    for n in 0..1_000 {
        let mut session = Session::open(at(n), settings(), &breakers);
        session.answered(at(n));
        let (mut opened, mut closed) = (0, 0);
        session.handle_input(at(n), Input::Net(ConnId { part: Part::Voice, number: 1 }, FromNet::Opened));
        let done = Closed::Done { code: 1000, reason: String::new() };
        if n % 3 == 0 {
            session.handle_input(
                at(n),
                Input::Net(ConnId { part: Part::Ears, number: 1 }, FromNet::Closed(done)),
            );
            closed += 1;
        }
        session.handle_input(at(n), Input::HangUp);
        while let Some(output) = session.poll_output() {
            match output {
                Output::Net(ToNet::Open(..)) => opened += 1,
                // A connection that closed by itself is closed once more, which is harmless.
                Output::Net(ToNet::Close(_)) => closed += 1,
                _ => {}
            }
        }
        assert!(closed >= opened && session.poll_timeout().is_none(), "{opened} opened, {closed} closed");
    }
}
