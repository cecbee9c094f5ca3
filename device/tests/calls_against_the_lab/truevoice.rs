//! V3: calls with the service that does all of it.

use crate::call::{Bed, TestCall, With, options, settings, truevoice};
use crate::faults::{all, judge_in_a_word, judge_silence};
use crate::letters::plain;
use crate::talk::ended;
use crate::timer::Timer;
use offhook_lab::Options;
use offhook_speech::session::{SessionEvent, SessionSettings};
use offhook_speech::speaking::Source;
use offhook_speech::truevoice::PoolSettings;

const REPLY: &str = "It is five and the sun is still high over the town";

fn bed(with: With) -> Bed {
    let utterances = vec!["What time is it?".to_owned(), "And now?".to_owned()];
    let replies = vec![REPLY.to_owned(), "Six.".to_owned()];
    Bed::new(Options { utterances, replies, ..options() }, with)
}

fn call(bed: &Bed) -> TestCall {
    let all_in_one = Some(truevoice(&bed.lab).into());
    bed.call(1, SessionSettings { all_in_one, ..settings(&bed.base(), "") })
}

#[test]
fn v3_a_call_with_truevoice_takes_a_warm_connection_and_keeps_it() {
    let bed = bed(With { pool: Some(PoolSettings::default()), ..With::default() });
    assert!(bed.wait(|lab| lab.seen().at("ws/conversation").count() >= 2));
    let call = call(&bed);
    for (turn, text) in [(1, REPLY), (2, "Six.")] {
        call.caller_speaks(800);
        assert!(call.run(&Timer::start(), 15_000, ended(turn)), "{:?}", call.events());
        assert_eq!(call.turns()[turn - 1].text, text);
    }
    assert_eq!(call.words(), plain(&format!("{REPLY} Six")));
    let seen = bed.lab.seen();
    assert_eq!(
        seen.at("ws/conversation").filter(|visit| visit.audio_in > 0).count(),
        1,
        "one for the whole call"
    );
    assert!(
        seen.at("ws/conversation").take(2).any(|visit| visit.audio_in > 0),
        "and it was there before the call"
    );
    bed.speech.hang_up(offhook_speech::service::Call(1)).unwrap();
    let closed = |lab: &offhook_lab::Lab| {
        lab.seen()
            .at("ws/conversation")
            .filter(|visit| visit.audio_in > 0)
            .all(|visit| visit.closed.is_some())
    };
    assert!(bed.wait(closed));
}

#[test]
fn v3_a_barge_in_stops_the_answer_and_the_next_one_is_heard_alone() {
    let bed = bed(With::default());
    bed.lab.set_fault("path=conversation,pace=1.5,late=3".parse().unwrap());
    let call = call(&bed);
    call.caller_speaks(600);
    let begins = |events: &[SessionEvent]| events.contains(&SessionEvent::TurnBegins);
    assert!(call.run(&Timer::start(), 10_000, begins), "{:?}", call.events());
    call.run(&Timer::start(), 1_200, |_| false);
    call.break_in();
    let before = call.words();
    assert!(plain(REPLY).starts_with(before.trim()) && before.len() > 4, "{before}");
    call.caller_speaks(600);
    assert!(call.run(&Timer::start(), 15_000, ended(2)), "{:?}", call.events());
    let turns = call.turns();
    assert!(!turns[0].whole && REPLY.starts_with(&turns[0].text) && turns[0].text.len() < 30, "{turns:?}");
    assert_eq!(turns[1].text, "Six.");
    let heard = call.words();
    assert!(heard.ends_with(" six") && heard.len() <= before.len() + " six".len() + 1, "{before}: {heard}");
    assert!(
        bed.lab.seen().at("conversation").any(|visit| visit.messages.iter().any(|kind| kind == "cancel"))
    );
}

#[test]
fn v2_v3_the_device_says_what_a_broken_connection_left_unsaid_and_the_service_comes_back() {
    let bed = bed(With { device: true, ..With::default() });
    bed.lab.set_fault("path=conversation,pace=1.5,kill,after=1500,times=1".parse().unwrap());
    let call = call(&bed);
    call.caller_speaks(600);
    assert!(call.run(&Timer::start(), 20_000, ended(1)), "{:?}", call.events());
    let turn = &call.turns()[0];
    assert!(turn.whole && turn.text == REPLY, "{turn:?}");
    assert_eq!(call.moves(), [(Source::AllInOne, Source::Device)]);
    assert_eq!(call.words(), plain(REPLY));
    call.caller_speaks(600);
    assert!(call.run(&Timer::start(), 20_000, ended(2)), "{:?}", call.events());
    assert_eq!(call.turns()[1].text, "Six.");
    assert_eq!(bed.lab.seen().at("conversation").count(), 2);
}

/// Anywhere, be it in a word: the connection breaks, or nothing more comes over it, or nothing for too long.
#[test]
fn v2_v3_an_answer_that_breaks_off_anywhere_is_heard_once() {
    let breaks = (400..2_750).step_by(70).zip(["half_open", "kill", "pause_ms=2500"].into_iter().cycle());
    let rows: Vec<String> = breaks
        .map(|(after, how)| format!("path=conversation,pace=1.5,{how},after={after},times=1"))
        .collect();
    all(&rows, |faults| {
        let bed = bed(With { device: true, ..With::default() });
        bed.fail(faults);
        let call = call(&bed);
        call.caller_speaks(600);
        call.run(&Timer::start(), 30_000, ended(1));
        // What still comes of it would be heard by now.
        call.run(&Timer::start(), 1_500, |_| false);
        let broken = (bed, call);
        judge_in_a_word(faults, &broken, 0, REPLY)?;
        judge_silence(faults, &broken.1)
    });
}
