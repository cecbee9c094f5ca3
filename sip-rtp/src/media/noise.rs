//! The comfort noise payload (RFC 3389): how loud the silence is, and roughly how it is coloured.

/// What a comfort noise packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComfortNoise<'a> {
    /// Level below the overload point in decibels, 0 to 127 (-dBov).
    pub level_dbov_below: u8,
    /// Quantised reflection coefficients of the noise's spectrum, as sent; empty for white noise.
    pub coefficients: &'a [u8],
}

impl<'a> ComfortNoise<'a> {
    /// Most coefficients that are taken; RFC 3389 leaves the order open, and beyond this it is no noise.
    const MOST_COEFFICIENTS: usize = 32;

    /// Reads a payload; `None` when it is empty. The top bit of the level is reserved and ignored.
    pub fn parse(payload: &'a [u8]) -> Option<Self> {
        let (&level, coefficients) = payload.split_first()?;
        let kept = coefficients.len().min(Self::MOST_COEFFICIENTS);
        Some(Self { level_dbov_below: level & 0x7F, coefficients: coefficients.get(..kept)? })
    }

    /// The payload for white noise of a level: a single byte, which every receiver understands.
    pub const fn white(level_dbov_below: u8) -> [u8; 1] {
        [if level_dbov_below > 127 { 127 } else { level_dbov_below }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_alone_is_white_noise() {
        let noise = ComfortNoise { level_dbov_below: 60, coefficients: &[] };
        assert_eq!(ComfortNoise::parse(&ComfortNoise::white(60)), Some(noise));
        assert_eq!(ComfortNoise::white(200), [127]);
    }

    #[test]
    fn coefficients_are_kept_within_reason() {
        let payload = [0x80 | 45; 200];
        let noise = ComfortNoise::parse(&payload).unwrap();
        assert_eq!((noise.level_dbov_below, noise.coefficients.len()), (45, 32));
        assert_eq!(ComfortNoise::parse(&[]), None);
    }
}
