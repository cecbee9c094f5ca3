//! The background: what is heard between words, learnt while real audio plays and made again where there
//! is none.
//!
//! Real-time: a few sums a packet; no allocation.

use super::{
    fade::dot,
    lpc::{Lpc, MAX_ORDER, Memory},
    noise::Noise,
};
use offhook_units::SampleRate;

/// Order of the background's envelope: noise has few colours.
const ORDER: usize = 10;
/// A frame within this factor (6 dB) of the quietest is background.
const QUIET: f32 = 4.0;

/// A comfort noise packet: the far end's own word on its background (RFC 3389).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ComfortNoise {
    rms: f32,
    reflection: [f32; ORDER],
    order: usize,
}

impl ComfortNoise {
    /// Reads a payload: a level in -dBov, then reflection coefficients, of which the first ten are used.
    /// `None` when it is empty.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&level, coefficients) = payload.split_first()?;
        let mut noise = Self { rms: 0.0, reflection: [0.0; ORDER], order: coefficients.len().min(ORDER) };
        // RFC 3389 3.1: the first bit is 0; 0 dBov is the loudest square wave.
        noise.rms = 32_768.0 * 10.0f32.powf(-f32::from(level & 0x7F) / 20.0);
        for (k, &n) in noise.reflection.iter_mut().zip(coefficients) {
            // RFC 3389 3.2.
            *k = (258.0 * (f32::from(n) - 127.0) / 32_768.0).clamp(-0.99, 0.99);
        }
        Some(noise)
    }
}

/// Learns the background and makes it.
#[derive(Clone, Debug)]
pub(super) struct Background {
    frame: usize,
    /// Mean square of the quietest frames, followed slowly upwards.
    floor: Option<f32>,
    run: u32,
    autocorrelation: [f32; ORDER + 1],
    known: bool,
    envelope: Lpc,
    stale: bool,
    dictated: bool,
    level: f32,
    memory: Memory,
    noise: Noise,
}

impl Background {
    pub(super) fn new(rate: SampleRate) -> Self {
        Self {
            frame: rate.frames_in_ms(10),
            floor: None,
            run: 0,
            autocorrelation: [0.0; ORDER + 1],
            known: false,
            envelope: Lpc::FLAT,
            stale: false,
            dictated: false,
            level: 0.0,
            memory: Memory::ZERO,
            noise: Noise::new(),
        }
    }

    /// Real audio, any length.
    pub(super) fn listen(&mut self, fresh: &[i16]) {
        for frame in fresh.chunks_exact(self.frame) {
            self.listen_frame(frame);
        }
        let tail = fresh.len().saturating_sub(MAX_ORDER);
        for &x in &fresh[tail..] {
            self.memory.push(f32::from(x));
        }
    }

    fn listen_frame(&mut self, frame: &[i16]) {
        let energy: f32 = frame.iter().map(|&x| f32::from(x) * f32::from(x)).sum();
        let power = energy / frame.len() as f32;
        let floor = self.floor.unwrap_or(power);
        // Down within a few frames, up by 2 dB a second: speech does not lift it, a new room does.
        let floor = if power < floor { 0.5 * (floor + power) } else { floor.max(1.0) * 1.0046 };
        self.floor = Some(floor);
        if power > QUIET * floor + 4.0 {
            self.run = 0;
            return;
        }
        self.run = self.run.saturating_add(1);
        // The first quiet frame may still hold the end of a word.
        if self.run >= 2 {
            self.learn(frame);
        }
    }

    fn learn(&mut self, frame: &[i16]) {
        let mut x = [0.0f32; 480];
        let n = frame.len().min(x.len());
        for (x, &s) in x.iter_mut().zip(frame) {
            *x = f32::from(s);
        }
        let weight = if self.known { 0.1 } else { 1.0 };
        for (lag, r) in self.autocorrelation.iter_mut().enumerate() {
            let now = dot(&x[lag..n], &x[..n - lag]) / n as f32;
            *r += weight * (now - *r);
        }
        self.known = true;
        self.stale = true;
    }

    /// RMS of what was heard between words; 0 while nothing is known.
    pub(super) fn rms(&self) -> f32 {
        self.autocorrelation[0].max(0.0).sqrt()
    }

    /// Makes ready to play: as dictated, or as heard.
    pub(super) fn prepare(&mut self, dictated: Option<ComfortNoise>) {
        if let Some(word) = dictated {
            self.envelope = Lpc::from_reflection(&word.reflection[..word.order], word.rms);
            self.dictated = true;
        } else if self.stale || self.dictated {
            self.envelope = Lpc::from_autocorrelation(&self.autocorrelation);
            self.envelope.widen(0.99);
            self.stale = false;
            self.dictated = false;
        }
    }

    /// Starts at the level at once where nothing of it is heard yet.
    pub(super) fn start(&mut self) {
        self.level = self.envelope.gain;
    }

    /// The same, and without what the filter still rings with.
    pub(super) fn start_afresh(&mut self) {
        self.memory = Memory::ZERO;
        self.start();
    }

    /// The next sample of background.
    pub(super) fn next(&mut self) -> f32 {
        // A new level is reached within some 100 samples: no step.
        self.level += 0.02 * (self.envelope.gain - self.level);
        let hiss = self.level * self.noise.next();
        self.envelope.step(&mut self.memory, hiss)
    }
}
