//! `[speech]`: what calls to `agent` hear and are heard by.

use crate::Fault;
use crate::key::{Expects, Key};
use crate::reading::Reading;
use crate::text::Kind;
use offhook_units::Span;
use std::path::PathBuf;

const fn choice(path: &'static str, of: &'static [&'static str], default: &'static str) -> Key {
    Key::at_restart(path, Expects::Choice { of, default })
}

const fn text(path: &'static str, kind: Kind, default: &'static str) -> Key {
    Key::at_restart(path, Expects::Text { kind, default })
}

static GREETING: Key = text("speech.greeting", Kind::Words, "Hello. How can I help you?");
static SORRY: Key = text(
    "speech.sorry",
    Kind::Words,
    "I am sorry, I cannot answer that just now. Please try again in a moment.",
);
static TASK: Key = text(
    "speech.task",
    Kind::Words,
    "You answer the telephone. Speak in short, plain sentences, without lists and without markup.",
);
static LANGUAGE: Key = text("speech.language", Kind::Name, "");
static SERVICE: Key = choice("speech.service", &["built-in", "none"], "built-in");
static VOICE_PROTOCOL: Key = choice(
    "speech.voice_protocol",
    &["elevenlabs", "elevenlabs-single", "deepgram", "wyoming"],
    "elevenlabs",
);
static VOICE_URL: Key = text("speech.voice_url", Kind::Url, "");
static VOICE_KEY_FILE: Key = text("speech.voice_key_file", Kind::Path, "");
static VOICE_ID: Key = text("speech.voice_id", Kind::Name, "");
static VOICE_MODEL: Key = text("speech.voice_model", Kind::Name, "");
static EARS_PROTOCOL: Key =
    choice("speech.ears_protocol", &["deepgram", "deepgram-flux", "wyoming"], "deepgram");
static EARS_URL: Key = text("speech.ears_url", Kind::Url, "");
static EARS_KEY_FILE: Key = text("speech.ears_key_file", Kind::Path, "");
static EARS_MODEL: Key = text("speech.ears_model", Kind::Name, "");
static MIND_URL: Key = text("speech.mind_url", Kind::WebUrl, "");
static MIND_KEY_FILE: Key = text("speech.mind_key_file", Kind::Path, "");
static MIND_MODEL: Key = text("speech.mind_model", Kind::Name, "gpt-4o-mini");

static ALL_IN_ONE: Key =
    choice("speech.all_in_one", &["auto", "truevoice", "openai-realtime", "none"], "auto");
static REALTIME_URL: Key = text("speech.realtime_url", Kind::WebUrl, "");
static REALTIME_KEY_FILE: Key = text("speech.realtime_key_file", Kind::Path, "");
static REALTIME_MODEL: Key = text("speech.realtime_model", Kind::Name, "gpt-realtime-2.1");
static REALTIME_EARS_MODEL: Key = text("speech.realtime_ears_model", Kind::NameOrNone, "gpt-transcribe");
static REALTIME_VOICE: Key = text("speech.realtime_voice", Kind::Name, "");
static TRUEVOICE_URL: Key =
    Key { variable: Some("TRUEVOICE_API_URL"), ..text("speech.truevoice_url", Kind::WebUrl, "") };
static TRUEVOICE_WS_URL: Key =
    Key { variable: Some("TRUEVOICE_WS_URL"), ..text("speech.truevoice_ws_url", Kind::SocketUrl, "") };
static TRUEVOICE_KEY_FILE: Key = text("speech.truevoice_key_file", Kind::Path, "");
static TRUEVOICE_MIN_IDLE: Key = Key::at_restart(
    "speech.truevoice_min_idle",
    Expects::Whole { unit: "connections", from: 0, to: 64, default: 2 },
);
static TRUEVOICE_MAX_IDLE: Key = Key::at_restart(
    "speech.truevoice_max_idle",
    Expects::Whole { unit: "connections", from: 0, to: 64, default: 8 },
);
static TRUEVOICE_MAX_AGE: Key = Key::at_restart(
    "speech.truevoice_max_age_s",
    Expects::Whole { unit: "whole seconds", from: 5, to: 3_600, default: 60 },
);

static DEVICE_VOICE: Key =
    choice("speech.device_voice", &["auto", "slt", "rms", "kal16", "espeak-ng", "command"], "auto");
static DEVICE_COMMAND: Key =
    Key::at_restart("speech.device_command", Expects::List { kind: Kind::Argument, default: &[] });
static DEVICE_OUTPUT: Key = choice("speech.device_output", &["pcm", "wav"], "pcm");
static DEVICE_RATE: Key = Key::at_restart(
    "speech.device_rate_hz",
    Expects::Whole { unit: "samples a second", from: 8_000, to: 48_000, default: 22_050 },
);

pub(crate) static KEYS: [&Key; 33] = [
    &GREETING,
    &SORRY,
    &TASK,
    &LANGUAGE,
    &SERVICE,
    &VOICE_PROTOCOL,
    &VOICE_URL,
    &VOICE_KEY_FILE,
    &VOICE_ID,
    &VOICE_MODEL,
    &EARS_PROTOCOL,
    &EARS_URL,
    &EARS_KEY_FILE,
    &EARS_MODEL,
    &MIND_URL,
    &MIND_KEY_FILE,
    &MIND_MODEL,
    &ALL_IN_ONE,
    &TRUEVOICE_URL,
    &TRUEVOICE_WS_URL,
    &TRUEVOICE_KEY_FILE,
    &TRUEVOICE_MIN_IDLE,
    &TRUEVOICE_MAX_IDLE,
    &TRUEVOICE_MAX_AGE,
    &REALTIME_URL,
    &REALTIME_KEY_FILE,
    &REALTIME_MODEL,
    &REALTIME_EARS_MODEL,
    &REALTIME_VOICE,
    &DEVICE_VOICE,
    &DEVICE_COMMAND,
    &DEVICE_OUTPUT,
    &DEVICE_RATE,
];

/// A service and how to ask it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Where it is; `None`: in the lab that is built in.
    pub url: Option<String>,
    /// Where its key is.
    pub key_file: Option<PathBuf>,
    /// Which of its models; `None`: the one that its protocol usually has.
    pub model: Option<String>,
}

