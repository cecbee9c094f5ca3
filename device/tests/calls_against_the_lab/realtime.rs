//! V4: calls with OpenAI Realtime, the other service that does all of it.

use crate::call::{Bed, TestCall, With, options, settings};
use crate::faults::{all, judge, judge_in_a_word, judge_silence};
use crate::letters::{goes_on_in_a_word, plain};
use crate::talk::ended;
use crate::timer::Timer;
use offhook_lab::{Lab, Options, Visit};
use offhook_speech::failure::Fault;
use offhook_speech::realtime::RealtimeSettings;
use offhook_speech::service::Call;
use offhook_speech::session::{SessionEvent, SessionSettings};
use offhook_speech::wire::url::Url;

/// Long enough to tell the pace of the voice.
const GREETING: &str = "Good morning and what can I do for you";
const SORRY: &str = "Sorry, please say that again.";
const REPLY: &str = "It is five and the sun is still high over the town";

/// What a switch does to it: nothing that the caller could hear.
const SWITCHES: [&str; 9] = [
    "path=realtime,refuse=503,times=1",
    "path=realtime,close=1012,times=1",
    "path=realtime,kill,times=1",
    "path=realtime,error=session_expired,times=1",
    "path=realtime,cut=333",
    "path=realtime,noise,garbage",
    "path=realtime,pause_ms=400,after=500",
    "path=realtime,pace=0",
    "path=realtime,first_ms=500",
];

fn bed(with: With) -> Bed {
    let utterances = vec!["What time is it?".to_owned(), "And now?".to_owned()];
    let replies = vec![GREETING.to_owned(), REPLY.to_owned(), "Six.".to_owned()];
    Bed::new(Options { utterances, replies, ..options() }, with)
}

/// Realtime, as the lab speaks it.
fn realtime(base: &str) -> RealtimeSettings {
    RealtimeSettings {
        base: Url::parse(base).expect("an address").join("v1"),
        key: None,
        model: "lab".to_owned(),
        voice: None,
        ears_model: Some("lab".to_owned()),
        language: None,
        endpointing_ms: 300,
        task: "Be brief.".to_owned(),
        greeting: GREETING.to_owned(),
    }
}

fn call(bed: &Bed) -> TestCall {
    let all_in_one = Some(realtime(&bed.base()).into());
    bed.call(1, SessionSettings { all_in_one, ..settings(&bed.base(), "") })
}

/// A call that was greeted.
fn greeted(bed: &Bed) -> TestCall {
    let call = call(bed);
    assert!(call.run(&Timer::start(), 15_000, ended(1)), "{:?}", call.events());
    assert_eq!(call.words(), plain(GREETING));
    call
}

fn begun(count: usize) -> impl Fn(&[SessionEvent]) -> bool {
    move |events| events.iter().filter(|event| **event == SessionEvent::TurnBegins).count() >= count
}

fn faults(call: &TestCall) -> Vec<Fault> {
    let fault = |event: &SessionEvent| match event {
        SessionEvent::Fault(_, fault) => Some(*fault),
        _ => None,
    };
    call.events().iter().filter_map(fault).collect()
}

#[test]
fn v4_a_call_with_realtime_is_greeted_answered_and_remembered_on_one_connection() {
    let bed = bed(With::default());
    let call = greeted(&bed);
    for (turn, text) in [(2, REPLY), (3, "Six.")] {
        call.caller_speaks(800);
        assert!(call.run(&Timer::start(), 15_000, ended(turn)), "{:?}", call.events());
        let said = &call.turns()[turn - 1];
        assert!(said.text == text && said.whole, "{said:?}");
    }
    assert_eq!(call.words(), plain(&format!("{GREETING} {REPLY} Six")));
    let said =
        |event: &SessionEvent| matches!(event, SessionEvent::Utterance(text) if text.reveal() == "And now?");
    assert!(call.events().iter().any(said));
    assert!(faults(&call).is_empty(), "{:?}", faults(&call));
    assert_eq!(bed.lab.seen().at("realtime").count(), 1);
    bed.speech.hang_up(Call(1)).unwrap();
    assert!(bed.wait(|lab| lab.seen().open_at("realtime") == 0) && bed.wait(|_| call.is_left()));
}

