//! The one configuration file: what may stand in it, what holds where it is silent, and errors that show the
//! place, what was expected and how to mend it.
//!
//! ```text
//!  file text ─┐
//!  environment ├─► entries, each with its place ─► keys checked one by one ─► sections checked in themselves ─► Config
//!  --set K=V ─┘        (layer)                          (key)                     (jitter, speed)
//!                         └───────────── every problem found on the way ──────────────► Problems
//! ```
//!
//! Nothing here reads a file or the process's environment: the texts are handed in. The text is read through
//! toml's table of spans and not through serde, because serde stops at its first error and the person who
//! mends a file wants to see all of them.

mod jitter;
mod key;
mod layer;
mod nearest;
mod problem;
mod reading;
mod speed;

pub use jitter::Jitter;
pub use problem::{Fault, Problem, Problems};
pub use speed::Speed;

use layer::Layer;
use reading::Reading;

/// The whole configuration, checked. Nobody else sees an unchecked one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Config {
    /// `[jitter]`: how much sound is held back.
    pub jitter: Jitter,
    /// `[speed]`: how far the speed of play-out may leave 1.
    pub speed: Speed,
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
        let mut reading = Reading::of(&self.layers);
        let config = Config { jitter: jitter::read(&mut reading), speed: speed::read(&reading) };
        if reading.problems.is_empty() {
            Ok(config)
        } else {
            Err(Problems::new(self.layers, reading.problems))
        }
    }
}
