//! One call of the demonstration as its caller has it: the voice goes out over a bad network, what comes back is kept
//! where it belongs in time, and so is what the far end reports of our stream. Told the time, handed its bytes.

use crate::replay::{PACKET_MS, Stream, Trace};
use offhook_engine::codec::{Decoder, Unavailable};
use offhook_sip_rtp::media::demux::Datagram;
use offhook_sip_rtp::media::packet::PacketView;
use offhook_sip_rtp::media::rtcp::{Compound, RtcpPacket, VoipMetrics, XrBlock};
use offhook_units::{Moment, RtpTime, Ssrc};

/// What the far end reported last of our stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reported {
    /// Packets that never came.
    pub lost: Option<i32>,
    /// Its extended report.
    pub metrics: Option<VoipMetrics>,
}

/// A call that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// What came back, sample 0 at the instant when packet 0 was sent.
    pub samples: Vec<i16>,
    /// Packets that came back.
    pub packets: u32,
    /// What the far end told.
    pub reported: Reported,
}

/// A call that goes on.
#[derive(Debug)]
pub(super) struct Leg<'a> {
    stream: &'a Stream,
    trace: &'a Trace,
    ssrc: Ssrc,
    decoder: Decoder,
    began: Option<Moment>,
    /// Of the trace's arrivals, the next to be sent.
    next: usize,
    /// When the first packet came back, and its media time.
    first: Option<(Moment, RtpTime)>,
    heard: Heard,
}

impl<'a> Leg<'a> {
    /// A call that has not begun yet. `stream` is longer than the trace.
    pub(super) fn new(stream: &'a Stream, trace: &'a Trace) -> Result<Self, Unavailable> {
        let ssrc = PacketView::parse(stream.datagram(0)).map_or(Ssrc(0), |packet| packet.ssrc);
        let heard = Heard { samples: Vec::new(), packets: 0, reported: Reported::default() };
        let decoder = Decoder::new(stream.codec())?;
        Ok(Self { stream, trace, ssrc, decoder, began: None, next: 0, first: None, heard })
    }

    /// The call stands: packet 0 is sent now.
    pub(super) const fn begin(&mut self, now: Moment) {
        if self.began.is_none() {
            self.began = Some(now);
        }
    }

