//! T2, T5: SRTP both ways against another implementation, over roll-overs, losses and replays; and no bytes
//! make it fall over.

use offhook_sip_rtp::media::{
    packet::{PacketHeader, PacketView},
    srtp::{MOST_OVERHEAD, MasterKey, SrtpError, SrtpReceiver, SrtpSender, Suite},
};
use offhook_units::{PayloadType, RtpTime, SeqNo, Ssrc};
use proptest::prelude::*;
use webrtc_srtp::{
    context::Context,
    option::{srtcp_replay_protection, srtp_replay_protection},
    protection_profile::ProtectionProfile,
};

fn key_bytes(suite: Suite, seed: u8) -> Vec<u8> {
    (0..suite.key_and_salt_len()).map(|n| (n as u8).wrapping_mul(37).wrapping_add(seed)).collect()
}

fn master(suite: Suite, seed: u8, mki: &[u8]) -> MasterKey {
    MasterKey::new(suite, &key_bytes(suite, seed), mki).expect("lengths fit")
}

fn pair(suite: Suite) -> (SrtpSender, SrtpReceiver) {
    (SrtpSender::new(master(suite, 1, &[])), SrtpReceiver::new(master(suite, 1, &[])))
}

/// The other implementation with the same key.
fn oracle(suite: Suite) -> Context {
    let profile = match suite {
        Suite::Aes128Sha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::Aes128Sha1_32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::Aes256Sha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
        Suite::Aes256Sha1_32 => ProtectionProfile::Aes256CmHmacSha1_32,
    };
    let bytes = key_bytes(suite, 1);
    let (key, salt) = bytes.split_at(suite.key_len());
    let windows = (Some(srtp_replay_protection(64)), Some(srtcp_replay_protection(64)));
    Context::new(key, salt, profile, windows.0, windows.1).expect("lengths fit")
}

fn rtp(seq: u16, payload: &[u8]) -> Vec<u8> {
    let header = PacketHeader {
        seq: SeqNo(seq),
        time: RtpTime(u32::from(seq) * 160),
        ssrc: Ssrc(0xCAFE_BABE),
        payload_type: PayloadType::PCMU,
        marker: false,
    };
    let mut packet = vec![0; 12 + payload.len()];
    header.write(payload, &mut packet).expect("room");
    packet
}

fn rtcp(words: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 201];
    packet.extend_from_slice(&(words + 1).to_be_bytes());
    packet.extend_from_slice(&[0xCA, 0xFE, 0xBA, 0xBE]);
    packet.extend((0..words * 4).map(|n| n as u8));
    packet
}

fn protect_rtp(sender: &mut SrtpSender, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + MOST_OVERHEAD, 0);
    let length = sender.protect_rtp(&mut buffer, packet.len()).expect("protected");
    buffer.truncate(length);
    buffer
}

fn protect_rtcp(sender: &mut SrtpSender, packet: &[u8]) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + MOST_OVERHEAD, 0);
    let length = sender.protect_rtcp(&mut buffer, packet.len()).expect("protected");
    buffer.truncate(length);
    buffer
}

fn unprotect_rtp(receiver: &mut SrtpReceiver, datagram: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = datagram.to_vec();
    let length = receiver.unprotect_rtp(&mut buffer)?;
    Ok(buffer[..length].to_vec())
}

fn unprotect_rtcp(receiver: &mut SrtpReceiver, datagram: &[u8]) -> Result<Vec<u8>, SrtpError> {
    let mut buffer = datagram.to_vec();
    let length = receiver.unprotect_rtcp(&mut buffer)?;
    Ok(buffer[..length].to_vec())
}

#[test]
fn every_byte_is_the_one_that_the_other_implementation_writes() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let (mut their_sender, mut their_receiver) = (oracle(suite), oracle(suite));
        // Over the roll-over, with holes.
        for n in (0..3_000_u32).filter(|n| n % 7 != 3) {
            let plain = rtp((64_000 + n) as u16, &vec![n as u8; (n % 200) as usize]);
            let ours = protect_rtp(&mut sender, &plain);
            assert_eq!(ours, their_sender.encrypt_rtp(&plain).expect("theirs"), "{suite:?} packet {n}");
            assert_eq!(unprotect_rtp(&mut receiver, &ours).as_ref(), Ok(&plain));
            assert_eq!(their_receiver.decrypt_rtp(&ours).expect("ours"), plain);
        }
    }
}

