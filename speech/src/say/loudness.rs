//! Tells sound from silence: the power over a short window, so that neither a single spike nor the zero
//! crossings of a tone matter.

/// Silence lies below -46 dB of full scale (root mean square).
const QUIET_RMS: u64 = 164;
/// How long the window is: 2 ms.
const WINDOWS_PER_S: u32 = 500;

/// A sliding window over the samples of one phrase.
#[derive(Debug)]
pub(super) struct Loudness {
    squares: Vec<u32>,
    next: usize,
    sum: u64,
}

impl Loudness {
    pub(super) fn new(rate_hz: u32) -> Self {
        Self { squares: vec![0; (rate_hz / WINDOWS_PER_S).max(1) as usize], next: 0, sum: 0 }
    }

    /// A new phrase starts, after silence.
    pub(super) fn reset(&mut self) {
        self.squares.fill(0);
        self.sum = 0;
    }

    /// The first and the last of these samples at which there is sound.
    pub(super) fn sounds(&mut self, samples: &[i16]) -> Option<(usize, usize)> {
        let mut found = None;
        for (at, &x) in samples.iter().enumerate() {
            if self.is_sound(x) {
                found = Some((found.map_or(at, |(first, _)| first), at));
            }
        }
        found
    }

    fn is_sound(&mut self, x: i16) -> bool {
        let square = u32::from(x.unsigned_abs()).pow(2);
        if let Some(oldest) = self.squares.get_mut(self.next) {
            self.sum = self.sum + u64::from(square) - u64::from(*oldest);
            *oldest = square;
        }
        self.next = (self.next + 1) % self.squares.len();
        self.sum > QUIET_RMS * QUIET_RMS * self.squares.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_found_from_its_first_sample_and_noise_is_not() {
        let mut all = vec![90i16; 500];
        all.extend([3_000; 200]);
        all.extend([-90; 500]);
        let (first, last) = Loudness::new(16_000).sounds(&all).expect("there is a tone");
        assert_eq!(first, 500);
        assert!((699..=731).contains(&last), "{last}: the window may hold on for 2 ms");
        assert_eq!(Loudness::new(16_000).sounds(&[100; 5_000]), None);
    }

    #[test]
    fn full_scale_does_not_overflow_and_a_reset_forgets() {
        let mut loudness = Loudness::new(48_000);
        assert_eq!(loudness.sounds(&[i16::MIN; 1_000]), Some((0, 999)));
        loudness.reset();
        assert_eq!(loudness.sounds(&[0; 10]), None);
    }
}
