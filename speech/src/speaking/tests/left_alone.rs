//! V3: services that think and speak by themselves, and leave the caller alone in the middle of what they say.

use super::by_ear::long_phrase;
use super::splices::{LONG, judge, sounds};
use super::*;
use crate::speaking::foreign::sentence_ends;
use crate::text::count;

/// One that has begun to say `text`; there is an ear.
pub(super) fn begun(text: &str) -> World {
    let mut world = World::new(true);
    world.ear_ms = Some(30);
    world.speaking.begin_foreign(at(world.now_ms));
    world.writes(text);
    world
}

impl World {
    pub(super) fn writes(&mut self, text: &str) {
        self.speaking.foreign_words(at(self.now_ms), text);
        self.poll();
    }

    /// The service says `text` from `from_ms` until `to_ms` of its sound, at `pace` percent of real time.
    pub(super) fn sends(&mut self, text: &str, from_ms: usize, to_ms: usize, pace: u64) {
        let sound: Vec<i16> = voice(text, CHAR_MS).into_iter().flat_map(|(_, samples)| samples).collect();
        let at_ms = |ms: usize| (ms * RATE as usize / 1_000).min(sound.len());
        for part in sound[at_ms(from_ms)..at_ms(to_ms)].chunks(800) {
            self.speaking.foreign_audio(at(self.now_ms), part, RATE);
            self.poll();
            self.run(self.now_ms + part.len() as u64 * 100 / 8 / pace);
        }
    }

    /// Whether the caller is left alone within so many milliseconds.
    fn is_left_alone(&mut self, within_ms: u64) -> bool {
        let until_ms = self.now_ms + within_ms;
        while self.now_ms < until_ms && !self.events.contains(&SpeakingEvent::LeftAlone) {
            self.run(self.now_ms + 1);
        }
        self.events.contains(&SpeakingEvent::LeftAlone)
    }

    fn breaks(&mut self) {
        self.speaking.foreign_break(at(self.now_ms));
        self.poll();
    }
}

/// Faster than it is played, until the connection breaks.
#[test]
fn v3_what_a_service_that_speaks_by_itself_left_in_mid_word_goes_on_there_however_long_it_spoke() {
    let short: Vec<&str> = TEXT.split_whitespace().take(6).collect();
    for (text, ends) in [(short.join(" "), 300..2_900), (long_phrase(), 9_000..17_000)] {
        for breaks_ms in ends.step_by(170) {
            let mut world = begun(&text);
            world.sends(&text, 0, breaks_ms, 143);
            world.breaks();
            world.run(world.now_ms + 25_000);
            judge(&world, &text, &format!("breaks behind {breaks_ms} ms"));
        }
    }
}

/// Where a sentence of `TEXT` ends in its sound, in milliseconds: some way around it nobody is left in its middle.
const SENTENCE_MS: usize = 41 * CHAR_MS as usize;

#[test]
fn v2_v3_a_service_that_falls_silent_in_mid_sentence_is_stood_in_for_within_700_ms_and_each_letter_is_heard_once()
 {
    for (pace, silent_ms) in [100, 110, 150, 300, 800].into_iter().flat_map(|pace| {
        let near_an_end = |ms: &usize| (ms.abs_diff(SENTENCE_MS) as u64) < 6 * CHAR_MS;
        (270..4_500).step_by(95).filter(move |ms| !near_an_end(ms)).map(move |ms| (pace, ms))
    }) {
        let case = format!("{pace} %, silent behind {silent_ms} ms");
        let mut world = begun(TEXT);
        world.sends(TEXT, 0, silent_ms, pace);
        assert!(world.is_left_alone(6_000), "{case}");
        world.breaks();
        world.run(world.now_ms + 14_000);
        judge(&world, TEXT, &case);
        let silence = longest_silence_ms(&world.heard);
        assert!(silence <= 700, "{case}: {silence} ms");
    }
}

/// The model still writes when its voice falls silent, and stops anywhere, be it in a word.
#[test]
fn v2_v3_words_that_come_when_the_voice_is_silent_already_are_said_too() {
    // The ear may answer only when all has come.
    for (ear_ms, to) in
        [30, 240].into_iter().flat_map(|ear_ms| (20..70).step_by(3).map(move |to| (ear_ms, to)))
    {
        let (written, more) = TEXT.split_at(to);
        // In the middle of a letter: of a seam between two the pitch cannot be told.
        let silent_ms = (written.len() - 12) * CHAR_MS as usize + 25;
        let case = format!("{written:?} was written, silent behind {silent_ms} ms");
        let (before, last) = written.split_at(written.len() - 2);
        let mut world = begun(before);
        world.ear_ms = Some(ear_ms);
        world.sends(TEXT, 0, silent_ms, 150);
        if !world.is_left_alone(6_000) {
            // Where a sentence ends it is waited for.
            assert!(silent_ms.abs_diff(SENTENCE_MS) < 6 * CHAR_MS as usize, "{case}");
            continue;
        }
        world.writes(last);
        world.speaking.foreign_falls_silent(at(world.now_ms));
        world.poll();
        for part in more.as_bytes().chunks(4) {
            world.run(world.now_ms + 10);
            world.writes(str::from_utf8(part).unwrap());
        }
        world.speaking.foreign_end(at(world.now_ms));
        world.poll();
        world.run(world.now_ms + 14_000);
        judge(&world, TEXT, &case);
        let silence = longest_silence_ms(&world.heard);
        assert!(silence <= 700, "{case}: {silence} ms");
    }
}

