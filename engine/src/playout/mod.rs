//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! One call's incoming voice: packets in as they come, 10 ms of sound out at each tick.
//!
//! ```text
//!  put ──► sequencer ──► packet store ─────────────► decoder ──► timeline ──► render
//!             │                 │                        ▲          ▲
//!             └──► network ──► status ──► decide ──► operation ─────┘
//!                  (target)                       (conceal, stretch …)
//! ```

mod decoders;
mod perform;
mod speed;

use crate::{
    codec::Unavailable,
    decide::{self, Mode, Next, Operation, Status},
    network::{Arrival, Network, Tariff},
    packet::{Packet, PacketKind},
    sequencer::Sequencer,
    settings::Settings,
    sound::{BRIDGE_MS, ComfortNoise, Concealer, Warper},
    stats::Stats,
    store::{PacketStore, Stored},
    timeline::Timeline,
};
use decoders::Decoders;
use offhook_units::{Codec, ExtSeq, Moment, SampleRate, Span};
use speed::Allowance;

/// What is kept of the past for concealment, ms.
const HISTORY_MS: u32 = 100;
/// Room ahead: the longest packet (120 ms), a bridged hole, and a stretch, ms.
const AHEAD_MS: u32 = 300;
/// Longest packet that any codec here makes, ms.
const LONGEST_PACKET_MS: u32 = 120;
/// After so long without a packet the far end is silent, not lost, ms.
const PATIENCE_MS: u32 = 1_000;
/// A hole grows to no more than this while a queue fills, ms.
const LINGER_MS: u32 = 80;
/// Packet time assumed until one has come, ms.
const USUAL_PACKET_MS: i64 = 20;

/// The play-out of one call. `put` each packet when it has come, then `render` once every 10 ms.
#[derive(Debug)]
pub struct Playout {
    codec: Codec,
    rate: SampleRate,
    settings: Settings,
    sequencer: Sequencer,
    network: Network,
    store: PacketStore,
    decoders: Decoders,
    timeline: Timeline,
    concealer: Concealer,
    warper: Warper,
    fresh: Box<[i16]>,
    /// What the codec recovered of a lost packet from the one after it.
    rescued: Box<[i16]>,
    extra: Box<[i16]>,
    mode: Mode,
    /// Media time (frames of `rate`) of the first sample behind the timeline's end.
    cursor: i64,
    /// The packet that was played last, for telling a loss from a silence.
    last_seq: Option<ExtSeq>,
    packet_frames: i64,
    room: Option<ComfortNoise>,
    goal: Option<Span>,
    tariff: Tariff,
    /// When a packet came too late last.
    missed_at: Option<Moment>,
    /// No delay is given back before.
    hold_until: Moment,
    /// Since when more is held than the line needs.
    excess_since: Option<Moment>,
    allowance: Allowance,
    stats: Stats,
}

impl Playout {
    /// For a call in `codec`; µ-law and A-law may take turns in it. A call that changes to a codec of another
    /// rate gets a new `Playout` from whoever negotiated the change. All memory that the call will ever need is made here.
    ///
    /// # Errors
    /// [`Unavailable`] when the codec's library refuses to start.
    // start-up: makes the memory of the whole call.
    pub fn new(codec: Codec, settings: Settings) -> Result<Self, Unavailable> {
        let tariff = Tariff::default();
        let settings = settings.bounded();
        let rate = codec.sample_rate();
        let start = settings.start_delay - Span::from_millis(USUAL_PACKET_MS);
        Ok(Self {
            codec,
            rate,
            settings,
            sequencer: Sequencer::new(codec.rtp_clock()),
            network: Network::new(start, tariff),
            store: PacketStore::new(longest_payload(codec), store_bytes(codec)),
            decoders: Decoders::new(codec)?,
            timeline: Timeline::new(rate.frames_in_ms(HISTORY_MS), rate.frames_in_ms(AHEAD_MS)),
            concealer: Concealer::new(rate),
            warper: Warper::new(rate),
            fresh: vec![0; rate.frames_in_ms(LONGEST_PACKET_MS)].into(),
            rescued: vec![0; rate.frames_in_ms(LONGEST_PACKET_MS)].into(),
            extra: vec![0; rate.frames_in_ms(20)].into(),
            mode: Mode::Waiting,
            cursor: 0,
            last_seq: None,
            packet_frames: rate.frames_in_ms(USUAL_PACKET_MS as u32) as i64,
            room: None,
            goal: None,
            tariff,
            missed_at: None,
            hold_until: Moment::ZERO,
            excess_since: None,
            allowance: Allowance::default(),
            stats: Stats::default(),
        })
    }

