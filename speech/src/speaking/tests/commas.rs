//! C3 in mid-sentence: the pauses at commas and before emphasised words, as the caller hears them.

use super::splices::judge;
use super::*;
use crate::text::{PauseRange, PauseTable};

/// Four parts: at two commas, and before an emphasised word. Its voice is silent for a character between any two words.
const PARTS: &str = "one01, two02 three03, four04 *five05* six06.";

/// The silences between the words of what was heard, in milliseconds.
fn silences_ms(audio: &[i16]) -> Vec<u64> {
    let loud: Vec<usize> = (0..audio.len()).filter(|&i| audio[i].unsigned_abs() > 500).collect();
    let ms = |pair: &[usize]| (pair[1] - pair[0]) as u64 * 1000 / u64::from(RATE);
    loud.windows(2).map(ms).filter(|ms| *ms >= 20).collect()
}

fn world(comma: (u32, u32), emphasis: (u32, u32)) -> World {
    let mut world = World::new(true);
    let range = |(low, high)| PauseRange::new(low, high).unwrap();
    world.speaking.plan.pauses =
        PauseTable { comma: range(comma), emphasis: range(emphasis), ..PauseTable::default() };
    world
}

/// Which silences lie at commas and which at the emphasis; the others are the voice's own.
fn assert_pauses(world: &World, comma: (u64, u64), emphasis: (u64, u64), whose: &str) {
    assert_eq!(world.words(), [1, 2, 3, 4, 5, 6], "{whose}");
    let silences = silences_ms(&world.heard);
    let own = (CHAR_MS - 5, CHAR_MS + 5);
    let expected = [comma, own, comma, emphasis, own];
    assert_eq!(silences.len(), expected.len(), "{whose}: {silences:?}");
    for (ms, (least, most)) in silences.iter().zip(expected) {
        // Fades, and what is too soft to count here.
        assert!((least.saturating_sub(3)..=most + 3).contains(ms), "{whose}: {silences:?}");
    }
    let marks = |kind| {
        let is_it = |e: &&SpeakingEvent| matches!(e, SpeakingEvent::Mark(mark) if mark.kind == MarkKind::Pause(Some(kind)));
        world.events.iter().filter(is_it).count()
    };
    assert_eq!((marks(PauseKind::Comma), marks(PauseKind::Emphasis)), (2, 1), "{whose}");
    let whole = Spoken { text: "one01, two02 three03, four04 five05 six06.".to_owned(), whole: true };
    assert_eq!(world.spoken(), [&whole], "{whose}");
}

/// The ways to speak that tell where their words are, or say them bit by bit.
fn each_way(each: impl Fn(&str, &mut World)) {
    for pace in [110, 300, 2_000] {
        each(&format!("the socket at {pace} %"), &mut {
            let mut world = world((100, 200), (150, 250));
            world.pace = pace;
            world
        });
    }
    let mut http = world((100, 200), (150, 250));
    http.kill_socket(Way::Refuses);
    http.run(300);
    each("HTTP", &mut http);
    for tells in [true, false] {
        let mut device = world((100, 200), (150, 250));
        device.device_tells = tells;
        device.lose_cloud();
        device.run(300);
        each("the device", &mut device);
    }
}

#[test]
fn c3_pauses_at_commas_and_emphasis_lie_in_the_ranges_of_the_table() {
    each_way(|whose, world| {
        world.say(PARTS);
        world.run(world.now_ms + 8_000);
        assert_pauses(world, (100, 200), (150, 250), whose);
    });
}

#[test]
fn c3_another_table_makes_other_pauses_longer_ones_and_shorter_than_the_voices_own() {
    for (comma, emphasis) in [((700, 700), (1_500, 1_500)), ((30, 30), (40, 40))] {
        each_way(|whose, world| {
            let range = |(low, high): (u64, u64)| PauseRange::new(low as u32, high as u32).unwrap();
            world.speaking.plan.pauses.comma = range(comma);
            world.speaking.plan.pauses.emphasis = range(emphasis);
            world.say(PARTS);
            world.run(world.now_ms + 12_000);
            assert_pauses(world, comma, emphasis, whose);
        });
    }
}

