//! Puts phrases, rests and breaths into one stream without an edge: takes the voice's own silence off both
//! ends of each phrase, fades what it cuts, and makes each rest exactly as long as planned, from the last sound
//! before it to the first sound after it.
//!
//! ```text
//! phrase:   ....~~~~########~~~~##########~~~~.........      # sound, ~ soft, . the voice's own silence
//! kept:        [↗ lead ################ tail ↘]
//! stream:   …tail ↘] rest: zeros, breath, zeros [↗ lead …    the rest counts tail and lead as its own
//! stream:   …tail ↘ over ↗ lead …                            no rest: the two are cross-faded
//! ```

use super::loudness::Loudness;
use crate::text::Rest;
use crate::voice::Sink;
use offhook_units::Span;
use std::f32::consts::PI;
use std::ops::ControlFlow;

/// Above this a sample beside a sound may be a soft consonant and is kept: -54 dB below full scale.
const SOFT: u16 = 64;
/// Kept before the first sound and after the last one: at least this,
const MARGIN_MIN_MS: u32 = 8;
/// and when it is not silent, up to this.
const MARGIN_MAX_MS: u32 = 50;
/// So much goes out at once where a stream begins, if the voice has sent it: a piece of audio may end just behind the first
/// sound, and the next one is on its way for longer than that sound.
const BEGINNING_MS: u32 = 40;
/// Silence inside of a phrase is held until a sound follows it, up to this.
const HELD_MS: u32 = 1_000;
/// A voice that stops while it is loud is faded out over this.
const FADE_MS: u32 = 4;

/// A rest as it is heard: `frames` from the last sound to the next one, with `breath` from frame `breath_at` of them on.
#[derive(Debug)]
pub(crate) struct RestSound {
    pub(crate) frames: usize,
    pub(crate) breath_at: usize,
    pub(crate) breath: Vec<i16>,
}

impl RestSound {
    /// At `rate_hz`.
    pub(crate) fn new(rest: &Rest, rate_hz: u32) -> Self {
        let frames = |span: Span| (span.as_micros().max(0) as u64 * u64::from(rate_hz) / 1_000_000) as usize;
        Self {
            frames: frames(rest.length),
            breath_at: frames(rest.before_breath()),
            breath: rest.breath.map(|breath| breath.render(rate_hz)).unwrap_or_default(),
        }
    }
}

/// The stream. Calling order: [`Joiner::put`] for each part of a phrase, [`Joiner::end_phrase`] after it,
/// [`Joiner::rest`] where there is one, [`Joiner::finish`] at the end.
#[derive(Debug)]
pub(crate) struct Joiner {
    margin_min: usize,
    margin_max: usize,
    beginning: usize,
    fade: usize,
    held_max: usize,
    loudness: Loudness,
    /// Frames that went out.
    out: u64,
    /// Frames of this phrase that are not out yet: before its first sound the lead, afterwards what may be
    /// its end.
    held: Vec<i16>,
    /// How many frames come after the last sound: the end of `held`, or all of it and some that are out.
    quiet: usize,
    /// Where in the stream this phrase made its first sound.
    first_sound: Option<u64>,
    /// The end of the phrase before, and how much of that comes after its last sound.
    tail: Vec<i16>,
    tail_quiet: usize,
    /// How much of the quiet after that sound is out already.
    quiet_out: usize,
    /// After a rest: zeros of it that the next phrase's lead replaces.
    owed: Option<usize>,
}

impl Joiner {
    pub(crate) fn new(rate_hz: u32) -> Self {
        let frames = |ms: u32| (u64::from(rate_hz) * u64::from(ms) / 1000) as usize;
        Self {
            margin_min: frames(MARGIN_MIN_MS),
            margin_max: frames(MARGIN_MAX_MS),
            beginning: frames(BEGINNING_MS),
            fade: frames(FADE_MS).max(1),
            held_max: frames(HELD_MS),
            loudness: Loudness::new(rate_hz),
            out: 0,
            held: Vec::new(),
            quiet: 0,
            first_sound: None,
            tail: Vec::new(),
            tail_quiet: 0,
            quiet_out: 0,
            owed: None,
        }
    }

