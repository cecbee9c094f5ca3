//! Real-time: no allocation, no lock, no syscall, no panic, no log.
//!
//! The operations: each moves the timeline's end, and the cursor with it.

use super::Playout;
use crate::{decide::Mode, packet::PacketKind, sound::ComfortNoise, store::Entry};
use offhook_units::{Moment, Span};

impl Playout {
    /// Decodes the first packet into `fresh`; frames that it gave, or `None` where it would not decode.
    fn decode_first(&mut self) -> Option<(Entry, usize)> {
        let entry = self.store.drop_first()?;
        if let Some(last) = self.last_seq {
            self.stats.missing += entry.seq.0.saturating_sub(last.0 + 1);
        }
        self.last_seq = Some(entry.seq);
        self.stats.played += 1;
        let payload = self.store.payload(&entry);
        let PacketKind::Voice(codec) = entry.kind else { return None };
        let decoded = self.decoders.of_mut(codec).map(|d| d.decode(payload, &mut self.fresh));
        let frames = match decoded {
            Some(Ok(frames)) => frames,
            _ => {
                self.stats.undecodable += 1;
                return None;
            }
        };
        Some((entry, frames))
    }

    /// Puts what was decoded at the timeline's end.
    fn append(&mut self, entry: &Entry, frames: usize) {
        let (_, to) = self.timeline.grow(frames);
        let frames = to.len();
        if let Some(from) = self.fresh.get(..frames) {
            to.copy_from_slice(from);
            self.concealer.listen(from);
        }
        self.timeline.commit(frames);
        self.stats.voice_frames += frames as u64;
        self.cursor = entry.media + frames as i64;
        self.mode = Mode::Voice;
    }

    pub(super) fn play_next(&mut self) {
        let Some((entry, frames)) = self.decode_first() else { return };
        self.append(&entry, frames);
        if entry.says_no_more() {
            self.room = None;
            self.mode = Mode::Quiet;
        }
    }

    /// Fills the hole before the first packet from both sides, then plays it. What is not heard in this tick is
    /// written in the ticks to come: a bridge is the dearest thing there is. Where that packet carries a copy
    /// of the one before it (Opus FEC), only the hole before the copy is left to be guessed.
    pub(super) fn bridge(&mut self, hole: usize) {
        let copied = self.rescue(hole);
        let Some((entry, frames)) = self.decode_first() else { return };
        let missing = self.tick_frames().saturating_sub(self.timeline.pending());
        let (past, gap) = self.timeline.grow(hole);
        let filled = gap.len();
        let (guessed, rescued) = gap.split_at_mut(filled.saturating_sub(copied));
        let copy = self.rescued.get(..rescued.len()).unwrap_or(&[]);
        rescued.copy_from_slice(copy);
        let future = if copied > 0 { copy } else { self.fresh.get(..frames).unwrap_or(&[]) };
        let (heard, later) = guessed.split_at_mut(missing.min(guessed.len()));
        self.concealer.bridge(past, heard, later.len(), future);
        self.stats.bridged_frames += (heard.len() + later.len()) as u64;
        self.stats.recovered_frames += rescued.len() as u64;
        let (heard, later) = (heard.len(), later.len());
        self.timeline.owe(heard, later);
        self.timeline.commit(filled);
        self.append(&entry, frames);
    }

    /// Decodes the copy of a lost packet that the first one in the store carries; frames that it gave.
    fn rescue(&mut self, hole: usize) -> usize {
        let Some(first) = self.store.first() else { return 0 };
        let PacketKind::Voice(codec) = first.kind else { return 0 };
        let wanted = hole.min(first.duration.unsigned_abs() as usize).min(self.rescued.len());
        let payload = self.store.payload(first);
        let Some(room) = self.rescued.get_mut(..wanted) else { return 0 };
        self.decoders.of_mut(codec).and_then(|d| d.recover(payload, room)).unwrap_or(0).min(wanted)
    }

