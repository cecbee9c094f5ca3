//! What the lab saw: for tests, and for people who wonder what their client really sends. Bounded: old visits
//! go, and a visit keeps so many texts.

use offhook_units::Moment;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Visits that are kept.
const VISITS: usize = 2000;
/// Texts and notes that are kept of one visit.
const LINES: usize = 400;

/// One connection, or one HTTP request on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Visit {
    /// Counts from 1 in the order of coming.
    pub id: u64,
    /// The path that was asked for; `wyoming` for its raw socket.
    pub path: String,
    /// Its query, as it came.
    pub query: String,
    /// Whether it came over TLS.
    pub tls: bool,
    /// When it came.
    pub opened: Moment,
    /// When it ended and how; `None` while it lasts.
    pub closed: Option<(Moment, String)>,
    /// What was asked to be spoken, or answered: with its context where there is one.
    pub texts: Vec<(String, String)>,
    /// The kinds of messages that came, in their order.
    pub messages: Vec<String>,
    /// Contexts that were opened, in their order.
    pub contexts: Vec<String>,
    /// Most contexts that were open or closing at once.
    pub most_contexts: usize,
    /// Bytes of audio that came.
    pub audio_in: u64,
    /// Bytes of audio that went.
    pub audio_out: u64,
    /// Frames of audio that went.
    pub frames_out: u64,
    /// Frames or tokens that could not be given because the client had gone.
    pub unheard: u64,
}

impl Visit {
    /// Everything that was asked to be spoken, put together.
    pub fn text(&self) -> String {
        self.texts.iter().map(|(_, text)| text.as_str()).collect()
    }

    fn to_json(&self) -> Value {
        json!({
            "id": self.id, "path": self.path, "query": self.query, "tls": self.tls,
            "opened_us": self.opened.as_micros(),
            "closed_us": self.closed.as_ref().map(|(at, _)| at.as_micros()),
            "ending": self.closed.as_ref().map(|(_, how)| how),
            "texts": self.texts.iter().map(|(context, text)| json!({"context": context, "text": text})).collect::<Vec<_>>(),
            "messages": self.messages, "contexts": self.contexts, "most_contexts": self.most_contexts,
            "audio_in": self.audio_in, "audio_out": self.audio_out, "frames_out": self.frames_out,
            "unheard": self.unheard,
        })
    }
}

/// All of it, at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Connections that came since the start, those that are forgotten too.
    pub count: u64,
    /// The visits that are remembered, oldest first.
    pub visits: Vec<Visit>,
}

impl Seen {
    /// The visits to paths that hold `path`.
    pub fn at<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a Visit> {
        self.visits.iter().filter(move |visit| visit.path.contains(path))
    }

    /// How many visits to paths that hold `path` are still there.
    pub fn open_at(&self, path: &str) -> usize {
        self.at(path).filter(|visit| visit.closed.is_none()).count()
    }

    /// As one JSON object, which `GET /lab/seen` gives.
    pub fn to_json(&self) -> Value {
        let open = self.visits.iter().filter(|visit| visit.closed.is_none()).count();
        json!({
            "count": self.count, "open": open,
            "visits": self.visits.iter().map(Visit::to_json).collect::<Vec<_>>(),
        })
    }
}

/// Where the connections' threads write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book(Arc<Mutex<Seen>>);

/// The page of one visit.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    book: Book,
    id: u64,
}

impl Book {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn all(&self) -> Seen {
        self.lock().clone()
    }

    /// Forgets the visits that are over.
    pub(crate) fn forget(&self) {
        self.lock().visits.retain(|visit| visit.closed.is_none());
    }

    pub(crate) fn open(&self, now: Moment, path: &str, query: &str, tls: bool) -> Page {
        let mut seen = self.lock();
        seen.count += 1;
        let id = seen.count;
        if seen.visits.len() >= VISITS {
            seen.visits.remove(0);
        }
        seen.visits.push(Visit {
            id,
            path: path.to_owned(),
            query: query.to_owned(),
            tls,
            opened: now,
            closed: None,
            texts: Vec::new(),
            messages: Vec::new(),
            contexts: Vec::new(),
            most_contexts: 0,
            audio_in: 0,
            audio_out: 0,
            frames_out: 0,
            unheard: 0,
        });
        Page { book: self.clone(), id }
    }
}

impl Page {
    fn write(&self, change: impl FnOnce(&mut Visit)) {
        let mut seen = self.book.lock();
        if let Ok(at) = seen.visits.binary_search_by_key(&self.id, |visit| visit.id)
            && let Some(visit) = seen.visits.get_mut(at)
        {
            change(visit);
        }
    }

    /// Something to be spoken or answered.
    pub(crate) fn text(&self, context: &str, text: &str) {
        self.write(|visit| {
            if visit.texts.len() < LINES {
                visit.texts.push((context.to_owned(), text.to_owned()));
            }
        });
    }

    /// The kind of a message.
    pub(crate) fn message(&self, kind: &str) {
        self.write(|visit| {
            if visit.messages.len() < LINES {
                visit.messages.push(kind.to_owned());
            }
        });
    }

    /// A context was opened; so many are there now.
    pub(crate) fn context(&self, id: &str, open: usize) {
        self.write(|visit| {
            if visit.contexts.len() < LINES {
                visit.contexts.push(id.to_owned());
            }
            visit.most_contexts = visit.most_contexts.max(open);
        });
    }

    pub(crate) fn audio_in(&self, bytes: usize) {
        self.write(|visit| visit.audio_in += bytes as u64);
    }

    pub(crate) fn audio_out(&self, bytes: usize) {
        self.write(|visit| {
            visit.audio_out += bytes as u64;
            visit.frames_out += 1;
        });
    }

    pub(crate) fn unheard(&self, count: usize) {
        self.write(|visit| visit.unheard += count as u64);
    }

    /// The visit is over; the first reason stays.
    pub(crate) fn close(&self, now: Moment, how: &str) {
        self.write(|visit| {
            if visit.closed.is_none() {
                visit.closed = Some((now, how.to_owned()));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_visits_are_forgotten_and_still_counted() {
        let book = Book::default();
        let first = book.open(Moment::ZERO, "/a", "", false);
        for _ in 0..VISITS {
            book.open(Moment::ZERO, "/b", "", false);
        }
        first.text("", "nobody hears this");
        let seen = book.all();
        assert_eq!((seen.count, seen.visits.len()), (VISITS as u64 + 1, VISITS));
        assert_eq!(seen.at("/a").count(), 0);
        assert!(seen.visits.iter().all(|visit| visit.texts.is_empty()));
    }

    #[test]
    fn the_first_ending_stays() {
        let book = Book::default();
        let page = book.open(Moment::ZERO, "/a", "", true);
        assert_eq!(book.all().open_at("/a"), 1);
        page.close(Moment::from_millis(1), "close 1011");
        page.close(Moment::from_millis(2), "gone");
        assert_eq!(book.all().visits[0].closed, Some((Moment::from_millis(1), "close 1011".to_owned())));
        assert_eq!(book.all().open_at("/a"), 0);
    }
}
