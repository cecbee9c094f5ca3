//! Keys heard in the voice itself, for callers whose trunk has no telephone events: G.711 only, decoded beside the
//! play-out, as it came off the wire.

use offhook_engine::codec::g711::Law;
use offhook_sip_rtp::media::dtmf::{DtmfEvent, InbandDetector};
use offhook_units::{Codec, SampleRate};
use std::collections::VecDeque;

/// The detector of one call, and what it heard.
#[derive(Debug)]
pub(super) struct Inband {
    detector: InbandDetector,
    heard: VecDeque<DtmfEvent>,
}

impl Inband {
    /// A detector for voice at 8 kHz.
    pub(super) fn new() -> Option<Self> {
        Some(Self { detector: InbandDetector::new(SampleRate::HZ_8000)?, heard: VecDeque::new() })
    }

    /// Listens to a packet.
    pub(super) fn put(&mut self, codec: Codec, payload: &[u8]) {
        let law = match codec {
            Codec::Pcmu => Law::Mu,
            Codec::Pcma => Law::A,
            Codec::G722 | Codec::Opus => return,
        };
        let heard = &mut self.heard;
        // 20 ms at a time; a longer packet takes more turns.
        let mut samples = [0; 160];
        for part in payload.chunks(samples.len()) {
            for (sample, &character) in samples.iter_mut().zip(part) {
                *sample = law.decode(character);
            }
            self.detector.put(samples.get(..part.len()).unwrap_or(&[]), |event| heard.push_back(event));
        }
    }

    /// The next press or release.
    pub(super) fn poll_output(&mut self) -> Option<DtmfEvent> {
        self.heard.pop_front()
    }
}
