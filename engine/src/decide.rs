//! Real-time: pure functions of a few numbers.
//!
//! What to play next, and whether to hurry or to linger. Nothing here touches a sample: a small status goes
//! in, an operation comes out, and each operation is carried out elsewhere.

/// Below this fill the voice is slowed even while somebody speaks (J3).
pub const SLOW_BELOW_PERCENT: u32 = 20;
/// Above this fill it is hurried even while somebody speaks (J3).
pub const FAST_ABOVE_PERCENT: u32 = 80;
/// Fill at which the buffer holds just what the line asks for.
pub const BALANCED_PERCENT: u32 = 50;
/// Above this fill the limit of the speed may be passed once over; such steps are counted apart.
pub const FAR_ABOVE_PERCENT: u32 = 150;

/// What waits in the store, as seen from the end of the audio that is already decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing at all.
    Nothing,
    /// The packet that follows.
    Follows,
    /// A packet after a hole of so many frames: what lay between was lost, or comes too late.
    AfterHole(usize),
    /// A packet whose sender was silent before it; it is due in so many frames.
    AfterSilence(usize),
    /// The packet that follows, so many frames after its place was filled by a guess.
    Overdue(usize),
    /// The sender says that it falls silent.
    FallsSilent,
}

/// What is being played at this instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No packet has come, or the first ones still wait for their time.
    Waiting,
    /// Decoded audio.
    Voice,
    /// A guess at what is missing; so many frames of it so far.
    Hole(usize),
    /// The noise of the far end's room: it is silent on purpose.
    Quiet,
}

/// All that a decision needs.
#[derive(Clone, Copy, Debug)]
pub struct Status {
    /// What is being played.
    pub mode: Mode,
    /// What comes next.
    pub next: Next,
    /// Longest hole that is bridged in one go, in frames.
    pub bridge: usize,
    /// A hole longer than this is silence, in frames.
    pub patience: usize,
    /// The hole is to grow: a queue fills on the way here, and one long stop is heard less than many short ones.
    pub linger: bool,
}

/// What to do for the next frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Decode the next packet.
    Play,
    /// Fill the hole before it from both sides, then play it.
    Bridge(usize),
    /// Lead from a guess over into the next packet; the guess may run on a little so that they meet in phase.
    Rejoin,
    /// Guess from the past.
    Extrapolate,
    /// Take note that the sender falls silent.
    Rest,
    /// Play the room's noise.
    Noise,
    /// Play nothing: the call has not begun.
    Silence,
}

/// The next operation.
pub fn operation(status: &Status) -> Operation {
    match (status.mode, status.next) {
        (Mode::Waiting, Next::Follows | Next::Overdue(_)) => Operation::Play,
        (Mode::Waiting, Next::FallsSilent) => Operation::Rest,
        (Mode::Waiting, _) => Operation::Silence,
        (_, Next::FallsSilent) => Operation::Rest,
        (Mode::Quiet, Next::Follows | Next::Overdue(_)) => Operation::Play,
        (Mode::Quiet, Next::AfterSilence(0)) => Operation::Play,
        (Mode::Quiet, _) => Operation::Noise,
        (Mode::Voice, Next::Follows) => Operation::Play,
        (Mode::Hole(_), Next::Overdue(_)) if status.linger => Operation::Extrapolate,
        (Mode::Hole(_), Next::Follows | Next::Overdue(_) | Next::AfterSilence(0)) => Operation::Rejoin,
        (_, Next::AfterHole(frames)) if frames <= status.bridge => Operation::Bridge(frames),
        (Mode::Hole(so_far), _) if so_far >= status.patience => Operation::Noise,
        (Mode::Voice, Next::Overdue(_) | Next::AfterSilence(0)) => Operation::Rejoin,
        _ => Operation::Extrapolate,
    }
}

