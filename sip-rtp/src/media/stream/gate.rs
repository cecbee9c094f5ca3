//! The door of one call leg: every datagram on its ports passes here or is counted by why it did not.

use super::{
    Kind, PayloadMap, Reach,
    latch::{Latch, Verdict},
    sources::{Place, Sources},
};
use crate::media::{
    demux::Datagram,
    packet::{PacketError, PacketView},
    srtp::{SrtpError, SrtpReceiver},
};
use offhook_units::{Moment, Ssrc};
use std::net::SocketAddr;

/// What a gate has to know of the session.
#[derive(Debug)]
pub struct GateConfig {
    /// From where media is taken.
    pub reach: Reach,
    /// The address in the peer's SDP; `None` while there is none that can be sent to.
    pub expected: Option<SocketAddr>,
    /// Where it wants RTCP, as far as SDP says (RFC 3605), or that RTCP shares the port of RTP (RFC 5761).
    pub rtcp: RtcpRoute,
    /// Send to where the peer sends from (RFC 4961), not to where its SDP says: right for nearly all, and
    /// needed behind NAT.
    pub symmetric: bool,
    /// The negotiated payload types.
    pub payloads: PayloadMap,
    /// The SSRC that we send with.
    pub local_ssrc: Ssrc,
    /// The peer's key, when the session is encrypted.
    pub srtp: Option<SrtpReceiver>,
    /// Longest payload that is taken, in bytes: what a packet slot further on holds.
    pub most_payload: usize,
}

/// Where RTCP goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtcpRoute {
    /// With RTP.
    Multiplexed,
    /// To the port above RTP's.
    NextPort,
    /// To an address of its own.
    At(SocketAddr),
}

/// A packet of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming<'a> {
    /// What it carries.
    pub kind: Kind,
    /// The packet, decrypted.
    pub packet: PacketView<'a>,
    /// The first packet of a new source: what is known of the stream before does not hold any more.
    pub new_source: bool,
}

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dropped {
    /// No RTP by its first bytes: STUN, DTLS, noise.
    NotRtp,
    /// RTCP on the port that is not for it; hand it to [`ReceiveGate::admit_rtcp`] where both share one.
    Rtcp,
    /// A malformed RTP header.
    Header(PacketError),
    /// Not from where the call's media comes.
    Address,
    /// SRTP refused it.
    Secrecy(SrtpError),
    /// A payload type that was not negotiated.
    PayloadType,
    /// No payload at all.
    Empty,
    /// A payload longer than any that was negotiated.
    Oversized,
    /// Another source beside the call's.
    Source,
}

/// How many datagrams were taken, and how many were dropped for which reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropCounters {
    /// RTP packets taken.
    pub admitted: u64,
    /// RTCP datagrams taken.
    pub admitted_rtcp: u64,
    counts: [u64; Dropped::KINDS],
}

impl Dropped {
    const KINDS: usize = 9;

    /// Every reason with its name in metrics. The detail of a header's or SRTP's refusal is not counted apart.
    pub const ALL: [(Self, &str); Self::KINDS] = [
        (Self::NotRtp, "not_rtp"),
        (Self::Rtcp, "rtcp"),
        (Self::Header(PacketError::Short), "header"),
        (Self::Address, "address"),
        (Self::Secrecy(SrtpError::NotAuthentic), "secrecy"),
        (Self::PayloadType, "payload_type"),
        (Self::Empty, "empty"),
        (Self::Oversized, "oversized"),
        (Self::Source, "source"),
    ];

    const fn place(self) -> usize {
        match self {
            Self::NotRtp => 0,
            Self::Rtcp => 1,
            Self::Header(_) => 2,
            Self::Address => 3,
            Self::Secrecy(_) => 4,
            Self::PayloadType => 5,
            Self::Empty => 6,
            Self::Oversized => 7,
            Self::Source => 8,
        }
    }
}

impl DropCounters {
    /// Datagrams dropped for `reason`, whatever its detail.
    pub fn dropped(&self, reason: Dropped) -> u64 {
        self.counts.get(reason.place()).copied().unwrap_or(0)
    }

