use super::*;
use crate::transport::{Closed, Lost};
use serde_json::{Value, json};

fn at(ms: u64) -> Moment {
    Moment::from_millis(ms)
}

struct Bed {
    ears: Deepgram,
    texts: Vec<Value>,
    audio: Vec<u8>,
    frames: Vec<usize>,
    opened: Vec<(ConnId, String)>,
    utterances: Vec<String>,
    interims: Vec<String>,
    faults: usize,
    unheard: usize,
}

impl Bed {
    fn open() -> Self {
        Self::with(Dialect::V1, "nova-3")
    }

    fn with(dialect: Dialect, model: &str) -> Self {
        let settings = DeepgramSettings {
            base: Url::parse("http://127.0.0.1:1").unwrap(),
            key: Pii::new("k".to_owned()),
            dialect,
            model: model.to_owned(),
            language: None,
            endpointing_ms: 300,
            rate_hz: 8_000,
        };
        let mut bed = Self {
            ears: Deepgram::new(settings, Breaker::new(), 1),
            texts: Vec::new(),
            audio: Vec::new(),
            frames: Vec::new(),
            opened: Vec::new(),
            utterances: Vec::new(),
            interims: Vec::new(),
            faults: 0,
            unheard: 0,
        };
        bed.ears.open(at(0));
        bed.poll();
        bed.up(0);
        bed
    }

    fn conn(&self) -> ConnId {
        self.opened.last().expect("it connected").0
    }

    fn up(&mut self, ms: u64) {
        self.ears.handle_net(at(ms), self.conn(), FromNet::Opened);
        self.poll();
    }

    fn poll(&mut self) {
        while let Some(output) = self.ears.poll_output() {
            match output {
                SttOutput::Net(ToNet::Open(conn, request)) => {
                    self.opened.push((conn, request.url.to_string()))
                }
                SttOutput::Net(ToNet::Text(_, text)) => self.texts.push(serde_json::from_str(&text).unwrap()),
                SttOutput::Net(ToNet::Binary(_, bytes)) => {
                    self.frames.push(bytes.len());
                    self.audio.extend(bytes);
                }
                SttOutput::Net(ToNet::Close(_) | ToNet::Probe(_)) => {}
                SttOutput::Event(SttEvent::Interim(text)) => self.interims.push(text),
                SttOutput::Event(SttEvent::Utterance(text)) => self.utterances.push(text),
                SttOutput::Event(SttEvent::Fault(_)) => self.faults += 1,
                SttOutput::Event(SttEvent::Unheard) => self.unheard += 1,
            }
        }
    }

    fn hear(&mut self, ms: u64, samples: &[i16]) {
        self.ears.hear(at(ms), samples);
        self.poll();
    }

    fn message(&mut self, ms: u64, message: &Value) {
        self.ears.handle_net(at(ms), self.conn(), FromNet::Text(message.to_string()));
        self.poll();
    }

    fn words(&mut self, ms: u64, text: &str, is_final: bool, speech_final: bool) {
        let channel = json!({"alternatives": [{"transcript": text}]});
        let flags = (is_final, speech_final);
        self.message(
            ms,
            &json!({"type": "Results", "is_final": flags.0, "speech_final": flags.1, "channel": channel}),
        );
    }

    fn until(&mut self, ms: u64) {
        while let Some(due) = self.ears.poll_timeout().filter(|&due| due <= at(ms)) {
            self.ears.handle_timeout(due);
            self.poll();
        }
    }
}

#[test]
fn v4_interims_are_replaced_finals_are_appended_and_the_end_makes_an_utterance() {
    let mut bed = Bed::open();
    assert!(
        bed.opened[0]
            .1
            .starts_with("ws://127.0.0.1:1/v1/listen?model=nova-3&encoding=linear16&sample_rate=8000")
    );
    bed.words(0, "i", false, false);
    bed.words(100, "I need a", false, false);
    bed.words(200, "I need a room", true, false);
    bed.words(300, "", false, false);
    bed.words(400, "for two", false, false);
    bed.words(500, "for two nights.", true, true);
    assert_eq!(
        bed.interims,
        ["i", "I need a", "I need a room", "I need a room for two", "I need a room for two nights."]
    );
    assert_eq!(bed.utterances, ["I need a room for two nights."]);
    bed.message(1_500, &json!({"type": "UtteranceEnd", "last_word_end": 1.0}));
    assert_eq!(bed.utterances.len(), 1, "told once");
}

