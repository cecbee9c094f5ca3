//! Real-time: no allocation, no lock, no syscall, no panic, no log.
//!
//! What the device says in a conversation: samples that the speech thread laid into a ring, played frame by frame,
//! with marks between them that tell how far it got, and a cut that stops it within one tick.
//!
//! Where the service falls behind (C2): below a fifth of the ring the voice is slowed by whole pitch periods; when there
//! is nothing left it pauses with a fade, and begins again with one when there is a little to go on with. What slowing
//! cost is caught up as soon as there is plenty.

use super::TICK_MS;
use super::tempo::Tempo;
use crate::rings::PrompterEnds;
use offhook_units::{Moment, SampleRate, Span};
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
    /// After that it goes on.
    Resumed {
        /// Which.
        turn: Turn,
        /// The silence that nobody planned.
        gap: Span,
    },
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
    /// The same, but nothing is left: silence, until more comes.
    Paused { turn: Turn, began: u64 },
    /// More has come and is not enough to go on with; for so many ticks already.
    Buffering { turn: Turn, began: u64, ticks: u8 },
}

/// What becomes of a turn that begins in the middle of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beyond {
    /// It is heard.
    GoesOn,
    /// It is left for the next tick: this one fades out.
    Waits,
}

/// After a pause so much must be there again, ms,
const ENOUGH_MS: u32 = 100;
/// or something for so many ticks: a service that trickles is heard in pieces rather than not at all.
const PATIENCE: u8 = 20;

/// Says one call's turns.
#[derive(Debug)]
pub struct Prompter {
    ends: PrompterEnds,
    state: State,
    tempo: Tempo,
    enough: usize,
    /// Samples of the ring that were played or thrown away since the call began.
    taken: u64,
    /// Turns up to this one are passed over.
    cut: Option<Turn>,
    /// Nothing of the present turn was played yet.
    is_fresh: bool,
    /// The turn whose first sample waits for its packet to be full.
    unpacked: Option<Turn>,
    /// How much silence stands where the turn ran dry, in frames.
    gap: usize,
    /// Events that found their ring full.
    untold: u64,
}

impl Prompter {
    /// Says what comes by `ends` in a call at `rate`, at its natural speed until [`Prompter::tune`].
    pub fn new(ends: PrompterEnds, rate: SampleRate) -> Self {
        let (tempo, enough) = (Tempo::new(rate), rate.frames_in_ms(ENOUGH_MS));
        Self {
            ends,
            state: State::Idle,
            tempo,
            enough,
            taken: 0,
            cut: None,
            is_fresh: false,
            unpacked: None,
            gap: 0,
            untold: 0,
        }
    }

    /// The voice may leave its natural speed by this fraction.
    pub const fn tune(&mut self, most: f32) {
        self.tempo.tune(most);
    }

