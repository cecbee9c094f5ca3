//! RTCP of one call leg: what is told of RTP in and out goes into reports, and what the peer reports is kept until its
//! next report.

mod output;

use super::{
    Cname, DelayLimits, NtpTime, RtcpError, SourceStats, VoipMetrics,
    bursts::Bursts,
    compound::{Blocks, Compound, RtcpPacket, XrBlocks},
    ntp::round_trip,
    schedule::{Membership, Schedule},
    source::Arrival,
    xr::{MetricInputs, XrBlock},
};
use crate::media::{emodel::Equipment, packet::PacketView};
use offhook_units::{Moment, RtpTime, SampleRate, SeqNo, Span, Ssrc};

/// What one leg's RTCP has to know from the start.
#[derive(Clone, Copy, Debug)]
pub struct RtcpConfig {
    /// The SSRC that we send with.
    pub ssrc: Ssrc,
    /// Our name in this call.
    pub cname: Cname,
    /// Clock of the voice's RTP timestamps.
    pub clock: SampleRate,
    /// Length of the voice in one packet.
    pub packet: Span,
    /// Bandwidth of the session one way, in bits a second: RTCP takes a twentieth of it.
    pub bits_per_second: u32,
    /// How codec and concealment take loss.
    pub equipment: Equipment,
    /// Whether to send extended reports (RFC 3611).
    pub extended: bool,
    /// What the wall clock said at the origin of all moments.
    pub ntp_origin: NtpTime,
    /// Makes the times of reports unguessable and different from call to call.
    pub seed: u64,
}

/// The peer's view of what we send: its last report block about us.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RemoteReport {
    /// When it came.
    pub at: Moment,
    /// Share lost since its report before, 0 to 1.
    pub fraction_lost: f32,
    /// Packets lost since the beginning; negative when more came double.
    pub lost: i32,
    /// Inter-arrival jitter.
    pub jitter: Span,
    /// Its VoIP metrics about our stream (RFC 3611 4.7), if it ever sent any.
    pub metrics: Option<VoipMetrics>,
}

/// What came and what of it was no use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RtcpCounters {
    /// Datagrams taken.
    pub received: u64,
    /// Datagrams that were not RTCP.
    pub malformed: u64,
    /// Packets or report blocks about sources that are not in this call.
    pub foreign: u64,
    /// Datagrams sent.
    pub sent: u64,
}

/// How a leg is doing, for metrics, the call's page and the record of the call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LocalFigures {
    /// Packets sent with the present SSRC.
    pub sent: u32,
    /// Payload bytes sent with it.
    pub sent_bytes: u32,
    /// Packets received from the present source.
    pub received: u64,
    /// Payload bytes received from it.
    pub received_bytes: u64,
    /// Packets that it lost; negative when more came double.
    pub lost: i64,
    /// Inter-arrival jitter (RFC 3550 A.8).
    pub jitter: Span,
    /// There and back, if the peer ever answered.
    pub round_trip: Option<Span>,
    /// Bursts, ratings and scores.
    pub metrics: VoipMetrics,
}

/// The source that we hear.
#[derive(Debug)]
struct Remote {
    ssrc: Ssrc,
    stats: SourceStats,
    bursts: Bursts,
    heard_since_report: bool,
}

/// What we sent.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    packets: u32,
    bytes: u32,
    last: Option<(Moment, RtpTime)>,
    /// Reports since the last packet: after two we are no sender any more (RFC 3550 6.3.8).
    idle_reports: u8,
}

/// The peer's counts of what it missed, as one that never goes back.
#[derive(Clone, Copy, Debug, Default)]
struct LostThere {
    all: u64,
    /// The most that it reported of the present SSRC.
    most: u32,
}

impl LostThere {
    /// It says that it lost so many of those `sent`; more than these cannot be.
    fn put(&mut self, lost: i32, sent: u32) {
        let lost = u32::try_from(lost).unwrap_or(0).min(sent);
        self.all += u64::from(lost.saturating_sub(self.most));
        self.most = self.most.max(lost);
    }
}

/// A time of the peer's that a later report of ours answers.
#[derive(Clone, Copy, Debug)]
struct PeerTime {
    ssrc: Ssrc,
    middle: u32,
    at: Moment,
}

/// RTCP of one call leg.
///
/// Order of calls: [`rtp_sent`](Self::rtp_sent) and [`rtp_received`](Self::rtp_received) for each packet that
/// leaves or is admitted, [`handle_input`](Self::handle_input) for each RTCP datagram from an admitted address,
/// [`poll_output`](Self::poll_output) when [`poll_timeout`](Self::poll_timeout) says so, [`goodbye`](Self::goodbye) at
/// the end.
#[derive(Debug)]
pub struct RtcpSession {
    config: RtcpConfig,
    schedule: Schedule,
    sent: Sent,
    remote: Option<Remote>,
    sender_report: Option<PeerTime>,
    reference_time: Option<PeerTime>,
    round_trip: Option<Span>,
    buffer: DelayLimits,
    end_system_ms: u16,
    /// What the peer said of our present SSRC.
    reported: Option<RemoteReport>,
    reported_metrics: Option<VoipMetrics>,
    lost_there: LostThere,
    counters: RtcpCounters,
}

