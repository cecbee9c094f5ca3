//! The agent: the speech thread, the services that it talks to, and the lab that stands in for those that are not
//! configured.
//!
//! Voices take their time to load, so all of it begins on a thread of its own while other calls are taken already.

use super::appliance::Event;
use super::book::Agents;
use super::pages::Shared;
use super::secrets::Places;
use super::services::{self, Key};
use super::settings::SettingsError;
use super::supervisor;
use super::{talk, threads};
use crate::audio::LineId;
use crate::audio::route::Route;
use crate::clock::Clock;
use crate::conversation::{Conversations, Parts, Told};
use crate::spoken;
use crate::trunk::routes::Target as To;
use crate::trunk::switchboard::{Plain, Switchboard, Unserved};
use offhook_config::{AllInOne, Chunks, Config, Speech as Wanted, Target};
use offhook_lab::{Lab, LabVoice, Options};
use offhook_speech::all_in_one::AllInOneSettings;
use offhook_speech::conversation::ConversationSettings;
use offhook_speech::ear::Ear;
use offhook_speech::service::{ServiceSettings, Speech};
use offhook_speech::speaking::ChunkSettings;
use offhook_speech::text::PlanSettings;
use offhook_speech::voice::{self, VoiceChoice};
use offhook_speech::wire::url::{BadUrl, Url};
use offhook_units::Codec;
use std::cell::OnceCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};

