//! Services that say anything at any time, to a whole session: nothing panics, connections never pile up, and a session
//! whose call is over holds nothing and says nothing more.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use offhook_speech::all_in_one::AllInOneSettings;
use offhook_speech::conversation::ConversationSettings;
use offhook_speech::ear::{Came, Reached};
use offhook_speech::llm::ChatSettings;
use offhook_speech::realtime::RealtimeSettings;
use offhook_speech::session::{Input, Output, Session, SessionSettings, Shared};
use offhook_speech::speaking::{ChunkSettings, FromDevice, ToDevice};
use offhook_speech::stt::{DeepgramSettings, Dialect, EarsSettings};
use offhook_speech::text::PlanSettings;
use offhook_speech::transport::{Closed, ConnId, FromNet, Lost, ToNet};
use offhook_speech::truevoice::TrueVoiceSettings;
use offhook_speech::tts::{AuraSettings, ElevenSettings, JobId, VoiceSettings};
use offhook_speech::wire::audio::AudioFormat;
use offhook_speech::wire::url::Url;
use offhook_speech::wyoming::{WyomingEarsSettings, WyomingVoiceSettings};
use offhook_units::{Moment, Pii, Span};

#[derive(Arbitrary, Debug)]
enum Happens<'a> {
    Text(u8, &'a str),
    Binary(u8, &'a [u8]),
    /// One of the protocols' own messages with any words in it, as text or as a part of a stream.
    Known(u8, u8, &'a str, bool),
    Opened(u8),
    Done(u8, u16),
    Lost(u8),
    Device(u8, &'a [u8], bool),
    CallerSpeaks(bool),
    CallerIsHeard(u8),
    BreaksIn,
    Plays(u16),
    Says(&'a str),
}

#[derive(Arbitrary, Debug)]
struct Call<'a> {
    voice: u8,
    ears: u8,
    all_in_one: u8,
    /// Each thing, and how long after the one before it, in milliseconds.
    happens: Vec<(u16, Happens<'a>)>,
}

/// Messages of the services, with a place for words.
const KNOWN: [&str; 38] = [
    r#"{"contextId":"t1","isFinal":true}"#,
    r#"{"contextId":"t1","audio":"AAECAwQFBgcICQ==","alignment":{"chars":["a","b"],"charStartTimesMs":[0,5],"charDurationsMs":[5,5]}}"#,
    r#"{"context_id":"t2","audio":"AAE=","alignment":{"chars":["%"],"charsStartTimesMs":[4000000000],"charsDurationsMs":[4000000000]}}"#,
    r#"{"error":"%","code":1008,"message":"%"}"#,
    r#"{"audio_base64":"AAECAwQF","alignment":{"characters":["%"],"character_start_times_seconds":[0.0],"character_end_times_seconds":[1e9]}}"#,
    r#"{"type":"Results","is_final":true,"speech_final":true,"from_finalize":true,"start":0,"duration":1e9,"channel":{"alternatives":[{"transcript":"%"}]}}"#,
    r#"{"type":"Results","is_final":false,"channel":{"alternatives":[{"transcript":"%"}]}}"#,
    r#"{"type":"UtteranceEnd","last_word_end":-1}"#,
    r#"{"type":"TurnInfo","event":"EndOfTurn","turn_index":1,"transcript":"%"}"#,
    r#"{"type":"TurnInfo","event":"Update","turn_index":1,"transcript":"%"}"#,
    r#"{"type":"Error","description":"%"}"#,
    r#"{"type":"Flushed","sequence_id":1}"#,
    r#"{"type":"transcript","text":"%"}"#,
    r#"{"type":"transcript","text":"%","final":false}"#,
    r#"{"type":"llm_token","text":"%","turn":1}"#,
    r#"{"type":"llm_done"}"#,
    r#"{"type":"audio_end","turn":1}"#,
    r#"{"type":"session.created","session":{}}"#,
    r#"{"type":"session.updated","session":{}}"#,
    r#"{"type":"input_audio_buffer.committed","item_id":"%"}"#,
    r#"{"type":"conversation.item.input_audio_transcription.completed","item_id":"%","transcript":"%"}"#,
    r#"{"type":"response.created","response":{"id":"r1"}}"#,
    r#"{"type":"response.output_audio.delta","response_id":"r1","item_id":"i1","delta":"AAECAwQFBgc="}"#,
    r#"{"type":"response.output_audio_transcript.delta","response_id":"r1","item_id":"i1","delta":"%"}"#,
    r#"{"type":"response.output_audio_transcript.done","response_id":"r1","item_id":"i1"}"#,
    r#"{"type":"response.done","response":{"id":"r1","status":"completed"}}"#,
    r#"{"type":"response.done","response":{"id":"r1","status":"cancelled"}}"#,
    r#"{"type":"response.done","response":{"id":"r1","status":"failed","status_details":{"error":{"code":"%"}}}}"#,
    r#"{"type":"error","error":{"type":"invalid_request_error","code":"%"}}"#,
    r#"{"type":"error","error":{"type":"server_error","message":"%"}}"#,
    r#"{"type":"error","error":{"type":"invalid_request_error","code":"session_expired","message":"%"}}"#,
    "data: {\"choices\":[{\"delta\":{\"content\":\"%. \"}}]}\n\n",
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    "data: [DONE]\n\n",
    "{\"type\":\"audio-start\",\"data\":{\"rate\":22050,\"width\":2,\"channels\":1}}\n",
    "{\"type\":\"audio-chunk\",\"data\":{\"rate\":1,\"width\":2,\"channels\":1},\"payload_length\":4}\nabcd",
    "{\"type\":\"audio-stop\"}\n",
    "{\"type\":\"transcript\",\"data\":{\"text\":\"%\"}}\n",
];

/// More than a call ever has at once.
const MOST_CONNECTIONS: usize = 16;

struct World {
    session: Session,
    open: Vec<ConnId>,
    jobs: Vec<JobId>,
    placed: Vec<JobId>,
    given: u64,
    heard: u64,
}

impl World {
    fn settle(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Net(ToNet::Open(conn, _)) => self.open.push(conn),
                Output::Net(ToNet::Close(conn)) => self.open.retain(|open| *open != conn),
                Output::Net(ToNet::Text(conn, _) | ToNet::Binary(conn, _) | ToNet::Probe(conn)) => {
                    assert!(self.open.contains(&conn), "said into no connection");
                }
                Output::Device(ToDevice::Say(job, _)) => self.jobs.push(job),
                Output::Device(ToDevice::Place(job, _)) => self.placed.push(job),
                Output::Device(ToDevice::Stop(job)) => self.jobs.retain(|said| *said != job),
                Output::Event(_) => {}
            }
        }
        assert!(self.open.len() <= MOST_CONNECTIONS, "{:?}", self.open);
        let mut samples = [0; 960];
        while self.given < self.heard + 8_000 {
            let count = self.session.read_audio(&mut samples);
            if count == 0 {
                break;
            }
            self.given += count as u64;
        }
    }

    fn conn(&self, which: u8) -> Option<ConnId> {
        self.open.get(usize::from(which).checked_rem(self.open.len())?).copied()
    }

    fn net(&mut self, now: Moment, which: u8, what: FromNet) {
        let Some(conn) = self.conn(which) else { return };
        if let FromNet::Closed(_) = what {
            self.open.retain(|open| *open != conn);
        }
        self.session.handle_input(now, Input::Net(conn, what));
    }

    fn happens(&mut self, now: Moment, what: &Happens<'_>) {
        match *what {
            Happens::Text(conn, text) => self.net(now, conn, FromNet::Text(text.to_owned())),
            Happens::Binary(conn, bytes) => self.net(now, conn, FromNet::Binary(bytes.to_vec())),
            Happens::Known(conn, which, words, as_text) => {
                let words = words.replace(['"', '\\'], "");
                let text = KNOWN[usize::from(which) % KNOWN.len()].replace('%', &words);
                let what = if as_text { FromNet::Text(text) } else { FromNet::Binary(text.into_bytes()) };
                self.net(now, conn, what);
            }
            Happens::Opened(conn) => self.net(now, conn, FromNet::Opened),
            Happens::Done(conn, code) => {
                self.net(now, conn, FromNet::Closed(Closed::Done { code, reason: String::new() }));
            }
            Happens::Lost(conn) => self.net(now, conn, FromNet::Closed(Closed::Lost(Lost::Broken))),
            Happens::Device(_, bytes, told) if !self.placed.is_empty() => {
                let reached = |three: &[u8; 3]| Reached {
                    chars: three[0].into(),
                    mille: 4 * u32::from(three[1]),
                    at_ms: 100 * u32::from(three[2]),
                };
                let (words, part) = bytes.split_at(bytes.len() / 2);
                let reached = |bytes: &[u8]| bytes.as_chunks().0.iter().map(reached).collect();
                let (words, part, letters) = (reached(words), reached(part), reached(part));
                let ends_softly = bytes.len().is_multiple_of(2);
                let came = told.then_some(Came { words, part, letters, is_sure: true, ends_softly });
                if let Some(job) = self.placed.pop() {
                    self.session.handle_input(now, Input::Device(job, FromDevice::Places(came)));
                }
            }
            Happens::Device(which, bytes, done) => {
                let Some(at) = usize::from(which).checked_rem(self.jobs.len()) else { return };
                let job = self.jobs[at];
                let samples = bytes.iter().map(|byte| i16::from(*byte) << 7).collect();
                let audio = FromDevice::Audio { samples, rate_hz: 16_000, chars: Vec::new() };
                self.session.handle_input(now, Input::Device(job, audio));
                if done {
                    self.jobs.retain(|said| *said != job);
                    self.session.handle_input(now, Input::Device(job, FromDevice::Finished));
                }
            }
            Happens::CallerSpeaks(speaks) => self.session.handle_input(now, Input::CallerSpeaks(speaks)),
            Happens::CallerIsHeard(ticks) => {
                self.session.handle_input(now, Input::CallerAudio(&vec![99; 80 * usize::from(ticks)]));
            }
            Happens::BreaksIn => {
                self.heard = self.given;
                self.session.handle_input(now, Input::BargeIn(self.given));
            }
            Happens::Plays(samples) => {
                self.heard = self.given.min(self.heard + u64::from(samples));
                self.session.handle_input(now, Input::Played(self.heard));
            }
            Happens::Says(text) => self.session.handle_input(now, Input::Say(text)),
        }
    }
}

fn settings(call: &Call<'_>) -> SessionSettings {
    let url = || Url::parse("http://127.0.0.1:1").expect("an address");
    let raw = || Url::parse("tcp://127.0.0.1:1").expect("an address");
    let key = || Pii::new("k".to_owned());
    let name = || "m".to_owned();
    let eleven = || ElevenSettings {
        base: url(),
        key: key(),
        voice_id: name(),
        model_id: name(),
        language: None,
        format: AudioFormat::Mulaw8k,
    };
    let deepgram = |dialect| DeepgramSettings {
        base: url(),
        key: key(),
        dialect,
        model: name(),
        language: None,
        endpointing_ms: 300,
        rate_hz: 8_000,
    };
    SessionSettings {
        rate_hz: 8_000,
        conversation: ConversationSettings {
            system: String::new(),
            greeting: "Hello there.".to_owned(),
            sorry: "Sorry.".to_owned(),
        },
        voice: match call.voice % 5 {
            0 => Some(VoiceSettings::ElevenMulti(eleven())),
            1 => Some(VoiceSettings::ElevenSingle(eleven())),
            2 => Some(VoiceSettings::Aura(AuraSettings {
                base: url(),
                key: key(),
                model: name(),
                format: AudioFormat::Mulaw8k,
            })),
            3 => {
                Some(VoiceSettings::Wyoming(WyomingVoiceSettings { url: raw(), voice: None, language: None }))
            }
            _ => None,
        },
        has_device_voice: call.voice & 8 == 0,
        device_says_parts: call.voice & 16 == 0,
        plan: PlanSettings::default(),
        chunks: ChunkSettings::default(),
        ears: match call.ears % 4 {
            0 => Some(EarsSettings::Deepgram(deepgram(Dialect::V1))),
            1 => Some(EarsSettings::Deepgram(deepgram(Dialect::Flux))),
            2 => Some(EarsSettings::Wyoming(WyomingEarsSettings {
                url: raw(),
                model: None,
                language: None,
                endpointing_ms: 300,
                rate_hz: 8_000,
            })),
            _ => None,
        },
        mind: Some(ChatSettings { base: url(), key: None, model: name(), first_word_ms: 1_000 }),
        all_in_one: match call.all_in_one % 6 {
            0 => Some(AllInOneSettings::TrueVoice(TrueVoiceSettings { url: url(), key: None })),
            1 => Some(AllInOneSettings::Realtime(RealtimeSettings {
                base: url(),
                key: None,
                model: name(),
                voice: None,
                ears_model: Some(name()),
                language: None,
                endpointing_ms: 300,
                task: name(),
                greeting: name(),
            })),
            _ => None,
        },
        seed: 1,
    }
}

fuzz_target!(|call: Call<'_>| {
    let mut now = Moment::ZERO;
    let session = Session::open(now, settings(&call), &Shared::default());
    let mut world =
        World { session, open: Vec::new(), jobs: Vec::new(), placed: Vec::new(), given: 0, heard: 0 };
    world.settle();
    world.session.answered(now);
    world.settle();
    for (wait_ms, what) in &call.happens {
        now = now + Span::from_millis(i64::from(*wait_ms));
        if world.session.poll_timeout().is_some_and(|due| due <= now) {
            world.session.handle_timeout(now);
            world.settle();
        }
        world.happens(now, what);
        world.settle();
    }
    let before = world.open.clone();
    world.session.handle_input(now, Input::HangUp);
    world.settle();
    assert_eq!((&*world.open, world.session.poll_timeout()), (&[][..], None), "left behind");
    for conn in before {
        world.session.handle_input(now, Input::Net(conn, FromNet::Text(KNOWN[0].to_owned())));
        assert_eq!(world.session.poll_output(), None, "a call that is over says something");
    }
});
