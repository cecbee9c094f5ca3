//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! The packets that have come and are not played yet, in the order in which they were sent. This is the
//! call's one buffer: the player pulls from it, and nothing queues behind it.

use crate::packet::PacketKind;
use heapless::Vec;
use offhook_units::ExtSeq;

/// More than `max_delay` of 10 ms packets. A burst beyond it pushes the oldest out.
pub(crate) const SLOTS: usize = 64;

/// A packet in the store, without its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) seq: ExtSeq,
    /// First sample on the sequencer's axis, in frames of the call's sample rate.
    pub(crate) media: i64,
    /// Frames it will decode to; 0 for a packet without audio.
    pub(crate) duration: i64,
    pub(crate) kind: PacketKind,
    slot: u8,
    len: u16,
}

/// What became of a packet that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Kept,
    /// It is kept; the oldest one had to go for it.
    KeptForOldest,
    /// Longer than a slot.
    TooLong,
}

#[derive(Debug)]
pub(crate) struct PacketStore {
    entries: Vec<Entry, SLOTS>,
    free: Vec<u8, SLOTS>,
    bytes: Box<[u8]>,
    slot_bytes: usize,
}

impl PacketStore {
    /// A store for payloads of at most `slot_bytes`.
    // start-up: the memory of the whole call is made here.
    pub(crate) fn new(slot_bytes: usize) -> Self {
        let mut free = Vec::new();
        for slot in 0..SLOTS as u8 {
            let _ = free.push(slot);
        }
        Self { entries: Vec::new(), free, bytes: vec![0; slot_bytes * SLOTS].into_boxed_slice(), slot_bytes }
    }

    /// Keeps a packet at its place. A number that is already here does not come: the sequencer sees to it.
    pub(crate) fn insert(
        &mut self,
        seq: ExtSeq,
        media: i64,
        duration: i64,
        kind: PacketKind,
        payload: &[u8],
    ) -> Stored {
        if payload.len() > self.slot_bytes {
            return Stored::TooLong;
        }
        let mut stored = Stored::Kept;
        if self.free.is_empty() {
            self.drop_first();
            stored = Stored::KeptForOldest;
        }
        let Some(slot) = self.free.pop() else { return Stored::TooLong };
        let start = usize::from(slot) * self.slot_bytes;
        if let Some(to) = self.bytes.get_mut(start..start + payload.len()) {
            to.copy_from_slice(payload);
        }
        let entry = Entry { seq, media, duration, kind, slot, len: payload.len() as u16 };
        let at = self.entries.iter().rposition(|e| e.seq < seq).map_or(0, |i| i + 1);
        let _ = self.entries.insert(at, entry);
        stored
    }

    /// The packet to be played next.
    pub(crate) fn first(&self) -> Option<&Entry> {
        self.entries.first()
    }

    /// The newest packet.
    pub(crate) fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn payload(&self, entry: &Entry) -> &[u8] {
        let start = usize::from(entry.slot) * self.slot_bytes;
        self.bytes.get(start..start + usize::from(entry.len)).unwrap_or(&[])
    }

    /// Takes the first packet out. Its bytes stay readable until the next insert.
    pub(crate) fn drop_first(&mut self) -> Option<Entry> {
        if self.entries.is_empty() {
            return None;
        }
        let entry = self.entries.remove(0);
        let _ = self.free.push(entry.slot);
        Some(entry)
    }
}
