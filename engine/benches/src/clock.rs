//! The one place of the benchmarks that reads a clock, and waits.

use std::time::{Duration, Instant};

/// What `work` takes, in nanoseconds, and what it gives.
pub fn timed<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let began = Instant::now();
    let result = work();
    (began.elapsed().as_nanos() as u64, result)
}

/// A beat of real time.
#[derive(Debug)]
pub struct Beat {
    next: Instant,
    every: Duration,
}

impl Beat {
    /// Begins now.
    pub fn every_ms(ms: u64) -> Self {
        Self { next: Instant::now(), every: Duration::from_millis(ms) }
    }

    /// Waits for the next beat.
    pub fn wait(&mut self) {
        self.next += self.every;
        std::thread::sleep(self.next.saturating_duration_since(Instant::now()));
    }
}
