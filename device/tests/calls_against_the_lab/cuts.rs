//! V2: a service goes away in the middle of a sentence, and the caller hears every word once.

use crate::call::{Bed, TestCall, With, options, settings};
use crate::letters::plain;
use crate::talk::ended;
use crate::timer::Timer;
use offhook_lab::Lab;
use offhook_speech::speaking::Source;

/// One sentence of eight seconds, so that a cut after two is in the middle of it.
const SENTENCE: &str = "Thank you for calling us on this rainy day in the early spring of the year which was so \
    long in coming that nobody waited for it";
/// Longest silence in the middle of a sentence, in milliseconds.
pub(crate) const DEAD_AIR_MS: usize = 700;
/// A machine that is busy with others gets so many tries to keep the beat.
const TRIES: usize = 4;

/// Says the sentence, lets `cut` happen in the middle of it, and hears it all.
fn words_survive(pace: &str, cut: impl Fn(Lab) -> Option<Lab>) -> (TestCall, Option<Lab>) {
    let mut left = TRIES;
    loop {
        left -= 1;
        let bed = Bed::new(options(), With { device: true, ..With::default() });
        bed.lab.set_fault(format!("path=multi,pace={pace}").parse().unwrap());
        let call = bed.call(1, settings(&bed.base(), SENTENCE));
        call.run(&Timer::start(), 2_500, |_| false);
        let before = call.words();
        assert!(plain(SENTENCE).starts_with(before.trim()) && before.len() > 8, "it speaks: {before}");
        let lab = cut(bed.lab);
        assert!(call.run(&Timer::start(), 40_000, ended(1)), "{:?}", call.events());
        if call.longest_silence_ms() <= DEAD_AIR_MS || call.kept_the_beat() || left == 0 {
            return (call, lab);
        }
    }
}

/// What the caller heard and what history says.
fn judge(call: &TestCall) {
    let turn = &call.turns()[0];
    assert!(turn.whole, "{turn:?}");
    assert_eq!(turn.text, SENTENCE);
    // Every letter has its length: none is missing, none was heard twice.
    assert_eq!(call.words_of_turn(), plain(SENTENCE));
    let silence = call.longest_silence_ms();
    assert!(silence <= DEAD_AIR_MS, "{silence} ms of dead air, {:?}", call.moves());
}

#[test]
fn v2_killing_the_whole_service_in_mid_sentence_leaves_no_hole_and_no_word_twice() {
    for pace in ["1.1", "2"] {
        let (call, _) = words_survive(pace, |lab| {
            lab.stop();
            None
        });
        judge(&call);
        assert!(call.moves().iter().any(|moved| moved.1 == Source::Device), "{:?}", call.moves());
    }
}

#[test]
fn v2_a_broken_socket_is_bridged_by_http() {
    let (call, lab) = words_survive("1.1", |lab| {
        lab.cut_connections();
        Some(lab)
    });
    judge(&call);
    assert_eq!(call.moves().first(), Some(&(Source::Socket, Source::Http)), "{:?}", call.moves());
    let lab = lab.expect("it still runs");
    assert!(lab.seen().at("/stream").any(|visit| !visit.text().is_empty()));
}

#[test]
fn v2_an_answer_over_http_that_breaks_too_is_taken_up_by_the_device_with_no_word_twice() {
    for (how, pace) in [("kill", "1.1"), ("half_open", "1.1"), ("kill", "2")] {
        let (call, lab) = words_survive("1.1", |lab| {
            lab.set_fault(format!("path=/stream/,{how},after=1500,pace={pace}").parse().unwrap());
            lab.cut_connections();
            Some(lab)
        });
        judge(&call);
        let moves = [(Source::Socket, Source::Http), (Source::Http, Source::Device)];
        assert!(call.moves().starts_with(&moves), "{how}: {:?}", call.moves());
        let seen = lab.expect("it still runs").seen();
        let broken = seen.at("/stream/").next().expect("it was asked");
        assert!(broken.audio_out > 8_000, "a second and more came of it");
    }
}
