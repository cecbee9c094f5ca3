//! Telephone events in: many packets, some lost, doubled or out of order, become one press and one release
//! of each key.
//!
//! A press is told apart from its repetitions by its start time and code (RFC 4733 2.5.2), and late packets
//! by their sequence number. Three habits of senders in the field are allowed for: the end that never comes,
//! the key held for longer than a 16-bit duration (RFC 4733 2.5.1 cuts it into segments), and timestamps
//! that creep within one press, although they must not.

use super::{Digit, EventBlock, EventPayload};
use crate::media::packet::PacketView;
use heapless::Deque;
use offhook_units::{Moment, RtpTime, SampleRate, SeqNo, Span, Ssrc};

/// What the caller's finger did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtmfEvent {
    /// A key went down.
    Pressed(Digit),
    /// It came up again, or nothing more was heard of it.
    Released {
        /// The key.
        digit: Digit,
        /// How long it was down, as far as its packets told.
        held: Span,
    },
}

/// What was received, and what of it told nothing new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DtmfCounters {
    /// Keys pressed.
    pub pressed: u64,
    /// Repetitions of reports that were already known.
    pub repeated: u64,
    /// Packets that came after newer ones.
    pub late: u64,
    /// Payloads shorter than an event block.
    pub malformed: u64,
    /// Events that are no keys (hook flash, modem tones).
    pub not_a_key: u64,
    /// Presses whose end was lost.
    pub end_lost: u64,
    /// Reports that were not fetched in time and are lost.
    pub overflowed: u64,
}

/// One press, as its latest report describes it.
#[derive(Clone, Copy, Debug)]
struct Press {
    digit: Digit,
    ssrc: Ssrc,
    /// Start of the current segment.
    start: RtpTime,
    /// Length of the segments before it.
    earlier: u64,
    duration: u16,
    seq: SeqNo,
    over: bool,
    last_heard: Moment,
}

/// Receives the telephone events of one call.
///
/// Order of calls: [`put`](Self::put) for each event packet, [`handle_timeout`](Self::handle_timeout) when
/// [`poll_timeout`](Self::poll_timeout) says so, and [`poll_output`](Self::poll_output) until `None` after either.
#[derive(Debug)]
pub struct DtmfReceiver {
    clock: SampleRate,
    press: Option<Press>,
    events: Deque<DtmfEvent, 16>,
    counters: DtmfCounters,
}

impl DtmfReceiver {
    /// Silence after which a press counts as over. Longer than the worst jitter that calls are kept up with
    /// (200 ms, J6), so that a late packet does not split a press.
    const END_LOST: Span = Span::from_millis(250);
    /// An old sequence number after so long is no late packet, but a source that counts anew.
    const NOT_LATE_ANY_MORE: Span = Span::from_millis(2_000);
    /// Largest hole between two reports of one press whose timestamps creep. Below the shortest pause
    /// between two presses of a key (40 ms, ITU-T Q.24).
    const CREEP_MS: u32 = 30;

    /// A receiver for events whose RTP clock runs at `clock`.
    pub const fn new(clock: SampleRate) -> Self {
        Self {
            clock,
            press: None,
            events: Deque::new(),
            counters: DtmfCounters {
                pressed: 0,
                repeated: 0,
                late: 0,
                malformed: 0,
                not_a_key: 0,
                end_lost: 0,
                overflowed: 0,
            },
        }
    }

    /// What was counted so far.
    pub const fn counters(&self) -> &DtmfCounters {
        &self.counters
    }

    /// Takes a packet of the payload type that the session gave to telephone events.
    pub fn put(&mut self, now: Moment, packet: &PacketView<'_>) {
        let Some(payload) = EventPayload::parse(packet.payload) else {
            self.counters.malformed += 1;
            return;
        };
        if self.is_late(now, packet) {
            self.counters.late += 1;
            return;
        }
        let mut marker = packet.marker;
        for (start, block) in payload.blocks(packet.time) {
            match Digit::from_event(block.event) {
                Some(digit) => self.take_block(now, packet, digit, start, block, marker),
                None => self.counters.not_a_key += 1,
            }
            marker = false;
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    pub fn poll_timeout(&self) -> Option<Moment> {
        self.press.filter(|press| !press.over).map(|press| press.last_heard + Self::END_LOST)
    }

    /// Ends a press of which nothing was heard for a while.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.poll_timeout().is_some_and(|due| now >= due) {
            self.counters.end_lost += 1;
            self.release();
        }
    }

