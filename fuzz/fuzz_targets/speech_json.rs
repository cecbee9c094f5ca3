//! A service that says anything at any time, to each of the machines that listen to one: nothing panics, a machine that
//! was told that its call is over holds nothing, and the words and samples that come out are no more than what came in.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use offhook_speech::failure::Breaker;
use offhook_speech::llm::{Chat, ChatEvent, ChatOutput, ChatSettings, Role};
use offhook_speech::stt::{Deepgram, DeepgramSettings, Dialect};
use offhook_speech::transport::{Closed, ConnId, FromNet, Lost, Part};
use offhook_speech::truevoice::{TrueVoice, TrueVoiceEvent, TrueVoiceOutput, TrueVoiceSettings};
use offhook_speech::tts::{ElevenMulti, ElevenSettings, JobId, TtsEvent, TtsOutput, VoiceTuning};
use offhook_speech::wire::audio::AudioFormat;
use offhook_speech::wire::url::Url;
use offhook_units::{Moment, Pii};

#[derive(Arbitrary, Debug)]
enum Happens<'a> {
    Text(&'a str),
    /// One of the protocols' own, with any words in it.
    Known(u8, &'a str),
    Binary(&'a [u8]),
    Opened,
    Closed(u16),
    Lost,
    Says(&'a str),
    Cancels,
}

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    service: u8,
    /// Each thing, and how long after the one before it, in milliseconds.
    happens: Vec<(u16, Happens<'a>)>,
}

/// Messages of the services, with a place for words.
const KNOWN: [&str; 16] = [
    r#"{"contextId":"t1","isFinal":true}"#,
    r#"{"contextId":"t1","audio":"AAECAwQFBgcICQ==","alignment":{"chars":["a","b"],"charStartTimesMs":[0,5],"charDurationsMs":[5,5]}}"#,
    r#"{"context_id":"t1","audio":"AAE=","alignment":{"chars":["%"],"charsStartTimesMs":[4000000000],"charsDurationsMs":[4000000000]}}"#,
    r#"{"error":"%","code":1008,"message":"%"}"#,
    r#"{"type":"Results","is_final":true,"speech_final":true,"channel":{"alternatives":[{"transcript":"%"}]}}"#,
    r#"{"type":"Results","is_final":false,"channel":{"alternatives":[{"transcript":"%"}]}}"#,
    r#"{"type":"UtteranceEnd"}"#,
    r#"{"type":"Error","description":"%"}"#,
    r#"{"type":"transcript","text":"%"}"#,
    r#"{"type":"transcript","text":"%","final":false}"#,
    r#"{"type":"llm_token","text":"%","turn":1}"#,
    r#"{"type":"llm_token","text":"%"}"#,
    r#"{"type":"llm_done"}"#,
    r#"{"type":"audio_end","turn":1}"#,
    "data: {\"choices\":[{\"delta\":{\"content\":\"%\"}}]}\n\n",
    "data: [DONE]\n\n",
];

fn message(happens: &Happens<'_>) -> Option<FromNet> {
    Some(match happens {
        Happens::Text(text) => FromNet::Text((*text).to_owned()),
        Happens::Known(which, words) => {
            let words = words.replace(['"', '\\'], "");
            FromNet::Text(KNOWN[usize::from(*which) % KNOWN.len()].replace('%', &words))
        }
        Happens::Binary(bytes) => FromNet::Binary(bytes.to_vec()),
        Happens::Opened => FromNet::Opened,
        Happens::Closed(code) => FromNet::Closed(Closed::Done { code: *code, reason: String::new() }),
        Happens::Lost => FromNet::Closed(Closed::Lost(Lost::Broken)),
        Happens::Says(_) | Happens::Cancels => return None,
    })
}

fn url() -> Url {
    Url::parse("http://127.0.0.1:1").expect("an address")
}

fn key() -> Pii<String> {
    Pii::new("k".to_owned())
}

fn voice(input: &Input<'_>) {
    let settings = ElevenSettings {
        base: url(),
        key: key(),
        voice_id: "v".to_owned(),
        model_id: "m".to_owned(),
        language: None,
        tuning: VoiceTuning::default(),
        format: AudioFormat::Mulaw8k,
    };
    let mut it = ElevenMulti::new(settings, Breaker::new(), 1);
    let (mut now, mut number, mut samples, mut bytes) = (Moment::ZERO, 1, 0, 0);
    it.open(now);
    for (wait_ms, happens) in &input.happens {
        now = now + offhook_units::Span::from_millis(i64::from(*wait_ms));
        it.handle_timeout(now);
        match (happens, message(happens)) {
            (Happens::Says(text), _) => it.say(now, JobId(1), text),
            (_, None) => it.cancel(now, JobId(1)),
            (_, Some(what)) => {
                bytes += if let FromNet::Text(text) = &what { text.len() } else { 0 };
                it.handle_net(now, ConnId { part: Part::Voice, number }, what);
            }
        }
        while let Some(output) = it.poll_output() {
            match output {
                TtsOutput::Net(offhook_speech::transport::ToNet::Open(conn, _)) => number = conn.number,
                TtsOutput::Event(TtsEvent::Audio { samples: more, .. }) => samples += more.len(),
                _ => {}
            }
        }
    }
    assert!(samples <= bytes);
    it.shut(now);
    assert_eq!(it.poll_timeout(), None);
}

fn ears(input: &Input<'_>) {
    let settings = DeepgramSettings {
        base: url(),
        key: key(),
        dialect: if input.service & 4 == 0 { Dialect::V1 } else { Dialect::Flux },
        model: "m".to_owned(),
        language: None,
        endpointing_ms: 300,
        rate_hz: 8_000,
    };
    let mut it = Deepgram::new(settings, Breaker::new(), 1);
    let (mut now, mut number) = (Moment::ZERO, 1);
    it.open(now);
    for (wait_ms, happens) in &input.happens {
        now = now + offhook_units::Span::from_millis(i64::from(*wait_ms));
        it.handle_timeout(now);
        match message(happens) {
            Some(what) => it.handle_net(now, ConnId { part: Part::Ears, number }, what),
            None => it.hear(now, &[0; 200]),
        }
        while let Some(output) = it.poll_output() {
            use offhook_speech::stt::SttOutput;
            if let SttOutput::Net(offhook_speech::transport::ToNet::Open(conn, _)) = output {
                number = conn.number;
            }
        }
    }
    it.shut();
    assert_eq!(it.poll_timeout(), None);
}

fn mind(input: &Input<'_>) {
    let settings = ChatSettings {
        base: url(),
        key: None,
        model: "m".to_owned(),
        max_tokens: None,
        first_word_ms: 1_000,
    };
    let mut it = Chat::new(settings);
    let (mut now, mut number, mut came, mut said) = (Moment::ZERO, 0, 0, 0);
    for (wait_ms, happens) in &input.happens {
        now = now + offhook_units::Span::from_millis(i64::from(*wait_ms));
        it.handle_timeout(now);
        match (happens, message(happens)) {
            (Happens::Says(text), _) => it.ask(now, &[(Role::User, (*text).to_owned())]),
            (_, None) => it.cancel(),
            (_, Some(FromNet::Text(text))) => {
                came += text.len();
                it.handle_net(now, ConnId { part: Part::Mind, number }, FromNet::Binary(text.into_bytes()));
            }
            (_, Some(what)) => {
                came += if let FromNet::Binary(bytes) = &what { bytes.len() } else { 0 };
                it.handle_net(now, ConnId { part: Part::Mind, number }, what);
            }
        }
        while let Some(output) = it.poll_output() {
            match output {
                ChatOutput::Net(offhook_speech::transport::ToNet::Open(conn, _)) => number = conn.number,
                ChatOutput::Event(ChatEvent::Text(text)) => said += text.len(),
                _ => {}
            }
        }
    }
    assert!(said <= 3 * came);
    it.cancel();
    assert_eq!(it.poll_timeout(), None);
}

fn all_in_one(input: &Input<'_>) {
    let mut it = TrueVoice::new(TrueVoiceSettings { url: url(), key: None }, Breaker::new(), 1);
    let (mut now, mut number, mut came, mut said) = (Moment::ZERO, 1, 0, 0);
    let mut speaks = false;
    it.open(now);
    for (wait_ms, happens) in &input.happens {
        now = now + offhook_units::Span::from_millis(i64::from(*wait_ms));
        it.handle_timeout(now);
        match message(happens) {
            Some(what) => {
                came += match &what {
                    FromNet::Text(text) => text.len(),
                    FromNet::Binary(bytes) => bytes.len(),
                    _ => 0,
                };
                it.handle_net(now, ConnId { part: Part::AllInOne, number }, what);
            }
            None => {
                it.hear(&[0; 500]);
                it.cancel(now);
                speaks = false;
            }
        }
        while let Some(output) = it.poll_output() {
            match output {
                TrueVoiceOutput::Net(offhook_speech::transport::ToNet::Open(conn, _)) => number = conn.number,
                TrueVoiceOutput::Net(_) => {}
                TrueVoiceOutput::Event(event) => match event {
                    TrueVoiceEvent::Begins => {
                        assert!(!std::mem::replace(&mut speaks, true), "two turns at once")
                    }
                    TrueVoiceEvent::Words(text) => {
                        assert!(speaks, "words of no turn");
                        said += text.len();
                    }
                    TrueVoiceEvent::Audio(samples) => {
                        assert!(speaks, "audio of no turn");
                        said += samples.len();
                    }
                    TrueVoiceEvent::Ends | TrueVoiceEvent::Breaks => {
                        assert!(std::mem::take(&mut speaks), "the end of no turn");
                    }
                    TrueVoiceEvent::Transcript(_) => speaks = false,
                    TrueVoiceEvent::Interim(_) | TrueVoiceEvent::Fault(_) => {}
                },
            }
        }
    }
    assert!(said <= came);
    it.shut();
    assert_eq!(it.poll_timeout(), None);
}

fuzz_target!(|input: Input<'_>| {
    match input.service % 4 {
        0 => voice(&input),
        1 => ears(&input),
        2 => mind(&input),
        _ => all_in_one(&input),
    }
});
