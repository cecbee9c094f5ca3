//! A voice that does not tell where its words are broke off: which of them came is asked of the ear (`crate::ear`), which
//! hears what came beside the text. What is there goes on meanwhile.

use super::script::Phrase;
use super::turn::Turn;
use super::{Broken, Source, Speaking, SpeakingOutput, ToDevice, stream::Stream};
use crate::ear::LONGEST_S;
use offhook_units::{Moment, Span};

/// The ear answers within tens of milliseconds, and in its turn when many calls break at once. What has not come by then
/// would be heard as a hole: the pace of the voice has to do.
const PATIENCE: Span = Span::from_millis(250);

/// What came of a stream, at the rate at which it came.
#[derive(Debug, Default)]
pub(super) struct Sound {
    samples: Vec<i16>,
    rate_hz: u32,
    /// More came than is kept, or its rate changed: it does not begin with the text any more.
    is_part: bool,
}

impl Sound {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    pub(super) fn put(&mut self, samples: &[i16], rate_hz: u32) {
        let fits = self.samples.len() + samples.len() <= LONGEST_S * rate_hz as usize;
        self.is_part |= !fits || (self.rate_hz != rate_hz && !self.samples.is_empty());
        self.rate_hz = rate_hz;
        if self.is_part {
            self.samples = Vec::new();
        } else {
            self.samples.extend_from_slice(samples);
        }
    }
}

/// So much of such a voice is in the play-out's hand: what was handed out cannot be taken back, be it a part of a word.
const HAND_MS: u64 = 200;

impl Speaking {
    /// How far a stream may be handed out that does not tell where its words are.
    pub(super) fn in_hand_to(&self) -> Option<u64> {
        let stream = self.turn.as_ref()?.stream.as_ref()?;
        let is_held = self.has_device && stream.tells_nothing() && stream.source != Source::Device;
        is_held.then(|| self.played.0 + u64::from(self.mix.rate_hz()) * HAND_MS / 1000)
    }

    /// Asks the ear where the words of the stream lie, which broke off; false when that cannot be told.
    pub(super) fn ask_ear(&mut self, now: Moment) -> bool {
        let Some(turn) = self.turn.as_mut().filter(|_| self.has_device) else { return false };
        let Some(stream) = &turn.stream else { return false };
        let text = given(turn, stream);
        let Some(stream) = &mut turn.stream else { return false };
        let Sound { samples, rate_hz, .. } = std::mem::take(&mut stream.sound);
        // Below the voice on the device there is none that could go on; and of what is still kept back nothing was heard.
        if samples.is_empty() || stream.heard.is_some() || stream.source == Source::Device {
            return false;
        }
        stream.placed_by = Some(now + PATIENCE);
        let asked = ToDevice::Place(stream.job, Broken { text, samples, rate_hz });
        self.out.push_back(SpeakingOutput::Device(asked));
        true
    }

    /// Whether the answer is awaited.
    pub(super) fn is_placing(&self) -> bool {
        self.turn
            .as_ref()
            .and_then(|turn| turn.stream.as_ref())
            .is_some_and(|stream| stream.placed_by.is_some())
    }
}

/// All that a stream was given to say.
fn given(turn: &Turn, stream: &Stream) -> String {
    let (first, skip) = stream.first;
    let (tail, _) = turn.tail(first, skip);
    let others = turn.phrases.iter().take(stream.sent_to).skip(first + 1).map(Phrase::text);
    std::iter::once(tail.as_str()).chain(others).collect::<Vec<_>>().join(" ")
}
