//! Mean, median, the hundredth and the dearest of many times.

use std::fmt;

/// Nanoseconds, one for each pull.
#[derive(Clone, Debug, Default)]
pub struct Figures(Vec<u64>);

impl Figures {
    pub fn note(&mut self, ns: u64) {
        self.0.push(ns);
    }

    pub fn mean_ns(&self) -> f64 {
        self.0.iter().sum::<u64>() as f64 / self.0.len().max(1) as f64
    }

    /// The time that this share of the pulls stays below.
    pub fn quantile_ns(&self, share: f64) -> u64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() as f64 * share) as usize;
        sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0)
    }

    pub fn dearest_ns(&self) -> u64 {
        self.quantile_ns(1.0)
    }

    /// Of several runs over the same packets the least time of each pull: what the machine did beside is not ours.
    #[must_use]
    pub fn least_of(runs: &[Self]) -> Self {
        let pulls = runs.iter().map(|run| run.0.len()).min().unwrap_or(0);
        Self((0..pulls).filter_map(|i| runs.iter().map(|run| run.0[i]).min()).collect())
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |ns: f64| ns / 1000.0;
        write!(
            f,
            "{:>8.2} {:>8.2} {:>8.2} {:>8.2}",
            us(self.mean_ns()),
            us(self.quantile_ns(0.5) as f64),
            us(self.quantile_ns(0.99) as f64),
            us(self.dearest_ns() as f64)
        )
    }
}
