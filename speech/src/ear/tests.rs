//! The ear on voices of flite that are broken off anywhere: where their words truly lie is known.

use super::*;
use crate::random::Random;
use crate::voice::command::{Command, CommandSettings};

/// Those of the pause table.
const TEXT: &str = include_str!("../../tests/data/hundred-sentences.txt");
/// So many of them, each broken off so often.
const COUNT: usize = 40;
const CUTS: usize = 8;

fn ear() -> Ear {
    Ear::open().expect("scripts/setup installs flite")
}

/// Sentences to hear.
pub(crate) fn sentences() -> Vec<String> {
    let text = TEXT.replace('*', "");
    let whole = |text: &&str| text.split_whitespace().count() >= 7 && !text.contains(['[', '<', '\n', ':']);
    let sentences = text.split_inclusive(['.', '?', '!', '\n']).map(str::trim).filter(whole);
    sentences.take(COUNT).map(str::to_owned).collect()
}

/// From when to when each word is spoken.
fn spoken(text: &str, times: &[CharTime]) -> Vec<(u32, u32)> {
    let mut chars = times.iter();
    let mut word = |word: &str| {
        let times: Vec<_> = chars.by_ref().take(word.chars().count()).collect();
        (times[0].at_ms, times[times.len() - 1].end_ms)
    };
    text.split_whitespace().map(&mut word).collect()
}

/// How well the cuts of a voice were told.
#[derive(Debug, Default)]
struct Told {
    cuts: usize,
    /// Where the kept sound ends, the next word is the one that is said next.
    right: usize,
    /// By how many words the others are wrong.
    most_wrong: usize,
    /// Words that had come whole and are said again by another voice, unheard.
    left: usize,
}

#[allow(clippy::print_stdout, reason = "a figure that the manual states")]
fn tell(ear: &mut Ear, voice: Box<dyn Voice>, rate_hz: u32) -> Told {
    let (mut told, mut random, mut voice) = (Told::default(), Random::new(11), Ear::with(voice));
    for text in sentences() {
        let (sound, times) = voice.speak(&text).expect("it tells where its words are");
        let words = spoken(&text, &times);
        for _ in 0..CUTS {
            let cut_ms = random.whole_between(words[0].0 + 300, (sound.len() / 8) as u32);
            let mut line = Resampler::new(RATE_HZ, rate_hz);
            let mut cut = Vec::new();
            line.put(&sound[..cut_ms as usize * 8], &mut cut);
            let placed = ear.place(&text, &cut, rate_hz).unwrap_or_else(|| panic!("{text:?} at {cut_ms} ms"));
            let placed = placed.words;
            let kept_ms = placed.last().map_or(0, |word| word.at_ms);
            let next = words
                .iter()
                .position(|(from, to)| u32::midpoint(*from, *to) > kept_ms)
                .unwrap_or(words.len());
            let came = words.iter().take_while(|(_, to)| *to < cut_ms).count();
            told.cuts += 1;
            told.right += usize::from(next == placed.len());
            told.most_wrong = told.most_wrong.max(next.abs_diff(placed.len()));
            told.left += came.saturating_sub(placed.len());
        }
    }
    println!("{} at {rate_hz} Hz: {told:?}", voice.voice.name());
    told
}

fn flite(voice: FliteVoice) -> Box<dyn Voice> {
    Box::new(Flite::open(FliteSettings { voice, speed: 1.0 }).expect("scripts/setup installs flite"))
}

#[test]
fn v2_of_a_voice_that_breaks_off_anywhere_the_words_that_came_are_known() {
    let mut ear = ear();
    for (voice, rate_hz) in [(FliteVoice::Rms, 8_000), (FliteVoice::Slt, 16_000)] {
        let told = tell(&mut ear, flite(voice), rate_hz);
        assert_eq!(told.cuts, COUNT * CUTS);
        assert!(told.right * 100 >= told.cuts * 95 && told.most_wrong <= 1, "{voice:?}: {told:?}");
        assert!(told.left * 100 <= told.cuts * 40, "{voice:?}: {told:?}");
    }
}

#[test]
fn v2_all_of_a_text_is_known_to_have_come_and_nothing_of_one_that_did_not_begin() {
    let (mut ear, text) = (ear(), "Your appointment is on Monday at half past nine.");
    let (sound, _) = Ear::with(flite(FliteVoice::Slt)).speak(text).unwrap();
    let chars = |came: Option<Came>| came.map(|came| came.words.last().map_or(0, |word| word.chars));
    let all = text.split_whitespace().collect::<String>().len() as u32;
    assert_eq!(chars(ear.place(text, &sound, 8_000)), Some(all));
    // More text than sound: what a service has written and not yet said.
    let more = format!("{text} {text} And so on.");
    assert_eq!(chars(ear.place(&more, &sound, 8_000)), Some(all));
    assert_eq!(chars(ear.place(text, &sound[..1_600], 8_000)).unwrap_or(0), 0);
}

