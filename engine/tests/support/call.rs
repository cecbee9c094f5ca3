//! One call in virtual time: packets come when they come, and every 10 ms there is a tick.

use super::sender::{LABELS, Wire, label_levels};
use offhook_engine::{Playout, Settings, Stats};
use offhook_units::{Codec, Moment};

pub const TICK_US: u64 = 10_000;

/// What was played at one tick, and what the engine said of itself after it.
#[derive(Debug)]
pub struct Tick<'a> {
    pub at_us: u64,
    pub sound: &'a [i16],
    pub stats: &'a Stats,
}

impl Tick<'_> {
    /// Whether the engine wrote to the tick's end.
    pub fn is_whole(&self) -> bool {
        let tail = self.sound.len() - 8;
        self.sound.iter().zip(unwritten()).skip(tail).any(|(sample, before)| *sample != before)
    }
}

/// What stands in a tick before it is rendered: nothing that sounds like this.
fn unwritten() -> impl Iterator<Item = i16> {
    (0..i16::MAX).map(|i| i.wrapping_mul(7_919))
}

pub struct Call {
    pub playout: Playout,
    pub now_us: u64,
    codec: Codec,
    sound: Vec<i16>,
}

impl Call {
    pub fn new(codec: Codec) -> Self {
        Self::with(codec, Settings::default())
    }

    pub fn with(codec: Codec, settings: Settings) -> Self {
        let playout = Playout::new(codec, settings).expect("starts");
        let sound = vec![0; playout.tick_frames()];
        Self { playout, now_us: 0, codec, sound }
    }

    pub fn stats(&self) -> Stats {
        *self.playout.stats()
    }

    /// Plays until `until_ms`, taking in `wires` as they come, whatever their order in the list.
    pub fn play(&mut self, wires: &[Wire], until_ms: u64, mut each: impl FnMut(&Tick<'_>)) {
        let mut order: Vec<&Wire> = wires.iter().collect();
        order.sort_by_key(|wire| wire.arrival_us);
        let mut order = order.into_iter().peekable();
        while self.now_us < until_ms * 1000 {
            while let Some(wire) = order.next_if(|wire| wire.arrival_us <= self.now_us) {
                self.playout.put(&wire.packet());
            }
            self.sound.iter_mut().zip(unwritten()).for_each(|(to, from)| *to = from);
            self.playout.render(Moment::from_micros(self.now_us), &mut self.sound);
            each(&Tick { at_us: self.now_us, sound: &self.sound, stats: self.playout.stats() });
            self.now_us += TICK_US;
        }
        assert_eq!(order.next().map(|wire| wire.arrival_us), None, "a packet of the test came after its end");
    }

    /// As `play`, for the final counters alone.
    pub fn run(&mut self, wires: &[Wire], until_ms: u64) -> Stats {
        self.play(wires, until_ms, |_| {});
        self.stats()
    }

    /// Frames heard so far, by the counters: what each source gave, more or less what speed changed. More than
    /// the ticks took is still waiting to be played.
    pub fn frames_made(stats: &Stats) -> i64 {
        let made = stats.voice_frames
            + stats.extrapolated_frames
            + stats.bridged_frames
            + stats.recovered_frames
            + stats.noise_frames
            + stats.silent_frames
            + stats.stretched_frames;
        made as i64 - stats.squeezed_frames as i64
    }

    /// Decoded frames that wait, by the same counters.
    pub fn pending(&self) -> i64 {
        let stats = self.playout.stats();
        Self::frames_made(stats) - (stats.ticks * self.playout.tick_frames() as u64) as i64
    }

    pub const fn codec(&self) -> Codec {
        self.codec
    }
}

/// Reads packets of [`super::Sound::Labels`] back from what was played.
pub struct Reader {
    levels: Vec<i16>,
}

impl Reader {
    pub fn new(codec: Codec) -> Self {
        Self { levels: label_levels(codec) }
    }

    /// The packets that fill at least 2.5 ms of `sound` in one piece, in order. Labels repeat, so each is taken
    /// for the newest one up to `newest`, the newest packet that has come.
    pub fn heard(&self, sound: &[i16], newest: u64) -> Vec<u64> {
        let runs = sound.chunk_by(|a, b| a == b).filter(|run| run.len() >= 20);
        runs.filter_map(|run| {
            let label = self.levels.iter().position(|level| *level == run[0])? as u64;
            newest.checked_sub((newest % LABELS + LABELS - label) % LABELS)
        })
        .collect()
    }
}
