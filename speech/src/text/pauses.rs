//! How long the pauses are: a range for each kind (C3), a length drawn from it, and the speech rate.

use crate::Random;
use offhook_units::Span;
use std::fmt;

/// What a pause stands for. In C3 "sentence" and "full stop" are two ranges. Here a *full stop* is a
/// sentence that says so with its mark; a *sentence* is any other that ends: with an exclamation mark, with
/// three dots, or with its line or list item and no mark at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PauseKind {
    /// After a sentence that ends without a full stop or a question mark.
    Sentence,
    /// After a comma, a colon, a semicolon, a dash.
    Comma,
    /// After a full stop.
    FullStop,
    /// After a question.
    Question,
    /// Before an emphasised word.
    Emphasis,
}

impl PauseKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Sentence, Self::Comma, Self::FullStop, Self::Question, Self::Emphasis];

    /// The name in tables and in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sentence => "sentence",
            Self::Comma => "comma",
            Self::FullStop => "full stop",
            Self::Question => "question",
            Self::Emphasis => "emphasis",
        }
    }
}

impl fmt::Display for PauseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Shortest and longest pause of a kind, at the normal speech rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PauseRange {
    low_ms: u32,
    high_ms: u32,
}

impl PauseRange {
    /// Longer pauses than this sound as if the line were dead.
    pub const LONGEST_MS: u32 = 3_000;

    /// From `low_ms` to `high_ms`.
    ///
    /// # Errors
    /// [`BadPauseRange`] when the two are the wrong way round or beyond [`PauseRange::LONGEST_MS`].
    pub const fn new(low_ms: u32, high_ms: u32) -> Result<Self, BadPauseRange> {
        if low_ms > high_ms || high_ms > Self::LONGEST_MS {
            return Err(BadPauseRange { low_ms, high_ms });
        }
        Ok(Self { low_ms, high_ms })
    }

    /// The shortest, in milliseconds.
    pub const fn low_ms(self) -> u32 {
        self.low_ms
    }

    /// The longest, in milliseconds.
    pub const fn high_ms(self) -> u32 {
        self.high_ms
    }
}

/// A range that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPauseRange {
    /// The lower end that was given.
    pub low_ms: u32,
    /// The upper end that was given.
    pub high_ms: u32,
}

impl fmt::Display for BadPauseRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high, longest) = (self.low_ms, self.high_ms, PauseRange::LONGEST_MS);
        write!(
            f,
            "a pause of {low} to {high} ms: the first must not be above the second, nor that above {longest} ms"
        )
    }
}

impl std::error::Error for BadPauseRange {}

/// A range for each kind of pause. The default is C3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PauseTable {
    /// For [`PauseKind::Sentence`].
    pub sentence: PauseRange,
    /// For [`PauseKind::Comma`].
    pub comma: PauseRange,
    /// For [`PauseKind::FullStop`].
    pub full_stop: PauseRange,
    /// For [`PauseKind::Question`].
    pub question: PauseRange,
    /// For [`PauseKind::Emphasis`].
    pub emphasis: PauseRange,
}

impl PauseTable {
    /// The range of `kind`.
    pub const fn range(&self, kind: PauseKind) -> PauseRange {
        match kind {
            PauseKind::Sentence => self.sentence,
            PauseKind::Comma => self.comma,
            PauseKind::FullStop => self.full_stop,
            PauseKind::Question => self.question,
            PauseKind::Emphasis => self.emphasis,
        }
    }

    /// The length of the next pause of this kind.
    pub fn draw(&self, kind: PauseKind, rate: SpeechRate, random: &mut Random) -> Span {
        let range = self.range(kind);
        let normal_ms = random.between(range.low_ms as f32, range.high_ms as f32);
        Span::from_micros((normal_ms * 1000.0 / rate.get()) as i64)
    }
}

impl Default for PauseTable {
    fn default() -> Self {
        let range = |low_ms, high_ms| PauseRange { low_ms, high_ms };
        Self {
            sentence: range(300, 500),
            comma: range(100, 200),
            full_stop: range(400, 600),
            question: range(500, 700),
            emphasis: range(150, 250),
        }
    }
}

/// How fast somebody speaks: 1 is normal, 2 twice as fast. Pauses are divided by it.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct SpeechRate(f32);

impl SpeechRate {
    /// Neither fast nor slow.
    pub const NORMAL: Self = Self(1.0);

    /// A rate of 0.5 to 2; what lies outside is taken to the nearer end, and what is no number to 1.
    pub const fn new(rate: f32) -> Self {
        if rate.is_nan() { Self::NORMAL } else { Self(rate.clamp(0.5, 2.0)) }
    }

