//! V1, V5: turns from their first word to what is remembered of them.

use super::*;

#[test]
fn v1_a_turn_is_heard_word_by_word_and_remembered_when_it_was_heard() {
    let mut world = World::new(true);
    world.say(TEXT);
    world.run(4_000);
    assert!(world.spoken().is_empty(), "it is still being played");
    world.run(9_000);
    assert_eq!(world.words(), all_words());
    assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }]);
    assert_eq!(world.opened, 1);
}

#[test]
fn v5_a_turn_that_is_stopped_claims_the_words_that_were_heard_and_no_other() {
    for stopped_at in (300..6_000).step_by(130) {
        let mut world = World::new(true);
        world.say(TEXT);
        world.run(stopped_at);
        let heard = words_in(&world.heard);
        // What the play-out holds is thrown away.
        world.ring.clear();
        let Some(spoken) = world.speaking.stop(at(world.now_ms), world.taken) else { continue };
        world.poll();
        world.run(world.now_ms + 2_000);
        assert_eq!(words_in(&world.heard).len(), heard.len(), "nothing is played after the stop");
        let claimed = spoken.text.split_whitespace().count();
        // A word that was cut off in its middle may be heard and is not claimed.
        assert!(
            claimed == heard.len() || claimed + 1 == heard.len(),
            "at {stopped_at}: {claimed} of {heard:?}"
        );
        assert!(!spoken.whole);
    }
}

#[test]
fn pitfall_07_the_turn_after_a_stop_has_nothing_of_the_one_before() {
    let mut world = World::new(true);
    world.say(TEXT);
    world.run(900);
    world.ring.clear();
    world.speaking.stop(at(900), world.taken);
    world.heard.clear();
    world.say("nine09 eleven11.");
    world.run(5_000);
    assert_eq!(world.words(), [9, 11]);
}

#[test]
fn pitfall_06_a_stop_after_all_audio_came_still_stops_the_play_out() {
    let mut world = World::new(true);
    world.pace = 10_000;
    world.say(TEXT);
    world.run(1_000);
    let mut part = [0; 1_000];
    assert_eq!(world.speaking.read(&mut part), 1_000, "seconds of it wait");
    world.speaking.stop(at(1_000), world.taken);
    assert_eq!(world.speaking.read(&mut part), 0);
}

#[test]
fn a_service_without_alignment_is_heard_whole_and_claims_nothing_early() {
    let mut world = World::new(true);
    world.aligned = false;
    world.say(TEXT);
    world.run(9_000);
    assert_eq!(world.words(), all_words());
    assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }]);
}

#[test]
fn v5_letters_without_times_at_the_end_are_remembered_once_all_of_it_was_heard() {
    let mut world = World::new(true);
    (world.pace, world.timed) = (2_000, 1);
    world.say(TEXT);
    world.run(9_000);
    assert_eq!((world.words(), world.moves()), (all_words(), Vec::new()));
    assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }]);
}

#[test]
fn v5_an_answer_of_minutes_from_a_quick_service_is_heard_whole_and_made_as_it_is_heard() {
    let answer = [TEXT; 30].join(" ");
    for has_cloud in [true, false] {
        let mut world = World::new(true);
        world.pace = 10_000;
        if !has_cloud {
            world.speaking.cloud = None;
        }
        world.say(&answer);
        let mut most = 0;
        while world.spoken().is_empty() && world.now_ms < 300_000 {
            world.run(world.now_ms + 1_000);
            most = most.max(world.speaking.mix.made() - world.taken);
        }
        assert_eq!(world.words(), all_words().repeat(30), "cloud: {has_cloud}");
        assert_eq!(world.spoken(), [&Spoken { text: answer.clone(), whole: true }]);
        assert!(most < 110 * u64::from(RATE), "{} s were made ahead", most / u64::from(RATE));
    }
}

#[test]
fn v5_an_answer_of_minutes_from_a_voice_that_tells_no_places_loses_no_letter() {
    let answer = [TEXT; 60].join(" ");
    for (pace, piece, char_ms) in
        [(10_000, 7, CHAR_MS), (10_000, 7, 2 * CHAR_MS), (300, 7, CHAR_MS), (105, 2, CHAR_MS)]
    {
        let mut world = World::new(true);
        (world.aligned, world.pace, world.piece, world.char_ms) = (false, pace, piece, char_ms);
        world.say(&answer);
        let mut most = 0;
        while world.spoken().is_empty() && world.now_ms < 900_000 {
            world.run(world.now_ms + 1_000);
            most = most.max(world.speaking.mix.made() - world.taken);
        }
        let case = format!("{pace} %, {char_ms} ms a letter");
        let lost = world.events.iter().filter(|event| matches!(event, SpeakingEvent::Surplus(_))).count();
        assert_eq!((lost, world.moves().len()), (0, 0), "{case}");
        assert!(most < 110 * u64::from(RATE), "{case}: {} s were made ahead", most / u64::from(RATE));
        if char_ms == CHAR_MS {
            splices::judge(&world, &answer, &case);
        } else {
            assert_eq!(world.words(), all_words().repeat(60), "{case}");
        }
    }
}

#[test]
fn what_a_flood_brings_beyond_two_minutes_is_dropped_and_told() {
    let mut world = World::new(false);
    world.speaking.begin_foreign(at(100));
    world.speaking.foreign_words(at(100), "one01");
    let told = |world: &World| {
        let length =
            |e: &SpeakingEvent| if let SpeakingEvent::Surplus(length) = e { Some(*length) } else { None };
        let all: Vec<Span> = world.events.iter().filter_map(length).collect();
        (all.len(), all.into_iter().fold(Span::ZERO, |all, one| all + one))
    };
    (0..1_300).for_each(|_| world.speaking.foreign_audio(at(100), &[1_000; 800], RATE));
    world.poll();
    assert_eq!(told(&world), (1, Span::from_millis(100)), "a flood of it is told in one piece");
    assert_eq!(world.speaking.mix.made(), 120 * u64::from(RATE));
    world.speaking.played(at(900), 0);
    world.poll();
    assert_eq!(told(&world).0, 1);
    world.speaking.played(at(1_100), 0);
    world.poll();
    assert_eq!(told(&world), (2, Span::from_millis(10_000)), "and all of it");
    world.speaking.foreign_audio(at(1_200), &[1_000; 800], RATE);
    world.speaking.shut(at(1_200));
    world.poll();
    assert_eq!(told(&world), (3, Span::from_millis(10_100)), "at the end of the call at the latest");
}

#[test]
fn sentences_that_the_model_writes_late_go_into_the_same_stream() {
    let mut world = World::new(true);
    world.speaking.begin(at(world.now_ms));
    world.add("one01 two02 three03.");
    world.run(4_000);
    assert!(world.moves().is_empty(), "a model that thinks is no fault of the service");
    world.add("four04 five05.");
    world.run(6_000);
    world.speaking.complete(at(world.now_ms));
    world.run(8_000);
    assert_eq!(world.words(), [1, 2, 3, 4, 5]);
    assert_eq!(world.spoken().len(), 1);
}

#[test]
fn ten_minutes_of_silence_leave_the_socket_the_same_and_hang_up_leaves_nothing() {
    let mut world = World::new(true);
    for minute in 0..10 {
        world.say("one01 two02.");
        world.run((minute + 1) * 60_000);
    }
    assert_eq!((world.opened, world.spoken().len()), (1, 10));
    world.speaking.shut(at(world.now_ms));
    world.poll();
    assert_eq!(world.speaking.poll_timeout(), None);
    assert_eq!(world.speaking.mix.made(), world.speaking.given());
}