    /// Between two phrases: the frame just after the last sound.
    pub(crate) const fn after_sound(&self) -> u64 {
        self.out + (self.tail.len() - self.tail_quiet) as u64 - self.quiet_out as u64
    }

    /// Between two phrases: how much of the rest is out already, as quiet that was let out behind the last sound.
    pub(crate) const fn quiet_out(&self) -> usize {
        self.quiet_out
    }

    /// Between two phrases: nothing is left to come of the last one but quiet. That is dropped.
    pub(crate) fn drop_quiet(&mut self) {
        if self.tail_quiet == self.tail.len() {
            (self.tail, self.tail_quiet) = (Vec::new(), 0);
        }
    }

    /// Lets out so many frames of the quiet behind a sound, while nothing else is there to be heard: the caller waits anyway.
    pub(crate) fn let_quiet_out(&mut self, frames: usize, sink: Sink<'_>) -> ControlFlow<()> {
        let is_quiet = self.first_sound.is_some() && self.quiet >= self.held.len();
        let most = if is_quiet { self.held.len().saturating_sub(self.fade) } else { 0 };
        self.send_held(frames.min(most), sink)
    }

    /// Where in the stream the last sample that was put will stand, once it is out.
    pub(crate) const fn end(&self) -> u64 {
        self.out + (self.held.len() + self.tail.len()) as u64
    }

    /// The next samples of a phrase.
    pub(crate) fn put(&mut self, samples: &[i16], sink: Sink<'_>) -> ControlFlow<()> {
        let Some((first, last)) = self.loudness.sounds(samples) else {
            self.held.extend_from_slice(samples);
            if self.first_sound.is_none() {
                let excess = self.held.len().saturating_sub(self.margin_max);
                self.held.drain(..excess);
                return ControlFlow::Continue(());
            }
            self.quiet += samples.len();
            return self.send_certain(sink);
        };
        let mut rest = samples;
        if self.first_sound.is_none() {
            let (before, after) = samples.split_at(first);
            self.held.extend_from_slice(before);
            self.start((last + 1 - first).saturating_sub(self.fade), sink)?;
            rest = after;
        }
        self.held.extend_from_slice(rest);
        self.quiet = samples.len() - 1 - last;
        self.send_certain(sink)
    }

    /// Of sounds, only what a fade may need stays back; of quiet, what may be the end of the phrase.
    fn send_certain(&mut self, sink: Sink<'_>) -> ControlFlow<()> {
        if self.quiet > self.held_max {
            let kept = self.margin_max.max(self.fade);
            return self.send_held(self.held.len().saturating_sub(kept), sink);
        }
        let sounds = self.held.len().saturating_sub(self.quiet);
        // Quiet behind it is enough to fade in.
        self.send_held(sounds.saturating_sub(self.fade.saturating_sub(self.quiet)), sink)
    }

    /// The first sound of a phrase comes: its lead goes out, over the tail before it or at the end of the rest. Behind it
    /// so many frames go out now.
    fn start(&mut self, behind: usize, sink: Sink<'_>) -> ControlFlow<()> {
        let mut lead = std::mem::take(&mut self.held);
        let soft = lead.iter().position(|x| x.unsigned_abs() > SOFT).unwrap_or(lead.len());
        let begins = self.out == 0 && self.tail.is_empty() && self.owed.is_none();
        let beginning = if begins { self.beginning.saturating_sub(behind) } else { 0 };
        lead.drain(..soft.min(lead.len().saturating_sub(self.margin_min.max(beginning))));
        let excess = lead.len().saturating_sub(self.margin_max);
        lead.drain(..excess);
        if let Some(owed) = self.owed.take() {
            let excess = lead.len().saturating_sub(owed);
            lead.drain(..excess);
            self.send_zeros(owed - lead.len(), sink)?;
        }
        fade(&mut lead, true);
        let mut joined = self.take_tail(self.margin_max);
        let over = joined.len().min(lead.len());
        let from = joined.len() - over;
        for (x, under) in lead.iter_mut().zip(joined.get(from..).unwrap_or_default()) {
            *x = x.saturating_add(*under);
        }
        joined.truncate(from);
        joined.append(&mut lead);
        self.send(&joined, sink)?;
        self.quiet_out = 0;
        self.first_sound = Some(self.out);
        ControlFlow::Continue(())
    }

