//! J7: rate conversion as a stream: counts, chunks, ends, and the way from µ-law to wide band and back.

use offhook_engine::codec::g711::Law;
use offhook_engine::rate::{Converter, Flow, RATES, RateError};
use offhook_units::SampleRate;
use proptest::prelude::*;
use std::f64::consts::TAU;

fn converter(from: SampleRate, to: SampleRate) -> Converter {
    Converter::new(from, to).expect("one of ours")
}

/// Noise that repeats for the same `seed`.
fn noise(len: usize, seed: u64) -> Vec<i16> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 48) as i16 / 3
    };
    (0..len).map(|_| next()).collect()
}

fn all_at_once(from: SampleRate, to: SampleRate, input: &[i16]) -> Vec<i16> {
    let mut out = vec![0; input.len() * 6 + 1];
    let flow = converter(from, to).process(input, &mut out);
    assert_eq!(flow.consumed, input.len());
    out.truncate(flow.produced);
    out
}

#[test]
fn ten_ms_in_are_ten_ms_out_in_every_tick() {
    for from in RATES {
        for to in RATES {
            let mut converter = converter(from, to);
            let input = noise(from.frames_in_ms(10), 7);
            let mut out = vec![0; to.frames_in_ms(10)];
            for tick in 0..6_000 {
                let flow = converter.process(&input, &mut out);
                let whole = Flow { consumed: input.len(), produced: out.len() };
                assert_eq!(flow, whole, "{} to {} Hz, tick {tick}", from.hz(), to.hz());
            }
        }
    }
}

#[test]
fn same_rate_is_an_exact_copy_without_delay() {
    for rate in RATES {
        let input = noise(1000, 3);
        assert_eq!(all_at_once(rate, rate, &input), input);
        assert_eq!(converter(rate, rate).delay().0, 0);
        assert_eq!(converter(rate, rate).flush(&mut [1; 10]), 0);
    }
}

#[test]
fn a_rate_that_cannot_be_taken_is_named() {
    let cd = SampleRate::new(44_100).expect("441 frames in 10 ms");
    for (from, to) in [(cd, SampleRate::HZ_8000), (SampleRate::HZ_8000, cd), (cd, cd)] {
        let error = Converter::new(from, to).expect_err("not ours");
        assert_eq!(error, RateError::Unsupported(cd));
        let text = "44100 Hz cannot be converted: expected 8000, 16000, 24000 or 48000 Hz";
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn the_end_of_a_stream_comes_out_by_flushing() {
    for from in RATES {
        for to in RATES.into_iter().filter(|&to| to != from) {
            let mut converter = converter(from, to);
            let mut input = vec![0; from.frames_in_ms(50)];
            let last = input.len() - 1;
            input[last] = 30_000;
            let mut out = vec![0; to.frames_in_ms(50)];
            converter.process(&input, &mut out);
            let mut tail = vec![0; 4000];
            let flushed = converter.flush(&mut tail);
            assert_eq!(flushed, converter.delay().0 as usize + 1);
            let peak = tail[..flushed].iter().map(|x| i32::from(*x)).max().expect("a tail");
            let share = f64::from(to.hz().min(from.hz())) / f64::from(from.hz());
            assert!(f64::from(peak) > 30_000.0 * share * 0.5, "{} to {}: {peak}", from.hz(), to.hz());
            // And nothing of it is left in what comes next.
            converter.process(&vec![0; from.frames_in_ms(50)], &mut out);
            assert!(out.iter().all(|&x| x == 0), "{} to {} Hz starts clean", from.hz(), to.hz());
        }
    }
}

#[test]
fn full_scale_saturates_and_never_wraps() {
    for from in RATES {
        for to in RATES {
            let square: Vec<i16> =
                (0..4800).map(|i| if i / 40 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
            let out = all_at_once(from, to, &square);
            for (at, pair) in out.windows(2).enumerate() {
                // From +100 % to −100 % takes more than one frame when wrapping is not to blame.
                let wrapped = pair[0] > 30_000 && pair[1] < -30_000 && from < to;
                assert!(!wrapped, "{} to {} Hz at {at}: {pair:?}", from.hz(), to.hz());
            }
        }
    }
}

/// Mission J7: µ-law and A-law at 8 kHz to linear 16 kHz and back.
#[test]
fn companded_speech_survives_wide_band_and_comes_back() {
    for law in [Law::Mu, Law::A] {
        let tone = |i: usize, hz: f64| (TAU * hz * i as f64 / 8000.0).sin();
        let speech: Vec<i16> = (0..8000)
            .map(|i| (6000.0 * tone(i, 310.0) + 4000.0 * tone(i, 1130.0) + 1500.0 * tone(i, 3010.0)) as i16)
            .collect();
        let heard: Vec<i16> = speech.iter().map(|&x| law.decode(law.encode(x))).collect();
        let wide = all_at_once(SampleRate::HZ_8000, SampleRate::HZ_16000, &heard);
        let narrow = all_at_once(SampleRate::HZ_16000, SampleRate::HZ_8000, &wide);
        let back: Vec<i16> = narrow.iter().map(|&x| law.decode(law.encode(x))).collect();
        // 67 frames at 16 kHz and 32.5 at 8 kHz make 66 at 8 kHz.
        let delay = 66;
        let (mut signal, mut error) = (0.0, 0.0);
        for i in 1000..7900 {
            signal += f64::from(speech[i - delay]).powi(2);
            error += (f64::from(back[i]) - f64::from(speech[i - delay])).powi(2);
        }
        let snr_db = 10.0 * (signal / error).log10();
        // Two passes of companding alone leave 35 dB.
        assert!(snr_db > 33.0, "{law:?}: {snr_db:.1} dB");
    }
}

fn any_rate() -> impl Strategy<Value = SampleRate> {
    prop::sample::select(RATES.to_vec())
}

proptest! {
    #[test]
    fn chunks_make_no_difference(
        from in any_rate(),
        to in any_rate(),
        seed: u64,
        steps in prop::collection::vec((0_usize..700, 0_usize..900), 1..60),
    ) {
        let input = noise(4000, seed);
        let expected = all_at_once(from, to, &input);
        let mut converter = converter(from, to);
        let mut at = 0;
        let mut got = Vec::new();
        for (offer, room) in steps {
            let mut out = vec![0; room];
            let chunk = &input[at..(at + offer).min(input.len())];
            let flow = converter.process(chunk, &mut out);
            prop_assert!(flow.consumed <= chunk.len() && flow.produced <= room);
            let is_full = flow.produced + to.hz().div_ceil(from.hz()) as usize > room;
            prop_assert!(flow.consumed == chunk.len() || is_full, "stopped early: {flow:?} of {offer}, {room}");
            at += flow.consumed;
            got.extend_from_slice(&out[..flow.produced]);
            let due = at as u64 * u64::from(to.hz()) / u64::from(from.hz());
            prop_assert_eq!(got.len() as u64, due);
        }
        prop_assert_eq!(&got[..], &expected[..got.len()]);
    }
}
