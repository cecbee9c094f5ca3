//! Any packet sequence whatever: the output goes on, the cap holds, the counters add up.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use offhook_engine::{Playout, Settings};
use offhook_fuzz::{AnyCodec, Arrival, Stream};
use offhook_units::{Codec, Moment, Span};

#[derive(Arbitrary, Debug)]
enum Act {
    Packet(Arrival),
    /// The sender keeps its beat for so many packets.
    Beat(u8),
    /// Nothing comes for so many ticks.
    Silence(u8),
    /// The configuration is reloaded.
    Apply(AnySettings),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct AnySettings {
    min_ms: u16,
    start_ms: u16,
    max_ms: u16,
    speed: u8,
}

impl From<AnySettings> for Settings {
    fn from(any: AnySettings) -> Self {
        let ms = |ms: u16| Span::from_millis(i64::from(ms % 1_000));
        Self {
            min_delay: ms(any.min_ms),
            start_delay: ms(any.start_ms),
            max_delay: ms(any.max_ms),
            max_speed_change: f32::from(any.speed) / 100.0,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Call<'a> {
    codec: AnyCodec,
    settings: AnySettings,
    acts: Vec<Act>,
    raw: &'a [u8],
}

fuzz_target!(|call: Call<'_>| {
    let codec = Codec::from(call.codec);
    let Ok(mut playout) = Playout::new(codec, call.settings.into()) else { return };
    let mut line = Line { stream: Stream::new(codec), now_us: 0, next_tick_us: 0, ticks: 0 };
    for act in &call.acts {
        // Twenty seconds of call: more is more of the same, and slow under the sanitizer.
        if line.ticks > 2_000 {
            break;
        }
        match act {
            Act::Packet(arrival) => line.packet(&mut playout, arrival, call.raw),
            Act::Beat(packets) => {
                let usual = Arrival {
                    wait: 40,
                    step: offhook_fuzz::Step::Next,
                    kind: offhook_fuzz::Kind::Usual { tens_of_ms: 2, byte: 0x90 },
                };
                (0..*packets % 64).for_each(|_| line.packet(&mut playout, &usual, call.raw));
            }
            Act::Silence(ticks) => line.pass(&mut playout, u64::from(*ticks) * 10_000),
            Act::Apply(settings) => playout.apply((*settings).into()),
        }
    }
    line.pass(&mut playout, 700_000);
    let s = playout.stats();
    assert_eq!(s.ticks, line.ticks);
    let refused =
        s.duplicates + s.too_old + s.on_probation + s.stragglers + s.late + s.undecodable + s.overrun;
    assert!(refused <= s.packets, "{s:?}");
    let made = s.voice_frames
        + s.extrapolated_frames
        + s.bridged_frames
        + s.recovered_frames
        + s.noise_frames
        + s.silent_frames
        + s.stretched_frames;
    let played = s.ticks * playout.tick_frames() as u64 + s.squeezed_frames;
    let most_pending = playout.rate().frames_in_ms(300) as u64;
    assert!((played..=played + most_pending).contains(&made), "made {made}, played {played}: {s:?}");
});

struct Line {
    stream: Stream,
    now_us: u64,
    next_tick_us: u64,
    ticks: u64,
}

impl Line {
    fn packet(&mut self, playout: &mut Playout, arrival: &Arrival, raw: &[u8]) {
        self.pass(playout, u64::from(arrival.wait) * 500);
        playout.put(&self.stream.packet(Moment::from_micros(self.now_us), arrival, raw));
    }

    /// Time goes by, tick by tick; each tick is written to its end.
    fn pass(&mut self, playout: &mut Playout, us: u64) {
        self.now_us += us;
        let mut sound = [0; 480];
        while self.next_tick_us <= self.now_us {
            let frames = playout.tick_frames();
            playout.render(Moment::from_micros(self.next_tick_us), &mut sound[..frames]);
            let held_ms = playout.stats().held.as_millis_f32();
            assert!((0.0..=1_300.0).contains(&held_ms), "{held_ms} ms are held");
            self.ticks += 1;
            self.next_tick_us += 10_000;
        }
    }
}
