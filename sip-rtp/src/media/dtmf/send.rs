//! Telephone events out (RFC 4733 2.5.1): a queue of keys becomes packets on the beat of the voice.
//!
//! While [`DtmfSender::tick`] gives a packet, it takes the place of the voice packet of that tick. All packets
//! of one event carry the time at which it began; the first is marked; the last report is sent three times.

use super::{Digit, EventBlock};
use heapless::Deque;
use offhook_units::{Frames, RtpTime, SampleRate};
use std::fmt;

/// Loudness of a sent event, in decibels below 0 dBm0: 0 to 63 (RFC 4733 2.3.4). Receivers need not
/// take what is quieter than -36 dBm0 (RFC 2833 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume(u8);

impl Volume {
    /// -10 dBm0, what most telephones send.
    pub const USUAL: Self = Self(10);

    /// `db_below` decibels below 0 dBm0; `None` beyond the wire's six bits.
    pub const fn new(db_below: u8) -> Option<Self> {
        if db_below < 64 { Some(Self(db_below)) } else { None }
    }
}

/// No more keys fit in the queue; send some first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

impl fmt::Display for QueueFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} keys are waiting already", DtmfSender::MOST_WAITING)
    }
}

impl std::error::Error for QueueFull {}

/// One telephone-event packet to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtmfPacket {
    /// The RTP time of the event's start, the same in all of its packets.
    pub time: RtpTime,
    /// First packet of the event.
    pub marker: bool,
    /// What to put behind the RTP header.
    pub payload: [u8; 4],
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Tone {
        digit: Digit,
        /// Start of the current segment.
        start: RtpTime,
        /// Frames of this event in the segments before.
        earlier: u32,
        first: bool,
    },
    /// Repeats the last report.
    End {
        packet: DtmfPacket,
        left: u8,
        ended: RtpTime,
    },
    Pause {
        ended: RtpTime,
    },
}

/// Sends keys on one call. [`push`](Self::push) them, then call [`tick`](Self::tick) once per packet interval.
#[derive(Debug)]
pub struct DtmfSender {
    tone_frames: u32,
    pause_frames: u32,
    volume: Volume,
    waiting: Deque<Digit, { Self::MOST_WAITING }>,
    state: State,
}

impl DtmfSender {
    /// Keys that may wait: enough for any telephone number with an extension.
    pub const MOST_WAITING: usize = 48;
    /// How often the last report is sent (RFC 4733 2.5.1).
    const END_PACKETS: u8 = 3;
    /// Shortest tone and shortest pause that a receiver must hear (ITU-T Q.24).
    const SHORTEST_MS: u32 = 40;

    /// A sender whose keys last `tone_ms` with `pause_ms` between them, on an RTP clock of `clock`. Neither is
    /// taken below 40 ms, where receivers may miss it.
    pub fn new(clock: SampleRate, tone_ms: u32, pause_ms: u32, volume: Volume) -> Self {
        let frames =
            |ms: u32| u32::try_from(clock.frames_in_ms(ms.max(Self::SHORTEST_MS))).unwrap_or(u32::MAX);
        Self {
            tone_frames: frames(tone_ms),
            pause_frames: frames(pause_ms),
            volume,
            waiting: Deque::new(),
            state: State::Idle,
        }
    }

    /// Puts a key behind those that wait.
    ///
    /// # Errors
    /// [`QueueFull`] when [`MOST_WAITING`](Self::MOST_WAITING) keys wait.
    pub fn push(&mut self, digit: Digit) -> Result<(), QueueFull> {
        self.waiting.push_back(digit).map_err(|_| QueueFull)
    }

