//! Real-time: no allocation, no lock, no syscall, no panic, no log.
//!
//! The least transit of the last second or so, and of the last few.

use offhook_units::{Moment, Span};

/// The window is made of this many pieces; the oldest is forgotten as a new one begins.
const PIECES: usize = 7;
/// So many pieces tell whether the network was slower for long enough to call its recovery a step.
const LONG_PIECES: usize = 20;
const PIECE: Span = Span::from_millis(200);

#[derive(Debug, Default)]
pub(super) struct Floor {
    /// The least of each piece, newest first.
    least: [Option<f32>; LONG_PIECES],
    began: Moment,
    whole: Option<f32>,
}

impl Floor {
    pub(super) fn note(&mut self, at: Moment, transit_ms: f32) {
        // Silence does not age the window: a sender that pauses comes back to the floor it had.
        if at.since(self.began) >= PIECE {
            self.least.rotate_right(1);
            self.least[0] = None;
            self.began = at;
        }
        self.least[0] = Some(self.least[0].map_or(transit_ms, |l| l.min(transit_ms)));
        self.whole = least_of(&self.least[..PIECES]);
    }

    /// Whether a transit lies this far below all of the last four seconds.
    pub(super) fn undercut_by(&self, transit_ms: f32, by_ms: f32) -> bool {
        self.least.iter().all(|least| least.is_some_and(|least| transit_ms < least - by_ms))
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    pub(super) const fn ms(&self) -> Option<f32> {
        self.whole
    }
}

fn least_of(pieces: &[Option<f32>]) -> Option<f32> {
    pieces.iter().flatten().copied().reduce(f32::min)
}
