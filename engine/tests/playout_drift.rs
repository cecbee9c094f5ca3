//! J4: a sender whose clock is not ours is followed for hours.

mod support;

use offhook_units::Codec;
use support::{Call, Dice, Sender, Wire};

/// An hour of a sender that is off by `ppm`, over a line that delays each packet by up to `jitter_ms`.
fn hour(ppm: f64, jitter_ms: f64) -> Call {
    let mut sender = Sender::new(Codec::Pcmu);
    sender.ppm = ppm;
    let mut dice = Dice::new(77);
    let mut call = Call::new(Codec::Pcmu);
    let mut after_a_minute = None;
    // A minute at a time: the packets of an hour need not exist at once.
    let mut coming: Vec<Wire> = Vec::new();
    for minute in 1..=60u64 {
        while sender.at_us < minute as f64 * 60e6 {
            coming.push(sender.packet().after(dice.share() * jitter_ms));
        }
        let (wires, later) =
            coming.into_iter().partition(|wire| wire.arrival_us <= minute * 60_000_000 - 10_000);
        coming = later;
        let wires: Vec<Wire> = wires;
        let mut worst_ms = 0.0_f32;
        call.play(&wires, minute * 60_000, |tick| worst_ms = worst_ms.max(tick.stats.delay.as_millis_f32()));
        let stats = call.stats();
        if minute > 1 {
            assert!(worst_ms < 60.0 + jitter_ms as f32, "{ppm} ppm: {worst_ms} ms in minute {minute}");
        }
        let first = *after_a_minute.get_or_insert(stats.underruns);
        let most = if jitter_ms > 0.0 { minute * 2 } else { 0 };
        let dry = stats.underruns - first;
        assert!(dry <= most, "{ppm} ppm: ran dry {dry} times up to minute {minute}");
        assert_eq!((stats.missing, stats.overrun), (0, 0), "{ppm} ppm, minute {minute}");
        if minute >= 5 {
            let drift = stats.drift.expect("known after five minutes").0;
            assert!(
                (f64::from(drift) - ppm).abs() <= 20.0,
                "{ppm} ppm was taken for {drift} in minute {minute}"
            );
        }
    }
    call
}

#[test]
fn a_fast_sender_is_followed_for_an_hour() {
    let stats = hour(200.0, 0.0).stats();
    // 200 ppm of an hour are 720 ms.
    let net = stats.squeezed_frames as i64 - stats.stretched_frames as i64;
    assert!((4_800..=7_400).contains(&net), "{stats:?}");
}

#[test]
fn a_slow_sender_is_followed_for_an_hour() {
    let stats = hour(-200.0, 0.0).stats();
    let net = stats.stretched_frames as i64 - stats.squeezed_frames as i64;
    assert!((4_400..=6_400).contains(&net), "{stats:?}");
}

#[test]
fn drift_is_told_from_jitter() {
    // The engine may weigh a lone packet that comes too late against less delay: twice a minute here at most.
    hour(200.0, 8.0);
    hour(-200.0, 8.0);
}

#[test]
fn an_exact_sender_is_left_alone() {
    let stats = hour(0.0, 0.0).stats();
    assert!(stats.drift.expect("known").0.abs() < 1.0, "{stats:?}");
    // The start gives back what the target fell by; nothing moves afterwards.
    assert!(stats.squeezed_frames < 1_600 && stats.stretched_frames < 160, "{stats:?}");
}