    /// Whether a turn is being said.
    pub const fn is_saying(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// The next 10 ms.
    pub fn render(&mut self, out: &mut [i16]) {
        let hushed = Turn(self.ends.hushed.load(Relaxed));
        match self.state {
            State::Saying { turn, .. } | State::Paused { turn, .. } | State::Buffering { turn, .. }
                if turn <= hushed =>
            {
                self.cut(out);
            }
            _ => self.play(out, Beyond::GoesOn),
        }
        self.ends.taken.store(self.taken, Relaxed);
    }

    fn play(&mut self, out: &mut [i16], beyond: Beyond) {
        let mut filled = 0;
        while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            // What was made of the ring's samples before comes first; it holds no mark.
            let (got, played) = self.tempo.take(rest);
            self.taken += played as u64;
            filled += got;
            if got > 0 {
                self.sounded();
                continue;
            }
            // Looked at before the marks: what lies there then has its marks there too, as they are laid first.
            let there = self.ends.samples.occupied_len();
            self.pass_marks(beyond);
            let until_mark = self.samples_until_mark();
            match self.state {
                State::Idle => {
                    // Between turns there is nothing to hear; what was cut off is thrown away unheard.
                    let thrown = self.ends.samples.skip(until_mark.min(rest.len()).min(there));
                    self.taken += thrown as u64;
                    if thrown == 0 {
                        break;
                    }
                }
                State::Saying { .. } => {
                    let ends = self.ends.marks.peek().is_ok();
                    if self.tempo.change(&mut self.ends.samples, there.min(until_mark), ends) {
                        continue;
                    }
                    let count = until_mark.min(rest.len()).min(there);
                    let got = self.ends.samples.pop_slice(rest.get_mut(..count).unwrap_or_default());
                    self.taken += got as u64;
                    self.tempo.played(got);
                    filled += got;
                    if got == 0 {
                        break;
                    }
                    self.sounded();
                }
                State::Paused { turn, began } if there > 0 => {
                    self.state = State::Buffering { turn, began, ticks: 0 };
                }
                State::Buffering { turn, began, ticks } if self.may_go_on(there, ticks) => {
                    self.state = State::Saying { turn, began };
                    let count = until_mark.min(rest.len()).min(there);
                    let got = self.ends.samples.pop_slice(rest.get_mut(..count).unwrap_or_default());
                    self.taken += got as u64;
                    filled += got;
                    fade_in(out.get_mut(..filled).unwrap_or_default());
                    self.tell(Said::Resumed { turn, gap: span(self.gap, out.len()) });
                    if got == 0 {
                        break;
                    }
                }
                State::Buffering { turn, began, ticks } => {
                    self.state = State::Buffering { turn, began, ticks: ticks.saturating_add(1) };
                    break;
                }
                State::Paused { .. } => break,
            }
        }
        let (said, silence) = out.split_at_mut(filled);
        silence.fill(0);
        if silence.is_empty() {
            // A turn that ends just here ends now, not a tick later.
            self.pass_marks(beyond);
        } else if let State::Saying { turn, began } = self.state
            && self.taken > began
        {
            fade_out(said);
            self.state = State::Paused { turn, began };
            self.gap = silence.len();
            self.tell(Said::RanDry(turn));
        } else if let State::Paused { .. } | State::Buffering { .. } = self.state {
            self.gap += silence.len();
        }
    }

    /// A sample of the turn was played.
    const fn sounded(&mut self) {
        if let State::Saying { turn, .. } = self.state
            && self.is_fresh
        {
            self.is_fresh = false;
            self.unpacked = Some(turn);
        }
    }

    /// Whether there is enough to go on with after a pause: so much, or the end of the turn.
    fn may_go_on(&self, there: usize, ticks: u8) -> bool {
        there >= self.enough || ticks >= PATIENCE || self.ends.marks.peek().is_ok()
    }

