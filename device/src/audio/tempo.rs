//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! The speed of the device's own voice (C2): slower by whole pitch periods where little is left to play, faster again
//! once there is plenty, until what was lost is caught up; never by more than a share of the time that was played.

use offhook_engine::sound::{Limits, Warper};
use offhook_units::SampleRate;
use ringbuf::HeapCons;
use ringbuf::traits::{Consumer as _, Observer as _};

/// A change is made in a block of so much: two periods of the deepest voice.
const BLOCK_MS: u32 = 60;
/// The most that one change adds.
const GROWTH_MS: u32 = 20;
/// With less than this share of the ring left the voice is slowed, and with more than the other it may catch up.
const LOW_PERCENT: usize = 20;
const HIGH_PERCENT: usize = 80;
/// So much of the allowance is kept at most: a long calm does not buy a burst.
const SAVED_MS: u32 = 20;

/// The speed of one call's voice.
#[derive(Debug)]
pub(super) struct Tempo {
    warper: Warper,
    most: f32,
    saved: f32,
    /// Frames by which speech may be changed now.
    allowance: f32,
    /// Frames that were put in and not taken out again, in this turn.
    owed: usize,
    block: Box<[i16]>,
    changed: Box<[i16]>,
    /// What of `changed` is left to play: from here to there.
    at: usize,
    end: usize,
    /// Samples of the ring that `changed` was made of.
    from: usize,
}

impl Tempo {
    /// For sound at `rate`, whose speed may not leave 1 yet.
    // start-up: the buffers of the whole call.
    pub(super) fn new(rate: SampleRate) -> Self {
        let (block, growth) = (rate.frames_in_ms(BLOCK_MS), rate.frames_in_ms(GROWTH_MS));
        Self {
            warper: Warper::new(rate),
            most: 0.0,
            saved: rate.frames_in_ms(SAVED_MS) as f32,
            allowance: 0.0,
            owed: 0,
            block: vec![0; block].into(),
            changed: vec![0; block + growth].into(),
            at: 0,
            end: 0,
            from: 0,
        }
    }

    /// The speed may leave 1 by this fraction.
    pub(super) const fn tune(&mut self, most: f32) {
        self.most = most;
    }

    /// A turn begins: nothing is owed.
    pub(super) const fn begin(&mut self) {
        self.owed = 0;
    }

    /// Samples of the ring that were changed and are not played yet.
    pub(super) fn left(&self) -> usize {
        self.from - self.stands_for(self.at).min(self.from)
    }

    /// What was changed and not played is thrown away; gives how many of the ring's samples that were.
    pub(super) fn clear(&mut self) -> usize {
        let left = self.left();
        (self.at, self.end, self.from, self.owed) = (0, 0, 0, 0);
        left
    }

    /// So many samples were played as they are.
    pub(super) fn played(&mut self, frames: usize) {
        self.allowance = (self.allowance + frames as f32 * self.most).min(self.saved);
    }

    /// The next samples of what was changed: how many, and how many of the ring's they stand for.
    pub(super) fn take(&mut self, out: &mut [i16]) -> (usize, usize) {
        let left = self.changed.get(self.at..self.end).unwrap_or_default();
        let count = left.len().min(out.len());
        for (to, from) in out.iter_mut().zip(left) {
            *to = *from;
        }
        let before = self.stands_for(self.at);
        self.at += count;
        let played = self.stands_for(self.at) - before;
        self.played(count);
        (count, played)
    }

    /// The first `at` samples of `changed`, in samples of the ring.
    fn stands_for(&self, at: usize) -> usize {
        (at * self.from).checked_div(self.end).unwrap_or(0)
    }

    /// Changes the length of the next block of the ring, of which `there` samples may be taken, if that is due; then
    /// [`Tempo::take`] has it. `ends` says that the turn's end is in sight: then nothing is to be slowed down for.
    pub(super) fn change(&mut self, ring: &mut HeapCons<i16>, there: usize, ends: bool) -> bool {
        let (fill, room) = (ring.occupied_len() * 100, ring.capacity().get().max(1));
        let slower = !ends && fill < LOW_PERCENT * room;
        let faster = self.owed > 0 && fill > HIGH_PERCENT * room;
        let limit = self.allowance as usize;
        if there < self.block.len() || limit == 0 || !(slower || faster) {
            return false;
        }
        let limit = if faster { limit.min(self.owed) } else { limit };
        let limits = Limits { pause: limit, speech: limit };
        // The device's own voice has no background.
        let got = ring.peek_slice(&mut self.block);
        let Some(block) = self.block.get_mut(..got) else { return false };
        let (length, change) = if slower {
            let added = self.warper.stretch(block, &mut self.changed, limits, 0.0).added;
            self.owed += added;
            (got + added, added)
        } else {
            let removed = self.warper.squeeze(block, limits, 0.0).removed;
            self.owed -= removed.min(self.owed);
            let length = got - removed.min(got);
            for (to, from) in self.changed.iter_mut().zip(block.iter().take(length)) {
                *to = *from;
            }
            (length, removed)
        };
        if change == 0 {
            return false;
        }
        let _skipped = ring.skip(got);
        self.allowance = (self.allowance - change as f32).max(0.0);
        (self.at, self.end, self.from) = (0, length, got);
        true
    }
}
