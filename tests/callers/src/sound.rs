//! Numbered sound: each 10 ms of µ-law carry a number in their first bytes, and a tone in the rest. An echo that decodes
//! to linear samples and codes them again gives every byte back as it was, at whatever sample the 10 ms then begin; one
//! that guessed, left out or doubled something does not.

/// 10 ms at 8 kHz.
pub(crate) const PIECE: usize = 80;
/// µ-law of silence.
pub(crate) const SILENCE: u8 = 0xFF;

/// What precedes the digits.
const SYNC: [u8; 2] = [0xA, 0x5];
/// Base-16 digits of a number: 46 hours of pieces.
const DIGITS: usize = 6;
/// Sync, digits, and one digit that checks them.
const HEAD: usize = SYNC.len() + DIGITS + 1;

/// The piece with this number.
pub(crate) fn piece(number: u32) -> [u8; PIECE] {
    let mut bytes = TONE;
    for (at, (place, digit)) in bytes.iter_mut().zip(head(number)).enumerate() {
        *place = coded(at, digit);
    }
    bytes
}

fn head(number: u32) -> [u8; HEAD] {
    let mut digits = [0; HEAD];
    let (sync, rest) = digits.split_at_mut(SYNC.len());
    sync.copy_from_slice(&SYNC);
    let mut check = 0x6;
    for (at, digit) in rest.iter_mut().enumerate() {
        let value = (number >> (4 * (DIGITS.saturating_sub(1 + at)))) as u8 & 0xF;
        *digit = if at < DIGITS { value } else { check };
        check ^= value;
    }
    digits
}

/// A digit as a sample, positive and negative in turn: a middle segment of µ-law, some −27 dB of full scale.
const fn coded(at: usize, digit: u8) -> u8 {
    if at.is_multiple_of(2) { 0xC0 | digit } else { 0x40 | digit }
}

/// 400 Hz at −20 dB: four whole turns in a piece, so that pieces join without an edge. The 20 values of one turn are
/// those of G.711 for 3277·sin(2πn/20).
const TURN: [u8; 20] = [
    0xFF, 0xCE, 0xC0, 0xBA, 0xB6, 0xB5, 0xB6, 0xBA, 0xC0, 0xCE, 0xFF, 0x4E, 0x40, 0x3A, 0x36, 0x35, 0x36,
    0x3A, 0x40, 0x4E,
];

const TONE: [u8; PIECE] = {
    let mut tone = [0; PIECE];
    let mut at = 0;
    while at < PIECE {
        tone[at] = TURN[at % TURN.len()];
        at += 1;
    }
    tone
};

/// Looks for pieces in what comes back, wherever they begin, and keeps the account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listener {
    recent: [u8; HEAD],
    next: Option<u32>,
    heard: u64,
    missing: u64,
    repeated: u64,
}

/// What was heard of the pieces that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) heard: u64,
    pub(crate) missing: u64,
    pub(crate) repeated: u64,
}

impl Listener {
    /// The next bytes that came.
    pub(crate) fn hear(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.recent.rotate_left(1);
            if let Some(last) = self.recent.last_mut() {
                *last = *byte;
            }
            if let Some(number) = number(&self.recent) {
                self.note(number);
            }
        }
    }

    fn note(&mut self, number: u32) {
        let next = self.next.unwrap_or(0);
        if number < next {
            self.repeated += 1;
            return;
        }
        self.heard += 1;
        self.missing += u64::from(number - next);
        self.next = Some(number + 1);
    }

    /// The account when `sent` pieces are sent and nothing more will come.
    pub(crate) fn account(&self, sent: u32) -> Account {
        let tail = u64::from(sent.saturating_sub(self.next.unwrap_or(0)));
        Account { heard: self.heard, missing: self.missing + tail, repeated: self.repeated }
    }
}

/// The number of the piece that begins with these bytes, if one does.
fn number(bytes: &[u8; HEAD]) -> Option<u32> {
    let mut digits = [0; HEAD];
    for (at, (digit, byte)) in digits.iter_mut().zip(bytes).enumerate() {
        *digit = byte & 0xF;
        if coded(at, *digit) != *byte {
            return None;
        }
    }
    let number =
        digits.iter().skip(SYNC.len()).take(DIGITS).fold(0, |sum, digit| sum << 4 | u32::from(*digit));
    (digits == head(number)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
        numbers.into_iter().flat_map(piece).collect()
    }

    fn account(bytes: &[u8], sent: u32) -> Account {
        let mut listener = Listener::default();
        bytes.chunks(160).for_each(|packet| listener.hear(packet));
        listener.account(sent)
    }

    #[test]
    fn what_comes_back_whole_is_all_heard_wherever_it_begins() {
        for shift in [0, 1, 37, 79, 80, 123] {
            let mut bytes = vec![SILENCE; shift];
            bytes.extend(stream(0..3_000));
            bytes.extend([SILENCE; 100]);
            assert_eq!(account(&bytes, 3_000), Account { heard: 3_000, missing: 0, repeated: 0 });
        }
    }

    #[test]
    fn a_lost_a_doubled_and_a_damaged_piece_are_each_seen() {
        let mut bytes = stream((0..10).chain(12..20).chain(19..30));
        bytes[25 * PIECE + 3] ^= 1;
        assert_eq!(account(&bytes, 33), Account { heard: 27, missing: 6, repeated: 1 });
    }

    #[test]
    fn nothing_heard_is_all_missing() {
        assert_eq!(account(&[SILENCE; 800], 10), Account { heard: 0, missing: 10, repeated: 0 });
    }

    #[test]
    fn the_tone_holds_no_number_and_nothing_that_a_codec_changes() {
        assert_eq!(account(&TONE.repeat(50), 0), Account::default());
        // Of µ-law's 256 values one does not come back from linear samples: negative zero (ITU-T G.711, table 2a).
        for number in [0, 1, 0xFF_FFFF, 0x7F_7F7F] {
            assert!(!piece(number).contains(&0x7F));
        }
    }
}
