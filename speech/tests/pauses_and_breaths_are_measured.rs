//! C3 and C4, measured in the audio of a hundred sentences: how long pauses and breaths are, as heard, against
//! the ranges that they must keep. Prints the table of `docs/spoken-text.md`:
//!
//! ```text
//! cargo test -p offhook-speech --test pauses_and_breaths_are_measured -- --include-ignored --nocapture
//! ```
//!
//! Without `--include-ignored` the slow voices speak the first part only, and the fast one all hundred: the ranges
//! are the same, a hundred sentences of a slow voice take minutes on a slow machine. `make test-long` runs them.
#![expect(clippy::print_stderr, reason = "the table is printed")]

use offhook_speech::breath::BreathKind;
use offhook_speech::say::{Placed, Report, Said, SaySettings, say};
use offhook_speech::text::{PauseKind, PauseTable};
use offhook_speech::voice::flite::{Flite, FliteSettings, FliteVoice};
use offhook_speech::voice::{Sink, Spoke, Voice, VoiceError};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

const SENTENCES: &str = include_str!("data/hundred-sentences.txt");

/// What a slow voice speaks every time: a paragraph that holds every kind of pause.
fn first_part() -> &'static str {
    let end = SENTENCES.find("Let me check").unwrap_or(SENTENCES.len());
    SENTENCES.get(..end).unwrap_or(SENTENCES)
}

/// Quieter than this is silence to the ruler: -46 dB below full scale, over 2 ms.
const QUIET_RMS: f32 = 164.0;

/// What the ruler may err: half a window at each end.
const RULER_MS: f32 = 2.0;

/// One soft tone for each piece of text, 65 ms a character, with a voice's silence around it.
struct Tones;

impl Voice for Tones {
    fn name(&self) -> &str {
        "tones"
    }
    fn rate_hz(&self) -> u32 {
        16_000
    }
    fn normal_chars_per_s(&self) -> f32 {
        1000.0 / 65.0
    }
    fn speak(&mut self, text: &str, sink: Sink<'_>) -> Result<Spoke, VoiceError> {
        let loud = text.chars().count() * 1_040;
        let tone = (0..loud).map(|i| if i % 80 < 40 { 5_000 } else { -5_000 });
        let all: Vec<i16> = std::iter::repeat_n(3, 3_000).chain(tone).chain([-3; 4_000]).collect();
        for samples in all.chunks(400) {
            if sink(samples).is_break() {
                return Ok(Spoke::Stopped);
            }
        }
        Ok(Spoke::All)
    }
}

/// The last window with a sound before `from`, and the first one from `to` on, as frames.
fn sounds_around(audio: &[i16], from: usize, to: usize, window: usize) -> Option<(usize, usize)> {
    let loud = |at: usize| {
        let part = &audio[at..(at + window).min(audio.len())];
        part.iter().map(|&x| f32::from(x).powi(2)).sum::<f32>() / part.len() as f32 > QUIET_RMS * QUIET_RMS
    };
    let before = (window..=from).rev().find(|&end| loud(end - window))?;
    let after = (to..audio.len() - window).find(|&at| loud(at))?;
    Some((before, after))
}

/// How many frames the breath in a pause has, as heard: from its loudest place outwards to a stretch of zeros at
/// each side. Its very ends are below one step of 16 bits and are not counted.
fn breath_length(pause: &[i16], zeros: usize) -> usize {
    let margin = pause.len() / 10;
    let inside = &pause[margin..pause.len() - margin];
    let peak =
        margin + inside.iter().enumerate().max_by_key(|(_, x)| x.unsigned_abs()).map_or(0, |(at, _)| at);
    let empty = |part: &[i16]| part.iter().all(|&x| x == 0);
    let start = (0..=peak - zeros).rev().find(|&at| empty(&pause[at..at + zeros])).map_or(0, |at| at + zeros);
    let end = (peak..=pause.len() - zeros).find(|&at| empty(&pause[at..at + zeros])).unwrap_or(pause.len());
    end - start
}