impl RtcpSession {
    /// Room that every datagram of ours fits in, with what SRTCP adds to it.
    pub const MOST_BYTES: usize = 256;

    /// RTCP of a leg that starts at `now`.
    pub fn new(config: RtcpConfig, now: Moment) -> Self {
        let alone = Membership { members: 1, senders: 1, we_sent: true };
        Self {
            schedule: Schedule::new(now, config.bits_per_second, config.seed, alone),
            config,
            sent: Sent::default(),
            remote: None,
            sender_report: None,
            reference_time: None,
            round_trip: None,
            buffer: DelayLimits::default(),
            end_system_ms: 0,
            reported: None,
            reported_metrics: None,
            lost_there: LostThere::default(),
            counters: RtcpCounters::default(),
        }
    }

    /// What was counted so far.
    pub const fn counters(&self) -> &RtcpCounters {
        &self.counters
    }

    /// A packet with `payload_bytes` left at `now` with the media time `time`.
    pub fn rtp_sent(&mut self, now: Moment, time: RtpTime, payload_bytes: usize) {
        self.sent.packets = self.sent.packets.wrapping_add(1);
        self.sent.bytes = self.sent.bytes.wrapping_add(payload_bytes as u32);
        self.sent.last = Some((now, time));
        self.sent.idle_reports = 0;
    }

    /// A packet of the call's source arrived at `at`. `timed` as in [`SourceStats::put`].
    pub fn rtp_received(&mut self, at: Moment, packet: &PacketView<'_>, timed: bool) -> Arrival {
        let clock = self.config.clock;
        let remote = match &mut self.remote {
            Some(remote) if remote.ssrc == packet.ssrc => remote,
            slot => slot.insert(Remote {
                ssrc: packet.ssrc,
                stats: SourceStats::new(packet.seq, clock),
                bursts: Bursts::default(),
                heard_since_report: true,
            }),
        };
        remote.heard_since_report = true;
        let arrival = remote.stats.put(at, packet, timed);
        match arrival {
            Arrival::Ahead | Arrival::Behind => remote.bursts.arrived(packet.seq),
            Arrival::Restarted => remote.bursts.restart(packet.seq),
            Arrival::Astray => {}
        }
        arrival
    }

    /// The jitter buffer threw a packet away unplayed.
    pub fn discarded(&mut self, seq: SeqNo) {
        if let Some(remote) = &mut self.remote {
            remote.bursts.discarded(seq);
        }
    }

    /// What the jitter buffer adds, and how long this device keeps a sound in all.
    pub fn set_delays(&mut self, buffer: DelayLimits, end_system_ms: u16) {
        (self.buffer, self.end_system_ms) = (buffer, end_system_ms);
    }

    /// We send as `ssrc` from now on; when it is another one, the counts of what was sent begin anew (RFC 3550 8.2), and
    /// what the peer said of the old one is over.
    pub fn set_ssrc(&mut self, ssrc: Ssrc) {
        if ssrc != self.config.ssrc {
            self.config.ssrc = ssrc;
            self.sent = Sent::default();
            (self.reported, self.reported_metrics) = (None, None);
            self.lost_there.most = 0;
        }
    }

    /// Another codec was negotiated. What was received is counted anew when the clock is another one, for its
    /// jitter was counted in units of the old.
    pub fn set_codec(&mut self, clock: SampleRate, packet: Span, equipment: Equipment) {
        if clock != self.config.clock {
            self.remote = None;
        }
        (self.config.clock, self.config.packet, self.config.equipment) = (clock, packet, equipment);
    }

    /// How this leg is doing; `None` before the first packet.
    pub fn figures(&self) -> Option<LocalFigures> {
        let remote = self.remote.as_ref()?;
        Some(LocalFigures {
            sent: self.sent.packets,
            sent_bytes: self.sent.bytes,
            received: remote.stats.received(),
            received_bytes: remote.stats.bytes(),
            lost: remote.stats.lost(),
            jitter: self.config.clock.span_of(i64::from(remote.stats.jitter())),
            round_trip: self.round_trip,
            metrics: self.metrics(remote),
        })
    }

    /// How our stream arrives at the peer, as it said last; `None` before its first report on the present SSRC.
    pub fn reported(&self) -> Option<RemoteReport> {
        self.reported.map(|report| RemoteReport { metrics: self.reported_metrics, ..report })
    }

    /// Packets of ours that the peer missed, by its reports on all our SSRCs: never less than before.
    pub const fn lost_there(&self) -> u64 {
        self.lost_there.all
    }

