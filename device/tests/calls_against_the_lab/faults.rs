//! Every switch of the lab, one at a time: what the caller hears of it and what history says.

use crate::call::Whose::{self, Aura, Multi, MultiWide, Single, Wyoming};
use crate::call::{Bed, TestCall, With, options, settings, truevoice, voice};
use crate::cuts::DEAD_AIR_MS;
use crate::letters::{goes_on_in_a_word, plain};
use crate::talk::ended;
use crate::timer::Timer;
use offhook_lab::{Options, SWITCHES};
use offhook_speech::service::Call;
use offhook_speech::session::{SessionEvent, SessionSettings};
use offhook_speech::stt::{Dialect, EarsSettings};
use std::collections::BTreeSet;

/// What the voice says: four seconds.
const TEXT: &str = "Thank you for calling us on this rainy day in the early spring of the year";
const ASKED: &str = "What time is it?";
const ANSWER: &str = "It’s half past five. The sun is up.";
/// What of it the first six tokens are.
const BEGUN: &str = "It’s half past five. The sun";
const SORRY: &str = "Sorry, please say that again.";

/// What a switch does to a voice: nothing that the caller could hear. Every word, once.
const VOICE: [(Whose, &str); 57] = [
    (Multi, "refuse=500"),
    (Multi, "path=multi,refuse=429,retry_after_s=1,times=1"),
    (Multi, "path=multi,refuse=429,retry_after_s=1;path=/stream/,refuse=429,retry_after_s=1"),
    (Multi, "path=multi,refuse=401"),
    (Multi, "path=multi,stall=http"),
    (Multi, "path=multi,close=1008"),
    (Multi, "path=multi,close=1012,after=600,reason=restart"),
    (Multi, "path=multi,kill"),
    (Multi, "path=multi,kill,after=700,pace=1.5"),
    (Multi, "path=multi,half_open,after=700,pace=1.5"),
    (Multi, "path=multi,half_open"),
    (Multi, "path=multi,error=quota_exceeded"),
    (Multi, "path=multi,error=input_timeout_exceeded,after=900"),
    (Multi, "path=multi,pause_ms=300,after=900"),
    (Multi, "path=multi,pause_ms=3000,after=600,pace=1.5"),
    (Multi, "path=multi,mute"),
    (Multi, "path=multi,mute,after=700,pace=1.5"),
    (Multi, "path=multi,pace=0"),
    (Multi, "path=multi,pace=0.7"),
    (Multi, "path=multi,first_ms=900"),
    (Multi, "path=multi,contexts=0"),
    (Multi, "path=multi,no_final"),
    (Multi, "path=multi,idle_ms=400"),
    (Multi, "path=multi,keys=snake,noise,garbage"),
    (Multi, "path=multi,keys=camel,cut=333"),
    (Multi, "path=multi,keys=both"),
    (Multi, "path=multi,keys=plural"),
    (MultiWide, "path=multi,cut=333"),
    // The socket breaks, and then what stands in for it does.
    (Multi, "path=multi,kill,after=700,pace=1.3;path=/stream/,kill,after=900,pace=1.3"),
    (Multi, "path=multi,kill,after=700,pace=1.3;path=/stream/,half_open,after=900,pace=1.3"),
    (Multi, "path=multi,kill,after=700,pace=1.3;path=/stream/,pause_ms=3000,after=900,pace=1.3"),
    (Multi, "path=multi,kill,after=700,pace=1.3;path=/stream/,error=system_busy,after=900,pace=1.3"),
    (Multi, "path=multi,kill,after=700,pace=1.3;path=/stream/,stall=http"),
    (Multi, "path=multi,kill,after=700,pace=1.3;path=/stream/,mute"),
    (Multi, "path=multi,kill,after=700,pace=1.3;path=/stream/,pace=0.7"),
    (Multi, "path=multi,kill,after=700,pace=1.3;path=/stream/,refuse=500"),
    (Multi, "path=multi,kill,after=700,pace=1.3;path=/stream/,refuse=404"),
    (Multi, "path=multi,kill,after=700,pace=1.3;path=/stream/,keys=plural,split=7,cut=333"),
    (MultiWide, "path=multi,kill,after=700,pace=1.3;path=/stream/,cut=333,split=101"),
    (MultiWide, "path=multi,kill,after=700,pace=1.3;path=/stream/,refuse=404;path=/stream,cut=333"),
    (Single, "path=stream-input,kill,after=700,pace=1.5"),
    (Single, "path=stream-input,half_open,after=700,pace=1.5"),
    (Single, "path=stream-input,mute"),
    (Single, "path=stream-input,close=1008"),
    (Single, "path=stream-input,error=quota_exceeded,after=900"),
    (Single, "path=stream-input,keys=snake,noise,garbage"),
    (Single, "path=stream-input,idle_ms=400,no_final"),
    (Aura, "path=/speak,way=ws,refuse=500"),
    (Aura, "path=/speak,way=ws,half_open"),
    (Aura, "path=/speak,way=ws,close=1011"),
    (Aura, "path=/speak,first_ms=900"),
    (Aura, "path=/speak,refuse=429,retry_after_s=1"),
    (Aura, "path=/speak,way=ws,mute;path=/speak,way=http,cut=333,split=7"),
    (Wyoming, "path=wyoming,kill"),
    (Wyoming, "path=wyoming,mute"),
    (Wyoming, "path=wyoming,cut=333,first_ms=900"),
    (Wyoming, "path=wyoming,noise"),
];