/// Its words come behind its audio: the ear was asked of fewer than it could hear.
#[test]
fn v2_words_that_come_behind_their_sound_are_not_said_again() {
    for silent_ms in (500..1_500).step_by(95) {
        let mut world = begun(&TEXT[..5]);
        world.sends(TEXT, 0, silent_ms, 150);
        world.run(100 + silent_ms as u64 + 170);
        world.writes(&TEXT[5..]);
        let case = format!("silent behind {silent_ms} ms");
        assert!(world.is_left_alone(6_000), "{case}");
        world.breaks();
        world.run(world.now_ms + 14_000);
        judge(&world, TEXT, &case);
    }
}

/// The service never tells that it has written all of them.
#[test]
fn v2_words_of_a_silent_voice_are_said_before_the_caller_has_waited_for_their_end() {
    for every_ms in [10, 300] {
        let (written, more) = TEXT.split_at(27);
        let mut world = begun(written);
        world.speaking.cloud = None;
        world.sends(TEXT, 0, 600, 150);
        assert!(world.is_left_alone(6_000));
        world.speaking.foreign_falls_silent(at(world.now_ms));
        world.poll();
        for word in more.split_inclusive(' ') {
            world.run(world.now_ms + every_ms);
            world.writes(word);
        }
        world.run(world.now_ms + 9_000);
        let silence = longest_silence_ms(&world.heard);
        assert!(silence <= 700, "a word each {every_ms} ms: {silence} ms");
        world.speaking.foreign_end(at(world.now_ms));
        world.poll();
        world.run(world.now_ms + 100);
        judge(&world, TEXT, &format!("a word each {every_ms} ms"));
    }
}

#[test]
fn v3_a_service_that_rests_where_a_sentence_or_all_of_its_words_end_is_waited_for() {
    for (text, silent_ms) in
        [(TEXT, SENTENCE_MS), (&TEXT[..40], SENTENCE_MS), (&TEXT[..34], 34 * CHAR_MS as usize)]
    {
        let mut world = begun(text);
        world.sends(TEXT, 0, silent_ms, 150);
        assert!(!world.is_left_alone(5_000), "{text:?} until {silent_ms} ms");
        world.writes(&TEXT[text.len()..]);
        world.sends(TEXT, silent_ms, 100_000, 150);
        assert!(!world.is_left_alone(1_000));
        world.speaking.foreign_end(at(world.now_ms));
        world.poll();
        world.run(world.now_ms + 8_000);
        judge(&world, TEXT, &format!("{text:?} until {silent_ms} ms"));
    }
}

#[test]
fn v3_a_service_that_sends_in_big_pieces_or_drips_is_left_its_own_voice() {
    for (piece, pace) in [(8_000, 100), (8_000, 90), (1_600, 60)] {
        let mut world = begun(TEXT);
        let sound: Vec<i16> = voice(TEXT, CHAR_MS).into_iter().flat_map(|(_, samples)| samples).collect();
        for part in sound.chunks(piece) {
            world.speaking.foreign_audio(at(world.now_ms), part, RATE);
            world.poll();
            world.run(world.now_ms + part.len() as u64 * 100 / 8 / pace);
        }
        world.speaking.foreign_end(at(world.now_ms));
        world.run(world.now_ms + 8_000);
        assert!(!world.events.contains(&SpeakingEvent::LeftAlone), "{piece} samples at {pace} %");
    }
}

#[test]
fn v2_v3_without_an_ear_only_a_service_that_surely_owes_words_has_left_the_caller_alone() {
    // At the usual pace of 12 letters a second 2 s are 24 of them, and at the most 36.
    for (text, is_left) in [("a ".repeat(40), false), ("a ".repeat(41), true)] {
        let mut world = World::new(true);
        world.speaking.begin_foreign(at(world.now_ms));
        world.writes(&text);
        world.sends(&text, 0, 2_000, 150);
        assert_eq!(world.is_left_alone(5_000), is_left, "{} letters", text.len() / 2);
    }
}

