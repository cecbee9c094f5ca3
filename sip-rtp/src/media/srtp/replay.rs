//! Which packets came already (RFC 3711 3.3.2): the newest index and a bit for each of those before it.

use super::SrtpError;

/// What came of one source. Twice the window that RFC 3711 asks for at least, for jittery networks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    newest: u64,
    /// Bit n: `newest - n` came.
    seen: u128,
}

impl Window {
    /// How far back it remembers.
    const SIZE: u64 = 128;

    /// A window in which only `first` came.
    pub(super) const fn starting_with(first: u64) -> Self {
        Self { newest: first, seen: 1 }
    }

    /// The newest index that came.
    pub(super) const fn newest(&self) -> u64 {
        self.newest
    }

    /// Whether `index` may come, without noting that it did.
    pub(super) fn check(&self, index: u64) -> Result<(), SrtpError> {
        match self.newest.checked_sub(index) {
            None => Ok(()),
            Some(age) if age >= Self::SIZE => Err(SrtpError::TooOld),
            Some(age) if self.seen >> age & 1 == 1 => Err(SrtpError::Replayed),
            Some(_) => Ok(()),
        }
    }

    /// Notes that `index` came; only for what [`Window::check`] let pass.
    pub(super) fn note(&mut self, index: u64) {
        match self.newest.checked_sub(index) {
            Some(age) => self.seen |= 1_u128.checked_shl(age.min(u64::from(u32::MAX)) as u32).unwrap_or(0),
            None => {
                let step = index - self.newest;
                self.seen = if step < Self::SIZE { self.seen << step | 1 } else { 1 };
                self.newest = index;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_borders_of_the_window() {
        let mut window = Window::starting_with(1_000);
        assert_eq!(window.check(1_000), Err(SrtpError::Replayed));
        assert_eq!(window.check(873), Ok(()));
        assert_eq!(window.check(872), Err(SrtpError::TooOld));
        window.note(873);
        assert_eq!(window.check(873), Err(SrtpError::Replayed));
        window.note(1_001);
        assert_eq!(window.check(873), Err(SrtpError::TooOld));
        assert_eq!(window.check(1_000), Err(SrtpError::Replayed));
        window.note(u64::MAX);
        assert_eq!(window.check(u64::MAX - 127), Ok(()));
    }

    proptest! {
        #[test]
        fn it_remembers_as_a_set_would(first in 0..500_u64, indices in proptest::collection::vec(0..700_u64, 0..300)) {
            let mut window = Window::starting_with(first);
            let mut came = BTreeSet::from([first]);
            for index in indices {
                let newest = *came.last().expect("never empty");
                let expected = if came.contains(&index) && index + 128 > newest {
                    Err(SrtpError::Replayed)
                } else if index + 128 <= newest {
                    Err(SrtpError::TooOld)
                } else {
                    Ok(())
                };
                prop_assert_eq!(window.check(index), expected);
                if expected.is_ok() {
                    window.note(index);
                    came.insert(index);
                }
            }
        }
    }
}
