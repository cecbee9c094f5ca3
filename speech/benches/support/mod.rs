//! What the benches of the speech thread share: the thread, calls that have as little as a bench needs, a play-out that
//! takes whatever comes, and how delays are told.

use offhook_speech::conversation::ConversationSettings;
use offhook_speech::service::{Port, PortNews, ServiceSettings, Speech};
use offhook_speech::session::{SessionEvent, SessionSettings};
use offhook_speech::speaking::ChunkSettings;
use offhook_speech::text::PlanSettings;
use offhook_speech::voice::{Voice, VoiceError};
use offhook_units::Moment;
use std::time::{Duration, Instant};

/// Calls at once.
pub(crate) const CALLS: usize = 50;

/// A play-out that takes whatever comes, and tells how many samples have come.
pub(crate) struct Sink<F> {
    samples: usize,
    came: F,
}

impl<F: FnMut(usize)> Sink<F> {
    pub(crate) fn new(came: F) -> Box<Self> {
        Box::new(Self { samples: 0, came })
    }
}

impl<F: FnMut(usize) + Send> Port for Sink<F> {
    fn news(&mut self) -> PortNews {
        PortNews { heard: self.samples as u64, ..PortNews::default() }
    }

    fn caller(&mut self, _into: &mut Vec<i16>) {}

    fn room(&mut self) -> usize {
        8_000
    }

    fn speak(&mut self, samples: &[i16]) {
        self.samples += samples.len();
        (self.came)(self.samples);
    }

    fn event(&mut self, _event: SessionEvent) {}
}

/// The thread, with this voice on the device.
pub(crate) fn start(voice: Result<Box<dyn Voice>, VoiceError>) -> Speech {
    let origin = Instant::now();
    let clock = move || Moment::from_micros(u64::try_from(origin.elapsed().as_micros()).unwrap_or(0));
    let settings = ServiceSettings { extra_roots_pem: None, pool: None, clock: Box::new(clock) };
    Speech::start(settings, voice, None).unwrap()
}

/// A narrow-band call that is greeted like this and has no services.
pub(crate) fn session(greeting: &str, call: usize) -> SessionSettings {
    SessionSettings {
        rate_hz: 8_000,
        conversation: ConversationSettings {
            system: String::new(),
            greeting: greeting.to_owned(),
            sorry: String::new(),
        },
        voice: None,
        has_device_voice: false,
        device_says_parts: false,
        plan: PlanSettings::default(),
        chunks: ChunkSettings::default(),
        ears: None,
        mind: None,
        all_in_one: None,
        seed: call as u64,
    }
}

pub(crate) fn tell(what: &str, delays: &mut [Duration], expected: usize) {
    delays.sort();
    let at = |percent: usize| {
        delays.get(delays.len().saturating_sub(1) * percent / 100).map_or(0, Duration::as_micros)
    };
    println!(
        "{what:<50} {CALLS} calls: median {} µs, 95 % {} µs, 99 % {} µs, worst {} µs ({} of {expected} seen)",
        at(50),
        at(95),
        at(99),
        at(100),
        delays.len(),
    );
}
