//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! The audio thread's ends of an open card. The tick's clock is one, the card's another: between them lies a ring whose
//! content the drift loop keeps where it should be, by making the sound a little longer or shorter.
//!
//! ```text
//!  10 ms at 48 kHz ─► sinc, bent by the drift ─► ring ─► card's callback        (speaker)
//!  card's callback ─► ring ─► sinc, bent by the drift ─► 10 ms at 48 kHz        (microphone)
//! ```

use super::drift::{Drift, MOST};
use super::gauges::SideGauges;
use super::{HOUSE, HOUSE_FRAMES};
use crate::audio::TICK_MS;
use offhook_units::{Ppm, SampleRate, Span};
use ringbuf::traits::{Consumer as _, Observer as _, Producer as _};
use ringbuf::{HeapCons, HeapProd};
use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{
    Adjustable as _, Async, FixedAsync, Resampler as _, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};
use std::fmt;
use std::sync::Arc;

/// Held back for a tick or a callback that comes late, ms: at first, more after each time that it was not enough, and
/// at most.
const MARGIN_MS: f32 = 15.0;
const MARGIN_STEP_MS: f32 = 5.0;
const MOST_MARGIN_MS: f32 = 80.0;
/// More than this over what should be held, over a second, is cut and not bent away: nobody waits for minutes.
const TOO_MUCH_MS: f32 = 20.0;
/// Length of the filter, in frames of the lower of both rates: flat to 7 kHz at 16 kHz.
const TAPS: usize = 64;
/// Points between two frames; what lies between those is interpolated, 90 dB down.
const OVERSAMPLING: usize = 256;
/// Room in the bent sound for what a bend adds.
const ROOM: f64 = 1.0 + 2.0 * MOST as f64 / 1e6;

/// A card whose rate cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoFilter;

/// The filter from one rate to another, one of which is the house's. Made when the card is opened.
fn filter(from: SampleRate, to: SampleRate, fixed: FixedAsync) -> Result<Async<f32>, NoFilter> {
    let ratio = f64::from(to.hz()) / f64::from(from.hz());
    let taps = TAPS * (from.hz().div_ceil(to.hz()).max(1) as usize);
    let parameters = SincInterpolationParameters::new(taps, WindowFunction::Blackman)
        .oversampling_factor(OVERSAMPLING)
        .interpolation(SincInterpolationType::Linear);
    Async::new_sinc(ratio, ROOM, &parameters, HOUSE_FRAMES, 1, fixed).map_err(|_refused| NoFilter)
}

/// What both ways have in common: what should lie in the ring, and what does.
#[derive(Debug)]
struct Balance {
    rate: SampleRate,
    drift: Drift,
    margin_ms: f32,
    gauges: Arc<SideGauges>,
}

impl Balance {
    fn new(rate: SampleRate, gauges: Arc<SideGauges>) -> Self {
        Self { rate, drift: Drift::default(), margin_ms: MARGIN_MS, gauges }
    }

    fn ms(&self, frames: usize) -> f32 {
        frames as f32 * 1000.0 / self.rate.hz() as f32
    }

    fn frames(&self, ms: f32) -> usize {
        (ms * self.rate.hz() as f32 / 1000.0) as usize
    }

    fn period_ms(&self) -> f32 {
        self.ms(self.gauges.period_frames() as usize)
    }

    /// What is left in the ring at the least comfortable moment is to be the margin; half a period more at the mean.
    fn surplus_ms(&self, held: usize) -> f32 {
        self.ms(held) - self.margin_ms - self.period_ms() / 2.0
    }

    /// What a speaker's ring should hold in the first tick behind a call of the card, before the tick adds to it: with
    /// half a tick for the call's place in between.
    fn just_played(&self) -> usize {
        self.frames(self.margin_ms + TICK_MS as f32 / 2.0)
    }

    /// The same of a microphone's, once the tick has taken its share.
    fn just_recorded(&self) -> usize {
        self.frames((self.margin_ms + self.period_ms() - TICK_MS as f32 / 2.0).max(self.margin_ms))
    }

