//! Voices that do not tell where their words are, in a world with an ear.

use super::splices::judge;
use super::*;

/// One such voice: by the socket or over HTTP.
fn placed_by_ear(ear_ms: u64, over_http: bool) -> World {
    let mut world = World::new(true);
    (world.aligned, world.ear_ms) = (false, Some(ear_ms));
    if over_http {
        world.kill_socket(Way::Refuses);
    } else {
        world.http = Way::Refuses;
    }
    world.say(TEXT);
    world
}

impl World {
    fn kill_voice(&mut self, over_http: bool) {
        if over_http { self.kill_http(Way::Refuses) } else { self.kill_socket(Way::Refuses) }
    }
}

#[test]
fn v2_a_voice_that_tells_no_places_says_each_word_once_when_the_ear_hears_which_came() {
    for over_http in [false, true] {
        for died_at in (700..2_500).step_by(70) {
            let mut world = placed_by_ear(30, over_http);
            world.run(died_at);
            world.kill_voice(over_http);
            world.run(12_000);
            assert_eq!(world.words(), all_words(), "over HTTP: {over_http}, died at {died_at}");
            assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }]);
            let silence = longest_silence_ms(&world.heard);
            assert!(silence <= 700, "over HTTP: {over_http}, died at {died_at}: {silence} ms");
        }
    }
}

#[test]
fn v2_an_ear_that_answers_too_late_is_not_waited_for_and_no_word_is_lost() {
    for ear_ms in [300, 4_000] {
        let mut world = placed_by_ear(ear_ms, false);
        world.run(1_500);
        world.kill_voice(false);
        world.run(14_000);
        let mut each = world.words();
        each.dedup();
        each.sort_unstable();
        each.dedup();
        assert_eq!(each, all_words(), "after {ear_ms} ms");
        assert!(longest_silence_ms(&world.heard) <= 700);
        assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }]);
    }
}

#[test]
fn v2_what_the_model_writes_while_the_ear_listens_is_said_once_behind_what_was_lost() {
    let (first, second) = TEXT.split_at(TEXT.find("seven").unwrap());
    let mut world = World::new(true);
    (world.aligned, world.ear_ms) = (false, Some(100));
    world.speaking.begin(at(world.now_ms));
    world.add(first);
    world.run(900);
    world.kill_socket(Way::Refuses);
    world.run(950);
    assert!(world.speaking.is_placing());
    world.add(second);
    world.speaking.complete(at(world.now_ms));
    world.poll();
    world.run(14_000);
    assert_eq!(world.words(), all_words());
    assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }]);
}

#[test]
fn b1_a_turn_that_is_stopped_while_the_ear_listens_is_over() {
    let mut world = placed_by_ear(100, false);
    world.run(1_500);
    world.kill_voice(false);
    world.run(1_550);
    let (now, taken) = (at(world.now_ms), world.taken);
    let spoken = world.speaking.stop(now, taken).expect("it speaks");
    assert!(!spoken.whole && TEXT.starts_with(&spoken.text), "{spoken:?}");
    world.poll();
    world.run(3_000);
    assert!(!world.speaking.is_speaking() && world.moves().is_empty());
}

#[test]
fn what_is_kept_of_a_voice_that_tells_no_places_has_an_end() {
    let mut world = placed_by_ear(30, false);
    let job = world.speaking.turn.as_ref().and_then(|turn| turn.stream.as_ref()).unwrap().job;
    for second in 0..100 {
        world.speaking.audio(at(200 + second), job, &[500; 8_000], RATE, &[]);
        let stream = world.speaking.turn.as_ref().and_then(|turn| turn.stream.as_ref()).unwrap();
        assert!(stream.sound.len() <= crate::ear::LONGEST_S * 8_000);
    }
    world.kill_voice(false);
    world.run(400);
    let asked = |output: &SpeakingOutput| matches!(output, SpeakingOutput::Device(ToDevice::Place(..)));
    assert!(!world.speaking.out.iter().any(asked), "what does not begin with the text is not listened to");
}