#[test]
fn pitfall_13_silence_of_ours_is_bridged_by_keep_alives() {
    let mut bed = Bed::open();
    bed.until(60_000);
    assert_eq!(bed.texts.len(), 15, "one each four seconds");
    assert!(bed.texts.iter().all(|text| *text == json!({"type": "KeepAlive"})));
    assert_eq!(bed.opened.len(), 1);
}

#[test]
fn pitfall_13_after_a_break_the_last_second_and_a_half_is_heard_again() {
    let mut bed = Bed::open();
    let audio: Vec<i16> = (0..24_000).map(|i| i as i16).collect();
    bed.hear(100, &audio);
    bed.words(200, "I need", false, false);
    bed.audio.clear();
    bed.ears.handle_net(at(300), bed.conn(), FromNet::Closed(Closed::Lost(Lost::Broken)));
    bed.poll();
    bed.hear(400, &[7; 800]);
    bed.until(600);
    assert_eq!((bed.opened.len(), bed.faults), (2, 1));
    bed.up(700);
    let replayed: Vec<i16> = audio[12_000..].iter().copied().chain([7; 800]).collect();
    let whole = replayed.len() - replayed.len() % 320;
    assert_eq!(bed.audio, to_bytes(&replayed[..whole]));
}

#[test]
fn pitfall_13_an_empty_binary_frame_which_would_end_the_stream_is_never_sent() {
    let mut bed = Bed::open();
    bed.hear(0, &[]);
    bed.hear(10, &[1; 100]);
    bed.hear(20, &[1; 300]);
    bed.hear(30, &[]);
    assert_eq!(bed.frames, [640], "pieces of 40 ms");
}

#[test]
fn pitfall_14_the_end_that_never_comes_is_made_by_our_own_clock() {
    let mut bed = Bed::open();
    bed.words(1_000, "four seven one", false, false);
    bed.until(2_999);
    assert!(bed.texts.is_empty());
    bed.until(3_000);
    assert_eq!(bed.texts, [json!({"type": "Finalize"})], "the service is asked first");
    bed.until(4_000);
    assert_eq!(bed.utterances, ["four seven one"], "and does not have to answer");
}

#[test]
fn pitfall_14_the_answer_to_the_question_for_the_end_is_the_end() {
    let mut bed = Bed::open();
    bed.words(1_000, "four seven", false, false);
    bed.until(3_000);
    let channel = json!({"alternatives": [{"transcript": "four seven one"}]});
    bed.message(
        3_100,
        &json!({"type": "Results", "is_final": true, "from_finalize": true, "channel": channel}),
    );
    assert_eq!(bed.utterances, ["four seven one"], "at once, with the words that came with it");
    bed.until(60_000);
    assert_eq!(bed.utterances.len(), 1);
}

#[test]
fn pitfall_14_the_longest_utterance_waits_for_its_last_words_and_tells_them_once() {
    let mut bed = Bed::open();
    bed.ears.caller_speaks(at(0), true);
    bed.words(1_000, "my number is", false, false);
    bed.until(31_100);
    assert_eq!((bed.texts.last(), bed.utterances.len()), (Some(&json!({"type": "Finalize"})), 0));
    let channel = json!({"alternatives": [{"transcript": "my number is five"}]});
    bed.message(
        31_200,
        &json!({"type": "Results", "is_final": true, "from_finalize": true, "channel": channel}),
    );
    bed.until(60_000);
    assert_eq!(bed.utterances, ["my number is five"]);
}