/// A voice that does not tell where its words are breaks in their middle, or falls silent there.
const SEAMS: [(Whose, &str); 11] = [
    (Aura, "path=/speak,way=ws,kill,after=1500,pace=1.3"),
    (Aura, "path=/speak,way=ws,close=1011,after=1500,pace=1.3"),
    (Aura, "path=/speak,way=ws,half_open,after=1500,pace=1.3"),
    (Aura, "path=/speak,way=ws,half_open,after=1500,pace=2"),
    (Aura, "path=/speak,way=ws,half_open,after=1500"),
    (Aura, "path=/speak,way=ws,refuse=500;path=/speak,way=http,kill,after=1500,pace=1.3"),
    (Aura, "path=/speak,way=ws,refuse=500;path=/speak,way=http,half_open,after=1500,pace=1.3"),
    (Wyoming, "path=wyoming,kill,after=1500,pace=1.3"),
    (Wyoming, "path=wyoming,half_open,after=1500,pace=1.3"),
    (Wyoming, "path=wyoming,half_open,after=1500,pace=2"),
    (Wyoming, "path=wyoming,pause_ms=3000,after=1500"),
];

/// Some of them are so slow, or break so early, that a part of a word is heard before anyone can know.
const IN_A_WORD: [(Whose, &str); 5] = [
    (Aura, "path=/speak,pace=0.7,first_ms=900"),
    (Aura, "path=/speak,way=ws,half_open,after=350,pace=1.1"),
    (Aura, "path=/speak,way=ws,kill,after=450,pace=1.1"),
    (Aura, "path=/speak,way=ws,refuse=500;path=/speak,way=http,half_open,after=400,pace=1.1"),
    (Wyoming, "path=wyoming,kill,after=350,pace=1.1"),
];

/// RFC 6455 section 7.4.1 and the register behind it, and what services have of their own.
const CODES: [u16; 17] =
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000, 4001, 4003, 4999];

/// What a switch does to recognition: the question is heard and answered.
const EARS: [&str; 12] = [
    "path=listen,kill,after=300,times=1",
    "path=listen,half_open,after=300,times=1",
    "path=listen,close=1011,after=300,times=1",
    "path=listen,error=NET-0001,after=300,times=1",
    "path=listen,refuse=503,times=1",
    "path=listen,refuse=429,retry_after_s=1,times=1",
    "path=listen,stall=http,times=1",
    "path=listen,mute,times=1",
    "path=listen,pause_ms=700",
    "path=listen,idle_ms=200,times=1",
    "path=listen,noise,garbage",
    "path=listen,close=1000,times=1",
];

/// What becomes of one that stays like that: nobody hears the question, and the caller is told so.
const DEAF: [&str; 5] = [
    "path=listen,refuse=401",
    "path=listen,close=1011",
    "path=listen,half_open",
    "path=listen,stall=http",
    "path=listen,mute",
];

/// A recogniser that does not say when the caller has done, or says so too early.
const ENDS: [&str; 6] = [
    "path=listen,no_final",
    "path=listen,utterance_end=never",
    "path=listen,no_final,utterance_end=never",
    "path=listen,utterance_end=early",
    "path=listen,no_final,utterance_end=early",
    "path=listen,no_final,utterance_end=never,pause_ms=700,after=900",
];

