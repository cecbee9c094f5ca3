//! V2: a voice that breaks in the middle of a word, of which a part was heard. Here it is counted in samples that every
//! letter is heard once.

use super::*;

/// Words long enough to break in, each of a pitch of its own.
pub(super) const LONG: &str = "a01 unfortunately02 incomprehensibly03 misunderstood04 conversations05 end06.";

/// What is heard of each word, in milliseconds, in the order in which it is heard.
pub(super) fn sounds(audio: &[i16]) -> Vec<(u32, u64)> {
    let loud: Vec<usize> = (0..audio.len()).filter(|&i| audio[i].unsigned_abs() > 500).collect();
    let mut heard: Vec<(u32, u64)> = Vec::new();
    let mut short_ms = 0;
    for part in loud.chunk_by(|before, after| after - before < 40) {
        let (first, last) = (part[0], part[part.len() - 1]);
        let ms = (last - first + 1) as u64 * 1000 / u64::from(RATE);
        // Of less the pitch cannot be told: it is of the word on both sides of it, if that is one.
        if ms < 20 {
            short_ms += ms;
            continue;
        }
        let crossings = audio[first..=last].windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count();
        let hz = crossings as f32 / 2.0 * RATE as f32 / (last - first) as f32;
        let word = ((hz - 400.0) / 60.0).round() as u32;
        match heard.last_mut() {
            Some((same, so_far)) if *same == word => *so_far += short_ms + ms,
            _ => heard.push((word, ms)),
        }
        short_ms = 0;
    }
    heard
}

/// Every letter of `text` was heard once, and history says so.
pub(super) fn judge(world: &World, text: &str, case: &str) {
    let heard = sounds(&world.heard);
    let said = || text.split_whitespace();
    assert_eq!(heard.iter().map(|word| word.0).collect::<Vec<_>>(), numbers(text), "{case}: {heard:?}");
    for (word, (_, ms)) in said().zip(&heard) {
        // Less than half a letter: what is too short to have a pitch, and a fade.
        let whole = word.len() as u64 * CHAR_MS;
        assert!(
            ms.abs_diff(whole) < CHAR_MS / 2,
            "{case}: {ms} ms of {word:?}, which has {whole}: {heard:?}"
        );
    }
    assert_eq!(world.spoken(), [&Spoken { text: text.to_owned(), whole: true }], "{case}");
}

fn numbers(text: &str) -> Vec<u32> {
    let digits = |word: &str| word.chars().filter(char::is_ascii_digit).collect::<String>();
    text.split_whitespace().map(|word| digits(word).parse().unwrap()).collect()
}

/// The socket dies at any time, in any way, at any pace: what stands in for it says what is left.
#[test]
fn v2_a_word_that_breaks_goes_on_over_http_where_it_was_broken() {
    for (pace, piece) in
        [105, 110, 130, 150, 200].into_iter().flat_map(|pace| [1, 3, 7].map(|piece| (pace, piece)))
    {
        for (died_at, way) in (250..3_000).step_by(83).zip([Way::Silent, Way::Refuses].into_iter().cycle()) {
            let mut world = World::new(false);
            (world.pace, world.piece) = (pace, piece);
            world.say(LONG);
            world.run(died_at);
            world.kill_socket(way);
            world.run(14_000);
            judge(&world, LONG, &format!("{pace} %, {piece} a message, {way:?} at {died_at}"));
        }
    }
}

/// One that tells no places says the word whole: none is lost.
#[test]
fn v2_a_word_that_breaks_is_said_whole_by_a_voice_that_tells_no_places() {
    let mut again = 0;
    for died_at in (250..3_000).step_by(83) {
        let mut world = World::new(true);
        (world.pace, world.piece) = (130, 3);
        (world.http, world.device_tells) = (Way::Refuses, false);
        world.say(LONG);
        world.run(died_at);
        world.kill_socket(Way::Silent);
        world.run(14_000);
        let heard = sounds(&world.heard);
        assert_eq!(
            heard.iter().map(|word| word.0).collect::<Vec<_>>(),
            numbers(LONG),
            "at {died_at}: {heard:?}"
        );
        let more = |(word, (_, ms)): (&str, &(u32, u64))| *ms > (word.len() as u64 + 1) * CHAR_MS;
        again += LONG.split_whitespace().zip(&heard).filter(|&pair| more(pair)).count();
        let silence = longest_silence_ms(&world.heard);
        assert!(silence <= 700, "at {died_at}: {silence} ms of dead air");
        assert_eq!(world.spoken(), [&Spoken { text: LONG.to_owned(), whole: true }], "at {died_at}");
    }
    assert!(again > 0, "none broke in a word");
}

