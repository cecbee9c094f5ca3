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
