//! What the speech thread adds: `cargo bench -p offhook-speech --bench latency`. Fifty calls on loopback against services
//! in this process: from the byte of a voice on its socket to its samples in the play-out, and from the token of a model
//! that completes a sentence to that sentence on the voice's socket. Below each, what this machine took in the same
//! seconds for bare sockets and a thread that does nothing but read them.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

mod bare;
mod server;
#[path = "../support/mod.rs"]
mod support;

use bare::Bare;
use offhook_speech::llm::ChatSettings;
use offhook_speech::service::Call;
use offhook_speech::session::SessionSettings;
use offhook_speech::stt::{DeepgramSettings, Dialect, EarsSettings};
use offhook_speech::tts::{ElevenSettings, VoiceSettings};
use offhook_speech::voice::VoiceError;
use offhook_speech::wire::audio::AudioFormat;
use offhook_speech::wire::url::Url;
use offhook_units::Pii;
use server::{FRAME, FRAMES, SENTENCES, Times, serve};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::{CALLS, Sink, session, start, tell};

fn settings(base: &Url, greeting: &str, call: usize) -> SessionSettings {
    let key = || Pii::new("k".to_owned());
    let talks = greeting.is_empty();
    SessionSettings {
        voice: Some(VoiceSettings::ElevenMulti(ElevenSettings {
            base: base.clone(),
            key: key(),
            voice_id: format!("v{call}"),
            model_id: "m".to_owned(),
            language: None,
            format: AudioFormat::Mulaw8k,
        })),
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
        ..session(greeting, call)
    }
}

fn main() {
    let times = Arc::new(Times::new(2 * CALLS, CALLS));
    let base = Url::parse(&format!("http://{}", serve(&times))).unwrap();
    let speech = start(Err(VoiceError::Unspeakable));
    let bare = Bare::start();

    // A word for each frame that the service sends.
    let words = vec!["word"; FRAMES].join(" ");
    let mut arrivals = Vec::new();
    for call in 0..CALLS {
        let came = Arc::new(Mutex::new(Vec::new()));
        arrivals.push(Arc::clone(&came));
        let port = Sink::new(move |samples| came.lock().unwrap().push((samples, Instant::now())));
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
    let mut there = bare.take().there;
    let sent = there.len();
    tell("  a byte on a bare socket to a thread that reads", &mut there, sent);

    let token_to_text = |first: usize, what: &str| {
        let calls = first..first + CALLS;
        for call in calls.clone() {
            speech.open(Call((CALLS + call) as u64), settings(&base, "", call), Sink::new(|_| {})).unwrap();
            speech.answered(Call((CALLS + call) as u64)).unwrap();
        }
        let busy = speech_thread_ran();
        bare.take();
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
        let mut and_back = bare.take().and_back;
        let sent = and_back.len();
        tell("  a byte there and back on a bare socket", &mut and_back, sent);
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
