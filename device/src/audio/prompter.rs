//! Real-time: no allocation, no lock, no syscall, no panic, no log.
//!
//! What the device says in a conversation: samples that the speech thread laid into a ring, played frame by frame,
//! with marks between them that tell how far it got, and a cut that stops it within one tick.

use crate::rings::PrompterEnds;
use offhook_units::Moment;
use ringbuf::traits::{Consumer as _, Observer as _};
use std::sync::atomic::Ordering::Relaxed;

/// An answer of the device's; each later one has a higher number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn(pub u32);

/// A place in the samples, told when it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// So many samples were laid into the ring before it, since the call began.
    pub at: u64,
    /// What is there.
    pub kind: MarkKind,
}

/// What is at a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkKind {
    /// A turn begins. After a cut nothing is played until one that is later than what was cut.
    Begin(Turn),
    /// The turn ends: silence behind it is no lack of samples.
    End,
}

/// What became of the samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The turn's first sample is on its way to the wire.
    Began(Turn),
    /// The turn was said to its end.
    Ended(Turn),
    /// The turn was cut off.
    Cut {
        /// Which.
        turn: Turn,
        /// Samples that were played since the call began, the fade included. What was laid behind them until the
        /// next turn is thrown away.
        at: u64,
    },
    /// Within the turn there was nothing to play.
    RanDry(Turn),
    /// The packet with the turn's first sample was made.
    Packed {
        /// Which.
        turn: Turn,
        /// The tick that made it.
        at: Moment,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is to be said.
    Idle,
    /// In the middle of a turn; it began behind so many samples.
    Saying { turn: Turn, began: u64 },
    /// The same, but the ring is empty.
    Dry { turn: Turn, began: u64 },
}

/// Says one call's turns.
#[derive(Debug)]
pub struct Prompter {
    ends: PrompterEnds,
    state: State,
    /// Samples taken from the ring since the call began.
    taken: u64,
    /// Turns up to this one are passed over.
    cut: Option<Turn>,
    /// Nothing of the present turn was played yet.
    is_fresh: bool,
    /// The turn whose first sample waits for its packet to be full.
    unpacked: Option<Turn>,
    /// Events that found their ring full.
    untold: u64,
}

impl Prompter {
    /// Says what comes by `ends`.
    pub const fn new(ends: PrompterEnds) -> Self {
        Self { ends, state: State::Idle, taken: 0, cut: None, is_fresh: false, unpacked: None, untold: 0 }
    }

    /// Whether a turn is being said.
    pub const fn is_saying(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// The next 10 ms.
    pub fn render(&mut self, out: &mut [i16]) {
        let hushed = Turn(self.ends.hushed.load(Relaxed));
        match self.state {
            State::Saying { turn, .. } | State::Dry { turn, .. } if turn <= hushed => self.cut(out),
            _ => self.play(out),
        }
        self.ends.taken.store(self.taken, Relaxed);
    }

    fn play(&mut self, out: &mut [i16]) {
        let mut filled = 0;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            // Looked at before the marks: what lies there then has its marks there too, as they are laid first.
            let there = self.ends.samples.occupied_len();
            self.pass_marks();
            let until_mark = self.samples_until_mark().min(rest.len()).min(there);
            let Some(rest) = rest.get_mut(..until_mark) else { break };
            if !matches!(self.state, State::Saying { .. } | State::Dry { .. }) {
                // Between turns there is nothing to hear; what was cut off is thrown away unheard.
                let thrown = self.ends.samples.skip(until_mark);
                self.taken += thrown as u64;
                if thrown == 0 {
                    break;
                }
                continue;
            }
            let got = self.ends.samples.pop_slice(rest);
            self.taken += got as u64;
            filled += got;
            if got == 0 {
                break;
            }
            if let State::Saying { turn, .. } = self.state
                && std::mem::take(&mut self.is_fresh)
            {
                self.unpacked = Some(turn);
            }
            if let State::Dry { turn, began } = self.state {
                fade_in(out.get_mut(..filled).unwrap_or_default());
                self.state = State::Saying { turn, began };
            }
        }
        let (said, silence) = out.split_at_mut(filled);
        silence.fill(0);
        if silence.is_empty() {
            // A turn that ends just here ends now, not a tick later.
            self.pass_marks();
        } else if let State::Saying { turn, began } = self.state
            && self.taken > began
        {
            fade_out(said);
            self.state = State::Dry { turn, began };
            self.tell(Said::RanDry(turn));
        }
    }