struct Measured {
    report: Report,
    /// What each pause stands for, and how long it is heard, in ms.
    pauses: Vec<(PauseKind, f32)>,
    /// The same for breaths.
    breaths: Vec<(BreathKind, f32)>,
    /// Pauses that a tag made longer.
    widened: usize,
}

fn measure(text: &str, voice: &mut dyn Voice) -> Measured {
    let mut audio = Vec::new();
    let report = say(text, &SaySettings::default(), voice, &mut |said| {
        if let Said::Audio(samples) = said {
            audio.extend_from_slice(samples);
        }
        ControlFlow::Continue(())
    })
    .expect("the voice speaks");
    let ms = |frames: usize| frames as f32 * 1000.0 / report.rate_hz as f32;
    let window = report.rate_hz as usize / 500;
    let mut measured =
        Measured { pauses: Vec::new(), breaths: Vec::new(), widened: 0, report: report.clone() };
    for &Placed { kind, at_frame, frames, breath } in &report.rests {
        let (from, to) = (at_frame as usize, (at_frame + frames) as usize);
        // The ruler starts a little inside of the pause, so that it finds its edges by itself.
        let slack = report.rate_hz as usize / 200;
        let Some((last, first)) = sounds_around(&audio, from + slack, to - slack, window) else { continue };
        if let Some((breath, frames)) = breath {
            let heard = breath_length(&audio[from..to], report.rate_hz as usize / 300);
            assert!(
                heard.abs_diff(frames as usize) < report.rate_hz as usize / 150,
                "{heard} heard of {frames}"
            );
            measured.breaths.push((breath, ms(heard)));
            let high = kind.map_or(0, |kind| PauseTable::default().range(kind).high_ms());
            if ms(to - from) > high as f32 {
                measured.widened += 1;
                continue;
            }
        }
        if let Some(kind) = kind {
            // Each window reaches over its edge by half of its length.
            measured.pauses.push((kind, ms(first + window - last)));
        }
    }
    measured
}

fn row(name: &str, (low, high): (f32, f32), lengths: &[f32]) {
    let mean = lengths.iter().sum::<f32>() / lengths.len().max(1) as f32;
    let least = lengths.iter().copied().fold(f32::MAX, f32::min);
    let most = lengths.iter().copied().fold(0.0, f32::max);
    let count = lengths.len();
    eprintln!("| {name} | {low:.0} to {high:.0} | {count} | {least:.0} | {mean:.0} | {most:.0} |");
}

/// Prints the table and holds every length against its range, widened by what the ruler may err.
fn check(text: &str, voice: &mut dyn Voice) -> Measured {
    let measured = measure(text, voice);
    let seconds = measured.report.frames / u64::from(measured.report.rate_hz);
    let rests: u64 = measured.report.rests.iter().map(|rest| rest.frames).sum();
    let spoken_s = (measured.report.frames - rests) as f32 / measured.report.rate_hz as f32;
    let pace = text.chars().count() as f32 / spoken_s;
    let Report { sentences, rate, .. } = measured.report.clone();
    eprintln!(
        "\n{}: {sentences} sentences, {seconds} s, {pace:.1} characters a second, rate {rate}",
        voice.name()
    );
    eprintln!("| | range, ms | count | shortest | mean | longest |\n|---|---|---|---|---|---|");
    let mut pauses: BTreeMap<&str, (PauseKind, Vec<f32>)> = BTreeMap::new();
    for &(kind, ms) in &measured.pauses {
        pauses.entry(kind.name()).or_insert((kind, Vec::new())).1.push(ms);
    }
    assert_eq!(pauses.len(), PauseKind::ALL.len(), "every kind of pause occurs");
    let mut outside = Vec::new();
    for (name, (kind, lengths)) in &pauses {
        let range = PauseTable::default().range(*kind);
        let (low, high) = (range.low_ms() as f32, range.high_ms() as f32);
        row(&format!("pause: {name}"), (low, high), lengths);
        outside.extend(
            lengths.iter().filter(|&&ms| ms < low - RULER_MS || ms > high + RULER_MS).map(|ms| (*name, *ms)),
        );
    }
    for kind in BreathKind::ALL {
        let lengths: Vec<f32> = measured.breaths.iter().filter(|b| b.0 == kind).map(|b| b.1).collect();
        if !lengths.is_empty() {
            row(&format!("breath: {kind}"), (100.0, 300.0), &lengths);
        }
        outside
            .extend(lengths.iter().filter(|ms| !(96.0..=300.0).contains(*ms)).map(|ms| (kind.name(), *ms)));
    }
    eprintln!("pauses that a tag made longer than their range: {}", measured.widened);
    assert!(outside.is_empty(), "outside of their ranges: {outside:?}");
    measured
}

