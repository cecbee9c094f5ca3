//! Instructions of single pulls, counted under callgrind: the same on a noisy machine as on a quiet one. Each has a
//! limit, above which the run is red.

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use offhook_engine::{Playout, Settings, Stats};
use offhook_engine_benches::{line::Weather, support::Wire};
use offhook_units::{Codec, Moment};
use std::hint::black_box;

/// A call before a certain pull.
struct Ready {
    playout: Playout,
    come: Vec<Wire>,
    now_us: u64,
    sound: Vec<i16>,
}

/// Ten seconds in, everything has been touched and the line is known.
const SETTLED_MS: u64 = 10_000;

/// Runs a call until a pull from `from_ms` on that `wanted` picks by the counters before and after it, and stops before that pull.
fn before(codec: Codec, weather: Weather, from_ms: u64, wanted: impl Fn(&Stats, &Stats) -> bool) -> Ready {
    let wires = weather.packets(codec, 40);
    let rehearse = |until: u64| {
        let mut playout = Playout::new(codec, Settings::default()).expect("starts");
        let mut sound = vec![0; playout.tick_frames()];
        let mut next = 0;
        for tick in 0..until {
            let before = *playout.stats();
            while wires.get(next).is_some_and(|wire| wire.arrival_us <= tick * 10_000) {
                playout.put(&wires[next].packet());
                next += 1;
            }
            playout.render(Moment::from_micros(tick * 10_000), &mut sound);
            if until == u64::MAX && tick * 10 > from_ms && wanted(&before, playout.stats()) {
                return Err(tick);
            }
            assert!(tick < 4_000, "no such pull");
        }
        Ok((playout, next, sound))
    };
    let Err(tick) = rehearse(u64::MAX) else { unreachable!("it ends in that pull") };
    let Ok((playout, next, sound)) = rehearse(tick) else { unreachable!("it is not asked") };
    let come = wires[next..].iter().take_while(|wire| wire.arrival_us <= tick * 10_000).cloned().collect();
    Ready { playout, come, now_us: tick * 10_000, sound }
}

/// A packet is decoded.
fn clean(codec: Codec) -> Ready {
    before(codec, Weather::Clean, SETTLED_MS, |a, b| b.voice_frames > a.voice_frames && a.warps == b.warps)
}

/// The first guess of a hole: the past is studied.
fn guess(codec: Codec) -> Ready {
    before(codec, Weather::Gaps, SETTLED_MS, |a, b| b.underruns > a.underruns)
}

/// A hole is bridged from both sides.
fn bridge(codec: Codec) -> Ready {
    before(codec, Weather::Loss, SETTLED_MS, |a, b| {
        b.bridged_frames + b.recovered_frames > a.bridged_frames + a.recovered_frames
    })
}

/// The longest hole that is bridged at once, its near side not studied before: the dearest pull of all.
fn long_bridge(codec: Codec) -> Ready {
    let longest = codec.sample_rate().frames_in_ms(80) as u64;
    before(codec, Weather::Bursts, SETTLED_MS, |a, b| b.bridged_frames >= a.bridged_frames + longest)
}

/// The delay that a call starts with is given back: the first change of speed.
fn warp(codec: Codec) -> Ready {
    before(codec, Weather::Clean, 0, |a, b| b.warps > a.warps)
}

#[library_benchmark]
#[bench::clean_pcmu(args = (Codec::Pcmu), setup = clean, config = most(18_000))]
#[bench::clean_g722(args = (Codec::G722), setup = clean, config = most(160_000))]
#[bench::clean_opus(args = (Codec::Opus), setup = clean, config = most(610_000))]
#[bench::guess_pcmu(args = (Codec::Pcmu), setup = guess, config = most(80_000))]
#[bench::bridge_pcmu(args = (Codec::Pcmu), setup = bridge, config = most(170_000))]
#[bench::bridge_g722(args = (Codec::G722), setup = bridge, config = most(405_000))]
#[bench::long_bridge_pcmu(args = (Codec::Pcmu), setup = long_bridge, config = most(145_000))]
#[bench::long_bridge_g722(args = (Codec::G722), setup = long_bridge, config = most(415_000))]
#[bench::warp_pcmu(args = (Codec::Pcmu), setup = warp, config = most(34_000))]
fn pull(mut ready: Ready) -> Ready {
    for wire in &ready.come {
        ready.playout.put(&wire.packet());
    }
    ready.playout.render(Moment::from_micros(ready.now_us), &mut ready.sound);
    black_box(ready)
}

/// About a fifth above what was measured (docs/measuring.md).
fn most(instructions: u64) -> LibraryBenchmarkConfig {
    LibraryBenchmarkConfig::default()
        .tool(Callgrind::default().hard_limits([(EventKind::Ir, instructions)]))
        .clone()
}

library_benchmark_group!(name = pulls, benchmarks = pull);
main!(library_benchmark_groups = pulls);