/// What a switch does to the language model: its answer, what it wrote before it broke, or the apology.
const MIND: [(&str, &str); 17] = [
    ("path=chat,refuse=429,retry_after_s=1", SORRY),
    ("path=chat,refuse=500", SORRY),
    ("path=chat,error=server_error", SORRY),
    ("path=chat,kill", SORRY),
    ("path=chat,stall=http", SORRY),
    ("path=chat,half_open", SORRY),
    ("path=chat,mute,no_done", SORRY),
    // Less than a sentence is nothing to say.
    ("path=chat,kill,after=3", SORRY),
    ("path=chat,kill,after=6", BEGUN),
    ("path=chat,half_open,after=6", BEGUN),
    ("path=chat,error=server_error,after=6", BEGUN),
    ("path=chat,pause_ms=1500,after=3", ANSWER),
    ("path=chat,no_done", ANSWER),
    ("path=chat,reasoning,noise", ANSWER),
    // The apostrophe has three bytes.
    ("path=chat,split=1", ANSWER),
    ("path=chat,split=7,reasoning", ANSWER),
    ("path=chat,token_ms=120,first_ms=400", ANSWER),
];

/// What a switch does to TrueVoice: its answer, by itself or by the device.
const ALL_IN_ONE: [&str; 13] = [
    "path=conversation,refuse=503,times=1",
    "path=conversation,refuse=429,retry_after_s=1,times=1",
    "path=conversation,close=1012,times=1",
    "path=conversation,kill,times=1",
    "path=conversation,half_open,times=1",
    "path=conversation,stall=http,times=1",
    "path=conversation,cut=333",
    "path=conversation,noise,garbage",
    "path=conversation,mute",
    "path=conversation,pause_ms=400,after=500",
    "path=conversation,pace=0",
    "path=conversation,first_ms=500,token_ms=40",
    "path=conversation,late=3",
];

/// Runs all of them at once: most of a call is waiting for its end.
pub(crate) fn all<T: Sync>(rows: &[T], check: impl Fn(&T) -> Result<(), String> + Sync) {
    let failed: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = rows.iter().map(|row| scope.spawn(|| check(row))).collect();
        running.into_iter().filter_map(|one| one.join().expect("it says what went wrong").err()).collect()
    });
    assert!(failed.is_empty(), "{} of {} failed:\n{}", failed.len(), rows.len(), failed.join("\n"));
}

/// The caller heard `text` once, and history says so.
pub(crate) fn judge(name: &str, call: &TestCall, turn: usize, text: &str) -> Result<(), String> {
    let turns = call.turns();
    let said = turns.get(turn).map(|spoken| spoken.text.as_str());
    let heard = call.words_of_turn();
    // A service that pauses within a word is heard to do so.
    let letters = |text: &str| text.replace(' ', "");
    match said == Some(text) && letters(&heard) == letters(&plain(text)) {
        true => Ok(()),
        false => Err(format!("{name}: heard {heard:?}, history {turns:?}, moved {:?}", call.moves())),
    }
}

/// The same of a word that was broken off, as the ear tells it: it goes on there.
pub(crate) fn judge_in_a_word(
    name: &str,
    (bed, call): &(Bed, TestCall),
    turn: usize,
    text: &str,
) -> Result<(), String> {
    let (turns, rests) = (call.turns(), bed.device_said());
    let heard = call.words_of_turn();
    match turns.get(turn).is_some_and(|spoken| spoken.text == text) && goes_on_in_a_word(&heard, text, &rests)
    {
        true => Ok(()),
        false => Err(format!("{name}: heard {heard:?}, history {turns:?}, the device said {rests:?}")),
    }
}

/// In the middle of a sentence the caller heard nothing for no longer than is allowed, unless this machine stood still.
pub(crate) fn judge_silence(name: &str, call: &TestCall) -> Result<(), String> {
    let silence = call.longest_silence_ms();
    match silence <= DEAD_AIR_MS || !call.kept_the_beat() {
        true => Ok(()),
        false => Err(format!("{name}: {silence} ms of dead air, moved {:?}", call.moves())),
    }
}

/// Says the text with this voice under these switches.
fn say(&(whose, faults): &(Whose, &str)) -> (Bed, TestCall) {
    let bed = Bed::new(options(), With { device: true, ..With::default() });
    bed.fail(faults);
    let call =
        bed.call(1, SessionSettings { voice: Some(voice(&bed, whose)), ..settings(&bed.base(), TEXT) });
    call.run(&Timer::start(), 45_000, ended(1));
    (bed, call)
}

