//! Real-time: relaxed stores of plain numbers.
//!
//! What the audio thread tells of itself. It writes, whoever wants to know reads; each number stands for itself.

use offhook_engine::Stats;
use offhook_units::{Ppm, SampleRate, Span};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! line_gauges {
    (counts: $($field:ident),+; frames: $($frames:ident),+ $(,)?) => {
        /// One call's counters, as its line last published them.
        #[derive(Debug, Default)]
        pub struct LineGauges {
            $($field: AtomicU64,)+
            $($frames: AtomicU64,)+
            held_us: AtomicU64,
            delay_us: AtomicU64,
            target_us: AtomicU64,
            /// Bits of an `f32`, one up: zero is "not known".
            drift: AtomicU64,
            payloads: AtomicU64,
            payloads_lost: AtomicU64,
            unfetched_us: AtomicU64,
            unfetched_events: AtomicU64,
        }

        impl LineGauges {
            /// The line's own side; `stats` has its frames at `rate`.
            pub(super) fn publish(&self, stats: &Stats, rate: SampleRate, sent: Sent) {
                let scale = u64::from(Self::RATE.hz()) / u64::from(rate.hz().max(1));
                $(self.$field.store(stats.$field, Relaxed);)+
                $(self.$frames.store(stats.$frames * scale, Relaxed);)+
                let micros = |span: Span| span.as_micros().max(0).cast_unsigned();
                self.held_us.store(micros(stats.held), Relaxed);
                self.delay_us.store(micros(stats.delay), Relaxed);
                self.target_us.store(micros(stats.target), Relaxed);
                self.drift.store(stats.drift.map_or(0, |ppm| u64::from(ppm.0.to_bits()) + 1), Relaxed);
                self.payloads.store(sent.payloads, Relaxed);
                self.payloads_lost.store(sent.lost, Relaxed);
                self.unfetched_us.store(micros(sent.unfetched.sound), Relaxed);
                self.unfetched_events.store(sent.unfetched.events, Relaxed);
            }

            /// What the engine counted, frames at [`Self::RATE`].
            pub fn stats(&self) -> Stats {
                let span = |cell: &AtomicU64| Span::from_micros(cell.load(Relaxed).cast_signed());
                Stats {
                    $($field: self.$field.load(Relaxed),)+
                    $($frames: self.$frames.load(Relaxed),)+
                    held: span(&self.held_us),
                    delay: span(&self.delay_us),
                    target: span(&self.target_us),
                    drift: self.drift.load(Relaxed).checked_sub(1).map(|bits| Ppm(f32::from_bits(bits as u32))),
                }
            }
        }
    };
}

line_gauges!(
    counts:
        packets,
        played,
        duplicates,
        too_old,
        on_probation,
        stragglers,
        late,
        undecodable,
        overrun,
        restarts,
        missing,
        ticks,
        underruns,
        warps;
    frames:
        voice_frames,
        extrapolated_frames,
        bridged_frames,
        recovered_frames,
        noise_frames,
        silent_frames,
        squeezed_frames,
        stretched_frames,
        hurried_frames,
);

impl LineGauges {
    /// The rate that frames are told at, whatever codec is spoken: a whole multiple of every codec's, so that readers
    /// need not know when the audio thread changed from one to another.
    pub const RATE: SampleRate = SampleRate::HZ_48000;

    /// What the line handed on.
    pub fn sent(&self) -> Sent {
        let read = |cell: &AtomicU64| cell.load(Relaxed);
        Sent {
            payloads: read(&self.payloads),
            lost: read(&self.payloads_lost),
            unfetched: Unfetched {
                sound: Span::from_micros(read(&self.unfetched_us).cast_signed()),
                events: read(&self.unfetched_events),
            },
        }
    }
}

/// What a line handed on to other threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Payloads of voice.
    pub payloads: u64,
    /// Payloads that found their ring full: the trunk did not fetch them in time.
    pub lost: u64,
    /// What its speech thread did not fetch in time.
    pub unfetched: Unfetched,
}

/// What a speech thread did not fetch in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unfetched {
    /// The caller's sound: words may be missing.
    pub sound: Span,
    /// Events: it does not know where the call is any more.
    pub events: u64,
}

/// Upper edges of the lateness histogram, µs; what is later falls behind the last.
pub const LATENESS_EDGES_US: [u64; 10] = [50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000];

/// How the thread keeps time.
#[derive(Debug, Default)]
pub struct TickGauges {
    ticks: AtomicU64,
    late: AtomicU64,
    caught_up: AtomicU64,
    given_up: AtomicU64,
    lines: AtomicU64,
    lateness: [AtomicU64; LATENESS_EDGES_US.len() + 1],
    lateness_sum_us: AtomicU64,
    worst_lateness_us: AtomicU64,
    busy_us: AtomicU64,
    no_room: AtomicU64,
}

