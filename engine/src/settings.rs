//! Real-time: plain values, copied in when a call starts or the configuration is reloaded.

use offhook_units::Span;

/// What a field tech may tune. Made and checked by the configuration; the engine takes it as it is,
/// but keeps to sane bounds whatever it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The least delay the buffer may aim for. The packet itself counts: a 20 ms packet that is played
    /// the moment it comes has a delay of 20 ms.
    pub min_delay: Span,
    /// What a call starts from, until its line is known.
    pub start_delay: Span,
    /// The buffer never holds more than this.
    pub max_delay: Span,
    /// How far the speed may leave 100 % while somebody speaks, as a fraction (0.05 is ±5 %).
    pub max_speed_change: f32,
}

/// No call is played later than this.
const MOST_DELAY: Span = Span::from_millis(500);
/// Speech is not changed faster than this, whatever is asked.
const MOST_SPEED_CHANGE: f32 = 0.25;

impl Settings {
    /// The nearest settings that the engine can keep to.
    pub(crate) fn bounded(self) -> Self {
        let max_delay = self.max_delay.clamp(Span::ZERO, MOST_DELAY);
        let min_delay = self.min_delay.clamp(Span::ZERO, max_delay);
        let change = if self.max_speed_change.is_finite() { self.max_speed_change } else { 0.0 };
        Self {
            min_delay,
            start_delay: self.start_delay.clamp(min_delay, max_delay),
            max_delay,
            max_speed_change: change.clamp(0.0, MOST_SPEED_CHANGE),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_delay: Span::from_millis(20),
            start_delay: Span::from_millis(100),
            max_delay: Span::from_millis(500),
            max_speed_change: 0.05,
        }
    }
}