#[test]
fn v2_no_switch_on_a_voice_costs_a_word_or_says_one_twice() {
    all(&VOICE, |row| {
        let (_bed, call) = say(row);
        judge(&format!("{row:?}"), &call, 0, TEXT)
    });
}

/// Wherever a word is broken off, and whoever goes on with it, each of its letters is heard once.
#[test]
fn v2_a_word_that_is_broken_off_anywhere_goes_on_there() {
    const LONG: &str = "Unfortunately, incomprehensible misunderstandings characterized conversations.";
    let below = ["", ";path=/stream/,refuse=500", ";path=/stream/,kill,after=300"];
    let places = (480..1_900).step_by(97).zip(["kill", "half_open", "pause_ms=3000"].into_iter().cycle());
    let rows: Vec<String> = places
        .zip(["1.05", "1.2", "1.3", "1.6", "2"].into_iter().cycle())
        .flat_map(|((after, how), pace)| {
            below.map(|below| format!("path=multi,{how},after={after},pace={pace}{below}"))
        })
        .collect();
    all(&rows, |faults| {
        let bed = Bed::new(options(), With { device: true, ..With::default() });
        bed.fail(faults);
        let call = bed.call(1, settings(&bed.base(), LONG));
        call.run(&Timer::start(), 45_000, ended(1));
        judge(faults, &call, 0, LONG)
    });
}

#[test]
fn v2_a_voice_that_does_not_tell_where_its_words_are_says_each_once_when_it_breaks() {
    all(&SEAMS, |row| {
        let (_bed, call) = say(row);
        judge(&format!("{row:?}"), &call, 0, TEXT)
    });
}

#[test]
fn v2_a_voice_that_does_not_tell_where_its_words_are_goes_on_in_the_word_that_it_broke() {
    all(&IN_A_WORD, |row| judge_in_a_word(&format!("{row:?}"), &say(row), 0, TEXT));
}

/// One bed for all: each connection takes a code that no other has taken.
#[test]
fn v2_no_close_code_costs_a_word_at_the_start_or_in_the_middle_of_a_sentence() {
    for when in ["", ",after=700,pace=1.5"] {
        let bed = Bed::new(options(), With { device: true, ..With::default() });
        CODES.iter().for_each(|code| bed.fail(&format!("path=multi,times=1,close={code}{when}")));
        let call = |number| bed.call(number, settings(&bed.base(), TEXT));
        let calls: Vec<TestCall> = (0..CODES.len() as u64).map(call).collect();
        TestCall::run_all(&calls, &Timer::start(), 45_000, ended(1));
        all(&calls, |call| judge(when, call, 0, TEXT));
        let seen = bed.lab.seen();
        let endings = seen.at("multi").filter_map(|visit| Some(visit.closed.as_ref()?.1.clone()));
        let endings: BTreeSet<String> = endings.collect();
        let missing: Vec<&u16> =
            CODES.iter().filter(|code| !endings.contains(&format!("lab closed {code}"))).collect();
        assert!(missing.is_empty(), "{missing:?} of {endings:?}");
    }
}

#[test]
fn v2_a_handshake_that_stalls_in_tls_costs_no_word() {
    for faults in ["stall=tls,times=1", "stall=tls"] {
        let bed =
            Bed::new(Options { https_port: Some(0), ..options() }, With { device: true, ..With::default() });
        bed.fail(faults);
        let base = format!("https://localhost:{}", bed.lab.addresses().https.unwrap().port());
        let call = bed.call(1, SessionSettings { ears: None, ..settings(&base, TEXT) });
        assert!(call.run(&Timer::start(), 45_000, ended(1)), "{faults}: {:?}", call.events());
        judge(faults, &call, 0, TEXT).unwrap();
        let over_tls = bed.lab.seen().visits.iter().any(|visit| visit.audio_out > 0 && visit.tls);
        assert_eq!(over_tls, faults.contains("times"), "what is not stalled speaks");
    }
}

