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
    likeness_to(a, energy(a), b)
}

/// The same where the energy of `a` is known.
pub(super) fn likeness_to(a: &[f32], energy_a: f32, b: &[f32]) -> f32 {
    let power = energy_a * energy(b);
    if power < 1.0 { 0.0 } else { (dot(a, b) / power.sqrt()).clamp(-1.0, 1.0) }
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
