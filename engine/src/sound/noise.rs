//! White noise.
//!
//! Real-time: integer arithmetic only.

/// A small generator of even noise (xorshift); its quality is for the ear, not for secrets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise(u32);

impl Noise {
    pub(super) const fn new() -> Self {
        Self(0x9E37_79B9)
    }

    /// The next value: mean 0, RMS 1.
    pub(super) fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        // Even over ±√3 has an RMS of 1.
        (self.0 as i32) as f32 * (1.732_050_8 / 2_147_483_648.0)
    }
}
