//! S2: no input whatever makes the sound modules panic, and what they write stays in its bounds.

#[path = "support/cases.rs"]
mod support_cases;
use support_cases::cases;

use offhook_engine::sound::{ComfortNoise, Concealer, Limits, Warper};
use offhook_units::SampleRate;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Call {
    Listen(Vec<i16>),
    Extrapolate(Vec<i16>, usize),
    Bridge(Vec<i16>, usize, Vec<i16>),
    Rejoin(usize, Vec<i16>),
    Noise(Option<Vec<u8>>, usize),
    Squeeze(Vec<i16>, usize, f32),
    Stretch(Vec<i16>, usize, usize, f32),
}

/// Sound of any length: random, constant, extreme or periodic.
fn sound() -> impl Strategy<Value = Vec<i16>> {
    prop_oneof![
        prop::collection::vec(any::<i16>(), 0..700),
        (any::<i16>(), 0usize..3_000).prop_map(|(x, n)| vec![x; n]),
        (1usize..200, 0usize..3_000).prop_map(|(period, n)| {
            (0..n).map(|i| if i / period % 2 == 0 { i16::MAX } else { i16::MIN }).collect()
        }),
        (2u32..400, 0usize..3_000, any::<i16>()).prop_map(|(period, n, top)| {
            (0..n)
                .map(|i| (f32::from(top) * (i as f32 * std::f32::consts::TAU / period as f32).sin()) as i16)
                .collect()
        }),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        3 => sound().prop_map(Call::Listen),
        3 => (sound(), 0usize..2_000).prop_map(|(h, n)| Call::Extrapolate(h, n)),
        3 => (sound(), 0usize..5_000, sound()).prop_map(|(h, n, f)| Call::Bridge(h, n, f)),
        2 => (0usize..1_500, sound()).prop_map(|(n, f)| Call::Rejoin(n, f)),
        1 => (prop::option::of(prop::collection::vec(any::<u8>(), 0..20)), 0usize..1_000)
            .prop_map(|(word, n)| Call::Noise(word, n)),
        1 => (sound(), 0usize..4_000, 0.0f32..40_000.0).prop_map(|(b, n, l)| Call::Squeeze(b, n, l)),
        1 => (sound(), 0usize..6_000, 0usize..4_000, 0.0f32..40_000.0)
            .prop_map(|(b, room, n, l)| Call::Stretch(b, room, n, l)),
    ]
}

fn perform(call: Call, concealer: &mut Concealer, warper: &mut Warper) {
    match call {
        Call::Listen(fresh) => concealer.listen(&fresh),
        Call::Extrapolate(history, n) => concealer.extrapolate(&history, &mut vec![0; n]),
        Call::Bridge(history, n, future) => concealer.bridge(&history, &mut vec![0; n], 0, &future),
        Call::Rejoin(n, mut fresh) => assert!(concealer.rejoin(&mut vec![0; n], &mut fresh) <= n),
        Call::Noise(word, n) => {
            let word = word.and_then(|payload| ComfortNoise::parse(&payload));
            concealer.noise(word, &mut vec![0; n]);
        }
        Call::Squeeze(mut block, limit, level) => {
            let made = warper.squeeze(&mut block, Limits { pause: limit, speech: limit }, level);
            assert!(made.removed <= limit && made.removed <= block.len());
        }
        Call::Stretch(block, room, limit, level) => {
            let mut out = vec![0; room];
            let made = warper.stretch(&block, &mut out, Limits { pause: limit, speech: limit }, level);
            assert!(made.added <= limit && (made.added == 0 || block.len() + made.added <= room));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(300)))]

    #[test]
    fn any_calls_in_any_order_are_survived(
        hz in prop::sample::select(vec![8_000u32, 16_000, 24_000, 44_100, 48_000]),
        calls in prop::collection::vec(call(), 1..12),
    ) {
        let rate = SampleRate::new(hz).expect("a listed rate");
        let (mut concealer, mut warper) = (Concealer::new(rate), Warper::new(rate));
        for call in calls {
            perform(call, &mut concealer, &mut warper);
        }
        // Whatever it was, silence comes back to silence.
        for _ in 0..1_000 {
            concealer.listen(&vec![0; rate.frames_in_ms(20)]);
        }
        let mut out = vec![0; rate.frames_in_ms(400)];
        concealer.extrapolate(&vec![0; rate.frames_in_ms(60)], &mut out);
        prop_assert!(out.iter().all(|s| s.unsigned_abs() <= 1), "{:?}", out.iter().max());
    }
}
