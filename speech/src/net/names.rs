//! Names to addresses. The system's resolver blocks, for half a minute where no name server answers: each name is looked
//! up on a thread of its own, once however many connections wait for it, and only so many names at a time.

use mio::Waker;
use std::collections::{HashSet, VecDeque};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Threads at once. A device has fewer services than this.
const AT_ONCE: usize = 8;
/// Names that wait for one of them; what is above it has no address.
const WAITING_MAX: usize = 64;

/// A host and its port.
pub(super) type Name = (String, u16);
type Found = (Name, Vec<SocketAddr>);
type LookUp = Arc<dyn Fn(&Name) -> Vec<SocketAddr> + Send + Sync>;

/// All look-ups. Calling order: [`Names::ask`]; [`Names::poll`] whenever the waker has woken somebody.
pub(super) struct Names {
    look_up: LookUp,
    waker: Arc<Waker>,
    running: HashSet<Name>,
    waiting: VecDeque<Name>,
    found: Receiver<Found>,
    finder: Sender<Found>,
}

impl Names {
    /// By the system's resolver.
    pub(super) fn new(waker: Arc<Waker>) -> Self {
        Self::with(waker, Arc::new(|name| name.to_socket_addrs().map(Iterator::collect).unwrap_or_default()))
    }

    /// By another one.
    pub(super) fn with(waker: Arc<Waker>, look_up: LookUp) -> Self {
        let (finder, found) = channel();
        Self { look_up, waker, running: HashSet::new(), waiting: VecDeque::new(), found, finder }
    }

    /// Looks a name up, unless that is going on already.
    pub(super) fn ask(&mut self, name: Name) {
        if self.running.contains(&name) || self.waiting.contains(&name) {
            return;
        }
        if self.running.len() < AT_ONCE {
            self.start(name);
        } else if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back(name);
        } else {
            self.has_none(name);
        }
    }

    /// Told like any other: whoever waits for it may wait for nothing else.
    fn has_none(&self, name: Name) {
        let _ = self.finder.send((name, Vec::new()));
        let _ = self.waker.wake();
    }

    fn start(&mut self, name: Name) {
        let (look_up, finder, waker) =
            (Arc::clone(&self.look_up), self.finder.clone(), Arc::clone(&self.waker));
        let wanted = name.clone();
        let spawned = std::thread::Builder::new().name("look-up".to_owned()).spawn(move || {
            let addresses = look_up(&wanted);
            let _ = finder.send((wanted, addresses));
            let _ = waker.wake();
        });
        match spawned {
            Ok(_) => drop(self.running.insert(name)),
            Err(_) => self.has_none(name),
        }
    }

    /// The next name that was looked up; it has no address when there are none.
    pub(super) fn poll(&mut self) -> Option<Found> {
        let found = self.found.try_recv().ok()?;
        self.running.remove(&found.0);
        if self.running.len() < AT_ONCE
            && let Some(name) = self.waiting.pop_front()
        {
            self.start(name);
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Condvar, Mutex};

    /// A resolver that hangs until it is let go, and counts who asks.
    #[derive(Default)]
    struct Hung {
        asked: AtomicUsize,
        free: Mutex<bool>,
        freed: Condvar,
    }

    fn names(hung: &Arc<Hung>) -> (Names, Poll) {
        let poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
        let hung = Arc::clone(hung);
        let look_up = move |name: &Name| {
            hung.asked.fetch_add(1, Ordering::SeqCst);
            let free = hung.free.lock().unwrap();
            drop(hung.freed.wait_while(free, |free| !*free).unwrap());
            vec![SocketAddr::from(([127, 0, 0, 1], name.1))]
        };
        (Names::with(waker, Arc::new(look_up)), poll)
    }

    fn name(n: u16) -> Name {
        (format!("host-{n}"), n)
    }

    #[test]
    fn a_thousand_calls_and_a_resolver_that_hangs_cost_a_thread_for_each_name_and_eight_in_all() {
        let hung = Arc::new(Hung::default());
        let (mut names, mut poll) = names(&hung);
        for call in 0..1_000 {
            names.ask(name(1 + call % 2));
        }
        assert_eq!(names.running.len(), 2);
        for n in 3..=100 {
            names.ask(name(n));
        }
        assert_eq!((names.running.len(), names.waiting.len()), (AT_ONCE, WAITING_MAX));
        // 28 have no place, and nobody waits for the resolver to hear that.
        let mut woken = mio::Events::with_capacity(4);
        poll.poll(&mut woken, Some(std::time::Duration::from_secs(10))).unwrap();
        assert!(!woken.is_empty());
        let refused: Vec<Found> = std::iter::from_fn(|| names.poll()).collect();
        assert_eq!(refused.len(), 100 - AT_ONCE - WAITING_MAX);
        assert!(refused.iter().all(|(_, addresses)| addresses.is_empty()));

        *hung.free.lock().unwrap() = true;
        hung.freed.notify_all();
        let mut found = Vec::new();
        while found.len() < AT_ONCE + WAITING_MAX {
            poll.poll(&mut mio::Events::with_capacity(4), Some(std::time::Duration::from_millis(50)))
                .unwrap();
            while let Some((name, addresses)) = names.poll() {
                assert_eq!(addresses, [SocketAddr::from(([127, 0, 0, 1], name.1))]);
                found.push(name.1);
            }
            assert!(names.running.len() <= AT_ONCE);
        }
        found.sort_unstable();
        assert_eq!(found, (1..=72).collect::<Vec<_>>(), "each once");
        assert_eq!(hung.asked.load(Ordering::SeqCst), 72);
        assert!(names.running.is_empty() && names.waiting.is_empty());
    }
}
