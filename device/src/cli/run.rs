//! `offhook run`: take calls.

use super::configuration::ConfigArguments;
use super::failure::Failure;
use crate::run::appliance::Appliance;
use crate::run::supervisor::Ending;
use clap::Args;
use offhook_config::Target;

/// Take calls, until it is told to stop
///
/// Reads the configuration, starts the audio, trunk and HTTP threads, and serves every call that a route answers.
/// SIGHUP reads the configuration again, and so does a change of its file. SIGTERM and Ctrl-C take no new calls and wait
/// up to calls.drain_s for those in progress; a second one ends at once.
#[derive(Args, Debug)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Run {
    #[command(flatten)]
    configuration: ConfigArguments,
    /// Say in three lines how to call it and where its page is
    #[arg(long)]
    guide: bool,
}

const AFTER_HELP: &str = "\
Examples:
  offhook run --config /etc/offhook/offhook.toml
  offhook run --set sip.listen=127.0.0.1:5060 --guide

docs/running.md tells the rest.";

impl Run {
    pub(super) fn run(self) -> Result<(), Failure> {
        let appliance = Appliance::start(self.configuration)?;
        if self.guide {
            super::print(&guide(&appliance))?;
        }
        match appliance.run() {
            Ending::Drained | Ending::AtLimit => Ok(()),
            Ending::AtOnce => Err(Failure::Interrupted),
            ending @ (Ending::Died(_) | Ending::Standstill) => Err(Failure::Ended(ending)),
        }
    }
}

fn guide(appliance: &Appliance) -> String {
    let sip = appliance.sip();
    let number = |target: &Target| {
        let routes = &appliance.config().routes;
        let route = routes.iter().find(|route| route.target == *target && !route.number.contains('*'));
        route.map(|route| format!("sip:{}@{sip}", route.number))
    };
    let or = |address: Option<String>| address.unwrap_or_else(|| "(no route)".to_owned());
    format!(
        "Call {} to hear yourself, {} for test tones, {} to talk with it: any SIP telephone does.\nIts page is \
         http://{}/\nCtrl-C stops it.",
        or(number(&Target::Echo)),
        or(number(&Target::Tone)),
        or(number(&Target::Agent)),
        appliance.http()
    )
}