    /// Leads from the guess over into the first packet. Where that packet is overdue it is either played in
    /// full, later than planned, or joined in its middle (see [`Self::waits_for`]).
    pub(super) fn rejoin(&mut self, now: Moment) {
        let Some(first) = self.store.first() else { return };
        let overdue = self.cursor - first.media;
        // Nothing is waited for beyond the cap.
        let floor = self.network.floor_under_cap(self.settings.max_delay).unwrap_or_default();
        let transit = Span::from_micros(now.as_micros() as i64)
            + self.rate.span_of(self.timeline.pending() as i64 - first.media);
        let over = transit - floor - self.settings.max_delay;
        let over = over.as_micros() * i64::from(self.rate.hz()) / 1_000_000;
        let mut skip = over.max(0).min(overdue.max(0));
        if overdue > 0 {
            if self.waits_for(now, overdue) {
                self.hold_until = now + Span::from_millis(self.tariff.hold_ms as i64);
            } else {
                skip = overdue;
            }
            self.missed_at = Some(now);
        }
        if skip >= first.duration {
            let counter = if skip > over { &mut self.stats.late } else { &mut self.stats.overrun };
            *counter += 1;
            self.last_seq = self.store.drop_first().map(|entry| entry.seq).or(self.last_seq);
            return;
        }
        let Some((entry, frames)) = self.decode_first() else { return };
        let skip = skip as usize;
        let (past, _) = self.timeline.grow(0);
        let Some(fresh) = self.fresh.get_mut(skip..frames) else { return };
        let room = if overdue > 0 && skip == 0 { self.extra.len() } else { 0 };
        let Some(extra) = self.extra.get_mut(..room) else { return };
        // Opens the hole where nothing was guessed yet (after a trim).
        self.concealer.extrapolate(past, &mut []);
        let ran_on = self.concealer.rejoin(extra, fresh);
        let (_, to) = self.timeline.grow(ran_on);
        let ran_on = to.len();
        if let Some(from) = self.extra.get(..ran_on) {
            to.copy_from_slice(from);
        }
        self.timeline.commit(ran_on);
        self.stats.extrapolated_frames += ran_on as u64;
        self.fresh.copy_within(skip..frames, 0);
        self.append(&entry, frames - skip);
        self.cursor = entry.media + frames as i64;
    }

    /// Whether the voice has stood still for a packet that came `overdue` frames too late, or went on without
    /// it. A lone packet that is a little late is not worth a new delay; a row of them, or a long wait, is.
    fn waits_for(&self, now: Moment, overdue: i64) -> bool {
        let again = self.missed_at.is_some_and(|at| now.since(at) < Span::from_millis(300));
        again || self.rate.span_of(overdue).as_millis_f32() > self.tariff.skip_ms
    }

    pub(super) fn extrapolate(&mut self, frames: usize) {
        let frames = self.decoders.of(self.codec).map_or(frames, |d| frames.next_multiple_of(d.grain()));
        let (past, to) = self.timeline.grow(frames);
        let frames = to.len();
        // A codec with a memory of its own knows better how its voice goes on.
        let own = self.decoders.of_mut(self.codec).and_then(|d| d.conceal(to)).unwrap_or(0);
        let (_, rest) = to.split_at_mut(own.min(frames));
        if !rest.is_empty() {
            self.concealer.extrapolate(past, rest);
        }
        self.timeline.commit(frames);
        self.cursor += frames as i64;
        self.stats.extrapolated_frames += frames as u64;
        self.mode = match self.mode {
            Mode::Hole(so_far) => Mode::Hole(so_far + frames),
            _ => {
                self.stats.underruns += 1;
                Mode::Hole(frames)
            }
        };
    }

    /// The sender announced silence, or a key press that takes the place of sound.
    pub(super) fn rest(&mut self) {
        let Some(entry) = self.store.drop_first() else { return };
        self.last_seq = Some(entry.seq);
        self.stats.played += 1;
        self.room = match entry.kind {
            PacketKind::ComfortNoise => ComfortNoise::parse(self.store.payload(&entry)),
            _ => None,
        };
        self.mode = Mode::Quiet;
    }

    pub(super) fn noise(&mut self, frames: usize) {
        let (_, to) = self.timeline.grow(frames);
        let frames = to.len();
        self.concealer.noise(self.room, to);
        self.timeline.commit(frames);
        self.cursor += frames as i64;
        self.stats.noise_frames += frames as u64;
        self.mode = Mode::Quiet;
    }

    pub(super) fn silence(&mut self, frames: usize) {
        let (_, to) = self.timeline.grow(frames);
        let frames = to.len();
        to.fill(0);
        self.timeline.commit(frames);
        self.stats.silent_frames += frames as u64;
    }
}