#[test]
fn pitfall_14_words_that_were_told_before_their_final_result_came_are_not_told_again() {
    let mut bed = Bed::open();
    let result = |text: &str, start: f64, is_final: bool| {
        let channel = json!({"alternatives": [{"transcript": text}]});
        json!({"type": "Results", "start": start, "duration": 1.0, "is_final": is_final, "channel": channel})
    };
    bed.message(1_000, &result("a room for", 0.5, false));
    bed.message(2_100, &json!({"type": "UtteranceEnd"}));
    bed.message(2_200, &result("A room for two.", 0.5, false));
    bed.message(3_300, &json!({"type": "UtteranceEnd"}));
    bed.message(3_400, &result("A room for two, please.", 0.5, true));
    bed.message(4_500, &json!({"type": "UtteranceEnd"}));
    bed.message(5_000, &result("Thanks.", 4.0, true));
    bed.message(6_000, &json!({"type": "UtteranceEnd"}));
    assert_eq!(bed.utterances, ["a room for", "two.", "please.", "Thanks."]);
}

#[test]
fn pitfall_13_after_a_break_only_what_no_final_result_covers_is_heard_again_and_all_of_it() {
    let mut bed = Bed::open();
    let result = |text: &str, is_final: bool| {
        let channel = json!({"alternatives": [{"transcript": text}]});
        json!({"type": "Results", "start": 0.0, "duration": 2.0, "is_final": is_final, "channel": channel})
    };
    let audio: Vec<i16> = (0..48_000).map(|i| i as i16).collect();
    bed.hear(100, &audio[..16_000]);
    bed.message(200, &result("I need a room", true));
    bed.hear(300, &audio[16_000..]);
    bed.message(400, &result("for two nights and a", false));
    bed.audio.clear();
    bed.ears.handle_net(at(500), bed.conn(), FromNet::Closed(Closed::Lost(Lost::Broken)));
    bed.until(1_000);
    bed.up(1_100);
    assert_eq!(
        bed.audio,
        to_bytes(&audio[16_000..]),
        "four seconds: neither what was final nor a part of the rest"
    );
    bed.words(1_200, "for two nights and a day", true, true);
    assert_eq!(bed.utterances, ["I need a room for two nights and a day"]);
}

#[test]
fn pitfall_13_what_the_caller_says_while_nobody_listens_is_heard_whole_by_the_next_connection() {
    let mut bed = Bed::open();
    bed.hear(1_000, &[1; 8_000]);
    bed.ears.handle_net(at(1_000), bed.conn(), FromNet::Closed(Closed::Lost(Lost::Broken)));
    bed.audio.clear();
    let sentence: Vec<i16> = (0..32_000).map(|i| i as i16).collect();
    bed.ears.caller_speaks(at(1_010), true);
    for (ms, part) in (1_020..).step_by(20).zip(sentence.chunks(160)) {
        bed.hear(ms, part);
    }
    bed.ears.caller_speaks(at(5_020), false);
    bed.hear(5_400, &[0; 3_200]);
    bed.until(6_000);
    bed.up(6_000);
    assert_eq!(
        bed.audio,
        to_bytes(&[&sentence[..], &[0; 3_200]].concat()),
        "four seconds, and the quiet behind"
    );
    bed.ears.handle_net(at(7_000), bed.conn(), FromNet::Closed(Closed::Lost(Lost::Broken)));
    bed.hear(20_000, &[0; 80_000]);
    bed.until(20_000);
    bed.audio.clear();
    bed.up(20_100);
    assert_eq!(bed.audio.len(), 2 * 11_840, "a second and a half where nobody spoke");
}

/// A result of the first two seconds of a connection's audio.
fn of_two_seconds(text: &str, is_final: bool) -> Value {
    let channel = json!({"alternatives": [{"transcript": text}]});
    json!({"type": "Results", "start": 0.0, "duration": 2.0, "is_final": is_final, "channel": channel})
}

