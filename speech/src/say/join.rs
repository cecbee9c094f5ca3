//! Puts phrases, rests and breaths into one stream without an edge: takes the voice's own silence off both
//! ends of each phrase, fades what it cuts, and makes each rest exactly as long as planned, from the last sound
//! before it to the first sound after it.
//!
//! ```text
//! phrase:   ....~~~~########~~~~##########~~~~.........      # loud, ~ quiet, . the voice's own silence
//! kept:        [↗ lead ################ tail ↘]
//! stream:   …tail ↘] rest: zeros, breath, zeros [↗ lead …    the rest counts tail and lead as its own
//! stream:   …tail ↘ over ↗ lead …                            no rest: the two are cross-faded
//! ```

use crate::voice::Sink;
use std::f32::consts::PI;
use std::ops::ControlFlow;

/// Quieter than this is silence: -48 dB below full scale.
const QUIET: u16 = 130;
/// Kept before the first sound, so that a soft consonant keeps its start.
const LEAD_MS: u32 = 12;
/// Kept after the last sound.
const TAIL_MS: u32 = 20;
/// Silence inside of a phrase is held until a sound follows it, up to this.
const HELD_MS: u32 = 1_000;
/// A voice that stops while it is loud is faded out over this.
const FADE_MS: u32 = 4;

/// The end of one phrase as the joiner saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// Frames from its first sound to its last; 0 when there was none.
    pub(super) frames: u64,
}

/// The stream. Calling order: [`Joiner::put`] for each part of a phrase, [`Joiner::end_phrase`] after it,
/// [`Joiner::rest`] where there is one, [`Joiner::finish`] at the end.
#[derive(Debug)]
pub(super) struct Joiner {
    lead: usize,
    tail: usize,
    fade: usize,
    held_max: usize,
    /// Frames that went out.
    out: u64,
    /// Frames of this phrase that are not out yet: before its first sound the lead, afterwards what may be
    /// its end.
    held: Vec<i16>,
    /// How many of `held` come after the last sound.
    quiet: usize,
    /// Whether this phrase has made a sound; and the position of the first.
    first_sound: Option<u64>,
    /// The faded tail of the phrase before.
    overlap: Vec<i16>,
    /// How many of `overlap` come after the last sound.
    overlap_quiet: usize,
    /// Zeros that the next phrase's lead replaces.
    owed: usize,
}

impl Joiner {
    pub(super) fn new(rate_hz: u32) -> Self {
        let frames = |ms: u32| (u64::from(rate_hz) * u64::from(ms) / 1000) as usize;
        Self {
            lead: frames(LEAD_MS),
            tail: frames(TAIL_MS),
            fade: frames(FADE_MS).max(1),
            held_max: frames(HELD_MS),
            out: 0,
            held: Vec::new(),
            quiet: 0,
            first_sound: None,
            overlap: Vec::new(),
            overlap_quiet: 0,
            owed: 0,
        }
    }

    /// Between two phrases: the frame just after the last sound.
    pub(super) const fn after_sound(&self) -> u64 {
        self.out + (self.overlap.len() - self.overlap_quiet) as u64
    }

    /// The next samples of a phrase.
    pub(super) fn put(&mut self, samples: &[i16], sink: Sink<'_>) -> ControlFlow<()> {
        let loud = |x: &i16| x.unsigned_abs() > QUIET;
        let mut rest = samples;
        if self.first_sound.is_none() {
            let Some(first) = samples.iter().position(loud) else {
                self.hold_lead(samples);
                return ControlFlow::Continue(());
            };
            let (before, after) = samples.split_at(first);
            self.hold_lead(before);
            self.start(sink)?;
            rest = after;
        }
        match rest.iter().rposition(loud) {
            Some(last) => self.quiet = rest.len() - 1 - last,
            None => self.quiet += rest.len(),
        }
        self.held.extend_from_slice(rest);
        // Of the sounds, only what a fade may need stays; of silence, what a pause of the voice may be.
        let sounds = self.held.len() - self.quiet.min(self.held.len());
        let ready = if self.quiet > self.held_max {
            self.held.len() - self.tail.max(self.fade)
        } else {
            sounds.saturating_sub(self.fade)
        };
        self.send_held(ready, sink)
    }

    fn hold_lead(&mut self, samples: &[i16]) {
        self.held.extend_from_slice(samples);
        let excess = self.held.len().saturating_sub(self.lead);
        self.held.drain(..excess);
    }

    /// The first sound of a phrase comes: its lead goes out, over the tail before it or after the rest.
    fn start(&mut self, sink: Sink<'_>) -> ControlFlow<()> {
        let mut lead = std::mem::take(&mut self.held);
        // A voice that starts at full strength has no lead; the rest before it is then all zeros.
        let zeros = std::mem::take(&mut self.owed).saturating_sub(lead.len());
        self.send_zeros(zeros, sink)?;
        fade(&mut lead, true);
        let over = self.overlap.len().min(lead.len());
        let from = self.overlap.len() - over;
        for (x, under) in lead.iter_mut().zip(self.overlap.get(from..).unwrap_or_default()) {
            *x = x.saturating_add(*under);
        }
        self.overlap.truncate(from);
        self.overlap.append(&mut lead);
        self.overlap_quiet = 0;
        let joined = std::mem::take(&mut self.overlap);
        self.send(&joined, sink)?;
        self.first_sound = Some(self.out);
        ControlFlow::Continue(())
    }

