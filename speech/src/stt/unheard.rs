//! Whether the caller said something that nobody hears: who waits for an answer then must be told that none comes.

use offhook_units::{Moment, Span};

/// Speech of so long, by the appliance's own ears, is no cough.
pub(crate) const HEARD: Span = Span::from_millis(500);
/// Who is there again hears what was kept, and soon has a word about it.
const ANSWERS: Span = Span::from_millis(1_500);

/// What is known of it.
#[derive(Debug)]
pub(crate) struct Unheard {
    /// From the end of what the caller says, or its loss, to telling so: somebody may yet hear it.
    patience: Span,
    began: Option<Moment>,
    was_long: bool,
    is_lost: bool,
    due: Option<Moment>,
}

impl Unheard {
    pub(crate) const fn new(patience: Span) -> Self {
        Self { patience, began: None, was_long: false, is_lost: false, due: None }
    }

    /// Whether the caller speaks.
    pub(crate) fn caller_speaks(&mut self, now: Moment, speaks: bool) {
        if speaks {
            self.began = self.began.or(Some(now));
            self.was_long &= self.is_lost;
            self.due = None;
        } else if let Some(began) = self.began.take() {
            self.was_long |= now >= began + HEARD;
            self.settle(now);
        }
    }

    /// Nobody hears what the caller says, or said just now.
    pub(crate) fn lost(&mut self, now: Moment) {
        self.is_lost = true;
        self.settle(now);
    }

    /// Somebody is there again, and is told what was said.
    pub(crate) fn may_hear(&mut self, now: Moment) {
        match self.due {
            Some(due) => self.due = Some(due.max(now + ANSWERS)),
            None => self.heard(),
        }
    }

    /// Somebody does.
    pub(crate) const fn heard(&mut self) {
        (self.is_lost, self.was_long, self.due) = (false, false, None);
    }

    /// When it is to be told.
    pub(crate) const fn due(&self) -> Option<Moment> {
        self.due
    }

    /// Whether it is to be told now; it is told once.
    pub(crate) fn tell(&mut self, now: Moment) -> bool {
        let is_due = self.due.is_some_and(|due| now >= due);
        if is_due {
            self.heard();
        }
        is_due
    }

    fn settle(&mut self, now: Moment) {
        if self.is_lost && self.was_long && self.began.is_none() {
            self.due = self.due.or(Some(now + self.patience));
        }
    }
}
