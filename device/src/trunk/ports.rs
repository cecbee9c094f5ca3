//! The range of media ports: pairs of RTP and RTCP, each to one call at a time.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

/// The pairs that are free, by their even port.
#[derive(Debug)]
pub(super) struct Ports {
    /// Longest free first, so that a packet of a past call does not meet the next one.
    free: VecDeque<u16>,
}

impl Ports {
    /// All pairs that lie in `range`.
    pub(super) fn new(range: RangeInclusive<u16>) -> Self {
        let (first, last) = range.into_inner();
        Self { free: (first..last).filter(|port| port % 2 == 0).collect() }
    }

    /// The pair that was free longest.
    pub(super) fn take(&mut self) -> Option<u16> {
        self.free.pop_front()
    }

    /// A call has ended, or its pair is taken by another program: it goes to the end of the queue.
    pub(super) fn give_back(&mut self, port: u16) {
        self.free.push_back(port);
    }

    /// Pairs that are free.
    pub(super) fn left(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_lie_wholly_in_the_range_and_come_back_last() {
        let mut ports = Ports::new(40_001..=40_006);
        assert_eq!(
            (ports.left(), ports.take(), ports.take(), ports.take()),
            (2, Some(40_002), Some(40_004), None)
        );
        ports.give_back(40_004);
        ports.give_back(40_002);
        assert_eq!(ports.take(), Some(40_004));
    }

    #[test]
    fn a_range_at_the_end_of_all_ports_has_its_last_pair() {
        assert_eq!(Ports::new(65_534..=65_535).take(), Some(65_534));
        assert_eq!(Ports::new(65_535..=65_535).take(), None);
    }
}