#[test]
fn pitfall_13_words_that_our_own_clock_told_are_not_heard_again_after_a_break() {
    // Told while there is no connection, and told since a `Finalize` was not answered.
    for breaks_at in [2_100, 5_500] {
        let mut bed = Bed::open();
        let audio: Vec<i16> = (0..24_000).map(|i| i as i16).collect();
        bed.hear(1_900, &audio[..16_000]);
        bed.message(2_000, &of_two_seconds("two nights", false));
        bed.until(breaks_at - 1);
        bed.ears.handle_net(at(breaks_at), bed.conn(), FromNet::Closed(Closed::Lost(Lost::Broken)));
        bed.poll();
        bed.until(6_000);
        assert_eq!(bed.utterances, ["two nights"]);
        bed.ears.caller_speaks(at(6_100), true);
        bed.hear(6_100, &audio[16_000..]);
        bed.audio.clear();
        bed.up(6_200);
        assert_eq!(bed.audio, to_bytes(&audio[16_000..]), "only what was said since");
    }
}

#[test]
fn pitfall_13_words_without_a_time_are_not_heard_again_after_a_break_either() {
    for is_final in [false, true] {
        let mut bed = Bed::open();
        bed.hear(900, &[7; 8_000]);
        bed.words(1_000, "two nights", is_final, false);
        bed.until(4_500);
        assert_eq!(bed.utterances, ["two nights"]);
        bed.ears.handle_net(at(4_500), bed.conn(), FromNet::Closed(Closed::Lost(Lost::Broken)));
        bed.ears.caller_speaks(at(4_600), true);
        bed.until(5_000);
        bed.audio.clear();
        bed.up(5_100);
        assert!(bed.audio.is_empty());
    }
}

#[test]
fn pitfall_13_what_a_lost_connection_was_asked_does_not_cut_the_utterance_that_the_next_one_hears_again() {
    let mut bed = Bed::open();
    bed.hear(1_900, &[1; 16_000]);
    bed.message(2_000, &of_two_seconds("I need a room", true));
    bed.hear(3_000, &[2; 8_000]);
    bed.words(3_000, "for two", false, false);
    bed.until(5_100);
    assert_eq!(bed.texts, [json!({"type": "Finalize"})]);
    bed.ears.handle_net(at(5_200), bed.conn(), FromNet::Closed(Closed::Lost(Lost::Broken)));
    bed.until(5_700);
    bed.audio.clear();
    bed.up(5_900);
    assert_eq!(bed.audio, to_bytes(&[2; 8_000]));
    bed.until(6_500);
    assert!(bed.utterances.is_empty(), "{:?}", bed.utterances);
    bed.words(6_500, "for two nights", true, true);
    assert_eq!(bed.utterances, ["I need a room for two nights"]);
}

#[test]
fn pitfall_14_word_gaps_do_not_end_an_utterance_while_the_caller_is_heard() {
    let mut bed = Bed::open();
    bed.ears.caller_speaks(at(0), true);
    bed.words(1_000, "my number is", true, false);
    bed.message(2_100, &json!({"type": "UtteranceEnd"}));
    bed.until(20_000);
    assert!(bed.utterances.is_empty());
    bed.words(20_100, "five", true, false);
    bed.until(31_000);
    bed.until(33_000);
    assert_eq!(bed.utterances, ["my number is five"], "half a minute is the most");
}

#[test]
fn pitfall_14_noise_that_repeats_the_same_words_does_not_keep_the_utterance_open() {
    let mut bed = Bed::open();
    for ms in (1_000..6_000).step_by(200) {
        bed.until(ms);
        bed.words(ms, "seven", false, false);
    }
    assert_eq!(bed.utterances.first().map(String::as_str), Some("seven"));
}

#[test]
fn what_is_endless_is_cut() {
    let mut bed = Bed::open();
    for ms in [100, 200, 300] {
        bed.words(ms, &"ä".repeat(3 * TEXT_MAX), ms > 100, ms > 200);
    }
    assert!(bed.interims.iter().chain(&bed.utterances).all(|text| text.len() <= TEXT_MAX + 1));
    assert_eq!(bed.utterances.len(), 1);
}

#[test]
fn pitfall_18_it_is_ready_without_a_first_message() {
    let mut bed = Bed::open();
    bed.hear(10, &[1; 320]);
    assert_eq!(bed.audio.len(), 640, "audio goes out as soon as the upgrade is done");
}

