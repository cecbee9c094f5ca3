//! Chunks (C1): the portions in which speech is handed to the play-out, and the book that is kept of them.
//!
//! A service that answers slowly gets small chunks, so that little is lost when it breaks; one that is quick and steady
//! gets large ones. No chunk is waited for while the play-out has less than that in hand: the first sound of a turn
//! leaves as it comes (C5), and a service that only just keeps pace is never held up.

use offhook_units::Span;

/// Below this time of waiting a service is quick, above the other it is slow, ms.
const QUICK_MS: f32 = 120.0;
const SLOW_MS: f32 = 600.0;
/// How much one more measurement counts.
const WEIGHT: f32 = 0.25;
/// So much more or less than the last chunk the next one has at most: sizes do not jump.
const STEP: f32 = 1.5;
/// With less than this in hand the play-out gets whatever there is.
const SHORT_MS: u32 = 80;
/// A sample beyond this is at its limit.
const LIMIT: u16 = 32_700;

/// How long chunks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSettings {
    /// Of a slow service.
    pub min_ms: u32,
    /// While nothing is known of it.
    pub default_ms: u32,
    /// Of a quick and steady one.
    pub max_ms: u32,
}

impl Default for ChunkSettings {
    /// C1's values.
    fn default() -> Self {
        Self { min_ms: 100, default_ms: 500, max_ms: 1_000 }
    }
}

/// What a chunk is in its turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkFlags {
    /// The first of its turn.
    pub first: bool,
    /// The last of its turn.
    pub last: bool,
    /// It goes on in the sound of the chunk before, without a rest between them.
    pub continuation: bool,
    /// A voice broke off, and in this chunk another one begins, with the word that the first had not finished.
    pub retransmit: bool,
}

/// A portion of speech, as it was handed out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chunk {
    /// Counted from 0 in the call.
    pub sequence: u64,
    /// Its first sample, counted from the start of the call: its time-stamp.
    pub at: u64,
    /// How long it is.
    pub duration: Span,
    /// What it is in its turn.
    pub flags: ChunkFlags,
    /// The root mean square of its samples, in dB below full scale.
    pub level_db: f32,
    /// Samples at the limit of what can be said.
    pub clipped: u32,
    /// How long the service lets us wait, smoothed: the measure that sizes follow.
    pub latency: Span,
}

/// A chunk that is being handed out.
#[derive(Debug)]
struct Open {
    at: u64,
    samples: u32,
    left: usize,
    flags: ChunkFlags,
    sum: f64,
    clipped: u32,
}

/// Cuts the stream of one call.
#[derive(Debug)]
pub(super) struct Chunker {
    settings: ChunkSettings,
    rate_hz: u32,
    sequence: u64,
    /// How long the service lets us wait, ms; nothing before it was first measured.
    latency_ms: Option<f32>,
    size_ms: f32,
    open: Option<Open>,
    /// No chunk of this turn was handed out yet.
    fresh: bool,
    /// The last sample that was handed out was silence.
    silent: bool,
    /// Another voice takes over here.
    again: Option<u64>,
}

impl Chunker {
    pub(super) fn new(settings: ChunkSettings, rate_hz: u32) -> Self {
        Self {
            settings,
            rate_hz,
            sequence: 0,
            latency_ms: None,
            size_ms: settings.default_ms as f32,
            open: None,
            fresh: true,
            silent: true,
            again: None,
        }
    }

    /// A turn begins, or what was to come is thrown away.
    pub(super) fn turn(&mut self) {
        self.open = None;
        self.fresh = true;
        self.silent = true;
        self.again = None;
    }

    /// The service let us wait so long, for its first sound or for more when there was nothing left to play.
    pub(super) fn waited(&mut self, wait: Span) {
        let wait_ms = (wait.as_micros().max(0) as f32 / 1e3).min(10_000.0);
        let latency_ms = self.latency_ms.map_or(wait_ms, |before| before + WEIGHT * (wait_ms - before));
        self.latency_ms = Some(latency_ms);
    }

    /// A voice broke off, and another one takes over behind this sample.
    pub(super) fn again(&mut self, at: u64) {
        self.again = Some(at);
    }