/// The device's voice stands in for the socket, tells no places, and the ear answers within `ear_ms`, if it does.
fn goes_on_untold(pace: u64, piece: usize, ear_ms: Option<u64>, died_at: u64, way: Way) -> (World, String) {
    let mut world = World::new(true);
    (world.pace, world.piece) = (pace, piece);
    (world.http, world.device_tells, world.ear_ms) = (Way::Refuses, false, ear_ms);
    world.say(LONG);
    world.run(died_at);
    world.kill_socket(way);
    world.run(14_000);
    let case = format!("{pace} %, {piece} a message, {way:?} at {died_at}, the ear takes {ear_ms:?} ms");
    let silence = longest_silence_ms(&world.heard);
    assert!(silence <= 700, "{case}: {silence} ms of dead air");
    (world, case)
}

/// One that tells no places goes on there, too, where the ear finds in its sound what was heard.
#[test]
fn v2_a_word_that_breaks_goes_on_where_it_was_broken_in_a_voice_that_tells_no_places() {
    for (pace, piece, ear_ms) in [(105, 1, 10), (110, 3, 30), (130, 3, 60), (150, 7, 100), (200, 3, 100)] {
        // While words are owed.
        let moments = (250..250 + 430_000 / pace).step_by(41);
        for (died_at, way) in moments.zip([Way::Silent, Way::Refuses].into_iter().cycle()) {
            let (world, case) = goes_on_untold(pace, piece, Some(ear_ms), died_at, way);
            judge(&world, LONG, &case);
        }
    }
}

/// Where its words lie is counted from its first sample, be that left out.
#[test]
fn v5_a_voice_whose_beginning_is_left_out_is_laid_out_from_there() {
    let mut world = World::new(true);
    (world.http, world.device_tells, world.ear_ms) = (Way::Refuses, false, Some(10));
    (world.pace, world.piece) = (130, 3);
    world.say(LONG);
    world.run(664);
    world.kill_socket(Way::Refuses);
    world.run(670);
    let stream = world.speaking.turn.as_ref().and_then(|turn| turn.stream.as_ref()).unwrap();
    assert!(stream.heard.is_some(), "it broke in a word");
    world.run(900);
    let stream = world.speaking.turn.as_ref().and_then(|turn| turn.stream.as_ref()).unwrap();
    assert!(stream.source == Source::Device && stream.heard.is_none() && !stream.aligned);
    let came = stream.came_us() * u64::from(RATE) / 1_000_000;
    let ends = stream.starts + came;
    assert!(ends.abs_diff(world.speaking.mix.position()) < 20, "{ends}, {}", world.speaking.mix.position());
}

/// Where the ear cannot tell, or not in time, the word is said whole: none is lost.
#[test]
fn v2_a_word_that_breaks_is_said_whole_by_a_voice_that_tells_no_places_where_the_ear_does_not_find_it() {
    for ear_ms in [None, Some(400), Some(4_000)] {
        let mut again = 0;
        for (died_at, way) in (250..3_000).step_by(41).zip([Way::Silent, Way::Refuses].into_iter().cycle()) {
            let (world, case) = goes_on_untold(130, 3, ear_ms, died_at, way);
            let heard = sounds(&world.heard);
            assert_eq!(
                heard.iter().map(|word| word.0).collect::<Vec<_>>(),
                numbers(LONG),
                "{case}: {heard:?}"
            );
            let said = || {
                LONG.split_whitespace().zip(&heard).map(|(word, (_, ms))| (word.len() as u64 * CHAR_MS, *ms))
            };
            assert!(said().all(|(whole, ms)| ms + CHAR_MS / 2 > whole), "{case}: {heard:?}");
            again += said().filter(|(whole, ms)| *ms > whole + CHAR_MS).count();
            assert_eq!(world.spoken(), [&Spoken { text: LONG.to_owned(), whole: true }], "{case}");
        }
        assert!(again > 0, "none broke in a word");
    }
}

/// Neither the voice that breaks nor the one that goes on tells its places; or an ear that is slow has as long as the caller
/// still hears something, and a little longer.
#[test]
fn v3_a_word_that_breaks_is_heard_once_where_no_voice_tells_its_places() {
    let slow = (50, 390, true);
    for (every_ms, ear_ms, device_tells) in [(90, 10, false), (90, 50, false), (90, 100, false), slow] {
        for breaks_ms in (300..3_900).step_by(47) {
            let mut world = World::new(true);
            (world.speaking.cloud, world.device_tells, world.ear_ms) = (None, device_tells, Some(ear_ms));
            world.speaking.begin_foreign(at(world.now_ms));
            world.speaking.foreign_words(at(world.now_ms), LONG);
            let sound: Vec<i16> = voice(LONG, CHAR_MS).into_iter().flat_map(|(_, samples)| samples).collect();
            for part in sound[..breaks_ms * RATE as usize / 1000].chunks(800) {
                world.speaking.foreign_audio(at(world.now_ms), part, RATE);
                world.run(world.now_ms + every_ms);
            }
            world.speaking.foreign_break(at(world.now_ms));
            world.poll();
            world.run(14_000);
            let case = format!("breaks behind {breaks_ms} ms, the ear takes {ear_ms} ms");
            judge(&world, LONG, &case);
            let silence = longest_silence_ms(&world.heard);
            assert!(silence <= 700, "{case}: {silence} ms of dead air");
        }
    }
}

