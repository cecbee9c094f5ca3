//! One switch for each service across all calls: after some failures in a row nobody tries for a while, then one
//! call tries for all of them.

use super::Fault;
use offhook_units::{Moment, Span};
use std::sync::{Arc, Mutex, PoisonError};

/// So many failures in a row, none of them followed by anything useful, open it.
const OPENS_AFTER: u32 = 4;
/// How long it stays open at first, and at most.
const FIRST_MS: i64 = 2_000;
const MOST_MS: i64 = 60_000;

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Nobody tries before.
    closed_until: Option<Moment>,
    /// The one that tries for all has started then.
    trial: Option<Moment>,
    times_opened: u32,
}

/// The switch; its clones are one and the same. Never touched by the audio thread.
#[derive(Clone, Debug, Default)]
pub struct Breaker(Arc<Mutex<State>>);

impl Breaker {
    /// Closed: everybody may try.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to try now. When the wait is over the first to ask is let through, and the others wait for how it
    /// goes, for five seconds at most.
    pub fn allows(&self, now: Moment) -> bool {
        const TRIAL_MS: i64 = 5_000;
        let mut state = self.state();
        let Some(until) = state.closed_until else { return true };
        if now < until {
            return false;
        }
        if state.trial.is_some_and(|since| now.since(since) < Span::from_millis(TRIAL_MS)) {
            return false;
        }
        state.trial = Some(now);
        true
    }

    /// When to ask again.
    pub fn opens_at(&self, now: Moment) -> Moment {
        self.state().closed_until.unwrap_or(now).max(now + Span::from_millis(100))
    }

    /// Something useful came.
    pub fn worked(&self) {
        *self.state() = State::default();
    }

    /// It failed. A fatal fault (a wrong key, no credit) opens the switch at once: no other call would fare better.
    /// While it is open more failures change nothing: fifty calls that lose their sockets together are one outage.
    pub fn failed(&self, now: Moment, fault: Fault) {
        let mut state = self.state();
        if state.closed_until.is_some_and(|until| now < until) {
            return;
        }
        state.failures = state.failures.saturating_add(1);
        if state.failures >= OPENS_AFTER || matches!(fault, Fault::Fatal(_)) || state.trial.is_some() {
            let wait = (FIRST_MS << state.times_opened.min(5)).min(MOST_MS);
            state.times_opened = state.times_opened.saturating_add(1);
            state.closed_until = Some(now + Span::from_millis(wait));
            state.trial = None;
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Fatal, Passing};
    use super::*;

    const LOST: Fault = Fault::Passing(Passing::Lost);

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    #[test]
    fn pitfall_11_failures_in_a_row_stop_every_call() {
        let breaker = Breaker::new();
        let other_call = breaker.clone();
        for _ in 0..3 {
            breaker.failed(at(0), LOST);
            assert!(other_call.allows(at(0)));
        }
        breaker.failed(at(0), LOST);
        assert!(!other_call.allows(at(1_999)), "four in a row");
        assert!(other_call.allows(at(2_000)), "one tries for all");
        assert!(!breaker.allows(at(2_001)), "and the others wait for how it goes");
        other_call.failed(at(2_100), LOST);
        assert!(!breaker.allows(at(6_000)) && breaker.allows(at(6_100)), "twice as long");
        breaker.worked();
        assert!(breaker.allows(at(6_200)) && other_call.allows(at(6_200)));
    }

    #[test]
    fn pitfall_11_a_fatal_fault_is_enough_by_itself() {
        let breaker = Breaker::new();
        breaker.failed(at(0), Fault::Fatal(Fatal::Key));
        assert!(!breaker.allows(at(100)));
        assert_eq!(breaker.opens_at(at(100)), at(2_000));
    }

    #[test]
    fn many_calls_that_fail_together_are_one_outage() {
        let breaker = Breaker::new();
        (0..50).for_each(|n| breaker.failed(at(n), LOST));
        assert!(
            !breaker.allows(at(2_002)) && breaker.allows(at(2_003)),
            "two seconds from the fourth of them"
        );
    }

    #[test]
    fn a_trial_that_is_never_reported_does_not_lock_everybody_out() {
        let breaker = Breaker::new();
        (0..4).for_each(|_| breaker.failed(at(0), LOST));
        assert!(breaker.allows(at(2_000)) && !breaker.allows(at(6_900)) && breaker.allows(at(7_000)));
    }
}
