//! Calls for which there was no room: told in the log, and not one by one. Callers who are turned away call again, and
//! whoever floods us would fill the journal.

use offhook_units::{Moment, Span};

/// Between two lines.
const TELL_EVERY: Span = Span::from_millis(60_000);

/// What was told of them.
#[derive(Debug, Default)]
pub(super) struct Full {
    /// How many were counted, and how many of them told.
    counted: u64,
    told: u64,
    /// No other line before that.
    quiet_until: Option<Moment>,
}

impl Full {
    /// So many were refused since the start. Gives how many there are to tell of, if it is time to.
    pub(super) fn note(&mut self, now: Moment, counted: u64) -> Option<u64> {
        self.counted = counted;
        let untold = counted.saturating_sub(self.told);
        if untold == 0 || self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        (self.told, self.quiet_until) = (counted, Some(now + TELL_EVERY));
        Some(untold)
    }

    /// When there is something to tell that has to wait.
    pub(super) fn poll_timeout(&self) -> Option<Moment> {
        self.quiet_until.filter(|_| self.counted > self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_a_flood_in_one_line_a_minute() {
        let at = |seconds: u64| Moment::from_millis(1_000 * seconds);
        let mut full = Full::default();
        assert_eq!((full.note(at(0), 0), full.poll_timeout()), (None, None));
        assert_eq!((full.note(at(1), 1), full.poll_timeout()), (Some(1), None));
        assert_eq!((full.note(at(2), 2), full.poll_timeout()), (None, Some(at(61))));
        assert_eq!(full.note(at(60), 5_000), None);
        assert_eq!((full.note(at(61), 5_000), full.poll_timeout()), (Some(4_999), None));
        assert_eq!(full.note(at(500), 5_000), None, "it is over");
        assert_eq!(full.note(at(501), 5_001), Some(1));
    }
}