    fn widen(&mut self) {
        self.margin_ms = (self.margin_ms + MARGIN_STEP_MS).min(MOST_MARGIN_MS);
        self.drift.restart();
    }

    fn is_too_much(&self) -> bool {
        self.drift.is_settled() && self.drift.surplus_ms() > TOO_MUCH_MS
    }

    fn publish(&self, sign: f32, held: usize) {
        let held = self.rate.span_of(i64::try_from(held).unwrap_or(0));
        self.gauges.publish(Ppm(sign * self.drift.known().0), held.max(Span::ZERO));
    }
}

/// Where calls are heard.
pub struct Speaker {
    balance: Balance,
    ring: HeapProd<i16>,
    filter: Async<f32>,
    bent: Box<[f32]>,
    pcm: Box<[i16]>,
    /// Times that the card ran dry, when last looked; `None` until it has called.
    dry: Option<u64>,
    /// Times that it had called before.
    calls: Option<u64>,
}

impl Speaker {
    /// For a card that runs at `rate` and plays from the other end of `ring`.
    ///
    /// # Errors
    /// [`NoFilter`] for a rate that cannot be had.
    // start-up: of the card, on the sound thread.
    pub fn new(rate: SampleRate, ring: HeapProd<i16>, gauges: Arc<SideGauges>) -> Result<Self, NoFilter> {
        let filter = filter(HOUSE, rate, FixedAsync::Input)?;
        let most = filter.output_frames_max();
        let (bent, pcm) = (vec![0.0; most].into(), vec![0; most].into());
        Ok(Self { balance: Balance::new(rate, gauges), ring, filter, bent, pcm, dry: None, calls: None })
    }

    /// Hands on 10 ms at the house's rate.
    pub(super) fn play(&mut self, sound: &[f32; HOUSE_FRAMES]) {
        let calls = self.balance.gauges.calls();
        if self.dry.is_none() && *self.calls.get_or_insert(calls) == calls {
            // When it calls is not known yet, so there is no telling how much should lie here.
            return;
        }
        self.refill();
        let held = self.ring.occupied_len();
        let bend = self.balance.drift.follow(self.balance.surplus_ms(held));
        self.balance.publish(-1.0, held);
        if self.balance.is_too_much() {
            self.balance.drift.moved(-(TICK_MS as f32));
            self.balance.gauges.xrun();
            return;
        }
        let made = self.bend(sound, bend);
        let pcm = self.pcm.get(..made).unwrap_or_default();
        if self.ring.push_slice(pcm) < pcm.len() {
            // The card stands still; the sound thread sees that too.
            self.balance.gauges.xrun();
        }
    }

    /// Puts silence in front at the start, and where the card found too little: either way it has just called.
    fn refill(&mut self) {
        let dry = self.balance.gauges.dry();
        match self.dry.replace(dry) {
            None => self.balance.gauges.attach(),
            Some(before) if before == dry => return,
            Some(_) => self.balance.widen(),
        }
        let missing = self.balance.just_played().saturating_sub(self.ring.occupied_len());
        self.ring.push_iter(std::iter::repeat_n(0, missing));
    }

    /// Brings 10 ms to the card's rate, into `pcm`; how many frames that are.
    fn bend(&mut self, sound: &[f32; HOUSE_FRAMES], bend: Ppm) -> usize {
        // Within the bounds: the drift keeps to MOST, and ROOM is twice that.
        let _ = self.filter.set_resample_ratio_relative(1.0 - f64::from(bend.0) / 1e6, true);
        let room = self.bent.len();
        let Ok(input) = SequentialSlice::new(sound, 1, HOUSE_FRAMES) else { return 0 };
        let Ok(mut output) = SequentialSlice::new_mut(&mut self.bent, 1, room) else { return 0 };
        let Ok((_, made)) = self.filter.process_into_buffer(&input, &mut output, None) else { return 0 };
        for (sample, level) in self.pcm.iter_mut().zip(&self.bent).take(made) {
            *sample = level.round() as i16; // saturates
        }
        made
    }
}

