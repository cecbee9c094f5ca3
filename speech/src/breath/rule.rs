//! Where speech breathes by itself: at a pause, once enough was said on the last breath. A short exchange
//! never gets there, so it has no breath at all.

use super::BreathKind;
use crate::Random;

/// When breaths come by themselves. Lengths are in characters of text: some 14 a second are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreathRule {
    /// Whether they do at all. Tags in the text work either way.
    pub automatic: bool,
    /// The least that is said on one breath; the threshold is drawn anew after each breath between this
    /// and [`BreathRule::most_chars`].
    pub least_chars: u32,
    /// The upper end of that threshold.
    pub most_chars: u32,
    /// A sentence at least this long is worth a deep breath before it.
    pub deep_before_chars: u32,
}

impl Default for BreathRule {
    fn default() -> Self {
        Self { automatic: true, least_chars: 90, most_chars: 150, deep_before_chars: 140 }
    }
}

/// How much was spoken since the last breath.
#[derive(Clone, Debug)]
pub struct Spoken {
    rule: BreathRule,
    chars: u32,
    threshold: u32,
}

impl Spoken {
    /// Nothing yet.
    pub const fn new(rule: BreathRule, random: &mut Random) -> Self {
        Self { rule, chars: 0, threshold: random.whole_between(rule.least_chars, rule.most_chars) }
    }

    /// So many more characters.
    pub const fn add(&mut self, chars: u32) {
        self.chars = self.chars.saturating_add(chars);
    }

    /// A breath was taken.
    pub const fn breathed(&mut self, random: &mut Random) {
        *self = Self::new(self.rule, random);
    }

    /// The breath to take between two sentences, the next of which has `next_chars`.
    pub const fn between_sentences(&self, next_chars: u32) -> Option<BreathKind> {
        if !self.rule.automatic || self.chars < self.threshold {
            return None;
        }
        let much =
            self.chars >= self.threshold.saturating_mul(2) || next_chars >= self.rule.deep_before_chars;
        Some(if much { BreathKind::Deep } else { BreathKind::Normal })
    }

    /// The breath to take at a comma: a quick one, and only when a full breath is long overdue.
    pub const fn within_sentence(&self) -> Option<BreathKind> {
        if self.rule.automatic && self.chars >= self.threshold.saturating_mul(2) {
            Some(BreathKind::Quick)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(chars: u32) -> Spoken {
        let mut spoken = Spoken::new(BreathRule::default(), &mut Random::new(1));
        spoken.add(chars);
        spoken
    }

    #[test]
    fn a_short_exchange_has_no_breath() {
        assert_eq!(after(0).between_sentences(500), None);
        assert_eq!(after(89).between_sentences(500), None);
        assert_eq!(after(89).within_sentence(), None);
    }

    #[test]
    fn the_more_was_said_the_deeper_the_breath() {
        assert_eq!(after(150).between_sentences(40), Some(BreathKind::Normal));
        assert_eq!(after(150).between_sentences(140), Some(BreathKind::Deep));
        assert_eq!(after(300).between_sentences(40), Some(BreathKind::Deep));
        assert_eq!(after(150).within_sentence(), None);
        assert_eq!(after(300).within_sentence(), Some(BreathKind::Quick));
    }

    #[test]
    fn a_breath_starts_the_count_anew_and_the_rule_can_be_off() {
        let mut spoken = after(300);
        spoken.breathed(&mut Random::new(2));
        assert_eq!(spoken.between_sentences(200), None);
        let silent = BreathRule { automatic: false, ..BreathRule::default() };
        let mut spoken = Spoken::new(silent, &mut Random::new(1));
        spoken.add(1_000);
        assert_eq!((spoken.between_sentences(200), spoken.within_sentence()), (None, None));
    }
}
