//! Lengths to the frame, and no edges.

use super::*;
use proptest::prelude::*;

const RATE_HZ: u32 = 16_000;

/// A phrase of the voice: silence with some noise in it, a tone, silence.
fn phrase(before: usize, loud: usize, after: usize) -> Vec<i16> {
    let hiss = |i: usize| ((i * 7919) % 41) as i16 - 20;
    let tone = |i: usize| if i.is_multiple_of(2) { 8_000 } else { -8_000 };
    (0..before).map(hiss).chain((0..loud).map(tone)).chain((0..after).map(hiss)).collect()
}

fn join(parts: &[Part], piece: usize) -> Vec<i16> {
    let mut out = Vec::new();
    let mut sink = |samples: &[i16]| {
        out.extend_from_slice(samples);
        ControlFlow::Continue(())
    };
    let mut joiner = Joiner::new(RATE_HZ);
    for part in parts {
        match part {
            Part::Phrase(samples) => {
                for samples in samples.chunks(piece) {
                    let _ = joiner.put(samples, &mut sink);
                }
                let _ = joiner.end_phrase(&mut sink);
            }
            Part::Rest(frames) => {
                let rest = RestSound { frames: *frames, breath_at: 0, breath: Vec::new() };
                let _ = joiner.rest(&rest, &mut sink);
            }
            Part::Breath(frames, breath) => {
                let rest = RestSound { frames: *frames, breath_at: 800, breath: breath.clone() };
                let _ = joiner.rest(&rest, &mut sink);
            }
        }
    }
    let _ = joiner.finish(&mut sink);
    assert_eq!(joiner.after_sound(), out.len() as u64);
    out
}

#[derive(Debug)]
enum Part {
    Phrase(Vec<i16>),
    Rest(usize),
    Breath(usize, Vec<i16>),
}

/// What the window of the loudness may add to a sound at its end.
const WINDOW: usize = 32;

/// Above this it is one of our tones.
const TONE: u16 = 1_000;

/// Each length as expected, or longer by the window where the ruler sees the end of a sound before it does.
fn assert_near(runs: &[usize], expected: &[usize], what: &str) {
    assert_eq!(runs.len(), expected.len(), "{what}: {runs:?}");
    let near =
        runs.iter().zip(expected).all(|(&run, &expected)| (expected..=expected + WINDOW).contains(&run));
    assert!(near, "{what}: {runs:?}, expected {expected:?}");
}

/// Lengths of the runs of sound and of quiet between them, sound first.
fn runs(samples: &[i16]) -> Vec<usize> {
    let loud: Vec<usize> = (0..samples.len()).filter(|&i| samples[i].unsigned_abs() > TONE).collect();
    let mut runs = Vec::new();
    let mut begun = loud.first().copied().unwrap_or(0);
    for pair in loud.windows(2) {
        if pair[1] - pair[0] > 1 {
            runs.extend([pair[0] + 1 - begun, pair[1] - pair[0] - 1]);
            begun = pair[1];
        }
    }
    runs.push(loud.last().map_or(0, |last| last + 1 - begun));
    runs
}

#[test]
fn c5_a_stream_begins_with_enough_to_play_until_the_next_piece_comes() {
    let begun = |loud_ms: usize| {
        let mut out = Vec::new();
        let piece = phrase(176 * 16, loud_ms * 16, 0);
        let mut joiner = Joiner::new(RATE_HZ);
        let _ = joiner.put(&piece, &mut |samples| {
            out.extend_from_slice(samples);
            ControlFlow::Continue(())
        });
        (out.len() / 16, out.iter().position(|x| x.unsigned_abs() > TONE).unwrap() / 16)
    };
    // Of the sound what a fade may need stays back. Silence makes up what is missing, and no more than that.
    assert_eq!(begun(24), (40, 20));
    assert_eq!(begun(44), (48, 8));
    assert_eq!(begun(150), (154, 8));
}

#[test]
fn a_rest_lasts_from_sound_to_sound_to_the_frame() {
    let parts =
        [Part::Phrase(phrase(3_000, 5_000, 4_000)), Part::Rest(6_400), Part::Phrase(phrase(900, 4_000, 100))];
    for piece in [1, 7, 160, 400, 20_000] {
        let all = join(&parts, piece);
        assert_near(&runs(&all), &[5_000, 6_400, 4_000], &format!("in pieces of {piece}"));
    }
}

#[test]
fn a_voice_without_margins_still_gets_its_rest_and_a_fade() {
    let parts = [Part::Phrase(phrase(0, 5_000, 0)), Part::Rest(3_200), Part::Phrase(phrase(0, 4_000, 0))];
    let all = join(&parts, 400);
    let gap = runs(&all)[1];
    // The fade takes sound away, never the rest.
    assert!((3_200..3_270).contains(&gap), "{gap}");
    let end = all.iter().take(5_000).rposition(|&x| x != 0).unwrap_or(0);
    assert!(all[end].unsigned_abs() < 400, "it stops at {}", all[end]);
}

