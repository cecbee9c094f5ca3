//! A turn of the service that begins, without a word of the caller, while the device says the rest of the one before.

use super::*;
use crate::wire::audio::{to_base64, to_mulaw};

const FIRST: &str = "one two three four five six seven eight nine ten eleven twelve";
/// What the device says of it: of twenty letters that the service has said the last is the first of a word.
const REST: &str = "six seven eight nine ten eleven twelve";
const SECOND: &str = "Here it is. All of them are free.";
const THIRD: &str = "Which one do you want?";

/// How the service parts its turns.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    TrueVoice,
    /// Each is a response.
    Responses,
    /// Each is an item of one response.
    Items,
}

const KINDS: [Kind; 3] = [Kind::TrueVoice, Kind::Responses, Kind::Items];

/// What it has written when it falls silent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Written {
    All,
    /// A part, and the rest before its next turn begins.
    Later,
}

/// An item whose words all came ends its response where it is stood in for: no other one follows in it.
fn cases() -> impl Iterator<Item = (Kind, Written)> {
    let all =
        KINDS.into_iter().flat_map(|kind| [Written::All, Written::Later].map(|written| (kind, written)));
    all.filter(|case| *case != (Kind::Items, Written::All))
}

struct Play {
    bed: Bed,
    kind: Kind,
    turn: u32,
    /// By the device.
    said: Vec<String>,
}

impl Play {
    fn new(kind: Kind) -> Self {
        let mut bed = match kind {
            Kind::TrueVoice => Bed::new(),
            _ => Bed::with(SessionSettings { all_in_one: Some(realtime().into()), ..settings() }),
        };
        bed.letter_ms = Some(50);
        if kind != Kind::TrueVoice {
            bed.tells(&json!({"type": "session.created"}));
            bed.tells(&json!({"type": "session.updated"}));
        }
        Self { bed, kind, turn: 0, said: Vec::new() }
    }

    fn response(&self) -> String {
        format!("r{}", if self.kind == Kind::Items { 1 } else { self.turn })
    }

    fn begins(&mut self) {
        self.turn += 1;
        if self.kind == Kind::Responses || (self.kind == Kind::Items && self.turn == 1) {
            let response = json!({"id": self.response()});
            self.bed.tells(&json!({"type": "response.created", "response": response}));
        }
    }

    fn item(&mut self, kind: &str, delta: &str) {
        let (kind, item) = (format!("response.output_{kind}"), format!("i{}", self.turn));
        let (response, delta) = (self.response(), delta.to_owned());
        self.bed.tells(&json!({"type": kind, "response_id": response, "item_id": item, "delta": delta}));
    }

    fn writes(&mut self, text: &str) {
        match self.kind {
            Kind::TrueVoice => self.bed.tells(&json!({"type": "llm_token", "text": text})),
            _ => self.item("audio_transcript.delta", text),
        }
    }

    fn has_written(&mut self) {
        match self.kind {
            Kind::TrueVoice => self.bed.tells(&json!({"type": "llm_done"})),
            _ => self.item("audio_transcript.done", ""),
        }
    }

    fn speaks(&mut self, ms: usize) {
        if self.kind == Kind::TrueVoice {
            return self.bed.speaks(ms);
        }
        let samples: Vec<i16> = (0..ms * 8).map(|i| if i % 20 < 10 { 6_000 } else { -6_000 }).collect();
        samples.chunks(1_600).for_each(|part| self.item("audio.delta", &to_base64(&to_mulaw(part))));
    }

    /// All of the turn came.
    fn is_over(&mut self) {
        if self.kind == Kind::Responses {
            let response = json!({"id": self.response(), "status": "completed"});
            self.bed.tells(&json!({"type": "response.done", "response": response}));
        }
    }

    fn pass(&mut self, ms: u64) {
        for _ in 0..ms / 20 {
            self.bed.pass(20);
            self.said.extend(self.bed.device_speaks());
        }
    }

