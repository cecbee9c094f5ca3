//! J2, J3: the delay follows the network, both ways, and forgets what was an accident.

mod support;

use offhook_engine::Settings;
use offhook_units::{Codec, Span};
use support::{Call, Dice, Sender, Sound, Wire, call::Reader};

/// Delay and target in milliseconds after each tick, with the tick's time.
type Course = Vec<(u64, f32, f32)>;

fn course(call: &mut Call, wires: &[Wire], until_ms: u64) -> Course {
    let mut course = Vec::new();
    call.play(wires, until_ms, |tick| {
        let stats = tick.stats;
        course.push((tick.at_us / 1000, stats.delay.as_millis_f32(), stats.target.as_millis_f32()));
    });
    course
}

fn between(course: &Course, from_ms: u64, to_ms: u64) -> impl Iterator<Item = (f32, f32)> {
    course
        .iter()
        .filter(move |(at, ..)| (from_ms..to_ms).contains(at))
        .map(|(_, delay, target)| (*delay, *target))
}

fn most(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(f32::MIN, f32::max)
}

/// The transit of what is played, on the line's own scale: how long ago its packet was sent, packet included.
fn mouth_to_ear_ms(label: u64, at_us: u64) -> f64 {
    at_us as f64 / 1000.0 - label as f64 * 20.0
}

#[test]
fn a_clean_line_is_known_within_seconds() {
    let mut call = Call::new(Codec::Pcmu);
    let course = course(&mut call, &Sender::new(Codec::Pcmu).packets(500), 10_010);
    let start = most(between(&course, 0, 300).map(|c| c.0));
    assert!((90.0..=130.0).contains(&start), "it starts from 100 ms: {start}");
    let later = most(between(&course, 5_000, 10_000).map(|c| c.0));
    assert!(later <= 35.0, "after five seconds still {later} ms");
    assert_eq!(call.stats().underruns, 0);
}

#[test]
fn a_packet_in_hand_is_not_kept_for_losses_that_are_over() {
    let mut dice = Dice::new(11);
    let mut wires = Sender::new(Codec::Pcmu).packets(2_000);
    let is_bad = |wire: &Wire| (10_000_000..14_000_000).contains(&wire.arrival_us);
    wires.retain(|wire| !is_bad(wire) || !dice.percent(40));
    let mut call = Call::new(Codec::Pcmu);
    let course = course(&mut call, &wires, 40_020);
    let least = between(&course, 16_000, 20_000).map(|c| c.1).fold(f32::MAX, f32::min);
    assert!(least >= 45.0, "a line that loses so much is worth a packet in hand: {least} ms");
    let later = most(between(&course, 33_000, 40_000).map(|c| c.0));
    assert!(later <= 35.0, "19 s after the last loss still {later} ms");
}

#[test]
fn the_reported_delay_is_the_delay_that_is_heard() {
    let mut call = Call::new(Codec::Pcmu);
    let wires = Sender::saying(Codec::Pcmu, Sound::Labels).packets(500);
    let reader = Reader::new(Codec::Pcmu);
    let (mut newest, mut pairs) = (0, Vec::new());
    call.play(&wires, 10_010, |tick| {
        for label in reader.heard(tick.sound, tick.at_us / 20_000) {
            if label > newest {
                newest = label;
                let at_us = tick.at_us;
                pairs.push((mouth_to_ear_ms(label, at_us), f64::from(tick.stats.delay.as_millis_f32())));
            }
        }
    });
    assert!(pairs.len() > 450);
    for (heard, said) in &pairs[100..] {
        assert!((heard - said).abs() <= 10.0, "heard {heard}, said {said}");
    }
}

#[test]
fn low_latency_mode_keeps_to_one_packet() {
    let lowest = Settings {
        min_delay: Span::from_millis(20),
        start_delay: Span::from_millis(20),
        max_delay: Span::from_millis(20),
        ..Settings::default()
    };
    let mut call = Call::with(Codec::Pcmu, lowest);
    let course = course(&mut call, &Sender::new(Codec::Pcmu).packets(500), 10_010);
    let worst = most(between(&course, 100, 10_000).map(|c| c.0));
    assert!(worst <= 30.0, "{worst} ms");
    let stats = call.stats();
    assert_eq!((stats.underruns, stats.missing), (0, 0), "{stats:?}");
    assert!(stats.voice_frames >= 498 * 160, "{stats:?}");
}

#[test]
fn low_latency_mode_stays_low_over_a_jittery_line() {
    let lowest = Settings {
        min_delay: Span::from_millis(20),
        start_delay: Span::from_millis(20),
        max_delay: Span::from_millis(20),
        ..Settings::default()
    };
    let mut call = Call::with(Codec::Pcmu, lowest);
    let (mut sender, mut dice) = (Sender::new(Codec::Pcmu), Dice::new(3));
    let wires: Vec<Wire> = (0..500).map(|_| sender.packet().after(dice.share() * 30.0)).collect();
    let course = course(&mut call, &wires, 10_040);
    let target = most(between(&course, 500, 10_000).map(|c| c.1));
    assert!(target <= 30.0, "one packet and the grid of the ticks: {target} ms");
}

