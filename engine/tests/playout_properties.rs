//! Any packet sequence whatever: the output goes on, the cap holds, nothing is played twice or out of order but
//! by concealment and stretch, every packet is accounted for, and a clean line brings the level back.

#[path = "support/cases.rs"]
mod support_cases;
use support_cases::cases;

mod support;

use offhook_engine::{PacketKind, Settings, Stats};
use offhook_units::{Codec, Moment, Span};
use proptest::prelude::*;
use support::{
    Call, Dice, Sender, Sound, Wire,
    call::{Reader, TICK_US},
};

/// What a network or a sender may do next.
#[derive(Clone, Debug)]
enum Act {
    /// So many packets, each up to so many milliseconds late.
    Flow {
        packets: usize,
        jitter_ms: u16,
    },
    Lose(usize),
    /// Packets that are held back and come together.
    Burst(usize),
    Duplicate,
    /// One packet comes this much later than sent.
    Delay(u16),
    PacketTime(u32),
    Ssrc(u32),
    Sequence(u16),
    Timestamp(u32),
    /// The sender says nothing for so long.
    Pause(u32),
    ComfortNoise,
    Key,
    /// Nothing is sent and the sender's clock stands.
    Hold(u32),
    /// Bytes of this length as a payload.
    Junk(usize),
    Foreign,
    /// The sender waits until everything has come.
    Settle,
    /// A packet that has nothing to do with the call.
    Stray {
        ssrc: u32,
        seq: u16,
        time: u32,
        kind: u8,
        length: usize,
    },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (1..60_usize, 0..120_u16).prop_map(|(packets, jitter_ms)| Act::Flow { packets, jitter_ms }),
        2 => (1..8_usize).prop_map(Act::Lose),
        2 => (2..40_usize).prop_map(Act::Burst),
        1 => Just(Act::Duplicate),
        1 => (0..400_u16).prop_map(Act::Delay),
        1 => prop::sample::select(vec![10_u32, 20, 30, 40, 60]).prop_map(Act::PacketTime),
        1 => any::<u32>().prop_map(Act::Ssrc),
        1 => any::<u16>().prop_map(Act::Sequence),
        1 => any::<u32>().prop_map(Act::Timestamp),
        1 => (20..3_000_u32).prop_map(Act::Pause),
        1 => Just(Act::ComfortNoise),
        1 => Just(Act::Key),
        1 => (20..5_000_u32).prop_map(Act::Hold),
        1 => (0..1_500_usize).prop_map(Act::Junk),
        1 => Just(Act::Foreign),
        1 => (any::<u32>(), any::<u16>(), any::<u32>(), 0..4_u8, 0..300_usize)
            .prop_map(|(ssrc, seq, time, kind, length)| Act::Stray { ssrc, seq, time, kind, length }),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    (prop::sample::select(vec![20_i64, 40, 80]), 20..200_i64, 60..500_i64, 0..10_u8).prop_map(
        |(min, start, max, speed)| Settings {
            min_delay: Span::from_millis(min.min(max)),
            start_delay: Span::from_millis(start.min(max)),
            max_delay: Span::from_millis(max),
            max_speed_change: f32::from(speed) / 100.0,
        },
    )
}

/// Without what cannot be told apart by its label; and a sender begins anew only when all that it sent before has
/// come, because what comes later is rightly taken for yet another beginning.
fn told_by_label(acts: Vec<Act>) -> Vec<Act> {
    let mut told = Vec::new();
    for act in acts {
        match act {
            Act::Stray { .. } | Act::Junk(_) => {}
            Act::Ssrc(_) | Act::Sequence(_) | Act::Timestamp(_) => told.extend([Act::Settle, act]),
            _ => told.push(act),
        }
    }
    told
}