    /// The service falls silent behind a second of its first turn, and the device is asked to say the rest.
    fn falls_silent(&mut self, written: Written) {
        let (begun, more) = FIRST.split_at(if written == Written::All { FIRST.len() } else { 33 });
        self.begins();
        self.writes(begun);
        if written == Written::All {
            self.has_written();
        }
        self.speaks(1_000);
        while self.bed.device.is_empty() {
            self.bed.pass(20);
            assert!(self.bed.ms < 1_500, "{:?}, {written:?}: nobody stands in", self.kind);
        }
        if written == Written::Later {
            self.writes(more);
            self.has_written();
        }
    }

    /// All of a turn comes: its words, and audio for four seconds.
    fn tells(&mut self, text: &str) {
        self.begins();
        self.writes(&text[..10]);
        self.speaks(1_000);
        self.writes(&text[10..]);
        self.has_written();
        self.speaks(3_000);
        self.is_over();
    }

    fn heard_ms(&self) -> usize {
        self.bed.heard.len() / 8
    }

    /// What was told to be heard of which item.
    fn truncated(&self) -> Vec<(String, u64)> {
        let sent = self.bed.sent.iter().map(|text| serde_json::from_str::<Value>(text).unwrap());
        sent.filter(|event| event["type"] == "conversation.item.truncate")
            .map(|event| {
                (event["item_id"].as_str().unwrap().to_owned(), event["audio_end_ms"].as_u64().unwrap())
            })
            .collect()
    }

    fn is_flushed(&self) -> bool {
        self.bed.events.iter().any(|event| matches!(event, SessionEvent::Flush { .. }))
    }
}

fn whole(text: &str) -> Spoken {
    Spoken { text: text.to_owned(), whole: true }
}

#[test]
fn v2_a_turn_that_begins_while_the_device_says_the_rest_of_the_one_before_is_said_behind_it() {
    // Before the device has said anything, and in the middle of the rest.
    for ((kind, written), later_ms) in cases().flat_map(|case| [0, 20, 300, 1_200].map(|ms| (case, ms))) {
        let case = format!("{kind:?}, {written:?}, {later_ms} ms later");
        let mut play = Play::new(kind);
        play.falls_silent(written);
        play.pass(later_ms);
        play.tells(SECOND);
        play.pass(9_000);
        assert_eq!(play.said.join(" "), format!("{REST} {SECOND}"), "{case}");
        assert_eq!(play.bed.turns(), [whole(&format!("{FIRST} {SECOND}"))], "{case}");
        assert_eq!(play.bed.history(), [format!("assistant: {FIRST} {SECOND}")], "{case}");
        assert!(!play.is_flushed() && !play.bed.session.is_speaking(), "{case}");
        // A second in the service's own voice, what the device said at 50 ms a letter, and a rest between two sentences.
        let spoken_ms = 1_000 + (REST.len() + SECOND.len()) * 50;
        assert!(
            (spoken_ms - 100..spoken_ms + 1_600).contains(&play.heard_ms()),
            "{case}: {}",
            play.heard_ms()
        );
        assert!(play.truncated().is_empty(), "{case}");
        // The next one is heard in the service's own voice.
        let before_ms = play.heard_ms();
        play.tells(THIRD);
        play.pass(6_000);
        assert_eq!(play.said.join(" "), format!("{REST} {SECOND}"), "{case}");
        assert_eq!(play.heard_ms().abs_diff(before_ms + 4_000) / 20, 0, "{case}");
        assert_eq!(play.bed.turns()[1..], [whole(THIRD)], "{case}");
    }
}

