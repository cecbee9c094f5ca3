//! The call: datagrams come in at their times, the engine is pulled every 10 ms from 0 on.

use super::stream::{PAYLOAD_MAX, Stream};
use super::trace::{Arrival, Trace};
use crate::clock::Clock;
use crate::join;
use offhook_engine::codec::Unavailable;
use offhook_engine::decide::Mode;
use offhook_engine::{Playout, Settings, Stats};
use offhook_sip_rtp::media::stream::{GateConfig, Kind, PayloadMap, Reach, ReceiveGate, RtcpRoute};
use offhook_units::{Codec, Moment, SampleRate, Span, Ssrc};
use std::net::{Ipv4Addr, SocketAddr};

/// Between two pulls, ms.
const TICK_MS: u64 = 10;
/// Where the packets come from, as far as the gate is concerned.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5004);
/// No sender's.
const OURS: Ssrc = Ssrc(0x0FF4_0002);

/// What one pull gave.
#[derive(Debug)]
pub struct Pull<'a> {
    /// Its time: a packet that came then or before was there for it.
    pub now: Moment,
    /// 10 ms of sound, at the codec's rate.
    pub samples: &'a [i16],
    /// What the engine was doing at its end.
    pub mode: Mode,
    /// All that was counted so far.
    pub stats: &'a Stats,
    /// What the engine's delays are told against.
    pub floor: Span,
    /// What parsing, putting and rendering took, ns.
    pub cpu_ns: u64,
}

/// One replay. Call [`Session::pull`] until it gives `None`.
#[derive(Debug)]
pub struct Session<'a> {
    playout: Playout,
    stream: &'a Stream,
    gate: ReceiveGate,
    /// The datagram at hand: the gate decrypts in place.
    datagram: Vec<u8>,
    waiting: &'a [Arrival],
    clock: Clock,
    samples: Box<[i16]>,
    tick: u64,
    ticks: u64,
    refused: u64,
}

impl<'a> Session<'a> {
    /// For `stream` over the network of `trace`.
    ///
    /// # Errors
    /// [`Unavailable`] when the codec does not start.
    pub fn new(
        stream: &'a Stream,
        trace: &'a Trace,
        settings: Settings,
        clock: Clock,
    ) -> Result<Self, Unavailable> {
        let playout = Playout::new(stream.codec(), settings)?;
        let samples = vec![0; playout.tick_frames()].into();
        let ticks = pulls_in(trace);
        let (gate, datagram) = (gate(stream.codec()), Vec::new());
        let waiting = trace.arrivals();
        Ok(Self { playout, stream, gate, datagram, waiting, clock, samples, tick: 0, ticks, refused: 0 })
    }

    /// How many pulls there will be.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }

    /// The rate of what is pulled.
    pub fn rate(&self) -> SampleRate {
        self.playout.rate()
    }

    /// What the engine counted.
    pub fn stats(&self) -> &Stats {
        self.playout.stats()
    }

    /// Datagrams that were no packets of the call: none, unless something here is wrong.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The next 10 ms; `None` after the last.
    pub fn pull(&mut self) -> Option<Pull<'_>> {
        if self.tick == self.ticks {
            return None;
        }
        let now = Moment::from_millis(self.tick * TICK_MS);
        self.tick += 1;
        let began = self.clock.nanos();
        while let Some((arrival, later)) = self.waiting.split_first()
            && arrival.at <= now
        {
            self.waiting = later;
            self.receive(*arrival);
        }
        self.playout.render(now, &mut self.samples);
        let cpu_ns = self.clock.nanos().saturating_sub(began);
        let (mode, stats, floor) = (self.playout.mode(), self.playout.stats(), self.playout.floor());
        Some(Pull { now, samples: &self.samples, mode, stats, floor, cpu_ns })
    }

    /// A datagram came.
    fn receive(&mut self, arrival: Arrival) {
        self.datagram.clear();
        self.datagram.extend_from_slice(self.stream.datagram(arrival.packet));
        let incoming = self.gate.admit(arrival.at, PEER, &mut self.datagram).ok();
        let packet = incoming.and_then(|it| join::voice_packet(&it.packet, arrival.at, self.stream.codec()));
        match packet {
            Some(packet) => self.playout.put(&packet),
            None => self.refused += 1,
        }
    }
}

/// The door that a live call has, for a peer that sends `codec` and nothing else.
fn gate(codec: Codec) -> ReceiveGate {
    ReceiveGate::new(GateConfig {
        reach: Reach::Exact,
        expected: Some(PEER),
        rtcp: RtcpRoute::NextPort,
        symmetric: true,
        payloads: PayloadMap::default().with(join::payload_type(codec), Kind::Voice(codec)),
        local_ssrc: OURS,
        srtp: None,
        most_payload: PAYLOAD_MAX,
    })
}

/// How many pulls a replay of `trace` takes, the last one whole.
pub fn pulls_in(trace: &Trace) -> u64 {
    (trace.length().as_micros().max(0) as u64).div_ceil(TICK_MS * 1000)
}

#[cfg(test)]
mod tests {
    use super::super::{Sent, Voice};
    use super::*;
    use offhook_units::Codec;

    #[test]
    fn what_comes_with_a_pull_or_before_is_there_for_it() {
        let voice = Voice::new(vec![1_000; 480], SampleRate::HZ_8000);
        let stream = Stream::code(voice, Codec::Pcmu, 3, &mut || true).unwrap().unwrap();
        let sent = |packet, arrived_us| Sent {
            packet,
            sent: Moment::ZERO,
            arrived: Some(Moment::from_micros(arrived_us)),
        };
        let trace = Trace::new(vec![sent(0, 0), sent(1, 20_000), sent(2, 20_001)]);
        let mut session = Session::new(&stream, &trace, Settings::default(), Clock::start()).unwrap();
        let mut there = Vec::new();
        while let Some(pull) = session.pull() {
            there.push((pull.now.as_micros(), pull.stats.packets));
        }
        assert_eq!(there[..4], [(0, 1), (10_000, 1), (20_000, 2), (30_000, 3)]);
        assert_eq!((there.len() as u64, session.refused()), (pulls_in(&trace), 0));
        assert_eq!(pulls_in(&trace), 106, "60 ms of packets and a second");
    }
}