/// An answer over HTTP that turns out to tell no places goes on in the word, and breaks in its turn.
#[test]
fn v2_a_word_that_breaks_twice_is_heard_once_where_the_voice_between_tells_no_places() {
    let mut twice = 0;
    for (pace, device_tells) in [(110, true), (130, true), (110, false), (200, false)] {
        for died_at in (300..1_800).step_by(91) {
            for later in (200..900).step_by(40) {
                let mut world = World::new(true);
                (world.pace, world.piece, world.device_tells) = (pace, 3, device_tells);
                world.ear_ms = Some(20);
                world.say(LONG);
                world.run(died_at);
                (world.aligned, world.pace) = (false, 800);
                world.kill_socket(Way::Refuses);
                world.run(died_at + later);
                world.kill_http(Way::Refuses);
                world.run(14_000);
                twice += usize::from(world.moves().len() == 2);
                let case = format!("{pace} %, {device_tells}, at {died_at} and {later} ms later");
                judge(&world, LONG, &case);
                let silence = longest_silence_ms(&world.heard);
                assert!(silence <= 700, "{case}: {silence} ms of dead air");
            }
        }
    }
    assert!(twice > 300, "{twice}");
}

/// The voice below that one takes over in whichever word it breaks, too: be it the same one.
#[test]
fn v2_a_word_that_breaks_twice_is_heard_once() {
    for (pace, piece) in [(105, 3), (115, 1), (130, 7), (170, 3), (200, 2)] {
        for (died_at, way) in (250..2_000).step_by(91).zip([Way::Silent, Way::Refuses].into_iter().cycle()) {
            for later in [150, 290, 340, 400, 480, 560, 690] {
                let mut world = World::new(true);
                (world.pace, world.piece) = (pace, piece);
                world.say(LONG);
                world.run(died_at);
                world.kill_socket(way);
                world.run(died_at + later);
                world.kill_http(way);
                world.run(14_000);
                let case = format!("{pace} %, {piece} a message, {way:?} at {died_at} and {later} ms later");
                judge(&world, LONG, &case);
                let silence = longest_silence_ms(&world.heard);
                assert!(silence <= 700, "{case}: {silence} ms of dead air");
            }
        }
    }
}

/// The caller breaks in while a word goes on in another voice.
#[test]
fn v5_of_a_word_that_broke_history_claims_nothing_before_its_end_was_heard() {
    for died_at in (400..1_600).step_by(150) {
        for stopped_at in (died_at + 20..died_at + 900).step_by(40) {
            let mut world = World::new(true);
            world.pace = 130;
            world.say(LONG);
            world.run(died_at);
            world.kill_socket(Way::Silent);
            world.run(stopped_at);
            let heard = sounds(&world.heard);
            world.ring.clear();
            let spoken = world.speaking.stop(at(world.now_ms), world.taken).unwrap();
            world.poll();
            let claimed = spoken.text.split_whitespace().count();
            let whole = LONG
                .split_whitespace()
                .zip(&heard)
                .filter(|(word, (_, ms))| *ms + 25 >= word.len() as u64 * CHAR_MS);
            let whole = whole.count();
            assert!(
                claimed == whole || claimed + 1 == whole,
                "{died_at}, {stopped_at}: {spoken:?} of {heard:?}"
            );
        }
    }
}

/// The same in a voice that does not tell its letters, of which less is claimed than was heard.
#[test]
fn v5_of_a_word_that_goes_on_in_a_voice_that_tells_no_places_history_claims_no_more_than_was_heard() {
    for died_at in (400..1_600).step_by(150) {
        for stopped_at in (died_at + 20..died_at + 1_500).step_by(40) {
            let mut world = World::new(true);
            (world.pace, world.http, world.device_tells) = (130, Way::Refuses, false);
            world.ear_ms = Some(30);
            world.say(LONG);
            world.run(died_at);
            world.kill_socket(Way::Refuses);
            world.run(stopped_at);
            let heard = sounds(&world.heard);
            world.ring.clear();
            let spoken = world.speaking.stop(at(world.now_ms), world.taken).unwrap();
            world.poll();
            let claimed = spoken.text.split_whitespace().count();
            let whole = LONG.split_whitespace().zip(&heard);
            let whole = whole.filter(|(word, (_, ms))| *ms + 25 >= word.len() as u64 * CHAR_MS).count();
            assert!(claimed <= whole && !spoken.whole, "{died_at}, {stopped_at}: {spoken:?} of {heard:?}");
            assert!(claimed + 2 >= whole, "{died_at}, {stopped_at}: {spoken:?} of {heard:?}");
        }
    }
}
