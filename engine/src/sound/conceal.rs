//! What is played where nothing arrived.
//!
//! Real-time: buffers made in `new`.

use super::{
    background::{Background, ComfortNoise},
    fade::{gains, likeness, smooth, take_last, to_i16},
    guess::Guess,
    pitch::PitchFinder,
};
use offhook_units::SampleRate;

/// How much of the past is studied, ms.
const PAST_MS: u32 = 60;
/// How much of the future is studied, ms.
const FUTURE_MS: u32 = 60;
/// Longest stretch that is bridged from both sides; of a longer gap the first part is extrapolated, ms.
const BRIDGE_MS: u32 = 80;
/// From here on a hole fades to the background, ms.
const FADE_FROM_MS: u32 = 50;
/// Here it is nothing else, ms.
const FADE_TO_MS: u32 = 150;
/// Cross-fade into audio that comes back, ms.
const REJOIN_MS: u32 = 8;

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
/// [`extrapolate`](Self::extrapolate) and then either [`bridge`](Self::bridge) or
/// [`rejoin`](Self::rejoin); [`noise`](Self::noise) where the far end is silent.
#[derive(Debug)]
pub struct Concealer {
    rate: SampleRate,
    past: Box<[f32]>,
    coming: Box<[f32]>,
    scratch: Box<[f32]>,
    finder: PitchFinder,
    fore: Guess,
    aft: Guess,
    background: Background,
    playing: Playing,
}

impl Concealer {
    /// For sound at `rate`.
    pub fn new(rate: SampleRate) -> Self {
        let past = rate.frames_in_ms(PAST_MS);
        let finder = PitchFinder::new(rate, past);
        Self {
            rate,
            past: vec![0.0; past].into(),
            coming: vec![0.0; rate.frames_in_ms(FUTURE_MS)].into(),
            scratch: vec![0.0; rate.frames_in_ms(BRIDGE_MS)].into(),
            fore: Guess::new(rate, finder.longest()),
            aft: Guess::new(rate, finder.longest()),
            finder,
            background: Background::new(rate),
            playing: Playing::Real,
        }
    }

