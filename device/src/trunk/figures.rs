//! How the trunk and its calls stand, for metrics, the calls' pages and the record of a call.

use super::agreed::expects;
use super::media::{Media, MediaCounters};
use super::settings::Line;
use crate::audio::gauges::Sent;
use offhook_engine::Stats;
use offhook_sip_rtp::media::rtcp::{LocalFigures, RemoteReport, RtcpCounters};
use offhook_sip_rtp::media::stream::DropCounters;
use offhook_sip_rtp::sip::agent::{self, CallId};
use offhook_sip_rtp::sip::guard::Stranger;
use offhook_sip_rtp::sip::transaction;
use offhook_units::{Codec, Moment, Span};

/// Everything, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Each trunk, in the order of the settings.
    pub trunks: Vec<TrunkFigures>,
    /// Each call that stands or rings.
    pub calls: Vec<CallState>,
    /// What was counted since the start.
    pub counters: Counters,
    /// Those who knocked and may not, the most persistent first.
    pub strangers: Vec<Stranger>,
    /// No new calls are taken.
    pub draining: bool,
}

/// A trunk.
#[derive(Clone, Debug)]
pub struct TrunkFigures {
    /// The server as configured.
    pub server: String,
    /// It can carry calls.
    pub up: bool,
}

impl TrunkFigures {
    /// What is said of a configured trunk.
    pub fn new(line: &Line, up: bool) -> Self {
        Self { server: line.server.clone(), up }
    }
}

/// A call.
#[derive(Clone, Debug)]
pub struct CallState {
    /// Which.
    pub call: CallId,
    /// The name of its route.
    pub route: &'static str,
    /// We placed it.
    pub ours: bool,
    /// How long it is there.
    pub age: Span,
    /// It was answered.
    pub answered: bool,
    /// Its media, once they are agreed: as a rule when it is answered.
    pub figures: Option<Box<CallFigures>>,
}

/// A call's media.
#[derive(Clone, Debug)]
pub struct CallFigures {
    /// What is spoken.
    pub codec: Codec,
    /// By SRTP.
    pub encrypted: bool,
    /// On hold, by us or by the far end.
    pub held: bool,
    /// Reception as RTCP sees it, with the E-model's scores; `None` before the first packet.
    pub reception: Option<LocalFigures>,
    /// How our stream arrives at the peer, by its last report; `None` before that.
    pub peer: Option<PeerFigures>,
    /// Packets of ours that the peer ever missed.
    pub lost_there: u64,
    /// There and back, if the peer ever answered.
    pub round_trip: Option<Span>,
    /// The peer's reports.
    pub reports: RtcpCounters,
    /// What the door let in and turned away.
    pub drops: DropCounters,
    /// What passed through this thread.
    pub media: MediaCounters,
    /// What the jitter buffer did; frames are of [`LineGauges::RATE`](crate::audio::gauges::LineGauges::RATE).
    pub playout: Stats,
    /// What the audio thread handed on.
    pub said: Sent,
}

/// What the peer said of our stream last.
#[derive(Clone, Copy, Debug)]
pub struct PeerFigures {
    /// What it said.
    pub report: RemoteReport,
    /// How long ago.
    pub age: Span,
}

impl CallFigures {
    /// A call's media at `now`.
    pub fn of(now: Moment, media: &Media) -> Self {
        let (agreed, rtcp) = (media.agreed(), media.rtcp());
        let peer = rtcp.reported().map(|report| PeerFigures { report, age: now.since(report.at) });
        Self {
            codec: agreed.codec,
            encrypted: agreed.keys.is_some(),
            held: !expects(agreed),
            reception: rtcp.figures(),
            peer,
            lost_there: rtcp.lost_there(),
            round_trip: rtcp.round_trip(),
            reports: *rtcp.counters(),
            drops: *media.drops(),
            media: *media.counters(),
            playout: media.gauges().stats(),
            said: media.gauges().sent(),
        }
    }
}

#[cfg(test)]
impl CallFigures {
    /// A call whose jitter buffer did this, and of which nothing else is known.
    pub(crate) fn of_playout(playout: Stats) -> Self {
        Self {
            codec: Codec::Pcmu,
            encrypted: false,
            held: false,
            reception: None,
            peer: None,
            lost_there: 0,
            round_trip: None,
            reports: RtcpCounters::default(),
            drops: DropCounters::default(),
            media: MediaCounters::default(),
            playout,
            said: Sent::default(),
        }
    }
}

/// Counts since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// The user agent's own.
    pub agent: agent::Counters,
    /// Its transactions'.
    pub transactions: transaction::Counters,
    /// Messages of strangers.
    pub turned_away: u64,
    /// SIP messages in, strangers' left out.
    pub messages_in: u64,
    /// SIP messages out.
    pub messages_out: u64,
    /// Messages that no connection took.
    pub unsendable: u64,
    /// Stream connections that stand.
    pub connections: u64,
    /// Stream connections turned away for want of room.
    pub connections_refused: u64,
    /// Calls that came in.
    pub calls_in: u64,
    /// Calls that we placed.
    pub calls_out: u64,
    /// Calls that were answered, both ways.
    pub answered: u64,
    /// Calls that are over.
    pub ended: u64,
    /// Calls refused as their number is in no route.
    pub no_route: u64,
    /// Calls refused for want of a media port.
    pub no_media: u64,
    /// Calls refused as nobody was there to answer them.
    pub absent: u64,
    /// Calls refused as whoever answers was in another call.
    pub busy: u64,
    /// Calls that we hung up as the wire was silent.
    pub silent: u64,
    /// Reports that found no room in their channel.
    pub reports_lost: u64,
}