    /// Stops at once: the next 10 ms fade out, and nothing more of this turn or those before is said.
    pub fn cut(&mut self, out: &mut [i16]) {
        let (State::Saying { turn, .. } | State::Dry { turn, .. }) = self.state else {
            return out.fill(0);
        };
        self.play(out);
        fade_out(out);
        // The turn may have ended within the fade: then it was said.
        if self.is_saying() {
            self.state = State::Idle;
            self.tell(Said::Cut { turn, at: self.taken });
        }
        self.cut = Some(turn);
        self.ends.taken.store(self.taken, Relaxed);
    }

    /// What was rendered last filled a packet, in the tick at `now`.
    pub fn packed(&mut self, now: Moment) {
        if let Some(turn) = self.unpacked.take() {
            self.tell(Said::Packed { turn, at: now });
        }
    }

    /// Marks that were reached.
    fn pass_marks(&mut self) {
        while let Ok(mark) = self.ends.marks.peek() {
            if mark.at > self.taken {
                return;
            }
            let kind = mark.kind;
            let _read = self.ends.marks.pop();
            match (kind, self.state) {
                (MarkKind::Begin(turn), _) if self.cut.is_none_or(|cut| turn > cut) => {
                    self.state = State::Saying { turn, began: self.taken };
                    self.is_fresh = true;
                    self.tell(Said::Began(turn));
                }
                (MarkKind::Begin(_), _) => self.state = State::Idle,
                (MarkKind::End, State::Saying { turn, .. } | State::Dry { turn, .. }) => {
                    self.state = State::Idle;
                    self.tell(Said::Ended(turn));
                }
                (MarkKind::End, State::Idle) => {}
            }
        }
    }

    /// Samples that may be taken before the next mark is reached.
    fn samples_until_mark(&self) -> usize {
        let Ok(mark) = self.ends.marks.peek() else { return usize::MAX };
        usize::try_from(mark.at.saturating_sub(self.taken)).unwrap_or(usize::MAX)
    }

    fn tell(&mut self, said: Said) {
        self.untold += u64::from(self.ends.said.push(said).is_err());
    }

    /// Samples that wait.
    pub fn waiting(&self) -> usize {
        self.ends.samples.occupied_len()
    }

    /// Events that nobody fetched in time.
    pub const fn untold(&self) -> u64 {
        self.untold
    }
}

fn fade_out(samples: &mut [i16]) {
    let length = samples.len().max(1) as i32;
    for (n, sample) in samples.iter_mut().rev().enumerate() {
        *sample = (i32::from(*sample) * n as i32 / length) as i16;
    }
}

