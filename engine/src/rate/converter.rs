//! Real-time: after construction no allocation, no lock, no syscall, no panic, no log.
//!
//! One stream from one rate to another, by rubato's windowed sinc. The ratios are small fractions, so that a
//! filter with one phase for each output position hits every position exactly and nothing is interpolated.
//!
//! ```text
//! input ─► f32 ─► polyphase sinc ─► held back: 2 input frames ─► exactly up/down frames a frame ─► i16
//! ```
//!
//! rubato's count for one call may waver by a frame where the step is no binary fraction (8 → 48 kHz). A
//! reserve of silence, put in front, lets every call give out exactly what its input is worth.

use super::RATES;
use offhook_units::{Frames, SampleRate};
use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{
    Async, FixedAsync, Indexing, Resampler as _, Resizable as _, SincInterpolationParameters,
    SincInterpolationType, WindowFunction,
};
use std::fmt;

/// Converts one mono stream of 16-bit samples.
///
/// Call [`process`](Self::process) with input as it comes. At the end of the stream call
/// [`flush`](Self::flush) for what the filter still holds.
pub struct Converter {
    from: SampleRate,
    to: SampleRate,
    /// `None`: both rates are the same.
    sinc: Option<Box<Sinc>>,
}

/// What one call took and gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// Samples read from the input; fewer than offered only when the output was full.
    pub consumed: usize,
    /// Samples written to the output.
    pub produced: usize,
}

impl Converter {
    /// Builds the filter for `from` → `to`; takes a fraction of a millisecond.
    ///
    /// # Errors
    /// [`RateError`] with the rate that cannot be taken.
    // start-up: a call's converters are made before the call.
    pub fn new(from: SampleRate, to: SampleRate) -> Result<Self, RateError> {
        for rate in [from, to] {
            if !RATES.contains(&rate) {
                return Err(RateError::Unsupported(rate));
            }
        }
        let sinc = if from == to { None } else { Some(Box::new(Sinc::new(from, to)?)) };
        Ok(Self { from, to, sinc })
    }

    /// The rate of the input.
    pub const fn from(&self) -> SampleRate {
        self.from
    }

    /// The rate of the output.
    pub const fn to(&self) -> SampleRate {
        self.to
    }

    /// By how much the output lags behind the input, in output frames, rounded up. Not a frame more is held
    /// back: all that can be computed from the input is given out in the same call.
    pub fn delay(&self) -> Frames {
        self.sinc.as_ref().map_or(Frames(0), |sinc| Frames(sinc.delay() as u32))
    }

    /// Converts from the head of `input` into the head of `out`, until either is used up. Over any number of
    /// calls, `n` input frames make `n * to / from` output frames, rounded down. A frame whose share does not
    /// fit into `out` as a whole is not taken.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> Flow {
        match &mut self.sinc {
            Some(sinc) => sinc.process(input, out),
            None => {
                let both = input.len().min(out.len());
                out.iter_mut().zip(input).for_each(|(to, from)| *to = *from);
                Flow { consumed: both, produced: both }
            }
        }
    }

    /// Writes the end of the stream, up to one frame more than [`delay`](Self::delay), as far as `out` has
    /// room, and is then ready for another stream.
    pub fn flush(&mut self, out: &mut [i16]) -> usize {
        let Some(sinc) = &mut self.sinc else { return 0 };
        let mut rest = out.get_mut(..(sinc.delay() + 1).min(out.len())).unwrap_or_default();
        let mut produced = 0;
        while !rest.is_empty() {
            // The share of one frame of silence, 0 to 6 frames.
            let mut share = [0; 8];
            let made = sinc.process(&[0], &mut share).produced.min(rest.len());
            let (head, tail) = rest.split_at_mut(made);
            head.iter_mut().zip(share).for_each(|(to, from)| *to = from);
            produced += made;
            rest = tail;
        }
        sinc.reset();
        produced
    }

    /// Forgets the stream so far.
    pub fn reset(&mut self) {
        if let Some(sinc) = &mut self.sinc {
            sinc.reset();
        }
    }
}

impl fmt::Debug for Converter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Converter").field("from", &self.from).field("to", &self.to).finish_non_exhaustive()
    }
}

/// Filter length in frames of the lower rate, and the relative frequency where it is 6 dB down. The shortest
/// of rubato's windows and lengths that hold ±0.1 dB up to `pass` and 70 dB from half the lower rate on.
struct Filter {
    taps: usize,
    cutoff: f32,
}

/// For 8 kHz: flat to 3400 Hz, the band of G.712.
const NARROW: Filter = Filter { taps: 64, cutoff: 0.914 };
/// For 16 kHz: flat to 7000 Hz, the band of G.722. For 24 kHz by the same measure to 10,500 Hz.
const WIDE: Filter = Filter { taps: 80, cutoff: 0.928 };