#[test]
fn pitfall_11_a_refused_key_is_not_tried_again_at_once() {
    let mut bed = Bed::open();
    let refused = Closed::Refused { status: 401, retry_after_s: None, body: "INVALID_AUTH".to_owned() };
    bed.ears.handle_net(at(100), bed.conn(), FromNet::Closed(refused));
    bed.poll();
    bed.until(29_000);
    assert_eq!(bed.opened.len(), 1);
}

#[test]
fn hang_up_says_goodbye_and_leaves_nothing() {
    let mut bed = Bed::open();
    bed.words(0, "hello", false, false);
    bed.ears.shut();
    bed.poll();
    assert_eq!(bed.texts, [json!({"type": "CloseStream"})]);
    assert_eq!(bed.ears.poll_timeout(), None);
    bed.words(10, "late", true, true);
    assert!(bed.utterances.is_empty());
}

#[test]
fn flux_tells_turns_and_a_turn_is_an_utterance_told_once() {
    let mut bed = Bed::with(Dialect::Flux, "flux-general-en");
    let address = &bed.opened[0].1;
    assert_eq!(
        address,
        "ws://127.0.0.1:1/v2/listen?model=flux-general-en&encoding=linear16&sample_rate=8000"
    );
    bed.hear(10, &[1; 1_000]);
    assert_eq!(bed.frames, [1_280], "pieces of 80 ms");
    bed.message(0, &json!({"type": "Connected", "sequence_id": 0}));
    let turn = |event: &str, text: &str| json!({"type": "TurnInfo", "event": event, "turn_index": 0, "transcript": text});
    bed.message(100, &turn("StartOfTurn", "I"));
    bed.message(200, &turn("Update", "I need"));
    bed.message(300, &turn("EagerEndOfTurn", "I need a room"));
    bed.message(400, &turn("TurnResumed", "I need a room"));
    bed.message(900, &turn("EndOfTurn", "I need a room, please."));
    assert_eq!(bed.interims, ["I", "I need", "I need a room", "I need a room, please."]);
    assert_eq!(bed.utterances, ["I need a room, please."]);
}

#[test]
fn flux_is_kept_alive_by_silence_and_asked_to_end_a_turn_that_does_not() {
    let mut bed = Bed::with(Dialect::Flux, "flux-general-en");
    bed.until(8_500);
    assert_eq!((bed.frames.as_slice(), bed.texts.len()), (&[1_280, 1_280][..], 0));
    assert!(bed.audio.iter().all(|&byte| byte == 0));
    bed.message(9_000, &json!({"type": "TurnInfo", "event": "Update", "transcript": "four seven"}));
    bed.until(11_000);
    assert_eq!(bed.texts, [json!({"type": "ForceEndTurn"})]);
    bed.message(
        11_100,
        &json!({"type": "TurnInfo", "event": "EndOfTurn", "transcript": "four seven", "trigger": "manual"}),
    );
    assert_eq!(bed.utterances, ["four seven"]);
    bed.message(11_200, &json!({"type": "Error", "code": "NET-0000", "description": "x"}));
    assert_eq!(bed.faults, 1);
}

