//! Real-time: copies and zero-fills, nothing else; no allocation, no lock, no syscall, no panic, no log.
//!
//! The card's ends of the rings, for its callbacks: a card calls when it likes, for as many frames as it likes, in a
//! sample format and with channels of its own.

use super::gauges::SideGauges;
use ringbuf::traits::{Consumer as _, Producer as _};
use ringbuf::{HeapCons, HeapProd};
use std::fmt;
use std::sync::Arc;

/// Frames copied at a time.
const BLOCK: usize = 256;
/// A call is mono; a card's further channels (the back, the deep) are left alone.
const HEARD_CHANNELS: usize = 2;

/// What a card plays from.
pub struct Plays {
    ring: HeapCons<i16>,
    gauges: Arc<SideGauges>,
}

/// What a card records to.
pub struct Records {
    ring: HeapProd<i16>,
    gauges: Arc<SideGauges>,
}

impl Plays {
    /// Plays what comes through `ring`.
    pub const fn new(ring: HeapCons<i16>, gauges: Arc<SideGauges>) -> Self {
        Self { ring, gauges }
    }

    /// Fills `out`, frames of `channels` samples, which is silence so far.
    pub fn fill<T: Copy>(&mut self, out: &mut [T], channels: usize, convert: impl Fn(i16) -> T) {
        let channels = channels.max(1);
        self.gauges.called(out.len() / channels);
        let mut is_dry = false;
        let mut block = [0; BLOCK];
        for part in out.chunks_mut(BLOCK * channels) {
            let frames = part.len() / channels;
            let got = self.ring.pop_slice(block.get_mut(..frames).unwrap_or_default());
            is_dry |= got < frames;
            for (frame, sample) in part.chunks_mut(channels).zip(block).take(got) {
                frame.iter_mut().take(HEARD_CHANNELS).for_each(|place| *place = convert(sample));
            }
        }
        if is_dry {
            self.gauges.ran_dry();
        }
    }
}

impl Records {
    /// Records into `ring`.
    pub const fn new(ring: HeapProd<i16>, gauges: Arc<SideGauges>) -> Self {
        Self { ring, gauges }
    }

    /// Takes what came, frames of `channels` samples, of which the first counts: a microphone is often on one only.
    pub fn take<T: Copy>(&mut self, came: &[T], channels: usize, convert: impl Fn(T) -> i16) {
        let channels = channels.max(1);
        self.gauges.called(came.len() / channels);
        let mut is_full = false;
        let mut block = [0; BLOCK];
        for part in came.chunks(BLOCK * channels) {
            let frames = part.len() / channels;
            for (place, frame) in block.iter_mut().zip(part.chunks_exact(channels)) {
                *place = frame.first().map_or(0, |sample| convert(*sample));
            }
            is_full |= self.ring.push_slice(block.get(..frames).unwrap_or_default()) < frames;
        }
        if is_full {
            self.gauges.ran_dry();
        }
    }
}

impl fmt::Debug for Plays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plays").finish_non_exhaustive()
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rings;
    use offhook_units::SampleRate;

    #[test]
    fn mono_goes_to_the_first_two_channels_and_what_is_missing_stays_silent() {
        let (mut ring, reader) = rings::card(SampleRate::HZ_8000);
        let gauges = Arc::new(SideGauges::default());
        let mut plays = Plays::new(reader, gauges.clone());
        gauges.attach();
        ring.push_slice(&[1, 2, 3]);
        let mut out = [0_i32; 12];
        plays.fill(&mut out, 3, |sample| i32::from(sample) << 16);
        assert_eq!(out, [1, 1, 0, 2, 2, 0, 3, 3, 0, 0, 0, 0].map(|sample| sample << 16));
        assert_eq!((gauges.calls(), gauges.period_frames(), gauges.xruns()), (1, 4, 1));
        let mut out = [0_i16; 600];
        ring.push_slice(&[7; 600]);
        plays.fill(&mut out, 1, |sample| sample);
        assert_eq!((out, gauges.xruns(), gauges.period_frames()), ([7; 600], 1, 600));
    }

    #[test]
    fn the_first_channel_is_recorded_and_a_full_ring_is_counted_once_somebody_reads() {
        let (writer, mut ring) = rings::card(SampleRate::HZ_8000);
        let gauges = Arc::new(SideGauges::default());
        let mut records = Records::new(writer, gauges.clone());
        let came: Vec<f32> = (0..1_200).map(|n| if n % 2 == 0 { 0.5 } else { -1.0 }).collect();
        records.take(&came, 2, |sample| (sample * 32_768.0) as i16);
        let mut read = [0; 600];
        assert_eq!(ring.pop_slice(&mut read), 600);
        assert_eq!(read, [16_384; 600]);
        records.take(&[1_i16; 5_000], 1, |sample| sample);
        assert_eq!(gauges.xruns(), 0, "nobody is there yet");
        gauges.attach();
        records.take(&[1_i16; 1], 1, |sample| sample);
        assert_eq!(gauges.xruns(), 1);
    }
}
