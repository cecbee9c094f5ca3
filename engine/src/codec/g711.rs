//! Real-time: no allocation, no lock, no syscall, no panic, no log.
//!
//! G.711, both laws, by tables that the compiler makes from the definition.
//!
//! The recommendation's tables 1a and 2a give decision values and leave open to which side a sample belongs
//! that lies exactly on one. Here each quantizing interval holds its lower end, on the whole signed axis, as
//! in ITU-T G.191's reference coder: `x >> n` rounds that way, so that shifting is all that is needed to
//! find the interval, below zero as well as above.

/// The two companding laws of G.711.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law: North America, Japan; PCMU.
    Mu,
    /// A-law: the rest of the world; PCMA.
    A,
}

impl Law {
    /// The 8-bit character for one 16-bit sample.
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => MU_ENCODED[((sample >> 2) as u16 & 0x3FFF) as usize],
            Self::A => A_ENCODED[((sample >> 4) as u16 & 0x0FFF) as usize],
        }
    }

    /// The 16-bit sample for one character. µ-law has two characters for zero, 0xFF and 0x7F; both decode
    /// to 0, which encodes to 0xFF.
    pub const fn decode(self, character: u8) -> i16 {
        match self {
            Self::Mu => MU_DECODED[character as usize],
            Self::A => A_DECODED[character as usize],
        }
    }
}

/// By the low 14 bits of a µ-law sample's uniform value (table 2a: full scale ±8159).
static MU_ENCODED: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut i = 0;
    while i < table.len() {
        table[i] = mu_character(signed(i, table.len()));
        i += 1;
    }
    table
};

/// By the low 12 bits of an A-law sample's uniform value in units of the smallest interval (table 1a: two of
/// its units, so full scale is ±2048 here).
static A_ENCODED: [u8; 1 << 12] = {
    let mut table = [0; 1 << 12];
    let mut i = 0;
    while i < table.len() {
        table[i] = a_character(signed(i, table.len()));
        i += 1;
    }
    table
};

static MU_DECODED: [i16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < table.len() {
        table[i] = mu_sample(i as u8);
        i += 1;
    }
    table
};

static A_DECODED: [i16; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < table.len() {
        table[i] = a_sample(i as u8);
        i += 1;
    }
    table
};

/// What table index `i` stands for as a two's complement number.
const fn signed(i: usize, len: usize) -> i32 {
    if i < len / 2 { i as i32 } else { i as i32 - len as i32 }
}

/// `uniform` is a 14-bit value. Below zero the one's complement mirrors [lower, upper) onto itself.
const fn mu_character(uniform: i32) -> u8 {
    let (sign, magnitude) = if uniform < 0 { (0x80, !uniform) } else { (0, uniform) };
    // The bias of 33 makes each segment start at a power of two: 32 intervals' width below the next.
    let biased = if magnitude > 8158 { 8158 + 33 } else { magnitude + 33 };
    let segment = biased.ilog2() as i32 - 5;
    let interval = (biased >> (segment + 1)) & 0x0F;
    // All bits are sent inverted (G.711, table 2a, column 7).
    !(sign | (segment << 4) as u8 | interval as u8)
}

/// `uniform` counts smallest intervals, 12 bits.
const fn a_character(uniform: i32) -> u8 {
    let (sign, magnitude) = if uniform < 0 { (0, !uniform) } else { (0x80, uniform) };
    let character = if magnitude < 16 {
        magnitude
    } else {
        let segment = magnitude.ilog2() as i32 - 3;
        (segment << 4) | ((magnitude >> (segment - 1)) & 0x0F)
    };
    // The even bits are sent inverted (G.711, table 1a, note 2).
    (sign | character as u8) ^ 0x55
}

const fn mu_sample(character: u8) -> i16 {
    let bits = !character;
    let interval = (bits & 0x0F) as i32;
    let segment = (bits >> 4 & 0x07) as i32;
    // Middle of the interval in 14-bit units, then up to 16 bits.
    let magnitude = (((2 * interval + 33) << segment) - 33) * 4;
    (if bits & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

const fn a_sample(character: u8) -> i16 {
    let bits = character ^ 0x55;
    let interval = (bits & 0x0F) as i32;
    let segment = (bits >> 4 & 0x07) as i32;
    // Middle of the interval in 13-bit units, then up to 16 bits.
    let middle = if segment == 0 { 2 * interval + 1 } else { (2 * interval + 33) << (segment - 1) };
    (if bits & 0x80 == 0 { -middle * 8 } else { middle * 8 }) as i16
}
