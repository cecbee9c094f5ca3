//! The lines that calls are measured on.

use crate::support::{Dice, Sender, Wire};
use offhook_units::Codec;

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Clean,
    /// One packet in twenty does not come.
    Loss,
    /// Each packet is up to 60 ms late.
    Jitter,
    /// Every 0.8 seconds 80 ms are lost in a row: the longest that is bridged.
    Bursts,
    /// Every four seconds 120 ms are lost in a row.
    Gaps,
}

impl Weather {
    pub const ALL: [Self; 5] = [Self::Clean, Self::Loss, Self::Bursts, Self::Jitter, Self::Gaps];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Loss => "5 % loss",
            Self::Bursts => "10 % bursts",
            Self::Jitter => "60 ms jitter",
            Self::Gaps => "120 ms gaps",
        }
    }

    /// So many seconds of a voice, in order of arrival.
    pub fn packets(self, codec: Codec, seconds: u64) -> Vec<Wire> {
        let (mut sender, mut dice) = (Sender::new(codec), Dice::new(17));
        let mut wires: Vec<Wire> = Vec::new();
        for n in 0..seconds * 50 {
            let wire = sender.packet();
            match self {
                Self::Loss if dice.percent(5) => {}
                Self::Bursts if n % 40 >= 36 => {}
                Self::Gaps if n % 200 >= 194 => {}
                Self::Jitter => wires.push(wire.after(dice.share() * 60.0)),
                Self::Clean | Self::Loss | Self::Bursts | Self::Gaps => wires.push(wire),
            }
        }
        wires.sort_by_key(|wire| wire.arrival_us);
        wires
    }
}
