//! The stream that the caller hears: what voices deliver, joined with rests and breaths, at the call's rate; handed
//! out in any portions, counted to the sample.

use super::{Mark, MarkKind};
use crate::say::join::{Joiner, RestSound, fade, rising};
use crate::text::Rest;
use crate::wire::resample::Resampler;
use offhook_units::Span;
use std::collections::VecDeque;
use std::ops::ControlFlow;

/// Speech that has come and is not played yet: two minutes. A service that sends more has its surplus dropped.
const READY_MAX_S: usize = 120;
/// The fade at a cut, on both sides of it.
const CUT_MS: u32 = 5;

/// The stream of one call.
#[derive(Debug)]
pub(super) struct Mixdown {
    rate_hz: u32,
    joiner: Joiner,
    resampler: Option<(u32, Resampler)>,
    ready: VecDeque<i16>,
    /// Frames that were handed out.
    given: u64,
    /// Frames before those that the joiner counts: a new joiner starts at 0 for each turn.
    before: u64,
    in_phrase: bool,
    /// How many of the frames before those are quiet, behind the last sound.
    quiet: u64,
    /// Frames that are still to be faded in.
    rises: usize,
    dropped: u64,
}

impl Mixdown {
    pub(super) fn new(rate_hz: u32) -> Self {
        Self {
            rate_hz,
            joiner: Joiner::new(rate_hz),
            resampler: None,
            ready: VecDeque::new(),
            given: 0,
            before: 0,
            in_phrase: false,
            quiet: 0,
            rises: 0,
            dropped: 0,
        }
    }

    /// The call's rate.
    pub(super) const fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Where the next sample would stand, counting those that are held back.
    pub(super) const fn position(&self) -> u64 {
        self.before + self.joiner.end()
    }

    /// Between two phrases: where the last sound ends.
    pub(super) const fn after_sound(&self) -> u64 {
        self.before + self.joiner.after_sound() - self.quiet
    }

    /// Frames that were made so far.
    pub(super) fn made(&self) -> u64 {
        self.given + self.ready.len() as u64
    }

    /// Frames that were handed out.
    pub(super) const fn given(&self) -> u64 {
        self.given
    }

    /// How much of services did not fit since this was last asked.
    pub(super) fn take_dropped(&mut self) -> Span {
        let frames = std::mem::take(&mut self.dropped);
        self.span(frames)
    }

    /// The next samples of the phrase, at `rate_hz`. Gives where the last of them will stand in the stream.
    pub(super) fn put(&mut self, samples: &[i16], rate_hz: u32) -> u64 {
        (self.in_phrase, self.quiet) = (true, 0);
        let mut converted = self.convert(samples, rate_hz);
        let count = self.cut_frames();
        for x in converted.iter_mut().take(self.rises) {
            *x = (f32::from(*x) * rising(count - self.rises, count)) as i16;
            self.rises -= 1;
        }
        self.join(&converted);
        self.position()
    }

    /// The next samples of a voice whose rests are its own: nothing is trimmed and nothing held back. Not within a phrase.
    pub(super) fn pass(&mut self, samples: &[i16], rate_hz: u32) {
        let converted = self.convert(samples, rate_hz);
        self.take_whole(&converted);
    }

    /// The last of them came.
    pub(super) fn end_pass(&mut self) {
        if let Some((_, mut resampler)) = self.resampler.take() {
            let mut rest = Vec::new();
            resampler.finish(&mut rest);
            self.take_whole(&rest);
        }
    }

    /// No more of them comes, and what a filter still holds is not wanted.
    pub(super) fn drop_pass(&mut self) {
        self.resampler = None;
    }

    fn take_whole(&mut self, samples: &[i16]) {
        let kept = self.kept(samples);
        self.ready.extend(kept);
        self.before = self.made();
    }

    /// The phrase is over. Gives its length from its first sound to its last.
    pub(super) fn end_phrase(&mut self) -> Span {
        if !std::mem::replace(&mut self.in_phrase, false) {
            return Span::ZERO;
        }
        let Self { joiner, ready, .. } = self;
        let (_, frames) = joiner.end_phrase(&mut |samples| take(ready, samples));
        self.span(frames)
    }