    /// There and back, without the peer's own delay, if it ever answered.
    pub const fn round_trip(&self) -> Option<Span> {
        self.round_trip
    }

    /// Takes an RTCP datagram from an address that the call admits.
    ///
    /// # Errors
    /// [`RtcpError`] when it is none; it is counted and changes nothing.
    pub fn handle_input(&mut self, now: Moment, datagram: &[u8]) -> Result<(), RtcpError> {
        let compound = Compound::parse(datagram).inspect_err(|_| self.counters.malformed += 1)?;
        self.counters.received += 1;
        self.schedule.measure(datagram.len());
        for packet in compound.packets() {
            match packet {
                RtcpPacket::SenderReport { ssrc, info, reports } => {
                    self.sender_report = Some(PeerTime { ssrc, middle: info.ntp.middle(), at: now });
                    self.take_reports(now, reports);
                }
                RtcpPacket::ReceiverReport { reports, .. } => self.take_reports(now, reports),
                RtcpPacket::Extended { ssrc, blocks } => self.take_extended(now, ssrc, blocks),
                // Not the end of the call: that is SIP's to say, and streams do come back.
                RtcpPacket::Goodbye { ssrcs } => {
                    let known = |ssrc| self.remote.as_ref().is_some_and(|remote| remote.ssrc == ssrc);
                    self.counters.foreign += u64::from(!ssrcs.iter().any(known));
                }
                RtcpPacket::SourceDescription { .. } | RtcpPacket::Other(_) => {}
            }
        }
        Ok(())
    }

    /// When [`poll_output`](Self::poll_output) may have a report.
    pub fn poll_timeout(&self) -> Moment {
        self.schedule.next()
    }

    /// Writes the report that is due, if one is, and returns its length.
    pub fn poll_output(&mut self, now: Moment, out: &mut [u8; Self::MOST_BYTES]) -> Option<usize> {
        let membership = self.membership();
        if !self.schedule.is_due(now, membership) {
            return None;
        }
        let length = self.write(now, out, false).ok()?;
        self.schedule.sent(now, length, membership);
        self.counters.sent += 1;
        Some(length)
    }

    /// Writes the last datagram of the leg: a report and a goodbye (RFC 3550 6.3.7: at once, for so few
    /// members). `None` if nothing was ever sent, neither RTP nor RTCP.
    pub fn goodbye(&mut self, now: Moment, out: &mut [u8; Self::MOST_BYTES]) -> Option<usize> {
        if self.sent.packets == 0 && self.counters.sent == 0 {
            return None;
        }
        let length = self.write(now, out, true).ok()?;
        self.counters.sent += 1;
        Some(length)
    }

    fn membership(&self) -> Membership {
        let we_sent = self.is_sender();
        let heard = self.remote.is_some();
        Membership { members: 1 + u32::from(heard), senders: u32::from(we_sent) + u32::from(heard), we_sent }
    }

    fn is_sender(&self) -> bool {
        self.sent.last.is_some() && self.sent.idle_reports < 2
    }

    fn take_reports(&mut self, now: Moment, reports: Blocks<'_>) {
        for report in reports.iter() {
            if report.ssrc != self.config.ssrc {
                self.counters.foreign += 1;
                continue;
            }
            let ntp = self.config.ntp_origin.at(now);
            let way = round_trip(ntp, report.last_report, report.delay_since);
            self.round_trip = way.or(self.round_trip);
            self.lost_there.put(report.lost, self.sent.packets);
            self.reported = Some(RemoteReport {
                at: now,
                fraction_lost: f32::from(report.fraction_lost) / 256.0,
                lost: report.lost,
                jitter: self.config.clock.span_of(i64::from(report.jitter)),
                metrics: None,
            });
        }
    }

    fn take_extended(&mut self, now: Moment, ssrc: Ssrc, blocks: XrBlocks<'_>) {
        for block in blocks.iter() {
            match block {
                XrBlock::ReferenceTime(ntp) => {
                    self.reference_time = Some(PeerTime { ssrc, middle: ntp.middle(), at: now });
                }
                XrBlock::Dlrr(item) if item.ssrc == self.config.ssrc => {
                    let way = round_trip(self.config.ntp_origin.at(now), item.last, item.delay);
                    self.round_trip = way.or(self.round_trip);
                }
                XrBlock::Voip(metrics) if metrics.ssrc == self.config.ssrc => {
                    self.reported_metrics = Some(metrics);
                }
                XrBlock::Dlrr(_) | XrBlock::Voip(_) => self.counters.foreign += 1,
            }
        }
    }

    fn metrics(&self, remote: &Remote) -> VoipMetrics {
        let inputs = MetricInputs {
            ssrc: remote.ssrc,
            packet: self.config.packet,
            round_trip: self.round_trip,
            end_system_ms: self.end_system_ms,
            equipment: self.config.equipment,
            buffer: self.buffer,
        };
        VoipMetrics::measured(&remote.bursts.figures(), &inputs)
    }
}