#[test]
fn v4_a_wide_call_is_spoken_in_linear_audio() {
    let replies = vec!["Hello.".to_owned(), "Six.".to_owned()];
    let bed = Bed::new(Options { replies, ..options() }, With::default());
    let all_in_one = Some(realtime(&bed.base()).into());
    // The test's play-out keeps its own pace, and takes twice as long.
    let call = bed.call(1, SessionSettings { all_in_one, rate_hz: 16_000, ..settings(&bed.base(), "") });
    assert!(call.run(&Timer::start(), 15_000, ended(1)), "{:?}", call.events());
    call.caller_speaks(1_600);
    assert!(call.run(&Timer::start(), 15_000, ended(2)), "{:?}", call.events());
    let turns: Vec<String> = call.turns().into_iter().map(|turn| turn.text).collect();
    assert_eq!((turns, faults(&call)), (vec!["Hello.".to_owned(), "Six.".to_owned()], vec![]));
}

#[test]
fn b1_a_barge_in_truncates_to_what_was_heard_and_the_next_answer_is_heard_alone() {
    // While the answer still comes, and when all of it had come and only a part was heard.
    for (pace, is_cancelled) in [("1.1", true), ("0", false)] {
        let bed = bed(With::default());
        bed.lab.set_fault(format!("path=realtime,pace={pace},late=3").parse().unwrap());
        let call = greeted(&bed);
        call.caller_speaks(600);
        assert!(call.run(&Timer::start(), 10_000, begun(2)), "{:?}", call.events());
        call.run(&Timer::start(), 1_500, |_| false);
        call.break_in();
        let before = call.words();
        call.caller_speaks(600);
        assert!(call.run(&Timer::start(), 15_000, ended(3)), "{:?}", call.events());
        let turns = call.turns();
        assert!(!turns[1].whole && REPLY.starts_with(&turns[1].text), "{turns:?}");
        assert!((4..40).contains(&turns[1].text.len()), "a second and a half was heard: {turns:?}");
        assert_eq!(turns[2].text, "Six.");
        let heard = call.words();
        assert!(heard.ends_with(" six") && heard.len() <= before.len() + " six".len() + 1, "{heard}");
        let seen = bed.lab.seen();
        let was_sent =
            |kind: &str| seen.at("realtime").any(|visit| visit.messages.iter().any(|one| one == kind));
        assert!(was_sent("conversation.item.truncate"));
        assert_eq!(was_sent("response.cancel"), is_cancelled);
        // The lab refuses to cut off more than it spoke, and to cancel what is over.
        assert!(faults(&call).is_empty(), "{:?}", faults(&call));
    }
}

#[test]
fn v2_a_service_that_dies_in_mid_sentence_costs_no_word_that_came_and_comes_back_knowing_the_call() {
    let bed = bed(With { device: true, ..With::default() });
    bed.lab.set_fault("path=realtime,pace=1.5,kill,after=4000,times=1".parse().unwrap());
    let call = greeted(&bed);
    call.caller_speaks(600);
    // What is left of the answer nobody knows: the caller is told that there was more.
    assert!(call.run(&Timer::start(), 20_000, ended(3)), "{:?}", call.events());
    let turns = call.turns();
    assert!(REPLY.starts_with(turns[1].text.as_str()) && turns[1].text.len() > 10, "{turns:?}");
    assert_eq!(turns[2].text, SORRY);
    let heard = call.words();
    let answer = heard.strip_prefix(&plain(GREETING)).and_then(|rest| rest.strip_suffix(&plain(SORRY)));
    let answer = answer.unwrap_or_else(|| panic!("{heard}")).trim();
    assert!(goes_on_in_a_word(answer, &turns[1].text, &bed.device_said()), "{heard}");
    call.caller_speaks(600);
    assert!(call.run(&Timer::start(), 20_000, ended(4)), "{:?}", call.events());
    assert_eq!(call.turns()[3].text, "Six.");
    let seen = bed.lab.seen();
    let [first, second] = &seen.at("realtime").collect::<Vec<_>>()[..] else { panic!("two connections") };
    let count = |visit: &Visit, kind: &str| visit.messages.iter().filter(|one| *one == kind).count();
    assert_eq!((count(first, "response.create"), count(second, "response.create")), (1, 0), "one greeting");
    assert!(count(second, "conversation.item.create") >= 2, "{:?}", second.messages);
}