#[test]
fn v4_a_service_that_says_nothing_of_what_the_caller_said_is_asked_anew_and_hears_it_again() {
    for dialect in [Dialect::V1, Dialect::Flux] {
        let mut bed = Bed::with(dialect, "nova-3");
        let say = |bed: &mut Bed, from_ms: u64, to_ms: u64| {
            bed.ears.caller_speaks(at(from_ms), true);
            (from_ms..to_ms).step_by(80).for_each(|ms| bed.hear(ms, &[7; 640]));
            bed.ears.caller_speaks(at(to_ms), false);
        };
        // A cough is nothing to speak of.
        say(&mut bed, 0, 400);
        bed.until(9_000);
        assert_eq!((bed.opened.len(), bed.faults), (1, 0), "{dialect:?}");
        // What began to be spoken of is heard.
        bed.ears.caller_speaks(at(9_000), true);
        bed.ears.handle_net(at(9_100), bed.conn(), FromNet::Text(heard(dialect, "one").to_string()));
        bed.ears.caller_speaks(at(10_000), false);
        bed.until(19_000);
        assert_eq!((bed.opened.len(), bed.faults), (1, 0), "{dialect:?}");
        say(&mut bed, 20_000, 21_600);
        let before = bed.audio.len();
        bed.until(25_599);
        assert_eq!(bed.opened.len(), 1, "{dialect:?}");
        bed.until(27_000);
        assert_eq!((bed.opened.len(), bed.faults), (2, 1), "{dialect:?}");
        bed.up(27_000);
        let again = &bed.audio[before..];
        assert_eq!(again.iter().filter(|byte| **byte == 7).count(), 20 * 640, "all of it, {dialect:?}");
        // The next one is no better.
        bed.until(31_000);
        assert_eq!(bed.faults, 2, "{dialect:?}");
        bed.until(32_500);
        assert_eq!((bed.opened.len(), bed.faults), (3, 2), "{dialect:?}");
        bed.up(32_500);
        bed.until(60_000);
        assert_eq!((bed.opened.len(), bed.faults), (3, 2), "it may have been no words, {dialect:?}");
        assert_eq!(bed.unheard, 1, "{dialect:?}");
    }
}

fn heard(dialect: Dialect, text: &str) -> Value {
    match dialect {
        Dialect::V1 => json!({"type": "Results", "channel": {"alternatives": [{"transcript": text}]}}),
        Dialect::Flux => json!({"type": "TurnInfo", "event": "Update", "turn_index": 1, "transcript": text}),
    }
}

#[test]
fn v2_a_caller_whom_nobody_hears_is_told_so_once_and_not_where_somebody_yet_does() {
    let lost = || FromNet::Closed(Closed::Lost(Lost::Broken));
    let says = |bed: &mut Bed, from: u64, to: u64| {
        bed.ears.caller_speaks(at(from), true);
        bed.ears.caller_speaks(at(to), false);
        bed.poll();
    };
    let refuse = |bed: &mut Bed, until: u64| {
        while let Some(due) = bed.ears.poll_timeout().filter(|&due| due <= at(until)) {
            bed.ears.handle_timeout(due);
            bed.poll();
            bed.ears.handle_net(due, bed.conn(), lost());
            bed.poll();
        }
    };
    let mut bed = Bed::open();
    bed.ears.handle_net(at(0), bed.conn(), lost());
    bed.poll();
    says(&mut bed, 1_000, 2_000);
    refuse(&mut bed, 4_999);
    assert_eq!(bed.unheard, 0, "a new connection would hear it");
    refuse(&mut bed, 5_000);
    refuse(&mut bed, 20_000);
    assert_eq!(bed.unheard, 1);
    says(&mut bed, 20_000, 20_200);
    refuse(&mut bed, 30_000);
    assert_eq!(bed.unheard, 1, "a cough");
    says(&mut bed, 30_000, 31_000);
    bed.until(33_000);
    while bed.ears.line.held().is_none() {
        let due = bed.ears.poll_timeout().unwrap();
        bed.ears.handle_timeout(due);
        bed.poll();
        assert!(due < at(80_000));
    }
    let told = bed.unheard;
    bed.up(80_000);
    bed.until(81_000);
    assert_eq!(bed.unheard, told, "heard by the new connection");

    // A new connection alone is not yet an ear.
    for (hears, told) in [(true, 0), (false, 1)] {
        let mut bed = Bed::open();
        says(&mut bed, 0, 1_000);
        bed.ears.handle_net(at(1_100), bed.conn(), lost());
        bed.poll();
        bed.until(1_500);
        bed.up(1_500);
        if hears {
            bed.words(2_000, "yes", true, true);
        }
        bed.until(4_099);
        assert_eq!(bed.unheard, 0);
        bed.until(9_000);
        assert_eq!(bed.unheard, told, "hears: {hears}");
    }
}