    /// How long the next chunk shall be.
    fn next_size_ms(&self) -> f32 {
        let ChunkSettings { min_ms, default_ms, max_ms } = self.settings;
        let (min, usual, max) = (min_ms as f32, default_ms as f32, max_ms as f32);
        let wanted = self.latency_ms.map_or(usual, |latency| {
            let share = ((latency - QUICK_MS) / (SLOW_MS - QUICK_MS)).clamp(0.0, 1.0);
            max + (min - max) * share
        });
        wanted.clamp(self.size_ms / STEP, self.size_ms * STEP).min(max).max(min)
    }

    /// How many of the `ready` samples behind `at` may be handed out now. `in_hand` were handed out and are not heard
    /// yet; `complete` says that none follow.
    pub(super) fn window(&mut self, at: u64, ready: usize, in_hand: u64, complete: bool) -> usize {
        if let Some(open) = &self.open {
            return open.left.min(ready);
        }
        if ready == 0 {
            return 0;
        }
        let size_ms = self.next_size_ms();
        let size = (size_ms as usize * self.rate_hz as usize / 1000).max(1);
        let short = u64::from(SHORT_MS.min(self.settings.min_ms)) * u64::from(self.rate_hz) / 1000;
        let left = if ready >= size {
            size
        } else if complete || in_hand < short {
            ready
        } else {
            return 0;
        };
        self.size_ms = size_ms;
        let flags = ChunkFlags {
            first: self.fresh,
            last: complete && left == ready,
            continuation: !self.fresh && !self.silent,
            retransmit: self.again.take_if(|again| *again < at + left as u64).is_some(),
        };
        self.open = Some(Open { at, samples: left as u32, left, flags, sum: 0.0, clipped: 0 });
        left
    }

    /// These were handed out. Gives the chunk that they complete.
    pub(super) fn handed_out(&mut self, samples: &[i16]) -> Option<Chunk> {
        let open = self.open.as_mut()?;
        open.left = open.left.saturating_sub(samples.len());
        for &sample in samples {
            open.sum += f64::from(sample).powi(2);
            open.clipped += u32::from(sample.unsigned_abs() >= LIMIT);
        }
        self.silent = samples.last().is_none_or(|&sample| sample == 0);
        if open.left > 0 {
            return None;
        }
        let Open { at, samples, flags, sum, clipped, .. } = self.open.take()?;
        let power = sum / f64::from(samples.max(1)) / 32_768.0f64.powi(2);
        let chunk = Chunk {
            sequence: self.sequence,
            at,
            duration: Span::from_micros(i64::from(samples) * 1_000_000 / i64::from(self.rate_hz.max(1))),
            flags,
            // Silence is as low as 16 bits go.
            level_db: (10.0 * power.max(1e-10).log10()) as f32,
            clipped,
            latency: Span::from_micros((self.latency_ms.unwrap_or(0.0) * 1e3) as i64),
        };
        self.sequence += 1;
        self.fresh = false;
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE: u32 = 8_000;

    fn ms(ms: u32) -> usize {
        (RATE / 1000 * ms) as usize
    }

    fn chunker() -> Chunker {
        Chunker::new(ChunkSettings::default(), RATE)
    }

    /// Hands out all that may be, with plenty in hand.
    fn all(chunker: &mut Chunker, mut at: u64, mut ready: usize, complete: bool) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        loop {
            let window = chunker.window(at, ready, 100_000, complete);
            if window == 0 {
                return chunks;
            }
            chunks.extend(chunker.handed_out(&vec![8_000; window]));
            at += window as u64;
            ready -= window;
        }
    }

    fn lengths(chunks: &[Chunk]) -> Vec<i64> {
        chunks.iter().map(|chunk| chunk.duration.as_micros() / 1000).collect()
    }

    #[test]
    fn c5_the_first_sound_of_a_turn_leaves_as_it_comes() {
        let mut chunker = chunker();
        assert_eq!(chunker.window(0, ms(20), 0, false), ms(20));
        let chunk = chunker.handed_out(&vec![1_000; ms(20)]).unwrap();
        assert_eq!((chunk.sequence, chunk.at, chunk.duration), (0, 0, Span::from_millis(20)));
        assert!(chunk.flags.first && !chunk.flags.last && !chunk.flags.continuation);
        assert!((chunk.level_db + 30.3).abs() < 0.1, "{}", chunk.level_db);
        assert_eq!(chunker.window(160, ms(20), u64::from(RATE), false), 0, "with enough in hand it waits");
        assert_eq!(chunker.window(160, ms(20), 10, false), ms(20), "a service that is late is not held up");
    }

