//! `offhook print-config`: which settings hold, and who said so?

use super::configuration::ConfigArguments;
use super::failure::Failure;
use clap::Args;

/// Show the settings that hold, each with where it came from
///
/// Reads the file, the environment and --set as `offhook run` does. What is printed is a configuration file itself.
/// Passwords are not in it: only the names of their files are.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  offhook print-config --config /etc/offhook/offhook.toml\n  offhook print-config \
                        --set jitter.max_ms=200 | grep jitter -A 4"
)]
pub(super) struct PrintConfig {
    #[command(flatten)]
    configuration: ConfigArguments,
}

impl PrintConfig {
    pub(super) fn run(self) -> Result<(), Failure> {
        super::print(self.configuration.resolve()?.to_string().trim_end())
    }
}