/// What conversations tell, waiting to be read: some seconds of fifty of them.
const MOST_TOLD: usize = 4_096;

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
    /// Whether the agents have begun: what they are made of stays until a restart.
    pub(super) const fn has_begun(&self) -> bool {
        self.ready.is_none()
    }

    /// Whether what the routes need, and is not there yet, could begin.
    ///
    /// # Errors
    /// What would keep it from that.
    pub(super) fn check(&self, config: &Config) -> Result<(), SettingsError> {
        if self.is_wanted(config) {
            check_addresses(&config.speech)?;
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
        let (wanted, pace) = (config.speech.clone(), (config.chunks, plan(config)?));
        check_addresses(&wanted)?;
        let keys = Keys::read(&wanted, places);
        for complaint in keys.complaints() {
            tracing::warn!("{complaint}");
        }
        let Some(ready) = self.ready.take() else { return Ok(()) };
        let (sender, told) = sync_channel(MOST_TOLD);
        shared.book().agents = Agents { is_ready: false, why: "it is starting".to_owned() };
        let no_thread = |error: std::io::Error| SettingsError::Speech(error.to_string());
        let (clock, events, told_to) = (self.clock, self.events.clone(), shared.clone());
        let body = move || {
            let state = match begin(&wanted, pace, &keys, clock, sender, events) {
                Ok((agent, voice)) => {
                    // Where the trunk is gone already, so is the process.
                    let _ = ready.send(agent);
                    let why: Vec<String> = keys.complaints().chain(voice).collect();
                    Agents { is_ready: !keys.is_deaf_or_dumb(), why: why.join("; ") }
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
        let stages = {
            let talk = &mut shared.book().talk;
            talk.note(&told);
            talk.stages(told.call).collect::<Vec<_>>()
        };
        // Nobody waits for the book while a line is written.
        talk::log(&told, &stages);
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
    fn serves(&self, target: &To) -> Result<(), Unserved> {
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

/// Whether every address can be one.
fn check_addresses(wanted: &Wanted) -> Result<(), SettingsError> {
    let services = [&wanted.voice, &wanted.ears, &wanted.mind].map(|service| service.url.as_ref());
    let all_in_one = match &wanted.all_in_one {
        Some(AllInOne::TrueVoice(service)) => [service.ws_url.as_ref(), service.url.as_ref()],
        Some(AllInOne::Realtime(realtime)) => [realtime.service.url.as_ref(), None],
        None => [None, None],
    };
    for url in services.into_iter().chain(all_in_one).flatten() {
        Url::parse(url).map_err(|error| SettingsError::Speech(error.to_string()))?;
    }
    Ok(())
}

/// The services' keys.
#[derive(Debug)]
struct Keys {
    voice: Key,
    ears: Key,
    mind: Key,
    /// Of what does all of it, with its name; then nobody asks for the others.
    all_in_one: Option<(&'static str, Key)>,
}

impl Keys {
    fn read(wanted: &Wanted, places: &Places) -> Self {
        let key = |service| Key::read(wanted, service, places);
        let all_in_one = wanted.all_in_one.as_ref().map(|service| {
            let name = match service {
                AllInOne::TrueVoice(_) => "TrueVoice",
                AllInOne::Realtime(_) => "OpenAI Realtime",
            };
            (name, Key::of_all_in_one(wanted, service, places))
        });
        Self { voice: key(&wanted.voice), ears: key(&wanted.ears), mind: key(&wanted.mind), all_in_one }
    }

    /// What is off, and what callers have instead.
    fn complaints(&self) -> impl Iterator<Item = String> {
        let complaints = match &self.all_in_one {
            Some((name, key)) => [key.complaint(name, "nobody hears the caller"), None, None],
            None => [
                self.voice.complaint("the voice", "the voice on the device speaks"),
                self.ears.complaint("recognition", "nobody hears the caller"),
                self.mind.complaint("the language model", "callers are told that there is no answer"),
            ],
        };
        complaints.into_iter().flatten()
    }

    /// Whether no conversation can be had at all.
    const fn is_deaf_or_dumb(&self) -> bool {
        match &self.all_in_one {
            Some((_, key)) => key.is_missing(),
            None => self.ears.is_missing() || self.mind.is_missing(),
        }
    }
}

/// Starts the lab where it is needed, and the speech thread; says which voice the device has, and what is wrong with the
/// one that was wanted.
fn begin(
    wanted: &Wanted,
    pace: Pace,
    keys: &Keys,
    clock: Clock,
    told: SyncSender<Told>,
    events: Sender<Event>,
) -> Result<(Agent, Vec<String>), String> {
    let (needs_lab, by_wyoming) = services::needs_lab(wanted);
    let lab = match needs_lab {
        true => Some(Lab::start(lab_options(by_wyoming)).map_err(|error| error.to_string())?),
        false => None,
    };
    let parts = parts(wanted, pace, keys, lab.as_ref()).map_err(|error| error.to_string())?;
    // Until the thread runs there is no end of it to be told.
    let is_leaving = Arc::new(AtomicBool::new(true));
    let notice = threads::Notice::of(supervisor::Part::Speech, events, is_leaving.clone());
    let (voice, complaint) = match spoken::tried_voice(&wanted.device_voice, clock) {
        Ok(voice) => (Ok(voice), None),
        Err(error) => {
            let complaint = format!("speech.device_voice cannot be had, and another one speaks: {error}");
            tracing::warn!("{complaint}");
            (voice::open(&VoiceChoice::AnyOrPrompts), Some(complaint))
        }
    };
    let settings = ServiceSettings {
        extra_roots_pem: None,
        // The thread owns its clock: when the thread is over, however that comes, the clock goes, and that is told.
        clock: Box::new(move || {
            let _held = &notice;
            clock.now()
        }),
        pool: match (&parts.all_in_one, &wanted.all_in_one) {
            (Some(AllInOneSettings::TrueVoice(service)), Some(wanted)) => {
                services::pool(wanted).map(|pool| (service.clone(), pool))
            }
            _ => None,
        },
    };
    let speech = Speech::start(settings, voice, Ear::open()).map_err(|error| error.to_string())?;
    is_leaving.store(false, Relaxed);
    let voice = match speech.device_voice() {
        Ok(name) => format!("the voice on the device is {name}"),
        Err(error) => format!("there is no voice on the device: {error}"),
    };
    let conversations = Conversations::new(speech, parts, clock, told);
    Ok((Agent { conversations, _lab: lab, is_leaving }, complaint.into_iter().chain([voice]).collect()))
}

/// How the voice of the device goes: in which portions, with which rests.
type Pace = (Chunks, PlanSettings);

fn plan(config: &Config) -> Result<PlanSettings, SettingsError> {
    spoken::plan(config.pauses, config.breaths).map_err(|error| SettingsError::Speech(error.to_string()))
}

fn lab_options(by_wyoming: bool) -> Options {
    let wyoming_port = by_wyoming.then_some(0);
    Options { https_port: None, wyoming_port, voice: LabVoice::Best, ..Options::default() }
}

fn parts(wanted: &Wanted, (chunks, plan): Pace, keys: &Keys, lab: Option<&Lab>) -> Result<Parts, BadUrl> {
    let Chunks { min_ms, default_ms, max_ms } = chunks;
    // What does all of it leaves nothing to the others.
    let asked = |key: &Key| keys.all_in_one.is_none() && !key.is_missing();
    let voice = asked(&keys.voice).then(|| services::voice(wanted, &keys.voice, lab));
    let ears = asked(&keys.ears).then(|| services::ears(wanted, &keys.ears, lab));
    let mind = asked(&keys.mind).then(|| services::mind(wanted, &keys.mind, lab));
    let all_in_one = wanted.all_in_one.as_ref().zip(keys.all_in_one.as_ref());
    let all_in_one = all_in_one.filter(|(_, (_, key))| !key.is_missing());
    let all_in_one = all_in_one.map(|(service, (_, key))| services::all_in_one(wanted, service, key, lab));
    Ok(Parts {
        conversation: ConversationSettings {
            system: wanted.task.clone(),
            greeting: wanted.greeting.clone(),
            sorry: wanted.sorry.clone(),
        },
        plan,
        chunks: ChunkSettings { min_ms, default_ms, max_ms },
        voice: voice.transpose()?,
        ears: ears.transpose()?,
        mind: mind.transpose()?,
        all_in_one: all_in_one.transpose()?,
        seed: Clock::wall().as_nanos() as u64,
    })
}