    #[test]
    fn c1_sizes_follow_the_service_from_small_when_it_is_slow_to_large_when_it_is_quick() {
        let mut slow = chunker();
        slow.waited(Span::from_millis(900));
        let sizes = lengths(&all(&mut slow, 0, ms(5_000), false));
        assert_eq!(sizes[..4], [333, 222, 148, 100], "step by step");
        assert!(sizes[4..].iter().all(|size| *size == 100));
        let mut quick = chunker();
        quick.waited(Span::from_millis(80));
        assert_eq!(lengths(&all(&mut quick, 0, ms(5_000), false)), [750, 1_000, 1_000, 1_000, 1_000]);
        for _ in 0..30 {
            quick.waited(Span::from_millis(1_500));
        }
        assert_eq!(lengths(&all(&mut quick, 0, ms(5_000), false)).last(), Some(&100), "and it may change");
        assert_eq!(lengths(&all(&mut chunker(), 0, ms(1_600), false)), [500, 500, 500], "unknown");
    }

    #[test]
    fn c1_a_turns_chunks_say_which_is_first_and_last_and_which_go_on() {
        let mut chunker = chunker();
        let chunks = all(&mut chunker, 0, ms(1_200), true);
        let flags: Vec<_> =
            chunks.iter().map(|c| (c.flags.first, c.flags.last, c.flags.continuation)).collect();
        assert_eq!(flags, [(true, false, false), (false, false, true), (false, true, true)]);
        assert_eq!(chunks.iter().map(|chunk| chunk.sequence).collect::<Vec<_>>(), [0, 1, 2]);
        chunker.turn();
        chunker.again(9_600);
        let chunks = all(&mut chunker, 9_600, ms(1_200), true);
        assert_eq!(chunks[0].sequence, 3, "the call goes on counting");
        assert!(chunks[0].flags.first && chunks[0].flags.retransmit && !chunks[2].flags.retransmit);
    }

    #[test]
    fn c1_a_voice_that_would_have_taken_over_in_a_turn_that_was_stopped_marks_no_chunk_of_the_next() {
        let mut chunker = chunker();
        chunker.again(ms(1_000) as u64);
        chunker.turn();
        assert!(all(&mut chunker, 0, ms(3_000), true).iter().all(|chunk| !chunk.flags.retransmit));
    }

    #[test]
    fn what_follows_a_rest_is_no_continuation() {
        let mut chunker = chunker();
        chunker.window(0, ms(20), 0, false);
        chunker.handed_out(&vec![0; ms(20)]);
        chunker.window(160, ms(20), 0, false);
        let chunk = chunker.handed_out(&vec![i16::MIN; ms(20)]).unwrap();
        assert!(!chunk.flags.continuation && !chunk.flags.first);
        assert_eq!((chunk.clipped, chunk.level_db.round()), (160, 0.0));
    }

    proptest! {
        #[test]
        fn every_sample_is_in_one_chunk_and_sizes_keep_their_bounds(
            pieces in prop::collection::vec((0usize..9_000, 0u64..20_000, 0i64..3_000), 1..60),
            min_ms in 100u32..400, more in 0u32..600,
        ) {
            let settings = ChunkSettings { min_ms, default_ms: min_ms + more / 2, max_ms: min_ms + more };
            let mut chunker = Chunker::new(settings, RATE);
            let (mut at, mut ready, mut chunks) = (0u64, 0usize, Vec::new());
            for (i, &(came, in_hand, waited)) in pieces.iter().enumerate() {
                ready += came;
                chunker.waited(Span::from_millis(waited));
                let complete = i + 1 == pieces.len();
                loop {
                    let window = chunker.window(at, ready, in_hand, complete).min(960);
                    if window == 0 {
                        break;
                    }
                    chunks.extend(chunker.handed_out(&vec![5; window]));
                    at += window as u64;
                    ready -= window;
                }
            }
            prop_assert_eq!(ready, 0);
            let mut next = 0;
            for chunk in &chunks {
                prop_assert_eq!(chunk.at, next);
                let samples = chunk.duration.as_micros() as u64 * u64::from(RATE) / 1_000_000;
                next += samples;
                prop_assert!(samples as usize <= ms(min_ms + more));
            }
            prop_assert_eq!(next, at);
        }
    }
}
