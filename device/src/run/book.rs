//! What the process knows of itself: kept by the control thread, read by the pages.
//!
//! Counters of calls live in their calls and end with them. Here they are kept beyond that, so that a total never goes
//! back: a call that is over counts with what was last known of it.

use super::talk::Talk;
use crate::audio::gauges::{LineGauges, TickGauges, Ticks};
use crate::audio::sound::gauges::SoundGauges;
use crate::audio::thread::Refused;
use crate::http::metrics::Histogram;
use crate::sound::{Told as SoundTold, Way};
use crate::trunk::command::Report;
use crate::trunk::figures::{CallFigures, Snapshot};
use offhook_engine::Stats;
use offhook_sip_rtp::media::stream::Dropped;
use offhook_sip_rtp::sip::agent::CallId;
use offhook_sip_rtp::sip::registration;
use offhook_units::{Moment, Span};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Upper edges of the histogram of the buffers' delay, seconds: the bounds of `jitter.*` and steps between.
const DELAY_EDGES: [f64; 9] = [0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5];
/// Upper edges of the histogram of the peers' jitter, seconds.
const JITTER_EDGES: [f64; 8] = [0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2];
/// Upper edges of the histogram of the ways there and back, seconds.
const ROUND_TRIP_EDGES: [f64; 9] = [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0];
/// Upper edges of the histogram of the calls' lengths, seconds.
const LENGTH_EDGES: [f64; 8] = [1.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0];

/// Ways in which the play-out fills its time; each with the label of metrics.
pub const OPERATIONS: [&str; 8] =
    ["voice", "extrapolated", "bridged", "recovered", "noise", "silent", "squeezed", "stretched"];

/// What the calls' packets came to; each with the label of metrics.
pub const FATES: [&str; 9] = [
    "played",
    "duplicate",
    "too_old",
    "on_probation",
    "straggler",
    "late",
    "undecodable",
    "overrun",
    "missing",
];

/// Sums over calls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sums {
    /// Packets offered to the buffers.
    pub packets: u64,
    /// In the order of [`FATES`].
    pub fates: [u64; FATES.len()],
    /// Seconds of sound, in the order of [`OPERATIONS`].
    pub operations: [f64; OPERATIONS.len()],
    /// Changes of speed.
    pub warps: u64,
    /// Seconds taken out and put in beyond the usual limit of speed.
    pub hurried: f64,
    /// Restarts of senders.
    pub restarts: u64,
    /// Buffers that ran dry in a voice.
    pub underruns: u64,
    /// RTP packets sent.
    pub sent: u64,
    /// Of those, the ones that the peers' reports say were lost.
    pub lost_there: u64,
    /// Packets that found the ring to the audio thread full.
    pub ring_full: u64,
    /// Packets that this box read behind the tick for which they were here.
    pub read_late: u64,
    /// Packets that found the ring from the audio thread full.
    pub unfetched: u64,
    /// Seconds of callers that the speech thread did not fetch in time,
    pub unheard: f64,
    /// and events.
    pub untold: u64,
    /// Datagrams turned away, in the order of [`Dropped::ALL`].
    pub dropped: [u64; Dropped::ALL.len()],
    /// Keys heard.
    pub keys: u64,
}

impl Sums {
    fn of(figures: &CallFigures) -> Self {
        let Stats { packets, restarts, underruns, warps, hurried_frames, .. } = figures.playout;
        Self {
            packets,
            fates: fates(&figures.playout),
            operations: operations(&figures.playout),
            warps,
            hurried: seconds(hurried_frames),
            restarts,
            underruns,
            sent: figures.media.sent,
            lost_there: figures.lost_there,
            ring_full: figures.media.ring_full,
            read_late: figures.media.read_late,
            unfetched: figures.said.lost,
            unheard: figures.said.unfetched.sound.as_micros() as f64 / 1e6,
            untold: figures.said.unfetched.events,
            dropped: Dropped::ALL.map(|(why, _)| figures.drops.dropped(why)),
            keys: figures.media.keys,
        }
    }

    fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.warps += other.warps;
        self.hurried += other.hurried;
        self.restarts += other.restarts;
        self.underruns += other.underruns;
        self.sent += other.sent;
        self.lost_there += other.lost_there;
        self.ring_full += other.ring_full;
        self.read_late += other.read_late;
        self.unfetched += other.unfetched;
        self.unheard += other.unheard;
        self.untold += other.untold;
        self.keys += other.keys;
        add_each(&mut self.fates, &other.fates);
        add_each(&mut self.operations, &other.operations);
        add_each(&mut self.dropped, &other.dropped);
    }
}

fn add_each<N: Copy + std::ops::AddAssign>(to: &mut [N], from: &[N]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += *from;
    }
}

const fn fates(stats: &Stats) -> [u64; FATES.len()] {
    [
        stats.played,
        stats.duplicates,
        stats.too_old,
        stats.on_probation,
        stats.stragglers,
        stats.late,
        stats.undecodable,
        stats.overrun,
        stats.missing,
    ]
}

fn operations(stats: &Stats) -> [f64; OPERATIONS.len()] {
    let frames = [
        stats.voice_frames,
        stats.extrapolated_frames,
        stats.bridged_frames,
        stats.recovered_frames,
        stats.noise_frames,
        stats.silent_frames,
        stats.squeezed_frames,
        stats.stretched_frames,
    ];
    frames.map(seconds)
}

/// Of sound.
fn seconds(frames: u64) -> f64 {
    frames as f64 / f64::from(LineGauges::RATE.hz())
}

/// A trunk as it was last told.
#[derive(Clone, Debug, Default)]
pub struct TrunkState {
    /// Its server, as configured.
    pub server: String,
    /// Whether it can carry calls.
    pub up: bool,
    /// What was said of it last.
    pub told: String,
    /// Times it went down.
    pub downs: u64,
}

/// What agents are.
#[derive(Clone, Debug, Default)]
pub struct Agents {
    /// Whether calls can be talked to.
    pub is_ready: bool,
    /// What there is to say of it.
    pub why: String,
}

/// The sound card.
#[derive(Debug, Default)]
pub struct SoundState {
    /// Its counters.
    pub gauges: Arc<SoundGauges>,
    /// How each way that is wanted stands.
    pub how: BTreeMap<Way, String>,
    /// Whether a route leads to it, and not only what others say.
    pub has_handset: bool,
}

impl SoundState {
    /// One way changed.
    pub fn note(&mut self, told: SoundTold) {
        match told.how {
            Some(how) => drop(self.how.insert(told.way, how)),
            None => drop(self.how.remove(&told.way)),
        }
    }
}

/// The book.
#[derive(Debug)]
pub struct Book {
    gauges: Arc<TickGauges>,
    began: Moment,
    /// Calls at once, at most.
    pub places: usize,
    /// What the system refused the audio thread.
    pub refused: Vec<Refused>,
    /// In the order of the configuration.
    pub trunks: Vec<TrunkState>,
    /// On its way out.
    pub is_ending: bool,
    /// Reloads that were carried out.
    pub reloads: u64,
    /// Reloads that changed nothing, as something was wrong.
    pub reloads_failed: u64,
    /// As the trunk told it last.
    pub snapshot: Snapshot,
    live: BTreeMap<CallId, (Sums, Span)>,
    over: Sums,
    /// Calls whose end was told last, as many as may end at once: a snapshot on its way may still hold them.
    closed: VecDeque<CallId>,
    /// How long what is heard was held back, looked at each second of each call.
    pub delays: Histogram<{ DELAY_EDGES.len() }>,
    /// How unevenly our packets reach the peers, by their last reports; looked at as the delays are.
    pub jitter_there: Histogram<{ JITTER_EDGES.len() }>,
    /// The ways there and back; looked at as the delays are.
    pub round_trips: Histogram<{ ROUND_TRIP_EDGES.len() }>,
    /// The sound card.
    pub sound: SoundState,
    /// What agents are.
    pub agents: Agents,
    /// What they told.
    pub talk: Talk,
    /// How long calls were.
    pub lengths: Histogram<{ LENGTH_EDGES.len() }>,
}