fn fade_in(samples: &mut [i16]) {
    let length = samples.len().max(1) as i32;
    for (n, sample) in samples.iter_mut().enumerate() {
        *sample = (i32::from(*sample) * n as i32 / length) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rings::{self, SpeechEnds};
    use offhook_units::SampleRate;
    use ringbuf::traits::Producer as _;

    fn stage() -> (SpeechEnds, Prompter, rings::AgentEnds) {
        let (speech, agent, ends) = rings::conversation(SampleRate::HZ_8000);
        (speech, Prompter::new(ends), agent)
    }

    /// Lays a turn down as the speech thread does; gives back where the next one begins.
    fn lay(speech: &mut SpeechEnds, at: u64, turn: u32, samples: &[i16]) -> u64 {
        speech.marks.push(Mark { at, kind: MarkKind::Begin(Turn(turn)) }).unwrap();
        assert_eq!(speech.samples.push_slice(samples), samples.len());
        let end = at + samples.len() as u64;
        speech.marks.push(Mark { at: end, kind: MarkKind::End }).unwrap();
        end
    }

    fn tick(prompter: &mut Prompter) -> [i16; 80] {
        let mut out = [99; 80];
        prompter.render(&mut out);
        out
    }

    fn events(speech: &mut SpeechEnds) -> Vec<Said> {
        std::iter::from_fn(|| speech.said.pop().ok()).collect()
    }

    #[test]
    fn turns_are_said_whole_one_after_the_other_and_told() {
        let (mut speech, mut prompter, _agent) = stage();
        let first: Vec<i16> = (1..=200).collect();
        let end = lay(&mut speech, 0, 1, &first);
        lay(&mut speech, end, 2, &[7; 100]);
        let mut all = Vec::new();
        (0..5).for_each(|_| all.extend(tick(&mut prompter)));
        let mut expected = first;
        expected.extend([7; 100]);
        expected.extend([0; 100]);
        assert_eq!(all, expected);
        assert_eq!(
            events(&mut speech),
            [Said::Began(Turn(1)), Said::Ended(Turn(1)), Said::Began(Turn(2)), Said::Ended(Turn(2))]
        );
        assert!(!prompter.is_saying());
    }

    #[test]
    fn a_cut_fades_within_one_tick_and_what_was_under_way_is_not_heard() {
        let (mut speech, mut prompter, _agent) = stage();
        let end = lay(&mut speech, 0, 1, &[1_000; 400]);
        tick(&mut prompter);
        let mut out = [0; 80];
        prompter.cut(&mut out);
        assert_eq!(out[79], 0);
        assert!(out.windows(2).all(|w| w[1] <= w[0] && w[0] - w[1] < 20), "{out:?}");
        let end = lay(&mut speech, end, 1, &[2_000; 160]);
        assert_eq!(tick(&mut prompter), [0; 80], "neither the rest of the turn nor what came late of it");
        lay(&mut speech, end, 2, &[3_000; 80]);
        assert_eq!(tick(&mut prompter), [3_000; 80], "the next turn comes at once");
        assert_eq!(speech.taken.load(Relaxed), 640);
        let cut = Said::Cut { turn: Turn(1), at: 160 };
        assert_eq!(
            events(&mut speech),
            [Said::Began(Turn(1)), cut, Said::Began(Turn(2)), Said::Ended(Turn(2))]
        );
    }

    #[test]
    fn the_packet_with_a_turns_first_sample_is_told_once() {
        let (mut speech, mut prompter, _agent) = stage();
        speech.marks.push(Mark { at: 0, kind: MarkKind::Begin(Turn(1)) }).unwrap();
        tick(&mut prompter);
        prompter.packed(Moment::from_millis(10));
        assert_eq!(events(&mut speech), [Said::Began(Turn(1))], "silence before it is no part of it");
        speech.samples.push_slice(&[1_000; 400]);
        tick(&mut prompter);
        prompter.packed(Moment::from_millis(20));
        tick(&mut prompter);
        prompter.packed(Moment::from_millis(30));
        let packed = Said::Packed { turn: Turn(1), at: Moment::from_millis(20) };
        assert_eq!(events(&mut speech), [packed]);
    }

    #[test]
    fn a_slow_service_is_told_and_comes_back_without_a_click() {
        let (mut speech, mut prompter, _agent) = stage();
        speech.marks.push(Mark { at: 0, kind: MarkKind::Begin(Turn(1)) }).unwrap();
        speech.samples.push_slice(&[1_000; 120]);
        tick(&mut prompter);
        let dry = tick(&mut prompter);
        assert!(dry[38] <= 50 && dry[39..] == [0; 41], "{dry:?}");
        assert_eq!(tick(&mut prompter), [0; 80]);
        speech.samples.push_slice(&[1_000; 400]);
        let back = tick(&mut prompter);
        assert!(back[0] == 0 && back[79] > 900 && back.windows(2).all(|w| w[1] >= w[0]));
        assert_eq!(tick(&mut prompter), [1_000; 80]);
        assert_eq!(events(&mut speech), [Said::Began(Turn(1)), Said::RanDry(Turn(1))]);
    }

    #[test]
    fn the_speech_thread_stops_a_turn_but_not_the_one_after_it() {
        let (mut speech, mut prompter, _agent) = stage();
        let end = lay(&mut speech, 0, 1, &[1_000; 400]);
        tick(&mut prompter);
        speech.hushed.store(1, Relaxed);
        lay(&mut speech, end, 2, &[3_000; 160]);
        assert_eq!(tick(&mut prompter)[79], 0, "faded out");
        assert_eq!(tick(&mut prompter), [3_000; 80]);
        assert_eq!(tick(&mut prompter), [3_000; 80]);
        assert_eq!(
            events(&mut speech),
            [
                Said::Began(Turn(1)),
                Said::Cut { turn: Turn(1), at: 160 },
                Said::Began(Turn(2)),
                Said::Ended(Turn(2))
            ]
        );
    }

    #[test]
    fn what_is_cut_while_idle_stays_silent() {
        let (_speech, mut prompter, _agent) = stage();
        let mut out = [5; 80];
        prompter.cut(&mut out);
        assert_eq!(out, [0; 80]);
    }
}
