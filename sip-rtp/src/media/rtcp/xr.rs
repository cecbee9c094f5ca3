//! Extended reports: the VoIP metrics block and the receiver's reference time (RFC 3611 4.4, 4.5, 4.7).

use super::{
    bursts::{BurstFigures, GMIN},
    ntp::NtpTime,
};
use crate::media::{
    emodel::{Equipment, Path, Rating},
    packet::NoRoom,
    wire::{Reader, Writer},
};
use offhook_units::{Span, Ssrc};

const REFERENCE_TIME: u8 = 4;
const DLRR: u8 = 5;
const VOIP_METRICS: u8 = 7;
/// Written where nothing is known (RFC 3611 4.7.4, 4.7.5).
const UNKNOWN: u8 = 127;
/// Receiver configuration (RFC 3611 4.7.6): enhanced concealment, adaptive buffer, rate of adaptation 0.
const CONFIG_ENHANCED_ADAPTIVE: u8 = 0b1011_0000;

/// A block that we know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum XrBlock {
    /// When a receiver wrote this; asks for a DLRR item in return.
    ReferenceTime(NtpTime),
    /// The answer to a reference time of ours.
    Dlrr(DlrrItem),
    /// How a voice stream was received.
    Voip(VoipMetrics),
}

/// How long a reference time was kept before it was answered (RFC 3611 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DlrrItem {
    /// Whose reference time is answered.
    pub ssrc: Ssrc,
    /// The middle of that time.
    pub last: u32,
    /// How long it was kept, in 1/65536 s.
    pub delay: u32,
}

/// The delays of the jitter buffer, as RFC 3611 4.7.7 wants them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DelayLimits {
    /// What it adds now, in milliseconds.
    pub nominal_ms: u16,
    /// What it adds to the earliest packet.
    pub maximum_ms: u16,
    /// The most that it may grow to.
    pub absolute_ms: u16,
}

/// The VoIP metrics block (RFC 3611 4.7), its numbers as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoipMetrics {
    /// Whose stream this is about.
    pub ssrc: Ssrc,
    /// Share of packets lost in the network, in 1/256.
    pub loss_rate: u8,
    /// Share of packets that came too late to be played, in 1/256.
    pub discard_rate: u8,
    /// Share of bad packets within bursts, in 1/256.
    pub burst_density: u8,
    /// Share of bad packets within gaps, in 1/256.
    pub gap_density: u8,
    /// Mean length of a burst.
    pub burst_ms: u16,
    /// Mean length of a gap.
    pub gap_ms: u16,
    /// Way there and back, 0 if unknown.
    pub round_trip_ms: u16,
    /// Delay inside the reporter.
    pub end_system_ms: u16,
    /// Speech level in dBm0 as a signed byte, 127 if unknown.
    pub signal_dbm0: i8,
    /// Noise level in dBm0 as a signed byte, 127 if unknown.
    pub noise_dbm0: i8,
    /// Residual echo return loss in decibels, 127 if unknown.
    pub echo_return_loss_db: u8,
    /// Packets that end a burst.
    pub gmin: u8,
    /// E-model rating, 0 to 100, 127 if unknown.
    pub rating: u8,
    /// Rating of a segment beyond this network, 127 if unknown.
    pub external_rating: u8,
    /// Listening score times ten, 127 if unknown.
    pub mos_listening_10: u8,
    /// Conversation score times ten, 127 if unknown.
    pub mos_conversation_10: u8,
    /// Concealment and buffer kind (RFC 3611 4.7.6).
    pub receiver_config: u8,
    /// The jitter buffer.
    pub buffer: DelayLimits,
}

/// What the metrics need besides the packets themselves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricInputs {
    pub(crate) ssrc: Ssrc,
    pub(crate) packet: Span,
    pub(crate) round_trip: Option<Span>,
    pub(crate) end_system_ms: u16,
    pub(crate) equipment: Equipment,
    pub(crate) buffer: DelayLimits,
}

