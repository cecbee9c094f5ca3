//! flite itself, which `scripts/setup` installs: where it is not there these tests fail and say what is missing.

use super::*;
use proptest::prelude::*;

fn voice(which: FliteVoice) -> Flite {
    Flite::open(FliteSettings { voice: which, speed: 1.0 }).unwrap_or_else(|error| panic!("{error}"))
}

fn speak(voice: &mut Flite, text: &str) -> (Result<Spoke, VoiceError>, Vec<i16>) {
    let mut all = Vec::new();
    let result = voice.speak(text, &mut |samples| {
        all.extend_from_slice(samples);
        ControlFlow::Continue(())
    });
    (result, all)
}

const SENTENCE: &str = "Thank you for calling, your appointment is Monday at nine.";

#[test]
fn every_voice_speaks_the_sentence_in_about_its_time() {
    for which in FliteVoice::ALL {
        let mut voice = voice(which);
        let (result, samples) = speak(&mut voice, SENTENCE);
        let seconds = samples.len() as f32 / RATE_HZ as f32;
        assert_eq!(result, Ok(Spoke::All));
        assert!((2.5..5.5).contains(&seconds), "{which:?}: {seconds} s");
        assert!(samples.iter().any(|x| x.abs() > 5_000));
    }
}

#[test]
fn the_same_words_give_the_same_samples_each_time() {
    for which in FliteVoice::ALL {
        let mut voice = voice(which);
        let [first, other, again] =
            [SENTENCE, "Another one.", SENTENCE].map(|text| speak(&mut voice, text).1);
        assert!(first == again && first != other, "{which:?}");
    }
}

#[test]
fn v2_in_a_hurry_the_quickest_of_the_voices_speaks_and_then_the_chosen_one_again() {
    let samples = |voice: &mut Flite| speak(voice, SENTENCE).1;
    let [chosen, quick] = [FliteVoice::Slt, FliteVoice::Kal16].map(|which| samples(&mut voice(which)));
    let mut voice = voice(FliteVoice::Slt);
    for (hurried, expected) in [(false, &chosen), (true, &quick), (true, &quick), (false, &chosen)] {
        voice.hurry(hurried);
        assert!(samples(&mut voice) == *expected, "hurried: {hurried}");
    }
}

#[test]
fn it_stops_in_the_call_that_says_so() {
    for which in FliteVoice::ALL {
        let mut voice = voice(which);
        let mut calls = 0;
        let result = voice.speak(SENTENCE, &mut |_| {
            calls += 1;
            if calls == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((result, calls), (Ok(Spoke::Stopped), 3), "{which:?}");
        assert_eq!(speak(&mut voice, "And again.").0, Ok(Spoke::All), "{which:?} goes on afterwards");
    }
}

/// The samples, and each character with the time from the start at which it ends, in milliseconds.
fn speak_placed(voice: &mut Flite, text: &str) -> (Vec<i16>, Vec<(char, f32, f32)>) {
    let (mut all, mut chars) = (Vec::<i16>::new(), Vec::new());
    let spoke = voice.speak_placed(text, &mut |samples, times| {
        let came_ms = all.len() as f32 * 1e3 / RATE_HZ as f32;
        let place = |time: &CharTime| (time.c, came_ms + time.at_ms as f32, came_ms + time.end_ms as f32);
        chars.extend(times.iter().map(place));
        all.extend_from_slice(samples);
        ControlFlow::Continue(())
    });
    assert_eq!(spoke, Ok(Spoke::All), "{text}");
    (all, chars)
}

/// The level of a stretch, against that of the whole.
fn level(samples: &[i16], from_ms: f32, to_ms: f32) -> f32 {
    let power =
        |part: &[i16]| part.iter().map(|&x| f32::from(x).powi(2)).sum::<f32>() / part.len().max(1) as f32;
    let at = |ms: f32| ((ms * RATE_HZ as f32 / 1e3) as usize).min(samples.len());
    (power(&samples[at(from_ms)..at(to_ms)]) / power(samples)).sqrt()
}

#[test]
fn v2_every_character_has_its_time_and_the_last_ends_with_the_sound() {
    for which in FliteVoice::ALL {
        for speed in [1.0, 1.6] {
            let mut voice = Flite::open(FliteSettings { voice: which, speed }).expect("it is there");
            for text in
                [SENTENCE, "It’s 25 € — or $3.50, at 9:30 a.m. on 5/12 (isn't it?)", "Café, 1,234 times."]
            {
                let (samples, chars) = speak_placed(&mut voice, text);
                let written: String = text.split_whitespace().collect();
                assert_eq!(chars.iter().map(|(c, ..)| *c).collect::<String>(), written);
                let in_order = chars.windows(2).all(|pair| pair[0].1 <= pair[1].1 + 1.0);
                assert!(in_order && chars.iter().all(|(_, from, to)| from <= to), "{which:?}: {chars:?}");
                let sounds: Vec<usize> = (0..samples.len()).filter(|&i| samples[i].abs() > 400).collect();
                let ms = |i: usize| i as f32 * 1e3 / RATE_HZ as f32;
                let (first, last) = (ms(sounds[0]), ms(sounds[sounds.len() - 1]));
                let (starts, ends) = (chars[0].1, chars[chars.len() - 1].2);
                assert!((starts - first).abs() < 90.0, "{which:?}: begins at {first}, told {starts}");
                assert!((ends - last).abs() < 90.0, "{which:?}: ends at {last}, told {ends}");
            }
        }
    }
}

#[test]
fn v2_a_pause_that_is_heard_lies_between_the_words_that_it_parts() {
    for which in FliteVoice::ALL {
        let (samples, chars) = speak_placed(&mut voice(which), "Remember the number, tomorrow is too late.");
        let comma = chars.iter().position(|(c, ..)| *c == ',').expect("it is there");
        let (from, to) = (chars[comma].2, chars[comma + 1].1);
        assert!(to - from > 40.0, "{which:?}: {from} to {to}");
        let (inside, word) = (level(&samples, from + 10.0, to - 10.0), level(&samples, from - 200.0, from));
        assert!(inside < 0.1 && word > 0.3, "{which:?}: {inside} in the pause, {word} before it");
    }
}

#[test]
fn speed_changes_the_length() {
    let mut normal = voice(FliteVoice::Slt);
    let mut fast = Flite::open(FliteSettings { voice: FliteVoice::Slt, speed: 1.5 }).expect("it is loaded");
    let (slow, quick) = (speak(&mut normal, SENTENCE).1.len(), speak(&mut fast, SENTENCE).1.len());
    assert!((quick as f32) < slow as f32 * 0.75, "{slow} and {quick}");
    assert_eq!(speak(&mut normal, SENTENCE).1.len(), slow, "one voice's speed is not the other's");
}

#[test]
fn a_panic_in_the_sink_comes_out_and_leaves_the_voice_usable() {
    let mut voice = voice(FliteVoice::Kal16);
    let caught = catch_unwind(AssertUnwindSafe(|| voice.speak(SENTENCE, &mut |_| panic!("in the sink"))));
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"in the sink"));
    assert_eq!(speak(&mut voice, SENTENCE).0, Ok(Spoke::All));
}

