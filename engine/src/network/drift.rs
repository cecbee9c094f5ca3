//! Real-time: no allocation, no lock, no syscall, no panic, no log.
//!
//! How far the sender's clock runs off ours (J4): the slope of the floor over minutes.
//!
//! The least transit of each two seconds lies on a line when only the clocks differ; its slope is the
//! drift. A robust slope (the median over pairs) would cost more than it gives: each new point moves a
//! least-squares line with forgetting, and a point that lies far off (a step of the network) starts it anew.

use offhook_units::{Moment, Ppm, Span};

/// A point is the least transit of so long.
const PIECE: Span = Span::from_millis(2_000);
/// A floor that moves by more than this from the line is a step of the network, not a clock.
const STEP_MS: f32 = 8.0;
/// The slope counts from this many points on.
const ENOUGH: u32 = 6;
/// Points are forgotten with this factor: a memory of about five minutes.
const KEEP: f64 = 0.993;

/// The estimate for one stream.
#[derive(Debug, Default)]
pub(super) struct Drift {
    began: Option<Moment>,
    least: Option<f32>,
    /// Points since the last step, and their weighted sums around the first one.
    points: u32,
    first: Option<Moment>,
    sum_w: f64,
    sum_t: f64,
    sum_y: f64,
    sum_tt: f64,
    sum_ty: f64,
}

impl Drift {
    /// A packet in order had this transit.
    pub(super) fn note(&mut self, at: Moment, transit_ms: f32) {
        let began = *self.began.get_or_insert(at);
        if at.since(began) < PIECE {
            self.least = Some(self.least.map_or(transit_ms, |l| l.min(transit_ms)));
            return;
        }
        if let Some(least) = self.least.replace(transit_ms) {
            self.point(began, least);
        }
        self.began = Some(at);
    }

    fn point(&mut self, at: Moment, least_ms: f32) {
        let first = *self.first.get_or_insert(at);
        let t = at.since(first).as_micros() as f64 / 1e6;
        let y = f64::from(least_ms);
        if self.points >= 2 && (y - self.line_at(t)).abs() > f64::from(STEP_MS) {
            *self = Self { began: self.began, least: self.least, first: Some(at), ..Self::default() };
            self.point(at, least_ms);
            return;
        }
        self.points = self.points.saturating_add(1);
        for sum in [&mut self.sum_w, &mut self.sum_t, &mut self.sum_y, &mut self.sum_tt, &mut self.sum_ty] {
            *sum *= KEEP;
        }
        self.sum_w += 1.0;
        self.sum_t += t;
        self.sum_y += y;
        self.sum_tt += t * t;
        self.sum_ty += t * y;
    }

    /// Milliseconds of transit gained a second.
    fn slope(&self) -> f64 {
        let spread = self.sum_w * self.sum_tt - self.sum_t * self.sum_t;
        if spread > f64::EPSILON {
            (self.sum_w * self.sum_ty - self.sum_t * self.sum_y) / spread
        } else {
            0.0
        }
    }

    fn line_at(&self, t: f64) -> f64 {
        let mean_t = self.sum_t / self.sum_w.max(1.0);
        let mean_y = self.sum_y / self.sum_w.max(1.0);
        mean_y + self.slope() * (t - mean_t)
    }

    /// The sender's clock against ours: positive when it is fast (its packets come ever earlier).
    pub(super) fn ppm(&self) -> Option<Ppm> {
        (self.points >= ENOUGH).then(|| Ppm((-self.slope() * 1000.0) as f32))
    }
}