    /// All dropped datagrams.
    pub fn all_dropped(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn count(&mut self, reason: Dropped) {
        if let Some(count) = self.counts.get_mut(reason.place()) {
            *count += 1;
        }
    }
}

/// Something about the stream that its owner has to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateEvent {
    /// The peer sends from here: send there from now on.
    Remote(SocketAddr),
    /// The peer uses our SSRC: say goodbye with it and take another (RFC 3550 8.2), then tell
    /// [`ReceiveGate::set_local_ssrc`]. Told once; a peer that follows the change sends our own packets back.
    SsrcClash,
}

/// The receive gate of one leg.
///
/// Order of calls: [`admit`](Self::admit) for each datagram on the RTP port and
/// [`admit_rtcp`](Self::admit_rtcp) for each on the RTCP port (with RTCP multiplexing, for what
/// [`Datagram::of`] calls RTCP), then [`poll_event`](Self::poll_event) until `None`.
#[derive(Debug)]
pub struct ReceiveGate {
    latch: Latch,
    symmetric: bool,
    rtcp: RtcpRoute,
    /// Whence the peer's RTCP came last.
    rtcp_from: Option<SocketAddr>,
    payloads: PayloadMap,
    sources: Sources,
    srtp: Option<SrtpReceiver>,
    local_ssrc: Ssrc,
    most_payload: usize,
    counters: DropCounters,
    new_remote: Option<SocketAddr>,
    clash: Clash,
}

/// How far a clash of SSRCs has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clash {
    None,
    /// To be told.
    Seen,
    /// Told; a second one is an echo of ourselves and changes nothing.
    Told,
}

impl ReceiveGate {
    /// A gate for the session of `config`.
    pub fn new(config: GateConfig) -> Self {
        Self {
            latch: Latch::new(config.reach, config.expected),
            symmetric: config.symmetric,
            rtcp: config.rtcp,
            rtcp_from: None,
            payloads: config.payloads,
            sources: Sources::default(),
            srtp: config.srtp,
            local_ssrc: config.local_ssrc,
            most_payload: config.most_payload,
            counters: DropCounters::default(),
            new_remote: None,
            clash: Clash::None,
        }
    }

    /// The session was negotiated anew: another address opens the latch, the same one does not.
    pub fn renegotiate(&mut self, expected: Option<SocketAddr>, rtcp: RtcpRoute, payloads: PayloadMap) {
        self.latch.renegotiate(expected);
        self.payloads = payloads;
        if self.rtcp != rtcp {
            (self.rtcp, self.rtcp_from) = (rtcp, None);
        }
    }

    /// The peer has another key, or encrypts no more.
    pub fn set_srtp(&mut self, srtp: Option<SrtpReceiver>) {
        self.srtp = srtp;
    }

    /// We send with another SSRC.
    pub fn set_local_ssrc(&mut self, ssrc: Ssrc) {
        self.local_ssrc = ssrc;
    }

    /// Where to send RTP to; `None` while nothing is known.
    pub fn remote(&self) -> Option<SocketAddr> {
        if self.symmetric { self.latch.remote() } else { self.latch.expected() }
    }

    /// Where to send RTCP to; `None` while nothing is known.
    pub fn rtcp_remote(&self) -> Option<SocketAddr> {
        let learnt = self.rtcp_from.filter(|from| self.symmetric && self.latch.knows_host(*from));
        match self.rtcp {
            RtcpRoute::Multiplexed => self.remote(),
            RtcpRoute::At(address) => learnt.or(Some(address)),
            RtcpRoute::NextPort => learnt.or_else(|| {
                let mut address = self.remote()?;
                address.set_port(address.port().checked_add(1)?);
                Some(address)
            }),
        }
    }

    /// What was taken and dropped so far.
    pub const fn counters(&self) -> &DropCounters {
        &self.counters
    }