#[test]
fn v2_turns_go_on_behind_one_another_for_as_long_as_the_device_speaks() {
    for kind in KINDS {
        let mut play = Play::new(kind);
        play.falls_silent(Written::Later);
        for text in [SECOND, THIRD, "That is the last of them."] {
            play.pass(600);
            play.tells(text);
        }
        play.pass(12_000);
        let all = format!("{SECOND} {THIRD} That is the last of them.");
        assert_eq!(play.said.join(" "), format!("{REST} {all}"), "{kind:?}");
        assert_eq!(play.bed.turns(), [whole(&format!("{FIRST} {all}"))], "{kind:?}");
    }
}

#[test]
fn v3_a_turn_that_begins_when_the_rest_of_the_one_before_is_heard_has_the_services_own_voice() {
    for (kind, written) in cases() {
        let mut play = Play::new(kind);
        play.falls_silent(written);
        play.pass(2_400);
        let before_ms = play.heard_ms();
        play.tells(SECOND);
        play.pass(6_000);
        assert_eq!(play.said.join(" "), REST, "{kind:?}, {written:?}");
        assert_eq!(play.heard_ms().abs_diff(before_ms + 4_000) / 20, 0, "{kind:?}, {written:?}");
        assert_eq!(play.bed.turns(), [whole(FIRST), whole(SECOND)], "{kind:?}, {written:?}");
        let history = [format!("assistant: {FIRST}"), format!("assistant: {SECOND}")];
        assert_eq!(play.bed.history(), history, "{kind:?}, {written:?}");
    }
}

#[test]
fn b1_v5_who_breaks_into_the_second_of_two_turns_that_the_device_says_has_heard_no_more_than_that() {
    for ((kind, written), is_over) in cases().flat_map(|case| [true, false].map(|is_over| (case, is_over))) {
        let case = format!("{kind:?}, {written:?}, {is_over}");
        let mut play = Play::new(kind);
        play.falls_silent(written);
        play.pass(300);
        play.begins();
        // Its first sound may come before its first word.
        play.speaks(200);
        play.writes("Here it is. All of");
        play.speaks(800);
        if is_over {
            play.writes(" them are free.");
            play.has_written();
            play.is_over();
        }
        play.pass(2_500);
        play.bed.sent.clear();
        let heard = play.bed.session.given();
        play.bed.input(Input::BargeIn(heard));
        let turn = play.bed.turns()[0].clone();
        assert!(
            turn.text.starts_with(FIRST) && turn.text[FIRST.len()..].starts_with(" Here"),
            "{case}: {turn:?}"
        );
        assert!(!turn.whole && turn.text.len() <= FIRST.len() + " Here it is. All".len(), "{case}: {turn:?}");
        match kind {
            Kind::TrueVoice => assert!(play.bed.sent.contains(&"{\"type\":\"cancel\"}".to_owned()), "{case}"),
            // Of its own voice no more was heard than before it fell silent.
            _ => assert_eq!(play.truncated(), [("i1".to_owned(), 1_000), ("i2".to_owned(), 0)], "{case}"),
        }
        // What still comes of it is not heard, in no voice.
        let before = play.bed.heard.len();
        if !is_over {
            play.writes(" them, too.");
        }
        if !is_over || kind == Kind::TrueVoice {
            play.speaks(1_000);
        }
        play.pass(1_000);
        assert_eq!(play.bed.heard.len(), before, "{case}");
    }
}

#[test]
fn b1_v5_who_breaks_into_the_rest_of_a_turn_has_heard_nothing_of_the_one_behind_it() {
    for (kind, written) in cases() {
        let case = format!("{kind:?}, {written:?}");
        let mut play = Play::new(kind);
        play.falls_silent(written);
        play.pass(300);
        play.tells(SECOND);
        play.pass(400);
        play.bed.sent.clear();
        let heard = play.bed.session.given();
        play.bed.input(Input::BargeIn(heard));
        let turn = play.bed.turns()[0].clone();
        assert!(!turn.whole && FIRST.starts_with(&turn.text) && turn.text.len() > 24, "{case}: {turn:?}");
        if kind != Kind::TrueVoice {
            assert_eq!(play.truncated(), [("i1".to_owned(), 1_000), ("i2".to_owned(), 0)], "{case}");
        }
    }
}

