//! V2: random calls with services that do all of it: whatever a service sends, and whenever, no word is heard twice, none
//! is lost, the caller is not left in silence, and history is true.
//!
//! PROPTEST_CASES tries more of them.

mod call;
mod judge;
mod plan;
mod voice;

use call::{Call, FIRST, SORRY};
use judge::judge;
use plan::{Caller, Fades, Mark, Plan, Speaks, Told, Turn, Writes, plan};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use voice::{RATE, sounds};

fn outcome(plan: &Plan) -> Result<(), String> {
    let call = Call::of(plan);
    judge(&call, plan.letter_ms, plan.device_tells).map_err(|rule| format!("{rule}\n{}", call.log.join("\n")))
}

/// One answer, all of it written at once, that falls silent behind so many thousandths of its sound.
fn silent_from(until: u64, is_realtime: bool, tells_start: bool) -> Plan {
    let words = [6, 4, 8, 0, 5, 9].map(|letters| (letters, Mark::Nothing)).to_vec();
    let end = Told::Behind(0);
    let turn = Turn {
        is_asked: true,
        words,
        writes: Writes { from_ms: 0, piece: 9, every_ms: 0, rests: Vec::new(), end },
        speaks: Speaks {
            from_ms: 50,
            piece_ms: 60,
            pace: 150,
            rests: Vec::new(),
            until: Some(until),
            silence_ms: 0,
            end,
        },
        breaks_ms: None,
        caller: Caller::Listens,
        rest_ms: 0,
    };
    let (letter_ms, ear_ms) = (60, 40);
    Plan {
        is_realtime,
        is_named: true,
        tells_start,
        letter_ms,
        ear_ms,
        fades: Fades::Never,
        device_tells: true,
        turns: vec![turn.clone(), turn],
    }
}

#[test]
fn v2_of_an_answer_that_falls_silent_near_its_end_the_last_letters_are_heard_too() {
    for (is_realtime, tells_start) in [(true, false), (false, true), (false, false)] {
        for until in (700..1_000).step_by(5) {
            let outcome = outcome(&silent_from(until, is_realtime, tells_start));
            assert_eq!(outcome, Ok(()), "realtime {is_realtime}, tells {tells_start}, until {until}");
        }
    }
}

/// Two answers of a voice that lets silence follow its words, and then this one, which may do without.
fn third(mut last: Turn, plan: Plan) -> Plan {
    let mut whole = silent_from(0, false, false).turns.remove(0);
    (whole.speaks.until, whole.speaks.silence_ms, whole.speaks.end) = (None, 300, Told::Never);
    last.speaks.silence_ms = last.speaks.silence_ms.min(1) * 300;
    Plan { is_realtime: false, turns: vec![whole.clone(), whole, last], ..plan }
}

/// The longest silence in the third answer, in milliseconds.
fn longest_gap(call: &Call) -> usize {
    let sounds = sounds(&call.heard, RATE);
    let third = sounds.iter().filter(|sound| sound.word as usize >= FIRST + 2 * 6);
    let gaps = third.clone().zip(third.skip(1)).map(|(a, b)| (b.from - a.to) * 1000 / RATE as usize);
    gaps.max().unwrap_or(0)
}

#[test]
fn v2_v5_a_voice_that_always_ended_with_silence_and_stops_without_loses_nothing_to_an_ear_that_cannot_tell() {
    let (long, short) = ([6, 4, 8, 0, 5, 9], [5, 9]);
    // In mid-sentence a slow ear lets the caller wait for longer than the judge does.
    for (words, fades, from) in [
        (&long[..], Fades::Unsure, 700),
        (&long, Fades::Soft, 700),
        (&long, Fades::Slow(600), 900),
        (&short, Fades::Unsure, 100),
        (&short, Fades::Soft, 100),
        (&short, Fades::Slow(700), 750),
    ] {
        for until in (from..1_000).step_by(5) {
            let mut plan = silent_from(until, false, false);
            let mut last = plan.turns.remove(0);
            last.words = words.iter().map(|letters| (*letters, Mark::Nothing)).collect();
            let plan = third(last, Plan { fades, ..plan });
            assert_eq!(outcome(&plan), Ok(()), "{words:?}, {fades:?}, until {until}");
            let gap = longest_gap(&Call::of(&plan));
            let is_bounded = gap <= 700 || matches!(fades, Fades::Slow(_));
            assert!(is_bounded, "{words:?}, {fades:?}, until {until}: {gap} ms without a sound");
        }
    }
}