#[test]
fn rtcp_goes_both_ways_between_the_implementations() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(suite);
        let (mut their_sender, mut their_receiver) = (oracle(suite), oracle(suite));
        for n in 0..200 {
            let plain = rtcp(n % 40);
            let ours = protect_rtcp(&mut sender, &plain);
            assert_eq!(their_receiver.decrypt_rtcp(&ours).expect("ours"), plain, "{suite:?} packet {n}");
            let theirs = their_sender.encrypt_rtcp(&plain).expect("theirs");
            assert_eq!(unprotect_rtcp(&mut receiver, &theirs), Ok(plain));
        }
    }
}

#[test]
fn a_header_with_csrcs_and_extension_stays_in_the_clear() {
    let suite = Suite::Aes128Sha1_80;
    let (mut sender, mut receiver) = pair(suite);
    let mut plain = rtp(1, b"");
    plain[0] = 0xB1;
    plain.extend_from_slice(b"CSRC\xBE\xDE\x00\x01\x10\xAA\x00\x00voice and padding\x00\x02");
    let ours = protect_rtp(&mut sender, &plain);
    assert_eq!(ours[..24], plain[..24]);
    assert_ne!(ours[24..plain.len()], plain[24..]);
    assert_eq!(oracle(suite).decrypt_rtp(&ours).expect("ours"), plain);
    assert_eq!(unprotect_rtp(&mut receiver, &ours), Ok(plain));
}

#[test]
fn replays_are_refused_and_reordering_is_not() {
    let (mut sender, mut receiver) = pair(Suite::Aes128Sha1_32);
    let sent: Vec<_> =
        (0..300_u16).map(|n| protect_rtp(&mut sender, &rtp(65_400_u16.wrapping_add(n), b"x"))).collect();
    for n in (0..300).step_by(2) {
        assert!(unprotect_rtp(&mut receiver, &sent[n]).is_ok());
    }
    for (n, datagram) in sent.iter().enumerate() {
        let expected = match (n % 2, 298 - n as i64) {
            (_, age) if age >= 128 => Err(SrtpError::TooOld),
            (0, _) => Err(SrtpError::Replayed),
            _ => Ok(()),
        };
        assert_eq!(unprotect_rtp(&mut receiver, datagram).map(|_| ()), expected, "packet {n}");
    }
    let report = protect_rtcp(&mut sender, &rtcp(2));
    assert!(unprotect_rtcp(&mut receiver, &report).is_ok());
    assert_eq!(unprotect_rtcp(&mut receiver, &report), Err(SrtpError::Replayed));
}

#[test]
fn a_forgery_changes_no_state() {
    let (mut sender, mut receiver) = pair(Suite::Aes128Sha1_80);
    let first = protect_rtp(&mut sender, &rtp(100, b"one"));
    assert!(unprotect_rtp(&mut receiver, &first).is_ok());
    // Jumps that would move the window and the roll-over counter, and new sources without end.
    for n in 0..2_000_u32 {
        let mut forged = rtp((100 + n * 77) as u16, &[n as u8; 40]);
        forged[8..12].copy_from_slice(&(0xCAFE_BABE_u32 ^ (n % 3)).to_be_bytes());
        let error = unprotect_rtp(&mut receiver, &forged).unwrap_err();
        assert!(matches!(error, SrtpError::NotAuthentic | SrtpError::TooOld | SrtpError::Replayed));
        assert_eq!(unprotect_rtcp(&mut receiver, &rtcp(8)), Err(SrtpError::NotAuthentic));
    }
    let second = protect_rtp(&mut sender, &rtp(101, b"two"));
    assert!(unprotect_rtp(&mut receiver, &second).is_ok());
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (mut sender, mut receiver) = pair(Suite::Aes256Sha1_80);
    let good = protect_rtp(&mut sender, &rtp(7, b"voice"));
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(unprotect_rtp(&mut receiver, &bad).is_err(), "bit {bit}");
    }
    assert!(unprotect_rtp(&mut receiver, &good).is_ok());
}

