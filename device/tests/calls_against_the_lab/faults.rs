//! Every switch of the lab, one at a time: what the caller hears of it and what history says.

use crate::call::{Bed, TestCall, With, options, settings, truevoice};
use crate::letters::plain;
use crate::talk::ended;
use crate::timer::Timer;
use offhook_lab::{Options, SWITCHES};
use offhook_speech::session::SessionSettings;
use std::collections::BTreeSet;

/// What the voice says: four seconds.
const TEXT: &str = "Thank you for calling us on this rainy day in the early spring of the year";
const ASKED: &str = "What time is it?";
const ANSWER: &str = "It is five and the sun is up.";
const SORRY: &str = "Sorry, please say that again.";

/// What a switch does to the voice: nothing that the caller could hear. Every word, once.
const VOICE: [&str; 26] = [
    "refuse=500",
    "refuse=429,retry_after_s=1,times=1",
    "path=multi,refuse=401",
    "path=multi,stall=http",
    "path=multi,close=1008",
    "path=multi,close=1012,after=600,reason=restart",
    "path=multi,kill",
    "path=multi,kill,after=700,pace=1.5",
    "path=multi,half_open,after=700,pace=1.5",
    "path=multi,half_open",
    "path=multi,error=quota_exceeded",
    "path=multi,error=input_timeout_exceeded,after=900",
    "path=multi,pause_ms=300,after=900",
    "path=multi,pause_ms=3000,after=600,pace=1.5",
    "path=multi,mute",
    "path=multi,mute,after=700,pace=1.5",
    "path=multi,pace=0",
    "path=multi,pace=0.7",
    "path=multi,first_ms=900",
    "path=multi,late=4",
    "path=multi,contexts=0",
    "path=multi,no_final",
    "path=multi,idle_ms=400",
    "path=multi,cut=333",
    "path=multi,keys=snake,noise,garbage",
    "path=multi,keys=plural,split=7",
];

/// What a switch does to recognition: the question is heard and answered.
const EARS: [&str; 7] = [
    "path=listen,kill,after=300,times=1",
    "path=listen,close=1011,after=300,times=1",
    "path=listen,error=NET-0001,after=300,times=1",
    "path=listen,refuse=503,times=1",
    "path=listen,idle_ms=200,times=1",
    "path=listen,noise,garbage",
    "path=listen,keys=both",
];

/// What a switch does to the language model: its answer, or the apology.
const MIND: [(&str, &str); 9] = [
    ("path=chat,refuse=429,retry_after_s=1", SORRY),
    ("path=chat,error=server_error", SORRY),
    ("path=chat,kill", SORRY),
    ("path=chat,stall=http", SORRY),
    ("path=chat,mute,no_done", SORRY),
    ("path=chat,no_done", ANSWER),
    ("path=chat,reasoning,noise", ANSWER),
    ("path=chat,split=1", ANSWER),
    ("path=chat,token_ms=120,first_ms=400", ANSWER),
];

/// What a switch does to TrueVoice: its answer, by itself or by the device.
const ALL_IN_ONE: [&str; 8] = [
    "path=conversation,refuse=503,times=1",
    "path=conversation,close=1012,times=1",
    "path=conversation,cut=333",
    "path=conversation,noise,garbage",
    "path=conversation,mute",
    "path=conversation,pause_ms=400,after=500",
    "path=conversation,pace=0",
    "path=conversation,first_ms=500,token_ms=40",
];

/// Runs all of them at once: most of a call is waiting for its end.
fn all<T: Sync>(rows: &[T], check: impl Fn(&T) -> Result<(), String> + Sync) {
    let failed: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = rows.iter().map(|row| scope.spawn(|| check(row))).collect();
        running.into_iter().filter_map(|one| one.join().expect("it says what went wrong").err()).collect()
    });
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), rows.len(), failed.join("\n"));
}

/// The caller heard `text` once, and history says so.
fn judge(name: &str, call: &TestCall, turn: usize, text: &str) -> Result<(), String> {
    let turns = call.turns();
    let said = turns.get(turn).map(|spoken| spoken.text.as_str());
    let heard = call.words();
    // A service that pauses within a word is heard to do so.
    let letters = |text: &str| text.replace(' ', "");
    match said == Some(text) && letters(&heard) == letters(&plain(text)) {
        true => Ok(()),
        false => Err(format!("{name}: heard {heard:?}, history {turns:?}, moved {:?}", call.moves())),
    }
}

#[test]
fn v2_no_switch_on_the_voice_costs_a_word_or_says_one_twice() {
    all(&VOICE, |faults| {
        let bed = Bed::new(options(), With { device: true, ..With::default() });
        bed.lab.set_fault(faults.parse().unwrap());
        let call = bed.call(1, settings(&bed.base(), TEXT));
        call.run(&Timer::start(), 45_000, ended(1));
        judge(faults, &call, 0, TEXT)
    });
}

#[test]
fn v4_no_switch_on_recognition_costs_the_answer() {
    all(&EARS, |faults| {
        let lab =
            Options { utterances: vec![ASKED.to_owned()], replies: vec![ANSWER.to_owned()], ..options() };
        let bed = Bed::new(lab, With::default());
        bed.lab.set_fault(faults.parse().unwrap());
        let call = bed.call(1, settings(&bed.base(), ""));
        // A line that is lost while the caller speaks loses some of it, and the caller says it again.
        for _ in 0..3 {
            call.caller_speaks(900);
            if call.run(&Timer::start(), 9_000, ended(1)) {
                break;
            }
        }
        judge(faults, &call, 0, ANSWER)
    });
}

#[test]
fn v4_a_model_that_fails_is_apologised_for_and_one_that_is_odd_is_understood() {
    all(&MIND, |(faults, said)| {
        let lab =
            Options { utterances: vec![ASKED.to_owned()], replies: vec![ANSWER.to_owned()], ..options() };
        let bed = Bed::new(lab, With::default());
        bed.lab.set_fault(faults.parse().unwrap());
        let call = bed.call(1, settings(&bed.base(), ""));
        call.caller_speaks(900);
        call.run(&Timer::start(), 30_000, ended(1));
        judge(faults, &call, 0, said)
    });
}

#[test]
fn v3_no_switch_on_truevoice_costs_the_answer() {
    all(&ALL_IN_ONE, |faults| {
        let lab =
            Options { utterances: vec![ASKED.to_owned()], replies: vec![ANSWER.to_owned()], ..options() };
        let bed = Bed::new(lab, With { device: true, ..With::default() });
        bed.lab.set_fault(faults.parse().unwrap());
        let all_in_one = Some(truevoice(&bed.lab));
        let call = bed.call(1, SessionSettings { all_in_one, ..settings(&bed.base(), "") });
        call.caller_speaks(900);
        call.run(&Timer::start(), 30_000, ended(1));
        judge(faults, &call, 0, ANSWER)
    });
}

#[test]
fn every_switch_of_the_lab_is_tried() {
    let rows = VOICE.iter().chain(&EARS).chain(MIND.iter().map(|(faults, _)| faults)).chain(&ALL_IN_ONE);
    let tried: BTreeSet<&str> =
        rows.flat_map(|row| row.split(',')).map(|pair| pair.split('=').next().unwrap_or_default()).collect();
    let known: BTreeSet<&str> =
        SWITCHES.iter().map(|(usage, _)| usage.split('=').next().unwrap_or_default()).collect();
    let missing: Vec<&&str> = known.difference(&tried).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
