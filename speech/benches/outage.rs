//! Fifty calls that lose the cloud at the same moment: `cargo bench -p offhook-speech --bench outage`. How long each caller
//! waits for the first sound of the voice on the device, which is one for all of them; and how long that would be if this
//! voice did not hurry while others wait.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod support;

use offhook_speech::service::Call;
use offhook_speech::session::SessionSettings;
use offhook_speech::voice::{self, PlacedSink, Spoke, Voice, VoiceChoice, VoiceError};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use support::{CALLS, Sink, session, start, tell};

const SAID: &str =
    "Your appointment is on Monday at half past nine, so please bring your insurance card when you come.";

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

    fn speak(&mut self, text: &str, sink: voice::Sink<'_>) -> Result<Spoke, VoiceError> {
        self.0.speak(text, sink)
    }

    fn speak_placed(&mut self, text: &str, sink: PlacedSink<'_>) -> Result<Spoke, VoiceError> {
        self.0.speak_placed(text, sink)
    }
}

fn main() {
    let flite = || voice::open(&VoiceChoice::Any).unwrap();
    measure("first sound of the voice on the device", flite());
    measure("the same without hurry", Box::new(Unhurried(flite())));
}

fn measure(what: &str, voice: Box<dyn Voice>) {
    let speech = start(Ok(voice));
    let (first, came) = channel();
    for call in 0..CALLS {
        let mut first = Some(first.clone());
        let port = Sink::new(move |_| {
            if let Some(first) = first.take() {
                let _ = first.send(Instant::now());
            }
        });
        let settings = SessionSettings { has_device_voice: true, ..session(SAID, call) };
        speech.open(Call(call as u64), settings, port).unwrap();
    }
    // All that is left of a cloud that is gone: sentences for the device.
    let began = Instant::now();
    (0..CALLS as u64).for_each(|call| speech.answered(Call(call)).unwrap());
    let patience = || came.recv_timeout(Duration::from_secs(60)).ok();
    let mut waits: Vec<Duration> =
        std::iter::from_fn(patience).take(CALLS).map(|at| at.saturating_duration_since(began)).collect();
    tell(what, &mut waits, CALLS);
}
