//! Which words lie where in the stream that the caller hears: what history and resumption are written from.

use std::collections::VecDeque;

/// A place in what is said: the first `chars` characters of a phrase, and so many thousandths of the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) phrase: usize,
    pub(super) chars: u32,
    pub(super) mille: u32,
}

impl Place {
    /// Behind a whole character.
    pub(super) const fn new(phrase: usize, chars: u32) -> Self {
        Self { phrase, chars, mille: 0 }
    }

    /// Characters of its phrase, in thousandths.
    fn milles(self) -> u64 {
        u64::from(self.chars) * 1000 + u64::from(self.mille)
    }
}

/// At `position` of the stream all before `place` is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) position: u64,
    pub(super) place: Place,
}

/// The words of one turn. Positions never go back.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    points: VecDeque<Point>,
}

/// Points of a turn beyond this thin out: half an hour of speech has fewer.
const POINTS_MAX: usize = 50_000;

impl Timeline {
    pub(super) fn add(&mut self, position: u64, place: Place) {
        if let Some(last) = self.points.back_mut() {
            let position = position.max(last.position);
            if place == last.place {
                last.position = position;
                return;
            }
            // A service that counts backwards is not followed.
            if place < last.place || self.points.len() >= POINTS_MAX {
                return;
            }
            self.points.push_back(Point { position, place });
        } else {
            self.points.push_back(Point { position, place });
        }
    }

    /// The phrase ends at `position`: what a service puts behind it, in the quiet that was trimmed off, is over there too.
    pub(super) fn ends(&mut self, position: u64) {
        for point in self.points.iter_mut().rev().take_while(|point| point.position > position) {
            point.position = position;
        }
    }

    /// Forgets what lies behind `position`: it was taken back.
    pub(super) fn cut(&mut self, position: u64) {
        while self.points.back().is_some_and(|last| last.position > position) {
            self.points.pop_back();
        }
    }

    /// What lies behind `place` is said again: it is not over yet.
    pub(super) fn back_to(&mut self, place: Place) {
        while self.points.back().is_some_and(|last| last.place > place) {
            self.points.pop_back();
        }
    }

    /// What is over at `position`. Between two points of one phrase the characters are spread evenly; behind the
    /// last one nothing is claimed.
    pub(super) fn at(&self, position: u64) -> Place {
        let next = self.points.partition_point(|point| point.position <= position);
        let Some(before) = next.checked_sub(1).and_then(|at| self.points.get(at)) else {
            return Place::default();
        };
        match self.points.get(next) {
            Some(after) if after.place.phrase == before.place.phrase => {
                let length = (after.position - before.position).max(1);
                let (from, to) = (before.place.milles(), after.place.milles());
                let milles = from + (to - from) * (position - before.position) / length;
                let (chars, mille) = ((milles / 1000) as u32, (milles % 1000) as u32);
                Place { chars, mille, ..before.place }
            }
            _ => before.place,
        }
    }

    /// Where all before `place` was over, if it was.
    pub(super) fn position_of(&self, place: Place) -> Option<u64> {
        let at = self.points.partition_point(|point| point.place < place);
        self.points.get(at).filter(|point| point.place.phrase == place.phrase).map(|point| point.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Timeline {
        let mut line = Timeline::default();
        for (position, phrase, chars) in [(100, 0, 0), (200, 0, 4), (300, 0, 5), (300, 1, 0), (500, 1, 10)] {
            line.add(position, Place::new(phrase, chars));
        }
        line
    }

    #[test]
    fn what_is_heard_follows_the_points_and_is_spread_between_them() {
        let heard = |position| {
            let Place { phrase, chars, .. } = line().at(position);
            (phrase, chars)
        };
        assert_eq!([heard(0), heard(100), heard(150), heard(199)], [(0, 0), (0, 0), (0, 2), (0, 3)]);
        assert_eq!(
            [heard(200), heard(299), heard(300), heard(400), heard(9_999)],
            [(0, 4), (0, 4), (1, 0), (1, 5), (1, 10)]
        );
    }

    #[test]
    fn a_place_is_found_and_what_was_taken_back_is_gone() {
        let mut line = line();
        assert_eq!(
            (
                line.position_of(Place::new(0, 3)),
                line.position_of(Place::new(0, 4)),
                line.position_of(Place::new(2, 0))
            ),
            (Some(200), Some(200), None)
        );
        line.cut(250);
        assert_eq!(line.at(9_999), Place::new(0, 4));
    }

    #[test]
    fn nothing_of_a_phrase_is_owed_behind_its_end() {
        let mut line = line();
        line.ends(450);
        assert_eq!(
            (line.at(449), line.at(450)),
            (Place { phrase: 1, chars: 9, mille: 933 }, Place::new(1, 10))
        );
        line.ends(450);
        line.add(600, Place::new(2, 0));
        assert_eq!(line.position_of(Place::new(1, 10)), Some(450));
    }

    #[test]
    fn a_service_that_counts_backwards_is_not_followed() {
        let mut line = line();
        line.add(400, Place::new(0, 2));
        line.add(400, Place::new(1, 11));
        assert_eq!(line.at(500), Place::new(1, 11));
    }
}
