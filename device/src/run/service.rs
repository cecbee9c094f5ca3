//! What the service manager is told (sd_notify(3)). Without one, nothing happens.

use sd_notify::NotifyState;

/// Tells all of `states`; a manager that does not listen is no trouble of ours.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::debug!("the service manager does not listen: {error}");
    }
}

/// Calls are taken from now on.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The audio thread lives.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// How it stands, in a line.
pub(super) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// It is on its way out.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}