impl VoipMetrics {
    /// The block for what was received.
    pub(crate) fn measured(figures: &BurstFigures, inputs: &MetricInputs) -> Self {
        let round_trip_ms = inputs.round_trip.map_or(0.0, |span| span.as_millis_f32());
        let path = Path {
            one_way_ms: round_trip_ms / 2.0 + f32::from(inputs.end_system_ms),
            loss: figures.loss + figures.discard,
            burst_ratio: figures.burst_ratio,
            equipment: inputs.equipment,
        };
        let (conversation, listening) = (Rating::conversation(&path), Rating::listening(&path));
        let ms = |packets: f32| (packets * inputs.packet.as_millis_f32()).min(65_535.0) as u16;
        Self {
            ssrc: inputs.ssrc,
            loss_rate: in_256ths(figures.loss),
            discard_rate: in_256ths(figures.discard),
            burst_density: in_256ths(figures.burst_density),
            gap_density: in_256ths(figures.gap_density),
            burst_ms: ms(figures.burst_packets),
            gap_ms: ms(figures.gap_packets),
            round_trip_ms: round_trip_ms.min(65_535.0) as u16,
            end_system_ms: inputs.end_system_ms,
            signal_dbm0: UNKNOWN as i8,
            noise_dbm0: UNKNOWN as i8,
            echo_return_loss_db: UNKNOWN,
            gmin: GMIN,
            rating: conversation.0.round() as u8,
            external_rating: UNKNOWN,
            mos_listening_10: (listening.mos() * 10.0).round() as u8,
            mos_conversation_10: (conversation.mos() * 10.0).round() as u8,
            receiver_config: CONFIG_ENHANCED_ADAPTIVE,
            buffer: inputs.buffer,
        }
    }

    fn read(body: &mut Reader<'_>) -> Option<Self> {
        let ssrc = Ssrc(body.u32()?);
        let [loss_rate, discard_rate, burst_density, gap_density] = body.u32()?.to_be_bytes();
        let (burst_ms, gap_ms) = (body.u16()?, body.u16()?);
        let (round_trip_ms, end_system_ms) = (body.u16()?, body.u16()?);
        let [signal, noise, echo_return_loss_db, gmin] = body.u32()?.to_be_bytes();
        let [rating, external_rating, mos_listening_10, mos_conversation_10] = body.u32()?.to_be_bytes();
        let [receiver_config, _reserved] = body.u16()?.to_be_bytes();
        let buffer =
            DelayLimits { nominal_ms: body.u16()?, maximum_ms: body.u16()?, absolute_ms: body.u16()? };
        Some(Self {
            ssrc,
            loss_rate,
            discard_rate,
            burst_density,
            gap_density,
            burst_ms,
            gap_ms,
            round_trip_ms,
            end_system_ms,
            signal_dbm0: signal as i8,
            noise_dbm0: noise as i8,
            echo_return_loss_db,
            gmin,
            rating,
            external_rating,
            mos_listening_10,
            mos_conversation_10,
            receiver_config,
            buffer,
        })
    }

    fn write(&self, out: &mut Writer<'_>) -> Result<(), NoRoom> {
        out.u32(self.ssrc.0)?;
        out.bytes(&[self.loss_rate, self.discard_rate, self.burst_density, self.gap_density])?;
        for ms in [self.burst_ms, self.gap_ms, self.round_trip_ms, self.end_system_ms] {
            out.u16(ms)?;
        }
        let (signal, noise) = (self.signal_dbm0 as u8, self.noise_dbm0 as u8);
        out.bytes(&[signal, noise, self.echo_return_loss_db, self.gmin])?;
        let (rating, external) = (self.rating, self.external_rating);
        out.bytes(&[rating, external, self.mos_listening_10, self.mos_conversation_10])?;
        out.bytes(&[self.receiver_config, 0])?;
        for ms in [self.buffer.nominal_ms, self.buffer.maximum_ms, self.buffer.absolute_ms] {
            out.u16(ms)?;
        }
        Ok(())
    }
}

impl XrBlock {
    /// Takes the next block off `body`: `None` at the end, `Some(None)` for one that we pass over.
    pub(crate) fn read(body: &mut Reader<'_>) -> Option<Option<Self>> {
        let block_type = body.u8()?;
        let _type_specific = body.u8()?;
        let words = body.u16()?;
        let mut content = Reader(body.bytes(usize::from(words) * 4)?);
        Some(match block_type {
            REFERENCE_TIME => content.u64().map(|ntp| Self::ReferenceTime(NtpTime(ntp))),
            // More items are about other receivers' sessions; a call has one.
            DLRR => Self::read_dlrr(&mut content),
            VOIP_METRICS => VoipMetrics::read(&mut content).map(Self::Voip),
            _ => None,
        })
    }