    /// The stream of a service is over: what the resampler holds belongs to its last phrase.
    pub(super) fn end_stream(&mut self) {
        if let Some((_, mut resampler)) = self.resampler.take() {
            let mut rest = Vec::new();
            resampler.finish(&mut rest);
            if self.in_phrase {
                self.join(&rest);
            }
        }
    }

    /// Between two phrases: how much quiet was let out behind the last sound.
    pub(super) fn quiet(&self) -> Span {
        self.span(self.quiet + self.joiner.quiet_out() as u64)
    }

    /// A rest behind the last phrase, of which so much is over. Gives where it starts and its breath.
    pub(super) fn rest(&mut self, rest: &Rest, over: Span) -> Vec<Mark> {
        let at = self.after_sound();
        let quiet = std::mem::take(&mut self.quiet) + self.joiner.quiet_out() as u64;
        let rest = rest.behind(over);
        let sound = RestSound::new(&rest, self.rate_hz);
        let Self { joiner, ready, .. } = self;
        let _ = joiner.rest(&sound, &mut |samples| take(ready, samples));
        let pause = Mark { at, kind: MarkKind::Pause(rest.kind) };
        let breath = rest.breath.map(|breath| Mark {
            at: at + quiet + sound.breath_at as u64,
            kind: MarkKind::Breath(breath.kind),
        });
        std::iter::once(pause).chain(breath).collect()
    }

    /// The quiet behind a sound comes out up to `position`: nobody waits for what is silent.
    pub(super) fn let_quiet_out(&mut self, position: u64) {
        let frames = usize::try_from(position.saturating_sub(self.made())).unwrap_or(usize::MAX);
        let Self { joiner, ready, .. } = self;
        let _ = joiner.let_quiet_out(frames, &mut |samples| take(ready, samples));
    }

    /// Everything that is held back comes out.
    pub(super) fn finish(&mut self) {
        self.end_stream();
        self.end_phrase();
        let Self { joiner, ready, .. } = self;
        let _ = joiner.finish(&mut |samples| take(ready, samples));
        self.before = self.made();
        self.joiner = Joiner::new(self.rate_hz);
    }

    /// The next sample lies in the middle of a sound: it is faded in, as [`Mixdown::cut`] faded out.
    pub(super) fn rise(&mut self) {
        self.rises = self.cut_frames();
    }

    const fn cut_frames(&self) -> usize {
        (self.rate_hz * CUT_MS / 1000) as usize
    }

    /// Takes back what was made behind `position`, as far as it was not handed out, with a short fade: before that
    /// position, or if that was handed out behind what was. Gives where the stream ends now.
    pub(super) fn cut(&mut self, position: u64) -> u64 {
        self.resampler = None;
        self.rises = 0;
        self.end_phrase();
        let sound_ends = self.after_sound();
        if self.ready.is_empty() {
            self.joiner.drop_quiet();
        }
        self.finish();
        let faded = self.cut_frames();
        let kept = position.checked_sub(self.given).unwrap_or(faded as u64);
        let kept = kept.min(self.ready.len() as u64) as usize;
        if kept < self.ready.len() {
            self.ready.truncate(kept);
            let from = kept.saturating_sub(faded);
            fade(self.ready.make_contiguous().get_mut(from..).unwrap_or_default(), false);
        }
        self.before = self.made();
        self.quiet = self.before.saturating_sub(sound_ends);
        self.before
    }

    /// Drops everything that was not handed out.
    pub(super) fn clear(&mut self) {
        self.resampler = None;
        (self.in_phrase, self.quiet) = (false, 0);
        self.rises = 0;
        self.joiner = Joiner::new(self.rate_hz);
        self.ready.clear();
        self.before = self.given;
    }

    /// Hands out the next samples, up to number `up_to` of the stream; fewer when there are not as many.
    pub(super) fn read(&mut self, into: &mut [i16], up_to: u64) -> usize {
        let allowed = usize::try_from(up_to.saturating_sub(self.given)).unwrap_or(usize::MAX);
        let count = into.len().min(self.ready.len()).min(allowed);
        for (to, from) in into.iter_mut().zip(self.ready.drain(..count)) {
            *to = from;
        }
        self.given += count as u64;
        count
    }

