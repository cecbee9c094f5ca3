//! The sixteen telephone keys, in the four ways in which a call carries them: RFC 4733 events in and out,
//! SIP INFO bodies, and tones in the voice itself for trunks that can do neither.

mod event;
mod inband;
mod info;
mod receive;
mod send;

pub use event::{EventBlock, EventPayload};
pub use inband::InbandDetector;
pub use info::{DTMF, DTMF_RELAY, InfoError, info_of_key, key_of_info};
pub use receive::{DtmfCounters, DtmfEvent, DtmfReceiver};
pub use send::{DtmfPacket, DtmfSender, QueueFull, Volume};

use std::fmt;

/// A key of the telephone: `0` to `9`, `*`, `#`, `A` to `D`.
///
/// Prints as itself. Keys may spell a card number or a PIN: what logs them decides whether it may.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(u8);

/// In the order of the event codes 0 to 15 (RFC 4733 3.2, table 3).
const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// ITU-T Q.23: the low tone of each row of keys, the high tone of each column.
const ROWS_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS_HZ: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// ITU-T Q.23: which event code lies where.
const KEYPAD: [[u8; 4]; 4] = [[1, 2, 3, 12], [4, 5, 6, 13], [7, 8, 9, 14], [10, 0, 11, 15]];

impl Digit {
    /// All keys, in the order of their event codes.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..16).map(Self)
    }

    /// The key that `key` names; small letters are letters too.
    pub fn from_char(key: char) -> Option<Self> {
        let code = KEYS.iter().position(|&known| known == key.to_ascii_uppercase())?;
        Self::from_event(u8::try_from(code).ok()?)
    }

    /// The key of an RFC 4733 event code; `None` for events that are no keys.
    pub const fn from_event(code: u8) -> Option<Self> {
        if code < 16 { Some(Self(code)) } else { None }
    }

    /// The RFC 4733 event code.
    pub const fn event(self) -> u8 {
        self.0
    }

    /// What is printed on the key.
    pub fn as_char(self) -> char {
        KEYS.get(usize::from(self.0)).copied().unwrap_or('?')
    }

    /// The key at a row and column of ITU-T Q.23.
    fn at(row: usize, column: usize) -> Option<Self> {
        KEYPAD.get(row)?.get(column).copied().map(Self)
    }

    /// The two tones of this key in hertz, low first (ITU-T Q.23).
    pub fn tones_hz(self) -> (f32, f32) {
        for (row, low) in KEYPAD.iter().zip(ROWS_HZ) {
            for (&code, high) in row.iter().zip(COLUMNS_HZ) {
                if code == self.0 {
                    return (low, high);
                }
            }
        }
        (ROWS_HZ[0], COLUMNS_HZ[0])
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digit({})", self.as_char())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_name_a_code_and_its_own_pair_of_tones() {
        let mut pairs = Vec::new();
        for digit in Digit::all() {
            assert_eq!(Digit::from_char(digit.as_char()), Some(digit));
            assert_eq!(Digit::from_event(digit.event()), Some(digit));
            pairs.push(format!("{:?}", digit.tones_hz()));
        }
        pairs.sort();
        pairs.dedup();
        assert_eq!(pairs.len(), 16);
    }

    #[test]
    fn tones_are_those_of_the_keypad() {
        let tones = |key| Digit::from_char(key).unwrap().tones_hz();
        assert_eq!(tones('1'), (697.0, 1209.0));
        assert_eq!(tones('5'), (770.0, 1336.0));
        assert_eq!(tones('#'), (941.0, 1477.0));
        assert_eq!(tones('d'), (941.0, 1633.0));
    }

    #[test]
    fn other_characters_and_events_are_no_keys() {
        assert_eq!(Digit::from_char('E'), None);
        assert_eq!(Digit::from_char('٣'), None);
        assert_eq!(Digit::from_event(16), None, "hook flash is not a key");
    }
}
