//! `offhook check`: is this configuration file in order?

use super::configuration;
use super::failure::Failure;
use clap::Args;
use offhook_config::Config;
use std::path::PathBuf;

/// Check a configuration file
///
/// Shows everything that is wrong with it at once: each with its line, what was expected and how to mend it. Says
/// what the file amounts to when nothing is wrong. Environment variables are left aside: it is the file that is
/// checked.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  offhook check /etc/offhook/offhook.toml\n\nEvery key with its unit, default and \
                        range stands in config/offhook.toml."
)]
pub(super) struct Check {
    /// The configuration file
    file: PathBuf,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let text = configuration::text(&self.file)?;
        let name = self.file.display().to_string();
        let config = Config::from_toml(&text, &name)?;
        let (jitter, speed) = (config.jitter, config.speed);
        super::print(&format!(
            "{name} is in order.\n\
             delay   {} to {} ms, {} ms until the line is known\n\
             speed   within {} % of the natural one",
            jitter.min.as_millis_f32(),
            jitter.max.as_millis_f32(),
            jitter.target.as_millis_f32(),
            speed.max.0 / 10_000.0
        ))
    }
}
