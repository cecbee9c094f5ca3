//! Any text whatever as SDP: read or refused, never fatal for one odd line; what is read can be written and reads the
//! same, and whatever it offers or answers leaves a negotiation that goes on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_sip_rtp::sdp::format::Format;
use offhook_sip_rtp::sdp::negotiate::{Encryption, LocalMedia, Negotiator, Stream};
use offhook_sip_rtp::sdp::{Description, Direction};
use offhook_sip_rtp::sip::ids::Ids;
use offhook_units::Codec;
use std::net::IpAddr;

fuzz_target!(|body: &[u8]| {
    let Ok(description) = Description::parse(body) else { return };
    let bytes = description.to_bytes();
    let again =
        Description::parse(&bytes).unwrap_or_else(|e| panic!("{e:?}: {}", String::from_utf8_lossy(&bytes)));
    assert_eq!(String::from_utf8_lossy(&again.to_bytes()), String::from_utf8_lossy(&bytes));
    assert!(description.media.iter().all(|m| Format::of(m).len() <= m.formats.len() + 1));
    for encryption in [Encryption::Off, Encryption::Accept, Encryption::Require] {
        negotiated(&description, encryption);
    }
});

fn negotiated(theirs: &Description, encryption: Encryption) {
    let signalling: IpAddr = [198, 51, 100, 1].into();
    let local = LocalMedia {
        addr: [192, 0, 2, 1].into(),
        port: 40_000,
        codecs: Codec::ALL.to_vec(),
        comfort_noise: true,
        ptime_ms: 20,
        encryption,
    };
    let mut ids = Ids::new([4; 32]);
    let mut negotiator = Negotiator::new(local, &mut ids);
    if let Ok((text, stream)) = negotiator.answer(theirs, Direction::SendRecv, signalling) {
        assert_eq!(text.media.len(), theirs.media.len(), "RFC 3264 6: as many lines as the offer");
        usable(&stream);
    }
    let _ = negotiator.offer(Direction::SendOnly);
    if let Ok(stream) = negotiator.accept(theirs, signalling) {
        usable(&stream);
    }
    negotiator.withdraw();
    assert!(!negotiator.offer_again().to_bytes().is_empty());
}

fn usable(stream: &Stream) {
    if let Some(remote) = stream.remote {
        assert!(remote.port() != 0);
    }
}
