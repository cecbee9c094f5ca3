//! J7: G.711 over every input, against the tables of the recommendation written out as decision values.

use offhook_engine::codec::g711::Law;

/// The positive half of a law as its table states it: decision values x(1) … x(128) and the value decoded
/// from each interval, in 16-bit units.
struct Table {
    /// Lower end of each interval; x(0) is 0.
    decisions: Vec<i32>,
    values: Vec<i32>,
    /// The character of positive interval n.
    character: fn(usize) -> u8,
    sign_bit: u8,
}

/// G.711 table 1a: 32 intervals of 2 up to 64, then 16 of 4, 8, … 128 up to 4096. Its 13 bits are 16-bit
/// samples divided by 8. y(n) is the middle of its interval.
fn a_law() -> Table {
    let mut edges = vec![0];
    for (count, width) in [(32, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128)] {
        for _ in 0..count {
            edges.push(edges[edges.len() - 1] + width);
        }
    }
    assert_eq!(edges[128], 4096, "the virtual decision value of table 1a");
    let values = (0..128).map(|n| (edges[n] + edges[n + 1]) * 8 / 2).collect();
    let decisions = edges[..128].iter().map(|x| x * 8).collect();
    // Column 6 counts up from 1000 0000; the even bits (the second, fourth, … from the left) are inverted.
    Table { decisions, values, character: |n| (0x80 | n as u8) ^ 0b0101_0101, sign_bit: 0x80 }
}

/// G.711 table 2a: one interval of 1, 15 of 2 up to 31, then 16 of 4, 8, … 256 up to 8159. Its 14 bits are
/// 16-bit samples divided by 4. y(0) is 0, the others are the middle.
fn mu_law() -> Table {
    let mut edges = vec![0, 1];
    for (count, width) in [(15, 2), (16, 4), (16, 8), (16, 16), (16, 32), (16, 64), (16, 128), (16, 256)] {
        for _ in 0..count {
            edges.push(edges[edges.len() - 1] + width);
        }
    }
    assert_eq!(edges[128], 8159, "the virtual decision value of table 2a");
    let values = (0..128).map(|n| if n == 0 { 0 } else { (edges[n] + edges[n + 1]) * 4 / 2 }).collect();
    let decisions = edges[..128].iter().map(|x| x * 4).collect();
    // Column 6 counts down from 1111 1111.
    Table { decisions, values, character: |n| 0xFF - n as u8, sign_bit: 0x80 }
}

impl Table {
    /// Interval n holds [x(n), x(n + 1)) above zero and [-x(n + 1), -x(n)) below: the lower end belongs to
    /// it on the whole axis, as in ITU-T G.191. The last one has no other end.
    fn encode(&self, sample: i16) -> u8 {
        let x = i32::from(sample);
        if x >= 0 {
            let n = self.decisions.iter().rposition(|&lower| x >= lower).expect("x(0) is 0");
            (self.character)(n)
        } else {
            let n = self.decisions.iter().rposition(|&end| x < -end).expect("x(0) is 0");
            (self.character)(n) ^ self.sign_bit
        }
    }

    fn decode(&self, character: u8) -> i32 {
        for n in 0..128 {
            if (self.character)(n) == character {
                return self.values[n];
            }
            if (self.character)(n) ^ self.sign_bit == character {
                return -self.values[n];
            }
        }
        unreachable!("128 intervals and two signs are 256 characters")
    }
}

fn laws() -> [(Law, Table); 2] {
    [(Law::Mu, mu_law()), (Law::A, a_law())]
}

#[test]
fn all_65536_samples_encode_as_the_tables_say() {
    for (law, table) in laws() {
        let wrong = (i16::MIN..=i16::MAX).filter(|&x| law.encode(x) != table.encode(x)).count();
        assert_eq!(wrong, 0, "{law:?}");
    }
}

#[test]
fn all_256_characters_decode_as_the_tables_say() {
    for (law, table) in laws() {
        for character in 0..=255 {
            assert_eq!(i32::from(law.decode(character)), table.decode(character), "{law:?} {character:#04x}");
        }
    }
}

#[test]
fn the_ends_and_the_zeros_are_where_everybody_expects_them() {
    let ends = |law: Law| [32_767, 0, -1, -32_768].map(|x| law.encode(x));
    assert_eq!(ends(Law::Mu), [0x80, 0xFF, 0x7F, 0x00]);
    assert_eq!(ends(Law::A), [0xAA, 0xD5, 0x55, 0x2A]);
    assert_eq!([0x80, 0xFF, 0x7F, 0x00].map(|c| Law::Mu.decode(c)), [32_124, 0, 0, -32_124]);
    assert_eq!([0xAA, 0xD5, 0x55, 0x2A].map(|c| Law::A.decode(c)), [32_256, 8, -8, -32_256]);
}

#[test]
fn every_character_comes_back_save_the_second_zero() {
    for (law, _) in laws() {
        for character in 0..=255 {
            let back = law.encode(law.decode(character));
            let is_second_zero = law == Law::Mu && character == 0x7F;
            assert_eq!(back, if is_second_zero { 0xFF } else { character }, "{law:?}");
        }
    }
}

#[test]
fn a_second_passage_changes_nothing() {
    for (law, _) in laws() {
        for x in i16::MIN..=i16::MAX {
            let once = law.decode(law.encode(x));
            assert_eq!(law.decode(law.encode(once)), once, "{law:?} {x}");
        }
    }
}

#[test]
fn the_error_stays_within_half_an_interval() {
    for (law, table) in laws() {
        let top = *table.values.last().expect("128 values");
        for x in i16::MIN..=i16::MAX {
            let magnitude = i32::from(x).abs().min(top);
            let n = table.decisions.iter().rposition(|&lower| magnitude >= lower).expect("x(0) is 0");
            let width = table.decisions.get(n + 1).map_or(1024, |next| next - table.decisions[n]);
            let error = (i32::from(law.decode(law.encode(x))) - i32::from(x).clamp(-top, top)).abs();
            // µ-law's first interval decodes to its end, zero.
            assert!(error <= width.max(8) / 2, "{law:?} {x}: {error} in an interval of {width}");
        }
    }
}
