//! When to try again: twice as long after each failure, with jitter so that calls which failed together do not come
//! back together.

use crate::Random;
use offhook_units::Span;

/// The first wait.
const FIRST_MS: u32 = 250;
/// The longest.
const MOST_MS: u32 = 30_000;

/// The waits of one call with one service.
#[derive(Clone, Debug)]
pub struct Backoff {
    failures: u32,
    random: Random,
}

impl Backoff {
    /// Nothing has failed yet. The seed spreads the calls.
    pub const fn new(seed: u64) -> Self {
        Self { failures: 0, random: Random::new(seed) }
    }

    /// It failed: how long to wait. Half of the wait is drawn, so that it lies between 50 and 100 % of 250 ms,
    /// 500 ms, ... 30 s; `at_least` is what the service asked for.
    pub fn failed(&mut self, at_least: Span) -> Span {
        let full = (FIRST_MS << self.failures.min(7)).min(MOST_MS);
        self.failures = self.failures.saturating_add(1);
        Span::from_millis(i64::from(self.random.whole_between(full / 2, full))).max(at_least)
    }

    /// Whether it failed since it last worked.
    pub const fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// It worked, which is: something useful came. A handshake alone proves nothing.
    pub const fn worked(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_their_limit_and_start_anew() {
        let mut backoff = Backoff::new(1);
        let waits: Vec<i64> = (0..12).map(|_| backoff.failed(Span::ZERO).as_micros() / 1000).collect();
        for (i, wait) in waits.iter().enumerate() {
            let full = (250 << i.min(7)).min(30_000);
            assert!((full / 2..=full).contains(wait), "wait {i}: {wait} ms of {full}");
        }
        backoff.worked();
        assert!(backoff.failed(Span::ZERO) <= Span::from_millis(250));
        assert_eq!(
            backoff.failed(Span::from_millis(9_000)),
            Span::from_millis(9_000),
            "the service's own wish counts"
        );
    }

    #[test]
    fn two_calls_do_not_come_back_together() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            (0..4).map(|_| backoff.failed(Span::ZERO)).collect::<Vec<_>>()
        };
        assert_ne!(waits(1), waits(2));
    }
}
