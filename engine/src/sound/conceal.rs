//! What is played where nothing arrived.
//!
//! Real-time: buffers made in `new`.

use super::{
    background::{Background, ComfortNoise},
    crossing::Crossing,
    fade::{HoleFade, MovingEnergy, energy, gains, likeness_of, take_first, take_last, to_i16},
    guess::Guess,
    pitch::PitchFinder,
};
use offhook_units::SampleRate;

/// How much of the past is studied, ms.
const PAST_MS: u32 = 60;
/// How much of the future is studied, ms.
const FUTURE_MS: u32 = 40;
/// Longest stretch that is bridged from both sides; of a longer gap the first part is extrapolated, ms.
pub const BRIDGE_MS: u32 = 80;
/// From here on a hole fades to the background, ms.
const FADE_FROM_MS: u32 = 50;
/// Here it is nothing else, ms.
const FADE_TO_MS: u32 = 200;
/// Longest cross-fade into audio that comes back, ms: for a guess that was right.
const REJOIN_MS: u32 = 12;
/// Share of it that remains for a guess that was wrong.
const REJOIN_LEAST: f32 = 0.3;
/// A guess that is cut short by comfort noise is gone after this, ms.
const HUSH_MS: u32 = 10;

/// What was played last.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Playing {
    /// Decoded audio.
    Real,
    /// A guess that is this many samples old.
    Hole(usize),
    /// Background; the guess before it has this much (1 to 0) left.
    Noise(f32),
}

/// Conceals what was lost. One per stream.
///
/// Order of calls: [`listen`](Self::listen) with each packet that plays; in a hole any number of
/// [`extrapolate`](Self::extrapolate) and then either [`bridge`](Self::bridge), with [`cross`](Self::cross) as
/// it is played, or [`rejoin`](Self::rejoin); [`noise`](Self::noise) where the far end is silent.
#[derive(Debug)]
pub struct Concealer {
    rate: SampleRate,
    past: Box<[f32]>,
    coming: Box<[f32]>,
    /// Guessed samples; while a gap is crossed, what its far side has beside its cycle.
    guessed: Box<[f32]>,
    finder: PitchFinder,
    fore: Guess,
    aft: Guess,
    background: Background,
    fade: HoleFade,
    crossing: Option<Crossing>,
    playing: Playing,
}

impl Concealer {
    /// For sound at `rate`.
    // start-up: the buffers of the whole call.
    pub fn new(rate: SampleRate) -> Self {
        let past = rate.frames_in_ms(PAST_MS);
        let finder = PitchFinder::new(rate, past);
        Self {
            rate,
            past: vec![0.0; past].into(),
            coming: vec![0.0; rate.frames_in_ms(FUTURE_MS)].into(),
            guessed: vec![0.0; rate.frames_in_ms(BRIDGE_MS)].into(),
            fore: Guess::new(rate, finder.longest()),
            aft: Guess::new(rate, finder.longest()),
            finder,
            background: Background::new(rate),
            fade: HoleFade { from: rate.frames_in_ms(FADE_FROM_MS), to: rate.frames_in_ms(FADE_TO_MS) },
            crossing: None,
            playing: Playing::Real,
        }
    }

    /// Decoded audio that has just been scheduled: ends a hole, and teaches the background.
    pub fn listen(&mut self, fresh: &[i16]) {
        self.background.listen(fresh);
        self.playing = Playing::Real;
    }

    /// RMS of the background heard between words; 0 while none was heard.
    pub fn background_rms(&self) -> f32 {
        self.background.rms()
    }

    /// The next `out.len()` samples from the past alone. The first call of a hole studies `history` (60 ms,
    /// newest last); later calls go on where the last one ended.
    pub fn extrapolate(&mut self, history: &[i16], out: &mut [i16]) {
        self.open(history);
        for o in out {
            *o = to_i16(self.next());
        }
    }

    /// Fills a gap exactly, between `history` (which may end in what this concealer extrapolated) and `future`
    /// (20 ms or more that follow the gap at once): `gap` now, and `later` samples more (of 80 ms in all) by
    /// [`cross`](Self::cross). Ends the hole.
    pub fn bridge(&mut self, history: &[i16], gap: &mut [i16], later: usize, future: &[i16]) {
        let both = (gap.len() + later).min(self.guessed.len());
        let (alone, gap) = gap.split_at_mut((gap.len() + later - both).min(gap.len()));
        self.extrapolate(history, alone);
        let coming = take_first(future, &mut self.coming);
        coming.reverse();
        self.aft.study(coming, &mut self.finder);
        for rest in self.guessed[..both].iter_mut().rev() {
            *rest = self.aft.next_rest();
        }
        let Playing::Hole(age) = self.playing else { return };
        self.crossing = Some(Crossing::new(&self.fore, &self.aft, both, age, self.fade, &self.background));
        self.playing = Playing::Real;
        self.cross(gap);
    }