#[test]
fn v2_a_service_that_is_not_there_is_stood_in_for_and_the_call_goes_on_when_it_is() {
    let bed = bed(With { device: true, ..With::default() });
    bed.lab.set_fault("path=realtime,refuse=503,times=2".parse().unwrap());
    let call = greeted(&bed);
    let spoken = |lab: &Lab| lab.seen().at("realtime").map(|visit| visit.audio_out).sum::<u64>();
    assert_eq!(spoken(&bed.lab), 0, "the device greets");
    let is_back = |visit: &Visit| visit.messages.iter().any(|kind| kind == "session.update");
    assert!(bed.wait(|lab| lab.seen().at("realtime").any(is_back)), "{:?}", bed.lab.seen());
    call.caller_speaks(600);
    assert!(call.run(&Timer::start(), 15_000, ended(2)), "{:?}", call.events());
    // The lab's first answer, to what the caller asked: nobody asked it to greet.
    assert_eq!(call.turns()[1].text, GREETING);
    let greets = |visit: &Visit| visit.messages.iter().any(|kind| kind == "response.create");
    assert!(!bed.lab.seen().at("realtime").any(greets));
}

/// Longer than the caller is left alone in mid-sentence, and not for so long that it is given up; its last word is written
/// only behind the pause.
#[test]
fn v2_an_answer_that_pauses_anywhere_is_heard_once_whoever_says_its_end() {
    let rows: Vec<String> = (400..2_600)
        .step_by(110)
        .map(|after| format!("path=realtime,pace=1.5,pause_ms=2000,after={after},times=1"))
        .collect();
    all(&rows, |faults| {
        let lab = Options { replies: vec![REPLY.to_owned()], ..options() };
        let bed = Bed::new(lab, With { device: true, ..With::default() });
        bed.fail(faults);
        let silent = RealtimeSettings { greeting: String::new(), ..realtime(&bed.base()) };
        let call =
            bed.call(1, SessionSettings { all_in_one: Some(silent.into()), ..settings(&bed.base(), "") });
        call.caller_speaks(900);
        call.run(&Timer::start(), 30_000, ended(1));
        call.run(&Timer::start(), 2_500, |_| false);
        let paused = (bed, call);
        judge_in_a_word(faults, &paused, 0, REPLY)?;
        judge_silence(faults, &paused.1)
    });
}

#[test]
fn v4_no_switch_on_realtime_costs_the_answer() {
    const ANSWER: &str = "It is five and the sun is up.";
    all(&SWITCHES, |switches| {
        let lab = Options { replies: vec![ANSWER.to_owned()], ..options() };
        let bed = Bed::new(lab, With { device: true, ..With::default() });
        bed.lab.set_fault(switches.parse().unwrap());
        let silent = RealtimeSettings { greeting: String::new(), ..realtime(&bed.base()) };
        let all_in_one = Some(silent.into());
        let call = bed.call(1, SessionSettings { all_in_one, ..settings(&bed.base(), "") });
        call.caller_speaks(900);
        call.run(&Timer::start(), 30_000, ended(1));
        judge(switches, &call, 0, ANSWER)
    });
}