/// A voice that tells no places and sends at `pace` percent of real time; nothing but the device stands in for it.
fn at_pace(pace: u64, ear_ms: u64) -> World {
    let mut world = World::new(true);
    (world.aligned, world.ear_ms, world.pace) = (false, Some(ear_ms), pace);
    world.kill_socket(Way::Refuses);
    world.say(TEXT);
    world
}

#[test]
fn v2_a_voice_that_tells_no_places_and_falls_silent_is_played_to_a_words_end_and_says_each_word_once() {
    for (pace, died_at) in [110, 130, 150, 200, 300, 800]
        .into_iter()
        .flat_map(|pace| (300..2_500).step_by(35).map(move |at| (pace, at)))
    {
        let mut world = at_pace(pace, 30);
        world.run(died_at);
        world.kill_http(Way::Silent);
        world.run(14_000);
        // The first word of a turn is heard as it comes, and goes on where it broke off.
        judge(&world, TEXT, &format!("{pace} %, silent at {died_at} ms"));
        let silence = longest_silence_ms(&world.heard);
        assert!(silence <= 700, "{pace} %, silent at {died_at} ms: {silence} ms");
    }
}

#[test]
fn v2_a_voice_that_tells_no_places_and_comes_slowly_is_heard_by_whole_words() {
    for (pace, ear_ms) in [50, 70, 90, 100, 105, 110, 130, 150, 200, 400]
        .into_iter()
        .flat_map(|pace| [10, 60].map(|ms| (pace, ms)))
    {
        let mut world = at_pace(pace, ear_ms);
        world.run(25_000);
        judge(&world, TEXT, &format!("{pace} %, the ear takes {ear_ms} ms"));
        let silence = longest_silence_ms(&world.heard);
        assert!(silence <= 700, "{pace} %, the ear takes {ear_ms} ms: {silence} ms");
    }
}

/// A voice over HTTP that tells no places says `text` at `pace` percent, until it falls silent.
fn slowly(text: &str, pace: u64, until_ms: u64, most_silence_ms: u64) {
    let mut world = World::new(true);
    (world.aligned, world.ear_ms, world.pace) = (false, Some(30), pace);
    world.kill_socket(Way::Refuses);
    world.say(text);
    world.run(until_ms);
    world.kill_http(Way::Silent);
    world.run(35_000);
    let case = format!("{pace} %, silent at {until_ms} ms");
    judge(&world, text, &case);
    let silence = longest_silence_ms(&world.heard);
    assert!(silence <= most_silence_ms, "{case}: {silence} ms");
}

/// Seventeen seconds in one phrase, since no mark is in it.
pub(super) fn long_phrase() -> String {
    (1..=48).map(|word| format!("abc{word:02}")).collect::<Vec<_>>().join(" ") + "."
}

#[test]
fn v2_a_slow_voice_that_speaks_for_longer_than_the_ear_listens_goes_on_without_a_hole() {
    // A voice that falls behind its playing rests before its words until it is given up.
    for pace in [95, 100, 105, 110] {
        slowly(&long_phrase(), pace, 35_000, 400);
    }
}

#[test]
fn v2_a_voice_that_falls_silent_after_longer_than_the_ear_listens_says_each_word_once() {
    for (pace, until_ms) in [110, 130, 200, 400].into_iter().flat_map(|pace| {
        let whole_ms = 17_280 * 100 / pace;
        [50, 80, 95, 99].map(|percent| (pace, 300 + whole_ms * percent / 100))
    }) {
        slowly(&long_phrase(), pace, until_ms, 700);
    }
}

#[test]
fn v2_a_slow_voice_is_not_silent_for_too_long_before_a_long_word() {
    for pace in [95, 100, 105, 110, 130, 150, 200] {
        for until_ms in [700, 900, 1_100, 1_300, 1_500, 35_000] {
            slowly("ab01 abcdefghijklmno02 abc03 abcdefghijklm04 abc05.", pace, until_ms, 700);
        }
    }
}