    /// Goes on with the gap that [`bridge`](Self::bridge) began; no other hole may begin before its end.
    pub fn cross(&mut self, gap: &mut [i16]) {
        if gap.is_empty() {
            return;
        }
        match &mut self.crossing {
            Some(crossing) => crossing.write(&mut self.fore, &self.aft, &self.guessed, gap),
            None => gap.fill(0),
        }
    }

    /// Audio resumes, and not at an exact place (it was late, not lost). Writes as much further concealment
    /// to the start of `extra` as makes `fresh` join in phase, returns how much, and cross-fades the beginning
    /// of `fresh` with what would have gone on. Ends the hole. Does nothing where no hole is open.
    pub fn rejoin(&mut self, extra: &mut [i16], fresh: &mut [i16]) -> usize {
        if self.playing == Playing::Real {
            return 0;
        }
        let overlap = self.rate.frames_in_ms(REJOIN_MS).min(fresh.len()).min(self.coming.len());
        let room = extra.len().min(self.guessed.len() - overlap);
        for i in 0..room + overlap {
            self.guessed[i] = self.next();
        }
        let (lag, alike) = self.best_join(&fresh[..overlap], room);
        for (e, &g) in extra.iter_mut().zip(&self.guessed[..lag]) {
            *e = to_i16(g);
        }
        let fade = (overlap as f32 * (REJOIN_LEAST + alike).clamp(REJOIN_LEAST, 1.0)) as usize;
        for (i, (f, &g)) in fresh.iter_mut().zip(&self.guessed[lag..lag + fade]).enumerate() {
            let (old, new) = gains((i as f32 + 0.5) / fade as f32, alike);
            *f = to_i16(old * g + new * f32::from(*f));
        }
        self.playing = Playing::Real;
        lag
    }

    /// Background alone: as `dictated` by the far end's comfort noise, or as heard between words.
    pub fn noise(&mut self, dictated: Option<ComfortNoise>, out: &mut [i16]) {
        self.background.prepare(dictated);
        let mut left = match self.playing {
            // The real sound rings out in the background's filter.
            Playing::Real => {
                self.background.start();
                0.0
            }
            Playing::Hole(age) => {
                let left = self.fade.gains_at(age).map_or(1.0, |(left, _)| left);
                if left >= 1.0 {
                    self.background.start_afresh();
                }
                left
            }
            Playing::Noise(left) => left,
        };
        let step = 1.0 / self.rate.frames_in_ms(HUSH_MS).max(1) as f32;
        for o in out {
            left = (left - step).max(0.0);
            *o = to_i16(if left > 0.0 { self.blend(left) } else { self.background.next() });
        }
        self.playing = Playing::Noise(left);
    }

    /// Begins a hole unless one is open.
    fn open(&mut self, history: &[i16]) {
        if let Playing::Hole(_) = self.playing {
            return;
        }
        let past = take_last(history, &mut self.past);
        self.fore.study(past, &mut self.finder);
        self.background.prepare(None);
        self.playing = Playing::Hole(0);
    }

    /// The next sample of the hole.
    fn next(&mut self) -> f32 {
        let Playing::Hole(age) = self.playing else { return self.background.next() };
        self.playing = Playing::Hole(age.saturating_add(1));
        if age == self.fade.from {
            self.background.start_afresh();
        }
        match self.fade.gains_at(age) {
            None => self.fore.next(),
            Some((left, _)) if left > 0.0 => self.blend(left),
            Some(_) => self.background.next(),
        }
    }

    fn blend(&mut self, left: f32) -> f32 {
        left * self.fore.next() + (1.0 - left * left).max(0.0).sqrt() * self.background.next()
    }

    /// After how many of the guessed samples `fresh` joins best, and how alike the two are there.
    fn best_join(&mut self, fresh: &[i16], room: usize) -> (usize, f32) {
        let fresh = take_first(fresh, &mut self.coming);
        let (n, power) = (fresh.len(), energy(fresh));
        let mut moving = MovingEnergy::of(&self.guessed[..n]);
        let mut best = (0, likeness_of(fresh, power, &self.guessed[..n], moving.get()));
        let step = (self.rate.hz() as usize / 8_000).max(1);
        for lag in (step..=room).step_by(step) {
            for i in lag - step..lag {
                moving.shift(self.guessed[i + n], self.guessed[i]);
            }
            let now = likeness_of(fresh, power, &self.guessed[lag..lag + n], moving.get());
            // A longer wait must be worth it.
            if now > best.1 + 0.02 {
                best = (lag, now);
            }
        }
        best
    }
}