    /// The faded tail with at most `quiet_max` frames after its last sound.
    fn take_tail(&mut self, quiet_max: usize) -> Vec<i16> {
        let mut tail = std::mem::take(&mut self.tail);
        let quiet = std::mem::take(&mut self.tail_quiet);
        let sounds = tail.len() - quiet;
        tail.truncate(sounds + quiet_max);
        // Sounds keep their strength when there is quiet enough behind them to fade in.
        let faded = (tail.len() - sounds).max(self.fade).min(tail.len());
        let from = tail.len() - faded;
        fade(tail.get_mut(from..).unwrap_or_default(), false);
        tail
    }

    fn send_held(&mut self, count: usize, sink: Sink<'_>) -> ControlFlow<()> {
        let count = count.min(self.held.len());
        if count == 0 {
            return ControlFlow::Continue(());
        }
        let ready: Vec<i16> = self.held.drain(..count).collect();
        self.send(&ready, sink)
    }

    /// The phrase is over; its tail stays back for what comes next. Gives the frames from its first sound to
    /// its last; 0 when there was none.
    pub(crate) fn end_phrase(&mut self, sink: Sink<'_>) -> (ControlFlow<()>, u64) {
        self.loudness.reset();
        let mut tail = std::mem::take(&mut self.held);
        let after_sound = std::mem::take(&mut self.quiet);
        let quiet = after_sound.min(tail.len());
        let Some(first) = self.first_sound.take() else {
            // Not a sound: as if it had not been.
            return (ControlFlow::Continue(()), 0);
        };
        let sounds = tail.len() - quiet;
        self.quiet_out = after_sound - quiet;
        let frames = self.out + sounds as u64 - self.quiet_out as u64 - first;
        let after = tail.get(sounds..).unwrap_or_default();
        let soft =
            after.iter().take(self.margin_max).rposition(|x| x.unsigned_abs() > SOFT).map_or(0, |at| at + 1);
        tail.truncate(sounds + soft.max(self.margin_min));
        let faded = self.fade.saturating_sub(tail.len() - sounds);
        let whole = sounds.saturating_sub(faded);
        let flow = self.send(tail.get(..whole).unwrap_or_default(), sink);
        tail.drain(..whole);
        self.tail_quiet = tail.len() - (sounds - whole);
        self.tail = tail;
        (flow, frames)
    }

    /// From the last sound to the next one.
    pub(crate) fn rest(&mut self, rest: &RestSound, sink: Sink<'_>) -> ControlFlow<()> {
        let RestSound { frames, breath_at, ref breath } = *rest;
        let pending = self.owed.take().unwrap_or(0);
        self.send_zeros(pending, sink)?;
        // What is quiet of the tail is the first part of the rest, and the next lead its last.
        // A breath keeps some zeros on both sides.
        let apart = if breath.is_empty() { 0 } else { self.fade };
        self.quiet_out = 0;
        let room = if breath.is_empty() { frames / 2 } else { breath_at.saturating_sub(apart) };
        let quiet = self.tail_quiet.min(room);
        let tail = self.take_tail(room);
        self.send(&tail, sink)?;
        let before = if breath.is_empty() { 0 } else { breath_at.saturating_sub(quiet) };
        self.send_zeros(before, sink)?;
        self.send(breath, sink)?;
        let after = frames.saturating_sub(quiet + before + breath.len());
        let owed = after.saturating_sub(apart).min(self.margin_max);
        self.owed = Some(owed);
        self.send_zeros(after - owed, sink)
    }

    /// The end: the last tail goes out.
    pub(crate) fn finish(&mut self, sink: Sink<'_>) -> ControlFlow<()> {
        let tail = self.take_tail(self.margin_max);
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
pub(crate) fn fade(samples: &mut [i16], up: bool) {
    let count = samples.len();
    for (i, x) in samples.iter_mut().enumerate() {
        *x = (f32::from(*x) * rising(if up { i } else { count - 1 - i }, count)) as i16;
    }
}

/// The strength of frame `i` of a fade of `count` frames that goes up.
pub(crate) fn rising(i: usize, count: usize) -> f32 {
    0.5 - 0.5 * (PI * i as f32 / count as f32).cos()
}

#[cfg(test)]
mod tests;
