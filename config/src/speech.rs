//! `[speech]`: what calls to `agent` hear and are heard by.

use crate::Fault;
use crate::key::{Effect, Expects, Key};
use crate::reading::Reading;
use crate::text::Kind;
use std::path::PathBuf;

const fn key(path: &'static str, expects: Expects) -> Key {
    Key { path, variable: None, expects, effect: Effect::Restart }
}

const fn text(path: &'static str, kind: Kind, default: &'static str) -> Key {
    key(path, Expects::Text { kind, default })
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
static VOICE_URL: Key = text("speech.voice_url", Kind::Url, "");
static VOICE_KEY_FILE: Key = text("speech.voice_key_file", Kind::Path, "");
static VOICE_ID: Key = text("speech.voice_id", Kind::Name, "21m00Tcm4TlvDq8ikWAM");
static VOICE_MODEL: Key = text("speech.voice_model", Kind::Name, "eleven_flash_v2_5");
static EARS_URL: Key = text("speech.ears_url", Kind::Url, "");
static EARS_KEY_FILE: Key = text("speech.ears_key_file", Kind::Path, "");
static EARS_MODEL: Key = text("speech.ears_model", Kind::Name, "nova-3");
static MIND_URL: Key = text("speech.mind_url", Kind::Url, "");
static MIND_KEY_FILE: Key = text("speech.mind_key_file", Kind::Path, "");
static MIND_MODEL: Key = text("speech.mind_model", Kind::Name, "gpt-4o-mini");

pub(crate) static KEYS: [&Key; 14] = [
    &GREETING,
    &SORRY,
    &TASK,
    &LANGUAGE,
    &VOICE_URL,
    &VOICE_KEY_FILE,
    &VOICE_ID,
    &VOICE_MODEL,
    &EARS_URL,
    &EARS_KEY_FILE,
    &EARS_MODEL,
    &MIND_URL,
    &MIND_KEY_FILE,
    &MIND_MODEL,
];

/// A service and how to ask it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Where it is; `None`: in the lab that is built in.
    pub url: Option<String>,
    /// Where its key is.
    pub key_file: Option<PathBuf>,
    /// Which of its models.
    pub model: String,
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
    /// From text to speech.
    pub voice: Service,
    /// Which voice.
    pub voice_id: String,
    /// From speech to text.
    pub ears: Service,
    /// The language model.
    pub mind: Service,
}

/// The section as it was read. What it returns counts only where no problem was found.
pub(crate) fn read(reading: &mut Reading) -> Speech {
    Speech {
        greeting: reading.text(&GREETING),
        sorry: reading.text(&SORRY),
        task: reading.text(&TASK),
        language: Some(reading.text(&LANGUAGE)).filter(|language| !language.is_empty()),
        voice: service(reading, &VOICE_URL, &VOICE_KEY_FILE, &VOICE_MODEL),
        voice_id: reading.text(&VOICE_ID),
        ears: service(reading, &EARS_URL, &EARS_KEY_FILE, &EARS_MODEL),
        mind: service(reading, &MIND_URL, &MIND_KEY_FILE, &MIND_MODEL),
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
    Service { url, key_file: secret, model: reading.text(model) }
}
