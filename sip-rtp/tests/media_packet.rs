//! T5: no bytes, however hostile, make the RTP reader fall over; and why the crate below it is kept apart
//! from them.

use offhook_sip_rtp::media::{
    demux::Datagram,
    packet::{PacketHeader, PacketView},
};
use offhook_units::{PayloadType, RtpTime, SeqNo, Ssrc};
use proptest::prelude::*;
use webrtc_util::marshal::Unmarshal;

/// Bytes that get past the version check more often than random ones would.
fn nearly_rtp() -> impl Strategy<Value = Vec<u8>> {
    (0x80..=0xBF_u8, proptest::collection::vec(any::<u8>(), 0..120)).prop_map(|(first, mut rest)| {
        rest.insert(0, first);
        rest
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Datagram::of(&bytes);
        let _ = PacketView::parse(&bytes);
        let _ = PacketView::header_len(&bytes);
    }

    #[test]
    fn a_payload_is_always_a_part_of_its_datagram(bytes in nearly_rtp()) {
        if let Ok(view) = PacketView::parse(&bytes) {
            prop_assert_eq!(Datagram::of(&bytes), Datagram::Rtp);
            let start = PacketView::header_len(&bytes).expect("what parses has a header");
            prop_assert!(start >= 12 && start + view.payload.len() <= bytes.len());
            prop_assert_eq!(&bytes[start..start + view.payload.len()], view.payload);
        }
    }

    #[test]
    fn what_is_written_is_read_back(
        seq in any::<u16>(), time in any::<u32>(), ssrc in any::<u32>(), marker in any::<bool>(),
        payload_type in (0..128_u8).prop_filter("RTCP's", |pt| !(64..96).contains(pt)),
        payload in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let payload_type = PayloadType::new(payload_type).expect("seven bits");
        let header = PacketHeader { seq: SeqNo(seq), time: RtpTime(time), ssrc: Ssrc(ssrc), payload_type, marker };
        let mut out = [0; 256];
        let length = header.write(&payload, &mut out).expect("room");
        let view = PacketView::parse(&out[..length]).expect("ours");
        prop_assert_eq!((view.seq, view.time, view.ssrc), (header.seq, header.time, header.ssrc));
        prop_assert_eq!((view.payload_type, view.marker, view.payload), (payload_type, marker, &payload[..]));
    }
}

/// If this fails, the crate was mended: the reason in `packet`'s module comment is to be read again.
#[test]
fn the_crate_below_panics_on_an_extension_element_that_is_too_long() {
    let mut hostile = vec![0x90, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1];
    hostile.extend_from_slice(&[0xBE, 0xDE, 0, 1, 0x1F, 0, 0, 0]);
    assert!(PacketView::parse(&hostile).is_ok(), "we skip extensions without reading their elements");
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let crate_alone = std::panic::catch_unwind(|| rtp::header::Header::unmarshal(&mut &hostile[..]).is_ok());
    std::panic::set_hook(quiet);
    assert!(crate_alone.is_err());
}