#[test]
fn v3_an_answer_to_the_caller_still_takes_the_word_from_the_device() {
    for kind in [Kind::TrueVoice, Kind::Responses] {
        let mut play = Play::new(kind);
        play.falls_silent(Written::All);
        play.pass(300);
        match kind {
            Kind::TrueVoice => play.bed.caller_says("Never mind."),
            _ => play.bed.tells(&json!({"type": "input_audio_buffer.committed", "item_id": "u"})),
        }
        play.tells(SECOND);
        assert!(play.is_flushed(), "{kind:?}");
        play.pass(6_000);
        assert_eq!(play.said, [REST], "{kind:?}");
        let turns = play.bed.turns();
        assert!(!turns[0].whole && turns[1..] == [whole(SECOND)], "{kind:?}: {turns:?}");
        if kind == Kind::Responses {
            assert_eq!(play.truncated(), [("i1".to_owned(), 1_000)]);
        }
    }
}

#[test]
fn v2_a_second_turn_that_breaks_off_is_said_as_far_as_it_came_and_the_caller_is_told() {
    for (kind, written) in cases() {
        let mut play = Play::new(kind);
        play.falls_silent(written);
        play.pass(300);
        play.begins();
        play.writes("Here it is. All of them");
        play.speaks(500);
        play.bed.net(FromNet::Closed(Closed::Lost(Lost::Broken)));
        play.pass(9_000);
        let said = format!("{REST} Here it is. All of them Sorry about that.");
        assert_eq!(play.said.join(" "), said, "{kind:?}, {written:?}");
        assert_eq!(
            play.bed.turns()[0],
            whole(&format!("{FIRST} Here it is. All of them")),
            "{kind:?}, {written:?}"
        );
    }
}

#[test]
fn v2_what_a_new_connection_begins_with_is_said_behind_what_the_old_one_left_unsaid() {
    let mut play = Play::new(Kind::TrueVoice);
    play.begins();
    play.writes(FIRST);
    play.has_written();
    play.speaks(1_000);
    play.bed.pass(600);
    play.bed.net(FromNet::Closed(Closed::Lost(Lost::Broken)));
    play.pass(600);
    play.bed.net(FromNet::Opened);
    play.tells(SECOND);
    play.pass(9_000);
    let said = play.said.join(" ");
    let rest = said.strip_suffix(SECOND).expect("it is said");
    assert!(FIRST.ends_with(rest.trim()) && rest.len() > 20, "{said}");
    assert_eq!(play.bed.turns(), [whole(&format!("{FIRST} {SECOND}"))]);
}

/// Nothing of TrueVoice tells of which turn they are: they are said in the order in which they come.
#[test]
fn v2_words_of_the_first_turn_that_come_when_the_second_has_begun_are_said_as_they_come() {
    let mut play = Play::new(Kind::Responses);
    play.falls_silent(Written::Later);
    play.pass(200);
    play.begins();
    play.writes("Here it is.");
    play.turn = 1;
    play.writes("And more.");
    play.speaks(400);
    play.turn = 2;
    play.writes("All of them are free.");
    play.has_written();
    play.is_over();
    play.pass(9_000);
    let all = "Here it is. And more. All of them are free.";
    assert_eq!(play.said.join(" "), format!("{REST} {all}"));
    assert_eq!(play.bed.turns(), [whole(&format!("{FIRST} {all}"))]);
    let mut play = Play::new(Kind::TrueVoice);
    play.falls_silent(Written::All);
    play.pass(200);
    play.writes("Here it is.");
    play.writes(" thirteen. All");
    play.writes(" of them.");
    play.has_written();
    play.pass(9_000);
    assert_eq!(play.said.join(" "), format!("{REST} Here it is. thirteen. All of them."));
}