/// A reading of [`TickGauges`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticks {
    /// Ticks since the start.
    pub ticks: u64,
    /// Wake-ups over 2 ms late.
    pub late: u64,
    /// Ticks that ran behind another in one wake-up, as their own time was over.
    pub caught_up: u64,
    /// Ticks that never ran: the thread stood still for longer than is worth catching up.
    pub given_up: u64,
    /// Calls being served.
    pub lines: u64,
    /// Wake-ups by their lateness; the last is above all edges.
    pub lateness: [u64; LATENESS_EDGES_US.len() + 1],
    /// Of all wake-ups together, µs.
    pub lateness_sum_us: u64,
    /// The worst, µs.
    pub worst_lateness_us: u64,
    /// Time spent in ticks, µs.
    pub busy_us: u64,
    /// Lines that were sent back as every place was taken.
    pub no_room: u64,
}

/// A wake-up this much behind its deadline is a late one, µs.
const LATE_US: u64 = 2_000;

impl TickGauges {
    /// A wake-up, so late.
    pub(super) fn woke(&self, lateness_us: u64) {
        let bucket = LATENESS_EDGES_US.iter().position(|edge| lateness_us <= *edge);
        let bucket = self.lateness.get(bucket.unwrap_or(LATENESS_EDGES_US.len()));
        if let Some(count) = bucket {
            add(count, 1);
        }
        add(&self.lateness_sum_us, lateness_us);
        self.worst_lateness_us.fetch_max(lateness_us, Relaxed);
        add(&self.late, u64::from(lateness_us > LATE_US));
    }

    /// A wake-up's work is done.
    pub(super) fn worked(&self, ticks: u64, given_up: u64, busy_us: u64) {
        add(&self.ticks, ticks);
        add(&self.caught_up, ticks.saturating_sub(1));
        add(&self.given_up, given_up);
        add(&self.busy_us, busy_us);
    }

    /// How many calls are served, and how many were sent back for want of a place.
    pub(super) fn serves(&self, lines: u64, no_room: u64) {
        self.lines.store(lines, Relaxed);
        self.no_room.store(no_room, Relaxed);
    }

    /// The numbers now.
    pub fn read(&self) -> Ticks {
        let mut lateness = [0; LATENESS_EDGES_US.len() + 1];
        for (value, cell) in lateness.iter_mut().zip(&self.lateness) {
            *value = cell.load(Relaxed);
        }
        Ticks {
            ticks: self.ticks.load(Relaxed),
            late: self.late.load(Relaxed),
            caught_up: self.caught_up.load(Relaxed),
            given_up: self.given_up.load(Relaxed),
            lines: self.lines.load(Relaxed),
            lateness,
            lateness_sum_us: self.lateness_sum_us.load(Relaxed),
            worst_lateness_us: self.worst_lateness_us.load(Relaxed),
            busy_us: self.busy_us.load(Relaxed),
            no_room: self.no_room.load(Relaxed),
        }
    }
}

fn add(cell: &AtomicU64, more: u64) {
    cell.fetch_add(more, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use offhook_units::Codec;

    #[test]
    fn what_is_published_is_read_back() {
        let gauges = LineGauges::default();
        assert_eq!(gauges.stats(), Stats::default());
        let stats = Stats {
            packets: 7,
            warps: 3,
            held: Span::from_millis(40),
            delay: Span::from_micros(1),
            target: Span::from_millis(30),
            drift: Some(Ppm(-37.5)),
            ..Stats::default()
        };
        let sent =
            Sent { payloads: 5, lost: 1, unfetched: Unfetched { sound: Span::from_millis(2), events: 3 } };
        gauges.publish(&stats, LineGauges::RATE, sent);
        assert_eq!((gauges.stats(), gauges.sent()), (stats, sent));
    }

    #[test]
    fn frames_are_told_at_one_rate_whatever_the_codec() {
        for codec in Codec::ALL {
            let (gauges, rate) = (LineGauges::default(), codec.sample_rate());
            assert_eq!(LineGauges::RATE.hz() % rate.hz(), 0, "{codec}");
            let second = Stats { voice_frames: u64::from(rate.hz()), ticks: 100, ..Stats::default() };
            gauges.publish(&second, rate, Sent::default());
            assert_eq!((gauges.stats().voice_frames, gauges.stats().ticks), (48_000, 100), "{codec}");
        }
    }

    #[test]
    fn lateness_falls_into_its_bucket() {
        let gauges = TickGauges::default();
        for us in [0, 50, 51, 2_000, 2_001, 1_000_000] {
            gauges.woke(us);
        }
        let read = gauges.read();
        assert_eq!(read.lateness, [2, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1]);
        assert_eq!((read.late, read.worst_lateness_us), (2, 1_000_000));
    }
}
