//! What name servers said, for as long as they said, and longer when they say nothing more (RFC 8767).

use super::record::{Question, Records};
use offhook_units::{Moment, Span};
use std::collections::BTreeMap;

/// Shorter than this is not believed: it would be asked at every look.
const SHORTEST: Span = Span::from_millis(5_000);
const LONGEST: Span = Span::from_millis(86_400_000);
/// How long "there is none" holds when nobody says (RFC 2308 5), and at most.
const NONE_USUAL: Span = Span::from_millis(30_000);
const NONE_LONGEST: Span = Span::from_millis(300_000);
/// How long after its end an answer still serves where no new one is to be had: a week.
const STALE_LONGEST: Span = Span::from_millis(7 * 86_400_000);
/// How long a question that found no answer is not asked again. Longer than another question may take meanwhile (three
/// servers, three rounds: 21 s), or the two would wait for each other for ever.
const FAILED_FOR: Span = Span::from_millis(25_000);
/// Answers that are kept. A handful of trunks asks for some dozens.
const MAX_ENTRIES: usize = 512;

/// What is known of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known<'a> {
    /// This, until then.
    Fresh(&'a Records, Moment),
    /// This held once, and nobody says anything newer now.
    Stale(&'a Records),
    /// Nobody knows, just now.
    Failed,
    /// It is to be asked.
    Unknown,
}

#[derive(Debug)]
struct Entry {
    records: Records,
    until: Moment,
}

/// Answers by question.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: BTreeMap<Question, Entry>,
    /// Questions that found no answer, and until when they are left alone.
    failed: BTreeMap<Question, Moment>,
}

impl Cache {
    /// What is known of `question`.
    pub(super) fn look(&self, now: Moment, question: &Question) -> Known<'_> {
        let entry = self.entries.get(question);
        if let Some(entry) = entry.filter(|e| e.until > now) {
            return Known::Fresh(&entry.records, entry.until);
        }
        if self.failed.get(question).is_none_or(|until| *until <= now) {
            return Known::Unknown;
        }
        match entry.filter(|e| now.since(e.until) <= STALE_LONGEST && !e.records.is_none()) {
            Some(entry) => Known::Stale(&entry.records),
            None => Known::Failed,
        }
    }

    /// Keeps an answer.
    pub(super) fn put(&mut self, now: Moment, question: Question, records: Records, ttl_s: u32) {
        let ttl = Span::from_millis(i64::from(ttl_s) * 1000);
        self.keep(question, records, now + ttl.clamp(SHORTEST, LONGEST));
    }

    /// Keeps "there is none".
    pub(super) fn put_none(&mut self, now: Moment, question: Question, ttl_s: Option<u32>) {
        let ttl = ttl_s.map_or(NONE_USUAL, |s| Span::from_millis(i64::from(s) * 1000));
        let none = Records::none(question.kind);
        self.keep(question, none, now + ttl.clamp(SHORTEST, NONE_LONGEST));
    }

    /// Notes that nobody answered. What was known before stays.
    pub(super) fn put_failed(&mut self, now: Moment, question: Question) {
        self.failed.retain(|_, until| *until > now);
        self.failed.insert(question, now + FAILED_FOR);
    }

    /// Everything is to be asked again; until then it serves on.
    pub(super) fn outdate(&mut self, now: Moment) {
        for entry in self.entries.values_mut() {
            entry.until = entry.until.min(now);
        }
        self.failed.clear();
    }

    /// Forgets what there is none of, and who did not answer: who found nothing at all asks sooner than that would end.
    pub(super) fn forget_none(&mut self) {
        self.entries.retain(|_, entry| !entry.records.is_none());
        self.failed.clear();
    }

    fn keep(&mut self, question: Question, records: Records, until: Moment) {
        self.failed.remove(&question);
        if self.entries.len() >= MAX_ENTRIES && !self.entries.contains_key(&question) {
            let oldest = self.entries.iter().min_by_key(|(_, e)| e.until).map(|(q, _)| q.clone());
            oldest.and_then(|q| self.entries.remove(&q));
        }
        self.entries.insert(question, Entry { records, until });
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Kind;
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1000)
    }

    fn question(name: &str) -> Question {
        Question::new(name, Kind::A)
    }

    fn addr(last: u8) -> Records {
        Records::Addrs(vec![[192, 0, 2, last].into()])
    }

    #[test]
    fn an_answer_holds_for_its_time_and_serves_on_when_nobody_answers() {
        let mut cache = Cache::default();
        assert_eq!(cache.look(at(0), &question("a")), Known::Unknown);
        cache.put(at(0), question("a"), addr(1), 60);
        assert_eq!(cache.look(at(59), &question("a")), Known::Fresh(&addr(1), at(60)));
        assert_eq!(cache.look(at(60), &question("a")), Known::Unknown, "to be asked again");
        cache.put_failed(at(62), question("a"));
        assert_eq!(cache.look(at(63), &question("a")), Known::Stale(&addr(1)));
        assert_eq!(cache.look(at(87), &question("a")), Known::Unknown, "and again");
        cache.put_failed(at(8 * 86_400), question("a"));
        assert_eq!(cache.look(at(8 * 86_400), &question("a")), Known::Failed, "a week is enough");
    }

    #[test]
    fn that_there_is_none_is_kept_for_minutes_at_most_and_never_stale() {
        let mut cache = Cache::default();
        cache.put_none(at(0), question("a"), None);
        let none = Records::none(Kind::A);
        assert_eq!(cache.look(at(29), &question("a")), Known::Fresh(&none, at(30)));
        cache.put_none(at(0), question("b"), Some(86_400));
        assert_eq!(cache.look(at(299), &question("b")), Known::Fresh(&none, at(300)));
        cache.put_failed(at(301), question("b"));
        assert_eq!(cache.look(at(302), &question("b")), Known::Failed);
        cache.put_none(at(400), question("b"), None);
        cache.put(at(400), question("c"), addr(1), 60);
        cache.forget_none();
        assert_eq!(cache.look(at(401), &question("b")), Known::Unknown);
        assert!(matches!(cache.look(at(401), &question("c")), Known::Fresh(..)));
    }

    #[test]
    fn what_is_outdated_is_asked_again_and_serves_until_then() {
        let mut cache = Cache::default();
        cache.put(at(0), question("a"), addr(1), 3600);
        cache.outdate(at(10));
        assert_eq!(cache.look(at(10), &question("a")), Known::Unknown);
        cache.put_failed(at(12), question("a"));
        assert_eq!(cache.look(at(13), &question("a")), Known::Stale(&addr(1)));
    }

    #[test]
    fn a_ttl_of_nothing_does_not_make_us_ask_all_the_time() {
        let mut cache = Cache::default();
        cache.put(at(0), question("a"), addr(1), 0);
        assert_eq!(cache.look(at(4), &question("a")), Known::Fresh(&addr(1), at(5)));
        cache.put(at(0), question("b"), addr(1), u32::MAX);
        assert_eq!(cache.look(at(0), &question("b")), Known::Fresh(&addr(1), at(86_400)));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut cache = Cache::default();
        for i in 0..2000u32 {
            cache.put(at(0), question(&format!("n{i}")), addr(1), 60 + i);
            cache.put_failed(at(u64::from(i)), question(&format!("f{i}")));
        }
        assert_eq!(cache.entries.len(), MAX_ENTRIES);
        assert!(cache.failed.len() <= 26);
    }
}