#[test]
fn threads_take_turns() {
    // Lengths: slt's noise goes on from sentence to sentence, so that no two are alike to the sample.
    let mut alone = voice(FliteVoice::Slt);
    let expected = speak(&mut alone, SENTENCE).1.len();
    let threads: Vec<_> =
        (0..4).map(|_| std::thread::spawn(|| speak(&mut voice(FliteVoice::Slt), SENTENCE).1.len())).collect();
    for thread in threads {
        assert_eq!(thread.join().expect("no panic"), expected);
    }
}

#[test]
fn odd_text_is_spoken_or_refused_and_never_harms() {
    let mut voice = voice(FliteVoice::Kal16);
    for text in ["a", "7", "...hello...", "café €5", "<b>", "\"(a", "x\0y", "http://example.com/?a=b&c=%20"]
    {
        assert_eq!(speak(&mut voice, text).0, Ok(Spoke::All), "{text:?}");
    }
    for text in ["", "...", "你好", "\0"] {
        assert_eq!(speak(&mut voice, text).0, Err(VoiceError::Unspeakable), "{text:?}");
    }
    assert_eq!(speak(&mut voice, &"long ".repeat(400)).0, Ok(Spoke::All));
    assert!(matches!(speak(&mut voice, &"a".repeat(17_000)).0, Err(VoiceError::TooLong { .. })));
}

#[test]
fn words_without_an_end_do_not_harm() {
    let mut voice = voice(FliteVoice::Kal16);
    for unit in ["a", "9", "x-", "a.b.", "$1,", "(((a", "'s", "Q"] {
        assert_eq!(speak(&mut voice, &unit.repeat(600 / unit.len())).0, Ok(Spoke::All), "{unit:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_of_a_sentence_harms(text in "\\PC{0,120}|[ -~]{0,200}") {
        let result = speak(&mut voice(FliteVoice::Kal16), &text).0;
        let speakable = matches!(result, Ok(Spoke::All) | Err(VoiceError::FliteFailed | VoiceError::Unspeakable));
        prop_assert!(speakable, "{:?}", result);
    }
}

#[test]
fn a_library_that_is_not_there_says_what_to_install() {
    let error = open_library("libflite-not-here.so").unwrap_err();
    assert!(error.to_string().contains("libflite-not-here.so"), "{error}");
    assert!(error.to_string().ends_with("apt-get install libflite1"), "{error}");
}
