//! Pending timers of whatever owns them, in one table.

use offhook_units::Moment;
use std::collections::{BTreeMap, BTreeSet};

/// Timers by name. Each name is due at most once; starting it again moves it.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    by_time: BTreeSet<(Moment, K)>,
    by_name: BTreeMap<K, Moment>,
}

impl<K: Ord + Copy> Timers<K> {
    pub(crate) const fn new() -> Self {
        Self { by_time: BTreeSet::new(), by_name: BTreeMap::new() }
    }

    pub(crate) fn start(&mut self, name: K, at: Moment) {
        if let Some(before) = self.by_name.insert(name, at) {
            self.by_time.remove(&(before, name));
        }
        self.by_time.insert((at, name));
    }

    pub(crate) fn stop(&mut self, name: K) {
        if let Some(at) = self.by_name.remove(&name) {
            self.by_time.remove(&(at, name));
        }
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Moment> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// The next one that is due at `now`, taken out.
    pub(crate) fn pop(&mut self, now: Moment) -> Option<K> {
        if self.next()? > now {
            return None;
        }
        let (_, name) = self.by_time.pop_first()?;
        self.by_name.remove(&name);
        Some(name)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_due_once_and_in_order() {
        let at = Moment::from_millis;
        let mut timers = Timers::new();
        timers.start('b', at(2));
        timers.start('a', at(9));
        timers.start('a', at(1));
        timers.start('c', at(3));
        timers.stop('c');
        assert_eq!((timers.next(), timers.len()), (Some(at(1)), 2));
        assert_eq!(timers.pop(at(0)), None);
        assert_eq!([timers.pop(at(5)), timers.pop(at(5)), timers.pop(at(5))], [Some('a'), Some('b'), None]);
        assert_eq!((timers.next(), timers.len()), (None, 0));
    }
}