/// Carries out `acts` on what `sender` says.
fn carry_out(acts: &[Act], sender: &mut Sender, codec: Codec) -> Vec<Wire> {
    let mut dice = Dice::new(acts.len() as u64);
    let mut wires: Vec<Wire> = Vec::new();
    for act in acts {
        match act.clone() {
            Act::Flow { packets, jitter_ms } => {
                wires.extend((0..packets).map(|_| {
                    let late = dice.share() * f64::from(jitter_ms);
                    sender.packet().after(late)
                }));
            }
            Act::Lose(packets) => drop(sender.packets(packets)),
            Act::Burst(packets) => {
                let mut together = sender.packets(packets);
                let last = together.last().map_or(0, |wire| wire.arrival_us);
                together.iter_mut().for_each(|wire| wire.arrival_us = last);
                wires.extend(together);
            }
            Act::Duplicate => wires.extend(wires.last().cloned()),
            Act::Delay(ms) => wires.push(sender.packet().after(f64::from(ms))),
            Act::PacketTime(ms) => sender.packet_ms = ms,
            Act::Ssrc(ssrc) => sender.ssrc = ssrc,
            Act::Sequence(seq) => sender.seq = seq,
            Act::Timestamp(time) => sender.time = time,
            Act::Pause(ms) => sender.pause(ms),
            Act::ComfortNoise => wires.push(sender.comfort_noise()),
            Act::Key => wires.push(sender.key()),
            Act::Hold(ms) => sender.at_us += f64::from(ms) * 1000.0,
            Act::Settle => {
                let last = wires.iter().map(|wire| wire.arrival_us).max().unwrap_or(0);
                sender.at_us = sender.at_us.max(last as f64);
            }
            Act::Junk(length) => {
                let mut wire = sender.packet();
                wire.payload = (0..length).map(|_| dice.bits() as u8).collect();
                wires.push(wire);
            }
            Act::Foreign => {
                let mut wire = sender.packet();
                wire.kind = PacketKind::Voice(if codec == Codec::Opus { Codec::G722 } else { Codec::Opus });
                wires.push(wire);
            }
            Act::Stray { ssrc, seq, time, kind, length } => wires.push(Wire {
                arrival_us: sender.at_us as u64,
                ssrc,
                seq,
                time,
                kind: match kind {
                    0 => PacketKind::ComfortNoise,
                    1 => PacketKind::TelephoneEvent,
                    _ => PacketKind::Voice(codec),
                },
                payload: (0..length).map(|_| dice.bits() as u8).collect(),
                label: sender.made(),
            }),
        }
    }
    wires
}

/// The newest label that had come by a time: what is heard is at most that.
fn labels_by_time(wires: &[Wire]) -> impl Fn(u64) -> u64 + use<> {
    let mut come: Vec<(u64, u64)> = wires.iter().map(|wire| (wire.arrival_us, wire.label)).collect();
    come.sort_unstable();
    let mut newest = 0;
    for (_, label) in &mut come {
        newest = newest.max(*label);
        *label = newest;
    }
    move |at_us| match come.partition_point(|(arrival, _)| *arrival <= at_us) {
        0 => 0,
        n => come[n - 1].1,
    }
}

fn end_ms(wires: &[Wire]) -> u64 {
    wires.iter().map(|wire| wire.arrival_us).max().unwrap_or(0) / 1000 + 20
}

