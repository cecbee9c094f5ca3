//! What SDP agreed on, as the parts of a call's media want to be told it.

use offhook_sip_rtp::media::sender::SendFormat;
use offhook_sip_rtp::media::srtp::MasterKey;
use offhook_sip_rtp::media::stream::{Kind, PayloadMap, RtcpRoute};
use offhook_sip_rtp::sdp::crypto::Crypto;
use offhook_sip_rtp::sdp::negotiate::{Events, Stream};
use offhook_units::{PayloadType, SampleRate};
use std::net::SocketAddr;

/// Whether the peer's voice is due: not on hold, neither by us nor by the peer, who may or may not play music.
pub(super) const fn expects(stream: &Stream) -> bool {
    stream.direction.receives() && !stream.held
}

/// What we send as.
pub(super) fn send_format(stream: &Stream) -> SendFormat {
    let clock = |events: &Events| SampleRate::new(events.clock_hz);
    SendFormat {
        voice: stream.send,
        clock: stream.codec.rtp_clock(),
        events: stream.events.as_ref().and_then(|events| Some((events.send, clock(events)?))),
        noise: stream.comfort_noise,
    }
}

/// The clock of telephone events; the voice's where there are none.
pub(super) fn event_clock(stream: &Stream) -> SampleRate {
    let agreed = stream.events.and_then(|events| SampleRate::new(events.clock_hz));
    agreed.unwrap_or_else(|| stream.codec.rtp_clock())
}

/// What may come.
pub(super) fn payloads(stream: &Stream) -> PayloadMap {
    let mut map = PayloadMap::default();
    if stream.comfort_noise.is_some() {
        map = map.with(PayloadType::COMFORT_NOISE, Kind::ComfortNoise);
    }
    if let Some(noise) = stream.comfort_noise {
        map = map.with(noise, Kind::ComfortNoise);
    }
    if let Some(events) = &stream.events {
        map = map.with(events.receive, Kind::TelephoneEvent(event_clock(stream)));
    }
    for (payload_type, codec) in &stream.receive {
        map = map.with(*payload_type, Kind::Voice(*codec));
    }
    map
}

/// Where reports go.
pub(super) fn rtcp_route(stream: &Stream) -> RtcpRoute {
    let next =
        |remote: SocketAddr| remote.port().checked_add(1).map(|port| SocketAddr::new(remote.ip(), port));
    match stream.remote_rtcp {
        _ if stream.rtcp_mux => RtcpRoute::Multiplexed,
        Some(address) if Some(address) != stream.remote.and_then(next) => RtcpRoute::At(address),
        _ => RtcpRoute::NextPort,
    }
}

/// Our key, where the call is encrypted. The number of its line in SDP is no part of it: the same key under another
/// number goes on where it was.
pub(super) fn ours(stream: &Stream) -> Option<MasterKey> {
    stream.keys.as_ref().and_then(|keys| master(&keys.ours))
}

/// The peer's.
pub(super) fn theirs(stream: &Stream) -> Option<MasterKey> {
    stream.keys.as_ref().and_then(|keys| master(&keys.theirs))
}

/// A key as SDP gave it. Its length fits its suite, or SDP's reader would not have taken it.
fn master(crypto: &Crypto) -> Option<MasterKey> {
    MasterKey::new(crypto.suite, crypto.key.reveal(), &[]).ok()
}