    /// Bytes that a call in `codec` takes at the most, all of them made by [`Self::new`]. A test holds it to that.
    pub const fn most_bytes(codec: Codec) -> usize {
        match codec {
            Codec::Pcmu | Codec::Pcma => 48 * 1024,
            Codec::G722 => 72 * 1024,
            Codec::Opus => 400 * 1024,
        }
    }

    /// Frames of one tick, which is what [`Self::render`] fills.
    pub const fn tick_frames(&self) -> usize {
        self.rate.frames_in_ms(10)
    }

    /// The rate of what [`Self::render`] gives.
    pub const fn rate(&self) -> SampleRate {
        self.rate
    }

    /// What happened so far.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// What delays are told against, the fastest packet of late: its arrival less the end of its sound on the
    /// sender's axis. Only changes of it mean anything.
    pub fn floor(&self) -> Span {
        self.network.floor().unwrap_or_default()
    }

    /// What is being played at this instant.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Counts on from where `before` stopped, which served the same call in another codec.
    pub fn go_on_from(&mut self, before: &Self) {
        self.stats.go_on_from(&before.stats, before.rate, self.rate);
    }

    /// The settings that hold.
    pub const fn settings(&self) -> Settings {
        self.settings
    }

    /// Other settings, from now on: the call goes on.
    pub fn apply(&mut self, settings: Settings) {
        self.settings = settings.bounded();
    }

    /// A packet came.
    pub fn put(&mut self, packet: &Packet<'_>) {
        self.stats.packets += 1;
        let frames = match packet.kind {
            PacketKind::Voice(codec) => self.decoders.of(codec).and_then(|d| d.frames_in(packet.payload)),
            PacketKind::ComfortNoise | PacketKind::TelephoneEvent => Some(0),
        };
        let Some(frames) = frames.filter(|f| *f <= self.fresh.len()) else {
            self.stats.undecodable += 1;
            return;
        };
        let per_clock = i64::from(self.rate.hz() / self.codec.rtp_clock().hz());
        let place = match self.sequencer.place(packet, frames as i64 / per_clock) {
            Ok(place) => place,
            Err(misfit) => return self.stats.refuse(misfit),
        };
        self.stats.restarts += u64::from(place.restarted);
        let media = place.media * per_clock;
        if frames > 0 {
            self.packet_frames = frames as i64;
            self.network.heard(&Arrival {
                at: packet.arrival,
                media_end: self.rate.span_of(media + frames as i64),
                duration: self.rate.span_of(frames as i64),
                skipped: place.skipped,
                late: place.late,
                restarted: place.restarted,
            });
        }
        if self.is_past(place.seq) {
            self.stats.late += 1;
            return;
        }
        match self.store.insert(place.seq, media, frames as i64, packet.kind, packet.payload) {
            Stored::Kept => {}
            Stored::KeptForOldest(gone) => self.stats.overrun += gone,
            Stored::TooLong => self.stats.undecodable += 1,
        }
    }

    /// The next 10 ms; `now` is the tick's own time, not the time at which it got round to this call.
    pub fn render(&mut self, now: Moment, out: &mut [i16]) {
        self.stats.ticks += 1;
        let tick = out.len();
        self.trim();
        self.stats.held = self.rate.span_of(self.held() + self.timeline.pending() as i64);
        self.concealer.cross(self.timeline.due(tick));
        // One dear operation in a tick is enough: after a bridge the speed stays as it is.
        let bridged = self.stats.bridged_frames;
        // Each turn adds a frame or takes a packet, of which there are 64 at most; were that not so, `play` would
        // fill up with silence.
        for _ in 0..64 {
            if self.timeline.pending() >= tick {
                break;
            }
            self.step(now, tick);
        }
        if self.stats.bridged_frames == bridged {
            self.steer(now, tick);
        }
        for _ in 0..64 {
            if self.timeline.pending() >= tick {
                break;
            }
            self.step(now, tick);
        }
        self.timeline.play(out);
        self.allowance.earn(tick, self.settings.max_speed_change, self.rate);
    }

    /// One operation.
    fn step(&mut self, now: Moment, tick: usize) {
        let missing = tick.saturating_sub(self.timeline.pending());
        let status = Status {
            mode: self.mode,
            next: self.next(now),
            bridge: self.longest_bridge(),
            patience: self.rate.frames_in_ms(PATIENCE_MS),
            linger: self.lingers(now),
        };
        match decide::operation(&status) {
            Operation::Play => self.play_next(),
            Operation::Bridge(frames) => self.bridge(frames),
            Operation::Rejoin => self.rejoin(now),
            Operation::Extrapolate => self.extrapolate(missing),
            Operation::Rest => self.rest(),
            Operation::Noise => self.noise(missing),
            Operation::Silence => self.silence(missing),
        }
    }

