//! Telephone events in: many packets, some lost, doubled or out of order, become one press and one release
//! of each key.
//!
//! A press is told apart from its repetitions by its start time and code (RFC 4733 2.5.2.1), and late packets
//! by their sequence number. Three habits of senders in the field are allowed for: the end that never comes,
//! the key held for longer than a 16-bit duration (RFC 4733 2.5.1.3 cuts it into segments), and timestamps
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
mod tests {
    use super::*;
    use offhook_units::PayloadType;

    /// A receiver on an 8 kHz clock and the sender's counters.
    struct Line {
        receiver: DtmfReceiver,
        now: Moment,
        seq: u16,
    }

    impl Line {
        fn new() -> Self {
            Self { receiver: DtmfReceiver::new(SampleRate::HZ_8000), now: Moment::ZERO, seq: 100 }
        }

        /// Sends the next packet, 20 ms after the one before.
        fn send(&mut self, start: u32, key: char, duration: u16, end: bool, marker: bool) {
            self.send_as(self.seq, start, key, duration, end, marker);
            self.seq = self.seq.wrapping_add(1);
        }

        fn send_as(&mut self, seq: u16, start: u32, key: char, duration: u16, end: bool, marker: bool) {
            let event = Digit::from_char(key).unwrap().event();
            let payload = EventBlock { event, end, volume_db_below: 10, duration }.to_bytes();
            let packet = PacketView {
                seq: SeqNo(seq),
                time: RtpTime(start),
                ssrc: Ssrc(1),
                payload_type: PayloadType::new(101).unwrap(),
                marker,
                payload: &payload,
            };
            self.now += Span::from_millis(20);
            self.receiver.put(self.now, &packet);
        }

        /// All that was told so far, as `5` for a press and `(100)` for a release after 100 ms.
        fn heard(&mut self) -> String {
            let mut text = String::new();
            while let Some(event) = self.receiver.poll_output() {
                match event {
                    DtmfEvent::Pressed(digit) => text.push(digit.as_char()),
                    DtmfEvent::Released { held, .. } => {
                        text.push_str(&format!("({})", held.as_micros() / 1000));
                    }
                }
            }
            text
        }

        fn wait(&mut self, ms: i64) {
            self.now += Span::from_millis(ms);
            self.receiver.handle_timeout(self.now);
        }
    }

    #[test]
    fn a_press_is_told_at_once_and_once() {
        let mut line = Line::new();
        line.send(1000, '5', 160, false, true);
        assert_eq!(line.heard(), "5");
        for n in 2..=4 {
            line.send(1000, '5', n * 160, false, false);
        }
        for _ in 0..3 {
            line.send(1000, '5', 800, true, false);
        }
        assert_eq!(line.heard(), "(100)");
        assert_eq!(line.receiver.counters().repeated, 2);
        assert_eq!(line.receiver.poll_timeout(), None);
    }

    #[test]
    fn one_surviving_end_packet_is_enough() {
        let mut line = Line::new();
        line.send(1000, '#', 800, true, false);
        line.send(1000, '#', 800, true, false);
        assert_eq!(line.heard(), "#(100)");
    }

    #[test]
    fn a_lost_end_is_noticed_and_a_straggler_does_not_press_again() {
        let mut line = Line::new();
        line.send(1000, '1', 160, false, true);
        line.send(1000, '1', 320, false, false);
        line.wait(249);
        assert_eq!(line.heard(), "1");
        line.wait(1);
        assert_eq!(line.heard(), "(40)");
        line.send(1000, '1', 800, true, false);
        assert_eq!(line.heard(), "");
        assert_eq!(line.receiver.counters().end_lost, 1);
    }

    #[test]
    fn the_next_key_ends_one_whose_end_was_lost() {
        let mut line = Line::new();
        line.send(1000, '1', 480, false, true);
        line.send(2600, '1', 160, false, true);
        line.send(4200, '2', 160, false, true);
        assert_eq!(line.heard(), "1(60)1(20)2");
    }

    #[test]
    fn the_same_key_twice_is_two_presses_even_when_the_mark_was_lost() {
        let mut line = Line::new();
        line.send(1000, '7', 800, true, false);
        line.send(2600, '7', 320, false, false);
        line.send(2600, '7', 800, true, false);
        assert_eq!(line.heard(), "7(100)7(100)");
    }

    #[test]
    fn late_packets_of_an_older_press_say_nothing() {
        let mut line = Line::new();
        line.send_as(10, 1000, '1', 800, true, false);
        line.send_as(13, 2600, '2', 160, false, true);
        line.send_as(11, 1000, '1', 800, true, false);
        line.send_as(12, 1000, '1', 800, true, false);
        line.send_as(14, 2600, '2', 800, true, false);
        assert_eq!(line.heard(), "1(100)2(100)");
        assert_eq!(line.receiver.counters().late, 2);
    }

    #[test]
    fn a_key_held_for_long_is_one_press_in_segments() {
        let mut line = Line::new();
        line.send(0, '0', 160, false, true);
        line.send(0, '0', 65_440, false, false);
        line.send(0, '0', 65_535, false, false);
        line.send(65_535, '0', 65, false, false);
        line.send(65_535, '0', 65_535, false, false);
        line.send(131_070, '0', 8_930, true, false);
        assert_eq!(line.heard(), "0(17500)", "140,000 frames at 8 kHz");
    }

    #[test]
    fn timestamps_that_creep_do_not_repeat_the_key() {
        let mut line = Line::new();
        for n in 1..=5 {
            line.send(1000 + 160 * (n - 1), '3', 160 * n as u16, false, n == 1);
        }
        for n in 0..3 {
            line.send(1800 + 160 * n, '3', 800, true, false);
        }
        let heard = line.heard();
        assert_eq!(heard.matches('3').count(), 1, "{heard}");
    }

    #[test]
    fn a_source_that_counts_anew_is_heard_again() {
        let mut line = Line::new();
        line.send_as(40_000, 900_000, '1', 800, true, false);
        line.wait(3_000);
        line.send_as(10, 160, '2', 800, true, false);
        assert_eq!(line.heard(), "1(100)2(100)");
    }

    #[test]
    fn other_events_and_short_payloads_are_counted_only() {
        let mut receiver = DtmfReceiver::new(SampleRate::HZ_48000);
        for payload in [&[16, 0x8A, 1, 0][..], &[255, 10, 255, 255], &[1, 10, 0], &[]] {
            let packet = PacketView {
                seq: SeqNo(1),
                time: RtpTime(1),
                ssrc: Ssrc(1),
                payload_type: PayloadType::new(101).unwrap(),
                marker: false,
                payload,
            };
            receiver.put(Moment::ZERO, &packet);
        }
        assert_eq!(receiver.poll_output(), None);
        assert_eq!((receiver.counters().not_a_key, receiver.counters().malformed), (2, 2));
    }

    #[test]
    fn reports_that_nobody_fetches_are_counted_not_kept() {
        let mut line = Line::new();
        for n in 0..100 {
            line.send(1000 + 1600 * n, '5', 800, true, true);
        }
        assert_eq!(line.receiver.counters().overflowed, 184);
        assert_eq!(line.heard().matches('5').count(), 8);
    }
}