/// Frames of what was stopped come when it is over for the caller.
#[test]
fn v2_pitfall_07_late_audio_of_what_was_stopped_is_never_heard() {
    let rows = [(Multi, "path=multi,late=4,pace=1.5"), (Aura, "path=/speak,late=4,pace=1.5")];
    all(&rows, |&(whose, faults)| {
        let bed = Bed::new(options(), With::default());
        bed.fail(faults);
        let call =
            bed.call(1, SessionSettings { voice: Some(voice(&bed, whose)), ..settings(&bed.base(), TEXT) });
        call.run(&Timer::start(), 1_800, |_| false);
        call.break_in();
        // Long enough that what comes late has come.
        call.run(&Timer::start(), 400, |_| false);
        bed.speech.say(Call(1), ASKED).unwrap();
        call.run(&Timer::start(), 20_000, ended(2));
        let (turns, heard) = (call.turns(), call.words().replace(' ', ""));
        let letters = |text: &str| plain(text).replace(' ', "");
        let cut = turns.first().map(|turn| letters(&turn.text)).unwrap_or_default();
        // What was cut off in its middle may be heard and is not claimed; of the letter that was, half is no letter.
        let before = heard.strip_suffix(&letters(ASKED)).unwrap_or_default();
        let said = letters(TEXT);
        let same = before.chars().zip(said.chars()).take_while(|pair| pair.0 == pair.1).count();
        let fits = cut.len() > 8 && before.starts_with(&cut) && before.len() <= same + 1;
        match fits && turns.get(1).is_some_and(|turn| turn.whole && turn.text == ASKED) {
            true => Ok(()),
            false => Err(format!("{whose:?}: heard {heard:?}, history {turns:?}")),
        }
    });
}

/// Interruption follows interruption, and the service never says that a context is closed: the caller hears every
/// answer begin, and no socket was asked for a sixth.
#[test]
fn v2_pitfall_02_interruptions_that_pile_up_ask_for_no_sixth_context() {
    for faults in ["path=multi,pace=1.5,no_final", "path=multi,pace=1.5"] {
        let bed = Bed::new(options(), With::default());
        bed.fail(faults);
        let call = bed.call(1, settings(&bed.base(), TEXT));
        call.run(&Timer::start(), 900, |_| false);
        for _ in 0..7 {
            bed.speech.say(Call(1), TEXT).unwrap();
            call.run(&Timer::start(), 500, |_| false);
        }
        bed.speech.say(Call(1), ASKED).unwrap();
        assert!(call.run(&Timer::start(), 20_000, ended(9)), "{faults}: {:?}", call.events());
        let turns = call.turns();
        assert!(turns[8].whole && turns[8].text == ASKED, "{faults}: {turns:?}");
        assert!(call.words().ends_with(&plain(ASKED)), "{faults}: {}", call.words());
        let seen = bed.lab.seen();
        let refused = |visit: &&offhook_lab::Visit| {
            visit.closed.as_ref().is_some_and(|(_, how)| how.contains("1008")) || visit.most_contexts > 5
        };
        assert_eq!(seen.at("multi").find(refused), None, "{faults}");
    }
}

/// Of whoever calls it hears the question, and it answers, as far as the faults let it.
fn asked(faults: &str, with: With) -> Bed {
    let lab = Options { utterances: vec![ASKED.to_owned()], replies: vec![ANSWER.to_owned()], ..options() };
    let bed = Bed::new(lab, with);
    bed.fail(faults);
    bed
}