/// A third answer that is whole, and ends without silence.
fn whole_without_silence(written: Told, end: Told, fades: Fades) -> Call {
    let mut plan = silent_from(0, false, false);
    let mut last = plan.turns.remove(0);
    (last.writes.end, last.speaks.until, last.speaks.end) = (written, None, end);
    Call::of(&third(last, Plan { fades, ..plan }))
}

#[test]
fn v3_nobody_apologises_for_an_answer_that_was_heard_however_its_voice_ends() {
    let (soon, late) = (Told::Behind(0), Told::Behind(3_020));
    for (written, end) in
        [(Told::Never, Told::Never), (soon, Told::Never), (Told::Never, late), (late, Told::Never)]
    {
        for fades in [Fades::Never, Fades::Unsure, Fades::Soft, Fades::Slow(600)] {
            let call = whole_without_silence(written, end, fades);
            let case = format!("{written:?}, {end:?}, {fades:?}");
            assert_eq!(judge(&call, 60, true), Ok(()), "{case}");
            let history = call.session.history();
            assert!(!history.iter().any(|(_, text)| text.contains(SORRY)), "{case}: {history:?}");
        }
    }
}

#[test]
fn v3_nobody_apologises_for_a_long_answer_of_which_nobody_tells_that_it_is_written() {
    for pace in [100, 200, 300, 800] {
        for words in [12, 24] {
            let mut plan = silent_from(0, false, false);
            plan.turns.truncate(1);
            let turn = &mut plan.turns[0];
            turn.words = (0..words).map(|n| (3 + n % 5, Mark::Nothing)).collect();
            (turn.writes.end, turn.speaks.until, turn.speaks.end) = (Told::Never, None, Told::Never);
            turn.speaks.pace = pace;
            let history = Call::of(&plan).session.history();
            assert!(
                !history.iter().any(|(_, text)| text.contains(SORRY)),
                "{words} words at {pace} %: {history:?}"
            );
        }
    }
}

#[test]
fn v2_v3_a_service_that_goes_on_behind_a_slow_ear_says_nothing_again() {
    for ear_ms in [40, 300, 510, 600, 700] {
        for rest_ms in [2_000, 5_000, 8_000] {
            for mille in [720, 850, 900, 950] {
                let mut plan = silent_from(0, false, false);
                let mut last = plan.turns.remove(0);
                (last.speaks.until, last.speaks.end) = (None, Told::Never);
                last.speaks.rests = vec![(mille, rest_ms)];
                let call = Call::of(&third(last, Plan { fades: Fades::Slow(ear_ms), ..plan }));
                let case = format!("ear {ear_ms} ms, {rest_ms} ms behind {mille}");
                let all: u64 = sounds(&call.heard, RATE)
                    .iter()
                    .filter(|sound| sound.word as usize >= FIRST + 2 * 6)
                    .map(|sound| sound.ms)
                    .sum();
                let says = (FIRST + 12..FIRST + 18).zip([6, 4, 8, 0, 5, 9]).map(|(_, letters)| letters + 4);
                assert!(all <= says.sum::<u64>() * 60 + 100, "{case}: {all} ms\n{}", call.log.join("\n"));
            }
        }
    }
}

