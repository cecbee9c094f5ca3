//! A gap on the way from its one side to the other.
//!
//! Real-time: arithmetic on fixed arrays.
//!
//! All that a bridge needs is learnt when it begins, but it is written as it is played: the dearest pull would
//! otherwise be the one that fills 80 ms at once.

use super::{
    background::Background,
    bridge::Course,
    fade::{HoleFade, gains, to_i16},
    guess::Guess,
};

/// What the cross-fade takes two unrelated sides for (see [`gains`]): a little less loud than equal power, for what
/// is guessed wrong is better guessed softly.
const STRANGERS: f32 = 0.5;

/// A gap between two guesses, cross-faded.
#[derive(Debug)]
pub(super) struct Crossing {
    course: Course,
    length: usize,
    written: usize,
    /// Samples of the hole before the gap.
    age: usize,
    fade: HoleFade,
    /// As it was at the near edge: what comes behind the gap has been heard already when the gap is written.
    background: Background,
}

impl Crossing {
    /// Over `length` samples behind `age` samples of hole, of which `fade` says how they grow faint.
    pub(super) fn new(
        fore: &Guess,
        aft: &Guess,
        length: usize,
        age: usize,
        fade: HoleFade,
        background: &Background,
    ) -> Self {
        let course = Course::between(fore, aft, length);
        Self { course, length, written: 0, age, fade, background: background.clone() }
    }

    /// The next samples of the gap. `rest` is what `aft` has beside its cycle, over the whole gap; silence behind
    /// the gap's end.
    pub(super) fn write(&mut self, fore: &mut Guess, aft: &Guess, rest: &[f32], out: &mut [i16]) {
        let left = self.length - self.written;
        let (out, behind) = out.split_at_mut(left.min(out.len()));
        behind.fill(0);
        let (mut loudness, louder) = aft.loudness_at((left + 1) as f32);
        let per_sample = (self.length as f32).recip();
        let alike = self.course.alike.unwrap_or(STRANGERS);
        let rest = rest.get(self.written..self.length).unwrap_or(&[]);
        for (t, (o, &rest)) in (self.written..).zip(out.iter_mut().zip(rest)) {
            loudness *= louder;
            let both = self.course.turns_of_both(t as f32);
            let (turned, to_turn) =
                both.unwrap_or_else(|| (fore.turns(), aft.turns_at((self.length - 1 - t) as f32)));
            let mut near = fore.next_at(turned);
            if let Some((voice, noise)) = self.fade.gains_at(self.age + t) {
                near = voice * near + noise * self.background.next();
            }
            let far = aft.sum(to_turn, rest, loudness);
            let (old, new) = gains((t as f32 + 0.5) * per_sample, alike);
            *o = to_i16(old * near + new * far);
        }
        self.written += out.len();
    }
}