    /// Forgets the keys that wait. The one that is being sent is sent to its end.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Nothing is being sent and nothing waits.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle) && self.waiting.is_empty()
    }

    /// The event packet for the interval of `frames` that begins at media time `time`, if there is one.
    pub fn tick(&mut self, time: RtpTime, frames: Frames) -> Option<DtmfPacket> {
        if let State::Pause { ended } = self.state
            && time.0.wrapping_sub(ended.0) >= self.pause_frames
        {
            self.state = State::Idle;
        }
        if let State::Idle = self.state
            && let Some(digit) = self.waiting.pop_front()
        {
            self.state = State::Tone { digit, start: time, earlier: 0, first: true };
        }
        match self.state {
            State::Idle | State::Pause { .. } => None,
            State::Tone { digit, start, earlier, first } => {
                Some(self.tone(digit, start, earlier, first, time, frames))
            }
            State::End { packet, left, ended } => {
                self.state = match left {
                    0 | 1 => State::Pause { ended },
                    _ => State::End { packet, left: left - 1, ended },
                };
                Some(packet)
            }
        }
    }

    fn tone(
        &mut self,
        digit: Digit,
        start: RtpTime,
        earlier: u32,
        first: bool,
        time: RtpTime,
        frames: Frames,
    ) -> DtmfPacket {
        let wanted = self.tone_frames.saturating_sub(earlier);
        let so_far = time.0.wrapping_sub(start.0).saturating_add(frames.0);
        let end = so_far >= wanted && wanted <= u32::from(u16::MAX);
        let duration = u16::try_from(so_far.min(wanted)).unwrap_or(u16::MAX);
        let block = EventBlock { event: digit.event(), end, volume_db_below: self.volume.0, duration };
        let packet = DtmfPacket { time: start, marker: first, payload: block.to_bytes() };
        self.state = if end {
            let ended = RtpTime(start.0.wrapping_add(u32::from(duration)));
            State::End { packet: DtmfPacket { marker: false, ..packet }, left: Self::END_PACKETS - 1, ended }
        } else if so_far >= u32::from(u16::MAX) {
            // RFC 4733 2.5.1: a duration that would not fit goes on as another segment.
            let segment = u32::from(u16::MAX);
            let start = RtpTime(start.0.wrapping_add(segment));
            State::Tone { digit, start, earlier: earlier.saturating_add(segment), first: false }
        } else {
            State::Tone { digit, start, earlier, first: false }
        };
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `keys` in ticks of `ms` and returns each packet with the tick it left at.
    fn sent(clock: SampleRate, ms: u32, tone_ms: u32, pause_ms: u32, keys: &str) -> Vec<(u32, DtmfPacket)> {
        let mut sender = DtmfSender::new(clock, tone_ms, pause_ms, Volume::USUAL);
        for key in keys.chars() {
            sender.push(Digit::from_char(key).unwrap()).unwrap();
        }
        let frames = u32::try_from(clock.frames_in_ms(ms)).unwrap();
        let mut packets = Vec::new();
        for tick in 0..5_000_u32 {
            let time = RtpTime((u32::MAX - 1000).wrapping_add(tick * frames));
            if let Some(packet) = sender.tick(time, Frames(frames)) {
                packets.push((tick, packet));
            }
        }
        assert!(sender.is_idle());
        packets
    }

    #[test]
    fn one_event_has_one_time_one_mark_and_three_ends() {
        let packets = sent(SampleRate::HZ_8000, 20, 100, 100, "5");
        let blocks: Vec<_> = packets.iter().map(|(_, p)| EventBlock::from_bytes(p.payload)).collect();
        assert_eq!(
            blocks.iter().map(|b| b.duration).collect::<Vec<_>>(),
            [160, 320, 480, 640, 800, 800, 800]
        );
        assert_eq!(
            blocks.iter().map(|b| b.end).collect::<Vec<_>>(),
            [false, false, false, false, true, true, true]
        );
        assert!(blocks.iter().all(|b| b.event == 5 && b.volume_db_below == 10));
        assert!(packets.iter().all(|(_, p)| p.time == packets[0].1.time));
        assert_eq!(packets.iter().filter(|(_, p)| p.marker).count(), 1);
        assert!(packets[0].1.marker);
    }

    #[test]
    fn keys_keep_their_distance() {
        let packets = sent(SampleRate::HZ_8000, 20, 100, 80, "11");
        let starts: Vec<_> = packets.iter().filter(|(_, p)| p.marker).map(|(tick, _)| *tick).collect();
        assert_eq!(starts, [0, 9], "100 ms tone, 80 ms pause");
    }

    #[test]
    fn durations_count_in_the_clock_that_was_negotiated() {
        let packets = sent(SampleRate::HZ_48000, 20, 100, 100, "5");
        assert_eq!(EventBlock::from_bytes(packets[0].1.payload).duration, 960);
        assert_eq!(EventBlock::from_bytes(packets.last().unwrap().1.payload).duration, 4800);
    }

    #[test]
    fn a_long_tone_goes_on_in_segments() {
        let packets = sent(SampleRate::HZ_48000, 20, 3_000, 100, "5");
        let mut starts: Vec<_> = packets.iter().map(|(_, p)| p.time.0).collect();
        starts.dedup();
        let first = starts[0];
        assert_eq!(starts, [first, first.wrapping_add(65_535), first.wrapping_add(131_070)]);
        let last = EventBlock::from_bytes(packets.last().unwrap().1.payload);
        assert_eq!((last.end, u32::from(last.duration)), (true, 144_000 - 131_070));
        assert_eq!(packets.iter().filter(|(_, p)| EventBlock::from_bytes(p.payload).end).count(), 3);
    }

    #[test]
    fn tones_too_short_to_hear_are_lengthened() {
        let packets = sent(SampleRate::HZ_8000, 20, 1, 1, "5");
        assert_eq!(EventBlock::from_bytes(packets.last().unwrap().1.payload).duration, 320);
    }

    #[test]
    fn a_full_queue_refuses_and_clearing_empties_it() {
        let mut sender = DtmfSender::new(SampleRate::HZ_8000, 100, 100, Volume::USUAL);
        let key = Digit::from_char('1').unwrap();
        for _ in 0..DtmfSender::MOST_WAITING {
            assert_eq!(sender.push(key), Ok(()));
        }
        assert_eq!(sender.push(key), Err(QueueFull));
        sender.clear();
        assert!(sender.is_idle());
        assert_eq!(Volume::new(64), None);
    }
}