    /// Whether a datagram that arrived at `now` from `from` is a packet of the call; SRTP is decrypted in place.
    ///
    /// # Errors
    /// [`Dropped`], which is counted already.
    pub fn admit<'a>(
        &mut self,
        now: Moment,
        from: SocketAddr,
        datagram: &'a mut [u8],
    ) -> Result<Incoming<'a>, Dropped> {
        let incoming = self.judge(now, from, datagram);
        match &incoming {
            Ok(_) => self.counters.admitted += 1,
            Err(reason) => self.counters.count(*reason),
        }
        incoming
    }

    /// Whether a datagram is RTCP of the call; SRTCP is decrypted in place, and what is to be parsed returned.
    ///
    /// # Errors
    /// [`Dropped`], which is counted already.
    pub fn admit_rtcp<'a>(&mut self, from: SocketAddr, datagram: &'a mut [u8]) -> Result<&'a [u8], Dropped> {
        let admitted = self.judge_rtcp(from, datagram);
        match &admitted {
            Ok(_) => {
                self.counters.admitted_rtcp += 1;
                self.rtcp_from = Some(from);
            }
            Err(reason) => self.counters.count(*reason),
        }
        admitted
    }

    /// The next thing to act on.
    pub fn poll_event(&mut self) -> Option<GateEvent> {
        if let Some(remote) = self.new_remote.take() {
            return Some(GateEvent::Remote(remote));
        }
        if self.clash == Clash::Seen {
            self.clash = Clash::Told;
            return Some(GateEvent::SsrcClash);
        }
        None
    }

    /// The cheap questions come first: a stranger's flood costs a comparison a packet.
    fn judge<'a>(
        &mut self,
        now: Moment,
        from: SocketAddr,
        datagram: &'a mut [u8],
    ) -> Result<Incoming<'a>, Dropped> {
        if !self.latch.may_be_ours(now, from) {
            return Err(Dropped::Address);
        }
        match Datagram::of(datagram) {
            Datagram::Rtp => {}
            Datagram::Rtcp => return Err(Dropped::Rtcp),
            _ => return Err(Dropped::NotRtp),
        }
        let length = match &mut self.srtp {
            Some(srtp) => srtp.unprotect_rtp(datagram).map_err(Dropped::Secrecy)?,
            None => datagram.len(),
        };
        let plain = datagram.get(..length).ok_or(Dropped::NotRtp)?;
        let packet = PacketView::parse(plain).map_err(Dropped::Header)?;
        let kind = self.payloads.kind(packet.payload_type).ok_or(Dropped::PayloadType)?;
        if packet.payload.is_empty() {
            return Err(Dropped::Empty);
        }
        if packet.payload.len() > self.most_payload {
            return Err(Dropped::Oversized);
        }
        let proven = self.srtp.is_some();
        match self.latch.judge(now, from, &packet, proven) {
            Verdict::Ours => {}
            Verdict::Latched => {
                self.new_remote = self.symmetric.then_some(from);
                self.sources.move_to(packet.ssrc);
            }
            Verdict::Foreign => return Err(Dropped::Address),
        }
        let new_source = match self.sources.place(now, &packet, proven) {
            Place::Present => false,
            Place::Changed => true,
            Place::Unproven => return Err(Dropped::Source),
        };
        if self.sources.present() == Some(self.local_ssrc) && self.clash == Clash::None {
            self.clash = Clash::Seen;
        }
        Ok(Incoming { kind, packet, new_source })
    }

    fn judge_rtcp<'a>(&mut self, from: SocketAddr, datagram: &'a mut [u8]) -> Result<&'a [u8], Dropped> {
        if !self.latch.knows_host(from) {
            return Err(Dropped::Address);
        }
        if Datagram::of(datagram) != Datagram::Rtcp {
            return Err(Dropped::NotRtp);
        }
        let length = match &mut self.srtp {
            Some(srtp) => srtp.unprotect_rtcp(datagram).map_err(Dropped::Secrecy)?,
            None => datagram.len(),
        };
        datagram.get(..length).ok_or(Dropped::NotRtp)
    }
}

#[cfg(test)]
mod tests;