/// [`check`] over all of the sentences.
fn check_hundred(voice: &mut dyn Voice) {
    let measured = check(SENTENCES, voice);
    assert_eq!(measured.report.sentences, 100);
    assert!(measured.breaths.len() >= 8, "{} breaths", measured.breaths.len());
}

/// The voice, which `scripts/setup` installs.
fn flite(voice: FliteVoice) -> Flite {
    Flite::open(FliteSettings { voice, speed: 1.0 }).unwrap_or_else(|error| panic!("{error}"))
}

/// A voice that is weighed: the energy of all that it delivers.
struct Weighed<'a> {
    voice: &'a mut dyn Voice,
    energy: f64,
}

fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|&x| f64::from(x).powi(2)).sum()
}

impl Voice for Weighed<'_> {
    fn name(&self) -> &str {
        self.voice.name()
    }
    fn rate_hz(&self) -> u32 {
        self.voice.rate_hz()
    }
    fn normal_chars_per_s(&self) -> f32 {
        self.voice.normal_chars_per_s()
    }
    fn speak(&mut self, text: &str, sink: Sink<'_>) -> Result<Spoke, VoiceError> {
        let Self { voice, energy: all } = self;
        voice.speak(text, &mut |samples| {
            *all += energy(samples);
            sink(samples)
        })
    }
}

/// How much of the voice's energy is not in what was said.
fn lost_energy(text: &str, voice: &mut dyn Voice) -> f64 {
    let mut settings = SaySettings::default();
    settings.plan.breath_level.level_db = -90.0; // nearly none: only the voice is weighed
    let mut weighed = Weighed { voice, energy: 0.0 };
    let mut kept = 0.0;
    let report = say(text, &settings, &mut weighed, &mut |said| {
        if let Said::Audio(samples) = said {
            kept += energy(samples);
        }
        ControlFlow::Continue(())
    });
    assert!(report.is_ok());
    let lost = 1.0 - kept / weighed.energy;
    eprintln!("{}: {:.4} % of its energy was trimmed", weighed.name(), lost * 100.0);
    lost
}

#[test]
fn c2_what_is_trimmed_and_faded_is_not_speech() {
    // A few phrases of the roughest voice: it is the same work for each.
    let text: String = SENTENCES.chars().take(300).collect();
    let lost = lost_energy(&text, &mut flite(FliteVoice::Kal16));
    assert!(lost < 1e-4, "{lost}");
}

#[test]
fn c3_c4_a_hundred_sentences_of_tones_keep_every_range() {
    check_hundred(&mut Tones);
}

#[test]
fn c3_c4_a_hundred_sentences_of_flite_keep_every_range() {
    // The roughest voice, which is ten times as fast as the others.
    check_hundred(&mut flite(FliteVoice::Kal16));
}

#[test]
fn c3_c4_the_clearest_voice_keeps_every_range() {
    let measured = check(first_part(), &mut flite(FliteVoice::Slt));
    assert!(measured.report.sentences >= 10, "{} sentences", measured.report.sentences);
    assert!(!measured.breaths.is_empty(), "it breathes");
}

#[test]
#[ignore = "a hundred sentences of every voice: minutes on a slow machine; `make test-long` runs it, and CI"]
fn c2_c3_c4_every_voice_keeps_every_range_over_a_hundred_sentences() {
    let text: String = SENTENCES.chars().take(1_500).collect();
    for mut voice in FliteVoice::ALL.map(flite) {
        check_hundred(&mut voice);
        let lost = lost_energy(&text, &mut voice);
        assert!(lost < 1e-4, "{}: {lost}", voice.name());
    }
}