/// Each row with both of the recogniser's protocols.
fn each_dialect(rows: &[&'static str]) -> Vec<(Dialect, &'static str)> {
    [Dialect::V1, Dialect::Flux]
        .into_iter()
        .flat_map(|dialect| rows.iter().map(move |row| (dialect, *row)))
        .collect()
}

fn heard_by(dialect: Dialect, mut settings: SessionSettings) -> SessionSettings {
    if let Some(EarsSettings::Deepgram(ears)) = &mut settings.ears {
        ears.dialect = dialect;
    }
    settings
}

#[test]
fn v4_no_switch_on_recognition_costs_the_answer() {
    all(&each_dialect(&EARS), |&(dialect, faults)| {
        let bed = asked(faults, With::default());
        let call = bed.call(1, heard_by(dialect, settings(&bed.base(), "")));
        // A line that is lost while the caller speaks loses some of it, and the caller says it again.
        for _ in 0..3 {
            call.caller_speaks(900);
            if call.run(&Timer::start(), 9_000, ended(1)) {
                break;
            }
        }
        judge(&format!("{dialect:?} {faults}"), &call, 0, ANSWER)
    });
}

#[test]
fn v4_a_caller_whom_no_recogniser_hears_is_told_so() {
    all(&each_dialect(&DEAF), |&(dialect, faults)| {
        let bed = asked(faults, With { device: true, ..With::default() });
        let call = bed.call(1, heard_by(dialect, settings(&bed.base(), "")));
        call.caller_speaks(900);
        call.run(&Timer::start(), 15_000, ended(1));
        judge(&format!("{dialect:?} {faults}"), &call, 0, SORRY)
    });
}

/// The question is taken whole, at once, and answered, whatever says that it is over.
#[test]
fn v4_pitfall_14_an_end_that_is_missing_or_early_costs_no_word_of_the_question() {
    all(&ENDS, |faults| {
        let bed = asked(faults, With::default());
        let call = bed.call(1, settings(&bed.base(), ""));
        // Long enough for the words to come one after the other, and then for our own clock to run out.
        call.caller_speaks(1_900);
        call.caller_waits(5_000);
        call.run(&Timer::start(), 12_000, ended(1));
        // What would come after it.
        call.run(&Timer::start(), 500, |_| false);
        let said: Vec<String> = call.events().iter().filter_map(utterance).collect();
        match said == [ASKED] && call.turns().len() == 1 {
            true => judge(faults, &call, 0, ANSWER),
            false => Err(format!("{faults}: understood {said:?}, answered {:?}", call.turns())),
        }
    });
}

/// What the caller said, if this says so.
fn utterance(event: &SessionEvent) -> Option<String> {
    match event {
        SessionEvent::Utterance(text) => Some(text.reveal().clone()),
        _ => None,
    }
}

#[test]
fn v4_a_model_that_fails_is_apologised_for_and_one_that_is_odd_is_understood() {
    all(&MIND, |(faults, said)| {
        let bed = asked(faults, With::default());
        let call = bed.call(1, settings(&bed.base(), ""));
        call.caller_speaks(900);
        call.run(&Timer::start(), 30_000, ended(1));
        judge(faults, &call, 0, said)
    });
}

#[test]
fn v3_no_switch_on_truevoice_costs_the_answer() {
    all(&ALL_IN_ONE, |faults| {
        let bed = asked(faults, With { device: true, ..With::default() });
        let all_in_one = Some(truevoice(&bed.lab).into());
        let call = bed.call(1, SessionSettings { all_in_one, ..settings(&bed.base(), "") });
        // Who is asked to say it again does.
        for turn in 1..=3 {
            call.caller_speaks(900);
            call.run(&Timer::start(), 9_000, ended(turn));
            if call.turns().last().is_some_and(|said| said.text != SORRY) {
                break;
            }
        }
        let said: Vec<String> = call.turns().into_iter().map(|said| said.text).collect();
        let heard = call.words_of_turn();
        let letters = |text: &str| text.replace(' ', "");
        let is_all_heard = letters(&heard) == letters(&plain(&said.join(" ")));
        match said.last().is_some_and(|last| last == ANSWER) && is_all_heard {
            true => Ok(()),
            false => Err(format!("{faults}: heard {heard:?}, history {said:?}")),
        }
    });
}

#[test]
fn v3_a_caller_whom_a_dead_truevoice_does_not_hear_is_told_so() {
    let faults = "path=conversation,half_open";
    let bed = Bed::new(options(), With { device: true, ..With::default() });
    bed.fail(faults);
    let all_in_one = Some(truevoice(&bed.lab).into());
    let call = bed.call(1, SessionSettings { all_in_one, ..settings(&bed.base(), "") });
    call.caller_speaks(900);
    call.run(&Timer::start(), 9_000, ended(1));
    assert_eq!(judge(faults, &call, 0, SORRY), Ok(()));
}

/// Each name, and each word that a switch takes.
#[test]
fn every_switch_of_the_lab_is_tried() {
    let voices = VOICE.iter().chain(&SEAMS).chain(&IN_A_WORD).map(|(_, faults)| *faults);
    let rows = voices.chain(EARS).chain(ENDS).chain(MIND.map(|(faults, _)| faults)).chain(ALL_IN_ONE);
    // With a test of its own.
    let rows = rows.chain(["stall=tls"]);
    let tried: BTreeSet<&str> = rows.flat_map(|row| row.split([',', ';'])).collect();
    let is_tried = |usage: &str| match usage.split_once('=') {
        // A number, a code or a text: any of them.
        Some((name, value)) if value.chars().all(char::is_uppercase) => {
            tried.iter().any(|pair| pair.split_once('=').is_some_and(|(known, _)| known == name))
        }
        Some((name, values)) => {
            values.split('|').all(|value| tried.contains(format!("{name}={value}").as_str()))
        }
        None => tried.contains(usage),
    };
    let missing: Vec<&str> =
        SWITCHES.iter().map(|(usage, _)| *usage).filter(|usage| !is_tried(usage)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
