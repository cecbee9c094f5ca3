//! Signals, as events.

use super::appliance::Event;
use super::supervisor::Part;
use super::threads;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::mpsc::Sender;

/// Tells SIGTERM, SIGINT and SIGHUP to `events` from now on, for as long as the process runs.
pub(super) fn watch(events: &Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let sender = events.clone();
    let forward = move || {
        for signal in &mut signals {
            let event = if signal == SIGHUP { Event::Reload } else { Event::Terminate };
            if sender.send(event).is_err() {
                return;
            }
        }
    };
    threads::attend(Part::Signals.name(), Part::Signals, events, forward).map(drop)
}
