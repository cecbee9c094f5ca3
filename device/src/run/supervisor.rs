//! What becomes of the process: run, drain, stop, end. Decides only; told the time.
//!
//! ```text
//!  running ──SIGTERM──► draining ──no call left, or the limit──► stopping ──trunk over, or too long──► end
//!     │                     └──────────SIGTERM again────────────────┘
//!     └── a thread ended, or the audio thread stands still ──► end
//! ```
//!
//! Calling order: [`Supervisor::handle_input`] with what happened, then [`Supervisor::poll_output`] until there is none.

use offhook_units::{Moment, Span};
use std::collections::VecDeque;
use std::fmt;

/// The trunk may take so long to say goodbye to its far ends.
const GOODBYE: Span = Span::from_millis(2_000);
/// After so long without a tick the audio thread is not coming back.
const STANDSTILL: Span = Span::from_millis(10_000);

/// A thread of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Serves every call each 10 ms.
    Audio,
    /// SIP and RTP.
    Trunk,
    /// Health and metrics.
    Http,
    /// What agents say and hear.
    Speech,
    /// The log of calls.
    Reports,
    /// What the system and its people ask for.
    Signals,
    /// The sound card's driver.
    Sound,
}

impl Part {
    /// The thread's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Trunk => "trunk",
            Self::Http => "http",
            Self::Speech => "speech",
            Self::Reports => "reports",
            Self::Signals => "signals",
            Self::Sound => "sound",
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// SIGTERM or SIGINT.
    Terminate,
    /// A thread is over.
    Ended(Part),
    /// A look at how things stand: ticks since the start, and calls.
    Look {
        /// Of the audio thread.
        ticks: u64,
        /// That stand or ring.
        calls: usize,
    },
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Take no new calls.
    Drain,
    /// Hang up and end the trunk.
    Stop,
    /// The audio thread lives: tell the service manager.
    Alive,
    /// End the process.
    End(Ending),
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As asked, and every call had ended by itself.
    Drained,
    /// As asked; the calls that were left at the limit were hung up.
    AtLimit,
    /// At once, as asked twice.
    AtOnce,
    /// A thread ended that should not.
    Died(Part),
    /// The audio thread stands still.
    Standstill,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drained => f.write_str("stopped; no call was cut"),
            Self::AtLimit => f.write_str("stopped; the calls that were left at calls.drain_s were hung up"),
            Self::AtOnce => f.write_str("stopped at once, as asked twice"),
            Self::Died(part) => write!(f, "the {} thread ended; the process ends with it", part.name()),
            Self::Standstill => f.write_str("the audio thread stands still; the process ends"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Draining { until: Moment },
    Stopping { until: Moment, ending: Ending },
    Over,
}

/// The state of the process.
#[derive(Debug)]
pub struct Supervisor {
    state: State,
    drain: Span,
    calls: usize,
    ticks: u64,
    ticked_at: Moment,
    outputs: VecDeque<Output>,
}

impl Supervisor {
    /// Of a process that runs from `now` on and waits `drain` for its calls when it is to stop.
    pub fn new(now: Moment, drain: Span) -> Self {
        Self { state: State::Running, drain, calls: 0, ticks: 0, ticked_at: now, outputs: VecDeque::new() }
    }

    /// Waits so long from the next stop on.
    pub const fn set_drain(&mut self, drain: Span) {
        self.drain = drain;
    }

