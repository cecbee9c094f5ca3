//! What the session's payload types mean.

use offhook_units::{Codec, PayloadType, SampleRate};

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Voice.
    Voice(Codec),
    /// Comfort noise (RFC 3389).
    ComfortNoise,
    /// Keys and other events (RFC 4733), on a clock of their own.
    TelephoneEvent(SampleRate),
}

/// The payload types that were negotiated, each with its meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayloadMap([Option<Kind>; 128]);

impl Default for PayloadMap {
    fn default() -> Self {
        Self([None; 128])
    }
}

impl PayloadMap {
    /// This map with `payload_type` meaning `kind`; a later meaning replaces an earlier one.
    #[must_use]
    pub fn with(mut self, payload_type: PayloadType, kind: Kind) -> Self {
        if let Some(slot) = self.0.get_mut(usize::from(payload_type.get())) {
            *slot = Some(kind);
        }
        self
    }

    /// The meaning of `payload_type` in this session.
    pub fn kind(&self, payload_type: PayloadType) -> Option<Kind> {
        self.0.get(usize::from(payload_type.get())).copied().flatten()
    }
}