#[test]
fn v2_what_a_filter_still_holds_of_a_voice_that_fell_silent_is_not_heard_behind_the_silence() {
    let mut world = begun(TEXT);
    world.speaking.foreign_audio(at(world.now_ms), &[8_000; 16_000], 2 * RATE);
    world.run(world.now_ms + 1_500);
    let made = world.speaking.mix.made();
    world.speaking.foreign_falls_silent(at(world.now_ms));
    assert_eq!(world.speaking.mix.made(), made);
}

/// The device's voice tells no letters and its place is not found: it says the word whole, from before what was heard of it.
#[test]
fn v5_of_a_word_that_is_said_again_history_claims_nothing_before_it_was_heard() {
    for silent_ms in (600..3_000).step_by(170) {
        for stopped_ms in (300..2_000).step_by(60) {
            let mut world = begun(LONG);
            (world.speaking.cloud, world.device_tells) = (None, false);
            world.sends(LONG, 0, silent_ms, 150);
            assert!(world.is_left_alone(6_000));
            world.breaks();
            world.ear_ms = None;
            world.run(world.now_ms + stopped_ms);
            let heard = sounds(&world.heard);
            let spoken = world.speaking.stop(at(world.now_ms), world.taken).unwrap();
            let claimed = spoken.text.split_whitespace().count();
            let whole = LONG.split_whitespace().zip(&heard);
            let whole = whole.filter(|(word, (_, ms))| *ms + 25 >= word.len() as u64 * CHAR_MS).count();
            assert!(claimed <= whole, "{silent_ms} and {stopped_ms} ms: {spoken:?} of {heard:?}");
        }
    }
}

#[test]
fn v3_without_a_device_nobody_stands_in() {
    let mut world = World::new(false);
    world.speaking.begin_foreign(at(world.now_ms));
    world.writes(TEXT);
    world.sends(TEXT, 0, 1_000, 150);
    assert!(!world.is_left_alone(5_000));
}

/// Nobody hears where the service stopped, and its words end while the ear is asked: some are said again, none is lost.
#[test]
fn v2_v3_words_that_come_while_nobody_hears_where_the_voice_stopped_are_not_lost() {
    for ear_ms in [None, Some(4_000)] {
        let mut world = begun(&TEXT[..57]);
        world.ear_ms = ear_ms;
        world.sends(TEXT, 0, 900, 150);
        assert!(world.is_left_alone(6_000));
        world.speaking.foreign_falls_silent(at(world.now_ms));
        world.poll();
        world.writes(&TEXT[57..]);
        world.speaking.foreign_end(at(world.now_ms));
        world.poll();
        assert!(world.speaking.is_foreign());
        world.run(world.now_ms + 14_000);
        let heard = sounds(&world.heard);
        let words: Vec<u32> = heard.iter().map(|(word, _)| *word).collect();
        assert!(words.starts_with(&[1, 2, 3]) && words.ends_with(&all_words()[3..]), "{heard:?}");
        assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }]);
    }
}

#[test]
fn v3_a_sentence_ends_where_its_marks_do_and_a_space_may_have_many_bytes() {
    let text = "**abc01:** `def02` ghi03. [jkl04](http://a.example) mno05. pqr06 stu07 vwx08";
    let over = |end: &str| count(text.split_once(end).unwrap().0) as u64;
    assert_eq!(sentence_ends(text), [over(" [jkl04]"), over(" pqr06"), count(text) as u64]);
    let spaced = TEXT.replace(' ', "\u{202f}");
    let mut world = begun(&spaced[..60]);
    world.sends(TEXT, 0, 900, 150);
    assert!(world.is_left_alone(6_000));
    world.writes("\u{202f}");
    world.speaking.foreign_falls_silent(at(world.now_ms));
    world.writes("seven07 eight08 nine09 ten10 eleven11 twelve12.");
    world.speaking.foreign_end(at(world.now_ms));
    world.poll();
    world.run(world.now_ms + 14_000);
    assert!(world.spoken()[0].whole);
}

#[test]
fn b1_a_turn_that_is_stopped_takes_the_words_with_it_that_still_come() {
    let mut world = begun(TEXT);
    world.sends(TEXT, 0, 800, 150);
    assert!(world.is_left_alone(5_000));
    world.speaking.foreign_falls_silent(at(world.now_ms));
    world.poll();
    world.run(world.now_ms + 300);
    assert!(world.speaking.is_foreign());
    world.speaking.stop(at(world.now_ms), world.taken);
    world.poll();
    let heard = world.words();
    world.writes(" thirteen13.");
    world.speaking.foreign_end(at(world.now_ms));
    world.poll();
    world.run(world.now_ms + 3_000);
    assert!(!world.speaking.is_speaking() && !world.speaking.is_foreign());
    assert_eq!(world.words(), heard);
}