#[test]
fn key_identifiers_are_carried_and_must_match() {
    let suite = Suite::Aes128Sha1_80;
    let mut sender = SrtpSender::new(master(suite, 1, &[0, 0, 0, 1]));
    let datagram = protect_rtp(&mut sender, &rtp(1, b"voice"));
    assert_eq!(datagram.len(), 12 + 5 + 4 + 10);
    let mut other = SrtpReceiver::new(master(suite, 1, &[0, 0, 0, 2]));
    assert_eq!(unprotect_rtp(&mut other, &datagram), Err(SrtpError::NotAuthentic));
    let mut same = SrtpReceiver::new(master(suite, 1, &[0, 0, 0, 1]));
    assert_eq!(unprotect_rtp(&mut same, &datagram), Ok(rtp(1, b"voice")));
    let report = protect_rtcp(&mut sender, &rtcp(3));
    assert_eq!(unprotect_rtcp(&mut same, &report), Ok(rtcp(3)));
}

#[test]
fn the_key_stream_is_never_used_twice() {
    let (mut sender, _) = pair(Suite::Aes128Sha1_80);
    let mut buffer = [0; 64];
    let mut send = |sender: &mut SrtpSender, seq: u16, ssrc: u8| {
        let mut plain = rtp(seq, b"voice");
        plain[11] = ssrc;
        buffer[..plain.len()].copy_from_slice(&plain);
        sender.protect_rtp(&mut buffer, plain.len())
    };
    assert!(send(&mut sender, 10, 1).is_ok());
    assert_eq!(send(&mut sender, 10, 1), Err(SrtpError::Reused));
    assert_eq!(send(&mut sender, 9, 1), Err(SrtpError::Reused));
    assert!(send(&mut sender, 10, 2).is_ok(), "another source has another key stream");
    assert_eq!(send(&mut sender, 11, 1), Err(SrtpError::Reused), "its roll-over counter is forgotten");
}

#[test]
fn a_buffer_without_room_is_refused() {
    let (mut sender, _) = pair(Suite::Aes128Sha1_80);
    let mut buffer = rtp(1, b"voice");
    let length = buffer.len();
    assert_eq!(sender.protect_rtp(&mut buffer, length), Err(SrtpError::NoRoom));
    assert_eq!(sender.protect_rtp(&mut buffer, length + 1), Err(SrtpError::Malformed));
    let mut report = rtcp(0);
    assert_eq!(sender.protect_rtcp(&mut report, 8), Err(SrtpError::NoRoom));
    assert_eq!(sender.protect_rtcp(&mut report, 7), Err(SrtpError::Malformed));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn any_bytes_are_refused(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..120), first in 0x80..0xC0_u8, suite in 0..4_usize,
    ) {
        let (mut sender, mut receiver) = pair(Suite::ALL[suite]);
        if let Some(byte) = bytes.first_mut() {
            *byte = first;
        }
        prop_assert!(receiver.unprotect_rtp(&mut bytes.clone()).is_err());
        prop_assert!(receiver.unprotect_rtcp(&mut bytes.clone()).is_err());
        let length = bytes.len();
        bytes.resize(length + MOST_OVERHEAD, 0);
        let _ = sender.protect_rtcp(&mut bytes.clone(), length);
        let _ = sender.protect_rtp(&mut bytes, length);
    }

    #[test]
    fn a_network_that_loses_doubles_and_reorders_delivers_each_packet_once(
        start in any::<u16>(), order in proptest::collection::vec(0..64_usize, 1..400),
    ) {
        let (mut sender, mut receiver) = pair(Suite::Aes128Sha1_80);
        let mut sent = Vec::new();
        let mut delivered = std::collections::BTreeSet::new();
        for (n, back) in order.into_iter().enumerate() {
            sent.push(protect_rtp(&mut sender, &rtp(start.wrapping_add(n as u16), &n.to_be_bytes())));
            let Some(which) = n.checked_sub(back) else { continue };
            // The first packet to arrive fixes the round; what was sent before it, in the round before, is lost.
            let before_the_round = u32::from(start) + which as u32 <= 0xFFFF && delivered.is_empty()
                || delivered.first().is_some_and(|&first| which >= first);
            match unprotect_rtp(&mut receiver, &sent[which]) {
                Ok(plain) => {
                    let view = PacketView::parse(&plain).expect("ours");
                    prop_assert_eq!(view.payload, which.to_be_bytes());
                    prop_assert!(delivered.insert(which), "packet {} came twice", which);
                }
                Err(error) if before_the_round => {
                    prop_assert_eq!(error, SrtpError::Replayed);
                    prop_assert!(delivered.contains(&which));
                }
                Err(_) => {}
            }
        }
    }
}