#[test]
fn what_it_cannot_tell_it_does_not_tell() {
    let mut ear = ear();
    let mut random = Random::new(5);
    let noise: Vec<i16> = (0..16_000).map(|_| random.between(-9_000.0, 9_000.0) as i16).collect();
    let words = |came: Option<Came>| came.unwrap_or_default().words;
    assert_eq!(words(ear.place("Nobody speaks here at all.", &noise, 8_000)), []);
    assert_eq!(ear.place("你好。", &noise, 8_000), None, "it cannot say that itself");
    for samples in [&[][..], &[0; 100], &[0; 1_600], &[0; 8_000]] {
        assert_eq!(ear.place("Hello there.", samples, 8_000).unwrap_or_default(), Came::default());
    }
    assert_eq!(ear.place("", &noise, 8_000), None);
    assert_eq!(ear.place("Hello.", &noise, 0), None);
}

#[test]
fn what_has_only_begun_is_heard_at_any_length() {
    let (mut ear, text) = (ear(), "The sun is still high over the town.");
    let (sound, times) = Ear::with(flite(FliteVoice::Slt)).speak(text).unwrap();
    let begins = times[0].at_ms as usize * 8;
    // From its beginning, which is soft, and from where it is loud.
    for from in [begins, begins + 2_400] {
        for length in (0..4_000).step_by(40) {
            let came = ear.place(text, &sound[from..][..length], RATE_HZ).unwrap_or_default();
            let few = |chars| length > 3_000 && chars < 12;
            assert!(came.surely_reached().is_none_or(few), "{length} from {from}: {came:?}");
        }
    }
}

/// By how many milliseconds it is wrong where in its first words a voice broke off that had said so many: more than zero
/// where some of it is lost, less where it is heard again.
fn wrong_by(ear: &mut Ear, voice: &mut Ear, text: &str, said_ms: u32) -> Option<i64> {
    let (sound, times) = voice.speak(text)?;
    let cut_ms = times[0].at_ms + said_ms;
    let came = ear.place(text, sound.get(..cut_ms as usize * 8)?, RATE_HZ)?;
    let told = came.part.last().or(came.words.last())?;
    let time = times.get(told.chars as usize)?;
    Some(i64::from(time.at_ms + (time.end_ms - time.at_ms) * told.mille / 1000) - i64::from(cut_ms))
}

#[test]
#[allow(clippy::print_stdout, reason = "a figure that the manual states")]
fn v2_of_a_word_that_breaks_off_it_is_known_how_much_was_heard() {
    let (mut ear, mut random) = (ear(), Random::new(11));
    for (voice, speed) in [(FliteVoice::Rms, 1.0), (FliteVoice::Slt, 0.8), (FliteVoice::Slt, 1.2)] {
        let mut voice = Ear::with(Box::new(Flite::open(FliteSettings { voice, speed }).unwrap()));
        let texts = sentences();
        let mut wrong: Vec<i64> = texts
            .iter()
            .filter_map(|text| wrong_by(&mut ear, &mut voice, text, random.whole_between(60, 1_200)))
            .collect();
        wrong.sort_unstable();
        let of = |percent: usize| wrong[(wrong.len() - 1) * percent / 100];
        let told = [of(0), of(10), of(50), of(90), of(100)];
        println!("{voice:?} at {speed}: {} told, wrong by {told:?} ms", wrong.len());
        assert!(wrong.len() * 10 >= COUNT * 8, "{} told", wrong.len());
        assert!(told[1] >= -150 && told[3] <= 100, "{voice:?} at {speed}: {told:?}");
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "a figure that the manual states")]
fn v2_it_is_known_whether_a_text_was_heard_to_its_end_and_another_text_never_surely() {
    let mut ear = ear();
    let texts = sentences();
    for (voice, speed) in [(FliteVoice::Rms, 1.0), (FliteVoice::Slt, 0.8), (FliteVoice::Slt, 1.25)] {
        let mut voice = Ear::with(Box::new(Flite::open(FliteSettings { voice, speed }).unwrap()));
        let (mut sure, mut wrong, mut other) = (0, 0, 0);
        // With so many letters missing: sure, and told.
        let mut missing = [(1, 0, 0), (2, 0, 0), (3, 0, 0), (5, 0, 0), (8, 0, 0)];
        for (text, next) in texts.iter().zip(texts.iter().cycle().skip(1)) {
            let (sound, times) = voice.speak(text).unwrap();
            let is_all = |came: Came| came.is_all_of(text);
            let trimmed = sound.iter().rposition(|sample| sample.unsigned_abs() > 200).unwrap_or(0);
            for whole in [&sound[..], &sound[..=trimmed]] {
                if let Some(is_all) = ear.place(text, whole, RATE_HZ).and_then(is_all) {
                    sure += 1;
                    wrong += usize::from(!is_all);
                }
            }
            for (letters, sure, told) in &mut missing {
                let end = times[times.len() - 1 - *letters].end_ms as usize * 8;
                if let Some(is_all) = ear.place(text, &sound[..end], RATE_HZ).and_then(is_all) {
                    *sure += 1;
                    *told += usize::from(!is_all);
                }
            }
            other += usize::from(ear.place(next, &sound, RATE_HZ).is_some_and(|came| came.is_sure));
        }
        println!(
            "{voice:?} at {speed}: of {COUNT}, with and without the silence behind them, {sure} are sure, {wrong} of \
             them wrong; {other} of another text; letters missing, sure, told: {missing:?}"
        );
        assert!(sure > COUNT && (wrong, other) == (0, 0), "{voice:?} at {speed}: {sure}, {wrong}, {other}");
        for (letters, sure, told) in missing {
            assert!(
                letters < 3 || told * 10 >= sure * 7,
                "{voice:?} at {speed}: {letters} missing, {told} of {sure}"
            );
        }
    }
}