impl Book {
    /// Of a process that begins now.
    pub fn new(now: Moment, gauges: Arc<TickGauges>, places: usize, servers: Vec<String>) -> Self {
        let trunk = |server| TrunkState {
            server,
            told: "nothing was heard of it yet".to_owned(),
            ..TrunkState::default()
        };
        Self {
            gauges,
            began: now,
            places,
            refused: Vec::new(),
            trunks: servers.into_iter().map(trunk).collect(),
            is_ending: false,
            reloads: 0,
            reloads_failed: 0,
            snapshot: Snapshot::default(),
            live: BTreeMap::new(),
            over: Sums::default(),
            closed: VecDeque::new(),
            delays: Histogram::new(DELAY_EDGES),
            jitter_there: Histogram::new(JITTER_EDGES),
            round_trips: Histogram::new(ROUND_TRIP_EDGES),
            sound: SoundState::default(),
            agents: Agents::default(),
            talk: Talk::default(),
            lengths: Histogram::new(LENGTH_EDGES),
        }
    }

    /// How long it runs.
    pub const fn age(&self, now: Moment) -> Span {
        now.since(self.began)
    }

    /// How the audio thread keeps time.
    pub fn ticks(&self) -> Ticks {
        self.gauges.read()
    }

    /// The trunk told how it stands.
    pub fn look(&mut self, snapshot: Snapshot) {
        for call in &snapshot.calls {
            if let Some(figures) = call.figures.as_ref().filter(|_| !self.closed.contains(&call.call)) {
                self.live.insert(call.call, (Sums::of(figures), call.age));
            }
        }
        for (state, figures) in self.trunks.iter_mut().zip(&snapshot.trunks) {
            state.up = figures.up;
        }
        if snapshot.counters.reports_lost > self.snapshot.counters.reports_lost {
            self.forget_lost(&snapshot);
        }
        self.snapshot = snapshot;
    }

    /// Closes the accounts of calls whose end was told by a report that found no room.
    fn forget_lost(&mut self, snapshot: &Snapshot) {
        let over = &mut self.over;
        self.live.retain(|call, (sums, _)| {
            let stands = snapshot.calls.iter().any(|state| state.call == *call);
            if !stands {
                over.add(sums);
            }
            stands
        });
    }

    /// Counts the delays of the calls that are there now; to be done once a second.
    pub fn sample(&mut self) {
        let seconds = |span: Span| f64::from(span.as_millis_f32()) / 1e3;
        for figures in self.snapshot.calls.iter().filter_map(|call| call.figures.as_ref()) {
            if figures.playout.packets > 0 {
                self.delays.add(seconds(figures.playout.delay));
            }
            if let Some(peer) = &figures.peer {
                self.jitter_there.add(seconds(peer.report.jitter));
            }
            if let Some(way) = figures.round_trip {
                self.round_trips.add(seconds(way));
            }
        }
    }

    /// The trunk told that something happened.
    pub fn note(&mut self, report: &Report) {
        match report {
            Report::Trunk(trunk, event) => {
                if let Some(state) = self.trunks.get_mut(trunk.0) {
                    state.up = matches!(event, registration::Event::Up { .. });
                    state.downs += u64::from(!state.up);
                    state.told = report.to_string();
                }
            }
            Report::Ended { call, figures, .. } => {
                self.talk.over(call.0);
                if self.closed.len() >= self.places {
                    self.closed.pop_front();
                }
                self.closed.push_back(*call);
                let known = self.live.remove(call);
                if let Some((_, age)) = known {
                    self.lengths.add(f64::from(age.as_millis_f32()) / 1e3);
                }
                let last = figures.as_ref().map(|figures| Sums::of(figures));
                if let Some(sums) = last.or(known.map(|(sums, _)| sums)) {
                    self.over.add(&sums);
                }
            }
            _ => {}
        }
    }

