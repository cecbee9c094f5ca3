//! When to open a card, and when to give it up. Decides only; told the time.
//!
//! A card says goodbye in one of three ways: its driver tells so, its driver fails, or it just never calls again, as a
//! sound server does that was killed. All three end the same way: closed, and looked for again until it is back.

use offhook_units::{Moment, Span};

/// A card that is not there is looked for so often. With the time to notice and to open it, sound is back within 2 s.
const RETRY: Span = Span::from_millis(700);
/// A card that does not call for so long is dead, unless its period is long.
const SILENT: Span = Span::from_millis(600);
/// Periods without a call that are as good as that.
const SILENT_PERIODS: i64 = 4;

/// What is seen of one way of the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The configuration asks for it.
    pub(super) is_wanted: bool,
    /// Calls of the card since the start.
    pub(super) calls: u64,
    /// The longest that it asked for at once.
    pub(super) period: Span,
    /// Its driver said that it is over.
    pub(super) has_failed: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Open it, and tell by [`Watch::opened`] or [`Watch::failed`].
    Open,
    /// Close it.
    Close(Why),
}

/// Why a card is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Nobody needs it any more.
    Unwanted,
    /// Its driver says that it is over.
    Failed,
    /// It does not call any more.
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { try_at: Option<Moment> },
    Open { calls: u64, called_at: Moment },
}

/// One way of the card.
#[derive(Debug)]
pub(super) struct Watch(State);

impl Watch {
    /// Closed, and not tried yet.
    pub(super) const fn new() -> Self {
        Self(State::Closed { try_at: None })
    }

    /// A look at how things stand.
    pub(super) fn look(&mut self, now: Moment, seen: Seen) -> Option<Order> {
        match &mut self.0 {
            State::Closed { try_at } => {
                let is_due = try_at.is_none_or(|at| at <= now);
                (seen.is_wanted && is_due).then_some(Order::Open)
            }
            State::Open { calls, called_at } => {
                if seen.calls != *calls {
                    (*calls, *called_at) = (seen.calls, now);
                }
                let periods = Span::from_micros(seen.period.as_micros().saturating_mul(SILENT_PERIODS));
                let is_silent = now.since(*called_at) > SILENT.max(periods);
                let why = match seen {
                    Seen { is_wanted: false, .. } => Why::Unwanted,
                    Seen { has_failed: true, .. } => Why::Failed,
                    _ if is_silent => Why::Silent,
                    _ => return None,
                };
                // What failed once is not hurried: the first look for it is the next one.
                self.0 = State::Closed { try_at: (why != Why::Unwanted).then_some(now) };
                Some(Order::Close(why))
            }
        }
    }

    /// It is open since `now`, after so many calls of its forerunners.
    pub(super) const fn opened(&mut self, now: Moment, calls: u64) {
        self.0 = State::Open { calls, called_at: now };
    }

    /// It could not be opened.
    pub(super) fn failed(&mut self, now: Moment) {
        self.0 = State::Closed { try_at: Some(now + RETRY) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    fn seen(calls: u64) -> Seen {
        Seen { is_wanted: true, calls, period: Span::from_millis(10), has_failed: false }
    }

    #[test]
    fn a_card_is_opened_when_it_is_wanted_and_closed_when_it_is_not() {
        let mut watch = Watch::new();
        let unwanted = Seen { is_wanted: false, ..seen(0) };
        assert_eq!(watch.look(at(0), unwanted), None);
        assert_eq!(watch.look(at(100), seen(0)), Some(Order::Open));
        watch.opened(at(120), 0);
        assert_eq!(watch.look(at(200), seen(8)), None);
        assert_eq!(watch.look(at(300), Seen { calls: 18, ..unwanted }), Some(Order::Close(Why::Unwanted)));
        assert_eq!(watch.look(at(400), unwanted), None);
    }

    #[test]
    fn a_card_that_stops_calling_is_given_up_and_looked_for() {
        let mut watch = Watch::new();
        watch.opened(at(0), 7);
        assert_eq!(watch.look(at(500), seen(50)), None);
        assert_eq!(watch.look(at(1_100), seen(50)), None);
        assert_eq!(watch.look(at(1_200), seen(50)), Some(Order::Close(Why::Silent)));
        assert_eq!(watch.look(at(1_300), seen(50)), Some(Order::Open));
        watch.failed(at(1_310));
        assert_eq!(watch.look(at(2_000), seen(50)), None);
        assert_eq!(watch.look(at(2_010), seen(50)), Some(Order::Open));
    }

    #[test]
    fn a_driver_that_says_goodbye_is_believed_at_once() {
        let mut watch = Watch::new();
        watch.opened(at(0), 0);
        assert_eq!(watch.look(at(100), seen(9)), None);
        let gone = Seen { has_failed: true, ..seen(10) };
        assert_eq!(watch.look(at(200), gone), Some(Order::Close(Why::Failed)));
    }

    #[test]
    fn long_periods_are_waited_for() {
        let mut watch = Watch::new();
        watch.opened(at(0), 0);
        let slow = Seen { period: Span::from_millis(400), ..seen(0) };
        assert_eq!(watch.look(at(1_600), slow), None);
        assert_eq!(watch.look(at(1_601), slow), Some(Order::Close(Why::Silent)));
    }

    proptest! {
        /// Whatever happens to it, a card that is there and calls is open 2 s later.
        #[test]
        fn sound_is_back_within_two_seconds(
            before in prop::collection::vec((0_u64..400, any::<bool>(), any::<bool>(), any::<bool>()), 0..60),
        ) {
            let (mut watch, mut ms, mut calls, mut is_open) = (Watch::new(), 0, 0, false);
            let mut step = |ms: u64, calls: u64, has_failed: bool, opens: bool| {
                match watch.look(at(ms), Seen { has_failed, ..seen(calls) }) {
                    Some(Order::Open) if opens => { watch.opened(at(ms), calls); is_open = true }
                    Some(Order::Open) => watch.failed(at(ms)),
                    Some(Order::Close(_)) => is_open = false,
                    None => {}
                }
                is_open
            };
            for (wait, calls_on, has_failed, opens) in before {
                ms += wait;
                calls += u64::from(calls_on);
                step(ms, calls, has_failed, opens);
            }
            let mut is_open = false;
            for _ in 0..20 {
                ms += 100;
                // An old card that is dead stays so; a new one calls from when it is opened.
                calls += 10 * u64::from(is_open);
                is_open = step(ms, calls, false, true);
            }
            prop_assert!(is_open);
        }
    }
}
