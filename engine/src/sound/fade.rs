//! Cross-fades, likeness, and the way between `i16` and `f32`.
//!
//! Real-time: arithmetic on slices only.

/// Sum of products, in eight lanes so that it vectorises.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let n = a.len().min(b.len());
    let ((a, a_rest), (b, b_rest)) = (a[..n].as_chunks::<8>(), b[..n].as_chunks::<8>());
    let mut lanes = [0.0f32; 8];
    for (x, y) in a.iter().zip(b) {
        lanes = add(lanes, times(x, y));
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f32>() + rest
}

#[inline]
fn add(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
    std::array::from_fn(|i| a[i] + b[i])
}

#[inline]
fn times(a: &[f32; 8], b: &[f32; 8]) -> [f32; 8] {
    std::array::from_fn(|i| a[i] * b[i])
}

/// Sum of squares.
pub(super) fn energy(x: &[f32]) -> f32 {
    dot(x, x)
}

/// Root of the mean square.
pub(super) fn rms(x: &[f32]) -> f32 {
    (energy(x) / x.len().max(1) as f32).sqrt()
}

/// How alike two equally long stretches are: -1 to 1, 0 when either is silent.
pub(super) fn likeness(a: &[f32], b: &[f32]) -> f32 {
    likeness_of(a, energy(a), b, energy(b))
}

/// The same where the energies are known.
pub(super) fn likeness_of(a: &[f32], energy_a: f32, b: &[f32], energy_b: f32) -> f32 {
    let power = energy_a * energy_b;
    if power < 1.0 { 0.0 } else { (dot(a, b) / power.sqrt()).clamp(-1.0, 1.0) }
}

/// The energy of a window that moves along a sound: as exact as the sum itself, for far less.
#[derive(Clone, Copy, Debug)]
pub(super) struct MovingEnergy(f64);

impl MovingEnergy {
    pub(super) fn of(window: &[f32]) -> Self {
        Self(f64::from(energy(window)))
    }

    /// One sample came in at one end, one went at the other.
    #[inline]
    pub(super) fn shift(&mut self, come: f32, gone: f32) {
        self.0 += f64::from(come) * f64::from(come) - f64::from(gone) * f64::from(gone);
    }

    #[inline]
    pub(super) fn get(self) -> f32 {
        self.0.max(0.0) as f32
    }
}

/// Nearest 16-bit sample; what is too loud is cut, never wrapped.
pub(super) fn to_i16(x: f32) -> i16 {
    // `as` saturates and takes NaN to 0. Adding a half is cheaper than `round` and as good here.
    (x + 0.5f32.copysign(x)) as i16
}

/// Copies the last samples of `from` to the start of `to`, oldest first, and returns them.
pub(super) fn take_last<'a>(from: &[i16], to: &'a mut [f32]) -> &'a mut [f32] {
    let n = from.len().min(to.len());
    let to = &mut to[..n];
    for (t, &f) in to.iter_mut().zip(&from[from.len() - n..]) {
        *t = f32::from(f);
    }
    to
}

/// Copies the first samples of `from` to `to` and returns them.
pub(super) fn take_first<'a>(from: &[i16], to: &'a mut [f32]) -> &'a mut [f32] {
    let n = from.len().min(to.len());
    take_last(&from[..n], to)
}

/// Gains `(old, new)` at `s` (0 to 1) of a cross-fade of signals whose likeness is `r`: linear for like
/// signals (r = 1), equal power for strangers (r = 0), so that loudness has no dent and no bump.
pub(super) fn gains(s: f32, r: f32) -> (f32, f32) {
    let (old, new) = (1.0 - s, s);
    let power = old * old + new * new + 2.0 * r.clamp(0.0, 1.0) * old * new;
    let level = power.max(0.25).sqrt().recip();
    (old * level, new * level)
}

/// 0 to 1 along 3s² − 2s³: flat at both ends.
pub(super) fn smooth(s: f32) -> f32 {
    let s = s.clamp(0.0, 1.0);
    s * s * (3.0 - 2.0 * s)
}

/// How a guess grows faint with its age, and the background takes its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct HoleFade {
    pub(super) from: usize,
    pub(super) to: usize,
}

impl HoleFade {
    /// Gains of guess and background in a hole of `age` samples; `None` while the guess is whole.
    #[inline]
    pub(super) fn gains_at(&self, age: usize) -> Option<(f32, f32)> {
        if age <= self.from {
            return None;
        }
        let left = 1.0 - smooth((age - self.from) as f32 / (self.to - self.from) as f32);
        Some((left, (1.0 - left * left).max(0.0).sqrt()))
    }
}