/// By which protocol a voice is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceProtocol {
    /// ElevenLabs, `multi-stream-input`: a socket for the whole call.
    ElevenLabs,
    /// ElevenLabs, `stream-input`: a socket for each turn.
    ElevenLabsSingle,
    /// Deepgram Aura.
    Deepgram,
    /// Wyoming, as piper.
    Wyoming,
}

/// By which protocol recognition is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarsProtocol {
    /// Deepgram, `/v1/listen`.
    Deepgram,
    /// Deepgram Flux, `/v2/listen`.
    DeepgramFlux,
    /// Wyoming, as whisper.
    Wyoming,
}

/// TrueVoice, which listens, thinks and speaks by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrueVoice {
    /// Its WebSocket, or else
    pub ws_url: Option<String>,
    /// the service whose WebSocket is at its usual place; with neither: in the lab that is built in.
    pub url: Option<String>,
    /// Where its key is.
    pub key_file: Option<PathBuf>,
    /// Connections that wait for calls: at least,
    pub min_idle: u16,
    /// and at most.
    pub max_idle: u16,
    /// An idle one is replaced at this age.
    pub max_age: Span,
}

/// OpenAI Realtime, which does so, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Realtime {
    /// Where it is, with its version, and which of its models.
    pub service: Service,
    /// Which model writes down what the caller says; `None`: nobody does.
    pub ears_model: Option<String>,
    /// Which of its voices; `None`: its own choice.
    pub voice: Option<String>,
}

/// A service that listens, thinks and speaks by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllInOne {
    /// The project's own.
    TrueVoice(TrueVoice),
    /// OpenAI's, and what copies it.
    Realtime(Realtime),
}

/// What speaks on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceVoice {
    /// The best that is there.
    Auto,
    /// flite, with one of its voices.
    Flite(FliteVoice),
    /// espeak-ng.
    EspeakNg,
    /// A command.
    Command(DeviceCommand),
}

/// flite's voices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FliteVoice {
    /// A woman's.
    Slt,
    /// A man's.
    Rms,
    /// A small one, which is made fastest.
    Kal16,
}

/// A command that speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCommand {
    /// The program: a file, or a name to be looked for.
    pub program: String,
    /// What stands behind it.
    pub arguments: Vec<String>,
    /// Whether it writes a WAV file, not samples alone.
    pub is_wav: bool,
    /// Samples a second of what it writes.
    pub rate_hz: u32,
}

/// What an agent is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speech {
    /// The first words.
    pub greeting: String,
    /// What is said when there is no answer.
    pub sorry: String,
    /// What the language model is told of its task.
    pub task: String,
    /// The language of both ends, where the services shall not choose.
    pub language: Option<String>,
    /// Whether the lab stands in for a part without an address; else such a part is off.
    pub is_lab_asked: bool,
    /// How the voice is asked.
    pub voice_protocol: VoiceProtocol,
    /// From text to speech.
    pub voice: Service,
    /// Which voice; `None`: the one that its protocol usually has.
    pub voice_id: Option<String>,
    /// How recognition is asked.
    pub ears_protocol: EarsProtocol,
    /// From speech to text.
    pub ears: Service,
    /// The language model.
    pub mind: Service,
    /// What is asked instead of all three.
    pub all_in_one: Option<AllInOne>,
    /// What speaks where no service does.
    pub device_voice: DeviceVoice,
}

