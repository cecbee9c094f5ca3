//! When our voice is so silent that comfort noise (RFC 3389) says the same in a packet a second.

use offhook_units::Codec;

/// Packets of silence before it counts as a pause: 200 ms, so that the gaps between words stay voice.
const PATIENCE: u8 = 10;

/// Watches what is sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pause {
    silent: u8,
}

impl Pause {
    /// What the far end is to play: a floor that tells the line is alive and that nobody hears as noise, in decibels
    /// below overload.
    pub(super) const LEVEL: u8 = 75;

    /// Whether the packet may be left out for comfort noise: it is digital silence, and so were those before.
    pub(super) fn put(&mut self, codec: Codec, payload: &[u8]) -> bool {
        self.silent = if is_silent(codec, payload) { self.silent.saturating_add(1) } else { 0 };
        self.silent > PATIENCE
    }
}

/// Whether it decodes to nothing, or to the step next to nothing (ITU-T G.711 tables 1 and 2). Other codecs' silence
/// cannot be told from their bytes.
fn is_silent(codec: Codec, payload: &[u8]) -> bool {
    let nothing: [u8; 2] = match codec {
        Codec::Pcmu => [0xFF, 0x7F],
        Codec::Pcma => [0xD5, 0x55],
        Codec::G722 | Codec::Opus => return false,
    };
    payload.iter().all(|sample| nothing.contains(sample))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_silence_is_a_pause_until_the_next_sound() {
        let mut pause = Pause::default();
        let silent: Vec<bool> = (0..12).map(|_| pause.put(Codec::Pcma, &[0xD5; 160])).collect();
        assert_eq!(silent.iter().position(|is| *is), Some(10));
        let mut sound = [0x55; 160];
        sound[80] = 0x50;
        assert!(!pause.put(Codec::Pcma, &sound));
        assert!(!pause.put(Codec::Pcma, &[0xD5; 160]));
    }

    #[test]
    fn what_is_silence_in_one_law_is_none_in_the_other() {
        assert!(is_silent(Codec::Pcmu, &[0xFF; 160]) && is_silent(Codec::Pcmu, &[0x7F; 160]));
        assert!(!is_silent(Codec::Pcma, &[0xFF; 160]) && !is_silent(Codec::Pcmu, &[0xD5; 160]));
        assert!(!is_silent(Codec::Opus, &[0xF8, 0xFF, 0xFE]));
    }
}