    /// Over all calls that ever were.
    pub fn sums(&self) -> Sums {
        let mut sums = self.over;
        self.live.values().for_each(|(call, _)| sums.add(call));
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trunk::figures::{CallState, PeerFigures};
    use offhook_sip_rtp::media::rtcp::RemoteReport;
    use offhook_sip_rtp::sip::agent::EndReason;

    fn figures(packets: u64) -> Box<CallFigures> {
        let playout =
            Stats { packets, voice_frames: packets * 960, delay: Span::from_millis(50), ..Stats::default() };
        Box::new(CallFigures::of_playout(playout))
    }

    fn state(call: u64, packets: u64) -> CallState {
        let age = Span::from_millis(40_000);
        CallState {
            call: CallId(call),
            route: "echo",
            ours: false,
            age,
            answered: true,
            figures: Some(figures(packets)),
        }
    }

    fn book() -> Book {
        Book::new(Moment::ZERO, Arc::default(), 50, vec!["a".into()])
    }

    fn ended(call: u64, packets: Option<u64>) -> Report {
        let figures = packets.map(figures);
        Report::Ended { call: CallId(call), reason: EndReason::HungUp, silent: false, figures }
    }

    #[test]
    fn totals_keep_what_ended_calls_counted() {
        let mut book = book();
        book.look(Snapshot { calls: vec![state(1, 100), state(2, 50)], ..Snapshot::default() });
        assert_eq!(book.sums().packets, 150);
        book.look(Snapshot { calls: vec![state(2, 60)], ..Snapshot::default() });
        assert_eq!(book.sums().packets, 160, "a call that is gone and not yet reported still counts");
        book.note(&ended(1, Some(110)));
        book.note(&ended(2, None));
        assert_eq!(book.sums().packets, 170);
        assert!((book.sums().operations[0] - 170.0 * 0.02).abs() < 1e-9);
    }

    #[test]
    fn a_snapshot_that_is_older_than_the_end_of_a_call_does_not_count_it_twice() {
        let mut book = book();
        let before = Snapshot { calls: vec![state(1, 100)], ..Snapshot::default() };
        book.note(&ended(1, Some(110)));
        book.look(before);
        assert_eq!((book.sums().packets, book.live.len()), (110, 0));
    }

    #[test]
    fn a_call_whose_end_was_not_told_is_closed_all_the_same() {
        let mut book = book();
        book.look(Snapshot { calls: vec![state(1, 100)], ..Snapshot::default() });
        let mut lost = Snapshot::default();
        lost.counters.reports_lost = 1;
        book.look(lost);
        assert_eq!((book.sums().packets, book.live.len()), (100, 0));
    }

    #[test]
    fn what_the_peers_say_is_counted_and_looked_at() {
        let mut book = book();
        let mut state = state(1, 100);
        if let Some(figures) = &mut state.figures {
            let (at, jitter) = (Moment::ZERO, Span::from_millis(4));
            let report = RemoteReport { at, fraction_lost: 0.1, lost: 9, jitter, metrics: None };
            figures.peer = Some(PeerFigures { report, age: Span::ZERO });
            (figures.lost_there, figures.round_trip) = (9, Some(Span::from_millis(60)));
        }
        book.look(Snapshot { calls: vec![state], ..Snapshot::default() });
        book.sample();
        let metrics = super::super::exposition::metrics(&book, Moment::ZERO);
        for line in [
            "offhook_peer_lost_total 9\n",
            "offhook_peer_jitter_seconds_bucket{le=\"0.002\"} 0\n",
            "offhook_peer_jitter_seconds_bucket{le=\"0.005\"} 1\n",
            "offhook_round_trip_seconds_bucket{le=\"0.05\"} 0\n",
            "offhook_round_trip_seconds_bucket{le=\"0.1\"} 1\n",
        ] {
            assert!(metrics.contains(line), "{line}");
        }
    }

    #[test]
    fn the_trunks_last_word_is_kept() {
        let mut book = book();
        assert!(!book.trunks[0].up);
        let down = registration::Event::Down {
            why: registration::Down::NoAnswer,
            retry_in: Span::from_millis(5_000),
        };
        book.note(&Report::Trunk(offhook_sip_rtp::sip::agent::TrunkId(0), down));
        assert_eq!((book.trunks[0].up, book.trunks[0].downs), (false, 1));
        assert!(book.trunks[0].told.contains("is down"), "{}", book.trunks[0].told);
    }
}