/// The section as it was read. What it returns counts only where no problem was found.
pub(crate) fn read(reading: &mut Reading) -> Speech {
    let voice_protocol = match reading.text(&VOICE_PROTOCOL).as_str() {
        "elevenlabs-single" => VoiceProtocol::ElevenLabsSingle,
        "deepgram" => VoiceProtocol::Deepgram,
        "wyoming" => VoiceProtocol::Wyoming,
        _ => VoiceProtocol::ElevenLabs,
    };
    let ears_protocol = match reading.text(&EARS_PROTOCOL).as_str() {
        "deepgram-flux" => EarsProtocol::DeepgramFlux,
        "wyoming" => EarsProtocol::Wyoming,
        _ => EarsProtocol::Deepgram,
    };
    address(reading, &VOICE_URL, &VOICE_PROTOCOL);
    address(reading, &EARS_URL, &EARS_PROTOCOL);
    if matches!(voice_protocol, VoiceProtocol::Deepgram | VoiceProtocol::Wyoming)
        && reading.is_changed(&VOICE_MODEL)
        && reading.setting(&VOICE_PROTOCOL).sound
    {
        let (this, other) = (reading.setting(&VOICE_MODEL), reading.setting(&VOICE_PROTOCOL));
        let because = "elsewhere a voice is its model, and has its name in voice_id";
        let needs = "speech.voice_protocol elevenlabs";
        reading.contradiction(&this, &other, Fault::Alone { key: VOICE_MODEL.path, needs, because });
    }
    if voice_protocol == VoiceProtocol::Wyoming {
        asks_for_no_key(reading, &VOICE_KEY_FILE, &VOICE_PROTOCOL, "another speech.voice_protocol");
    }
    if ears_protocol == EarsProtocol::Wyoming {
        asks_for_no_key(reading, &EARS_KEY_FILE, &EARS_PROTOCOL, "another speech.ears_protocol");
    }
    let all_in_one = all_in_one(reading);
    if matches!(&all_in_one, Some(AllInOne::Realtime(Realtime { ears_model: None, .. })))
        && reading.is_changed(&LANGUAGE)
    {
        let (this, other) = (reading.setting(&LANGUAGE), reading.setting(&REALTIME_EARS_MODEL));
        let because = "OpenAI Realtime is told the language for what it writes down, and for nothing else";
        let (key, needs) = (LANGUAGE.path, REALTIME_EARS_MODEL.path);
        reading.contradiction(&this, &other, Fault::Alone { key, needs, because });
    }
    Speech {
        greeting: reading.text(&GREETING),
        sorry: reading.text(&SORRY),
        task: reading.text(&TASK),
        language: name(reading, &LANGUAGE),
        is_lab_asked: reading.text(&SERVICE) == "built-in",
        voice_protocol,
        voice: service(reading, &VOICE_URL, &VOICE_KEY_FILE, &VOICE_MODEL),
        voice_id: name(reading, &VOICE_ID),
        ears_protocol,
        ears: service(reading, &EARS_URL, &EARS_KEY_FILE, &EARS_MODEL),
        mind: service(reading, &MIND_URL, &MIND_KEY_FILE, &MIND_MODEL),
        all_in_one,
        device_voice: device_voice(reading),
    }
}

fn device_voice(reading: &mut Reading) -> DeviceVoice {
    let words: Vec<String> = reading.list(&DEVICE_COMMAND);
    let wanted = reading.text(&DEVICE_VOICE);
    let is_sound = reading.setting(&DEVICE_VOICE).sound;
    for key in [&DEVICE_COMMAND, &DEVICE_OUTPUT, &DEVICE_RATE] {
        if wanted != "command" && is_sound && reading.is_changed(key) {
            let (this, other) = (reading.setting(key), reading.setting(&DEVICE_VOICE));
            let (needs, because) =
                ("speech.device_voice command", "no other voice on the device is a command");
            reading.contradiction(&this, &other, Fault::Alone { key: key.path, needs, because });
        }
    }
    match &*wanted {
        "slt" => DeviceVoice::Flite(FliteVoice::Slt),
        "rms" => DeviceVoice::Flite(FliteVoice::Rms),
        "kal16" => DeviceVoice::Flite(FliteVoice::Kal16),
        "espeak-ng" => DeviceVoice::EspeakNg,
        "command" => match words.split_first() {
            Some((program, arguments)) => DeviceVoice::Command(DeviceCommand {
                program: program.clone(),
                arguments: arguments.to_vec(),
                is_wav: reading.text(&DEVICE_OUTPUT) == "wav",
                rate_hz: reading.whole(&DEVICE_RATE),
            }),
            None => {
                let (this, other) = (reading.setting(&DEVICE_VOICE), reading.setting(&DEVICE_COMMAND));
                if other.sound {
                    let (key, needs) = ("speech.device_voice command", DEVICE_COMMAND.path);
                    let because = "there is no command to speak with";
                    reading.contradiction(&this, &other, Fault::Alone { key, needs, because });
                }
                DeviceVoice::Auto
            }
        },
        _ => DeviceVoice::Auto,
    }
}

