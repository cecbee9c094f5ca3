//! J5 for Opus: what its packets say of themselves, its own concealment, and in-band FEC; and that no bytes
//! whatever make it panic or write where it should not.

#[path = "support/cases.rs"]
mod support_cases;
use support_cases::cases;

use offhook_engine::codec::{DecodeError, Decoder, Encoder, PackingError};
use offhook_units::Codec;
use proptest::prelude::*;
use std::f64::consts::TAU;

const PACKET: usize = 960;

/// A vowel whose pitch and level change, so that the past alone does not tell the future.
fn voice(packets: usize) -> Vec<i16> {
    let mut phase = 0.0_f64;
    (0..packets * PACKET)
        .map(|i| {
            let t = i as f64 / 48_000.0;
            phase += (130.0 + 40.0 * (TAU * 1.3 * t).sin()) / 48_000.0;
            let swell = 0.5 + 0.5 * (TAU * 4.0 * t).sin();
            let vowel = 0.5 + 0.5 * (TAU * 2.3 * t).sin();
            let harmonics = (1..24).map(|k| {
                let hz = f64::from(k) * 130.0;
                let formant = |at: f64| 1.0 / (1.0 + ((hz - at) / 150.0).powi(2));
                let weight = formant(400.0 + 400.0 * vowel) + 0.5 * formant(2200.0 - 900.0 * vowel);
                weight * (TAU * phase * f64::from(k)).sin()
            });
            (4000.0 * swell * harmonics.sum::<f64>()) as i16
        })
        .collect()
}

fn encoded(pcm: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(Codec::Opus).expect("starts");
    pcm.chunks_exact(PACKET)
        .map(|frame| {
            let mut payload = [0; 1276];
            let bytes = encoder.encode(frame, &mut payload).expect("a payload");
            payload[..bytes].to_vec()
        })
        .collect()
}

fn decoder() -> Decoder {
    Decoder::new(Codec::Opus).expect("starts")
}

/// A decoder in the middle of a voice, and a packet to follow that carries FEC.
fn before_fec() -> (Decoder, Vec<u8>) {
    let packets = encoded(&voice(40));
    let at = packets.iter().rposition(|payload| payload[1] & 0x40 != 0).expect("one with the LBRR bit");
    let mut decoder = decoder();
    for payload in &packets[..at] {
        decoder.decode(payload, &mut [0; PACKET]).expect("its own payload");
    }
    (decoder, packets[at].clone())
}

fn energy(pcm: impl IntoIterator<Item = f64>) -> f64 {
    pcm.into_iter().map(|x| x * x).sum()
}

/// Decodes with every fifth packet lost and bridged by `bridge`. The error against the undisturbed decoder
/// within the lost packets, relative to their energy, in dB; and how many were bridged.
fn error_db(
    packets: &[Vec<u8>],
    bridge: impl Fn(&mut Decoder, &[u8], &mut [i16]) -> Option<usize>,
) -> (f64, usize) {
    let (mut clean, mut lossy) = (decoder(), decoder());
    let (mut wanted, mut wrong, mut bridged) = (0.0, 0.0, 0);
    for (i, payload) in packets.iter().enumerate() {
        let (mut a, mut b) = ([0; PACKET], [0; PACKET]);
        clean.decode(payload, &mut a).expect("its own payload");
        if i % 5 == 4 && i + 1 < packets.len() {
            bridged += usize::from(bridge(&mut lossy, &packets[i + 1], &mut b) == Some(PACKET));
            wanted += energy(a.iter().map(|&x| f64::from(x)));
            wrong += energy(a.iter().zip(&b).map(|(&x, &y)| f64::from(x) - f64::from(y)));
        } else {
            lossy.decode(payload, &mut b).expect("its own payload");
        }
    }
    (10.0 * (wrong / wanted).log10(), bridged)
}

#[test]
fn in_band_fec_brings_back_what_concealment_can_only_guess() {
    let packets = encoded(&voice(200));
    let (guessed_db, guessed) = error_db(&packets, |lossy, _, out| lossy.conceal(out));
    let (copied_db, copied) = error_db(&packets, |lossy, next, out| {
        lossy.recover(next, out).or_else(|| lossy.conceal(out).map(|_| 0))
    });
    assert_eq!(guessed, 39);
    assert!(copied >= 30, "our encoder sends FEC: {copied} of 39");
    assert!(copied_db < guessed_db - 3.0, "error {copied_db:.1} dB by FEC, {guessed_db:.1} dB by guess");
}

#[test]
fn concealment_begins_at_the_voice_s_level_and_dies_away() {
    let packets = encoded(&voice(30));
    let mut decoder = decoder();
    let mut out = [0; PACKET];
    let mut heard = 0.0;
    for payload in &packets {
        decoder.decode(payload, &mut out).expect("its own payload");
        heard = energy(out.iter().map(|&x| f64::from(x)));
    }
    let lost: Vec<f64> = (0..50)
        .map(|_| {
            assert_eq!(decoder.conceal(&mut out), Some(PACKET));
            energy(out.iter().map(|&x| f64::from(x))) / heard
        })
        .collect();
    assert!(lost[0] > 0.2 && lost[0] < 2.0, "the first 20 ms hold {:.2} of the energy", lost[0]);
    assert!(lost[49] < 0.01, "a second later {:.4} is left", lost[49]);
}