/// Where the first word of `text`, behind which there is a comma, ends in a voice that rests there.
fn first_word_ends_ms(sound: &[i16], rate_hz: u32) -> u32 {
    let rest = rate_hz as usize * 12 / 100;
    let loud: Vec<usize> = (0..sound.len()).filter(|&at| sound[at].unsigned_abs() > 100).collect();
    let before = loud.windows(2).find(|pair| pair[1] - pair[0] > rest).expect("a rest at the comma");
    (before[0] * 1000 / rate_hz as usize) as u32
}

/// espeak-ng tells no places, and is nothing like the voice that the ear compares it with.
#[test]
#[allow(clippy::print_stdout, reason = "a figure that the manual states")]
fn v2_in_the_sound_of_a_command_the_end_of_its_first_word_is_found() {
    let settings = CommandSettings::espeak_ng();
    let (rate_hz, mut ear) = (settings.rate_hz, ear());
    let mut voice = Command::open(settings).expect("scripts/setup installs espeak-ng");
    let is_word = |word: &&str| word.len() >= 5 && word.chars().all(char::is_alphabetic);
    let texts = sentences();
    let words = texts.iter().flat_map(|text| text.split_whitespace().filter(is_word).take(3));
    let wrong: Vec<i64> = words
        .zip(texts.iter().cycle())
        .map(|(word, text)| {
            let text = format!("{word}, {text}");
            let mut sound = Vec::new();
            let mut sink = |samples: &[i16]| {
                sound.extend_from_slice(samples);
                ControlFlow::Continue(())
            };
            assert_eq!(voice.speak(&text, &mut sink), Ok(Spoke::All));
            let ends_ms = first_word_ends_ms(&sound, rate_hz);
            // As much as is listened to.
            let upto = (ends_ms + 500) * rate_hz / 1000;
            let came = ear.place(&text, &sound[..upto as usize], rate_hz);
            let found = came.and_then(|came| came.time_of(word.len() as u32, 0));
            i64::from(found.unwrap_or_else(|| panic!("{text:?}"))) - i64::from(ends_ms)
        })
        .collect();
    let mut by: Vec<i64> = wrong.iter().map(|ms| ms.abs()).collect();
    by.sort_unstable();
    let of = |percent: usize| by[(by.len() - 1) * percent / 100];
    let (earliest, latest) = (wrong.iter().min().unwrap(), wrong.iter().max().unwrap());
    println!(
        "{} words found, wrong by {} ms at the median, {} at 80 %; from {earliest} to {latest}",
        by.len(),
        of(50),
        of(80)
    );
    assert!(by.len() > COUNT, "{} words", by.len());
    // What is found too late is lost, what is found too early is heard again.
    assert!(of(50) <= 30 && of(80) <= 60 && *earliest >= -150 && *latest <= 60);
}

/// The word that is over ends where it did, however little came of the next one.
#[test]
fn v2_what_was_heard_of_a_word_lies_behind_the_one_before() {
    let mut ear = ear();
    let voice = Box::new(Flite::open(FliteSettings { voice: FliteVoice::Rms, speed: 1.0 }).unwrap());
    let (sound, _) = Ear::with(voice).speak("The sun is still high over the town.").unwrap();
    for cut_ms in (300..1_500).step_by(7) {
        let came = ear.place("The sun is still high over the town.", &sound[..cut_ms * 8], RATE_HZ).unwrap();
        let places: Vec<(u32, u32)> =
            came.words.iter().chain(&came.part).map(|reached| (reached.chars, reached.mille)).collect();
        assert!(places.is_sorted_by(|before, after| before < after), "at {cut_ms} ms: {places:?}");
    }
}
