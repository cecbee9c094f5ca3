//! V2, V6: ways to speak that fail, one after the other or all of them.

use super::*;

#[test]
fn v2_no_part_of_a_word_is_said_twice_when_a_service_is_left_for_its_slowness() {
    let mut world = World::new(true);
    // Its second message ends within the second word, and its third would come a moment too late.
    (world.piece, world.pace) = (3, 70);
    world.say("a01 bcd02 efg03 hij04.");
    world.run(400);
    world.pace = 300;
    world.run(8_000);
    assert_eq!(world.moves(), [(Source::Socket, Source::Http)]);
    assert_eq!(world.words(), [1, 2, 3, 4]);
}

#[test]
fn v2_the_socket_dies_anywhere_and_every_word_is_heard_once_over_http() {
    for died_at in (160..2_400).step_by(70) {
        let mut world = World::new(true);
        world.say(TEXT);
        world.run(died_at);
        world.kill_socket(Way::Refuses);
        world.run(12_000);
        assert_eq!(world.words(), all_words(), "died at {died_at}");
        assert!(
            longest_silence_ms(&world.heard) <= 700,
            "died at {died_at}: {}",
            longest_silence_ms(&world.heard)
        );
        assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }], "died at {died_at}");
    }
}

#[test]
fn v2_the_whole_cloud_dies_anywhere_and_the_device_goes_on_from_the_unspoken_word() {
    for died_at in (160..2_400).step_by(70) {
        let mut world = World::new(true);
        world.say(TEXT);
        world.run(died_at);
        world.lose_cloud();
        world.run(12_000);
        assert_eq!(world.words(), all_words(), "died at {died_at}");
        let silence = longest_silence_ms(&world.heard);
        assert!(silence <= 700, "died at {died_at}: {silence} ms of dead air");
        assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }], "died at {died_at}");
    }
}

#[test]
fn v2_the_socket_dies_and_then_its_replacement_dies_anywhere_and_every_word_is_heard_once() {
    for pace in [200, 130] {
        for (died_at, way) in (820..2_600).step_by(70).zip([Way::Refuses, Way::Silent].into_iter().cycle()) {
            let mut world = World::new(true);
            world.pace = pace;
            world.say(TEXT);
            world.run(700);
            world.kill_socket(Way::Refuses);
            world.run(died_at);
            world.kill_http(way);
            world.run(14_000);
            let case = format!("{pace} %, {way:?} at {died_at}, {:?}", world.moves());
            splices::judge(&world, TEXT, &case);
            let silence = longest_silence_ms(&world.heard);
            assert!(silence <= 700, "{case}: {silence} ms of dead air");
            let all = [(Source::Socket, Source::Http), (Source::Http, Source::Device)];
            assert!(world.moves().starts_with(&all), "{case}");
        }
    }
}

#[test]
fn v2_an_answer_over_http_that_tells_no_places_loses_no_word_when_it_dies_and_says_few_again() {
    for died_at in (3_900..6_000).step_by(150) {
        let mut world = World::new(true);
        world.aligned = false;
        world.pace = 110;
        world.kill_socket(Way::Refuses);
        // What is heard whole first tells how fast this voice speaks.
        world.say(TEXT);
        world.run(died_at);
        world.kill_http(Way::Refuses);
        world.run(16_000);
        let words = world.words();
        let again = words.len() - all_words().len();
        let mut each = words.clone();
        each.dedup();
        each.sort_unstable();
        each.dedup();
        assert_eq!(each, all_words(), "died at {died_at}: {words:?}");
        assert!(again <= 2, "died at {died_at}: {words:?}");
    }
}

#[test]
fn v2_an_answer_over_http_that_never_ends_is_ended_where_nothing_is_below_it_too() {
    let mut world = World::new(false);
    world.kill_socket(Way::Refuses);
    world.say("one01 two02 three03.");
    world.run(400);
    world.kill_http(Way::Silent);
    world.run(20_000);
    assert!(!world.speaking.is_speaking());
    let [Spoken { text, whole: false }] = world.spoken()[..] else { panic!("{:?}", world.events) };
    let heard: Vec<&str> = "one01 two02 three03.".split(' ').take(world.words().len()).collect();
    assert_eq!(*text, heard.join(" "));
}

#[test]
fn v2_a_service_that_goes_silent_with_its_socket_open_is_noticed_in_the_middle_of_a_sentence() {
    for (http, died_at) in [(Way::Works, 700), (Way::Works, 1_100), (Way::Silent, 700), (Way::Silent, 1_100)]
    {
        let mut world = World::new(true);
        world.pace = 130;
        world.say(TEXT);
        world.run(died_at);
        world.http = http;
        world.kill_socket(Way::Silent);
        world.run(14_000);
        assert_eq!(world.words(), all_words(), "{http:?} at {died_at}");
        let silence = longest_silence_ms(&world.heard);
        assert!(silence <= 700, "{http:?} at {died_at}: {silence} ms of dead air");
    }
}

