//! Real-time: no allocation, no lock, no syscall, no panic, no log.
//!
//! Steering the delay by the speed of the voice (J3, J4).

use super::Playout;
use crate::{
    decide::{self, BALANCED_PERCENT, Level, Mode, Pace},
    sound::{Limits, Texture},
};
use offhook_units::{Moment, SampleRate, Span};

/// Blocks in which a change is made, ms: long enough for two periods of the deepest voice.
const BLOCK_MS: u32 = 60;
/// Changes shorter than this stay undone, ms.
const LEAST_MS: u32 = 1;
/// A new goal must be cheaper by the price of so many milliseconds of delay.
const TRIFLE_MS: f32 = 2.5;
const TICK_US: i64 = 10_000;
/// After a change in speech, the next one has to wait so long, ms.
const REST_MS: u32 = 40;
/// Speech is changed by so much at a time, where there is so much to change, ms.
const WORTH_MS: u32 = 45;
/// So long a pause is waited for before speech itself is hurried, ms: most talkers breathe before that.
const PATIENCE_MS: i64 = 5_000;
/// After the network became faster the delay follows at once, for so long, ms.
const FOLLOW_MS: i64 = 2_500;

/// Frames by which speech may be shortened or lengthened now.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    frames: f32,
    resting: usize,
}

impl Allowance {
    /// Real time went by.
    pub(super) fn earn(&mut self, frames: usize, share: f32, rate: SampleRate) {
        // At most what a second earns, so that a long calm does not buy a burst, but in any
        // case one period of a deep voice.
        let most = (rate.hz() as f32 * share).max(rate.frames_in_ms(15) as f32);
        self.frames = (self.frames + frames as f32 * share.clamp(0.0, 0.25)).min(most);
        self.resting = self.resting.saturating_sub(frames);
    }

    fn spend(&mut self, frames: usize, rate: SampleRate) -> usize {
        let over = (frames as f32 - self.frames).max(0.0);
        self.frames = (self.frames - frames as f32).max(0.0);
        self.resting = rate.frames_in_ms(REST_MS);
        over as usize
    }
}

impl Playout {
    /// At most one change of length.
    pub(super) fn steer(&mut self, now: Moment, tick: usize) {
        let Some(level) = self.level(now) else { return };
        // What is still owed of a bridge cannot be changed, and writing all of it now would be dear.
        if self.mode != Mode::Voice || self.timeline.owes() {
            return;
        }
        match decide::pace(&level) {
            Pace::Even => {}
            Pace::Faster { .. } if now < self.hold_until => {}
            Pace::Faster { pause, speech } => self.squeeze(tick, pause, speech),
            Pace::Slower { pause, speech } => self.stretch(pause, speech),
        }
    }

    /// Where the buffer stands. The goal lies on the grid of the ticks: a packet is needed at the tick that
    /// plays its first sample, so a transit between two grid points protects no better than the lower one.
    fn level(&mut self, now: Moment) -> Option<Level> {
        let wanted = self.wanted()?.as_micros();
        let floor = self.network.floor()?;
        let at_tick = now.as_micros() as i64 - self.rate.span_of(self.cursor).as_micros();
        let plays = at_tick + self.rate.span_of(self.timeline.pending() as i64).as_micros();
        let goal = self.goal_on_grid(wanted, at_tick, floor);
        self.goal = Some(Span::from_micros(goal));
        let level = Span::from_micros(plays) - floor;
        let target = Span::from_micros(goal) - floor;
        self.stats.delay = level;
        self.stats.target = target;
        self.stats.drift = self.network.drift();
        let excess = (plays - goal) * i64::from(self.rate.hz()) / 1_000_000;
        let fill = i64::from(BALANCED_PERCENT) * level.as_micros().max(0) / target.as_micros().max(1_000);
        if excess <= 0 || self.excess_since.is_none() {
            self.excess_since = (excess > 0).then_some(now);
        }
        let patient = self.excess_since.is_none_or(|at| now.since(at) < Span::from_millis(PATIENCE_MS))
            && self.network.fell_at().is_none_or(|at| now.since(at) > Span::from_millis(FOLLOW_MS));
        // Few changes of several periods are heard less than many of one.
        let worth = (self.rate.frames_in_ms(WORTH_MS) as i64).min(excess.abs()) as f32;
        let may = self.allowance.frames >= worth && self.allowance.resting == 0;
        let allowance = if may && !(excess > 0 && patient) { self.allowance.frames as usize } else { 0 };
        Some(Level {
            excess: excess.clamp(-48_000, 48_000) as i32,
            fill_percent: fill.clamp(0, 1_000) as u32,
            allowance,
            least: self.rate.frames_in_ms(LEAST_MS),
        })
    }