struct Sinc {
    inner: Async<f32>,
    /// Output frames for each `down` input frames.
    up: usize,
    down: usize,
    taps: usize,
    /// Input frames so far, times `up`, modulo `down`: what is owed of the next output frame.
    phase: usize,
    /// Output frames computed and not given out yet; at the head of `output`.
    held: usize,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Sinc {
    // start-up: see above.
    fn new(from: SampleRate, to: SampleRate) -> Result<Self, RateError> {
        let (from_hz, to_hz) = (from.hz() as usize, to.hz() as usize);
        let common = greatest_common_divisor(from_hz, to_hz);
        let (up, down) = (to_hz / common, from_hz / common);
        let lower_hz = from_hz.min(to_hz);
        let filter = if lower_hz == 8_000 { NARROW } else { WIDE };
        let taps = filter.taps * from_hz / lower_hz;
        let parameters = SincInterpolationParameters::new(taps, WindowFunction::Blackman)
            .f_cutoff(filter.cutoff)
            .oversampling_factor(up)
            .interpolation(SincInterpolationType::Nearest);
        let chunk = from.frames_in_ms(10);
        let ratio = up as f64 / down as f64;
        let inner = Async::new_sinc(ratio, 1.0, &parameters, chunk, 1, FixedAsync::Input)
            .map_err(|_| RateError::Unsupported(from))?;
        let mut sinc = Self {
            up,
            down,
            taps,
            phase: 0,
            held: 0,
            input: vec![0.0; chunk],
            output: vec![0.0; reserve(up, down) + inner.output_frames_max()],
            inner,
        };
        sinc.reset();
        Ok(sinc)
    }

    /// In output frames, rounded up. A frame at input time 0 comes out where the middle of the filter has
    /// reached it: half the taps later, less the one output step that is computed at once.
    fn delay(&self) -> usize {
        (self.taps * self.up / 2 - 1).div_ceil(self.down) + reserve(self.up, self.down) - 1
    }

    fn reset(&mut self) {
        self.inner.reset();
        self.phase = 0;
        self.held = reserve(self.up, self.down);
        self.output.fill(0.0);
    }

    fn process(&mut self, input: &[i16], out: &mut [i16]) -> Flow {
        let mut flow = Flow::default();
        loop {
            let rest = input.get(flow.consumed..).unwrap_or_default();
            let room = out.get_mut(flow.produced..).unwrap_or_default();
            // The longest input whose share of output still has room.
            let fitting = ((room.len() + 1) * self.down - 1 - self.phase) / self.up;
            let take = rest.len().min(self.input.len()).min(fitting);
            if take == 0 || !self.filter(rest.get(..take).unwrap_or_default()) {
                return flow;
            }
            let due = (self.phase + take * self.up) / self.down;
            self.phase = (self.phase + take * self.up) % self.down;
            flow.consumed += take;
            flow.produced += self.give(due, room);
        }
    }

    /// Filters one chunk to behind what is held; whether it went well.
    fn filter(&mut self, chunk: &[i16]) -> bool {
        for (level, &sample) in self.input.iter_mut().zip(chunk) {
            *level = f32::from(sample);
        }
        let capacity = self.output.len();
        let Ok(input) = SequentialSlice::new(&self.input, 1, chunk.len()) else { return false };
        let Ok(mut output) = SequentialSlice::new_mut(&mut self.output, 1, capacity) else { return false };
        if self.inner.set_chunk_size(chunk.len()).is_err() {
            return false;
        }
        let place = Indexing { output_offset: self.held, ..Indexing::default() };
        match self.inner.process_into_buffer(&input, &mut output, Some(&place)) {
            Ok((_, produced)) => {
                self.held += produced;
                true
            }
            Err(_) => false,
        }
    }

    /// Moves the `due` oldest held frames to `out`.
    fn give(&mut self, due: usize, out: &mut [i16]) -> usize {
        let due = due.min(self.held).min(out.len());
        for (sample, level) in out.iter_mut().zip(&self.output).take(due) {
            *sample = level.round() as i16; // saturates
        }
        self.output.copy_within(due..self.held, 0);
        self.held -= due;
        due
    }
}

/// Output frames of silence put in front: rubato keeps back what two input frames are worth, and one more
/// where its arithmetic rounds down.
const fn reserve(up: usize, down: usize) -> usize {
    (2 * up).div_ceil(down) + 1
}

const fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// A conversion that is not on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateError {
    /// This rate is none of [`RATES`].
    Unsupported(SampleRate),
}

impl fmt::Display for RateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Unsupported(rate) = self;
        write!(f, "{} Hz cannot be converted: expected 8000, 16000, 24000 or 48000 Hz", rate.hz())
    }
}

impl std::error::Error for RateError {}