/// How far the buffer is from what the line asks for.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    /// Frames too many (or, negative, too few).
    pub excess: i32,
    /// Fill in percent: 50 is balanced, 100 twice what is wanted.
    pub fill_percent: u32,
    /// Frames that the speed limit allows now; it grows by the limit's share of real time.
    pub allowance: usize,
    /// Frames below which a change is not worth its while.
    pub least: usize,
}

/// A change of speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As it came.
    Even,
    /// Take out frames: up to `pause` where nobody speaks, up to `speech` elsewhere.
    Faster {
        /// Limit in a pause.
        pause: usize,
        /// Limit in speech.
        speech: usize,
    },
    /// Put in frames, likewise.
    Slower {
        /// Limit in a pause.
        pause: usize,
        /// Limit in speech.
        speech: usize,
    },
}

/// Whether to hurry or to linger: anywhere in a pause, in speech only outside 20 to 80 % fill and within
/// the speed limit.
pub fn pace(level: &Level) -> Pace {
    let frames = level.excess.unsigned_abs() as usize;
    if frames < level.least {
        return Pace::Even;
    }
    if level.excess > 0 {
        let speech = match level.fill_percent {
            FAR_ABOVE_PERCENT.. => level.allowance.saturating_mul(2),
            FAST_ABOVE_PERCENT.. => level.allowance,
            _ => 0,
        };
        Pace::Faster { pause: frames, speech: speech.min(frames) }
    } else {
        let speech = if level.fill_percent < SLOW_BELOW_PERCENT { level.allowance } else { 0 };
        // A pause may be lengthened by a little more than asked: what comes out short would stay short.
        Pace::Slower { pause: frames + level.least, speech: speech.min(frames) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(mode: Mode, next: Next) -> Status {
        Status { mode, next, bridge: 640, patience: 8_000, linger: false }
    }

    #[test]
    fn a_hole_with_its_end_in_hand_is_bridged_and_one_without_is_guessed() {
        assert_eq!(operation(&status(Mode::Voice, Next::AfterHole(160))), Operation::Bridge(160));
        assert_eq!(operation(&status(Mode::Voice, Next::Nothing)), Operation::Extrapolate);
        assert_eq!(operation(&status(Mode::Hole(80), Next::AfterHole(80))), Operation::Bridge(80));
        assert_eq!(operation(&status(Mode::Voice, Next::AfterHole(900))), Operation::Extrapolate);
    }

    #[test]
    fn silence_on_purpose_is_no_loss() {
        assert_eq!(operation(&status(Mode::Voice, Next::FallsSilent)), Operation::Rest);
        assert_eq!(operation(&status(Mode::Quiet, Next::Nothing)), Operation::Noise);
        assert_eq!(operation(&status(Mode::Quiet, Next::AfterSilence(3))), Operation::Noise);
        assert_eq!(operation(&status(Mode::Quiet, Next::AfterSilence(0))), Operation::Play);
    }

    #[test]
    fn a_long_hole_turns_into_noise() {
        assert_eq!(operation(&status(Mode::Hole(8_000), Next::Nothing)), Operation::Noise);
    }

    fn level(excess: i32, fill_percent: u32) -> Level {
        Level { excess, fill_percent, allowance: 40, least: 8 }
    }

    #[test]
    fn speech_is_left_alone_between_20_and_80_percent() {
        for fill in 20..80 {
            assert!(matches!(pace(&level(100, fill)), Pace::Faster { pause: 100, speech: 0 }));
            assert!(matches!(pace(&level(-100, fill)), Pace::Slower { pause: 108, speech: 0 }));
        }
        assert_eq!(pace(&level(100, 80)), Pace::Faster { pause: 100, speech: 40 });
        assert_eq!(pace(&level(-100, 19)), Pace::Slower { pause: 108, speech: 40 });
        assert_eq!(pace(&level(100, 150)), Pace::Faster { pause: 100, speech: 80 });
    }

    #[test]
    fn a_few_frames_are_not_worth_a_change() {
        assert_eq!(pace(&level(7, 80)), Pace::Even);
        assert_eq!(pace(&level(-7, 10)), Pace::Even);
    }
}
