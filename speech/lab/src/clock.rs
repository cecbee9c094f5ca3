//! The lab's clock. A test bed lives by real time: it paces its voice and waits on sockets. Everything that
//! decides is told the time all the same.

use offhook_units::{Moment, Span};
use std::time::{Duration, Instant};

/// A clock with an origin of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { origin: Instant::now() }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::from_micros(u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// How long it is from now to `due`, for a wait on a socket: at least a millisecond, because a time-out of
    /// zero means "for ever" there, and at most `longest`.
    pub(crate) fn wait_for(&self, due: Option<Moment>, longest: Duration) -> Duration {
        let Some(due) = due else { return longest };
        let us = due.since(self.now()).max(Span::from_millis(1)).as_micros();
        Duration::from_micros(u64::try_from(us).unwrap_or(1000)).min(longest)
    }
}
