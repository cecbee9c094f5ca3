//! What a breath must sound like, by measurement.

use super::*;

const RATES_HZ: [u32; 4] = [8_000, 16_000, 24_000, 48_000];

fn drawn(kind: BreathKind, seed: u64) -> Breath {
    Breath::drawn(kind, BreathLevel::default(), Span::from_millis(300), &mut Random::new(seed))
}

/// Part of the power that lies in `low..high` Hz, in dB, by a plain Fourier sum on 60 Hz steps.
fn part_db(samples: &[i16], rate_hz: u32, low: f32, high: f32) -> f32 {
    let power_at = |hz: f32| {
        let step = TAU * hz / rate_hz as f32;
        let (re, im) = samples.iter().enumerate().fold((0.0f32, 0.0f32), |(re, im), (i, &x)| {
            let (sin, cos) = (step * i as f32).sin_cos();
            (re + f32::from(x) * cos, im + f32::from(x) * sin)
        });
        re * re + im * im
    };
    let (mut part, mut all) = (0.0, 0.0);
    let mut hz = 0.0;
    while hz < rate_hz as f32 / 2.0 {
        let power = power_at(hz);
        all += power;
        if (low..high).contains(&hz) {
            part += power;
        }
        hz += 60.0;
    }
    10.0 * (part / all).max(1e-12).log10()
}

#[test]
fn every_breath_lasts_a_tenth_to_three_tenths_of_a_second() {
    for kind in BreathKind::ALL {
        for rate_hz in RATES_HZ {
            for seed in 0..50 {
                let sound = drawn(kind, seed).render(rate_hz);
                let ms = sound.len() as f32 * 1000.0 / rate_hz as f32;
                assert!((99.9..=300.0).contains(&ms), "{kind} {ms} ms at {rate_hz}");
            }
        }
    }
}

#[test]
fn no_breath_clicks_it_starts_and_ends_at_zero_and_moves_gently() {
    for kind in BreathKind::ALL {
        for rate_hz in RATES_HZ {
            let sound = drawn(kind, 11).render(rate_hz);
            assert_eq!((sound.first(), sound.last()), (Some(&0), Some(&0)), "{kind} at {rate_hz}");
            let peak = sound.iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
            let edge = rate_hz as usize * 3 / 1000;
            let loud_edge =
                sound[..edge].iter().chain(&sound[sound.len() - edge..]).map(|x| x.unsigned_abs()).max();
            assert!(loud_edge.unwrap_or(0) <= peak / 12, "{kind} at {rate_hz}: edge {loud_edge:?} of {peak}");
        }
    }
}

#[test]
fn breaths_are_band_limited_at_every_rate() {
    for kind in BreathKind::ALL {
        for rate_hz in RATES_HZ {
            let sound = drawn(kind, 5).render(rate_hz);
            let half = rate_hz as f32 / 2.0;
            let rumble = part_db(&sound, rate_hz, 0.0, 80.0);
            assert!(rumble < -30.0, "{kind} at {rate_hz}: {rumble} dB below 80 Hz");
            let top = part_db(&sound, rate_hz, (half * 0.95).min(9_000.0), half);
            assert!(top < -35.0, "{kind} at {rate_hz}: {top} dB at the top");
        }
    }
}

#[test]
fn a_breath_sounds_the_same_at_every_rate() {
    // Most of it lies where a mouth resonates, whatever the rate.
    for kind in BreathKind::ALL {
        for rate_hz in RATES_HZ {
            let middle = part_db(&drawn(kind, 3).render(rate_hz), rate_hz, 300.0, 3_600.0);
            assert!(middle > -1.6, "{kind} at {rate_hz}: {middle} dB from 300 to 3600 Hz");
        }
    }
}

#[test]
fn strength_varies_and_stays_where_it_was_set() {
    let level_db = |kind, seed| {
        let sound = drawn(kind, seed).render(16_000);
        let power = sound.iter().map(|&x| f32::from(x).powi(2)).sum::<f32>() / sound.len() as f32;
        20.0 * (power.sqrt() / 32_767.0).log10()
    };
    let levels: Vec<f32> = (0..100).map(|seed| level_db(BreathKind::Normal, seed)).collect();
    let (low, high) = levels.iter().fold((0.0f32, -99.0f32), |(l, h), &x| (l.min(x), h.max(x)));
    assert!(low >= -39.3 && high <= -32.8, "{low} to {high}");
    assert!(high - low > 5.0, "they hardly vary: {low} to {high}");
    let mean = |kind| (0..40).map(|seed| level_db(kind, seed)).sum::<f32>() / 40.0;
    assert!(mean(BreathKind::Deep) > mean(BreathKind::Quick) + 3.0);
}

#[test]
fn the_seed_decides_every_sample() {
    let one = drawn(BreathKind::Deep, 9);
    assert_eq!(one.render(16_000), one.render(16_000));
    assert_ne!(one.render(16_000), drawn(BreathKind::Deep, 10).render(16_000));
}

#[test]
fn what_cannot_be_asked_for_is_taken_to_the_nearest_that_can() {
    let breath = Breath { level_db: 40.0, length: Span::from_millis(100), ..drawn(BreathKind::Normal, 1) };
    assert_eq!(breath.render(100).len(), 800);
    assert!(Breath { length: Span::from_millis(-5), ..breath }.render(8_000).is_empty());
    assert!(breath.render(8_000).iter().any(|&x| x == i16::MAX || x == i16::MIN), "cut off, not wrapped");
    let short =
        Breath::drawn(BreathKind::Deep, BreathLevel::default(), Span::from_millis(1), &mut Random::new(1));
    assert_eq!(short.length, Span::from_millis(100));
}
