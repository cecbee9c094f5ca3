//! V2: a service that speaks by itself goes on to its next turn while others say the rest of the one before.

use super::left_alone::begun;
use super::splices::{judge, sounds};
use super::*;

impl World {
    /// The rest of a turn that ends at byte `to` of [`TEXT`] is said by others, and the turn behind it begins.
    fn is_followed(&mut self, to: usize) {
        self.speaking.foreign_break(at(self.now_ms));
        self.poll();
        self.follows(to);
    }

    fn follows(&mut self, to: usize) {
        assert!(self.speaking.foreign_is_stood_in_for(), "at {} ms", self.now_ms);
        self.speaking.foreign_follows(at(self.now_ms));
        for part in TEXT.as_bytes()[to..].chunks(4) {
            self.writes(str::from_utf8(part).unwrap());
        }
        self.speaking.foreign_end(at(self.now_ms));
        self.poll();
    }
}

/// Behind its first sentence.
const TO: usize = 41;

/// While the ear is asked, while the device is, and while its voice is heard.
#[test]
fn v2_v3_the_turn_behind_one_that_others_say_is_said_whenever_it_begins() {
    for (ear_ms, later_ms) in
        [30, 240].into_iter().flat_map(|ear_ms| (0..1_600).step_by(70).map(move |ms| (ear_ms, ms)))
    {
        let mut world = begun(&TEXT[..TO]);
        world.ear_ms = Some(ear_ms);
        world.lose_cloud();
        world.run(world.now_ms + 10);
        world.sends(TEXT, 0, 905, 150);
        world.run(world.now_ms + 80);
        world.speaking.foreign_break(at(world.now_ms));
        world.poll();
        world.run(world.now_ms + later_ms);
        world.follows(TO);
        // What comes of its own voice, and that it is told to be silent or to be over again, changes nothing.
        world.speaking.foreign_audio(at(world.now_ms), &[9_000; 1_600], RATE);
        world.speaking.foreign_falls_silent(at(world.now_ms));
        world.speaking.foreign_end(at(world.now_ms));
        world.poll();
        world.run(world.now_ms + 14_000);
        judge(&world, TEXT, &format!("an ear of {ear_ms} ms, {later_ms} ms later"));
    }
}

#[test]
fn v2_a_turn_that_was_not_told_to_end_is_said_to_its_end_before_the_next_one() {
    let mut world = begun(&TEXT[..26]);
    world.sends(TEXT, 0, 905, 150);
    world.speaking.foreign_falls_silent(at(world.now_ms));
    world.poll();
    world.writes(&TEXT[26..TO]);
    world.run(world.now_ms + 200);
    world.follows(TO);
    world.run(world.now_ms + 14_000);
    judge(&world, TEXT, "two at once");
}

/// A short turn behind it does not make the long one before look as if all of it had been said.
#[test]
fn v2_v3_without_an_ear_the_rest_is_not_lost_when_a_short_turn_follows() {
    for ear_ms in [None, Some(4_000)] {
        let to = TEXT.len() - "twelve12.".len();
        let mut world = begun(&TEXT[..to]);
        world.ear_ms = ear_ms;
        world.sends(TEXT, 0, 1_500, 150);
        world.is_followed(to);
        world.run(world.now_ms + 14_000);
        let heard: Vec<u32> = sounds(&world.heard).iter().map(|(word, _)| *word).collect();
        assert!(heard.starts_with(&[1, 2, 3]) && heard.ends_with(&all_words()[3..]), "{heard:?}");
        assert_eq!(world.spoken(), [&Spoken { text: TEXT.to_owned(), whole: true }]);
    }
}

#[test]
fn v3_between_two_turns_that_others_say_there_is_a_rest() {
    let mut world = begun(&TEXT[..TO]);
    world.sends(TEXT, 0, 905, 150);
    world.is_followed(TO);
    world.run(world.now_ms + 14_000);
    let pauses = world.events.iter().filter(|event| {
        matches!(event, SpeakingEvent::Mark(Mark { kind: MarkKind::Pause(Some(PauseKind::Sentence)), .. }))
    });
    assert_eq!(pauses.count(), 1);
}

#[test]
fn v3_who_speaks_by_himself_or_has_been_heard_out_is_not_stood_in_for() {
    let mut world = begun(TEXT);
    assert!(!world.speaking.foreign_is_stood_in_for());
    world.sends(TEXT, 0, 905, 150);
    assert!(!world.speaking.foreign_is_stood_in_for());
    world.speaking.foreign_end(at(world.now_ms));
    assert!(!world.speaking.foreign_is_stood_in_for(), "it may go on itself");
    world.run(world.now_ms + 2_000);
    world.say("This is our own.");
    assert!(!world.speaking.foreign_is_stood_in_for(), "nor is what is ours");
    // Nobody can say the rest: it is no use to leave more to them.
    let mut world = begun(TEXT);
    world.device_fails = Some("six06");
    world.lose_cloud();
    world.run(world.now_ms + 10);
    world.sends(TEXT, 0, 905, 150);
    world.speaking.foreign_break(at(world.now_ms));
    world.poll();
    world.run(world.now_ms + 300);
    assert!(!world.speaking.foreign_is_stood_in_for() && world.speaking.is_speaking());
}
