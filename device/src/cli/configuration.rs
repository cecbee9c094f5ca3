//! Where a command's settings come from: the file, then the environment, then `--set`; the last one wins.

use super::failure::Failure;
use crate::trunk::start::StartError;
use crate::trunk::tls::{File, TlsError};
use clap::Args;
use offhook_config::{Config, Resolved, Sources, Unusable};
use std::fs;
use std::path::{Path, PathBuf};

/// The arguments that every command with settings takes.
#[derive(Args, Clone, Debug)]
pub struct ConfigArguments {
    /// Configuration file; without one, every key has its default
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Sets one key over the file and the environment, as in jitter.min_ms=40; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ConfigArguments {
    /// No file; `assignments` as by `--set`, of which a later one wins.
    pub(super) const fn of(assignments: Vec<String>) -> Self {
        Self { config: None, set: assignments }
    }

    /// The values alone.
    pub(super) fn read(&self) -> Result<Config, Failure> {
        Ok(self.resolve()?.config)
    }

    /// All sources together, checked, each value with its origin. Reads the file anew each time.
    ///
    /// # Errors
    /// When the file cannot be read, or anything in the sources is wrong.
    pub fn resolve(&self) -> Result<Resolved, Failure> {
        Ok(self.sources()?.resolve()?)
    }

    /// Why the trunk does not start. Where that is what the configuration names, it is shown there.
    pub fn blame(&self, error: StartError) -> Failure {
        match (error, self.sources()) {
            (StartError::Tls(errors), Ok(sources)) => blame_tls(sources, &errors),
            (error, _) => Failure::Trunk(error),
        }
    }

    fn sources(&self) -> Result<Sources, Failure> {
        let mut sources = Sources::new();
        if let Some(path) = &self.config {
            sources = sources.file(&path.display().to_string(), &text(path)?);
        }
        // A variable that is no text is none of ours.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(apply(sources.environment(variables), &self.set))
    }

    /// The file, if there is one.
    pub fn file(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}

/// Shows where the files are named with which TLS cannot be used.
pub(super) fn blame_tls(sources: Sources, errors: &[TlsError]) -> Failure {
    let unusable = errors.iter().map(|error| {
        let (key, expected) = match error {
            TlsError::File(File::Key, ..) => ("sip.key_file", "PEM with a private key"),
            TlsError::File(File::Roots, ..) => ("sip.roots_file", "PEM with certificates"),
            TlsError::File(File::Certificate, ..)
            | TlsError::Unusable(_)
            | TlsError::NoCertificate
            | TlsError::BadName => ("sip.certificate_file", "PEM with the certificate of sip.key_file"),
        };
        Unusable { key, why: error.to_string(), expected }
    });
    Failure::Config(sources.blame(unusable.collect()))
}

/// `sources` with what stands on the command line.
pub(super) fn apply(sources: Sources, assignments: &[String]) -> Sources {
    assignments.iter().fold(sources, |sources, assignment| sources.set(assignment))
}

/// The text of a configuration file.
pub(super) fn text(path: &Path) -> Result<String, Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::Read { path: path.to_owned(), error })?;
    String::from_utf8(bytes)
        .map_err(|error| Failure::ConfigText { path: path.to_owned(), at: error.utf8_error().valid_up_to() })
}