/// Where calls are spoken.
pub struct Microphone {
    balance: Balance,
    ring: HeapCons<i16>,
    filter: Async<f32>,
    pcm: Box<[i16]>,
    taken: Box<[f32]>,
    /// The ring is let fill before anything is taken.
    fills: bool,
    is_new: bool,
}

impl Microphone {
    /// For a card that runs at `rate` and records into the other end of `ring`.
    ///
    /// # Errors
    /// [`NoFilter`] for a rate that cannot be had.
    // start-up: of the card, on the sound thread.
    pub fn new(rate: SampleRate, ring: HeapCons<i16>, gauges: Arc<SideGauges>) -> Result<Self, NoFilter> {
        let filter = filter(rate, HOUSE, FixedAsync::Output)?;
        let most = filter.input_frames_max();
        let (pcm, taken) = (vec![0; most].into(), vec![0.0; most].into());
        Ok(Self { balance: Balance::new(rate, gauges), ring, filter, pcm, taken, fills: true, is_new: true })
    }

    /// The next 10 ms at the house's rate: silence where there is none.
    pub(super) fn hear(&mut self, sound: &mut [f32; HOUSE_FRAMES]) {
        if std::mem::take(&mut self.is_new) {
            // What was recorded before anybody listened is not for this tick.
            self.ring.clear();
            self.balance.gauges.attach();
        }
        let held = self.ring.occupied_len();
        let Some(left) = self.ready(held) else {
            sound.fill(0.0);
            return;
        };
        let bend = self.balance.drift.follow(self.balance.surplus_ms(left));
        self.balance.publish(1.0, held);
        if self.balance.is_too_much() {
            self.ring.skip(self.balance.frames(TICK_MS as f32));
            self.balance.drift.moved(-(TICK_MS as f32));
            self.balance.gauges.xrun();
        }
        if !self.bend(sound, bend) {
            sound.fill(0.0);
        }
    }

    /// What is left of `held` once this tick's share is taken; `None` while there is too little.
    fn ready(&mut self, held: usize) -> Option<usize> {
        let left = held.checked_sub(self.filter.input_frames_next());
        if self.fills {
            let wanted = self.balance.just_recorded();
            let over = left?.checked_sub(wanted)?;
            // Nobody has heard it yet.
            self.ring.skip(over);
            self.fills = false;
            return Some(wanted);
        }
        if left.is_none() {
            self.fills = true;
            self.balance.widen();
            self.balance.gauges.xrun();
        }
        left
    }

    /// Takes this tick's share, brought to the house's rate; whether there was enough.
    fn bend(&mut self, sound: &mut [f32; HOUSE_FRAMES], bend: Ppm) -> bool {
        let _ = self.filter.set_resample_ratio_relative(1.0 - f64::from(bend.0) / 1e6, true);
        let share = self.filter.input_frames_next();
        let Some(pcm) = self.pcm.get_mut(..share) else { return false };
        let taken = self.ring.pop_slice(pcm);
        // The bend may ask for a frame more than was looked for: it is made up.
        pcm.get_mut(taken..).unwrap_or_default().fill(0);
        self.taken.iter_mut().zip(&*pcm).for_each(|(level, sample)| *level = f32::from(*sample));
        let Ok(input) = SequentialSlice::new(&self.taken, 1, share) else { return false };
        let Ok(mut output) = SequentialSlice::new_mut(sound, 1, HOUSE_FRAMES) else { return false };
        self.filter.process_into_buffer(&input, &mut output, None).is_ok()
    }
}

impl fmt::Debug for Speaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Speaker").field("balance", &self.balance).finish_non_exhaustive()
    }
}

impl fmt::Debug for Microphone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Microphone").field("balance", &self.balance).finish_non_exhaustive()
    }
}
