//! Making speech shorter or longer by what the ear does not miss: whole pitch periods, or any part of a pause.
//!
//! Real-time: buffers made in `new`.

use super::{
    fade::{gains, likeness, rms, take_first, to_i16},
    pitch::PitchFinder,
};
use offhook_units::SampleRate;

/// Periods less alike than this are not taken out or put in.
const ALIKE: f32 = 0.8;
/// A block within this factor of the background's RMS (6 dB) is a pause.
const PAUSE: f32 = 2.0;

/// What a block is, as far as its length is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texture {
    /// Background: any amount may go or come.
    Pause,
    /// Periodic: whole periods may go or come.
    Periodic,
    /// Neither: it stays as it is.
    Unfit,
}

/// How much may go or come, by what is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Samples, where nobody speaks.
    pub pause: usize,
    /// Samples, in a voice.
    pub speech: usize,
}

impl Limits {
    fn within(self, room: usize) -> Self {
        Self { pause: self.pause.min(room), speech: self.speech.min(room) }
    }
}

/// What [`Warper::squeeze`] did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Squeezed {
    /// How much shorter the block is; `block[..len - removed]` is valid.
    pub removed: usize,
    /// What was found.
    pub texture: Texture,
}

/// What [`Warper::stretch`] did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretched {
    /// How much longer `out` is; `out[..block.len() + added]` is valid.
    pub added: usize,
    /// What was found.
    pub texture: Texture,
}

/// Changes the length of blocks of 30 to 60 ms. Both ends stay as they are, so that the block still joins what
/// comes before and after it.
#[derive(Debug)]
pub struct Warper {
    shortest: usize,
    fade_most: usize,
    finder: PitchFinder,
    x: Box<[f32]>,
}

/// Where to cut: `x[at..at + fade]` and `x[at + lag..at + lag + fade]` are laid over each other.
#[derive(Clone, Copy, Debug)]
struct Cut {
    texture: Texture,
    at: usize,
    lag: usize,
    fade: usize,
    alike: f32,
}

impl Warper {
    /// For sound at `rate`, in blocks of up to 60 ms; of longer ones the first 60 ms are used.
    // start-up: the buffers of the whole call.
    pub fn new(rate: SampleRate) -> Self {
        let longest = rate.frames_in_ms(60);
        Self {
            shortest: rate.frames_in_ms(2),
            fade_most: rate.frames_in_ms(10),
            finder: PitchFinder::new(rate, longest),
            x: vec![0.0; longest].into(),
        }
    }

    /// Takes out samples up to `limits`. `background_rms` is the level between words
    /// ([`super::Concealer::background_rms`]).
    pub fn squeeze(&mut self, block: &mut [i16], limits: Limits, background_rms: f32) -> Squeezed {
        let cut = self.find(block, limits, background_rms);
        if cut.lag > 0 {
            for i in 0..cut.fade {
                block[cut.at + i] = self.mixed(cut, i, 0, cut.lag);
            }
            block.copy_within(cut.at + cut.lag + cut.fade.., cut.at + cut.fade);
        }
        Squeezed { removed: cut.lag, texture: cut.texture }
    }

    /// Puts in samples up to `limits`, as far as `out` has room; `out` gets the longer block.
    pub fn stretch(
        &mut self,
        block: &[i16],
        out: &mut [i16],
        limits: Limits,
        background_rms: f32,
    ) -> Stretched {
        let room = out.len().saturating_sub(block.len());
        let cut = self.find(block, limits.within(room), background_rms);
        let n = block.len().min(out.len());
        if cut.lag == 0 {
            out[..n].copy_from_slice(&block[..n]);
        } else {
            // Up to the later stretch, which fades into the earlier one and goes on from there.
            let turn = cut.at + cut.lag;
            out[..turn].copy_from_slice(&block[..turn]);
            for i in 0..cut.fade {
                out[turn + i] = self.mixed(cut, i, cut.lag, 0);
            }
            let rest = &block[cut.at + cut.fade..];
            out[turn + cut.fade..turn + cut.fade + rest.len()].copy_from_slice(rest);
        }
        Stretched { added: cut.lag, texture: cut.texture }
    }

    fn mixed(&self, cut: Cut, i: usize, old: usize, new: usize) -> i16 {
        let (a, b) = gains((i as f32 + 0.5) / cut.fade as f32, cut.alike);
        to_i16(a * self.x[cut.at + old + i] + b * self.x[cut.at + new + i])
    }

    fn find(&mut self, block: &[i16], limits: Limits, background_rms: f32) -> Cut {
        let mut cut = Cut { texture: Texture::Unfit, at: 0, lag: 0, fade: 0, alike: 0.0 };
        let x = &*take_first(block, &mut self.x);
        let n = x.len();
        if rms(x) <= PAUSE * background_rms + 2.0 {
            cut.texture = Texture::Pause;
            self.place_in_pause(&mut cut, n, limits.pause);
        } else if limits.speech >= self.shortest
            && let Some(pitch) = self.finder.find(x)
            && pitch.likeness >= ALIKE
        {
            cut.alike = pitch.likeness;
            cut.texture = Texture::Periodic;
            self.place_periods(&mut cut, n, limits.speech, pitch.period);
        }
        cut
    }

    /// The most, up to `limit`, that leaves room for a cross-fade; a little less where that fits better.
    fn place_in_pause(&self, cut: &mut Cut, n: usize, limit: usize) {
        cut.alike = 1.0;
        let fade = self.fade_most.min(n / 4);
        let most = limit.min(n.saturating_sub(fade));
        if most == 0 || fade < self.shortest {
            return;
        }
        let x = &self.x[..n];
        let mut best = (0, f32::MIN);
        for lag in (most - most / 8..=most).rev() {
            let at = (n - fade - lag) / 2;
            let alike = likeness(&x[at..at + fade], &x[at + lag..at + lag + fade]);
            if alike > best.1 {
                best = (lag, alike);
            }
        }
        (cut.lag, cut.at, cut.fade) = (best.0, (n - fade - best.0) / 2, fade);
        cut.alike = best.1.max(0.0);
    }

    /// As many whole periods as `limit` allows, where the sound is most alike over that distance.
    fn place_periods(&self, cut: &mut Cut, n: usize, limit: usize, period: f32) {
        let x = &self.x[..n];
        let count = (limit as f32 / period).floor();
        let lag = (count * period).round() as usize;
        let fade = (period as usize).clamp(self.shortest, self.fade_most);
        if lag == 0 || lag + fade + 1 > n {
            return;
        }
        let mut best = (0, 0, f32::MIN);
        for lag in (lag - 1).max(1)..=(lag + 1).min(limit) {
            for at in (0..=n - fade - lag.min(n - fade)).step_by((self.shortest / 4).max(1)) {
                if at + lag + fade > n {
                    break;
                }
                let alike = likeness(&x[at..at + fade], &x[at + lag..at + lag + fade]);
                if alike > best.2 {
                    best = (lag, at, alike);
                }
            }
        }
        cut.alike = best.2;
        if best.2 >= ALIKE {
            (cut.lag, cut.at, cut.fade) = (best.0, best.1, fade);
        } else {
            cut.texture = Texture::Unfit;
        }
    }
}
