//! One call as this thread has it: its sockets from the start, its media once they are agreed.

use super::media::{Media, NotYet};
use super::ports::Ports;
use super::routes::Target;
use super::settings;
use super::sockets::{Buffer, Datagrams};
use crate::clock::Clock;
use crate::rings::MOST_PAYLOAD;
use mio::{Registry, Token};
use offhook_sip_rtp::media::rtcp::RtcpSession;
use offhook_sip_rtp::media::srtp::MOST_OVERHEAD;
use offhook_units::{Moment, Span};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// Datagrams read from one socket at a time. Two ticks' worth of a stream of 2.5 ms packets; of a flood, what is
/// over waits in the socket, and is lost there.
const MOST_AT_ONCE: usize = 64;
/// Longest RTP packet that we write: header, payload, and what SRTP adds.
const LONGEST_PACKET: usize = 12 + MOST_PAYLOAD + MOST_OVERHEAD;
/// Pairs of ports that are tried when other programs have some of them.
const TRIES: usize = 8;

/// A pair of media sockets.
#[derive(Debug)]
pub(super) struct Sockets {
    port: u16,
    rtp: Datagrams,
    rtcp: Datagrams,
}

impl Sockets {
    /// The next free pair of `ports` on `addr`.
    ///
    /// # Errors
    /// The system's last, or that no pair is free.
    pub(super) fn open(ports: &mut Ports, addr: IpAddr, settings: &settings::Media) -> io::Result<Self> {
        let mut last = io::Error::from(io::ErrorKind::AddrInUse);
        for _ in 0..TRIES.min(ports.left()) {
            let Some(port) = ports.take() else { break };
            let bind = |port| Datagrams::bind_media(SocketAddr::new(addr, port), settings.dscp);
            match bind(port).and_then(|rtp| Ok(Self { port, rtp, rtcp: bind(port + 1)? })) {
                Ok(pair) => return Ok(pair),
                Err(error) => last = error,
            }
            ports.give_back(port);
        }
        Err(last)
    }

    /// The RTP port.
    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Watches both.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn register(&mut self, registry: &Registry, rtp: Token, rtcp: Token) -> io::Result<()> {
        self.rtp.register(registry, rtp)?;
        self.rtcp.register(registry, rtcp)
    }

    /// Watches them no more; their ports are free for another call.
    pub(super) fn close(mut self, registry: &Registry, ports: &mut Ports) {
        self.rtp.deregister(registry);
        self.rtcp.deregister(registry);
        ports.give_back(self.port);
    }
}

/// Which of the two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Voice, and all else where both share it.
    Rtp,
    /// Reports.
    Rtcp,
}

/// A call.
#[derive(Debug)]
pub(super) struct Leg {
    /// Its sockets.
    pub(super) sockets: Sockets,
    /// What answers it.
    pub(super) target: Target,
    /// Its media, once agreed.
    pub(super) media: Option<Media>,
    /// When it is to be answered, if it rings first, or handed on.
    pub(super) act_at: Option<Moment>,
    /// Whoever answers is in it.
    pub(super) is_engaged: bool,
    /// It stands.
    pub(super) is_answered: bool,
    /// We placed it.
    pub(super) ours: bool,
    /// When it began.
    pub(super) began: Moment,
    /// When its next packet is due from the audio thread.
    next_packet: Moment,
}

impl Leg {
    /// A call that begins.
    pub(super) const fn new(now: Moment, sockets: Sockets, target: Target, ours: bool) -> Self {
        Self {
            sockets,
            target,
            media: None,
            act_at: None,
            is_engaged: false,
            is_answered: false,
            ours,
            began: now,
            next_packet: Moment::ZERO,
        }
    }

    /// Whether it is only answered to be handed on.
    pub(super) const fn is_transfer(&self) -> bool {
        matches!(self.target, Target::Transfer(_))
    }

    /// Reads what came; whether there may be more.
    pub(super) fn read(&mut self, clock: &Clock, side: Side, buffer: &mut Buffer) -> bool {
        for _ in 0..MOST_AT_ONCE {
            let socket = if side == Side::Rtp { &self.sockets.rtp } else { &self.sockets.rtcp };
            let received = match socket.receive(buffer) {
                Ok(received) => received,
                // An error that the network told is this datagram's end, not the socket's.
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            };
            let Some(media) = &mut self.media else { continue };
            let now = clock.now();
            let stamp = received.stamp.map_or(now, |stamp| clock.stamped(stamp));
            let datagram = buffer.filled(received.length);
            match side {
                Side::Rtp => media.receive(now, stamp, received.from, datagram),
                Side::Rtcp => media.receive_rtcp(now, received.from, datagram),
            }
        }
        true
    }

    /// Sends the packet of `tick`, if one is due; whether it is still missing.
    pub(super) fn send(&mut self, now: Moment, tick: Moment) -> bool {
        let Some(media) = self.media.as_mut().filter(|_| self.next_packet <= tick) else { return false };
        let mut packet = [0; LONGEST_PACKET];
        match media.send(now, &mut packet) {
            Err(NotYet) => return true,
            Ok(Some((length, to))) => {
                // What the system does not take now is lost, as a router might have lost it.
                let _ = self.sockets.rtp.send(packet.get(..length).unwrap_or(&[]), to);
            }
            Ok(None) => {}
        }
        // A packet that was late brings the next one a tick early, until the queue is as short as it was.
        let packet = Span::from_millis(i64::from(media.packet_ms()));
        self.next_packet =
            if self.next_packet + packet > tick { self.next_packet + packet } else { tick + packet };
        false
    }

    /// Does what is due, and sends the reports that are.
    pub(super) fn handle_timeout(&mut self, now: Moment) {
        let Some(media) = &mut self.media else { return };
        if media.poll_timeout() > now && !media.has_clash() {
            return;
        }
        media.handle_timeout(now);
        let mut report = [0; RtcpSession::MOST_BYTES];
        if let Some((length, to, shared)) = media.poll_rtcp(now, &mut report) {
            self.sockets.send_report(report.get(..length).unwrap_or(&[]), to, shared);
        }
    }

    /// Says goodbye on the wire.
    pub(super) fn goodbye(&mut self, now: Moment) {
        let Some(media) = &mut self.media else { return };
        let mut report = [0; RtcpSession::MOST_BYTES];
        if let Some((length, to, shared)) = media.goodbye(now, &mut report) {
            self.sockets.send_report(report.get(..length).unwrap_or(&[]), to, shared);
        }
    }
}

impl Sockets {
    fn send_report(&self, report: &[u8], to: SocketAddr, shared: bool) {
        let socket = if shared { &self.rtp } else { &self.rtcp };
        // The next report says the same and more.
        let _ = socket.send(report, to);
    }
}