    /// The next press or release.
    pub fn poll_output(&mut self) -> Option<DtmfEvent> {
        self.events.pop_front()
    }

    /// Older than what is known of the same source.
    fn is_late(&self, now: Moment, packet: &PacketView<'_>) -> bool {
        self.press.is_some_and(|press| {
            press.ssrc == packet.ssrc
                && packet.seq.ahead_of(press.seq) < 0
                && now.since(press.last_heard) < Self::NOT_LATE_ANY_MORE
        })
    }

    fn take_block(
        &mut self,
        now: Moment,
        packet: &PacketView<'_>,
        digit: Digit,
        start: RtpTime,
        block: EventBlock,
        marker: bool,
    ) {
        let creep = self.clock.frames_in_ms(Self::CREEP_MS) as i64;
        match self.press.as_mut().filter(|press| press.ssrc == packet.ssrc && press.digit == digit) {
            Some(press) if press.continues_at(start, marker, creep) => {
                press.seq = packet.seq;
                let news = press.absorb(start, block.duration);
                if press.over || !(news || block.end) {
                    self.counters.repeated += 1;
                }
                press.last_heard = now;
                if block.end && !press.over {
                    self.release();
                }
            }
            _ => self.begin(now, packet, digit, start, block),
        }
    }

    fn begin(
        &mut self,
        now: Moment,
        packet: &PacketView<'_>,
        digit: Digit,
        start: RtpTime,
        block: EventBlock,
    ) {
        if self.press.is_some_and(|press| !press.over) {
            self.counters.end_lost += 1;
            self.release();
        }
        self.counters.pressed += 1;
        self.tell(DtmfEvent::Pressed(digit));
        self.press = Some(Press {
            digit,
            ssrc: packet.ssrc,
            start,
            earlier: 0,
            duration: block.duration,
            seq: packet.seq,
            over: false,
            last_heard: now,
        });
        if block.end {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(press) = self.press.as_mut() {
            press.over = true;
            let frames = press.earlier.saturating_add(u64::from(press.duration));
            let held = self.clock.span_of(i64::try_from(frames).unwrap_or(i64::MAX));
            let digit = press.digit;
            self.tell(DtmfEvent::Released { digit, held });
        }
    }

    fn tell(&mut self, event: DtmfEvent) {
        if self.events.push_back(event).is_err() {
            self.counters.overflowed += 1;
        }
    }
}

impl Press {
    /// Whether a report of the same key that began at `start` belongs to this press.
    fn continues_at(&self, start: RtpTime, marker: bool, creep: i64) -> bool {
        let later = i64::from(start.ahead_of(self.start));
        let duration = i64::from(self.duration);
        if later == 0 {
            return true;
        }
        if marker || later < 0 {
            return false;
        }
        if self.over {
            // Repeated ends with creeping timestamps: still inside the press, where no other can begin.
            return later < duration;
        }
        let next_segment = later >= i64::from(u16::MAX) && later - i64::from(u16::MAX) <= creep;
        later <= duration + creep || next_segment
    }

    /// Takes over a report's duration; says whether it told anything new.
    fn absorb(&mut self, start: RtpTime, duration: u16) -> bool {
        let later = i64::from(start.ahead_of(self.start));
        if later > 0 && !self.over {
            self.earlier = self.earlier.saturating_add(later.unsigned_abs());
            self.start = start;
            self.duration = duration;
            return true;
        }
        let news = duration > self.duration;
        self.duration = self.duration.max(duration);
        news
    }
}

#[cfg(test)]
mod tests;
