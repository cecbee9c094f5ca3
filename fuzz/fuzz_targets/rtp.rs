//! Any datagram whatever on a media port: read or refused, and what is read can be walked to its end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_sip_rtp::media::{
    demux::Datagram,
    dtmf::EventPayload,
    noise::ComfortNoise,
    packet::{PacketHeader, PacketView},
    rtcp::{Compound, RtcpPacket},
};

fuzz_target!(|datagram: &[u8]| {
    let _ = Datagram::of(datagram);
    if let Ok(packet) = PacketView::parse(datagram) {
        rewritten(datagram, &packet);
        if let Some(events) = EventPayload::parse(packet.payload) {
            assert!(events.blocks(packet.time).count() <= packet.payload.len());
        }
        let _ = ComfortNoise::parse(packet.payload);
    }
    if let Ok(compound) = Compound::parse(datagram) {
        assert!(compound.packets().count() > 0);
        compound.packets().for_each(|packet| walked(datagram, &packet));
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

/// Its lists end.
fn walked(datagram: &[u8], packet: &RtcpPacket<'_>) {
    let items = match packet {
        RtcpPacket::SenderReport { reports, .. } | RtcpPacket::ReceiverReport { reports, .. } => {
            reports.iter().count()
        }
        RtcpPacket::Goodbye { ssrcs } => ssrcs.iter().count(),
        RtcpPacket::Extended { blocks, .. } => blocks.iter().count(),
        RtcpPacket::SourceDescription { cname, .. } => cname.map_or(0, <[u8]>::len),
        RtcpPacket::Other(_) => 0,
    };
    assert!(items <= datagram.len());
}
