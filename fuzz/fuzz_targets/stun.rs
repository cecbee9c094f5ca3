//! Any bytes whatever where SIP, STUN, keep-alives, RTP and RTCP share a port: each is told apart the same way however
//! a stream is cut, and nothing is lost or kept for ever. What STUN says is not read: there is nothing in it for a
//! trunk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use offhook_sip_rtp::media::demux::Datagram;
use offhook_sip_rtp::sip::framing::{Frame, Framer, Kind, kind};
use offhook_sip_rtp::sip::parse::{Framing, Limits, parse};

fuzz_target!(|bytes: &[u8]| {
    let [piece, bytes @ ..] = bytes else { return };
    if kind(bytes) == Kind::Stun {
        assert_eq!(Datagram::of(bytes), if bytes[0] <= 3 { Datagram::Stun } else { Datagram::of(bytes) });
        assert!(parse(bytes, Framing::Datagram, &Limits::default()).is_err(), "what is STUN is not SIP");
    }
    let whole = frames(bytes, bytes.len().max(1));
    let cut = frames(bytes, usize::from(*piece).max(1));
    assert_eq!(whole, cut, "where a stream is cut makes no difference");
});

fn frames(bytes: &[u8], piece: usize) -> Vec<Frame> {
    let limits = Limits { head_bytes: 600, headers: 50, body_bytes: 400 };
    let mut framer = Framer::new(limits);
    let mut out = Vec::new();
    for chunk in bytes.chunks(piece) {
        framer.push(chunk);
        while let Some(frame) = framer.next_frame() {
            let size = match &frame {
                Frame::Message(m) | Frame::Last(m) => m.len(),
                Frame::Ping | Frame::TooLarge => 0,
            };
            assert!(size <= 600 + 4 + 400);
            out.push(frame);
        }
    }
    out
}
