//! Any datagram whatever on an RTCP port: read or refused; its lists end, and a session that believed it still writes
//! reports that can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_sip_rtp::media::emodel::Equipment;
use offhook_sip_rtp::media::rtcp::{Cname, Compound, NtpTime, RtcpConfig, RtcpPacket, RtcpSession};
use offhook_units::{Moment, RtpTime, SampleRate, Span, Ssrc};

fuzz_target!(|datagram: &[u8]| {
    if let Ok(compound) = Compound::parse(datagram) {
        assert!(compound.packets().count() > 0);
        compound.packets().for_each(|packet| walked(datagram, &packet));
    }
    believed(datagram);
});

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

/// The same datagram again and again, with ours between.
fn believed(datagram: &[u8]) {
    let mut session = RtcpSession::new(
        RtcpConfig {
            ssrc: Ssrc(1),
            cname: Cname::from_bits(1, 1),
            clock: SampleRate::HZ_8000,
            packet: Span::from_millis(20),
            bits_per_second: 80_000,
            equipment: Equipment::G711_CONCEALED,
            extended: true,
            ntp_origin: NtpTime(1 << 33),
            seed: 1,
        },
        Moment::ZERO,
    );
    let mut now = Moment::ZERO;
    for round in 0..4u32 {
        session.rtp_sent(now, RtpTime(160 * round), 160);
        let _ = session.handle_input(now, datagram);
        assert!(session.lost_there() <= u64::from(round) + 1, "no more than was sent");
        now = session.poll_timeout();
        let mut out = [0; RtcpSession::MOST_BYTES];
        if let Some(length) = session.poll_output(now, &mut out) {
            assert!(Compound::parse(&out[..length]).is_ok(), "our own report");
        }
    }
}