    /// The grid point around `wanted` that costs the least; the one that was chosen before stays unless another
    /// is cheaper by more than a trifle. All in microseconds of transit.
    fn goal_on_grid(&self, wanted: i64, at_tick: i64, floor: Span) -> i64 {
        let packet = self.rate.span_of(self.packet_frames);
        let least = (floor + self.settings.min_delay.max(packet)).as_micros();
        let price = |goal: i64| self.network.price(Span::from_micros(goal) - floor - packet);
        let upper = wanted + (at_tick - wanted).rem_euclid(TICK_US);
        let lower = upper - TICK_US;
        let best = if lower >= least && price(lower) < price(upper) { lower } else { upper };
        let Some(old) = self.goal else { return best };
        // The grid slides with the clocks; the old goal is the grid point next to it now.
        let near = old.as_micros() + TICK_US / 2;
        let old = near - (near - at_tick).rem_euclid(TICK_US);
        let most = (floor + self.settings.max_delay).as_micros();
        if (least..=most).contains(&old) && price(old) < price(best) + TRIFLE_MS && !self.network.rises() {
            old
        } else {
            best
        }
    }

    fn squeeze(&mut self, tick: usize, pause: usize, speech: usize) {
        self.look_ahead(self.rate.frames_in_ms(BLOCK_MS));
        let background = self.concealer.background_rms();
        let room = self.timeline.pending().saturating_sub(tick);
        let (_, block) = self.timeline.halves();
        let squeezed = {
            let limits = Limits { pause: pause.min(room), speech: speech.min(room) };
            self.warper.squeeze(block, limits, background)
        };
        if squeezed.removed > 0 {
            self.timeline.cut(squeezed.removed);
            self.stats.squeezed_frames += squeezed.removed as u64;
            self.account(squeezed.texture, squeezed.removed);
        }
    }

    fn stretch(&mut self, pause: usize, speech: usize) {
        let background = self.concealer.background_rms();
        let room = self.timeline.grow(self.extra.len()).1.len();
        let (_, block) = self.timeline.halves();
        let frames = block.len();
        let stretched = {
            let Some(to) = self.fresh.get_mut(..frames + room) else { return };
            self.warper.stretch(block, to, Limits { pause, speech }, background)
        };
        if stretched.added > 0 {
            self.timeline.cut(frames);
            let longer = frames + stretched.added;
            let (_, to) = self.timeline.grow(longer);
            if let Some(from) = self.fresh.get(..to.len()) {
                to.copy_from_slice(from);
            }
            self.timeline.commit(longer);
            self.stats.stretched_frames += stretched.added as u64;
            self.account(stretched.texture, stretched.added);
        }
    }

    fn account(&mut self, texture: Texture, frames: usize) {
        self.stats.warps += 1;
        if texture != Texture::Pause {
            self.stats.hurried_frames += self.allowance.spend(frames, self.rate) as u64;
        }
    }

    /// Decodes what follows without a hole until `frames` are pending: a change needs a stretch of sound to
    /// choose from.
    fn look_ahead(&mut self, frames: usize) {
        while self.timeline.pending() < frames {
            match self.store.first() {
                Some(first) if first.duration > 0 && first.media == self.cursor => self.play_next(),
                _ => return,
            }
        }
    }
}