    /// Back to the state after [`new`](Self::new).
    pub fn reset(&mut self) {
        self.background = Background::new(self.rate);
        self.playing = Playing::Real;
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

    /// Fills `gap` exactly, between `history` (which may end in what this concealer extrapolated) and `future`
    /// (20 ms or more that follow the gap at once). Ends the hole.
    pub fn bridge(&mut self, history: &[i16], gap: &mut [i16], future: &[i16]) {
        let both = gap.len().min(self.scratch.len());
        let (alone, gap) = gap.split_at_mut(gap.len() - both);
        self.open(history);
        for o in alone {
            *o = to_i16(self.next());
        }
        let n = future.len().min(self.coming.len());
        for (c, &f) in self.coming.iter_mut().zip(future[..n].iter().rev()) {
            *c = f32::from(f);
        }
        self.aft.study(&self.coming[..n], &mut self.finder);
        self.meet(gap);
        self.playing = Playing::Real;
    }

    /// Audio resumes, and not at an exact place (it was late, not lost). Writes as much further concealment
    /// to the start of `extra` as makes `fresh` join in phase, returns how much, and cross-fades the beginning
    /// of `fresh` with what would have gone on. Ends the hole.
    pub fn rejoin(&mut self, extra: &mut [i16], fresh: &mut [i16]) -> usize {
        if self.playing == Playing::Real {
            return 0;
        }
        let overlap = self.rate.frames_in_ms(REJOIN_MS).min(fresh.len()).min(self.scratch.len());
        let room = extra.len().min(self.scratch.len() - overlap);
        let mut guess = std::mem::take(&mut self.scratch);
        for g in &mut guess[..room + overlap] {
            *g = self.next();
        }
        let target = &mut self.coming[..overlap.min(self.past.len())];
        for (t, &f) in target.iter_mut().zip(&*fresh) {
            *t = f32::from(f);
        }
        let mut best = (0, likeness(&guess[..overlap], target));
        for lag in 1..=room {
            let alike = likeness(&guess[lag..lag + overlap], target);
            // A longer wait must be worth it.
            if alike > best.1 + 0.02 {
                best = (lag, alike);
            }
        }
        let (lag, alike) = best;
        for (e, &g) in extra.iter_mut().zip(&guess[..lag]) {
            *e = to_i16(g);
        }
        for (i, f) in fresh[..overlap].iter_mut().enumerate() {
            let (old, new) = gains((i as f32 + 0.5) / overlap as f32, alike);
            *f = to_i16(old * guess[lag + i] + new * f32::from(*f));
        }
        self.scratch = guess;
        self.playing = Playing::Real;
        lag
    }

    /// Background alone: as `dictated` by the far end's comfort noise, or as heard between words.
    pub fn noise(&mut self, dictated: Option<ComfortNoise>, out: &mut [i16]) {
        self.background.prepare(dictated);
        let step = 1.0 / self.rate.frames_in_ms(10) as f32;
        for o in out {
            let y = match self.playing {
                Playing::Real => {
                    // The real sound rings out in the background's filter.
                    self.background.start();
                    self.playing = Playing::Noise(0.0);
                    self.background.next()
                }
                Playing::Hole(age) => {
                    let (left, _) = self.fade(age);
                    if left >= 1.0 {
                        self.background.hush();
                        self.background.start();
                    }
                    self.playing = Playing::Noise(left);
                    self.blend(left)
                }
                Playing::Noise(left) => {
                    let left = (left - step).max(0.0);
                    self.playing = Playing::Noise(left);
                    if left > 0.0 { self.blend(left) } else { self.background.next() }
                }
            };
            *o = to_i16(y);
        }
    }

    /// Begins a hole unless one is open.
    fn open(&mut self, history: &[i16]) {
        match self.playing {
            Playing::Hole(_) => return,
            Playing::Real | Playing::Noise(_) => {}
        }
        let n = take_last(history, &mut self.past);
        let from = self.past.len() - n;
        self.fore.study(&self.past[from..], &mut self.finder);
        self.background.prepare(None);
        self.playing = Playing::Hole(0);
    }

    /// Gains of guess and background in a hole of `age` samples.
    fn fade(&self, age: usize) -> (f32, f32) {
        let (from, to) = (self.rate.frames_in_ms(FADE_FROM_MS), self.rate.frames_in_ms(FADE_TO_MS));
        let s = smooth((age as f32 - from as f32) / (to - from) as f32);
        (1.0 - s, (s * (2.0 - s)).max(0.0).sqrt())
    }

    fn blend(&mut self, left: f32) -> f32 {
        left * self.fore.next(1.0) + (1.0 - left * left).max(0.0).sqrt() * self.background.next()
    }

    /// The next sample of the hole.
    fn next(&mut self) -> f32 {
        let Playing::Hole(age) = self.playing else { return self.background.next() };
        self.playing = Playing::Hole(age.saturating_add(1));
        let (left, new) = self.fade(age);
        if new <= 0.0 {
            return self.fore.next(1.0);
        }
        if age == self.rate.frames_in_ms(FADE_FROM_MS) + 1 {
            self.background.hush();
            self.background.start();
        }
        if left <= 0.0 { self.background.next() } else { self.blend(left) }
    }

    /// Both guesses over `gap`, in phase, cross-faded.
    fn meet(&mut self, gap: &mut [i16]) {
        let n = gap.len();
        if n == 0 {
            return;
        }
        let course = Course::between(&self.fore, &self.aft, n);
        let total = course.turns_at((n - 1) as f32);
        for i in (0..n).rev() {
            let turns = if course.together { total - course.turns_at(i as f32) } else { 0.0 };
            let phase = if course.together { turns * self.aft.period } else { (n - 1 - i) as f32 };
            self.scratch[i] = self.aft.at(phase);
        }
        let start = match self.playing {
            Playing::Hole(age) => age,
            _ => 0,
        };
        for (i, g) in gap.iter_mut().enumerate() {
            let (left, low) = self.fade(start + i);
            let fore = if course.together {
                self.fore.at(course.from + course.turns_at(i as f32) * self.fore.period)
            } else {
                self.fore.next(1.0)
            };
            let fore = if left >= 1.0 { fore } else { left * fore + low * self.background.next() };
            let (old, new) = gains((i as f32 + 0.5) / n as f32, course.alike);
            *g = to_i16(old * fore + new * self.scratch[i]);
        }
    }
}

/// How the phase runs from one edge of a gap to the other.
#[derive(Clone, Copy, Debug)]
struct Course {
    /// Whether both sides are periodic and of kin, so that they can meet in phase.
    together: bool,
    alike: f32,
    /// Phase of the forward guess at the start, in samples.
    from: f32,
    rate_start: f32,
    rate_end: f32,
    bend: f32,
    length: f32,
}

impl Course {
    const POINTS: usize = 64;

    fn between(fore: &Guess, aft: &Guess, length: usize) -> Self {
        let mut course = Self {
            together: false,
            alike: 0.0,
            from: fore.phase(),
            rate_start: 1.0 / fore.period.max(1.0),
            rate_end: 1.0 / aft.period.max(1.0),
            bend: 0.0,
            length: (length as f32 - 1.0).max(1.0),
        };
        let ratio = fore.period / aft.period;
        if fore.voiced < 0.2 || aft.voiced < 0.2 || !(0.7..1.43).contains(&ratio) {
            return course;
        }
        let (mut p, mut q) = ([0.0f32; Self::POINTS], [0.0f32; 2 * Self::POINTS]);
        for i in 0..Self::POINTS {
            let turn = i as f32 / Self::POINTS as f32;
            p[i] = fore.shape(turn + course.from / fore.period);
            // Backwards in time once more: forwards.
            q[i] = aft.shape(-turn);
            q[i + Self::POINTS] = q[i];
        }
        let natural = course.turns_at(course.length);
        let mut best = (f32::MIN, 0.0, 0.0);
        for shift in 0..Self::POINTS {
            let alike = likeness(&p, &q[shift..shift + Self::POINTS]);
            let part = -(shift as f32) / Self::POINTS as f32;
            let turns = part + (natural - part).round();
            let strain = (turns - natural) / natural.max(0.5);
            let score = alike - strain * strain;
            if score > best.0 {
                best = (score, turns - natural, alike);
            }
        }
        course.together = true;
        course.bend = best.1;
        course.alike = best.2.max(0.0) * fore.voiced.min(aft.voiced);
        course
    }

    /// Periods passed since the start.
    fn turns_at(&self, t: f32) -> f32 {
        let s = t / self.length;
        let glide = 0.5 * (self.rate_end - self.rate_start) * t * s;
        self.rate_start * t + glide + self.bend * smooth(s)
    }
}