/// A network whose delay is `before` ms, and `after` ms from the tenth second on; 4 ms of jitter.
fn stepped(before: f64, after: f64) -> Vec<Wire> {
    let (mut sender, mut dice) = (Sender::new(Codec::Pcmu), Dice::new(4));
    (0..1_000)
        .map(|i| sender.packet().after(dice.share() * 4.0 + if i < 500 { before } else { after }))
        .collect()
}

#[test]
fn a_step_up_is_followed_within_two_seconds() {
    let mut call = Call::new(Codec::Pcmu);
    let course = course(&mut call, &stepped(10.0, 100.0), 20_120);
    // The floor moves with the step, so that the delay is measured against the network as it is now.
    let delay = most(between(&course, 12_100, 12_600).map(|c| c.0));
    let calm = most(between(&course, 18_000, 19_000).map(|c| c.0));
    assert!(delay <= calm + 25.0, "two seconds after the step {delay} ms, at last {calm} ms");
    assert!(calm <= 45.0, "{calm}");
    assert!(call.stats().underruns <= 3, "{:?}", call.stats());
}

#[test]
fn a_step_down_is_followed_within_two_seconds() {
    let mut call = Call::new(Codec::Pcmu);
    let course = course(&mut call, &stepped(100.0, 10.0), 20_120);
    let delay = most(between(&course, 12_100, 12_600).map(|c| c.0));
    let calm = most(between(&course, 18_000, 19_000).map(|c| c.0));
    assert!(delay <= calm + 25.0, "two seconds after the step {delay} ms, at last {calm} ms");
    assert!(calm <= 45.0, "{calm}");
}

#[test]
fn a_lone_spike_is_not_permanent_latency() {
    let mut sender = Sender::new(Codec::Pcmu);
    // Nothing comes for 300 ms, then everything at once.
    let wires: Vec<Wire> = (0..1_500)
        .map(|i| sender.packet().after(if (500..515).contains(&i) { (515 - i) as f64 * 20.0 } else { 0.0 }))
        .collect();
    let mut call = Call::new(Codec::Pcmu);
    let course = course(&mut call, &wires, 30_010);
    let calm = most(between(&course, 8_000, 9_900).map(|c| c.0));
    let later = most(between(&course, 16_300, 30_000).map(|c| c.0));
    assert!(later <= calm + 10.0, "six seconds after the spike {later} ms, before it {calm} ms");
}

#[test]
fn jitter_asks_for_delay_and_calm_gives_it_back() {
    let (mut sender, mut dice) = (Sender::new(Codec::Pcmu), Dice::new(8));
    let wires: Vec<Wire> = (0..3_000)
        .map(|i| sender.packet().after(if (500..1_500).contains(&i) { dice.share() * 80.0 } else { 0.0 }))
        .collect();
    let mut call = Call::new(Codec::Pcmu);
    let course = course(&mut call, &wires, 60_010);
    let rough = between(&course, 20_000, 30_000).map(|c| c.0).sum::<f32>() / 1_000.0;
    assert!((60.0..=130.0).contains(&rough), "80 ms of jitter and a packet: {rough} ms");
    let calm = most(between(&course, 50_000, 60_000).map(|c| c.0));
    assert!(calm <= 40.0, "twenty seconds after: {calm} ms");
}

#[test]
fn the_cap_holds_under_a_burst() {
    let capped = Settings { max_delay: Span::from_millis(100), ..Settings::default() };
    let mut sender = Sender::new(Codec::Pcmu);
    // Twenty packets in one instant, again and again.
    let wires: Vec<Wire> = (0..1_500)
        .map(|i| sender.packet().after(if i % 300 >= 280 { (300 - i % 300) as f64 * 20.0 } else { 0.0 }))
        .collect();
    let mut call = Call::with(Codec::Pcmu, capped);
    let course = course(&mut call, &wires, 30_030);
    let worst = most(between(&course, 200, 30_000).map(|c| c.0));
    assert!(worst <= 110.0, "the cap and one tick: {worst} ms");
    assert!(call.stats().overrun > 0, "{:?}", call.stats());
}

#[test]
fn the_cap_may_be_lowered_in_mid_call() {
    let (mut sender, mut dice) = (Sender::new(Codec::Pcmu), Dice::new(8));
    let mut wires =
        |count| -> Vec<Wire> { (0..count).map(|_| sender.packet().after(dice.share() * 200.0)).collect() };
    let mut call = Call::new(Codec::Pcmu);
    let (rough, capped) = (wires(500), wires(500));
    let split = rough.len();
    let all: Vec<Wire> = rough.into_iter().chain(capped).collect();
    let (first, second): (Vec<Wire>, Vec<Wire>) =
        all.into_iter().partition(|wire| wire.arrival_us < 9_990_000);
    assert!(first.len() < split);
    let before = course(&mut call, &first, 10_000);
    assert!(most(between(&before, 5_000, 10_000).map(|c| c.0)) > 120.0);
    call.playout.apply(Settings { max_delay: Span::from_millis(80), ..Settings::default() });
    let after = course(&mut call, &second, 20_200);
    let worst = most(between(&after, 11_000, 20_000).map(|c| c.0));
    // The cap, the tick that a packet waits for, and what the floor itself moves.
    assert!(worst <= 95.0, "{worst} ms");
}
