//! The one clock. Nothing else in the product asks what time it is: everything that decides is told.

use offhook_units::{Moment, Span};
use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::Duration;

const NANOS_A_SECOND: u64 = 1_000_000_000;

/// A clock that never goes back, with an origin of its own. Copies share the origin.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// On the system's monotonic clock.
    origin_nanos: u64,
}

impl Clock {
    /// A clock whose origin is now.
    pub fn start() -> Self {
        Self { origin_nanos: system_nanos(ClockId::Monotonic) }
    }

    /// Nanoseconds since the origin; 584 years fit.
    pub fn nanos(&self) -> u64 {
        system_nanos(ClockId::Monotonic).saturating_sub(self.origin_nanos)
    }

    /// Now.
    pub fn now(&self) -> Moment {
        Moment::from_micros(self.nanos() / 1000)
    }

    /// Sleeps until `moment`, by one system call as a rule. The moment is absolute: what was late does not make
    /// the next one late. Signals do not cut the sleep short.
    pub fn wait_until(&self, moment: Moment) {
        let at = self.system(moment);
        while clock_nanosleep_absolute(ClockId::Monotonic, &at) == Err(rustix::io::Errno::INTR) {}
    }

    /// `moment` on the system's monotonic clock, for a timer of the kernel's.
    pub fn system(&self, moment: Moment) -> Timespec {
        let nanos = self.origin_nanos.saturating_add(moment.as_micros().saturating_mul(1000));
        Timespec {
            tv_sec: (nanos / NANOS_A_SECOND).cast_signed(),
            // Below 10^9: fits any C `long`.
            tv_nsec: (nanos % NANOS_A_SECOND) as _,
        }
    }

    /// When a packet came that the kernel stamped with `stamp`, wall time since 1970: the wall clock may be set at
    /// any time, so only the stamp's age is taken from it, and only an age that can be.
    pub fn stamped(&self, stamp: Duration) -> Moment {
        /// No packet waits longer in a socket whose reader is alive, ms.
        const OLDEST_MS: u64 = 2_000;
        let wall = Duration::from_nanos(system_nanos(ClockId::Realtime));
        let age = wall.checked_sub(stamp).filter(|age| *age < Duration::from_millis(OLDEST_MS));
        self.now() - Span::from_micros(age.unwrap_or_default().as_micros() as i64)
    }

    /// Wall time since 1970, for logs, reports and RTCP; not for measuring.
    pub fn wall() -> Duration {
        Duration::from_nanos(system_nanos(ClockId::Realtime))
    }
}

/// Nanoseconds on one of the system's clocks, which both count up from zero.
fn system_nanos(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec.cast_unsigned() * NANOS_A_SECOND + now.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_ends_no_earlier_than_asked() {
        let clock = Clock::start();
        let end = clock.now() + Span::from_millis(3);
        clock.wait_until(end);
        assert!(clock.now() >= end);
        clock.wait_until(Moment::ZERO);
    }

    #[test]
    fn a_stamp_counts_by_its_age_and_an_impossible_one_is_now() {
        let clock = Clock::start();
        clock.wait_until(Moment::from_millis(3));
        let stamp = Clock::wall() - Duration::from_millis(2);
        let between = clock.stamped(stamp);
        assert!(between <= clock.now() - Span::from_millis(2));
        for odd in [Clock::wall() + Duration::from_secs(60), Duration::ZERO] {
            let before = clock.now();
            assert!(clock.stamped(odd) >= before, "a wall clock that jumped is not believed");
        }
    }
}