#[test]
fn phrases_without_a_rest_are_cross_faded() {
    let parts = [Part::Phrase(phrase(800, 2_000, 800)), Part::Phrase(phrase(800, 2_000, 800))];
    let all = join(&parts, 100);
    assert_near(&runs(&all), &[2_000, 128, 2_000], "8 ms of tail with the 8 ms of lead upon them");
    let end = all.iter().position(|x| x.unsigned_abs() > TONE).unwrap_or(0) + 2_000;
    let seam = &all[end + 1..end + 128];
    assert!(seam.iter().all(|x| x.abs() <= 20), "the noise of the two sides does not add up");
}

#[test]
fn a_breath_lies_inside_of_its_rest() {
    let breath = vec![5_000; 2_400];
    let parts = [
        Part::Phrase(phrase(800, 2_000, 800)),
        Part::Breath(6_400, breath),
        Part::Phrase(phrase(800, 2_000, 800)),
    ];
    assert_near(&runs(&join(&parts, 100)), &[2_000, 800, 2_400, 3_200, 2_000], "breath");
}

#[test]
fn quiet_that_is_let_out_is_a_part_of_the_rest_that_follows_and_of_no_sound() {
    let mut out = Vec::new();
    let mut sink = |samples: &[i16]| {
        out.extend_from_slice(samples);
        ControlFlow::Continue(())
    };
    let mut joiner = Joiner::new(RATE_HZ);
    // While it sounds there is nothing to let out.
    let _ = joiner.put(&phrase(0, 1_000, 0), &mut sink);
    let before = joiner.end();
    let _ = joiner.let_quiet_out(500, &mut sink);
    let _ = joiner.put(&phrase(0, 1_000, 1_600), &mut sink);
    for frames in [0, 100, 900, 20_000] {
        let _ = joiner.let_quiet_out(frames, &mut sink);
    }
    // More of it comes, and a fade stays back.
    let _ = joiner.put(&phrase(0, 0, 400), &mut sink);
    let _ = joiner.let_quiet_out(20_000, &mut sink);
    let (_, frames) = joiner.end_phrase(&mut sink);
    let quiet = joiner.quiet_out();
    assert!((2_000..=2_000 + WINDOW as u64).contains(&frames), "{frames}");
    assert_eq!((joiner.after_sound(), before), (frames, 1_000));
    assert!((1_900..2_000).contains(&quiet), "{quiet}");
    let _ = joiner.let_quiet_out(500, &mut sink);
    let _ = joiner.rest(&RestSound { frames: 640, breath_at: 0, breath: Vec::new() }, &mut sink);
    let _ = joiner.put(&phrase(100, 1_000, 0), &mut sink);
    let _ = joiner.end_phrase(&mut sink);
    assert_eq!(joiner.quiet_out(), 0);
    let _ = joiner.finish(&mut sink);
    assert_near(&runs(&out)[..2], &[2_000, quiet + 640], "sound and rest");
}

#[test]
fn pauses_of_the_voice_inside_a_phrase_stay() {
    let mut two = phrase(100, 2_000, 4_800);
    two.extend(phrase(0, 1_000, 50));
    assert_eq!(runs(&join(&[Part::Phrase(two)], 400)), [2_000, 4_800, 1_000]);
    let mut endless = phrase(0, 100, 200_000);
    endless.extend(phrase(0, 100, 0));
    let all = join(&[Part::Phrase(endless)], 400);
    assert_eq!(runs(&all)[1], 200_000, "a long one too, without being held");
}

#[test]
fn a_phrase_without_a_sound_leaves_no_trace() {
    let parts = [
        Part::Phrase(phrase(800, 2_000, 800)),
        Part::Rest(3_200),
        Part::Phrase(vec![3; 5_000]),
        Part::Phrase(phrase(800, 2_000, 800)),
    ];
    assert_near(&runs(&join(&parts, 100)), &[2_000, 3_200, 2_000], "the first rest only");
}

proptest! {
    #[test]
    fn any_phrases_and_rests_come_out_whole_and_in_bounds(
        phrases in prop::collection::vec((0usize..2_000, 100usize..2_000, 0usize..2_000, 700usize..9_000), 1..6),
        piece in 1usize..900,
    ) {
        let parts: Vec<Part> = phrases.iter().flat_map(|&(before, loud, after, rest)| {
            [Part::Phrase(phrase(before, loud, after)), Part::Rest(rest)]
        }).collect();
        let all = join(&parts, piece);
        let runs = runs(&all);
        prop_assert_eq!(runs.len(), 2 * phrases.len() - 1);
        for (i, &(_, _, _, rest)) in phrases.iter().enumerate().take(phrases.len() - 1) {
            prop_assert!((rest..rest + 100).contains(&runs[2 * i + 1]), "{} asked, {} came", rest, runs[2 * i + 1]);
        }
    }
}