    /// Whether it is on its way out.
    pub fn is_ending(&self) -> bool {
        self.state != State::Running
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Something happened.
    pub fn handle_input(&mut self, now: Moment, input: Input) {
        match (input, self.state) {
            (_, State::Over) => {}
            (Input::Terminate, State::Running) => {
                self.outputs.push_back(Output::Drain);
                // Whether calls are left is for the next look to say: one may have begun since the last.
                self.state = State::Draining { until: now + self.drain };
            }
            (Input::Terminate, State::Draining { .. }) => self.stop(now, Ending::AtOnce),
            (Input::Terminate, State::Stopping { .. }) => self.end(Ending::AtOnce),
            (Input::Ended(Part::Trunk), State::Stopping { ending, .. }) => self.end(ending),
            (Input::Ended(part), _) => self.end(Ending::Died(part)),
            (Input::Look { ticks, calls }, _) => {
                self.calls = calls;
                if ticks > self.ticks {
                    (self.ticks, self.ticked_at) = (ticks, now);
                    self.outputs.push_back(Output::Alive);
                } else if now.since(self.ticked_at) >= STANDSTILL {
                    self.end(Ending::Standstill);
                }
                self.go_on(now);
            }
        }
    }

    /// What is due by the time or by the calls that are left.
    fn go_on(&mut self, now: Moment) {
        match self.state {
            State::Draining { .. } if self.calls == 0 => self.stop(now, Ending::Drained),
            State::Draining { until } if until <= now => self.stop(now, Ending::AtLimit),
            State::Stopping { until, ending } if until <= now => self.end(ending),
            _ => {}
        }
    }

    fn stop(&mut self, now: Moment, ending: Ending) {
        self.outputs.push_back(Output::Stop);
        self.state = State::Stopping { until: now + GOODBYE, ending };
    }

    fn end(&mut self, ending: Ending) {
        self.outputs.push_back(Output::End(ending));
        self.state = State::Over;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DRAIN: Span = Span::from_millis(20_000);

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    /// A process with `calls` calls at 1 s.
    fn with_calls(calls: usize) -> Supervisor {
        let mut supervisor = Supervisor::new(at(0), DRAIN);
        assert_eq!(after(&mut supervisor, 1_000, Input::Look { ticks: 100, calls }), [Output::Alive]);
        supervisor
    }

    fn after(supervisor: &mut Supervisor, ms: u64, input: Input) -> Vec<Output> {
        supervisor.handle_input(at(ms), input);
        std::iter::from_fn(|| supervisor.poll_output()).collect()
    }

    #[test]
    fn without_calls_a_stop_is_short() {
        let mut supervisor = with_calls(0);
        assert_eq!(after(&mut supervisor, 2_000, Input::Terminate), [Output::Drain]);
        let look = Input::Look { ticks: 200, calls: 0 };
        assert_eq!(after(&mut supervisor, 2_001, look), [Output::Alive, Output::Stop]);
        assert_eq!(after(&mut supervisor, 2_010, Input::Ended(Part::Trunk)), [Output::End(Ending::Drained)]);
    }

    #[test]
    fn a_call_that_began_since_the_last_look_is_waited_for() {
        let mut supervisor = with_calls(0);
        assert_eq!(after(&mut supervisor, 1_500, Input::Terminate), [Output::Drain]);
        let look = |ticks, calls| Input::Look { ticks, calls };
        assert_eq!(after(&mut supervisor, 1_501, look(150, 1)), [Output::Alive]);
        assert_eq!(after(&mut supervisor, 9_000, look(900, 0)), [Output::Alive, Output::Stop]);
    }

    #[test]
    fn calls_are_waited_for_until_they_end_or_the_limit_is_there() {
        let mut supervisor = with_calls(2);
        assert_eq!(after(&mut supervisor, 2_000, Input::Terminate), [Output::Drain]);
        let look = |ticks, calls| Input::Look { ticks, calls };
        assert_eq!(after(&mut supervisor, 21_999, look(200, 2)), [Output::Alive]);
        assert_eq!(after(&mut supervisor, 22_000, look(300, 1)), [Output::Alive, Output::Stop]);
        assert_eq!(after(&mut supervisor, 22_100, Input::Ended(Part::Trunk)), [Output::End(Ending::AtLimit)]);
        let mut supervisor = with_calls(2);
        after(&mut supervisor, 2_000, Input::Terminate);
        assert_eq!(after(&mut supervisor, 3_000, look(200, 0)), [Output::Alive, Output::Stop]);
    }

    #[test]
    fn a_second_signal_ends_it_now_and_a_third_does_not_even_wait_for_goodbyes() {
        let mut supervisor = with_calls(2);
        after(&mut supervisor, 2_000, Input::Terminate);
        assert_eq!(after(&mut supervisor, 2_500, Input::Terminate), [Output::Stop]);
        assert_eq!(after(&mut supervisor, 2_600, Input::Terminate), [Output::End(Ending::AtOnce)]);
        assert_eq!(after(&mut supervisor, 2_700, Input::Terminate), []);
    }

    #[test]
    fn a_trunk_that_does_not_say_goodbye_is_not_waited_for() {
        let mut supervisor = with_calls(0);
        after(&mut supervisor, 2_000, Input::Terminate);
        let look = |ticks| Input::Look { ticks, calls: 0 };
        assert_eq!(after(&mut supervisor, 2_000, look(200)), [Output::Alive, Output::Stop]);
        assert_eq!(after(&mut supervisor, 4_000, look(400)), [Output::Alive, Output::End(Ending::Drained)]);
    }

    #[test]
    fn a_thread_that_dies_ends_the_process_whatever_it_was_doing() {
        for part in
            [Part::Audio, Part::Trunk, Part::Http, Part::Sound, Part::Speech, Part::Reports, Part::Signals]
        {
            let mut supervisor = with_calls(3);
            assert_eq!(after(&mut supervisor, 2_000, Input::Ended(part)), [Output::End(Ending::Died(part))]);
        }
        let mut supervisor = with_calls(3);
        after(&mut supervisor, 2_000, Input::Terminate);
        let died = [Output::End(Ending::Died(Part::Audio))];
        assert_eq!(after(&mut supervisor, 2_100, Input::Ended(Part::Audio)), died);
    }

    #[test]
    fn only_ticks_keep_the_watchdog_quiet() {
        let mut supervisor = with_calls(0);
        let look = Input::Look { ticks: 100, calls: 0 };
        assert_eq!(after(&mut supervisor, 10_999, look), []);
        assert_eq!(after(&mut supervisor, 11_000, look), [Output::End(Ending::Standstill)]);
    }

    proptest! {
        #[test]
        fn whatever_happens_it_ends_once_and_soon_after_it_is_asked(
            inputs in prop::collection::vec((0_u64..5_000, 0..4_u8, 0..3_usize), 0..60),
        ) {
            let mut supervisor = Supervisor::new(at(0), DRAIN);
            let (mut ms, mut ticks, mut ends, mut asked) = (0, 0, 0, None);
            for (wait, what, calls) in inputs {
                (ms, ticks) = (ms + wait, ticks + 1);
                let input = match what {
                    0 => Input::Terminate,
                    1 => Input::Ended(Part::Trunk),
                    _ => Input::Look { ticks, calls },
                };
                if input == Input::Terminate {
                    asked.get_or_insert(ms);
                }
                let outputs = after(&mut supervisor, ms, input);
                ends += outputs.iter().filter(|output| matches!(output, Output::End(_))).count();
            }
            prop_assert!(ends <= 1);
            if let Some(asked) = asked && ends == 0 {
                let due = asked.max(ms) + 20_000;
                let look = |ticks| Input::Look { ticks, calls: 1 };
                let mut outputs = after(&mut supervisor, due, look(ticks + 1));
                outputs.extend(after(&mut supervisor, due + 2_000, look(ticks + 2)));
                prop_assert!(outputs.iter().any(|output| matches!(output, Output::End(_))), "{:?}", supervisor);
            }
        }
    }
}