    fn send_held(&mut self, count: usize, sink: Sink<'_>) -> ControlFlow<()> {
        let count = count.min(self.held.len());
        if count == 0 {
            return ControlFlow::Continue(());
        }
        let ready: Vec<i16> = self.held.drain(..count).collect();
        self.send(&ready, sink)
    }

    /// The phrase is over; its tail stays back, faded, for what comes next.
    pub(super) fn end_phrase(&mut self, sink: Sink<'_>) -> (ControlFlow<()>, Heard) {
        let mut tail = std::mem::take(&mut self.held);
        let quiet = std::mem::take(&mut self.quiet);
        let Some(first) = self.first_sound.take() else {
            // Not a sound: as if it had not been.
            return (ControlFlow::Continue(()), Heard { frames: 0 });
        };
        let sounds = tail.len() - quiet.min(tail.len());
        let frames = self.out + sounds as u64 - first;
        tail.truncate(sounds + self.tail);
        // Sounds keep their strength when there is quiet enough behind them to fade in.
        let faded = (tail.len() - sounds).max(self.fade).min(tail.len());
        let whole = tail.len() - faded;
        self.overlap_quiet = tail.len() - sounds;
        let flow = self.send(tail.get(..whole).unwrap_or_default(), sink);
        tail.drain(..whole);
        fade(&mut tail, false);
        self.overlap = tail;
        (flow, Heard { frames })
    }

    /// `frames` from the last sound to the next one, with `breath` from frame `breath_at` of them on.
    pub(super) fn rest(
        &mut self,
        frames: usize,
        breath_at: usize,
        breath: &[i16],
        sink: Sink<'_>,
    ) -> ControlFlow<()> {
        let pending = std::mem::take(&mut self.owed);
        self.send_zeros(pending, sink)?;
        let tail = std::mem::take(&mut self.overlap);
        self.send(&tail, sink)?;
        // What is quiet of the tail is the first part of the rest, and the next lead its last.
        let quiet = std::mem::take(&mut self.overlap_quiet);
        let before = breath_at.saturating_sub(quiet);
        let after = frames.saturating_sub(quiet + before + breath.len());
        if !breath.is_empty() {
            self.send_zeros(before, sink)?;
            self.send(breath, sink)?;
            self.owed = after.min(self.lead);
            return self.send_zeros(after - self.owed, sink);
        }
        let silence = before + after;
        self.owed = silence.min(self.lead);
        self.send_zeros(silence - self.owed, sink)
    }

    /// The end: the last tail goes out.
    pub(super) fn finish(&mut self, sink: Sink<'_>) -> ControlFlow<()> {
        let tail = std::mem::take(&mut self.overlap);
        self.overlap_quiet = 0;
        self.send(&tail, sink)
    }

    fn send_zeros(&mut self, mut count: usize, sink: Sink<'_>) -> ControlFlow<()> {
        const ZEROS: [i16; 1024] = [0; 1024];
        while count > 0 {
            let part = count.min(ZEROS.len());
            self.send(ZEROS.get(..part).unwrap_or_default(), sink)?;
            count -= part;
        }
        ControlFlow::Continue(())
    }

    fn send(&mut self, samples: &[i16], sink: Sink<'_>) -> ControlFlow<()> {
        if samples.is_empty() {
            return ControlFlow::Continue(());
        }
        self.out += samples.len() as u64;
        sink(samples)
    }
}

