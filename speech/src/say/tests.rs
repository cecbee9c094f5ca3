//! What is said, heard by a voice made of tones.

use super::*;

/// Says one tone for each piece of text, so many frames a character, with silence around it; says nothing in
/// Chinese.
struct Voiced(usize);

/// 60 ms a character, which is normal to it.
const TONES: Voiced = Voiced(960);

impl Voice for Voiced {
    fn name(&self) -> &str {
        "tones"
    }
    fn rate_hz(&self) -> u32 {
        16_000
    }
    fn normal_chars_per_s(&self) -> f32 {
        1000.0 / 60.0
    }
    fn speak(&mut self, text: &str, sink: crate::voice::Sink<'_>) -> Result<Spoke, VoiceError> {
        if !text.is_ascii() {
            return Err(VoiceError::Unspeakable);
        }
        let loud = text.len() * self.0;
        let mut all = vec![2i16; 3_200];
        all.extend((0..loud).map(|i| if i % 40 < 20 { 6_000 } else { -6_000 }));
        all.extend([-2; 4_000]);
        for samples in all.chunks(400) {
            if sink(samples).is_break() {
                return Ok(Spoke::Stopped);
            }
        }
        Ok(Spoke::All)
    }
}

fn run(text: &str) -> (Report, Vec<i16>, Vec<String>) {
    let (mut audio, mut sentences) = (Vec::new(), Vec::new());
    let report = say(text, &SaySettings::default(), &mut { TONES }, &mut |said| {
        match said {
            Said::Audio(samples) => audio.extend_from_slice(samples),
            Said::Sentence { number, text } => sentences.push(format!("{number} {text}")),
            Said::Unspeakable(_) | Said::Rest(_) => {}
        }
        ControlFlow::Continue(())
    });
    (report.expect("tones never fail"), audio, sentences)
}

/// Frames before `at` and from `at` on without sound, whatever lies there below -48 dB.
fn silence_around(audio: &[i16], at: usize) -> (usize, usize) {
    let quiet = |x: &&i16| x.unsigned_abs() <= 130;
    (audio[..at].iter().rev().take_while(quiet).count(), audio[at..].iter().take_while(quiet).count())
}

#[test]
fn rests_are_heard_as_long_as_they_were_drawn() {
    let (report, audio, sentences) = run("Well, this is one. Is this two? Three! It is *really* four.");
    assert_eq!(sentences.len(), 4);
    assert_eq!(report.frames, audio.len() as u64);
    let kinds: Vec<_> = report.rests.iter().map(|rest| rest.kind.expect("no tags here")).collect();
    use PauseKind::{Comma, Emphasis, FullStop, Question, Sentence};
    assert_eq!(kinds, [Comma, FullStop, Question, Sentence, Emphasis]);
    for rest in &report.rests {
        let (before, after) = silence_around(&audio, rest.at_frame as usize + 100);
        let heard = (before + after) as u64;
        assert!((rest.frames..=rest.frames + 32).contains(&heard), "{heard} of {rest:?}");
    }
}

#[test]
fn progress_comes_before_the_sound_it_speaks_of() {
    let mut events = Vec::new();
    let result = say("One. Two.", &SaySettings::default(), &mut { TONES }, &mut |said| {
        events.push(match said {
            Said::Sentence { text, .. } => text.to_owned(),
            Said::Audio(samples) if samples.iter().any(|x| x.abs() > 5_000) => "tone".to_owned(),
            Said::Audio(_) => "silence".to_owned(),
            Said::Rest(_) => "rest".to_owned(),
            Said::Unspeakable(_) => "unspeakable".to_owned(),
        });
        ControlFlow::Continue(())
    });
    assert!(result.is_ok());
    events.dedup();
    assert_eq!(events, ["One.", "silence", "tone", "rest", "silence", "Two.", "silence", "tone", "silence"]);
}

#[test]
fn it_stops_at_once_wherever_the_listener_breaks_off() {
    for stop_at in 1..80 {
        let (mut count, mut broken, mut late) = (0, false, 0);
        let report = say("One, two. [sigh] Three.", &SaySettings::default(), &mut { TONES }, &mut |_| {
            late += usize::from(broken);
            count += 1;
            broken = count >= stop_at;
            if broken { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(late, 0, "called again after call {stop_at}");
        assert_eq!(report.expect("tones never fail").stopped, broken);
    }
}

#[test]
fn what_the_voice_cannot_say_is_counted_and_the_rest_is_said() {
    let (report, audio, sentences) = run("One. 你好。 Two.");
    assert_eq!((report.unspeakable, sentences.len()), (1, 3));
    assert!(audio.iter().filter(|x| x.abs() > 5_000).count() == 8 * 960);
}

#[test]
fn a_seed_says_it_the_same_way_and_another_does_not() {
    let with = |seed| {
        let settings = SaySettings { seed, ..SaySettings::default() };
        say("One, two. Three?", &settings, &mut { TONES }, &mut |_| ControlFlow::Continue(()))
            .map(|r| r.rests)
    };
    assert_eq!(with(5), with(5));
    assert_ne!(with(5), with(6));
}

#[test]
fn a_hurried_voice_gets_short_pauses() {
    let text = "This sentence is long enough to be measured by the meter. ".repeat(20);
    let rests = |frames_a_char| {
        let mut voice = Voiced(frames_a_char);
        let report = say(&text, &SaySettings::default(), &mut voice, &mut |_| ControlFlow::Continue(()));
        report.map(|report| (report.rate, report.rests.last().map_or(0, |rest| rest.frames)))
    };
    let (normal, hurried) = (rests(960).expect("it speaks"), rests(640).expect("it speaks"));
    assert_eq!(normal.0, 1.0);
    assert!((hurried.0 - 1.5).abs() < 0.05, "{hurried:?}");
    assert!((normal.1 as f32 / hurried.1 as f32 - hurried.0).abs() < 0.01, "{normal:?} {hurried:?}");
}

#[test]
fn a_wav_file_comes_out_whole_or_not_at_all() {
    let mut file = Vec::new();
    let listener = &mut |_: Said<'_>| ControlFlow::Continue(());
    let report = say_to_wav("One.", &SaySettings::default(), &mut { TONES }, &mut file, listener)
        .expect("it can be said");
    assert_eq!(file.len() as u64, 44 + 2 * report.frames);
    let mut samples = Vec::new();
    assert_eq!(wav::PcmStream::wav(16_000).put(&file, &mut samples), Ok(()));
    assert_eq!(samples.len() as u64, report.frames);

    // With a rest between two parts, or a breath, still nothing of the text is said.
    for text in ["你好。", "你好, 你好。", "[breath] 你好。"] {
        let mut nothing = Vec::new();
        let result = say_to_wav(text, &SaySettings::default(), &mut { TONES }, &mut nothing, listener);
        let unspeakable = Err(SayError::Voice(VoiceError::Unspeakable));
        assert_eq!((result.map(|_| ()), nothing.len()), (unspeakable, 0), "{text}");
    }
    // A breath alone is what was asked for.
    let breath = say_to_wav("[breath]", &SaySettings::default(), &mut { TONES }, &mut Vec::new(), listener);
    assert!(breath.is_ok(), "{breath:?}");
}