    /// The factor.
    pub const fn get(self) -> f32 {
        self.0
    }
}

/// Measures how fast a voice speaks against the pace that is normal for it.
#[derive(Clone, Debug)]
pub struct RateMeter {
    normal_chars_per_s: f32,
    /// Smoothed.
    chars_per_s: f32,
}

impl RateMeter {
    /// English read aloud at its usual 160 words a minute (5.5 characters a word with its space).
    pub const NORMAL_CHARS_PER_S: f32 = 14.5;

    /// A meter for a voice whose normal pace is `normal_chars_per_s`.
    pub const fn new(normal_chars_per_s: f32) -> Self {
        Self { normal_chars_per_s, chars_per_s: normal_chars_per_s }
    }

    /// `text` took `length` to speak, its own silences left out.
    pub fn measured(&mut self, text: &str, length: Span) {
        let chars = text.chars().count();
        // A word or two tell more about themselves than about the pace.
        if chars < 15 || length.as_micros() < 300_000 {
            return;
        }
        let now = chars as f32 * 1e6 / length.as_micros() as f32;
        // The weight of one phrase: a change of pace is followed within some ten of them.
        const WEIGHT: f32 = 0.15;
        self.chars_per_s += WEIGHT * (now - self.chars_per_s);
    }

    /// The rate. Sentences differ by their words; a measurement within a fifth of the normal pace counts as
    /// the normal pace, so that pauses keep their ranges to the letter with a voice that is not hurried.
    pub fn rate(&self) -> SpeechRate {
        const NORMAL_WITHIN: f32 = 0.2;
        let rate = self.chars_per_s / self.normal_chars_per_s;
        if (rate - 1.0).abs() <= NORMAL_WITHIN { SpeechRate::NORMAL } else { SpeechRate::new(rate) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn_ms(kind: PauseKind, rate: f32) -> Vec<f32> {
        let pauses = PauseTable::default();
        let mut random = Random::new(3);
        (0..1000).map(|_| pauses.draw(kind, SpeechRate::new(rate), &mut random).as_millis_f32()).collect()
    }

    #[test]
    fn c3_pauses_stay_in_their_ranges_and_fill_them() {
        for (kind, low, high) in [
            (PauseKind::Sentence, 300.0, 500.0),
            (PauseKind::Comma, 100.0, 200.0),
            (PauseKind::FullStop, 400.0, 600.0),
            (PauseKind::Question, 500.0, 700.0),
            (PauseKind::Emphasis, 150.0, 250.0),
        ] {
            let all = drawn_ms(kind, 1.0);
            let (least, most) = all.iter().fold((f32::MAX, 0.0f32), |(l, m), &x| (l.min(x), m.max(x)));
            assert!(least >= low - 0.001 && most <= high, "{kind}: {least} to {most}");
            assert!(most - least > 0.95 * (high - low), "{kind} hardly varies: {least} to {most}");
        }
    }

    #[test]
    fn c3_fast_speech_has_short_pauses() {
        assert!(drawn_ms(PauseKind::FullStop, 2.0).iter().all(|ms| (199.9..=300.0).contains(ms)));
        assert!(drawn_ms(PauseKind::FullStop, 0.5).iter().all(|ms| (799.9..=1200.0).contains(ms)));
    }

    #[test]
    fn ranges_are_checked() {
        assert_eq!(PauseRange::new(500, 300), Err(BadPauseRange { low_ms: 500, high_ms: 300 }));
        assert!(PauseRange::new(0, 3_001).is_err_and(|e| e.to_string().contains("3000 ms")));
        assert_eq!(PauseRange::new(300, 500), Ok(PauseTable::default().sentence));
        assert_eq!(SpeechRate::new(f32::NAN), SpeechRate::NORMAL);
        assert_eq!(SpeechRate::new(9.0).get(), 2.0);
    }

    #[test]
    fn the_measured_rate_ignores_the_usual_and_follows_the_rest() {
        let mut meter = RateMeter::new(14.5);
        assert_eq!(meter.rate(), SpeechRate::NORMAL);
        let sentence = "Thank you for calling, your appointment is Monday."; // 50 characters
        meter.measured(sentence, Span::from_millis(3_100));
        assert_eq!(meter.rate(), SpeechRate::NORMAL, "16 a second is still normal");
        meter.measured("Yes.", Span::from_millis(2_000));
        assert_eq!(meter.rate(), SpeechRate::NORMAL, "one word tells nothing");
        for _ in 0..40 {
            meter.measured(sentence, Span::from_millis(2_000));
        }
        assert!((meter.rate().get() - 25.0 / 14.5).abs() < 0.02, "{:?}", meter.rate());
    }
}