#[test]
fn v2_a_voice_that_stops_in_the_last_letters_of_an_inner_sentence_leaves_no_hole() {
    for missing in 1..=5 {
        let mut plan = silent_from(0, false, false);
        let mut last = plan.turns.remove(0);
        last.words = [6, 4, 8, 5, 5, 9, 7, 3, 4, 5, 6, 7].map(|letters| (letters, Mark::Nothing)).to_vec();
        last.words[6].1 = Mark::FullStop;
        let text = last.text(FIRST + 12);
        let letters = text.find('.').expect("a full stop") - missing;
        (last.speaks.piece_ms, last.speaks.pace) = (20, 100);
        last.speaks.until = Some((letters as u64 * 1000).div_ceil(text.len() as u64));
        let plan = third(last, plan);
        assert_eq!(outcome(&plan), Ok(()), "{missing}");
        let gap = longest_gap(&Call::of(&plan));
        assert!(gap <= 700, "{missing} letters before the end of a sentence: {gap} ms without a sound");
    }
}

#[test]
fn v2_an_ear_that_answers_when_the_pace_was_asked_already_is_believed() {
    for ear_ms in [200, 300, 400, 490] {
        for until in [720, 740] {
            let mut plan = silent_from(until, false, false);
            let last = plan.turns.remove(0);
            let plan = third(last, Plan { fades: Fades::Slow(ear_ms), ..plan });
            assert_eq!(outcome(&plan), Ok(()), "{ear_ms}, {until}");
            let gap = longest_gap(&Call::of(&plan));
            assert!(gap <= 700, "ear {ear_ms} ms, until {until}: {gap} ms without a sound");
        }
    }
}

#[test]
fn v3_an_end_that_is_told_while_the_ear_listens_is_believed() {
    for ms in (0..900).step_by(10) {
        let call = whole_without_silence(Told::Behind(0), Told::Behind(ms), Fades::Slow(490));
        assert!(
            !call.log.iter().any(|line| line.contains("the device says")),
            "{ms}: {}",
            call.log.join("\n")
        );
    }
}

#[test]
fn v2_words_that_trickle_in_behind_a_voice_that_fell_silent_are_said_where_it_stopped() {
    let end = Told::Behind(0);
    let turn = Turn {
        is_asked: false,
        words: vec![(6, Mark::Nothing), (6, Mark::Nothing)],
        writes: Writes { from_ms: 222, piece: 3, every_ms: 52, rests: vec![(0, 1_039)], end },
        speaks: Speaks {
            from_ms: 0,
            piece_ms: 10,
            pace: 91,
            rests: Vec::new(),
            until: Some(679),
            silence_ms: 0,
            end,
        },
        ..silent_from(0, true, false).turns.remove(0)
    };
    let plan = Plan { letter_ms: 62, ear_ms: 6, turns: vec![turn], ..silent_from(0, true, false) };
    assert_eq!(outcome(&plan), Ok(()));
}

#[test]
fn v2_a_service_that_rests_and_goes_on_does_not_keep_the_ear_busy() {
    let mut plan = silent_from(0, false, false);
    plan.turns.truncate(1);
    let speaks = &mut plan.turns[0].speaks;
    (speaks.piece_ms, speaks.pace, speaks.until, speaks.end) = (20, 130, None, Told::Never);
    speaks.rests = vec![(900, 340)];
    let call = Call::of(&plan);
    let asked = call.log.iter().filter(|line| line.contains("the ear")).count();
    assert!((1..=3).contains(&asked), "asked {asked} times: {}", call.log.join("\n"));
    assert_eq!(judge(&call, plan.letter_ms, plan.device_tells), Ok(()));
}

proptest! {
    // The same calls each time.
    #![proptest_config(ProptestConfig {
        failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default()
    })]

    #[test]
    fn v2_whatever_a_service_sends_each_word_is_heard_once_and_history_is_true(plan in plan()) {
        let outcome = outcome(&plan);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }

    #[test]
    fn v2_v5_an_ear_that_is_not_sure_loses_nothing_of_a_voice_whose_end_is_known(plan in plan(), is_soft in any::<bool>()) {
        let fades = if is_soft { Fades::Soft } else { Fades::Unsure };
        let outcome = outcome(&third(plan.turns[0].clone(), Plan { fades, ..plan }));
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}
