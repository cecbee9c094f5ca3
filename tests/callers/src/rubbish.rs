//! What no honest peer sends, for a soak: on the SIP port and on media ports.

use crate::pick::Pick;

/// Longest that is made: an Ethernet frame's worth.
const LONGEST: u64 = 1_472;

/// A datagram for a media port.
pub(crate) fn for_media(pick: &mut Pick) -> Vec<u8> {
    let mut bytes = noise(pick);
    let first = match pick.below(5) {
        // RTP of a payload type and SSRC that nobody agreed on, with and without lists and extensions that do not fit.
        0 => [0x80, 96],
        1 => [0x9F, 0],
        2 => [0xA0, 8],
        // RTCP with lengths that are not its own.
        3 => [0x81, 200],
        _ => return bytes,
    };
    for (place, byte) in bytes.iter_mut().zip(first) {
        *place = byte;
    }
    bytes
}

/// A datagram for the SIP port.
pub(crate) fn for_sip(pick: &mut Pick) -> Vec<u8> {
    let id = pick.bits();
    let text = match pick.below(4) {
        0 => format!("INVITE sip:600@127.0.0.1 SIP/2.0\r\nCall-ID: {id:x}\r\nCSeq: 1 INVITE\r\n\r\n"),
        1 => format!(
            "BYE sip:600@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK{id:x}\r\nMax-Forwards: 70\r\nFrom: <sip:x@x>;tag=1\r\nTo: <sip:y@y>;tag=2\r\nCall-ID: {id:x}\r\nCSeq: 7 BYE\r\nContent-Length: 0\r\n\r\n"
        ),
        2 => format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK{id:x}\r\nCall-ID: {id:x}\r\n\r\n"
        ),
        _ => return noise(pick),
    };
    text.into_bytes()
}

fn noise(pick: &mut Pick) -> Vec<u8> {
    let length = 1 + pick.below(LONGEST);
    (0..length).map(|_| pick.bits() as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_varies_and_fits_a_frame() {
        let mut pick = Pick::new(3);
        for make in [for_media, for_sip] {
            let made: Vec<_> = (0..500).map(|_| make(&mut pick)).collect();
            assert!(made.iter().all(|bytes| (1..=LONGEST as usize).contains(&bytes.len())));
            let lengths: std::collections::BTreeSet<_> = made.iter().map(Vec::len).collect();
            assert!(lengths.len() > 50);
        }
    }
}
