//! Real time, for tests that run against real sockets.

use offhook_units::Moment;
use std::time::{Duration, Instant};

/// A clock with an origin of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timer(Instant);

impl Timer {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::from_micros(u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// Waits until frame `number` of 20 ms is due, by the clock and not by the wait before. Gives how late it is, in
    /// milliseconds.
    pub(crate) fn beat(&self, number: u64) -> u64 {
        let due = self.0 + Duration::from_millis(20 * (number + 1));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        u64::try_from(Instant::now().saturating_duration_since(due).as_millis()).unwrap_or(u64::MAX)
    }
}
