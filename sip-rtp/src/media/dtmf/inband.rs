//! Keys heard in the voice itself: two Goertzel banks over blocks of 12.75 ms (ITU-T Q.23, Q.24).
//!
//! Speech also has strong pairs of partials now and then ("talk-off"). A key counts only when two blocks in a
//! row agree on it and each block passes six tests: level, steadiness, share of the block's whole energy, twist,
//! distance to the other tones of its group, and no strong second harmonic; and when, from the one block to the next,
//! both phases advanced as those of tones within 2.2 % of their places do. Partials of a voice glide; a keypad
//! does not. Only for trunks without telephone events: RFC 4733 packets say the same without guessing.

use super::{COLUMNS_HZ, Digit, DtmfEvent, ROWS_HZ};
use offhook_units::SampleRate;
use std::f32::consts::{PI, TAU};

/// Length of a block. Two of them lie whole in any 40 ms, the shortest tone that must be heard (ITU-T Q.24).
const BLOCK_US: u32 = 12_750;
/// Quietest tone: -42 dB below a full-scale sine, about -39 dBm0. ITU-T Q.24 lets administrations ask for
/// down to -29 dBm0.
const QUIETEST_AMPLITUDE: f32 = 0.008;
/// Share of a block's energy that must be in the two tones. A tone 1.5 % off its place, which must be taken,
/// leaks up to 28 % of itself out of its bin; a voice has other partials.
const LEAST_SHARE: f32 = 0.68;
const QUARTERS: usize = 4;
/// The weakest quarter of a block against their mean: a tone that fills the block only in part does not count,
/// so that 20 ms across two blocks are no key. The beat of two tones takes it down to 0.8.
const LEAST_QUARTER: f32 = 0.5;
/// Low group over high group, as a ratio of powers: ITU-T Q.24 (AT&T) allows 4 dB that way and 8 dB the other,
/// and a bin's leakage is added to both.
const MOST_LOW_OVER_HIGH: f32 = 4.0;
const MOST_HIGH_OVER_LOW: f32 = 9.0;
/// A tone must be 6 dB above the others of its group.
const LEAST_OVER_OTHERS: f32 = 4.0;
/// Second harmonic of the high tone at most -12 dB: a voice's partials have strong octaves. Those of the low
/// tones cannot be asked, for they lie among the high tones.
const MOST_HARMONIC: f32 = 0.063;
/// How far a tone may be off its place. ITU-T Q.24: 1.5 % must be taken, 3.5 % must not.
const MOST_OFF: f32 = 0.022;

/// One resonator.
#[derive(Clone, Copy, Debug)]
struct Bin {
    hz: f32,
    coefficient: f32,
    cosine: f32,
    sine: f32,
    s1: f32,
    s2: f32,
}

/// What a resonator made of a block.
#[derive(Clone, Copy, Debug, Default)]
struct Tone {
    re: f32,
    im: f32,
}

impl Bin {
    fn new(hz: f32, rate: SampleRate) -> Self {
        let omega = TAU * hz / rate.hz() as f32;
        Self { hz, coefficient: 2.0 * omega.cos(), cosine: omega.cos(), sine: omega.sin(), s1: 0.0, s2: 0.0 }
    }

    fn put(&mut self, sample: f32) {
        let s0 = sample + self.coefficient * self.s1 - self.s2;
        self.s2 = self.s1;
        self.s1 = s0;
    }

    /// The block's result, its phase counted at the block's end.
    fn take(&mut self) -> Tone {
        let tone = Tone { re: self.s1 - self.s2 * self.cosine, im: self.s2 * self.sine };
        (self.s1, self.s2) = (0.0, 0.0);
        tone
    }
}

impl Tone {
    fn power(self) -> f32 {
        self.re * self.re + self.im * self.im
    }

    /// How far in hertz a steady tone lies off `hz`, when its phase went from `earlier` to here in `seconds`.
    fn off_hz(self, earlier: Self, hz: f32, seconds: f32) -> f32 {
        let turn =
            (self.im * earlier.re - self.re * earlier.im).atan2(self.re * earlier.re + self.im * earlier.im);
        let expected = TAU * (hz * seconds).fract();
        let mut surplus = (turn - expected).rem_euclid(TAU);
        if surplus > PI {
            surplus -= TAU;
        }
        surplus / (TAU * seconds)
    }
}

/// What one block said.
#[derive(Clone, Copy, Debug)]
struct Hit {
    digit: Digit,
    low: Tone,
    high: Tone,
    low_hz: f32,
    high_hz: f32,
}

/// Listens for keys in 16-bit samples of one call. Allocates nothing after construction.
#[derive(Debug)]
pub struct InbandDetector {
    rate: SampleRate,
    block: usize,
    filled: usize,
    /// Energy of each quarter of the block.
    energy: [f32; QUARTERS],
    low: [Bin; 4],
    high: [Bin; 4],
    octave: [Bin; 4],
    last: Option<Hit>,
    pressed: Option<(Digit, u32)>,
    misses: u8,
}

impl InbandDetector {
    /// Blocks without the key after which it counts as released. Any pause of 40 ms has three, an interruption
    /// of 10 ms, which must be bridged, at most two (ITU-T Q.24).
    const RELEASE_BLOCKS: u8 = 3;

