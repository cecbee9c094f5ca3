//! Real-time: no allocation after `new`, no lock, no syscall, no panic, no log.
//!
//! The decoders of one call: its codec's, and the other law's where the codec is one of G.711's two, because
//! gateways change between those without asking (J1).

use crate::codec::{Decoder, Unavailable};
use offhook_units::Codec;

#[derive(Debug)]
pub(super) struct Decoders {
    first: Decoder,
    second: Option<Decoder>,
}

impl Decoders {
    pub(super) fn new(codec: Codec) -> Result<Self, Unavailable> {
        let second = match codec {
            Codec::Pcmu => Some(Codec::Pcma),
            Codec::Pcma => Some(Codec::Pcmu),
            Codec::G722 | Codec::Opus => None,
        };
        Ok(Self { first: Decoder::new(codec)?, second: second.map(Decoder::new).transpose()? })
    }

    pub(super) fn of(&self, codec: Codec) -> Option<&Decoder> {
        [Some(&self.first), self.second.as_ref()].into_iter().flatten().find(|d| d.codec() == codec)
    }

    pub(super) fn of_mut(&mut self, codec: Codec) -> Option<&mut Decoder> {
        [Some(&mut self.first), self.second.as_mut()].into_iter().flatten().find(|d| d.codec() == codec)
    }
}
