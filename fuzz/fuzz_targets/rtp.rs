//! Any datagram whatever on an RTP port: read or refused, and what is read can be walked to its end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_sip_rtp::media::{
    dtmf::EventPayload,
    noise::ComfortNoise,
    packet::{PacketHeader, PacketView},
};

fuzz_target!(|datagram: &[u8]| {
    if let Ok(packet) = PacketView::parse(datagram) {
        rewritten(datagram, &packet);
        if let Some(events) = EventPayload::parse(packet.payload) {
            assert!(events.blocks(packet.time).count() <= packet.payload.len());
        }
        let _ = ComfortNoise::parse(packet.payload);
    }
});

/// What was read can be written, and then reads the same.
fn rewritten(datagram: &[u8], packet: &PacketView<'_>) {
    let head = PacketView::header_len(datagram).expect("a packet that can be read has a header");
    assert!(head + packet.payload.len() <= datagram.len());
    let header = PacketHeader {
        seq: packet.seq,
        time: packet.time,
        ssrc: packet.ssrc,
        payload_type: packet.payload_type,
        marker: packet.marker,
    };
    let mut out = vec![0; datagram.len() + 16];
    let length = header.write(packet.payload, &mut out).expect("there is room");
    let again = PacketView::parse(&out[..length]).expect("our own packet");
    assert_eq!(
        (again.seq, again.time, again.ssrc, again.marker, again.payload),
        (packet.seq, packet.time, packet.ssrc, packet.marker, packet.payload)
    );
}
