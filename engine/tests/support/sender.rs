//! The far end: a voice, cut into packets on its own clock.

use super::Dice;
use offhook_engine::{Packet, PacketKind, codec::Encoder, codec::g711::Law};
use offhook_units::{Codec, Moment, RtpTime, SeqNo, Ssrc};
use std::f64::consts::TAU;

/// A packet on its way, with the time at which it will come.
#[derive(Clone, Debug)]
pub struct Wire {
    pub arrival_us: u64,
    pub ssrc: u32,
    pub seq: u16,
    pub time: u32,
    pub kind: PacketKind,
    pub payload: Vec<u8>,
    /// Which of its sender's packets with sound this is, or comes after.
    pub label: u64,
}

impl Wire {
    pub fn packet(&self) -> Packet<'_> {
        Packet {
            arrival: Moment::from_micros(self.arrival_us),
            ssrc: Ssrc(self.ssrc),
            seq: SeqNo(self.seq),
            time: RtpTime(self.time),
            kind: self.kind,
            payload: &self.payload,
        }
    }

    /// The same packet, `ms` later.
    pub fn after(mut self, ms: f64) -> Self {
        self.arrival_us += (ms * 1000.0) as u64;
        self
    }
}

/// What a sender says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// Vowels with pauses: what the engine was made for.
    Voice,
    /// G.711 only: each packet is one level, by which it is known (see [`label_of`]).
    Labels,
}

/// How many labels there are before they begin anew.
pub const LABELS: u64 = 128;

/// The level that packet number `n` consists of: loud, and no two of a row alike.
fn label_code(codec: Codec, n: u64) -> u8 {
    // The louder halves of the positive and of the negative codes: 0x80 and 0x00 on in PCMU, and before the
    // inversion of its even bits 0xC0 and 0x40 on in PCMA.
    let n = (n % LABELS) as u8;
    let code = if n < 64 { 0x80 + n } else { n - 64 };
    if codec == Codec::Pcma { (code + 0x40) ^ 0x55 } else { code }
}

/// The samples that all labels decode to.
pub fn label_levels(codec: Codec) -> Vec<i16> {
    let law = if codec == Codec::Pcma { Law::A } else { Law::Mu };
    (0..LABELS).map(|n| law.decode(label_code(codec, n))).collect()
}

/// The far end's microphone, encoder and packetizer. Change its public fields between packets at will.
pub struct Sender {
    codec: Codec,
    encoder: Encoder,
    sound: Sound,
    /// One round of the voice, and where in it we are.
    voice: Vec<i16>,
    said: usize,
    /// Packets made so far.
    made: u64,
    pub ssrc: u32,
    pub seq: u16,
    pub time: u32,
    pub packet_ms: u32,
    /// How much faster than ours its clock runs.
    pub ppm: f64,
    /// When the next packet begins, on our clock.
    pub at_us: f64,
}

impl Sender {
    pub fn new(codec: Codec) -> Self {
        Self::saying(codec, Sound::Voice)
    }

    pub fn saying(codec: Codec, sound: Sound) -> Self {
        Self {
            codec,
            encoder: Encoder::new(codec).expect("starts"),
            sound,
            voice: voice(codec.sample_rate().hz()),
            said: 0,
            made: 0,
            ssrc: 0x0FF4_00C0,
            seq: 1000,
            time: 160_000,
            packet_ms: 20,
            ppm: 0.0,
            at_us: 0.0,
        }
    }

    /// Packets made so far: the label of the next one.
    pub const fn made(&self) -> u64 {
        self.made
    }

    /// The next packet, sent when its last sample was said.
    pub fn packet(&mut self) -> Wire {
        let frames = self.codec.sample_rate().frames_in_ms(self.packet_ms);
        let payload = match self.sound {
            Sound::Voice => self.encode(frames),
            Sound::Labels => vec![label_code(self.codec, self.made); frames],
        };
        let wire = self.wire(PacketKind::Voice(self.codec), payload, self.packet_ms);
        self.made += 1;
        wire
    }

    pub fn packets(&mut self, count: usize) -> Vec<Wire> {
        (0..count).map(|_| self.packet()).collect()
    }

    /// RFC 3389, at −60 dBov; the clock does not go on by itself.
    pub fn comfort_noise(&mut self) -> Wire {
        self.wire(PacketKind::ComfortNoise, vec![60], 0)
    }

    /// RFC 4733: one report of a key; the timestamp stays where the key went down.
    pub fn key(&mut self) -> Wire {
        self.wire(PacketKind::TelephoneEvent, vec![5, 10, 0, 160], 0)
    }

    /// Says nothing and sends nothing for so long; its clock goes on.
    pub fn pause(&mut self, ms: u32) {
        self.time = self.time.wrapping_add(self.codec.rtp_clock().frames_in_ms(ms) as u32);
        self.at_us += f64::from(ms) * 1000.0 * (1.0 - self.ppm * 1e-6);
    }

    fn wire(&mut self, kind: PacketKind, payload: Vec<u8>, ms: u32) -> Wire {
        let time = self.time;
        self.pause(ms);
        let wire = Wire {
            arrival_us: self.at_us as u64,
            ssrc: self.ssrc,
            seq: self.seq,
            time,
            kind,
            payload,
            label: self.made,
        };
        self.seq = self.seq.wrapping_add(1);
        wire
    }

    fn encode(&mut self, frames: usize) -> Vec<u8> {
        let pcm: Vec<i16> = self.voice.iter().copied().cycle().skip(self.said).take(frames).collect();
        self.said = (self.said + frames) % self.voice.len();
        let mut payload = vec![0; 1500];
        let bytes = self.encoder.encode(&pcm, &mut payload).expect("a payload");
        payload.truncate(bytes);
        payload
    }
}

/// A vowel of about 110 Hz in syllables of 240 ms, two seconds of them, then 0.6 s of faint noise.
fn voice(hz: u32) -> Vec<i16> {
    let mut dice = Dice::new(1);
    let at = |i: u32| f64::from(i) / f64::from(hz);
    (0..hz * 26 / 10)
        .map(|i| {
            let t = at(i);
            let noise = 8.0 * (dice.share() - 0.5);
            if t > 2.0 {
                return noise as i16;
            }
            let swell = (TAU * t / 0.48).sin().abs();
            let phase = 110.0 * t + 1.5 * (TAU * 0.5 * t).sin();
            let tone: f64 = (1..=12).map(|k| (TAU * phase * f64::from(k)).cos() / f64::from(k)).sum();
            (5000.0 * swell * tone / 3.0 + noise) as i16
        })
        .collect()
}