#[test]
fn v2_a_voice_that_tells_no_places_and_goes_silent_is_noticed_while_it_owes_words() {
    for died_at in (400..1_200).step_by(100) {
        let mut world = World::new(true);
        (world.aligned, world.ear_ms) = (false, Some(30));
        world.say(TEXT);
        world.run(died_at);
        world.kill_socket(Way::Silent);
        world.run(14_000);
        let mut each = world.words();
        each.dedup();
        assert_eq!(each, all_words(), "died at {died_at}");
        let silence = longest_silence_ms(&world.heard);
        assert!(silence <= 700, "died at {died_at}: {silence} ms of dead air");
        assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }], "died at {died_at}");
    }
}

#[test]
fn pitfall_10_the_voice_returns_to_the_socket_at_the_start_of_a_sentence() {
    let mut world = World::new(true);
    world.say("one01 two02 three03 four04. five05 six06 seven07. eight08 nine09. ten10 eleven11. twelve12.");
    world.run(400);
    world.lose_cloud();
    world.run(500);
    world.socket = Way::Works;
    world.run(15_000);
    assert_eq!(world.words(), all_words());
    let moves = world.moves();
    assert_eq!(moves.first(), Some(&(Source::Socket, Source::Http)));
    assert_eq!(moves.last(), Some(&(Source::Device, Source::Socket)), "{moves:?}");
}

#[test]
fn pitfall_10_the_voice_returns_within_an_answer_though_the_device_could_have_said_all_of_it() {
    let mut world = World::new(true);
    (world.char_ms, world.piece) = (200, 2);
    world.say("one01 two02. three03 four04. five05 six06. seven07 eight08. nine09 ten10. eleven11 twelve12.");
    world.run(1_500);
    world.lose_cloud();
    world.run(2_000);
    world.socket = Way::Works;
    // The sentence that is heard, and one that was made already.
    world.run(9_000);
    assert_eq!(world.moves().last(), Some(&(Source::Device, Source::Socket)), "{:?}", world.moves());
    world.run(30_000);
    assert_eq!(world.words(), all_words());
    let silence = longest_silence_ms(&world.heard);
    assert!(silence <= 700, "{silence} ms of dead air");
}

#[test]
fn pitfall_12_a_sentence_of_which_nothing_came_is_said_whole_and_once() {
    let mut world = World::new(true);
    world.say("one01 two02 three03.");
    world.run(120);
    world.kill_socket(Way::Refuses);
    world.run(6_000);
    assert_eq!(world.words(), [1, 2, 3]);
    assert_eq!(world.http_texts, ["one01 two02 three03."]);
}

#[test]
fn v6_without_a_cloud_the_device_speaks() {
    let mut world = World::new(true);
    world.speaking.cloud = None;
    world.say(TEXT);
    world.run(12_000);
    assert_eq!(world.words(), all_words());
    assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }]);
}

#[test]
fn with_no_voice_at_all_the_turn_ends_and_says_what_was_not_spoken() {
    let mut world = World::new(false);
    world.speaking.cloud = None;
    world.say("one01 two02.");
    world.run(500);
    assert_eq!(world.events.first(), Some(&SpeakingEvent::Unspoken("one01 two02.".to_owned())));
    assert_eq!(world.spoken(), [&Spoken { text: String::new(), whole: false }]);
    assert!(!world.speaking.is_speaking());
}

#[test]
fn v2_a_mark_that_stands_alone_is_not_said_by_another_voice() {
    let text = "one01 two02 three03 ?!";
    let mut world = World::new(true);
    world.say(text);
    // The last word is here, and what follows it is not.
    world.run(600);
    assert_eq!(world.speaking.turn.as_ref().and_then(|turn| turn.stream.as_ref()).unwrap().chars, 18);
    world.kill_socket(Way::Refuses);
    world.run(5_000);
    // This voice has a tone for the mark that came.
    assert_eq!((world.words(), world.http_texts.len()), (vec![1, 2, 3, 0], 0));
    assert_eq!(world.spoken(), [&Spoken { text: text.to_owned(), whole: true }]);
}

#[test]
fn with_one_voice_left_that_hangs_the_turn_ends_all_the_same() {
    let mut world = World::new(false);
    world.http = Way::Silent;
    world.kill_socket(Way::Silent);
    world.say("one01 two02.");
    world.run(30_000);
    assert_eq!(world.events.iter().filter(|e| matches!(e, SpeakingEvent::Unspoken(_))).count(), 1);
    assert_eq!(world.spoken(), [&Spoken { text: String::new(), whole: false }]);
}

#[test]
fn v5_history_claims_nothing_of_a_phrase_that_the_last_voice_failed_at() {
    let text = "one01 two02. three03 four04. five05 six06.";
    for (fails, spoken, words) in [
        ("three03", "one01 two02. three03 five05 six06.", &[1, 2, 3, 5, 6][..]),
        ("two02.", text, &[1, 2, 3, 4, 5, 6]),
        ("six06", "one01 two02. three03 four04. five05", &[1, 2, 3, 4, 5]),
    ] {
        let mut world = World::new(true);
        (world.speaking.cloud, world.device_fails) = (None, Some(fails));
        world.say(text);
        world.run(9_000);
        assert_eq!(world.words(), words, "behind {fails}");
        let whole = spoken == text;
        assert_eq!(world.spoken(), [&Spoken { text: spoken.to_owned(), whole }], "behind {fails}");
    }
}