    fn read_dlrr(content: &mut Reader<'_>) -> Option<Self> {
        let ssrc = Ssrc(content.u32()?);
        Some(Self::Dlrr(DlrrItem { ssrc, last: content.u32()?, delay: content.u32()? }))
    }

    /// Writes the block with its header.
    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Result<(), NoRoom> {
        match self {
            Self::ReferenceTime(ntp) => {
                out.bytes(&[REFERENCE_TIME, 0, 0, 2])?;
                out.u64(ntp.0)
            }
            Self::Dlrr(item) => {
                out.bytes(&[DLRR, 0, 0, 3])?;
                out.u32(item.ssrc.0)?;
                out.u32(item.last)?;
                out.u32(item.delay)
            }
            Self::Voip(metrics) => {
                out.bytes(&[VOIP_METRICS, 0, 0, 8])?;
                metrics.write(out)
            }
        }
    }
}

/// A share as the wire writes it; all of it is 255.
fn in_256ths(share: f32) -> u8 {
    (share * 256.0).clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> MetricInputs {
        MetricInputs {
            ssrc: Ssrc(0x0A0B_0C0D),
            packet: Span::from_millis(20),
            round_trip: Some(Span::from_millis(100)),
            end_system_ms: 70,
            equipment: Equipment::G711_CONCEALED,
            buffer: DelayLimits { nominal_ms: 60, maximum_ms: 80, absolute_ms: 500 },
        }
    }

    #[test]
    fn a_metrics_block_has_nine_words_in_the_order_of_the_rfc() {
        let figures = BurstFigures {
            loss: 0.05,
            discard: 0.01,
            burst_density: 0.5,
            gap_density: 0.01,
            burst_packets: 10.0,
            gap_packets: 200.0,
            burst_ratio: 1.5,
        };
        let metrics = VoipMetrics::measured(&figures, &inputs());
        let mut bytes = [0; 64];
        let mut out = Writer::new(&mut bytes);
        XrBlock::Voip(metrics).write(&mut out).unwrap();
        assert_eq!(out.len(), 36);
        assert_eq!(bytes[..20], [7, 0, 0, 8, 10, 11, 12, 13, 12, 2, 128, 2, 0, 200, 15, 160, 0, 100, 0, 70]);
        assert_eq!(bytes[20..24], [127, 127, 127, 16]);
        assert_eq!(bytes[28..36], [0b1011_0000, 0, 0, 60, 0, 80, 1, 0xF4]);
        assert_eq!(XrBlock::read(&mut Reader(&bytes)), Some(Some(XrBlock::Voip(metrics))));
    }

    #[test]
    fn the_scores_follow_the_network() {
        let score = |loss, burst_ratio, end_system_ms| {
            let figures = BurstFigures { loss, burst_ratio, ..Default::default() };
            let metrics = VoipMetrics::measured(&figures, &MetricInputs { end_system_ms, ..inputs() });
            (metrics.mos_listening_10, metrics.mos_conversation_10)
        };
        assert_eq!(score(0.0, 1.0, 0), (44, 44));
        assert!(score(0.05, 1.0, 70) < score(0.0, 1.0, 70));
        assert!(score(0.05, 3.0, 70) < score(0.05, 1.0, 70));
        assert_eq!(score(0.0, 1.0, 600).0, 44, "delay alone does not change how it sounds");
        assert!(score(0.0, 1.0, 600).1 < 30);
    }

    #[test]
    fn unknown_and_cut_blocks_are_passed_over() {
        let mut body = Reader(&[1, 0, 0, 1, 9, 9, 9, 9, 4, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 7, 0, 0, 8, 1]);
        assert_eq!(XrBlock::read(&mut body), Some(None));
        let expected = XrBlock::ReferenceTime(NtpTime(0x1_0000_0002));
        assert_eq!(XrBlock::read(&mut body), Some(Some(expected)));
        assert_eq!(XrBlock::read(&mut body), None);
    }
}
