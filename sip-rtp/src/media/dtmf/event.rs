//! The payload of telephone-event packets (RFC 4733 2.3).

use offhook_units::RtpTime;

/// Bytes of one event block.
const BLOCK: usize = 4;
const END_BIT: u8 = 0x80;
const VOLUME: u8 = 0x3F;

/// One report on one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventBlock {
    /// Event code; 0 to 15 are the keys.
    pub event: u8,
    /// The event is over; `duration` is final.
    pub end: bool,
    /// Power below 0 dBm0 in decibels, 0 to 63.
    pub volume_db_below: u8,
    /// How long the event has lasted so far, in the units of the RTP clock.
    pub duration: u16,
}

impl EventBlock {
    /// The four bytes on the wire. The reserved bit stays zero.
    pub const fn to_bytes(self) -> [u8; BLOCK] {
        let [high, low] = self.duration.to_be_bytes();
        let end = if self.end { END_BIT } else { 0 };
        [self.event, end | (self.volume_db_below & VOLUME), high, low]
    }

    /// Reads four bytes from the wire; the reserved bit is ignored, as RFC 4733 2.3.3 asks.
    pub const fn from_bytes([event, flags, high, low]: [u8; BLOCK]) -> Self {
        Self {
            event,
            end: flags & END_BIT != 0,
            volume_db_below: flags & VOLUME,
            duration: u16::from_be_bytes([high, low]),
        }
    }
}

/// A telephone-event payload: one event block, or several that follow each other in time (RFC 4733 2.5.1).
#[derive(Clone, Copy, Debug)]
pub struct EventPayload<'a>(&'a [u8]);

impl<'a> EventPayload<'a> {
    /// Blocks that are looked at. A packet of 50 ms cannot hold more than a few real events.
    const MOST_BLOCKS: usize = 8;

    /// The payload, when it holds at least one whole block. Odd bytes at its end are ignored.
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        (payload.len() >= BLOCK).then_some(Self(payload))
    }

    /// Each block with the time at which its event began: the packet's time for the first, and for each
    /// other one the end of the block before it.
    pub fn blocks(self, packet_time: RtpTime) -> impl Iterator<Item = (RtpTime, EventBlock)> + use<'a> {
        let (blocks, _) = self.0.as_chunks::<BLOCK>();
        blocks.iter().take(Self::MOST_BLOCKS).scan(packet_time, |next, &bytes| {
            let block = EventBlock::from_bytes(bytes);
            let start = *next;
            *next = RtpTime(start.0.wrapping_add(u32::from(block.duration)));
            Some((start, block))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_laid_out_as_the_rfc_draws_it() {
        let block = EventBlock { event: 11, end: true, volume_db_below: 10, duration: 0x0320 };
        assert_eq!(block.to_bytes(), [11, 0x8A, 0x03, 0x20]);
        assert_eq!(EventBlock::from_bytes([11, 0xCA, 0x03, 0x20]), block, "the reserved bit says nothing");
    }

    #[test]
    fn less_than_a_block_is_no_payload() {
        for length in 0..4 {
            assert!(EventPayload::parse(&[1, 0x0A, 0][..length.min(3)]).is_none());
        }
    }

    #[test]
    fn blocks_follow_each_other_in_time() {
        let payload = [1, 0x8A, 0, 200, 2, 0x0A, 0, 100, 99];
        let starts: Vec<_> = EventPayload::parse(&payload)
            .unwrap()
            .blocks(RtpTime(u32::MAX - 99))
            .map(|(start, block)| (start.0, block.event))
            .collect();
        assert_eq!(starts, [(u32::MAX - 99, 1), (100, 2)]);
    }

    #[test]
    fn a_huge_packet_is_not_read_to_its_end() {
        let payload = [5, 0x0A, 0, 160].repeat(100);
        assert_eq!(EventPayload::parse(&payload).unwrap().blocks(RtpTime(0)).count(), 8);
    }
}