#[test]
fn c3_what_commas_part_goes_to_a_service_in_one_piece() {
    let mut world = world((100, 200), (150, 250));
    world.kill_socket(Way::Refuses);
    world.run(300);
    world.say(PARTS);
    world.run(8_000);
    assert_eq!(world.http_texts, ["one01, two02 three03, four04 five05 six06."]);
}

#[test]
fn c3_a_service_that_tells_no_places_keeps_its_own_pauses_and_history_its_words() {
    let mut world = world((700, 700), (700, 700));
    world.aligned = false;
    world.say(PARTS);
    world.run(1_600);
    let given = world.speaking.given();
    let spoken = world.speaking.stop(at(world.now_ms), given).unwrap();
    assert!(longest_silence_ms(&world.heard) <= CHAR_MS + 5);
    assert!(!spoken.whole && spoken.text.split_whitespace().count() >= 2, "{spoken:?}");
}

#[test]
fn v2_a_socket_that_dies_in_mid_sentence_is_followed_letter_by_letter_with_the_same_pauses() {
    for after_ms in (200..2_000).step_by(90) {
        let mut world = world((300, 320), (300, 320));
        let text = "one01, two02 three03, four04 five05 six06, seven07 eight08. nine09, ten10.";
        world.say(&text.replace("five05", "*five05*"));
        world.run(100 + after_ms);
        world.kill_socket(Way::Refuses);
        world.run(14_000);
        judge(&world, text, &format!("{after_ms} ms"));
        assert!(longest_silence_ms(&world.heard) <= 700, "{after_ms} ms");
        let silences = silences_ms(&world.heard);
        let long = silences.iter().filter(|ms| (295..=325).contains(*ms)).count();
        assert!(long >= 4, "{after_ms} ms: {silences:?}");
    }
}

#[test]
fn v2_the_socket_is_not_taken_again_at_a_comma() {
    let mut world = world((100, 200), (150, 250));
    world.lose_cloud();
    world.run(300);
    let words: Vec<String> = (1..=40).map(|n| format!("w{n:02},")).collect();
    world.say(&words.join(" "));
    world.socket = Way::Works;
    world.run(30_000);
    assert_eq!(world.words(), (1..=40).collect::<Vec<_>>());
    assert!(world.speaking.cloud.as_ref().is_some_and(|cloud| cloud.socket.is_ready()));
    assert_eq!(world.moves(), [(Source::Http, Source::Device)]);
}

#[test]
fn v6_a_voice_that_says_whole_sentences_only_gets_whole_sentences() {
    for (says_parts, most) in [(false, CHAR_MS + 5), (true, 1_000)] {
        let mut world = world((700, 700), (700, 700));
        world.speaking.device_says_parts = says_parts;
        world.lose_cloud();
        world.run(300);
        world.say(PARTS);
        world.device_tells = false;
        world.run(8_000);
        assert!(longest_silence_ms(&world.heard) <= most);
    }
}

#[test]
fn v6_a_voice_that_takes_long_to_begin_makes_nobody_wait_at_each_comma() {
    let mut world = world((100, 200), (150, 250));
    world.device_ms = 1_000;
    world.lose_cloud();
    world.run(300);
    world.say("one01, two02, three03, four04, five05, six06. seven07, eight08, nine09, ten10, eleven11.");
    world.run(16_000);
    assert_eq!(world.words(), (1..=11).collect::<Vec<_>>());
    let waits = silences_ms(&world.heard).into_iter().filter(|ms| *ms > 650).count();
    assert!(waits <= 1, "it was not known before the second part");
}

#[test]
fn c3_a_voice_at_its_usual_pace_keeps_the_ranges_however_many_commas_it_says() {
    let mut world = world((150, 150), (150, 150));
    world.learn_pace("w01, w02, w03, w04, w05, w06.");
    world.say("w01, w02, w03, w04, w05, w06.");
    world.run(world.now_ms + 4_000);
    let silences = silences_ms(&world.heard);
    // Its sound alone would be four tenths quicker than people speak; with the pauses in it is not.
    assert!(silences.len() == 5 && silences.iter().all(|ms| (147..=153).contains(ms)), "{silences:?}");
}