    /// At the call's rate.
    fn convert(&mut self, samples: &[i16], rate_hz: u32) -> Vec<i16> {
        let mut converted = Vec::new();
        match &mut self.resampler {
            Some((from, resampler)) if *from == rate_hz => resampler.put(samples, &mut converted),
            _ => {
                let mut resampler = Resampler::new(rate_hz, self.rate_hz);
                resampler.put(samples, &mut converted);
                self.resampler = Some((rate_hz, resampler));
            }
        }
        converted
    }

    /// As much as there is room for; the surplus is counted.
    fn kept<'s>(&mut self, samples: &'s [i16]) -> &'s [i16] {
        let room = (READY_MAX_S * self.rate_hz as usize).saturating_sub(self.ready.len());
        let (kept, surplus) = samples.split_at(samples.len().min(room));
        self.dropped += surplus.len() as u64;
        kept
    }

    fn join(&mut self, samples: &[i16]) {
        let kept = self.kept(samples);
        let Self { joiner, ready, .. } = self;
        let _ = joiner.put(kept, &mut |samples| take(ready, samples));
    }

    fn span(&self, frames: u64) -> Span {
        Span::from_micros((frames * 1_000_000 / u64::from(self.rate_hz.max(1))) as i64)
    }
}

fn take(ready: &mut VecDeque<i16>, samples: &[i16]) -> ControlFlow<()> {
    ready.extend(samples);
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate_hz: u32, count: usize) -> Vec<i16> {
        let step = std::f32::consts::TAU * 300.0 / rate_hz as f32;
        (0..count).map(|i| (8_000.0 * (step * i as f32).sin()) as i16).collect()
    }

    fn all(mix: &mut Mixdown) -> Vec<i16> {
        let mut out = vec![0; mix.made() as usize];
        let count = mix.read(&mut out, u64::MAX);
        out.truncate(count);
        out
    }

    #[test]
    fn pitfall_09_one_resampler_serves_a_whole_stream_however_its_audio_is_cut() {
        let said = |step| {
            let mut mix = Mixdown::new(8_000);
            for part in tone(24_000, 24_000).chunks(step) {
                mix.put(part, 24_000);
            }
            mix.finish();
            all(&mut mix)
        };
        let whole = said(24_000);
        assert!((7_990..=8_010).contains(&whole.len()), "{}", whole.len());
        for step in [1, 7, 333, 480] {
            assert_eq!(said(step), whole, "by {step}");
        }
    }

    #[test]
    fn c2_what_goes_on_in_the_middle_of_a_sound_is_faded_on_both_sides_and_not_a_sample_longer() {
        let mut mix = Mixdown::new(8_000);
        let sound = tone(8_000, 8_000);
        mix.put(&sound, 8_000);
        let mut given = [0; 4_003];
        mix.read(&mut given, u64::MAX);
        // All behind the start is on its way: a fade is added to it.
        let end = mix.cut(100) as usize;
        assert_eq!(end, 4_003 + 40);
        mix.rise();
        // In pieces that are shorter than the fade.
        for part in sound[end..].chunks(33) {
            mix.put(part, 8_000);
        }
        mix.finish();
        let out = [&given[..], &all(&mut mix)].concat();
        assert!((7_960..=8_000).contains(&out.len()), "{}", out.len());
        let differs = (0..out.len()).filter(|&i| out[i].abs_diff(sound[i]) > 1).collect::<Vec<_>>();
        assert!(differs.first() >= Some(&4_003) && differs.len() <= 40 + 40 + 40, "{differs:?}");
        let step = out.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap();
        assert!(step < 2_000 && out[end].unsigned_abs() < 100, "a click of {step}");
    }

    #[test]
    fn c2_what_is_cut_off_ends_in_a_fade_and_what_follows_begins_with_one() {
        let mut mix = Mixdown::new(8_000);
        mix.put(&tone(8_000, 8_000), 8_000);
        // In the middle of a swing.
        let end = mix.cut(4_007);
        mix.put(&tone(8_000, 4_000), 8_000);
        mix.finish();
        let out = all(&mut mix);
        assert_eq!(end, 4_007);
        let step = out.windows(2).map(|pair| (i32::from(pair[1]) - i32::from(pair[0])).abs()).max().unwrap();
        // The tone's own steps are below 1900.
        assert!(step < 2_000, "a click of {step}");
        assert!(out[4_006].unsigned_abs() < 100, "{}", out[4_006]);
    }
}
