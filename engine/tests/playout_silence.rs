//! Silence on purpose is not loss: pauses of the sender, comfort noise, keys, hold.

mod support;

use offhook_engine::Stats;
use offhook_units::Codec;
use support::{Call, Sender, Wire};

/// Two seconds of voice, then what `silence` does, then two more; for so many rounds.
fn rounds(codec: Codec, count: usize, mut silence: impl FnMut(&mut Sender, &mut Vec<Wire>)) -> (Stats, u64) {
    let mut sender = Sender::new(codec);
    let mut wires = sender.packets(200);
    for _ in 0..count {
        wires.extend(sender.packets(100));
        silence(&mut sender, &mut wires);
    }
    wires.extend(sender.packets(100));
    let spoken = wires.iter().filter(|wire| wire.payload.len() > 10).count() as u64;
    let end_ms = (sender.at_us as u64 / 1000).next_multiple_of(10) + 10;
    (Call::new(codec).run(&wires, end_ms), spoken * codec.sample_rate().frames_in_ms(20) as u64)
}

#[test]
fn comfort_noise_between_words_is_no_loss() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        let (stats, spoken) = rounds(codec, 10, |sender, wires| {
            for _ in 0..5 {
                wires.push(sender.comfort_noise());
                sender.pause(200);
            }
        });
        assert_eq!(
            (stats.missing, stats.late, stats.restarts, stats.overrun),
            (0, 0, 0, 0),
            "{codec} {stats:?}"
        );
        assert_eq!(stats.underruns, 0, "{codec}: {stats:?}");
        assert_eq!(stats.extrapolated_frames + stats.bridged_frames, 0, "{codec}: {stats:?}");
        let second = codec.sample_rate().frames_in_ms(1_000) as u64;
        assert!(stats.noise_frames >= 9 * second, "ten pauses of a second: {codec} {stats:?}");
        assert!(spoken - stats.voice_frames < second, "{codec} {stats:?}");
    }
}

#[test]
fn a_sender_that_simply_stops_between_words_loses_nothing() {
    let (stats, spoken) = rounds(Codec::Pcmu, 10, |sender, _| sender.pause(900));
    assert_eq!((stats.missing, stats.late, stats.restarts, stats.overrun), (0, 0, 0, 0), "{stats:?}");
    assert!(spoken - stats.voice_frames < 8_000, "{stats:?}");
    // Nobody announced the pause, so each begins with a guess, and no more than one.
    assert!(stats.underruns <= 11, "{stats:?}");
}

#[test]
fn a_key_press_is_no_loss() {
    let (stats, spoken) = rounds(Codec::Pcmu, 10, |sender, wires| {
        // RFC 4733 2.5.1: all reports of one key carry its first timestamp; three at the end.
        let began = sender.time;
        for _ in 0..10 {
            let mut key = sender.key();
            key.time = began;
            wires.push(key);
            sender.pause(20);
        }
    });
    assert_eq!((stats.missing, stats.late, stats.restarts, stats.overrun), (0, 0, 0, 0), "{stats:?}");
    assert_eq!((stats.underruns, stats.bridged_frames), (0, 0), "{stats:?}");
    assert!(spoken - stats.voice_frames < 8_000, "{stats:?}");
}

#[test]
fn opus_that_stops_sending_is_no_loss() {
    let (stats, spoken) = rounds(Codec::Opus, 10, |sender, wires| {
        // What libopus sends in a pause: now and then a first byte without a frame behind it.
        for _ in 0..5 {
            let mut stop = sender.packet();
            stop.payload.truncate(1);
            stop.payload[0] &= 0xFC;
            wires.push(stop);
            sender.pause(380);
        }
    });
    assert_eq!((stats.missing, stats.late, stats.restarts, stats.overrun), (0, 0, 0, 0), "{stats:?}");
    assert_eq!((stats.underruns, stats.bridged_frames, stats.extrapolated_frames), (0, 0, 0), "{stats:?}");
    let second = 48_000;
    assert!(stats.noise_frames >= 17 * second, "ten pauses of two seconds: {stats:?}");
    assert!(stats.voice_frames + second >= spoken, "{stats:?}");
}

#[test]
fn comfort_noise_behind_a_jump_of_the_timestamp_is_played() {
    for jump in [-40_000i32, 40_000, i32::MAX] {
        let (stats, spoken) = rounds(Codec::Pcmu, 10, |sender, wires| {
            sender.time = sender.time.wrapping_add_signed(jump);
            for _ in 0..5 {
                wires.push(sender.comfort_noise());
                sender.pause(200);
            }
        });
        let heard = (stats.missing, stats.late, stats.overrun, stats.underruns);
        assert_eq!(heard, (0, 0, 0, 0), "{jump}: {stats:?}");
        assert_eq!((stats.restarts, stats.extrapolated_frames), (10, 0), "{jump}: {stats:?}");
        assert!(stats.noise_frames >= 9 * 8_000, "ten pauses of a second: {jump}: {stats:?}");
        assert!(spoken - stats.voice_frames < 8_000, "{jump}: {stats:?}");
    }
}

#[test]
fn minutes_of_hold_come_back_at_once() {
    for codec in Codec::ALL {
        // Some senders stop their clock on hold, some let it run, some count on with another SSRC.
        for way in 0..3 {
            let mut sender = Sender::new(codec);
            let mut wires = sender.packets(250);
            match way {
                0 => sender.at_us += 240e6,
                1 => sender.pause(240_000),
                _ => {
                    sender.at_us += 240e6;
                    (sender.ssrc, sender.seq, sender.time) = (8, 8, 8);
                }
            }
            let back_ms = sender.at_us as u64 / 1000;
            wires.extend(sender.packets(100));
            let mut call = Call::new(codec);
            let before = call.run(&wires[..250], back_ms);
            let after = call.run(&wires[250..], back_ms + 2_010);
            let frames = codec.sample_rate().frames_in_ms(500) as u64;
            let spoken = after.voice_frames - before.voice_frames;
            assert!(
                spoken + frames / 4 >= frames,
                "{codec}, way {way}: {spoken} of {frames} frames: {after:?}"
            );
            assert_eq!(
                (after.missing, after.late, after.overrun),
                (0, 0, 0),
                "{codec}, way {way}: {after:?}"
            );
            let guessed = codec.sample_rate().frames_in_ms(1_100) as u64;
            assert!(after.extrapolated_frames <= guessed, "the rest is noise: {codec}, way {way}: {after:?}");
        }
    }
}

#[test]
fn a_call_that_no_packet_reached_is_silent() {
    let mut call = Call::new(Codec::G722);
    let mut loudest = 0;
    call.play(&[], 5_000, |tick| loudest = tick.sound.iter().fold(loudest, |most, x| x.abs().max(most)));
    assert_eq!((loudest, call.stats().silent_frames), (0, 80_000));
}
