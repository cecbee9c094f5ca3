//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! The samples of one call around this instant: what was just played (concealment continues it) and what
//! comes next, side by side in one piece of memory so that both are plain slices.

use std::ops::Range;

/// ```text
///  ┌──────── history ────────┬───── pending ─────┬── free ──┐
///  0                       played               end
/// ```
/// A part of what is pending may be *owed*: it has its place, and is written shortly before it is played.
#[derive(Debug)]
pub(crate) struct Timeline {
    samples: Box<[i16]>,
    /// Frames of history that are kept.
    keep: usize,
    played: usize,
    end: usize,
    owed: Range<usize>,
}

impl Timeline {
    /// Keeps `history` frames and has room for `ahead` more.
    // start-up: the memory of the whole call is made here.
    pub(crate) fn new(history: usize, ahead: usize) -> Self {
        // Twice the history, so that samples are moved once in a while and not at each tick.
        let samples = vec![0; 2 * history + ahead].into_boxed_slice();
        Self { samples, keep: history, played: history, end: history, owed: 0..0 }
    }

    /// Frames that wait to be played.
    pub(crate) fn pending(&self) -> usize {
        self.end - self.played
    }

    /// History and pending apart.
    pub(crate) fn halves(&mut self) -> (&[i16], &mut [i16]) {
        let from = self.played.saturating_sub(self.keep);
        let (history, ahead) = self.samples.split_at_mut(self.played);
        let pending = self.end - self.played;
        (history.get(from..).unwrap_or(&[]), ahead.get_mut(..pending).unwrap_or_default())
    }

    /// The past, and `frames` of room behind it to be written; fewer where the room ends. What is written
    /// counts once [`Self::commit`] says so.
    pub(crate) fn grow(&mut self, frames: usize) -> (&[i16], &mut [i16]) {
        if self.end + frames > self.samples.len() {
            self.compact();
        }
        let from = self.end.saturating_sub(self.keep);
        let (past, room) = self.samples.split_at_mut(self.end);
        let frames = frames.min(room.len());
        (past.get(from..).unwrap_or(&[]), room.get_mut(..frames).unwrap_or_default())
    }

    /// The first `frames` of what was written behind the end are real from now on.
    pub(crate) fn commit(&mut self, frames: usize) {
        self.end = (self.end + frames).min(self.samples.len());
    }

    /// Of what is committed next, `frames` behind the first `written` are owed.
    pub(crate) fn owe(&mut self, written: usize, frames: usize) {
        let from = self.end + written;
        self.owed = from..from + frames;
    }

    /// Whether anything is owed.
    pub(crate) fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// What is owed of the next `frames`, to be written now.
    pub(crate) fn due(&mut self, frames: usize) -> &mut [i16] {
        let from = self.owed.start;
        let to = self.owed.end.min(self.played + frames).max(from);
        self.owed.start = to;
        self.samples.get_mut(from..to).unwrap_or_default()
    }

    /// Takes `frames` away from the end of what is pending.
    pub(crate) fn cut(&mut self, frames: usize) {
        self.end = self.end.saturating_sub(frames).max(self.played);
    }

    /// Plays `out.len()` frames; silence where there are too few, which the caller has seen to.
    pub(crate) fn play(&mut self, out: &mut [i16]) {
        let frames = out.len().min(self.pending());
        let (head, tail) = out.split_at_mut(frames);
        if let Some(from) = self.samples.get(self.played..self.played + frames) {
            head.copy_from_slice(from);
        }
        tail.fill(0);
        self.played += frames;
    }

    fn compact(&mut self) {
        let from = self.played.saturating_sub(self.keep);
        if from == 0 {
            return;
        }
        self.samples.copy_within(from..self.end, 0);
        self.played -= from;
        self.end -= from;
        self.owed = self.owed.start.saturating_sub(from)..self.owed.end.saturating_sub(from);
    }
}
