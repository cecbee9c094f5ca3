//! A progress bar on stderr, for work that takes long enough and somebody who is looking.

use crate::interrupt::Interrupt;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar, or nothing: where stderr is no terminal nothing is drawn.
#[derive(Debug)]
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar of `length` steps, each drawn as time allows; `label` says what is done.
    pub(super) fn bar(label: &'static str, length: u64, is_long: bool) -> Self {
        if !is_long {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(length).with_message(label);
        if let Ok(style) = ProgressStyle::with_template("{msg:9} [{bar:40}] {percent:>3} %  {eta} left") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(bar)
    }

    /// A line that tells what is going on, where no end is known.
    pub(super) fn line() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So far; `false` when the work is to stop.
    pub(super) fn reach(&self, position: u64, interrupt: &Interrupt) -> bool {
        self.0.set_position(position);
        !interrupt.is_raised()
    }

    /// One step more; `false` when the work is to stop.
    pub(super) fn step(&self, interrupt: &Interrupt) -> bool {
        self.0.inc(1);
        !interrupt.is_raised()
    }

    /// Tells what is going on now.
    pub(super) fn tell(&self, text: String) {
        self.0.set_message(text);
        self.0.tick();
    }
}

/// The bar goes when the work is done or given up, so that what follows begins on a clean line.
impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