    /// The next datagram that the network has delivered by `now`.
    pub(super) fn poll_datagram(&mut self, now: Moment) -> Option<&'a [u8]> {
        let began = self.began?;
        let arrival = self.trace.arrivals().get(self.next)?;
        if began + arrival.at.since(Moment::ZERO) > now {
            return None;
        }
        self.next += 1;
        Some(self.stream.datagram(arrival.packet))
    }

    /// Something came back at `now` on the port of the voice, which reports may share.
    pub(super) fn receive(&mut self, now: Moment, datagram: &[u8]) {
        if Datagram::of(datagram) == Datagram::Rtcp {
            return self.receive_report(datagram);
        }
        let (Some(began), Ok(packet)) = (self.began, PacketView::parse(datagram)) else { return };
        let codec = self.stream.codec();
        let mut pcm = [0; 2_048];
        let Ok(made) = self.decoder.decode(packet.payload, &mut pcm) else { return };
        let (first_at, first_time) = *self.first.get_or_insert((now, packet.time));
        let lead = first_at.since(began).as_micros() * i64::from(codec.sample_rate().hz()) / 1_000_000;
        // Signed: what was overtaken lies before the first. G.711's clock ticks once a sample.
        let place = lead + i64::from(packet.time.0.wrapping_sub(first_time.0).cast_signed());
        let most = codec.sample_rate().frames_in_ms((self.trace.length().as_micros() / 1000) as u32);
        let Some(place) = usize::try_from(place).ok().filter(|place| place + made <= most) else { return };
        self.heard.packets += 1;
        let end = (place + made).max(self.heard.samples.len());
        self.heard.samples.resize(end, 0);
        if let Some(room) = self.heard.samples.get_mut(place..place + made) {
            room.iter_mut().zip(&pcm).for_each(|(to, from)| *to = *from);
        }
    }

    /// A report came.
    pub(super) fn receive_report(&mut self, datagram: &[u8]) {
        let Ok(compound) = Compound::parse(datagram) else { return };
        for packet in compound.packets() {
            match packet {
                RtcpPacket::SenderReport { reports, .. } | RtcpPacket::ReceiverReport { reports, .. } => {
                    let ours = reports.iter().find(|report| report.ssrc == self.ssrc);
                    self.heard.reported.lost = ours.map(|report| report.lost).or(self.heard.reported.lost);
                }
                RtcpPacket::Extended { blocks, .. } => {
                    for block in blocks.iter() {
                        if let XrBlock::Voip(metrics) = block
                            && metrics.ssrc == self.ssrc
                        {
                            self.heard.reported.metrics = Some(metrics);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Packets that were sent or lost by `now`.
    pub(super) fn sent(&self, now: Moment) -> u32 {
        let since = self.began.map_or(0, |began| now.since(began).as_micros().max(0) / 1000);
        ((since / i64::from(PACKET_MS)) as u32).min(self.trace.packets())
    }

    /// Whether all was sent and had its time to come back.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.began.is_some_and(|began| now.since(began) >= self.trace.length())
    }

    /// What became of it.
    pub(super) fn finish(self) -> Heard {
        self.heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{Sent, Voice};
    use offhook_units::{Codec, SampleRate};

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    fn stream() -> Stream {
        let voice = Voice::new((0..1_600).map(|n| n * 20).collect(), SampleRate::HZ_8000);
        Stream::code(voice, Codec::Pcmu, 10, &mut || true).unwrap().unwrap()
    }

    fn trace() -> Trace {
        let rows = [(0, Some(35)), (1, None), (2, Some(90)), (3, Some(75))];
        let row = |(packet, arrived): (u32, Option<u64>)| Sent {
            packet,
            sent: at(u64::from(packet * PACKET_MS)),
            arrived: arrived.map(at),
        };
        Trace::new(rows.map(row).into())
    }

    #[test]
    fn packets_leave_when_the_network_delivers_them_and_lost_ones_never() {
        let (stream, trace) = (stream(), trace());
        let mut leg = Leg::new(&stream, &trace).unwrap();
        assert_eq!(leg.poll_datagram(at(9_000)), None, "not before the call stands");
        leg.begin(at(1_000));
        assert_eq!(leg.poll_datagram(at(1_034)), None);
        assert_eq!(leg.poll_datagram(at(1_035)), Some(stream.datagram(0)));
        assert_eq!(leg.poll_datagram(at(1_080)), Some(stream.datagram(3)), "overtaken");
        assert_eq!(leg.poll_datagram(at(1_080)), None);
        assert_eq!(leg.poll_datagram(at(1_090)), Some(stream.datagram(2)));
        assert_eq!(leg.poll_datagram(at(60_000)), None);
        assert_eq!((leg.sent(at(1_045)), leg.sent(at(60_000))), (2, 4));
        assert!(!leg.is_over(at(2_080)) && leg.is_over(at(2_090)));
    }

    #[test]
    fn what_comes_back_lies_at_its_media_time_behind_the_first_arrival() {
        let (stream, trace) = (stream(), trace());
        let mut leg = Leg::new(&stream, &trace).unwrap();
        leg.receive(at(900), stream.datagram(0));
        leg.begin(at(1_000));
        for (ms, packet) in [(1_100, 1), (1_119, 3), (1_121, 2), (1_122, 9)] {
            leg.receive(at(ms), stream.datagram(packet));
        }
        leg.receive(at(1_130), b"no RTP");
        let heard = leg.finish();
        assert_eq!(heard.packets, 4);
        // 100 ms of nothing, packets 1 to 3, then a hole up to packet 9.
        assert_eq!(heard.samples.len(), 800 + 9 * 160);
        assert!(heard.samples[..800].iter().all(|s| *s == 0));
        let close = |place: usize, said: i16| (heard.samples[place] - said).abs() <= said / 16 + 8;
        assert!(close(800 + 100, 260 * 20) && close(800 + 400, 560 * 20), "{:?}", &heard.samples[800..]);
        assert!(heard.samples[800 + 480..800 + 8 * 160].iter().all(|s| *s == 0));
    }
}
