//! Which sockets have something to read. Each is read a little in its turn, so that a flood at one delays the others
//! by its turn and no more.

use mio::Token;
use std::collections::{BTreeSet, VecDeque};

/// Sockets in the order of their turns, each once.
#[derive(Debug, Default)]
pub(super) struct Ready {
    turns: VecDeque<Token>,
    waiting: BTreeSet<Token>,
}

impl Ready {
    /// `token` has something to read, or may have: its turn comes behind the others'.
    pub(super) fn add(&mut self, token: Token) {
        if self.waiting.insert(token) {
            self.turns.push_back(token);
        }
    }

    /// The next in turn. It is to be [`Self::add`]ed again if it was not read to its end.
    pub(super) fn take(&mut self) -> Option<Token> {
        let token = self.turns.pop_front()?;
        self.waiting.remove(&token);
        Some(token)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.turns.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_not_done_comes_behind_the_others() {
        let mut ready = Ready::default();
        for token in [1, 2, 1, 3] {
            ready.add(Token(token));
        }
        let flood = ready.take();
        assert_eq!((flood, ready.len()), (Some(Token(1)), 2));
        ready.add(Token(1));
        assert_eq!([ready.take(), ready.take(), ready.take()], [2, 3, 1].map(|token| Some(Token(token))));
        assert_eq!(ready.take(), None);
    }
}