#[test]
fn a_gap_is_filled_in_steps_of_2_5_ms_and_never_beyond_the_buffer() {
    let (mut decoder, next) = before_fec();
    let mut deaf = Decoder::new(Codec::Opus).expect("starts");
    assert_eq!(deaf.conceal(&mut [0; PACKET]), None, "nothing was heard yet");
    assert_eq!(deaf.recover(&next, &mut [0; PACKET]), None, "nothing was heard yet");
    for (room, filled) in
        [(119, None), (120, Some(120)), (500, Some(480)), (2000, Some(1920)), (9000, Some(5760))]
    {
        let mut out = vec![77; room];
        assert_eq!(decoder.conceal(&mut out), filled);
        assert!(out[filled.unwrap_or(0)..].iter().all(|&x| x == 77), "nothing beyond {filled:?}");
    }
    let mut wide = [0; 3 * PACKET];
    assert_eq!(decoder.recover(&next, &mut wide), Some(3 * PACKET), "a longer gap, its end from FEC");
    assert_eq!(decoder.recover(&next, &mut [0; 480]), None, "shorter than the copy");
}

#[test]
fn a_packet_without_fec_says_so() {
    let (mut decoder, next) = before_fec();
    let mut bare = next.clone();
    bare[1] &= !0x40;
    assert_eq!(decoder.recover(&bare, &mut [0; PACKET]), None);
    for payload in [&[][..], &[0x78], &[31 << 3, 0x40, 0], &[0x03], &[0x01, 1, 2, 3]] {
        assert_eq!(decoder.recover(payload, &mut [0; PACKET]), None, "{payload:02x?}");
    }
    assert_eq!(decoder.recover(&next, &mut [0; PACKET]), Some(PACKET));
}

#[test]
fn a_pause_in_sending_is_filled_and_not_an_error() {
    let packets = encoded(&voice(10));
    let mut decoder = decoder();
    decoder.decode(&packets[9], &mut [0; PACKET]).expect("its own payload");
    let toc = packets[9][0];
    for (pause, frames) in
        [(&[toc][..], PACKET), (&[toc | 1], 2 * PACKET), (&[toc | 3, 0x43, 1, 0], 3 * PACKET)]
    {
        assert_eq!(decoder.frames_in(pause), Some(frames));
        assert_eq!(decoder.decode(pause, &mut [0; 5760]), Ok(frames), "{pause:02x?}");
    }
}

#[test]
fn a_stereo_packet_is_mixed_down() {
    for bitrate_bps in [48_000, 96_000] {
        let mut encoder = opus_rs::OpusEncoder::new(48_000, 2, opus_rs::Application::Audio).expect("starts");
        encoder.bitrate_bps = bitrate_bps;
        let (mut decoder, mut mono) = (decoder(), Vec::new());
        let voice = voice(50);
        for frame in voice.chunks_exact(PACKET) {
            let both: Vec<i16> = frame.iter().flat_map(|&x| [x, x]).collect();
            let (mut payload, mut out) = ([0; 1276], [0; PACKET]);
            let bytes = encoder.encode_i16(&both, PACKET, &mut payload).expect("a payload");
            assert_eq!(payload[0] & 0x04, 0x04, "a stereo packet");
            assert_eq!(decoder.decode(&payload[..bytes], &mut out), Ok(PACKET));
            mono.extend_from_slice(&out);
        }
        let level_db = 10.0
            * (energy(mono.iter().map(|&x| f64::from(x))) / energy(voice.iter().map(|&x| f64::from(x))))
                .log10();
        assert!(level_db.abs() < 2.0, "{level_db:+.2} dB at {bitrate_bps} bit/s");
    }
}

#[test]
fn a_broken_packing_is_named() {
    let error = decoder().decode(&[0xFB, 7, 0, 0, 0, 0, 0, 0, 0], &mut [0; 6000]).unwrap_err();
    assert_eq!(error, DecodeError::Packing(PackingError::FrameCount));
    assert_eq!(error.to_string(), "payload holds no frame or more than 120 ms (R5)");
}

/// An audio thread's stack is not a main thread's: half a megabyte is enough for all that Opus does.
#[test]
fn starting_afresh_and_decoding_need_little_stack() {
    let packets = encoded(&voice(5));
    let mut decoder = decoder();
    let work = move || {
        for payload in &packets {
            decoder.decode(payload, &mut [0; PACKET]).expect("its own payload");
            decoder.recover(payload, &mut [0; PACKET]);
            decoder.conceal(&mut [0; PACKET]);
            decoder.reset();
        }
    };
    let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(work).expect("a thread");
    thread.join().expect("no overflow");
}

/// Payloads as the network might send them: noise, and real ones with bytes changed or cut off.
fn payloads() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let real = encoded(&voice(8));
    let noise = prop::collection::vec(any::<u8>(), 0..200);
    let damaged = (
        prop::sample::select(real),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        0_usize..300,
    )
        .prop_map(|(mut payload, changes, length)| {
            for (at, byte) in changes {
                let at = at.index(payload.len());
                payload[at] = byte;
            }
            payload.truncate(length);
            payload
        });
    prop::collection::vec(prop_oneof![noise, damaged], 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(200)))]
    #[test]
    fn no_payload_panics_or_writes_beyond_its_frames(payloads in payloads()) {
        let mut decoder = decoder();
        for (i, payload) in payloads.iter().enumerate() {
            let mut out = [1234; 5761];
            let frames = decoder.frames_in(payload);
            let result = decoder.decode(payload, &mut out);
            if let Ok(decoded) = result {
                prop_assert_eq!(Some(decoded), frames);
            }
            prop_assert!(result.is_ok() || frames.is_none() || result == Err(DecodeError::Contents));
            let end = frames.unwrap_or(0);
            prop_assert!(out[end..].iter().all(|&x| x == 1234), "wrote beyond {end}");
            if i % 3 == 0 {
                decoder.recover(payload, &mut out[..PACKET]);
            }
        }
    }
}
