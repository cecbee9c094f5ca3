//! The codecs that a call may speak, by name.

use crate::SampleRate;
use std::{fmt, str::FromStr};

/// A voice codec that the product can send and receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722: 16 kHz audio under an 8 kHz RTP clock (RFC 3551 4.5.2).
    G722,
    /// Opus (RFC 7587).
    Opus,
}

impl Codec {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Opus, Self::G722, Self::Pcma, Self::Pcmu];

    /// The name in SDP and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::G722 => "G722",
            Self::Opus => "opus",
        }
    }

    /// The rate of RTP timestamps.
    pub const fn rtp_clock(self) -> SampleRate {
        match self {
            Self::Pcmu | Self::Pcma | Self::G722 => SampleRate::HZ_8000,
            Self::Opus => SampleRate::HZ_48000,
        }
    }

    /// The rate of the decoded audio.
    pub const fn sample_rate(self) -> SampleRate {
        match self {
            Self::Pcmu | Self::Pcma => SampleRate::HZ_8000,
            Self::G722 => SampleRate::HZ_16000,
            Self::Opus => SampleRate::HZ_48000,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A codec name that is none of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCodec(pub String);

impl fmt::Display for UnknownCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "codec \"{}\" is not one of ", self.0)?;
        for (i, codec) in Codec::ALL.iter().enumerate() {
            write!(f, "{}{codec}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownCodec {}

impl FromStr for Codec {
    type Err = UnknownCodec;

    fn from_str(name: &str) -> Result<Self, UnknownCodec> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| UnknownCodec(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways_whatever_their_case() {
        for codec in Codec::ALL {
            assert_eq!(codec.name().to_lowercase().parse(), Ok(codec));
            assert_eq!(codec.name().to_uppercase().parse(), Ok(codec));
        }
    }

    #[test]
    fn a_stranger_is_named_beside_the_known() {
        let error = "g729".parse::<Codec>().unwrap_err();
        assert_eq!(error.to_string(), "codec \"g729\" is not one of opus, G722, PCMA, PCMU");
    }
}
