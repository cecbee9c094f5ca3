//! Speaks and listens by Wyoming on real sockets: `wyoming tcp://VOICE tcp://EARS "TEXT"`. The voice says TEXT, is cut
//! off in the middle of a second time, and says it a third time, which the ears are made to hear. One line of JSON
//! tells what came. `tests/sdk/check_wyoming_client.py` runs it against servers made with the protocol's own library.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that tells")]

use offhook::clock::Clock;
use offhook_speech::conversation::ConversationSettings;
use offhook_speech::service::{Call, Port, PortNews, ServiceSettings, Speech};
use offhook_speech::session::{SessionEvent, SessionSettings};
use offhook_speech::speaking::ChunkSettings;
use offhook_speech::stt::EarsSettings;
use offhook_speech::text::PlanSettings;
use offhook_speech::tts::VoiceSettings;
use offhook_speech::voice::VoiceError;
use offhook_speech::wire::url::Url;
use offhook_speech::wyoming::{WyomingEarsSettings, WyomingVoiceSettings};
use offhook_units::Span;
use serde_json::json;
use std::error::Error;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

const RATE_HZ: u32 = 8_000;
/// What one look at the caller's ring finds: 20 ms.
const PIECE: usize = 160;

/// What goes both ways.
#[derive(Debug, Default)]
struct Line {
    said: Vec<i16>,
    /// Samples that were thrown away, as a play-out does between a cut and the next turn.
    before: u64,
    caller: Vec<i16>,
    speaks: bool,
    cut: bool,
    turns: usize,
    utterances: Vec<String>,
    faults: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Line>>);

impl Shared {
    fn with<T>(&self, look: impl FnOnce(&mut Line) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until `ready` has something, for a minute at most.
    fn wait<T>(&self, clock: Clock, what: &str, ready: impl Fn(&Line) -> Option<T>) -> Result<T, String> {
        let until = clock.now() + Span::from_millis(60_000);
        loop {
            if let Some(found) = self.with(|line| ready(line)) {
                return Ok(found);
            }
            if clock.now() >= until {
                return Err(format!(
                    "waited in vain for {what}: {:?}",
                    self.with(|line| line.faults.clone())
                ));
            }
            clock.wait_until(clock.now() + Span::from_millis(5));
        }
    }
}

impl Port for Shared {
    fn news(&mut self) -> PortNews {
        self.with(|line| {
            let heard = line.before + line.said.len() as u64;
            let barge_in = std::mem::take(&mut line.cut).then_some(heard);
            PortNews { caller_speaks: line.speaks, heard, barge_in }
        })
    }

    fn caller(&mut self, into: &mut Vec<i16>) {
        self.with(|line| {
            let count = line.caller.len().min(PIECE);
            into.extend(line.caller.drain(..count));
        });
    }

    fn room(&mut self) -> usize {
        RATE_HZ as usize
    }

    fn speak(&mut self, samples: &[i16]) {
        self.with(|line| line.said.extend_from_slice(samples));
    }

    fn event(&mut self, event: SessionEvent) {
        self.with(|line| match event {
            SessionEvent::TurnEnds(_) => line.turns += 1,
            SessionEvent::Utterance(text) => line.utterances.push(text.reveal().clone()),
            SessionEvent::Fault(..) | SessionEvent::Moved { .. } | SessionEvent::Unspoken(_) => {
                line.faults.push(format!("{event:?}"));
            }
            SessionEvent::Flush { .. } => {
                line.before += line.said.len() as u64;
                line.said.clear();
            }
            _ => {}
        });
    }
}

fn settings(voice: &str, ears: &str, text: &str) -> Result<SessionSettings, Box<dyn Error>> {
    let voice = WyomingVoiceSettings { url: Url::parse(voice)?, voice: None, language: None };
    let ears = WyomingEarsSettings {
        url: Url::parse(ears)?,
        model: None,
        language: Some("en".to_owned()),
        endpointing_ms: 200,
        rate_hz: RATE_HZ,
    };
    Ok(SessionSettings {
        rate_hz: RATE_HZ,
        conversation: ConversationSettings {
            system: String::new(),
            greeting: text.to_owned(),
            sorry: String::new(),
        },
        voice: Some(VoiceSettings::Wyoming(voice)),
        has_device_voice: false,
        device_says_parts: false,
        plan: PlanSettings::default(),
        chunks: ChunkSettings::default(),
        ears: Some(EarsSettings::Wyoming(ears)),
        mind: None,
        all_in_one: None,
        seed: 1,
    })
}

fn run(arguments: &[String]) -> Result<String, Box<dyn Error>> {
    let [voice, ears, text] = arguments else {
        return Err("usage: wyoming tcp://VOICE tcp://EARS TEXT".into());
    };
    let clock = Clock::start();
    let settings_of_all =
        ServiceSettings { extra_roots_pem: None, pool: None, clock: Box::new(move || clock.now()) };
    // No other voice shall help out.
    let speech = Speech::start(settings_of_all, Err(VoiceError::Unspeakable), None)?;
    let (call, line) = (Call(1), Shared::default());
    let taken = |outcome: Result<(), _>| outcome.map_err(|error| format!("not taken: {error:?}"));
    taken(speech.open(call, settings(voice, ears, text)?, Box::new(line.clone())))?;
    taken(speech.answered(call))?;
    line.wait(clock, "the first turn", |line| (line.turns == 1).then_some(()))?;
    let first = line.with(|line| std::mem::take(&mut line.said));
    line.with(|line| line.before += first.len() as u64);

    taken(speech.say(call, text))?;
    line.wait(clock, "the second turn", |line| (!line.said.is_empty()).then_some(()))?;
    line.with(|line| line.cut = true);
    line.wait(clock, "the cut", |line| (line.turns == 2).then_some(()))?;

    line.with(|line| {
        line.before += line.said.len() as u64;
        line.said.clear();
    });
    taken(speech.say(call, text))?;
    line.wait(clock, "the third turn", |line| (line.turns == 3).then_some(()))?;
    let third = line.with(|line| line.said.clone());

    line.with(|line| {
        line.caller.clone_from(&third);
        line.speaks = true;
    });
    line.wait(clock, "the caller's voice", |line| line.caller.is_empty().then_some(()))?;
    line.with(|line| line.speaks = false);
    let heard = line.wait(clock, "the words", |line| line.utterances.first().cloned())?;
    let faults = line.with(|line| line.faults.clone());
    let seconds = |samples: usize| samples as f64 / f64::from(RATE_HZ);
    Ok(json!({
        "first_s": seconds(first.len()), "third_s": seconds(third.len()), "heard": heard, "faults": faults,
    })
    .to_string())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("wyoming: {error}");
            ExitCode::FAILURE
        }
    }
}
