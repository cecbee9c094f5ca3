//! `offhook check`: is this configuration file in order?

use super::configuration::{self, apply};
use super::failure::Failure;
use crate::run::secrets::Places;
use crate::run::settings;
use crate::trunk::tls::{File, Identity, TlsError};
use clap::Args;
use offhook_config::{Config, Sources, Trunk};
use std::fmt::Write;
use std::path::PathBuf;

/// Check a configuration file
///
/// Shows everything that is wrong with it at once: each with its line, what was expected and how to mend it. Says
/// what the file amounts to when nothing is wrong. Environment variables are left aside: it is the file that is
/// checked.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  offhook check /etc/offhook/offhook.toml\n  offhook check offhook.toml --set \
                  calls.max=80\n\nEvery key with its unit, default and range stands in config/offhook.toml."
)]
pub(super) struct Check {
    /// The configuration file
    file: PathBuf,
    /// Checks it with this key set, as in jitter.min_ms=40; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let text = configuration::text(&self.file)?;
        let name = self.file.display().to_string();
        let sources = apply(Sources::new().file(&name, &text), &self.set);
        let config = sources.clone().read()?;
        // What only the trunk's own parser of addresses can tell.
        settings::live(&config)?;
        let missing = check_tls(&config, &Places::of(Some(&self.file)))
            .map_err(|errors| configuration::blame_tls(sources, &errors))?;
        super::print(&format!("{name} is in order.\n{}", amounts_to(&config, &missing)))
    }
}

/// Whether TLS can be used with the files that are named. Gives those that are not here and may be for the service alone: a
/// bare name may be one of the service manager's credentials.
fn check_tls(config: &Config, places: &Places) -> Result<Vec<PathBuf>, Vec<TlsError>> {
    let Err(errors) = Identity::load(&settings::tls(config, places)) else { return Ok(Vec::new()) };
    let of_the_service = |error: &TlsError| {
        let name = match error.missing()? {
            File::Certificate => &config.sip.certificate_file,
            File::Key => &config.sip.key_file,
            File::Roots => &config.sip.roots_file,
        };
        let is_bare = |name: &&PathBuf| name.components().count() == 1;
        name.as_ref().filter(|_| places.credentials.is_none()).filter(is_bare).cloned()
    };
    let missing: Vec<_> = errors.iter().filter_map(of_the_service).collect();
    if missing.len() == errors.len() { Ok(missing) } else { Err(errors) }
}

/// What a configuration means, in a few lines.
fn amounts_to(config: &Config, missing: &[PathBuf]) -> String {
    let (jitter, speed) = (config.jitter, config.speed);
    let mut text = String::new();
    let mut line = |name: &str, told: String| {
        // Writing to a string does not fail.
        let _ = write!(text, "{}{name:<7} {told}", if name == "delay" { "" } else { "\n" });
    };
    line(
        "delay",
        format!(
            "{} to {} ms, {} ms until the line is known",
            jitter.min.as_millis_f32(),
            jitter.max.as_millis_f32(),
            jitter.target.as_millis_f32()
        ),
    );
    line("speed", format!("within {} % of the natural one", speed.max.0 / 10_000.0));
    line("trunk", trunks(&config.trunks));
    line("calls", format!("at most {}, SIP on {}", config.calls.max, config.sip.listen));
    let numbers: Vec<&str> = config.routes.iter().map(|route| &*route.number).collect();
    line("route", if numbers.is_empty() { "no number is answered".to_owned() } else { numbers.join(", ") });
    line("http", format!("http://{}/", config.http.listen));
    for file in missing {
        let file = file.display();
        line("tls", format!("{file} is not here: it has to be one of the service manager's credentials"));
    }
    text
}

fn trunks(trunks: &[Trunk]) -> String {
    let names: Vec<&str> = trunks.iter().map(|trunk| &*trunk.server.host).collect();
    match names[..] {
        [] => "none: calls come from sip.networks only".to_owned(),
        _ => names.join(", or else "),
    }
}
