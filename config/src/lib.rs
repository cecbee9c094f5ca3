//! The one configuration file: what may stand in it, what holds where it is silent, and errors that show the
//! place, what was expected and how to mend it.
//!
//! ```text
//!  file text ─┐
//!  environment ├─► entries, each with its place ─► keys checked one by one ─► sections checked in themselves ─► Config
//!  --set K=V ─┘        (layer)                          (key)                     (trunk, jitter, …)
//!                         └───────────── every problem found on the way ──────────────► Problems
//! ```
//!
//! A [`Resolved`] knows besides where each value came from, and what a reload changes.
//!
//! Nothing here reads a file or the process's environment: the texts are handed in. The text is read through
//! toml's table of spans and not through serde, because serde stops at its first error and the person who
//! mends a file wants to see all of them.

mod audio;
mod calls;
mod chunks;
mod effective;
mod http;
mod jitter;
mod key;
mod layer;
mod log;
mod media;
mod nearest;
mod pauses;
mod problem;
mod reading;
mod redacted;
mod route;
mod secret;
mod sip;
mod sound;
mod speech;
mod speed;
mod text;
mod trunk;
mod value;

pub use audio::Audio;
pub use calls::Calls;
pub use chunks::Chunks;
pub use effective::{Change, Effective, Resolved};
pub use http::Http;
pub use jitter::Jitter;
pub use key::Effect;
pub use log::{Format, Level, Log};
pub use media::{Media, Source, Srtp};
pub use pauses::{Breaths, Pauses, Range};
pub use problem::{Fault, Problem, Problems, Unusable};
pub use redacted::Redacted;
pub use route::{Route, Target};
pub use sip::Sip;
pub use sound::{Card, Monitor, Side, Sound};
pub use speech::{
    AllInOne, DeviceCommand, DeviceVoice, EarsProtocol, FliteVoice, Realtime, Service, Speech, TrueVoice,
    VoiceProtocol,
};
pub use speed::Speed;
pub use text::{Misfit, Network, Server};
pub use trunk::{Transport, Trunk};

use key::Key;
use layer::{Layer, Place};
use reading::Reading;

/// The whole configuration, checked. Nobody else sees an unchecked one.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[trunk]` and `[trunk.fallback]`: the provider's servers, the preferred one first.
    pub trunks: Vec<Trunk>,
    /// `[sip]`: our own end.
    pub sip: Sip,
    /// `[media]`: RTP.
    pub media: Media,
    /// `[jitter]`: how much sound is held back.
    pub jitter: Jitter,
    /// `[speed]`: how far the speed of play-out may leave 1.
    pub speed: Speed,
    /// `[calls]`: how many, and how they end.
    pub calls: Calls,
    /// `[audio]`: how the audio thread runs.
    pub audio: Audio,
    /// `[sound]`: the sound card.
    pub sound: Sound,
    /// `[speech]`: what calls to an agent hear and are heard by.
    pub speech: Speech,
    /// `[chunks]`: in which portions speech goes to the play-out.
    pub chunks: Chunks,
    /// `[pauses]`: how long the voice is silent between its words.
    pub pauses: Pauses,
    /// `[breaths]`: when it breathes.
    pub breaths: Breaths,
    /// `[http]`: health, metrics, status.
    pub http: Http,
    /// `[log]`: what is told, and how.
    pub log: Log,
    /// `[route]`: what answers which number.
    pub routes: Vec<Route>,
}

impl Config {
    /// The configuration in `text`; `file_name` is for the errors.
    ///
    /// # Errors
    /// All problems of the text at once.
    pub fn from_toml(text: &str, file_name: &str) -> Result<Self, Problems> {
        Sources::new().file(file_name, text).read()
    }
}

/// All layers together, and what is wrong with them.
fn resolve(layers: &[Layer]) -> (Resolved, Vec<Problem>) {
    let mut reading = Reading::of(layers);
    let routes = route::read(&mut reading);
    let calls = calls::read(&reading);
    let (pauses, breaths) = pauses::read(&mut reading);
    let config = Config {
        trunks: trunk::read(&mut reading),
        sip: sip::read(&mut reading),
        media: media::read(&mut reading, calls.max),
        jitter: jitter::read(&mut reading),
        speed: speed::read(&reading),
        calls,
        audio: audio::read(&reading),
        sound: sound::read(&mut reading),
        speech: speech::read(&mut reading),
        chunks: chunks::read(&mut reading),
        pauses,
        breaths,
        http: http::read(&mut reading),
        log: log::read(&reading),
        routes: routes.iter().map(|(route, ..)| route.clone()).collect(),
    };
    route::check_ends(&mut reading, &config, &routes);
    let resolved = Resolved::new(config, layers, &reading, &routes);
    (resolved, reading.problems)
}

/// Where values come from, weakest first: what is added later wins. The product adds the file, then the
/// environment, then the command line. A value that is overridden must be sound all the same.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    layers: Vec<Layer>,
}

impl Sources {
    /// No source at all: reading it gives the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file's text under the name that errors shall show.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.layers.push(Layer::file(name, text));
        self
    }

    /// Adds the environment variables that stand for a key; all others, and empty ones, are passed over.
    ///
    /// `std::env::vars` panics on a variable that is not Unicode; hand in `vars_os` with those left out.
    #[must_use]
    pub fn environment<N: AsRef<str>, V: AsRef<str>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let known =
            variables.into_iter().filter_map(|(name, value)| Layer::variable(name.as_ref(), value.as_ref()));
        self.layers.extend(known);
        self
    }

    /// Adds one `KEY=VALUE` of the command line, as in `jitter.min_ms=40`.
    #[must_use]
    pub fn set(mut self, assignment: &str) -> Self {
        self.layers.push(Layer::option(assignment));
        self
    }

    /// Reads and checks everything that was added.
    ///
    /// # Errors
    /// All problems of all sources at once.
    pub fn read(self) -> Result<Config, Problems> {
        Ok(self.resolve()?.config)
    }

    /// Shows where the keys stand whose files cannot be used, which only whoever reads those can tell.
    pub fn blame(self, unusable: Vec<Unusable>) -> Problems {
        let reading = Reading::of(&self.layers);
        let problem = |unusable: Unusable| {
            let given = Key::find(unusable.key).and_then(|key| reading.setting(key).place);
            Problem::new(Fault::Unusable(unusable), given.unwrap_or(Place::NOWHERE))
        };
        let problems = unusable.into_iter().map(problem).collect();
        Problems::new(self.layers, problems)
    }

    /// As [`Self::read`], with the origin of each value.
    ///
    /// # Errors
    /// All problems of all sources at once.
    pub fn resolve(self) -> Result<Resolved, Problems> {
        let (resolved, problems) = resolve(&self.layers);
        if problems.is_empty() { Ok(resolved) } else { Err(Problems::new(self.layers, problems)) }
    }
}
