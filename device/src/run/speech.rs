//! The agent: the speech thread, the services that it talks to, and the lab that stands in for those that are not
//! configured.
//!
//! Voices take their time to load, so all of it begins on a thread of its own while other calls are taken already.

use super::appliance::Event;
use super::book::Agents;
use super::pages::Shared;
use super::secrets::Places;
use super::settings::SettingsError;
use super::supervisor;
use super::{talk, threads};
use crate::audio::LineId;
use crate::audio::route::Route;
use crate::clock::Clock;
use crate::conversation::{Conversations, Parts, Told};
use crate::trunk::routes::Target as To;
use crate::trunk::switchboard::{Plain, Switchboard};
use offhook_config::{Config, Service, Speech as Wanted, Target};
use offhook_lab::{Lab, LabVoice, Options};
use offhook_speech::conversation::ConversationSettings;
use offhook_speech::llm::ChatSettings;
use offhook_speech::service::{ServiceSettings, Speech};
use offhook_speech::stt::DeepgramSettings;
use offhook_speech::text::{PlanSettings, SplitterSettings};
use offhook_speech::tts::{ElevenSettings, VoiceTuning};
use offhook_speech::voice::VoiceChoice;
use offhook_speech::wire::audio::AudioFormat;
use offhook_speech::wire::url::Url;
use offhook_units::{Codec, Pii};
use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};

/// What conversations tell, waiting to be read: some seconds of fifty of them.
const MOST_TOLD: usize = 4_096;
/// The longest that the language model may take to begin, ms: a local one may have to load first.
const FIRST_WORD_MS: u32 = 10_000;
/// Silence that ends what a caller says, ms.
const ENDPOINTING_MS: u32 = 300;

/// What answers calls, and what begins the agents among it.
pub(super) fn answering(clock: Clock, events: Sender<Event>) -> (Box<dyn Switchboard>, Starter) {
    let (ready, waiting) = sync_channel(1);
    let starter = Starter { clock, events, ready: Some(ready) };
    (Box::new(Late { waiting, agent: OnceCell::new() }), starter)
}

/// Begins the agents when a route leads to them: at the start, or with the reload that brings the first one.
#[derive(Debug)]
pub(super) struct Starter {
    clock: Clock,
    events: Sender<Event>,
    /// To the switchboard; gone when they have begun.
    ready: Option<SyncSender<Agent>>,
}

impl Starter {
    /// Whether what the routes need, and is not there yet, could begin.
    ///
    /// # Errors
    /// What would keep it from that.
    pub(super) fn check(&self, config: &Config, places: &Places) -> Result<(), SettingsError> {
        if self.is_wanted(config) {
            Keys::read(&config.speech, places)?;
        }
        Ok(())
    }

    fn is_wanted(&self, config: &Config) -> bool {
        self.ready.is_some() && config.routes.iter().any(|route| route.target == Target::Agent)
    }

    /// Begins what the routes need and is not there yet.
    ///
    /// # Errors
    /// As [`Starter::check`], and when the system gives no thread.
    pub(super) fn begin(
        &mut self,
        config: &Config,
        places: &Places,
        shared: &Shared,
    ) -> Result<(), SettingsError> {
        if !self.is_wanted(config) {
            if self.ready.is_some() {
                let why = "no route leads to an agent".to_owned();
                shared.book().agents = Agents { is_ready: true, why };
            }
            return Ok(());
        }
        let wanted = config.speech.clone();
        let keys = Keys::read(&wanted, places)?;
        let Some(ready) = self.ready.take() else { return Ok(()) };
        let (sender, told) = sync_channel(MOST_TOLD);
        shared.book().agents = Agents { is_ready: false, why: "it is starting".to_owned() };
        let no_thread = |error: std::io::Error| SettingsError::Speech(error.to_string());
        let (clock, events, told_to) = (self.clock, self.events.clone(), shared.clone());
        let body = move || {
            let state = match begin(&wanted, &keys, clock, sender, events) {
                Ok((agent, voice)) => {
                    // Where the trunk is gone already, so is the process.
                    let _ = ready.send(agent);
                    Agents { is_ready: true, why: voice }
                }
                Err(why) => {
                    tracing::error!("calls cannot be talked to: {why}");
                    Agents { is_ready: false, why }
                }
            };
            told_to.book().agents = state;
        };
        let part = supervisor::Part::Speech;
        threads::attend("speech-start", part, &self.events, body).map_err(no_thread)?;
        let shared = shared.clone();
        let body = move || overhear(&told, &shared);
        threads::attend("overhear", part, &self.events, body).map(drop).map_err(no_thread)
    }
}

/// Writes what conversations tell into the log and the book, for as long as they tell.
fn overhear(told: &Receiver<Told>, shared: &Shared) {
    for told in told {
        let talk = &mut shared.book().talk;
        talk.note(&told);
        talk::log(&told, talk);
    }
}

/// Whoever talks to callers, and the lab that it may need.
#[derive(Debug)]
struct Agent {
    conversations: Conversations,
    /// Serves for as long as it lives.
    _lab: Option<Lab>,
    /// Whether the speech thread ends as it should.
    is_leaving: Arc<AtomicBool>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        // Before its parts are dropped, and the speech thread with them.
        self.is_leaving.store(true, Relaxed);
    }
}