/// A raised cosine over all of `samples`: up from zero, or down to it.
fn fade(samples: &mut [i16], up: bool) {
    let count = samples.len() as f32;
    for (i, x) in samples.iter_mut().enumerate() {
        let t = if up { i as f32 } else { count - 1.0 - i as f32 } / count;
        *x = (f32::from(*x) * (0.5 - 0.5 * (PI * t).cos())) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RATE_HZ: u32 = 16_000;

    /// A phrase of the voice: silence with some noise in it, a tone, silence.
    fn phrase(before: usize, loud: usize, after: usize) -> Vec<i16> {
        let hiss = |i: usize| ((i * 7919) % 41) as i16 - 20;
        let tone = |i: usize| if i.is_multiple_of(2) { 8_000 } else { -8_000 };
        (0..before).map(hiss).chain((0..loud).map(tone)).chain((0..after).map(hiss)).collect()
    }

    fn join(parts: &[Part], piece: usize) -> Vec<i16> {
        let mut out = Vec::new();
        let mut sink = |samples: &[i16]| {
            out.extend_from_slice(samples);
            ControlFlow::Continue(())
        };
        let mut joiner = Joiner::new(RATE_HZ);
        for part in parts {
            match part {
                Part::Phrase(samples) => {
                    for samples in samples.chunks(piece) {
                        let _ = joiner.put(samples, &mut sink);
                    }
                    let _ = joiner.end_phrase(&mut sink);
                }
                Part::Rest(frames) => drop(joiner.rest(*frames, *frames, &[], &mut sink)),
                Part::Breath(frames, breath) => drop(joiner.rest(*frames, 800, breath, &mut sink)),
            }
        }
        let _ = joiner.finish(&mut sink);
        assert_eq!(joiner.after_sound(), out.len() as u64);
        out
    }

    #[derive(Debug)]
    enum Part {
        Phrase(Vec<i16>),
        Rest(usize),
        Breath(usize, Vec<i16>),
    }

    /// Lengths of the runs of sound and of quiet between them, sound first.
    fn runs(samples: &[i16]) -> Vec<usize> {
        let loud: Vec<usize> = (0..samples.len()).filter(|&i| samples[i].unsigned_abs() > QUIET).collect();
        let mut runs = Vec::new();
        let mut begun = loud.first().copied().unwrap_or(0);
        for pair in loud.windows(2) {
            if pair[1] - pair[0] > 1 {
                runs.extend([pair[0] + 1 - begun, pair[1] - pair[0] - 1]);
                begun = pair[1];
            }
        }
        runs.push(loud.last().map_or(0, |last| last + 1 - begun));
        runs
    }

    #[test]
    fn a_rest_lasts_from_sound_to_sound_to_the_frame() {
        let parts = [
            Part::Phrase(phrase(3_000, 5_000, 4_000)),
            Part::Rest(6_400),
            Part::Phrase(phrase(900, 4_000, 10)),
        ];
        for piece in [1, 7, 160, 400, 20_000] {
            let all = join(&parts, piece);
            assert_eq!(runs(&all)[..2], [5_000, 6_400], "in pieces of {piece}");
        }
    }

    #[test]
    fn a_voice_without_margins_still_gets_its_rest_and_a_fade() {
        let parts = [Part::Phrase(phrase(0, 5_000, 0)), Part::Rest(3_200), Part::Phrase(phrase(0, 4_000, 0))];
        let all = join(&parts, 400);
        let gap = runs(&all)[1];
        // The fade takes sound away, never the rest.
        assert!((3_200..3_240).contains(&gap), "{gap}");
        let end = all.iter().take(5_000).rposition(|&x| x != 0).unwrap_or(0);
        assert!(all[end].unsigned_abs() < 400, "it stops at {}", all[end]);
    }

    #[test]
    fn phrases_without_a_rest_are_cross_faded() {
        let parts = [Part::Phrase(phrase(800, 2_000, 800)), Part::Phrase(phrase(800, 2_000, 800))];
        let all = join(&parts, 100);
        assert_eq!(runs(&all), [2_000, 320, 2_000], "20 ms of tail, the 12 ms of lead within them");
    }

    #[test]
    fn a_breath_lies_inside_of_its_rest() {
        let breath = vec![500; 2_400];
        let parts = [
            Part::Phrase(phrase(800, 2_000, 800)),
            Part::Breath(6_400, breath),
            Part::Phrase(phrase(800, 2_000, 8)),
        ];
        assert_eq!(runs(&join(&parts, 100)), [2_000, 800, 2_400, 3_200, 2_000]);
    }

    #[test]
    fn pauses_of_the_voice_inside_a_phrase_stay() {
        let mut two = phrase(100, 2_000, 4_800);
        two.extend(phrase(0, 1_000, 50));
        assert_eq!(runs(&join(&[Part::Phrase(two)], 400)), [2_000, 4_800, 1_000]);
        let mut endless = phrase(0, 100, 200_000);
        endless.extend(phrase(0, 100, 0));
        let all = join(&[Part::Phrase(endless)], 400);
        assert_eq!(runs(&all)[1], 200_000, "a long one too, without being held");
    }

    #[test]
    fn a_phrase_without_a_sound_leaves_no_trace() {
        let parts = [
            Part::Phrase(phrase(800, 2_000, 800)),
            Part::Rest(3_200),
            Part::Phrase(vec![3; 5_000]),
            Part::Phrase(phrase(800, 2_000, 800)),
        ];
        assert_eq!(runs(&join(&parts, 100))[..2], [2_000, 3_200]);
    }

    proptest! {
        #[test]
        fn any_phrases_and_rests_come_out_whole_and_in_bounds(
            phrases in prop::collection::vec((0usize..2_000, 100usize..2_000, 0usize..2_000, 700usize..9_000), 1..6),
            piece in 1usize..900,
        ) {
            let parts: Vec<Part> = phrases.iter().flat_map(|&(before, loud, after, rest)| {
                [Part::Phrase(phrase(before, loud, after)), Part::Rest(rest)]
            }).collect();
            let all = join(&parts, piece);
            let runs = runs(&all);
            prop_assert_eq!(runs.len(), 2 * phrases.len() - 1);
            for (i, &(_, _, _, rest)) in phrases.iter().enumerate().take(phrases.len() - 1) {
                prop_assert!((rest..rest + 80).contains(&runs[2 * i + 1]), "{} asked, {} came", rest, runs[2 * i + 1]);
            }
        }
    }
}
