//! One call's RTP, told what comes: numbers what it sends, and counts what is missing or twice in what it hears.

use crate::sound::{Account, Listener, PIECE, SILENCE, piece};

/// Bytes of RTP's header, without anything optional (RFC 3550 5.1).
const HEAD: usize = 12;
/// Pieces of 10 ms in a packet.
const PIECES: usize = 2;
/// One packet of 20 ms.
pub(crate) const PACKET: usize = HEAD + PIECES * PIECE;
/// A packet that is behind by less came late or twice; by more, the far end began anew.
const BEHIND: u16 = 1_000;

/// One call's stream, both ways.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    ssrc: u32,
    seq: u16,
    time: u32,
    /// The next piece's number.
    number: u32,
    /// The newest number of the far end.
    newest: Option<u16>,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    listener: Listener,
}

impl Stream {
    pub(crate) fn new(bits: u64) -> Self {
        Self {
            ssrc: (bits >> 32) as u32,
            seq: (bits >> 16) as u16,
            time: bits as u32,
            number: 0,
            newest: None,
            sent: 0,
            received: 0,
            lost: 0,
            repeated: 0,
            listener: Listener::default(),
        }
    }

    /// The next packet: numbered sound or silence.
    pub(crate) fn packet(&mut self, counted: bool) -> [u8; PACKET] {
        let mut packet = [SILENCE; PACKET];
        let (head, sound) = packet.split_at_mut(HEAD);
        // Version 2; payload type 0 is PCMU (RFC 3551 6), its first packet carries the marker.
        let marker = if self.sent == 0 { 0x80 } else { 0 };
        let numbers = [
            &[0x80, marker][..],
            &self.seq.to_be_bytes(),
            &self.time.to_be_bytes(),
            &self.ssrc.to_be_bytes(),
        ];
        for (place, byte) in head.iter_mut().zip(numbers.into_iter().flatten()) {
            *place = *byte;
        }
        if counted {
            for place in sound.chunks_exact_mut(PIECE) {
                place.copy_from_slice(&piece(self.number));
                self.number += 1;
            }
        }
        self.seq = self.seq.wrapping_add(1);
        self.time = self.time.wrapping_add((PIECES * PIECE) as u32);
        self.sent += 1;
        packet
    }

    /// A datagram that came.
    pub(crate) fn hear(&mut self, datagram: &[u8]) {
        let Some((head, sound)) = voice(datagram) else { return };
        let seq = u16::from_be_bytes([head[2], head[3]]);
        self.received += 1;
        if let Some(newest) = self.newest {
            let ahead = seq.wrapping_sub(newest);
            if ahead == 0 || ahead > u16::MAX - BEHIND {
                self.repeated += 1;
                return;
            }
            self.lost += u64::from(ahead - 1);
        }
        self.newest = Some(seq);
        self.listener.hear(sound);
    }

    /// What became of the numbered sound.
    pub(crate) fn account(&self) -> Account {
        self.listener.account(self.number)
    }
}

/// Header and sound of a packet of voice.
pub(crate) fn voice(datagram: &[u8]) -> Option<(&[u8; HEAD], &[u8])> {
    // RTCP on the same port has types from 192 on (RFC 5761 4); events and noise are no voice.
    datagram.split_first_chunk::<HEAD>().filter(|(head, _)| head[0] >> 6 == 2 && head[1] & 0x7F == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_has_nothing_missing() {
        let mut stream = Stream::new(0xFFFF_FFFF_FFFE_0000);
        for number in 0..200 {
            let packet = stream.packet((50..150).contains(&number));
            stream.hear(&packet);
        }
        assert_eq!((stream.sent, stream.received, stream.lost, stream.repeated), (200, 200, 0, 0));
        assert_eq!(stream.account(), Account { heard: 200, missing: 0, repeated: 0 });
    }

    #[test]
    fn lost_and_repeated_packets_are_counted_on_the_wire_and_in_the_sound() {
        let mut stream = Stream::new(7);
        for number in 0..10 {
            let packet = stream.packet(true);
            match number {
                3 => {}
                5 => [packet, packet].iter().for_each(|packet| stream.hear(packet)),
                _ => stream.hear(&packet),
            }
        }
        assert_eq!((stream.received, stream.lost, stream.repeated), (10, 1, 1));
        assert_eq!(stream.account(), Account { heard: 18, missing: 2, repeated: 0 });
    }

    #[test]
    fn what_is_no_voice_is_passed_over() {
        let mut stream = Stream::new(7);
        let mut event = stream.packet(false);
        event[1] = 101;
        stream.hear(&event);
        stream.hear(&event[..5]);
        stream.hear(&[0x80, 200, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(stream.received, 0);
    }
}
