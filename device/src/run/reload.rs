//! A changed configuration while the process runs: what acts now, what acts on the next call, what waits.

use super::appliance::Live;
use super::secrets::Places;
use super::settings;
use crate::audio::Command;
use crate::cli::ConfigArguments;
use crate::trunk::command::Request;
use crate::{cli::Failure, join};
use offhook_config::{Change, Config, Effect, Effective, Resolved};

/// Reads the sources again and does what their difference asks for. `asked` is whether somebody waits for a word.
pub(super) fn reload(live: &mut Live, arguments: &ConfigArguments, asked: bool) {
    let places = Places::of(arguments.file());
    let next = arguments.resolve().and_then(|next| check(live, &next.config).map(|()| next));
    let next = match next {
        Ok(next) => next,
        Err(failure) => {
            live.shared.book().reloads_failed += 1;
            tracing::error!("the configuration is as it was: what is there now cannot be used");
            failure.redacted().lines().for_each(|line| tracing::error!("configuration: {line}"));
            if let (Failure::Config(_), Some(file)) = (&failure, arguments.file()) {
                tracing::error!("`offhook check {}` shows the lines themselves", file.display());
            }
            return;
        }
    };
    let mut changes = live.resolved.changes(&next);
    if changes.is_empty() {
        if asked {
            tracing::info!("the configuration was read again; nothing has changed");
        }
        return;
    }
    for change in &mut changes {
        change.effect = effect(live, change);
        match change.effect {
            Effect::Restart => tracing::warn!("configuration: {change}"),
            Effect::Live | Effect::NextCall => tracing::info!("configuration: {change}"),
        }
    }
    act(live, &next, &places);
    live.resolved = next;
    live.shared.book().reloads += 1;
}

/// Whether what the calls are told can be made of it.
fn check(live: &Live, config: &Config) -> Result<(), Failure> {
    settings::live(config)?;
    live.starter.check(config)?;
    Ok(())
}

/// What agents are made of: it stays as it is from when they begin, which may be with a reload.
const OF_AGENTS: [&str; 4] = ["speech", "chunks", "pauses", "breaths"];

/// When a change acts on this process.
fn effect(live: &Live, change: &Change) -> Effect {
    let is_of_agents = |one: &Effective| OF_AGENTS.contains(&one.section.as_str());
    match (change.effect, &change.after) {
        // Changed, and changed back: so it runs.
        (Effect::Restart, Some(after)) if live.started.holds(after) => Effect::Live,
        (Effect::Restart, Some(after)) if is_of_agents(after) && !live.starter.has_begun() => {
            Effect::NextCall
        }
        (effect, _) => effect,
    }
}

/// Tells each part what changed for it.
fn act(live: &mut Live, next: &Resolved, places: &Places) {
    let (before, now) = (&live.resolved.config, &next.config);
    if before.log.level != now.log.level {
        live.logging.set_level(now.log.level);
    }
    live.supervisor.set_drain(now.calls.drain);
    live.sound.want(settings::cards(now));
    live.shared.book().sound.has_handset = settings::has_handset(now);
    if before.sound != now.sound && !live.shared.command(Command::Sound(settings::sound(now))) {
        tracing::error!("the audio thread takes no commands: the sound card's levels are as before");
    }
    let buffers = (before.jitter, before.speed) != (now.jitter, now.speed);
    if buffers && !live.shared.command(Command::Tune(join::settings(now))) {
        tracing::error!("the audio thread takes no commands: calls in progress keep their buffers");
    }
    if !live.starter.has_begun() {
        OF_AGENTS.into_iter().for_each(|section| live.started.adopt(section, next));
    }
    if let Err(error) = live.starter.begin(now, places, &live.shared) {
        tracing::error!("calls cannot be talked to: {}", Failure::from(error));
    }
    if (buffers || before.routes != now.routes)
        && let Ok(told) = settings::live(now)
        && live.shared.trunk.ask(Request::Reload(Box::new(told))).is_err()
    {
        tracing::error!("the trunk takes no requests: the next calls are as before");
    }
}
