//! J1: whatever the sender does to its counters, the voice goes on, in order and once.

mod support;

use offhook_engine::{PacketKind, Stats, codec::g711::Law};
use offhook_units::Codec;
use support::{Call, Dice, Sender, Sound, Wire, call::Reader};

/// Packets in order of arrival as a clean line delivers them, and how the call ended a second later.
fn played(wires: &[Wire]) -> (Call, Stats) {
    let mut call = Call::new(Codec::Pcmu);
    let end_ms = wires.iter().map(|wire| wire.arrival_us / 1000).max().unwrap_or(0);
    // The last packet is still waiting for its time; what comes after the end is not judged.
    let stats = call.run(wires, end_ms.next_multiple_of(10) + 10);
    (call, stats)
}

/// Nothing was refused, nothing was missing, nothing guessed.
fn unharmed(stats: &Stats) {
    let refused = stats.duplicates + stats.too_old + stats.on_probation + stats.stragglers + stats.late;
    assert_eq!(refused + stats.undecodable + stats.overrun, 0, "{stats:?}");
    assert_eq!((stats.missing, stats.underruns), (0, 0), "{stats:?}");
    assert_eq!(stats.extrapolated_frames + stats.bridged_frames, 0, "{stats:?}");
}

#[test]
fn sequence_and_timestamp_wrap_without_a_trace() {
    let mut sender = Sender::new(Codec::Pcmu);
    (sender.seq, sender.time) = (65_400, u32::MAX - 160 * 200);
    let (_, stats) = played(&sender.packets(500));
    unharmed(&stats);
    assert_eq!(stats.restarts, 0);
}

#[test]
fn a_packet_that_comes_twice_is_played_once() {
    let wires = Sender::new(Codec::Pcmu).packets(300);
    let mut twice = wires.clone();
    twice.extend(wires.iter().map(|wire| wire.clone().after(7.0)));
    let (_, once) = played(&wires);
    let (_, stats) = played(&twice);
    assert_eq!(stats.duplicates, 300);
    assert_eq!(stats.voice_frames, once.voice_frames);
    assert_eq!(stats.missing, 0);
}

#[test]
fn packets_that_overtake_each_other_are_played_in_the_order_of_sending() {
    let mut dice = Dice::new(5);
    let mut sender = Sender::saying(Codec::Pcmu, Sound::Labels);
    let wires: Vec<Wire> =
        (0..600).map(|_| sender.packet().after(if dice.percent(20) { 45.0 } else { 0.0 })).collect();
    let mut call = Call::new(Codec::Pcmu);
    let (reader, mut heard) = (Reader::new(Codec::Pcmu), Vec::new());
    call.play(&wires, 12_060, |tick| heard.extend(reader.heard(tick.sound, tick.at_us / 20_000)));
    heard.dedup();
    let disorder = heard.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!(disorder <= call.stats().underruns as usize, "only a guess repeats the past: {disorder}");
    assert!(call.stats().missing <= 12, "{:?}", call.stats());
    let mut all = heard.clone();
    all.sort_unstable();
    all.dedup();
    assert!(all.len() >= 570, "of 600 packets {} were heard", all.len());
}

#[test]
fn a_new_ssrc_in_mid_call_keeps_playing_and_costs_one_packet() {
    let mut sender = Sender::new(Codec::Pcmu);
    let mut wires = sender.packets(300);
    (sender.ssrc, sender.seq, sender.time) = (99, 40_000, 7);
    wires.extend(sender.packets(300));
    let (_, stats) = played(&wires);
    // A lone stray is no new sender: the second packet tells.
    assert_eq!((stats.restarts, stats.on_probation), (1, 1), "{stats:?}");
    assert!(stats.extrapolated_frames + stats.bridged_frames <= 3 * 160, "{stats:?}");
    assert!(stats.voice_frames >= 589 * 160, "{stats:?}");
}

#[test]
fn packets_of_the_stream_that_was_left_do_not_come_back() {
    let mut sender = Sender::new(Codec::Pcmu);
    let mut wires = sender.packets(300);
    // The old sender's last words come after the new one's first ones.
    let old: Vec<Wire> = sender.packets(4).into_iter().map(|wire| wire.after(45.0)).collect();
    (sender.ssrc, sender.seq, sender.time) = (99, 40_000, 7);
    sender.at_us -= 80_000.0;
    wires.extend(sender.packets(300));
    wires.extend(old);
    let (_, stats) = played(&wires);
    assert_eq!((stats.restarts, stats.on_probation), (1, 1), "{stats:?}");
    assert_eq!(stats.stragglers, 4, "{stats:?}");
    assert_eq!(stats.missing, 0, "{stats:?}");
}