    /// A detector for samples at `rate`; `None` below 8 kHz, where the octaves of the tones would alias.
    pub fn new(rate: SampleRate) -> Option<Self> {
        if rate < SampleRate::HZ_8000 {
            return None;
        }
        let block = (u64::from(rate.hz()) * u64::from(BLOCK_US) / 1_000_000) as usize;
        Some(Self {
            rate,
            block,
            filled: 0,
            energy: [0.0; QUARTERS],
            low: ROWS_HZ.map(|hz| Bin::new(hz, rate)),
            high: COLUMNS_HZ.map(|hz| Bin::new(hz, rate)),
            octave: COLUMNS_HZ.map(|hz| Bin::new(2.0 * hz, rate)),
            last: None,
            pressed: None,
            misses: 0,
        })
    }

    /// Listens to `samples` and tells what the finger did, in order.
    pub fn put(&mut self, samples: &[i16], mut tell: impl FnMut(DtmfEvent)) {
        for &sample in samples {
            let sample = f32::from(sample) / 32_768.0;
            if let Some(quarter) = self.energy.get_mut(self.filled * QUARTERS / self.block) {
                *quarter += sample * sample;
            }
            let groups = [&mut self.low, &mut self.high, &mut self.octave];
            for bin in groups.into_iter().flatten() {
                bin.put(sample);
            }
            self.filled += 1;
            if self.filled == self.block {
                self.end_block(&mut tell);
            }
        }
    }

    fn end_block(&mut self, tell: &mut impl FnMut(DtmfEvent)) {
        let hit = self.judge_block();
        (self.filled, self.energy) = (0, [0.0; QUARTERS]);
        let confirmed = match (self.last, hit) {
            (Some(last), Some(hit)) if self.agree(&last, &hit) => Some(hit.digit),
            _ => None,
        };
        self.last = hit;
        match (&mut self.pressed, hit, confirmed) {
            (Some((digit, blocks)), Some(hit), _) if hit.digit == *digit => {
                *blocks += 1 + u32::from(self.misses);
                self.misses = 0;
            }
            (pressed, _, Some(digit)) => {
                if let Some((old, blocks)) = pressed.replace((digit, 2)) {
                    tell(self.released(old, blocks));
                }
                self.misses = 0;
                tell(DtmfEvent::Pressed(digit));
            }
            (Some((digit, blocks)), _, None) => {
                self.misses += 1;
                if self.misses >= Self::RELEASE_BLOCKS {
                    let (digit, blocks) = (*digit, *blocks);
                    self.pressed = None;
                    self.misses = 0;
                    tell(self.released(digit, blocks));
                }
            }
            (None, _, None) => {}
        }
    }

    fn released(&self, digit: Digit, blocks: u32) -> DtmfEvent {
        let frames = i64::from(blocks) * self.block as i64;
        DtmfEvent::Released { digit, held: self.rate.span_of(frames) }
    }

    /// Whether two blocks in a row heard the same key, from tones that stand where they should.
    fn agree(&self, last: &Hit, hit: &Hit) -> bool {
        let seconds = self.block as f32 / self.rate.hz() as f32;
        last.digit == hit.digit
            && hit.low.off_hz(last.low, hit.low_hz, seconds).abs() <= MOST_OFF * hit.low_hz
            && hit.high.off_hz(last.high, hit.high_hz, seconds).abs() <= MOST_OFF * hit.high_hz
    }

    /// The key of a whole block, if it passes the tests that a single block can pass.
    fn judge_block(&mut self) -> Option<Hit> {
        let low = self.low.each_mut().map(Bin::take);
        let high = self.high.each_mut().map(Bin::take);
        let octave = self.octave.each_mut().map(Bin::take);

        // A steady sine of amplitude a gives a bin the magnitude a·N/2 and the block the energy a²·N/2.
        let half = self.block as f32 / 2.0;
        let (row, low_power) = strongest(&low, 1.0)?;
        let (column, high_power) = strongest(&high, 1.0)?;
        let quietest = (QUIETEST_AMPLITUDE * half).powi(2);
        let energy = self.energy.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        let steady = self.energy.iter().all(|quarter| quarter * QUARTERS as f32 >= LEAST_QUARTER * energy);
        let share = (low_power + high_power) / (half * energy);
        let level = low_power.min(high_power) >= quietest && share >= LEAST_SHARE;
        let twist =
            low_power <= high_power * MOST_LOW_OVER_HIGH && high_power <= low_power * MOST_HIGH_OVER_LOW;
        let alone =
            strongest(&low, LEAST_OVER_OTHERS).is_some() && strongest(&high, LEAST_OVER_OTHERS).is_some();
        let pure = octave.get(column)?.power() <= high_power * MOST_HARMONIC;
        (level && steady && twist && alone && pure).then_some(())?;
        Some(Hit {
            digit: Digit::at(row, column)?,
            low: *low.get(row)?,
            high: *high.get(column)?,
            low_hz: self.low.get(row)?.hz,
            high_hz: self.high.get(column)?.hz,
        })
    }
}

/// The strongest tone of a group and its power, if it is `factor` times stronger than each of the others.
fn strongest(tones: &[Tone; 4], factor: f32) -> Option<(usize, f32)> {
    let (best, power) =
        tones.iter().map(|tone| tone.power()).enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let alone = tones.iter().enumerate().all(|(index, tone)| index == best || tone.power() * factor <= power);
    alone.then_some((best, power))
}
