//! What a player does that does not think: it waits a fixed time, plays on the beat, and is silent where a
//! packet is missing.

use crate::join;
use crate::replay::{PACKET_MS, Stream, Trace};
use offhook_engine::codec::{Decoder, Unavailable};
use offhook_sip_rtp::media::packet::PacketView;
use offhook_units::{Moment, Span};

/// How long the first packet waits.
const WAIT: Span = Span::from_millis(40);
/// It plays in steps of 10 ms, as the engine does, µs.
const TICK_US: u64 = 10_000;

/// A stream as the simple player plays it.
#[derive(Clone, Debug)]
pub struct FixedBuffer {
    /// From the instant when packet 0 was sent, at the codec's rate.
    pub samples: Vec<i16>,
    /// Packets that were not there in time.
    pub gaps: u32,
}

impl FixedBuffer {
    /// Plays `stream` over the network of `trace`.
    ///
    /// # Errors
    /// [`Unavailable`] when the codec does not start.
    pub fn play(stream: &Stream, trace: &Trace) -> Result<Self, Unavailable> {
        let rate = stream.codec().sample_rate();
        let frames = rate.frames_in_ms(PACKET_MS);
        let length = trace.length().as_micros().max(0) as u64;
        let mut samples = vec![0; rate.frames_in_ms(length.div_ceil(1000) as u32)];
        let mut arrived = vec![None; trace.packets() as usize];
        for arrival in trace.arrivals().iter().rev() {
            if let Some(slot) = arrived.get_mut(arrival.packet as usize) {
                *slot = Some(arrival.at);
            }
        }
        let Some(first) = trace.arrivals().first() else {
            return Ok(Self { samples, gaps: trace.packets() });
        };
        let sent = |packet: u32| Span::from_millis(i64::from(packet) * i64::from(PACKET_MS));
        let start = (first.at + WAIT).as_micros().div_ceil(TICK_US) * TICK_US;
        let start = Moment::from_micros(start) - sent(first.packet);
        let mut decoder = Decoder::new(stream.codec())?;
        let mut gaps = 0;
        for (packet, came) in (0..).zip(arrived) {
            let due = start + sent(packet);
            let payload = came.filter(|came| *came <= due).and_then(|came| {
                let view = PacketView::parse(stream.datagram(packet)).ok()?;
                Some(join::voice_packet(&view, came, stream.codec())?.payload)
            });
            let from = (due.as_micros() * u64::from(rate.hz()) / 1_000_000) as usize;
            let place = samples.get_mut(from..from + frames);
            let played = payload.zip(place).map(|(payload, place)| decoder.decode(payload, place));
            gaps += u32::from(!matches!(played, Some(Ok(_))));
        }
        Ok(Self { samples, gaps })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::{Sent, Voice};
    use offhook_units::Codec;

    fn sent(packet: u32, arrived_ms: Option<u64>) -> Sent {
        let sent = Moment::from_millis(u64::from(packet * PACKET_MS));
        Sent { packet, sent, arrived: arrived_ms.map(Moment::from_millis) }
    }

    #[test]
    fn what_is_late_or_lost_is_silence_and_the_rest_is_on_the_beat() {
        let voice = Voice::from_wav(super::super::VOICE_WAV).unwrap();
        let trace = Trace::new(vec![sent(0, Some(12)), sent(1, None), sent(2, Some(101)), sent(3, Some(72))]);
        let loud = voice.samples()[8_000..].to_vec();
        let voice = Voice::new(loud.clone(), voice.rate());
        let stream = Stream::code(voice, Codec::Pcmu, 4, &mut || true).unwrap().unwrap();
        let fixed = FixedBuffer::play(&stream, &trace).unwrap();
        // Packet 0 came at 12 ms and waits to 52, which is played at 60.
        assert_eq!(fixed.gaps, 2, "packet 2 is due at 100 ms and came at 101");
        let heard: Vec<usize> = (0..fixed.samples.len()).filter(|i| fixed.samples[*i] != 0).collect();
        assert!(heard.iter().all(|i| (480..640).contains(i) || (960..1120).contains(i)), "{heard:?}");
        assert_eq!(fixed.samples[480..640], loud[..160]);
        assert_eq!(fixed.samples[960..1120], loud[480..640]);
    }
}