#[test]
fn a_sequence_that_starts_anew_costs_one_packet() {
    let mut sender = Sender::new(Codec::Pcmu);
    let mut wires = sender.packets(300);
    sender.seq = 20_000;
    wires.extend(sender.packets(300));
    let (_, stats) = played(&wires);
    assert_eq!((stats.restarts, stats.on_probation), (1, 1), "{stats:?}");
    assert!(stats.extrapolated_frames + stats.bridged_frames <= 3 * 160, "{stats:?}");
    assert!(stats.voice_frames >= 589 * 160, "{stats:?}");
}

#[test]
fn a_lone_packet_far_out_of_sequence_changes_nothing() {
    let mut sender = Sender::new(Codec::Pcmu);
    let mut wires = sender.packets(600);
    let mut stray = wires[300].clone();
    stray.seq = stray.seq.wrapping_add(30_000);
    stray.time = stray.time.wrapping_add(1 << 30);
    wires.push(stray);
    let (_, stats) = played(&wires);
    assert_eq!((stats.on_probation, stats.restarts, stats.missing), (1, 0, 0), "{stats:?}");
    assert_eq!(stats.extrapolated_frames + stats.bridged_frames, 0, "{stats:?}");
}

#[test]
fn a_timestamp_that_jumps_either_way_is_no_gap() {
    for jump in [1 << 30, 1_u32 << 31, 1_u32.wrapping_neg() << 20, 80_000, 80_000_u32.wrapping_neg()] {
        let mut sender = Sender::new(Codec::Pcmu);
        let mut wires = sender.packets(300);
        sender.time = sender.time.wrapping_add(jump);
        wires.extend(sender.packets(300));
        let (_, stats) = played(&wires);
        unharmed(&stats);
        assert_eq!(stats.restarts, 1, "{jump}");
        assert!(stats.voice_frames >= 590 * 160, "{jump}: {stats:?}");
    }
}

#[test]
fn every_packet_time_is_played_whole() {
    for codec in Codec::ALL {
        for packet_ms in [10, 20, 40, 60] {
            packet_time_is_whole(codec, packet_ms);
        }
    }
    // Opus has no frame of 30 ms.
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        packet_time_is_whole(codec, 30);
    }
}

fn packet_time_is_whole(codec: Codec, packet_ms: u32) {
    let mut sender = Sender::new(codec);
    sender.packet_ms = packet_ms;
    let wires = sender.packets(12_000 / packet_ms as usize);
    let stats = Call::new(codec).run(&wires, 12_010);
    unharmed(&stats);
    let most = codec.sample_rate().frames_in_ms(12_000) as u64;
    let least = codec.sample_rate().frames_in_ms(11_800) as u64;
    assert!((least..=most).contains(&stats.voice_frames), "{codec} {packet_ms} ms: {stats:?}");
}

#[test]
fn the_packet_time_may_change_in_mid_call() {
    let mut sender = Sender::new(Codec::Pcmu);
    let mut wires = Vec::new();
    for packet_ms in [20, 30, 10, 60, 20, 40, 10, 30, 60] {
        sender.packet_ms = packet_ms;
        wires.extend(sender.packets(3_000 / packet_ms as usize));
    }
    let (_, stats) = played(&wires);
    assert_eq!((stats.missing, stats.late, stats.restarts, stats.overrun), (0, 0, 0, 0), "{stats:?}");
    // A packet that becomes longer comes later by as much: each of the five times the buffer runs dry, and once
    // more until the new rhythm is known.
    assert!(stats.underruns <= 10, "{stats:?}");
}

#[test]
fn mu_law_and_a_law_may_change_places_in_mid_call() {
    let mut sender = Sender::new(Codec::Pcmu);
    let mut wires = sender.packets(600);
    for wire in &mut wires[200..400] {
        wire.kind = PacketKind::Voice(Codec::Pcma);
        for code in &mut wire.payload {
            *code = Law::A.encode(Law::Mu.decode(*code));
        }
    }
    let (_, stats) = played(&wires);
    unharmed(&stats);
}

#[test]
fn junk_is_counted_and_the_voice_goes_on() {
    let mut dice = Dice::new(9);
    for codec in Codec::ALL {
        let mut wires = Sender::new(codec).packets(600);
        let mut empty = 0;
        for wire in wires.iter_mut().skip(100).step_by(10) {
            let length = dice.below(1_500) as usize;
            wire.payload = (0..length).map(|_| dice.bits() as u8).collect();
            empty += u64::from(length == 0);
        }
        let stats = Call::new(codec).run(&wires, 12_010);
        assert!(stats.undecodable >= empty, "{codec}: {stats:?}");
        assert!(stats.voice_frames >= codec.sample_rate().frames_in_ms(9_500) as u64, "{codec}: {stats:?}");
        assert!(stats.underruns <= 60, "{codec}: {stats:?}");
    }
}
