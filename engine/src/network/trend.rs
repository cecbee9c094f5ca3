//! Real-time: no allocation, no lock, no syscall, no panic, no log.
//!
//! A queue that fills: the least transit of each tenth of a second rises and rises. A player that waits until
//! it runs dry stumbles again and again on the way up; one that sees the queue grow falls back in good time.

use offhook_units::{Moment, Span};

const PIECES: usize = 5;
const PIECE: Span = Span::from_millis(100);
const PIECE_MS: f32 = 100.0;
/// A rise counts when it is that many times the usual difference between neighbours,
const TIMES_USUAL: f32 = 4.0;
/// and no less than this.
const LEAST_RISE_MS: f32 = 8.0;

/// No tenth of a second has more than this share of it.
const MOST_AT_ONCE: f32 = 0.7;

#[derive(Debug, Default)]
pub(super) struct Trend {
    /// The least transit of each piece, newest first.
    least: [f32; PIECES],
    filled: usize,
    current: Option<f32>,
    began: Moment,
    /// How much neighbours differ as a rule.
    usual_ms: f32,
    slope: Option<f32>,
}

impl Trend {
    pub(super) fn note(&mut self, at: Moment, transit_ms: f32) {
        if at.since(self.began) < PIECE {
            self.current = Some(self.current.map_or(transit_ms, |l| l.min(transit_ms)));
            return;
        }
        self.began = at;
        let Some(least) = self.current.replace(transit_ms) else { return };
        if self.filled > 0 {
            let step = (least - self.least[0]).abs().min(100.0);
            self.usual_ms += (step - self.usual_ms) * 0.02;
        }
        self.least.rotate_right(1);
        self.least[0] = least;
        self.filled = (self.filled + 1).min(PIECES);
        self.slope = self.rise();
    }

    /// Milliseconds of transit gained in a millisecond, while a queue fills.
    pub(super) const fn slope(&self) -> Option<f32> {
        self.slope
    }

    /// The least transit of the last piece.
    pub(super) const fn newest_ms(&self) -> f32 {
        self.least[0]
    }

    /// The least transit of the last few pieces, once there are some.
    pub(super) fn recent_least_ms(&self) -> Option<f32> {
        let whole = self.least[..3].iter().copied().reduce(f32::min).filter(|_| self.filled >= 3)?;
        Some(self.current.map_or(whole, |current| current.min(whole)))
    }

    pub(super) fn forget(&mut self) {
        *self = Self { usual_ms: self.usual_ms, ..Self::default() };
    }

    fn rise(&self) -> Option<f32> {
        if self.filled < 4 || !self.least[..4].windows(2).all(|w| w[0] > w[1]) {
            return None;
        }
        let rise_ms = self.least[0] - self.least[3];
        // A step of the network is no queue: it rises once, and then no more.
        let steepest_ms = self.least[..4].windows(2).map(|w| w[0] - w[1]).fold(0.0, f32::max);
        if steepest_ms > rise_ms * MOST_AT_ONCE {
            return None;
        }
        (rise_ms > (TIMES_USUAL * self.usual_ms).max(LEAST_RISE_MS)).then_some(rise_ms / (3.0 * PIECE_MS))
    }
}