fn all_in_one(reading: &mut Reading) -> Option<AllInOne> {
    let (truevoice, realtime) = (truevoice(reading), realtime(reading));
    let truevoice_is_there = truevoice.ws_url.is_some() || truevoice.url.is_some();
    match &*reading.text(&ALL_IN_ONE) {
        "truevoice" => Some(AllInOne::TrueVoice(truevoice)),
        "openai-realtime" => Some(AllInOne::Realtime(realtime)),
        "auto" if truevoice_is_there => Some(AllInOne::TrueVoice(truevoice)),
        "auto" if realtime.service.url.is_some() => Some(AllInOne::Realtime(realtime)),
        _ => None,
    }
}

fn realtime(reading: &mut Reading) -> Realtime {
    Realtime {
        service: service(reading, &REALTIME_URL, &REALTIME_KEY_FILE, &REALTIME_MODEL),
        ears_model: name(reading, &REALTIME_EARS_MODEL),
        voice: name(reading, &REALTIME_VOICE),
    }
}

fn truevoice(reading: &mut Reading) -> TrueVoice {
    let given = |key| Some(reading.text(key)).filter(|url| !url.is_empty());
    let (ws_url, url) = (given(&TRUEVOICE_WS_URL), given(&TRUEVOICE_URL));
    let key_file = reading.path(&TRUEVOICE_KEY_FILE);
    let has_address = ws_url.is_some() || url.is_some();
    if key_file.is_some() && !has_address && reading.setting(&TRUEVOICE_URL).sound {
        let (this, other) = (reading.setting(&TRUEVOICE_KEY_FILE), reading.setting(&TRUEVOICE_URL));
        let because = "the lab that is built in asks for no key";
        let (key, needs) = (TRUEVOICE_KEY_FILE.path, TRUEVOICE_URL.path);
        reading.contradiction(&this, &other, Fault::Alone { key, needs, because });
    }
    reading.is_crossed(&TRUEVOICE_MIN_IDLE, &TRUEVOICE_MAX_IDLE);
    let (min_idle, max_idle) = (reading.whole(&TRUEVOICE_MIN_IDLE), reading.whole(&TRUEVOICE_MAX_IDLE));
    let max_age = Span::from_millis(1_000 * reading.whole::<i64>(&TRUEVOICE_MAX_AGE));
    TrueVoice { ws_url, url, key_file, min_idle, max_idle, max_age }
}

fn asks_for_no_key(
    reading: &mut Reading,
    key_file: &'static Key,
    protocol: &'static Key,
    needs: &'static str,
) {
    if reading.is_changed(key_file) && reading.setting(protocol).sound {
        let (this, other) = (reading.setting(key_file), reading.setting(protocol));
        let because = "Wyoming knows no keys";
        reading.contradiction(&this, &other, Fault::Alone { key: key_file.path, needs, because });
    }
}

fn service(reading: &mut Reading, url: &'static Key, key_file: &'static Key, model: &'static Key) -> Service {
    let (place, secret) = (reading.text(url), reading.path(key_file));
    if place.is_empty() && secret.is_some() && reading.setting(url).sound {
        let (this, other) = (reading.setting(key_file), reading.setting(url));
        let because = "the lab that is built in asks for no key";
        reading.contradiction(&this, &other, Fault::Alone { key: key_file.path, needs: url.path, because });
    }
    let url = Some(place).filter(|place| !place.is_empty());
    Service { url, key_file: secret, model: name(reading, model) }
}

/// A name; `None` where there is none.
fn name(reading: &Reading, key: &'static Key) -> Option<String> {
    Some(reading.text(key)).filter(|name| !name.is_empty())
}

/// Whether the address is one that the protocol runs over.
fn address(reading: &mut Reading, url: &'static Key, protocol: &'static Key) {
    let (this, other) = (reading.setting(url), reading.setting(protocol));
    let is_wyoming = reading.text(protocol) == "wyoming";
    let place = reading.text(url);
    if place.is_empty() || place.starts_with("tcp://") == is_wyoming || !this.sound || !other.sound {
        return;
    }
    let wanted = if is_wyoming { "tcp:// and a host" } else { "https:// or http:// and a host" };
    reading.contradiction(&this, &other, Fault::WrongAddress { key: url.path, wanted, by: protocol.path });
}
