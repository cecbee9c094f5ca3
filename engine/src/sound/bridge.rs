//! How two guesses meet over a gap: in phase, where both sides are of the same voice.
//!
//! Real-time: arithmetic on fixed arrays.

use super::{
    fade::{dot, energy},
    guess::Guess,
};

/// Less voiced than this, a side has no phase to meet.
const VOICED: f32 = 0.2;
/// Periods of the two sides that can be one gliding voice.
const KIN: std::ops::Range<f32> = 0.7..1.43;
/// Waveforms less alike than this do not meet: they are different sounds.
const ALIKE: f32 = 0.5;
/// What a bend of the pitch costs beside likeness: a tenth off the natural course weighs 0.02.
const STRAIN: f32 = 2.0;
/// Points a period in which the phase is sought.
const POINTS: usize = 64;

/// How the phase runs from one edge of a gap to the other: the pitch glides from the period of the one side to
/// that of the other, and bends as little as makes both waveforms coincide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    /// Likeness of the two sides where they run together in phase.
    pub(super) alike: Option<f32>,
    from: f32,
    turns_a_sample: (f32, f32),
    bend: f32,
    last: f32,
    per_sample: f32,
    total: f32,
}

impl Course {
    /// Over `length` samples between `fore` (which may be under way) and `aft` (which looks backwards in time).
    pub(super) fn between(fore: &Guess, aft: &Guess, length: usize) -> Self {
        let mut course = Self {
            alike: None,
            from: fore.turns(),
            turns_a_sample: (fore.period_at_edge().recip(), aft.period_at_edge().recip()),
            bend: 0.0,
            last: (length as f32 - 1.0).max(1.0),
            per_sample: (length as f32 - 1.0).max(1.0).recip(),
            total: 0.0,
        };
        if fore.voiced >= VOICED && aft.voiced >= VOICED && KIN.contains(&(fore.period / aft.period)) {
            course.align(fore, aft);
        }
        course
    }

    fn align(&mut self, fore: &Guess, aft: &Guess) {
        let (mut p, mut q) = ([0.0f32; POINTS], [0.0f32; 2 * POINTS]);
        for i in 0..POINTS {
            let turn = i as f32 / POINTS as f32;
            p[i] = fore.wave(self.from + turn);
            // What was studied backwards, forwards again.
            q[i] = aft.wave(1.0 - turn);
            q[i + POINTS] = q[i];
        }
        let power = (energy(&p) * energy(&q[..POINTS])).sqrt().max(1.0);
        let natural = self.turns(self.last);
        let mut best = (f32::MIN, 0.0, 0.0);
        for shift in 0..POINTS {
            let alike = dot(&p, &q[shift..shift + POINTS]) / power;
            let part = -(shift as f32) / POINTS as f32;
            let turns = part + (natural - part).round();
            let strain = (turns - natural) / natural.max(0.5);
            let score = alike - STRAIN * strain * strain;
            if score > best.0 {
                best = (score, turns - natural, alike);
            }
        }
        let (_, bend, alike) = best;
        if alike >= ALIKE {
            self.bend = bend;
            self.total = self.turns(self.last);
            self.alike = Some(alike.min(1.0) * fore.voiced.min(aft.voiced));
        }
    }

    /// Periods passed at sample `t` of the gap.
    fn turns(&self, t: f32) -> f32 {
        let s = t * self.per_sample;
        let (start, end) = self.turns_a_sample;
        // The bend is `smooth`; `s` never leaves 0 to 1 here.
        t * (start + 0.5 * (end - start) * s) + self.bend * s * s * (3.0 - 2.0 * s)
    }

    /// The periods that each side has turned from its edge at sample `t` of the gap; `None` where they do not meet.
    #[inline]
    pub(super) fn turns_of_both(&self, t: f32) -> Option<(f32, f32)> {
        self.alike?;
        let turns = self.turns(t);
        Some((self.from + turns, (self.total - turns).max(0.0)))
    }
}
