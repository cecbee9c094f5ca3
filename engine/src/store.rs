//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! The packets that have come and are not played yet, in the order in which they were sent. This is the
//! call's one buffer: the player pulls from it, and nothing queues behind it.

use crate::packet::PacketKind;
use heapless::Vec;
use offhook_units::{Codec, ExtSeq};

/// Packets that are kept at most. A burst beyond it pushes the oldest out.
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
    start: usize,
    len: usize,
}

impl Entry {
    /// Whether its sender falls silent with it (Opus DTX): what need not be sent has 2 bytes at the most
    /// (opus_encode's own words), and a decoder makes faint noise of it.
    pub(crate) const fn says_no_more(&self) -> bool {
        matches!(self.kind, PacketKind::Voice(Codec::Opus)) && self.len <= 2
    }
}

/// What became of a packet that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Kept,
    /// It is kept; so many of the oldest ones had to go for it.
    KeptForOldest(u64),
    /// Longer than any packet of the codec.
    TooLong,
}

/// Payloads lie one behind the other in the order in which they came; where the end is reached, those that are
/// still wanted move to the front.
#[derive(Debug)]
pub(crate) struct PacketStore {
    entries: Vec<Entry, SLOTS>,
    bytes: Box<[u8]>,
    /// Behind the payload that came last.
    end: usize,
    longest: usize,
}

impl PacketStore {
    /// A store for payloads of at most `longest` bytes each and `bytes` in all.
    // start-up: the memory of the whole call is made here.
    pub(crate) fn new(longest: usize, bytes: usize) -> Self {
        Self { entries: Vec::new(), bytes: vec![0; bytes.max(longest)].into_boxed_slice(), end: 0, longest }
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
        let len = payload.len();
        if len > self.longest {
            return Stored::TooLong;
        }
        let mut gone = 0;
        while self.entries.is_full() || self.wanted() + len > self.bytes.len() {
            self.drop_first();
            gone += 1;
        }
        if self.end + len > self.bytes.len() {
            self.compact();
        }
        let start = self.end;
        if let Some(to) = self.bytes.get_mut(start..start + len) {
            to.copy_from_slice(payload);
        }
        self.end += len;
        let at = self.entries.iter().rposition(|e| e.seq < seq).map_or(0, |i| i + 1);
        let _ = self.entries.insert(at, Entry { seq, media, duration, kind, start, len });
        if gone > 0 { Stored::KeptForOldest(gone) } else { Stored::Kept }
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
        self.bytes.get(entry.start..entry.start + entry.len).unwrap_or(&[])
    }

    /// Takes the first packet out. Its bytes stay readable until the next insert.
    pub(crate) fn drop_first(&mut self) -> Option<Entry> {
        if self.entries.is_empty() {
            return None;
        }
        Some(self.entries.remove(0))
    }

    /// Bytes of the packets that are here.
    fn wanted(&self) -> usize {
        self.entries.iter().map(|entry| entry.len).sum()
    }

    /// Moves what is wanted to the front, in the order in which it lies.
    fn compact(&mut self) {
        let (mut from, mut end) = (0, 0);
        while let Some(next) =
            self.entries.iter_mut().filter(|e| e.len > 0 && e.start >= from).min_by_key(|e| e.start)
        {
            from = next.start + next.len;
            self.bytes.copy_within(next.start..from, end);
            next.start = end;
            end += next.len;
        }
        self.end = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: PacketKind = PacketKind::Voice(Codec::Pcmu);

    fn payload(n: u64) -> std::vec::Vec<u8> {
        vec![n as u8; (n * 7 % 40) as usize]
    }

    #[test]
    fn payloads_keep_their_bytes_while_others_come_and_go() {
        let mut store = PacketStore::new(40, 400);
        for n in 0..2_000u64 {
            // Each second pair in the wrong order.
            let seq = if n / 2 % 2 == 0 { n } else { n ^ 1 };
            assert_eq!(store.insert(ExtSeq(seq), 0, 160, KIND, &payload(seq)), Stored::Kept, "{n}");
            if n >= 9 {
                let first = store.drop_first().expect("there are ten");
                assert_eq!(store.payload(&first), payload(first.seq.0), "{n}");
            }
            for entry in &store.entries {
                assert_eq!(store.payload(entry), payload(entry.seq.0), "{n}");
            }
        }
    }

    #[test]
    fn the_oldest_make_room_by_number_and_by_bytes() {
        let mut store = PacketStore::new(40, 4_000);
        for n in 0..SLOTS as u64 {
            assert_eq!(store.insert(ExtSeq(n), 0, 160, KIND, &[]), Stored::Kept);
        }
        assert_eq!(store.insert(ExtSeq(64), 0, 160, KIND, &[]), Stored::KeptForOldest(1));
        let mut store = PacketStore::new(40, 80);
        for n in 0..4 {
            store.insert(ExtSeq(n), 0, 160, KIND, &[n as u8; 20]);
        }
        assert_eq!(store.insert(ExtSeq(4), 0, 160, KIND, &[4; 40]), Stored::KeptForOldest(2));
        let bytes: std::vec::Vec<u8> = store.entries.iter().flat_map(|e| store.payload(e)).copied().collect();
        assert_eq!(bytes, [[2; 20].as_slice(), &[3; 20], &[4; 40]].concat());
        assert_eq!(store.insert(ExtSeq(5), 0, 160, KIND, &[5; 41]), Stored::TooLong);
    }
}