fn refused(stats: &Stats) -> u64 {
    stats.duplicates
        + stats.too_old
        + stats.on_probation
        + stats.stragglers
        + stats.late
        + stats.undecodable
        + stats.overrun
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(200), failure_persistence: None, ..ProptestConfig::default() })]

    /// Every tick is written to its last frame, whatever came; and all that was played has a source.
    #[test]
    fn the_output_goes_on_and_the_frames_add_up(
        acts in prop::collection::vec(act(), 1..60),
        before in settings(),
        after in settings(),
        codec in prop::sample::select(Codec::ALL.to_vec()),
    ) {
        let mut sender = Sender::new(codec);
        if codec == Codec::Opus {
            // No frames of 30 ms there.
            sender.packet_ms = 20;
        }
        let acts: Vec<Act> = acts
            .into_iter()
            .filter(|act| codec != Codec::Opus || !matches!(act, Act::PacketTime(30)))
            .collect();
        let wires = carry_out(&acts, &mut sender, codec);
        let end = end_ms(&wires);
        let mut call = Call::with(codec, before);
        let longest = codec.sample_rate().frames_in_ms(300) as i64;
        let (first, second): (Vec<Wire>, Vec<Wire>) =
            wires.into_iter().partition(|wire| wire.arrival_us < end * 500);
        let mut unwritten = 0;
        for (wires, until, settings) in [(first, end / 2 + 20, after), (second, end + 3_000, before)] {
            call.play(&wires, until, |tick| {
                unwritten += usize::from(!tick.is_whole());
            });
            call.playout.apply(settings);
            let pending = call.pending();
            prop_assert!((0..=longest).contains(&pending), "{pending} frames are pending: {:?}", call.stats());
        }
        prop_assert_eq!(unwritten, 0);
        prop_assert_eq!(call.stats().ticks, call.now_us / TICK_US);
    }

    /// Each packet was refused for a reason that has a counter, or played once.
    #[test]
    fn every_packet_is_accounted_for(acts in prop::collection::vec(act(), 1..60)) {
        let acts: Vec<Act> = acts
            .into_iter()
            .filter(|act| !matches!(act, Act::PacketTime(_) | Act::Stray { .. } | Act::Junk(_)))
            .collect();
        let wires = carry_out(&acts, &mut Sender::new(Codec::Pcmu), Codec::Pcmu);
        let mut call = Call::new(Codec::Pcmu);
        let stats = call.run(&wires, end_ms(&wires) + 5_000);
        prop_assert_eq!(stats.packets, wires.len() as u64);
        prop_assert_eq!(stats.played + refused(&stats), stats.packets, "{:?}", stats);
        prop_assert!(stats.voice_frames <= stats.played * 160, "{:?}", stats);
        prop_assert_eq!(stats.held, Span::ZERO, "nothing waits for ever");
    }

    /// What is heard follows the order of sending. A guess repeats the past, a stretch repeats a period, and a
    /// queue that both go through is up to 300 ms long: what is heard within that time of either is not judged.
    #[test]
    fn nothing_is_heard_twice_or_out_of_order(acts in prop::collection::vec(act(), 1..60)) {
        let acts = told_by_label(acts);
        let mut sender = Sender::saying(Codec::Pcmu, Sound::Labels);
        let wires = carry_out(&acts, &mut sender, Codec::Pcmu);
        let sent_by = labels_by_time(&wires);
        let mut call = Call::new(Codec::Pcmu);
        let reader = Reader::new(Codec::Pcmu);
        let (mut newest, mut made_before, mut tainted, mut heard_runs, mut disorder) = (0, 0, 0, 0, Vec::new());
        call.play(&wires, end_ms(&wires) + 1_000, |tick| {
            let s = tick.stats;
            let made = s.extrapolated_frames + s.bridged_frames + s.noise_frames + s.stretched_frames;
            tainted = if made == made_before { tainted - 1 } else { 30 }.max(0);
            made_before = made;
            for number in reader.heard(tick.sound, sent_by(tick.at_us)) {
                if tainted == 0 && number < newest {
                    disorder.push((tick.at_us, number, newest));
                }
                heard_runs += 1;
                newest = if tainted == 0 { number.max(newest) } else { number };
            }
        });
        prop_assert!(disorder.is_empty(), "at, heard, after: {:?}", disorder);
        prop_assert!(heard_runs > 0 || call.stats().voice_frames < 16_000, "the test hears: {:?}", call.stats());
    }

    /// What waits never lasts longer than the cap, by the engine's word and by what is heard.
    #[test]
    fn the_cap_holds(acts in prop::collection::vec(act(), 1..60), max_ms in 60..500_u64) {
        let acts: Vec<Act> =
            told_by_label(acts).into_iter().filter(|act| !matches!(act, Act::PacketTime(_))).collect();
        let mut sender = Sender::saying(Codec::Pcmu, Sound::Labels);
        let mut wires = carry_out(&acts, &mut sender, Codec::Pcmu);
        let end = end_ms(&wires) + 1_000;
        wires.sort_by_key(|wire| wire.arrival_us);
        let sent_by = labels_by_time(&wires);
        let mut wires = wires.into_iter().peekable();
        let cap = Span::from_millis(max_ms as i64);
        let settings = Settings { max_delay: cap, start_delay: Span::from_millis(60), ..Settings::default() };
        let mut call = Call::with(Codec::Pcmu, settings);
        let reader = Reader::new(Codec::Pcmu);
        let (mut kept, mut heard, mut made_before, mut tainted) = (Vec::new(), 0, 0, 0);
        let mut sound = [0; 80];
        for now in (0..end * 1000).step_by(TICK_US as usize) {
            while let Some(wire) = wires.next_if(|wire| wire.arrival_us <= now) {
                let before = call.stats();
                call.playout.put(&wire.packet());
                let after = call.stats();
                let is_kept = refused(&after) - after.overrun == refused(&before) - before.overrun;
                if is_kept && matches!(wire.kind, PacketKind::Voice(_)) {
                    kept.push(wire.label);
                }
            }
            call.playout.render(Moment::from_micros(now), &mut sound);
            let s = call.stats();
            // A packet in pieces is not thrown out.
            let most = cap + Span::from_millis(20);
            prop_assert!(s.held <= most, "{:?} held at {} ms", s.held, now / 1000);
            // What is heard within 300 ms of a guess or a stretch may be of the past.
            let made = s.extrapolated_frames + s.bridged_frames + s.noise_frames + s.stretched_frames;
            tainted = if made == made_before { tainted - 1 } else { 30 }.max(0);
            made_before = made;
            if let Some(label) = reader.heard(&sound, sent_by(now)).pop() {
                heard += 1;
                let waiting = kept.iter().filter(|kept| **kept > label).count() as u64;
                let ms = waiting * 20;
                prop_assert!(tainted > 0 || ms <= max_ms + 20, "{} ms wait of {} at {} ms", ms, max_ms, now / 1000);
            }
        }
        prop_assert!(heard > 0 || call.stats().voice_frames < 16_000);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(60), failure_persistence: None, ..ProptestConfig::default() })]

    /// After whatever happened, a clean line lets the level follow its target, and in the end brings back the
    /// target of a clean line.
    #[test]
    fn a_clean_line_brings_the_level_back(acts in prop::collection::vec(act(), 1..60)) {
        let mut sender = Sender::new(Codec::Pcmu);
        let wires = carry_out(&acts, &mut sender, Codec::Pcmu);
        let end = end_ms(&wires).max(sender.at_us as u64 / 1000);
        let mut call = Call::new(Codec::Pcmu);
        call.run(&wires, end);
        sender.packet_ms = 20;
        sender.at_us = end as f64 * 1000.0;
        let clean = sender.packets(15_000);
        let mut course = Vec::new();
        call.play(&clean, end + 300_020, |tick| {
            course.push((tick.stats.delay.as_millis_f32(), tick.stats.target.as_millis_f32()));
        });
        // From 20 s on; each five seconds hold a pause, in which the delay can follow.
        for five_s in course[2_000..30_000].windows(500).step_by(50) {
            let target = five_s.iter().map(|(_, target)| *target).fold(0.0, f32::max);
            let (delay, _) = five_s[499];
            prop_assert!(delay <= target + 20.0, "delay {delay} ms, target {target} ms: {:?}", call.stats());
        }
        let (_, target) = course[29_900];
        prop_assert!(target <= 50.0, "target {target} ms after five minutes of a clean line: {:?}", call.stats());
    }
}
