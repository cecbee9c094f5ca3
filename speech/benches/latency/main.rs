//! What the speech thread adds: `cargo bench -p offhook-speech --bench latency`. Fifty calls on loopback against services
//! in this process: from the byte of a voice on its socket to its samples in the play-out, and from the token of a model
//! that completes a sentence to that sentence on the voice's socket.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod server;

use offhook_speech::conversation::ConversationSettings;
use offhook_speech::llm::ChatSettings;
use offhook_speech::service::{Call, Port, PortNews, ServiceSettings, Speech};
use offhook_speech::session::{SessionEvent, SessionSettings};
use offhook_speech::speaking::ChunkSettings;
use offhook_speech::stt::{DeepgramSettings, Dialect, EarsSettings};
use offhook_speech::text::PlanSettings;
use offhook_speech::tts::{ElevenSettings, VoiceSettings};
use offhook_speech::voice::{VoiceChoice, VoiceError};
use offhook_speech::wire::audio::AudioFormat;
use offhook_speech::wire::url::Url;
use offhook_units::{Moment, Pii};
use server::{FRAME, FRAMES, SENTENCES, Times, serve};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Calls at once.
const CALLS: usize = 50;

/// A play-out that takes whatever comes, and notes when.
struct Sink {
    samples: usize,
    came: Arc<Mutex<Vec<(usize, Instant)>>>,
}

impl Port for Sink {
    fn news(&mut self) -> PortNews {
        PortNews { heard: self.samples as u64, ..PortNews::default() }
    }

    fn caller(&mut self, _into: &mut Vec<i16>) {}

    fn room(&mut self) -> usize {
        8_000
    }

    fn speak(&mut self, samples: &[i16]) {
        self.samples += samples.len();
        self.came.lock().unwrap().push((self.samples, Instant::now()));
    }

    fn event(&mut self, _event: SessionEvent) {}
}

fn settings(base: &Url, greeting: &str, call: usize) -> SessionSettings {
    let key = || Pii::new("k".to_owned());
    let talks = greeting.is_empty();
    SessionSettings {
        rate_hz: 8_000,
        conversation: ConversationSettings {
            system: String::new(),
            greeting: greeting.to_owned(),
            sorry: String::new(),
        },
        voice: Some(VoiceSettings::ElevenMulti(ElevenSettings {
            base: base.clone(),
            key: key(),
            voice_id: format!("v{call}"),
            model_id: "m".to_owned(),
            language: None,
            format: AudioFormat::Mulaw8k,
        })),
        has_device_voice: false,
        plan: PlanSettings::default(),
        chunks: ChunkSettings::default(),
        ears: talks.then(|| {
            EarsSettings::Deepgram(DeepgramSettings {
                base: base.clone(),
                key: key(),
                dialect: Dialect::V1,
                model: "m".to_owned(),
                language: None,
                endpointing_ms: 300,
                rate_hz: 8_000,
            })
        }),
        mind: talks.then(|| ChatSettings {
            base: base.clone(),
            key: None,
            model: format!("v{call}"),
            first_word_ms: 5_000,
        }),
        all_in_one: None,
        seed: call as u64,
    }
}

fn main() {
    let times = Arc::new(Times::new(2 * CALLS, CALLS));
    let base = Url::parse(&format!("http://{}", serve(&times))).unwrap();
    let origin = Instant::now();
    let clock = move || Moment::from_micros(u64::try_from(origin.elapsed().as_micros()).unwrap_or(0));
    let settings_of_thread = ServiceSettings {
        extra_roots_pem: None,
        device_voice: VoiceChoice::Any,
        pool: None,
        clock: Box::new(clock),
    };
    let speech = Speech::start_with(settings_of_thread, Err(VoiceError::Unspeakable), None).unwrap();

    // A word for each frame that the service sends.
    let words = vec!["word"; FRAMES].join(" ");
    let mut arrivals = Vec::new();
    for call in 0..CALLS {
        let came = Arc::new(Mutex::new(Vec::new()));
        arrivals.push(Arc::clone(&came));
        let port = Box::new(Sink { samples: 0, came });
        speech.open(Call(call as u64), settings(&base, &words, call), port).unwrap();
        speech.answered(Call(call as u64)).unwrap();
    }
    let sent = |call: usize| times.frames(call).len() == FRAMES;
    wait(|| (0..CALLS).all(sent));
    std::thread::sleep(Duration::from_millis(300));
    let mut delays = Vec::new();
    for (call, came) in arrivals.iter().enumerate() {
        let came = came.lock().unwrap();
        for (number, sent) in times.frames(call).into_iter().enumerate() {
            // The first samples of this frame in the play-out.
            if let Some((_, at)) = came.iter().find(|(samples, _)| *samples > number * FRAME) {
                delays.push(at.saturating_duration_since(sent));
            }
        }
        speech.hang_up(Call(call as u64)).unwrap();
    }
    tell("byte on the socket to samples in the play-out", &mut delays, CALLS * FRAMES);

    let token_to_text = |first: usize, what: &str| {
        let calls = first..first + CALLS;
        for call in calls.clone() {
            let port = Box::new(Sink { samples: 0, came: Arc::default() });
            speech.open(Call((CALLS + call) as u64), settings(&base, "", call), port).unwrap();
            speech.answered(Call((CALLS + call) as u64)).unwrap();
        }
        let busy = speech_thread_ran();
        wait(|| calls.clone().all(|call| times.texts(call).len() >= 2 * SENTENCES));
        let busy = speech_thread_ran().saturating_sub(busy) / u32::try_from(CALLS * SENTENCES).unwrap_or(1);
        let mut delays = Vec::new();
        for call in calls {
            let texts = times.texts(call);
            for (sentence, sent) in times.tokens(call) {
                if let Some((_, came)) = texts.iter().find(|(text, _)| *text == sentence) {
                    delays.push(came.saturating_duration_since(sent));
                }
            }
            speech.hang_up(Call((CALLS + call) as u64)).unwrap();
        }
        tell(what, &mut delays, CALLS * SENTENCES);
        println!("{:50} the speech thread ran {} µs a sentence", "", busy.as_micros());
    };
    token_to_text(0, "token of the model to text on the voice's socket");
    token_to_text(CALLS, "the same, all models in the same moment");
}

/// How long the speech thread was on a core so far, where the system tells.
fn speech_thread_ran() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of_it = tasks.filter(|task| {
        std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "speech")
    });
    let ran_ns = of_it.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(ran_ns.sum())
}

fn wait(done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn tell(what: &str, delays: &mut [Duration], expected: usize) {
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