    /// The head of the store, seen from the cursor.
    fn next(&self, now: Moment) -> Next {
        let Some(first) = self.store.first() else { return Next::Nothing };
        if first.duration == 0 {
            // What was lost just before it is not worth a bridge into silence.
            let ahead = (first.media - self.cursor).max(0) as usize;
            let near = ahead <= self.longest_bridge() || self.mode != Mode::Voice;
            return if near { Next::FallsSilent } else { Next::AfterHole(ahead) };
        }
        let follows = self.last_seq.is_none_or(|last| first.seq.0 == last.0 + 1);
        let ahead = first.media - self.cursor;
        match self.mode {
            Mode::Waiting | Mode::Quiet => {
                Next::AfterSilence(self.frames_until_due(now, first.media)).or_follow()
            }
            _ if ahead < 0 => Next::Overdue(ahead.unsigned_abs() as usize),
            _ if ahead == 0 => Next::Follows,
            _ if follows => Next::AfterSilence(self.frames_until_due(now, first.media)),
            _ => Next::AfterHole(ahead as usize),
        }
    }

    /// A bridge and the packet behind it are put down at once: both have to fit under the cap.
    fn longest_bridge(&self) -> usize {
        let most = self.settings.max_delay.as_micros() * i64::from(self.rate.hz()) / 1_000_000;
        let room = most - self.packet_frames - self.tick_frames() as i64;
        self.rate.frames_in_ms(BRIDGE_MS).min(room.max(0) as usize)
    }

    /// Whether a hole is to grow although its packet has come: see [`Status::linger`].
    fn lingers(&self, now: Moment) -> bool {
        let Mode::Hole(so_far) = self.mode else { return false };
        so_far < self.rate.frames_in_ms(LINGER_MS)
            && self.network.rises()
            && self.store.first().is_some_and(|first| self.frames_until_due(now, first.media) > 0)
    }

    /// How long a voice that begins at `media` has to wait before it has the delay that the line needs.
    fn frames_until_due(&self, now: Moment, media: i64) -> usize {
        let Some(wanted) = self.wanted() else { return 0 };
        let end = now + self.rate.span_of(self.timeline.pending() as i64);
        let transit = Span::from_micros(end.as_micros() as i64) - self.rate.span_of(media);
        let short = (wanted - transit).as_micros().max(0);
        (short * i64::from(self.rate.hz()) / 1_000_000) as usize
    }

    /// Arrival to beginning: the transit to play at, within what the settings allow.
    fn wanted(&self) -> Option<Span> {
        let packet = self.rate.span_of(self.packet_frames);
        let wanted =
            self.network.wanted(self.settings.min_delay - packet, self.settings.max_delay - packet)?;
        Some(wanted + packet)
    }

    /// Whether the place of `seq` was played already.
    fn is_past(&self, seq: ExtSeq) -> bool {
        self.last_seq.is_some_and(|last| seq <= last)
    }

    /// Frames in the store, from the first packet's beginning to the last one's end.
    fn held(&self) -> i64 {
        match (self.store.first(), self.store.last()) {
            (Some(first), Some(last)) => last.media + last.duration - first.media,
            _ => 0,
        }
    }

    /// The hard cap: the oldest packets go when more than `max_delay` is held.
    fn trim(&mut self) {
        let most = self.settings.max_delay.as_micros() * i64::from(self.rate.hz()) / 1_000_000;
        while self.held() + self.timeline.pending() as i64 > most && self.store.len() > 1 {
            let Some(first) = self.store.first() else { return };
            let seq = first.seq;
            self.store.drop_first();
            self.stats.overrun += 1;
            self.last_seq = Some(seq);
            if let Some(first) = self.store.first()
                && self.mode != Mode::Waiting
            {
                self.cursor = first.media;
                self.mode = Mode::Hole(0);
            }
        }
    }
}

impl Next {
    /// Where silence comes first, a voice that is due simply follows.
    const fn or_follow(self) -> Self {
        match self {
            Self::AfterSilence(0) => Self::Follows,
            other => other,
        }
    }
}

/// The largest payload of `codec` that is taken.
const fn longest_payload(codec: Codec) -> usize {
    match codec {
        // 120 ms.
        Codec::Pcmu | Codec::Pcma | Codec::G722 => 960,
        // RFC 6716 3.4: a frame has at most 1275 bytes.
        Codec::Opus => 1280,
    }
}

/// What the longest delay (500 ms) needs, and as much again for what comes between two pulls.
const fn store_bytes(codec: Codec) -> usize {
    match codec {
        // 8 bytes a millisecond: 1.2 s.
        Codec::Pcmu | Codec::Pcma | Codec::G722 => 9_600,
        // Of the largest packets, 600 ms; at 128 kbit/s, which is more than anybody sends, 2.4 s.
        Codec::Opus => 30 * 1_280,
    }
}
