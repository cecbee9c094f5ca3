//! Threads whose end is told, however it comes.

use super::appliance::Event;
use super::supervisor::Part;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::Sender;
use std::thread::{Builder, JoinHandle};

/// What a thread comes to: nothing to say, or why it could not go on.
pub(super) type Outcome = Result<(), String>;

/// Tells that the thread is over when it is dropped: at its end and in a panic alike.
#[derive(Debug)]
pub(super) struct Notice {
    part: Part,
    events: Sender<Event>,
    /// An end that is as it should be is not told.
    is_leaving: Arc<AtomicBool>,
}

impl Notice {
    /// For a thread that belongs to `part`; to be owned by it. `is_leaving` is set before it ends as it should.
    pub(super) const fn of(part: Part, events: Sender<Event>, is_leaving: Arc<AtomicBool>) -> Self {
        Self { part, events, is_leaving }
    }
}

impl Drop for Notice {
    fn drop(&mut self) {
        if !self.is_leaving.load(Relaxed) {
            // Where nobody listens any more the process is at its end.
            let _ = self.events.send(Event::Ended(self.part));
        }
    }
}

/// Starts a thread whose end is told to `events`.
pub(super) fn start(
    part: Part,
    events: &Sender<Event>,
    body: impl FnOnce() -> Outcome + Send + 'static,
) -> io::Result<JoinHandle<Outcome>> {
    let notice = Notice::of(part, events.clone(), Arc::default());
    Builder::new().name(part.name().to_owned()).spawn(move || {
        let _notice = notice;
        body()
    })
}

/// Starts a thread that ends by itself when its work is done: told to `events` is only that it panicked.
pub(super) fn attend(
    name: &str,
    part: Part,
    events: &Sender<Event>,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let notice = Notice::of(part, events.clone(), Arc::default());
    Builder::new().name(name.to_owned()).spawn(move || {
        let notice = notice;
        body();
        notice.is_leaving.store(true, Relaxed);
    })
}

/// What a thread that is over had to say.
pub(super) fn last_words(thread: JoinHandle<Outcome>) -> Option<String> {
    match thread.join() {
        Ok(outcome) => outcome.err(),
        // The panic hook told the rest.
        Err(_panic) => Some("it panicked".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn an_end_is_told_whether_it_is_good_bad_or_a_panic() {
        let (events, told) = channel();
        type Body = fn() -> Outcome;
        let bodies: [(Body, Option<&str>); 3] = [
            (|| Ok(()), None),
            (|| Err("the poll failed".to_owned()), Some("the poll failed")),
            (|| std::panic::resume_unwind(Box::new(())), Some("it panicked")),
        ];
        for (body, words) in bodies {
            let thread = start(Part::Http, &events, body).unwrap();
            assert!(matches!(told.recv(), Ok(Event::Ended(Part::Http))));
            assert_eq!(last_words(thread).as_deref(), words);
        }
    }
    #[test]
    fn of_a_thread_whose_work_ends_only_a_panic_is_told() {
        let (events, told) = channel();
        attend("reports", Part::Reports, &events, || ()).unwrap().join().unwrap();
        let panics = || std::panic::resume_unwind(Box::new(()));
        let panicked = attend("reports", Part::Reports, &events, panics).unwrap().join();
        assert!(panicked.is_err());
        drop(events);
        assert_eq!(told.iter().collect::<Vec<_>>(), [Event::Ended(Part::Reports)]);
    }
}
