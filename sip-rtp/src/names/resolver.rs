//! Keeps names resolved, for as long as somebody wants them.
//!
//! Calling order: [`Resolver::watch`] for each name; then [`Resolver::handle_input`] with what name servers send,
//! [`Resolver::handle_timeout`] when [`Resolver::poll_timeout`] is due, and after each of them
//! [`Resolver::poll_output`] until `None`. Each question should leave from a port of its own: with the number in it,
//! that is what a forger has to guess.

use super::cache::Cache;
pub use super::exchange::Wire;
use super::exchange::{Exchange, Next};
use super::hosts::Hosts;
pub use super::locate::{Failure, Families};
use super::locate::{Look, Walk};
use super::record::Question;
use super::target::Target;
use super::wire::{self, Answer};
use crate::sip::ids::Ids;
use crate::sip::transport::{Peer, Transport};
use offhook_units::{Moment, Span};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

/// After a failure: doubled each time up to the longest, so that a trunk is back within half a minute.
const FIRST_AGAIN_MS: u64 = 2_000;
const LONGEST_AGAIN_MS: u64 = 15_000;
/// The same for a doubtful answer: there are servers meanwhile, and a router that swallows every question for NAPTR
/// will go on to.
const DOUBTFUL_AGAIN_MS: u64 = 30_000;
const LONGEST_DOUBTFUL_MS: u64 = 240_000;
/// A look that can ask nobody looks again at once; each such round leaves a question behind.
const MAX_LOOKS: usize = 64;
/// How often somebody who reaches no server may have everything asked anew.
const HURRY_EVERY: Span = Span::from_millis(30_000);

/// Who is asked, and for what.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name servers, the preferred one first.
    pub name_servers: Vec<SocketAddr>,
    /// The names that this machine knows by itself.
    pub hosts: Hosts,
    /// Which addresses are wanted.
    pub families: Families,
    /// The transports that we have, the preferred one first.
    pub transports: Vec<Transport>,
}

/// A name that is kept resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchId(u64);

/// What comes from the sockets.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A message of a name server: a datagram, or one out of a stream without its two bytes of length.
    Message {
        /// From where.
        from: SocketAddr,
        /// What.
        bytes: &'a [u8],
    },
    /// Nothing can be sent there, or the stream closed.
    Unreachable(SocketAddr),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// These servers, best first: the first time, and whenever they change.
    Found {
        /// Whose.
        watch: WatchId,
        /// Them.
        servers: Vec<Peer>,
        /// Some of it is old or incomplete, as name servers do not answer.
        doubtful: bool,
    },
    /// Nothing was found. What was found before is the best there is.
    Failed {
        /// Whose.
        watch: WatchId,
        /// Why.
        why: Failure,
        /// When it is tried again.
        retry_in: Span,
    },
}

/// What goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask a name server.
    Ask {
        /// Which.
        to: SocketAddr,
        /// How. By [`Wire::Tcp`], the length stands before the message already.
        wire: Wire,
        /// What.
        bytes: Vec<u8>,
    },
    /// Tell the appliance.
    Event(Event),
}

/// What the resolver counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages sent.
    pub asked: u64,
    /// Messages that answered a question of ours.
    pub answered: u64,
    /// Messages that answered none, or could not be read.
    pub strays: u64,
    /// Questions that nobody answered.
    pub failed: u64,
}

#[derive(Debug)]
struct Watch {
    target: Target,
    /// When to look again; `None` while questions are under way, and for addresses.
    next: Option<Moment>,
    waits: bool,
    told: Option<(Vec<Peer>, bool)>,
    failures: u32,
}

/// Looks up names and keeps them looked up.
#[derive(Debug)]
pub struct Resolver {
    settings: Settings,
    ids: Ids,
    /// Of the lots by which load is spread.
    seed: [u8; 32],
    cache: Cache,
    exchanges: BTreeMap<Question, Exchange>,
    watches: BTreeMap<WatchId, Watch>,
    last_watch: u64,
    /// The name server that answered last.
    preferred: usize,
    hurried: Option<Moment>,
    out: VecDeque<Output>,
    counters: Counters,
}