    /// Stops at once: the next 10 ms fade out, and nothing more of this turn or those before is said.
    pub fn cut(&mut self, out: &mut [i16]) {
        let (State::Saying { turn, .. } | State::Paused { turn, .. } | State::Buffering { turn, .. }) =
            self.state
        else {
            return out.fill(0);
        };
        self.play(out, Beyond::Waits);
        fade_out(out);
        // The turn may have ended within the fade: then it was said.
        if self.is_saying() {
            self.state = State::Idle;
            self.tell(Said::Cut { turn, at: self.taken });
        }
        // Thrown away unheard.
        self.taken += self.tempo.clear() as u64;
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
    fn pass_marks(&mut self, beyond: Beyond) {
        while let Ok(mark) = self.ends.marks.peek() {
            let kind = mark.kind;
            let waits = beyond == Beyond::Waits && matches!(kind, MarkKind::Begin(_));
            if mark.at > self.taken || waits {
                return;
            }
            let _read = self.ends.marks.pop();
            match (kind, self.state) {
                (MarkKind::Begin(turn), _) if self.cut.is_none_or(|cut| turn > cut) => {
                    self.state = State::Saying { turn, began: self.taken };
                    self.tempo.begin();
                    self.is_fresh = true;
                    self.tell(Said::Began(turn));
                }
                (MarkKind::Begin(_), _) => self.state = State::Idle,
                (
                    MarkKind::End,
                    State::Saying { turn, .. } | State::Paused { turn, .. } | State::Buffering { turn, .. },
                ) => {
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
        self.ends.samples.occupied_len() + self.tempo.left()
    }

    /// Events that nobody fetched in time.
    pub const fn untold(&self) -> u64 {
        self.untold
    }
}

/// So many frames, where a tick has `tick` of them.
const fn span(frames: usize, tick: usize) -> Span {
    let micros = (frames * TICK_MS as usize * 1_000).checked_div(tick);
    Span::from_micros(match micros {
        Some(micros) => micros as i64,
        None => 0,
    })
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
        let mut prompter = Prompter::new(ends, SampleRate::HZ_8000);
        prompter.tune(0.05);
        (speech, prompter, agent)
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
    fn a_turn_that_follows_a_stopped_one_in_its_last_tick_is_said_whole() {
        for left in [0, 1, 40, 79, 80, 81, 400] {
            let (mut speech, mut prompter, _agent) = stage();
            speech.marks.push(Mark { at: 0, kind: MarkKind::Begin(Turn(1)) }).unwrap();
            speech.samples.push_slice(&vec![1_000; 80 + left]);
            tick(&mut prompter);
            // The conversation stops it, and answers anew at once.
            speech.hushed.store(1, Relaxed);
            let end = 80 + left as u64;
            speech.marks.push(Mark { at: end, kind: MarkKind::End }).unwrap();
            lay(&mut speech, end, 2, &[3_000; 160]);
            let heard: Vec<i16> = (0..10).flat_map(|_| tick(&mut prompter)).collect();
            assert_eq!(heard.iter().filter(|sample| **sample == 3_000).count(), 160, "{left} were left");
            assert_eq!(events(&mut speech).last(), Some(&Said::Ended(Turn(2))), "{left} were left");
        }
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
        assert_eq!(tick(&mut prompter), [0; 80], "half of what it takes to go on");
        speech.samples.push_slice(&[1_000; 480]);
        let back = tick(&mut prompter);
        assert!(back[0] == 0 && back[79] > 900 && back.windows(2).all(|w| w[1] >= w[0]));
        assert_eq!(tick(&mut prompter), [1_000; 80]);
        // Half a tick and two.
        let resumed = Said::Resumed { turn: Turn(1), gap: Span::from_millis(25) };
        assert_eq!(events(&mut speech), [Said::Began(Turn(1)), Said::RanDry(Turn(1)), resumed]);
    }

    #[test]
    fn c2_after_a_pause_the_end_of_a_turn_and_a_service_that_trickles_are_not_waited_for() {
        let (mut speech, mut prompter, _agent) = stage();
        speech.marks.push(Mark { at: 0, kind: MarkKind::Begin(Turn(1)) }).unwrap();
        speech.samples.push_slice(&[1_000; 80]);
        tick(&mut prompter);
        tick(&mut prompter);
        speech.samples.push_slice(&[1_000; 80]);
        let silent = (0..40).take_while(|_| tick(&mut prompter) == [0; 80]).count();
        assert_eq!(silent, 20, "200 ms of patience");
        tick(&mut prompter);
        speech.samples.push_slice(&[1_000; 80]);
        speech.marks.push(Mark { at: 240, kind: MarkKind::End }).unwrap();
        assert!(tick(&mut prompter)[79] > 900);
        assert_eq!(events(&mut speech).last(), Some(&Said::Ended(Turn(1))));
    }

    #[test]
    fn c2_the_voice_is_slowed_where_the_service_falls_behind_and_catches_up_afterwards() {
        let (mut speech, mut prompter, _agent) = stage();
        // A voice of 100 Hz, 90 ms of it for each 100 ms.
        let mut wave = (0u32..).map(|n| if n % 80 < 40 { 3_000i16 } else { -3_000 });
        speech.marks.push(Mark { at: 0, kind: MarkKind::Begin(Turn(1)) }).unwrap();
        let (mut laid, mut rendered) = (1_200, 0);
        speech.samples.push_slice(&wave.by_ref().take(1_200).collect::<Vec<_>>());
        for n in 0..50 {
            let part: Vec<i16> = wave.by_ref().take(if n % 10 == 0 { 0 } else { 80 }).collect();
            laid += speech.samples.push_slice(&part);
            let played = tick(&mut prompter);
            assert!(played.iter().all(|sample| sample.unsigned_abs() > 2_900), "no edge and no pause: {n}");
            rendered += 80;
        }
        let taken = speech.taken.load(Relaxed) as usize;
        let slower = rendered - taken;
        assert!((80..=rendered / 20).contains(&slower), "{slower} of {rendered}");
        assert_eq!(laid - taken, prompter.waiting());
        // Then it comes faster than it is played.
        for _ in 0..200 {
            let part: Vec<i16> =
                wave.by_ref().take(160.min(8_000usize.saturating_sub(prompter.waiting()))).collect();
            speech.samples.push_slice(&part);
            tick(&mut prompter);
            rendered += 80;
        }
        let taken = speech.taken.load(Relaxed) as usize;
        assert!(rendered.abs_diff(taken) < 240, "caught up: {rendered} {taken}");
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
