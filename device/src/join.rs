//! The one place where the trunk's types and the configuration's become the engine's, which knows neither.

use offhook_config::Config;
use offhook_engine::{Packet, PacketKind, Settings};
use offhook_sip_rtp::media::packet::PacketView;
use offhook_units::{Codec, Moment, PayloadType};

/// Payload types above 95 are agreed on by SDP; this one is what most phones offer for Opus.
const USUAL_OPUS: u8 = 111;

/// The engine's settings as the configuration has them.
pub fn settings(config: &Config) -> Settings {
    Settings {
        min_delay: config.jitter.min,
        start_delay: config.jitter.target,
        max_delay: config.jitter.max,
        max_speed_change: config.speed.max.0 / 1e6,
    }
}

/// A packet that came in at `arrival` as the engine takes it; `None` where its payload type is not `codec`'s.
pub fn voice_packet<'a>(view: &PacketView<'a>, arrival: Moment, codec: Codec) -> Option<Packet<'a>> {
    if view.payload_type != payload_type(codec) {
        return None;
    }
    Some(Packet {
        arrival,
        ssrc: view.ssrc,
        seq: view.seq,
        time: view.time,
        kind: PacketKind::Voice(codec),
        payload: view.payload,
    })
}

/// The payload type that a replay sends `codec` with: static where RFC 3551 has one.
pub fn payload_type(codec: Codec) -> PayloadType {
    match codec {
        Codec::Pcmu => PayloadType::PCMU,
        Codec::Pcma => PayloadType::PCMA,
        Codec::G722 => PayloadType::G722,
        Codec::Opus => PayloadType::new(USUAL_OPUS).unwrap_or(PayloadType::PCMU),
    }
}