impl Resolver {
    /// A resolver. `seed` comes from the system's randomness: the numbers of the questions hang on it.
    pub fn new(settings: Settings, seed: [u8; 32]) -> Self {
        let mut ids = Ids::new(seed);
        let mut lots = [0; 32];
        lots.copy_from_slice(&ids.bytes(32));
        Self {
            settings,
            ids,
            seed: lots,
            cache: Cache::default(),
            exchanges: BTreeMap::new(),
            watches: BTreeMap::new(),
            last_watch: 0,
            preferred: 0,
            hurried: None,
            out: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Looks `target` up, and keeps it so.
    pub fn watch(&mut self, now: Moment, target: Target) -> WatchId {
        self.last_watch += 1;
        let id = WatchId(self.last_watch);
        self.watches.insert(id, Watch { target, next: None, waits: true, told: None, failures: 0 });
        self.look(now, id);
        id
    }

    /// Other name servers, or other names in `hosts`: the machine's network changed.
    pub fn set_sources(&mut self, now: Moment, servers: Vec<SocketAddr>, hosts: Hosts) {
        if servers != self.settings.name_servers || hosts != self.settings.hosts {
            (self.settings.name_servers, self.settings.hosts, self.preferred) = (servers, hosts, 0);
            self.exchanges.clear();
            self.ask_all_again(now);
        }
    }

    /// None of the servers that were found answers: asks again before their time is over, though not often.
    pub fn hurry(&mut self, now: Moment) {
        if self.hurried.is_none_or(|at| now.since(at) >= HURRY_EVERY) {
            self.hurried = Some(now);
            self.ask_all_again(now);
        }
    }

    /// Takes what came from a name server.
    pub fn handle_input(&mut self, now: Moment, input: Input<'_>) {
        match input {
            Input::Message { from, bytes } => self.on_message(now, from, bytes),
            Input::Unreachable(addr) => {
                let hit = |e: &Exchange| self.settings.name_servers.get(e.server) == Some(&addr);
                let questions: Vec<_> =
                    self.exchanges.iter().filter(|(_, e)| hit(e)).map(|(q, _)| q.clone()).collect();
                for question in questions {
                    self.advance(now, &question, Exchange::on_refused);
                }
            }
        }
        self.look_where_waiting(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Moment) {
        let late = |e: &Exchange| e.deadline <= now;
        let questions: Vec<_> =
            self.exchanges.iter().filter(|(_, e)| late(e)).map(|(q, _)| q.clone()).collect();
        for question in questions {
            self.advance(now, &question, Exchange::on_timeout);
        }
        for watch in self.watches.values_mut().filter(|w| w.next.is_some_and(|at| at <= now)) {
            (watch.next, watch.waits) = (None, true);
        }
        self.look_where_waiting(now);
    }

    /// When [`Resolver::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Moment> {
        let asked = self.exchanges.values().map(|e| e.deadline).min();
        [asked, self.watches.values().filter_map(|w| w.next).min()].into_iter().flatten().min()
    }

    /// What is to be sent or known, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// What was counted.
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    fn on_message(&mut self, now: Moment, from: SocketAddr, bytes: &[u8]) {
        let servers = &self.settings.name_servers;
        let asked = |e: &Exchange| Some(e.id) == wire::number(bytes) && servers.get(e.server) == Some(&from);
        let found = self.exchanges.iter().find(|(_, e)| asked(e)).map(|(q, e)| (q.clone(), e.id));
        let answer = found.and_then(|(question, id)| {
            let answer = wire::read(id, &question, bytes).ok()?;
            Some((question, answer))
        });
        let Some((question, answer)) = answer else {
            self.counters.strays += 1;
            return;
        };
        self.counters.answered += 1;
        match answer {
            Answer::Records { records, ttl_s } => {
                self.settle(&question);
                self.cache.put(now, question, records, ttl_s);
            }
            Answer::None { ttl_s } => {
                self.settle(&question);
                self.cache.put_none(now, question, ttl_s);
            }
            Answer::Truncated => self.advance(now, &question, |e, now, _, ids| e.on_truncated(now, ids)),
            Answer::NoExtensions => self.advance(now, &question, Exchange::on_no_extensions),
            Answer::Refused => self.advance(now, &question, Exchange::on_refused),
        }
    }

    /// The question is answered, and its server is asked first next time.
    fn settle(&mut self, question: &Question) {
        if let Some(exchange) = self.exchanges.remove(question) {
            self.preferred = exchange.server;
        }
    }

    fn advance(
        &mut self,
        now: Moment,
        question: &Question,
        step: impl Fn(&mut Exchange, Moment, usize, &mut Ids) -> Next,
    ) {
        let servers = self.settings.name_servers.len();
        let Some(exchange) = self.exchanges.get_mut(question) else { return };
        match step(exchange, now, servers, &mut self.ids) {
            Next::Ask => self.send(now, question),
            Next::Wait => {}
            Next::GiveUp => self.give_up(now, question),
        }
    }

    fn send(&mut self, now: Moment, question: &Question) {
        let Some(exchange) = self.exchanges.get(question) else { return };
        match exchange.bytes(question, &self.settings.name_servers) {
            Some((to, bytes)) => {
                self.counters.asked += 1;
                self.out.push_back(Output::Ask { to, wire: exchange.wire, bytes });
            }
            // A name that none can have, or nobody to ask.
            None => self.give_up(now, question),
        }
    }

    fn give_up(&mut self, now: Moment, question: &Question) {
        self.exchanges.remove(question);
        self.counters.failed += 1;
        self.cache.put_failed(now, question.clone());
    }

    fn ask_all_again(&mut self, now: Moment) {
        self.cache.outdate(now);
        for watch in self.watches.values_mut() {
            (watch.next, watch.waits) = (None, true);
        }
        self.look_where_waiting(now);
    }

    fn look_where_waiting(&mut self, now: Moment) {
        let waiting: Vec<_> = self.watches.iter().filter(|(_, w)| w.waits).map(|(id, _)| *id).collect();
        for id in waiting {
            self.look(now, id);
        }
    }

    /// Looks at what is known, and asks for what is not.
    fn look(&mut self, now: Moment, id: WatchId) {
        for _ in 0..MAX_LOOKS {
            let Some(watch) = self.watches.get(&id) else { return };
            let known = |question: &Question| self.cache.look(now, question);
            let Settings { families, transports, hosts, .. } = &self.settings;
            let walk = Walk::new(known, self.seed, *families, transports, hosts);
            match walk.run(&watch.target) {
                Look::Ask(questions) if self.ask(now, &questions) => return,
                Look::Ask(_) => {}
                Look::Found { servers, until, doubtful } => {
                    return self.found(now, id, servers, until, doubtful);
                }
                Look::Failed(why) => return self.failed(now, id, why),
            }
        }
    }

    /// Whether any of them is under way now.
    fn ask(&mut self, now: Moment, questions: &[Question]) -> bool {
        for question in questions {
            if !self.exchanges.contains_key(question) {
                let server = self.preferred;
                self.exchanges.insert(question.clone(), Exchange::new(now, server, &mut self.ids));
                self.send(now, question);
            }
        }
        questions.iter().any(|question| self.exchanges.contains_key(question))
    }

    fn found(&mut self, now: Moment, id: WatchId, servers: Vec<Peer>, until: Option<Moment>, doubtful: bool) {
        let Some(watch) = self.watches.get_mut(&id) else { return };
        watch.waits = false;
        watch.next = until;
        if doubtful {
            let again_ms = (DOUBTFUL_AGAIN_MS << watch.failures.min(8)).min(LONGEST_DOUBTFUL_MS);
            watch.next = Some(now + ms(again_ms));
            watch.failures = watch.failures.saturating_add(1);
        } else {
            watch.failures = 0;
        }
        let news = (servers, doubtful);
        if watch.told.as_ref() != Some(&news) {
            watch.told = Some(news.clone());
            let (servers, doubtful) = news;
            self.out.push_back(Output::Event(Event::Found { watch: id, servers, doubtful }));
        }
    }

    fn failed(&mut self, now: Moment, id: WatchId, why: Failure) {
        let Some(watch) = self.watches.get_mut(&id) else { return };
        let full = (FIRST_AGAIN_MS << watch.failures.min(8)).min(LONGEST_AGAIN_MS);
        // Not all appliances of a site at once.
        let retry_in = ms(full - self.ids.below(full / 4));
        self.cache.forget_none();
        watch.next = Some(now + retry_in);
        (watch.waits, watch.told) = (false, None);
        watch.failures = watch.failures.saturating_add(1);
        self.out.push_back(Output::Event(Event::Failed { watch: id, why, retry_in }));
    }
}

fn ms(ms: u64) -> Span {
    Span::from_millis(i64::try_from(ms).unwrap_or(i64::MAX))
}