/// A switchboard that is without its agent until that has begun.
#[derive(Debug)]
struct Late {
    waiting: Receiver<Agent>,
    agent: OnceCell<Agent>,
}

impl Late {
    fn look(&self) -> Option<&Agent> {
        if self.agent.get().is_none()
            && let Ok(agent) = self.waiting.try_recv()
        {
            // It was empty, and is no other thread's.
            let _ = self.agent.set(agent);
        }
        self.agent.get()
    }
}

impl Switchboard for Late {
    fn serves(&self, target: &To) -> bool {
        self.look().map_or_else(|| Plain.serves(target), |agent| agent.conversations.serves(target))
    }

    fn connect(&mut self, line: LineId, target: &To, codec: Codec) -> Option<Route> {
        match self.agent.get_mut() {
            Some(agent) => agent.conversations.connect(line, target, codec),
            None => Plain.connect(line, target, codec),
        }
    }

    fn disconnect(&mut self, line: LineId, target: &To) {
        if let Some(agent) = self.agent.get_mut() {
            agent.conversations.disconnect(line, target);
        }
    }
}

/// The services' keys.
#[derive(Debug)]
struct Keys {
    voice: Option<Pii<String>>,
    ears: Option<Pii<String>>,
    mind: Option<Pii<String>>,
}

impl Keys {
    fn read(wanted: &Wanted, places: &Places) -> Result<Self, SettingsError> {
        let key = |service: &Service| {
            if let Some(url) = &service.url {
                Url::parse(url).map_err(|error| SettingsError::Speech(error.to_string()))?;
            }
            Ok::<_, SettingsError>(service.key_file.as_deref().map(|file| places.read(file)).transpose()?)
        };
        Ok(Self { voice: key(&wanted.voice)?, ears: key(&wanted.ears)?, mind: key(&wanted.mind)? })
    }
}

/// Starts the lab where it is needed, and the speech thread; says which voice the device has.
fn begin(
    wanted: &Wanted,
    keys: &Keys,
    clock: Clock,
    told: SyncSender<Told>,
    events: Sender<Event>,
) -> Result<(Agent, String), String> {
    let services = [&wanted.voice, &wanted.ears, &wanted.mind];
    let lab = match services.iter().any(|service| service.url.is_none()) {
        true => Some(Lab::start(lab_options()).map_err(|error| error.to_string())?),
        false => None,
    };
    let parts = parts(wanted, keys, lab.as_ref())?;
    // Until the thread runs there is no end of it to be told.
    let is_leaving = Arc::new(AtomicBool::new(true));
    let notice = threads::Notice::of(supervisor::Part::Speech, events, is_leaving.clone());
    let settings = ServiceSettings {
        extra_roots_pem: None,
        device_voice: VoiceChoice::Any,
        // The thread owns its clock: when the thread is over, however that comes, the clock goes, and that is told.
        clock: Box::new(move || {
            let _held = &notice;
            clock.now()
        }),
    };
    let speech = Speech::start(settings).map_err(|error| error.to_string())?;
    is_leaving.store(false, Relaxed);
    let voice = match speech.device_voice() {
        Ok(name) => format!("the voice on the device is {name}"),
        Err(error) => format!("there is no voice on the device: {error}"),
    };
    let conversations = Conversations::new(speech, parts, clock, told);
    Ok((Agent { conversations, _lab: lab, is_leaving }, voice))
}

fn lab_options() -> Options {
    Options { https_port: None, wyoming_port: None, voice: LabVoice::Best, ..Options::default() }
}

fn parts(wanted: &Wanted, keys: &Keys, lab: Option<&Lab>) -> Result<Parts, String> {
    let base = |service: &Service, version: &str| {
        let text = match (&service.url, lab) {
            (Some(url), _) => url.clone(),
            (None, Some(lab)) => format!("http://{}{version}", lab.addresses().http),
            (None, None) => String::new(),
        };
        Url::parse(&text).map_err(|error| error.to_string())
    };
    let or_none = |key: &Option<Pii<String>>| key.clone().unwrap_or_else(|| Pii::new(String::new()));
    Ok(Parts {
        conversation: ConversationSettings {
            system: wanted.task.clone(),
            greeting: wanted.greeting.clone(),
            sorry: wanted.sorry.clone(),
            splitter: SplitterSettings::default(),
        },
        plan: PlanSettings::default(),
        voice: Some(ElevenSettings {
            base: base(&wanted.voice, "")?,
            key: or_none(&keys.voice),
            voice_id: wanted.voice_id.clone(),
            model_id: wanted.voice.model.clone(),
            language: wanted.language.clone(),
            tuning: VoiceTuning::default(),
            // Each call has its own.
            format: AudioFormat::Mulaw8k,
        }),
        ears: Some(DeepgramSettings {
            base: base(&wanted.ears, "")?,
            key: or_none(&keys.ears),
            model: wanted.ears.model.clone(),
            language: wanted.language.clone(),
            endpointing_ms: ENDPOINTING_MS,
            // Each call has its own.
            rate_hz: 8_000,
        }),
        mind: Some(ChatSettings {
            base: base(&wanted.mind, "/v1")?,
            key: keys.mind.clone(),
            model: wanted.mind.model.clone(),
            max_tokens: None,
            first_word_ms: FIRST_WORD_MS,
        }),
        seed: Clock::wall().as_nanos() as u64,
    })
}
