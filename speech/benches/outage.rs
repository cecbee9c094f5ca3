//! Fifty calls that lose the cloud at the same moment: `cargo bench -p offhook-speech --bench outage`. How long each caller
//! waits for the first sound of the voice on the device, which is one for all of them; and how long that would be if this
//! voice did not hurry while others wait.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use offhook_speech::conversation::ConversationSettings;
use offhook_speech::service::{Call, Port, PortNews, ServiceSettings, Speech};
use offhook_speech::session::{SessionEvent, SessionSettings};
use offhook_speech::speaking::ChunkSettings;
use offhook_speech::text::PlanSettings;
use offhook_speech::voice::{self, PlacedSink, Sink, Spoke, Voice, VoiceChoice, VoiceError};
use offhook_units::Moment;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// Calls at once.
const CALLS: usize = 50;
const SAID: &str =
    "Your appointment is on Monday at half past nine, so please bring your insurance card when you come.";

/// Tells when the first samples come.
struct Line {
    heard: u64,
    first: Option<Sender<Instant>>,
}

impl Port for Line {
    fn news(&mut self) -> PortNews {
        PortNews { heard: self.heard, ..PortNews::default() }
    }

    fn caller(&mut self, _into: &mut Vec<i16>) {}

    fn room(&mut self) -> usize {
        8_000
    }

    fn speak(&mut self, samples: &[i16]) {
        self.heard += samples.len() as u64;
        if let Some(first) = self.first.take() {
            let _ = first.send(Instant::now());
        }
    }

    fn event(&mut self, _event: SessionEvent) {}
}

/// A voice that takes its time whoever waits.
struct Unhurried(Box<dyn Voice>);

impl Voice for Unhurried {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn rate_hz(&self) -> u32 {
        self.0.rate_hz()
    }

    fn normal_chars_per_s(&self) -> f32 {
        self.0.normal_chars_per_s()
    }

    fn speak(&mut self, text: &str, sink: Sink<'_>) -> Result<Spoke, VoiceError> {
        self.0.speak(text, sink)
    }

    fn speak_placed(&mut self, text: &str, sink: PlacedSink<'_>) -> Result<Spoke, VoiceError> {
        self.0.speak_placed(text, sink)
    }
}

fn main() {
    let flite = || voice::open(&VoiceChoice::Any).unwrap();
    measure("the voice on the device", flite());
    measure("the same without hurry", Box::new(Unhurried(flite())));
}

fn measure(what: &str, voice: Box<dyn Voice>) {
    let origin = Instant::now();
    let clock = move || Moment::from_micros(u64::try_from(origin.elapsed().as_micros()).unwrap_or(0));
    let settings = ServiceSettings {
        extra_roots_pem: None,
        device_voice: VoiceChoice::Any,
        pool: None,
        clock: Box::new(clock),
    };
    let speech = Speech::start_with(settings, Ok(voice), None).unwrap();
    let (first, came) = channel();
    for call in 0..CALLS as u64 {
        let port = Box::new(Line { heard: 0, first: Some(first.clone()) });
        speech.open(Call(call), settings_of(call), port).unwrap();
    }
    // All that is left of a cloud that is gone: sentences for the device.
    let began = Instant::now();
    (0..CALLS as u64).for_each(|call| speech.answered(Call(call)).unwrap());
    let patience = || came.recv_timeout(Duration::from_secs(60)).ok();
    let mut waits: Vec<Duration> =
        std::iter::from_fn(patience).take(CALLS).map(|at| at.saturating_duration_since(began)).collect();
    waits.sort();
    let at = |percent: usize| {
        waits.get(waits.len().saturating_sub(1) * percent / 100).map_or(0, Duration::as_millis)
    };
    println!(
        "{what:<30} {CALLS} calls at once, first sound: median {} ms, 95 % {} ms, last {} ms ({} heard)",
        at(50),
        at(95),
        at(100),
        waits.len()
    );
}

fn settings_of(call: u64) -> SessionSettings {
    SessionSettings {
        rate_hz: 8_000,
        conversation: ConversationSettings {
            system: String::new(),
            greeting: SAID.to_owned(),
            sorry: String::new(),
        },
        voice: None,
        has_device_voice: true,
        plan: PlanSettings::default(),
        chunks: ChunkSettings::default(),
        ears: None,
        mind: None,
        all_in_one: None,
        seed: call,
    }
}