#[test]
fn c3_a_table_of_long_pauses_does_not_lengthen_itself() {
    let mut world = world((1_500, 1_500), (1_500, 1_500));
    for _ in 0..8 {
        world.heard.clear();
        world.say("hello01, there02 my03 friend04, how05 goes06, it07.");
        world.run(world.now_ms + 12_000);
        let long: Vec<u64> = silences_ms(&world.heard).into_iter().filter(|ms| *ms > 100).collect();
        assert!(long.len() == 3 && long.iter().all(|ms| (1_497..=1_503).contains(ms)), "{long:?}");
    }
}

#[test]
fn v2_the_end_of_a_sentence_that_another_voice_began_is_not_taken_for_a_fast_one() {
    let words: Vec<String> = (1..=16).map(|n| format!("words{n:02}")).collect();
    for died_at in (5_000..7_000).step_by(90) {
        let mut world = world((150, 150), (150, 150));
        (world.pace, world.piece) = (120, 2);
        world.say(&format!("{}.", words.join(" ")));
        world.run(died_at);
        world.kill_socket(Way::Refuses);
        world.run(14_000);
        world.heard.clear();
        world.say("one01, two02 three03, four04 five05, six06.");
        world.run(22_000);
        let long =
            silences_ms(&world.heard).into_iter().filter(|ms| !(CHAR_MS - 5..=CHAR_MS + 5).contains(ms));
        let long: Vec<u64> = long.collect();
        assert!(long.len() == 3 && long.iter().all(|ms| (147..=153).contains(ms)), "{died_at} ms: {long:?}");
    }
}

#[test]
fn c3_a_number_that_is_written_out_is_not_parted_at_the_letter_with_which_the_next_part_begins() {
    let mut plan = PlanSettings::default();
    plan.breath_level.level_db = -90.0;
    let mut speaking = Speaking::new(None, true, plan, ChunkSettings::default(), RATE, 1).with_parts(false);
    speaking.begin(at(0));
    speaking.say(at(0), &Splitter::of_whole().all("It is 7, very nice.")[0]);
    speaking.complete(at(0));
    let (mut samples, mut chars) = (Vec::new(), Vec::new());
    for (c, sound) in voice("It is seven, very nice.", CHAR_MS) {
        let at_ms = (samples.len() * 1000 / RATE as usize) as u32;
        samples.extend(sound);
        chars.push(CharTime { c, at_ms, end_ms: at_ms + CHAR_MS as u32 });
    }
    speaking.handle_device(at(100), JobId(1), FromDevice::Audio { samples, rate_hz: RATE, chars });
    speaking.handle_device(at(100), JobId(1), FromDevice::Finished);
    let mut heard = vec![0; 40_000];
    let count = speaking.read(&mut heard);
    let silences = silences_ms(&heard[..count]);
    assert_eq!(silences.len(), 4, "between words, and not in seven: {silences:?}");
}

/// The voice comes in real time and is silent for 600 ms at the comma, while what came before it is played.
#[test]
fn c3_what_the_caller_has_waited_at_a_comma_is_a_part_of_its_pause() {
    let mut world = world((150, 150), (150, 150));
    world.lose_cloud();
    world.run(300);
    world.speaking.device_says_parts = false;
    world.speaking.begin(at(300));
    world.speaking.say(at(300), &Splitter::of_whole().all("one01, two02.")[0]);
    world.speaking.complete(at(300));
    while world.speaking.poll_output().is_some() {}
    let (mut ms, job) = (300, JobId(1));
    for (c, sound) in voice("one01, two02.", CHAR_MS) {
        let samples = if c == ' ' { vec![0; 4_800] } else { sound };
        let mut chars = vec![CharTime { c, at_ms: 0, end_ms: samples.len() as u32 / 8 }];
        for part in samples.chunks(160) {
            let (samples, chars) = (part.to_vec(), std::mem::take(&mut chars));
            world.later(ms, Happens::Device(job, FromDevice::Audio { samples, rate_hz: RATE, chars }));
            ms += 20;
        }
    }
    world.later(ms, Happens::Device(job, FromDevice::Finished));
    world.run(4_000);
    assert_eq!(world.words(), [1, 2]);
    let silences = silences_ms(&world.heard);
    // A fade that was held back lies between what it has waited and the rest.
    assert!(silences.iter().take(2).sum::<u64>() <= 700, "{silences:?}");
}
