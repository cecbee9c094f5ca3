//! Keeps one trunk up: by registering with it for as long as the product runs, or, for a trunk that knows us by
//! our address, by asking OPTIONS now and then.
//!
//! There is no last try. A refusal, an outage or a changed address only sets when the next try is; within a trunk
//! each server is tried before any waiting.
//!
//! Calling order: [`start`](Registration::start), then [`on_response`](Registration::on_response) and
//! [`on_failure`](Registration::on_failure) for each request that [`poll_output`](Registration::poll_output) gave out,
//! [`handle_timeout`](Registration::handle_timeout) when [`poll_timeout`](Registration::poll_timeout) is due.

mod backoff;

use super::address::NameAddr;
use super::digest::client::{Client, Credentials, Refused, Subject};
use super::header::{Headers, Name};
use super::host;
use super::ids::Ids;
use super::local::LocalAddrs;
use super::message::{self, CSeq, Ident, Request, Response};
use super::method::Method;
use super::status::Status;
use super::transport::{Peer, Transport};
use super::uri::Uri;
use offhook_units::{Moment, Span};
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;

/// How many challenges in a row are answered before the attempt counts as failed: stale nonces happen, loops too.
const MAX_CHALLENGES: u8 = 3;
/// How often a trunk without registration is asked, and a lost one.
const WATCH_EVERY: Span = Span::from_millis(30_000);
/// Often enough for the NATs that forget UDP after 30 s, and to hear soon ("port unreachable") of a server that is gone.
const KEEP_ALIVE: Span = Span::from_millis(15_000);
/// How long one server of several is waited for: with 64·T1 for each, the first of three that is back would wait for
/// minutes until it is asked again.
const PATIENCE: Span = Span::from_millis(8_000);

/// How often such news is acted upon: it can be forged.
const SUSPECT_EVERY: Span = Span::from_millis(5_000);

/// How a trunk is kept up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// REGISTER, for this many seconds each.
    Register {
        /// The expiry to ask for.
        expires_s: u32,
    },
    /// OPTIONS: the trunk knows our address.
    Watch,
}

/// One trunk.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who we are there: `sip:user@domain`.
    pub aor: Uri,
    /// Whom to register with: `sip:domain`.
    pub registrar: Uri,
    /// The user part of our Contact.
    pub contact_user: String,
    /// User name and password, if it asks for them.
    pub credentials: Option<Credentials>,
    /// Register or watch.
    pub mode: Mode,
}

/// Why a trunk is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// No answer.
    NoAnswer,
    /// Nothing can be sent there.
    Unreachable,
    /// User name or password are wrong.
    WrongCredentials,
    /// It asks for credentials that we do not have, or by a method that we do not know.
    CannotAuthenticate,
    /// It refused.
    Refused(Status),
    /// Its name did not resolve: there is no server to ask.
    NoServer,
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("it does not answer"),
            Self::Unreachable => f.write_str("nothing can be sent there"),
            Self::WrongCredentials => f.write_str("user name or password is wrong"),
            Self::CannotAuthenticate => f.write_str("it asks for what we do not have to prove who we are"),
            Self::Refused(status) => write!(f, "it refused with {status} {}", status.reason()),
            Self::NoServer => f.write_str("its name leads to no server"),
        }
    }
}

/// What a trunk's state became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It can carry calls now.
    Up {
        /// The server that answered.
        server: Peer,
        /// How the trunk sees us, where that is not how we see ourselves.
        public: Option<SocketAddr>,
    },
    /// It cannot; the next try is after this long. Resolving its name again meanwhile does no harm.
    Down {
        /// Why.
        why: Down,
        /// The wait.
        retry_in: Span,
    },
}

/// What a registration wants done.
#[derive(Debug)]
pub enum Output {
    /// Send this in a transaction of its own.
    Request(Box<Request>, Peer),
    /// Send an empty line, to keep a NAT open.
    KeepAlive(Peer),
    /// Tell the appliance.
    Event(Event),
}

/// One trunk's registration.
#[derive(Debug)]
pub struct Registration {
    settings: Settings,
    locals: LocalAddrs,
    ids: Ids,
    client: Option<Client>,
    servers: Vec<Peer>,
    current: usize,
    /// Servers asked in this round.
    tried: usize,
    call_id: String,
    tag: String,
    cseq: u32,
    expires_s: u32,
    /// The Authorization line of the request that is under way.
    sent_authorization: Option<String>,
    challenges: u8,
    /// A request is under way, with this CSeq number.
    waiting: Option<u32>,
    /// When its server gives way to the next.
    give_way: Option<Moment>,
    /// When the server was last said to be out of reach.
    suspected: Option<Moment>,
    up: bool,
    stopping: bool,
    failures: u32,
    public: Option<SocketAddr>,
    /// The Contact of the request that is under way, or was last.
    offered: Option<Uri>,
    /// The one that the registrar took last. When we say another, this one is taken back in the same request.
    bound: Option<Uri>,
    /// A Contact that had become another on its way was told again since [`Registration::start`].
    corrected: bool,
    service_route: Vec<String>,
    /// The next try or refresh.
    next: Option<Moment>,
    keep_alive_at: Option<Moment>,
    out: VecDeque<Output>,
}

impl Registration {
    /// A trunk with no server yet.
    pub fn new(settings: Settings, locals: LocalAddrs, mut ids: Ids) -> Self {
        let client = settings.credentials.clone().map(Client::new);
        let expires_s = match settings.mode {
            Mode::Register { expires_s } => expires_s,
            Mode::Watch => 0,
        };
        let (call_id, tag) = (ids.call_id(), ids.tag());
        Self {
            settings,
            locals,
            ids,
            client,
            servers: Vec::new(),
            current: 0,
            tried: 0,
            call_id,
            tag,
            cseq: 0,
            expires_s,
            sent_authorization: None,
            challenges: 0,
            waiting: None,
            give_way: None,
            suspected: None,
            up: false,
            stopping: false,
            failures: 0,
            public: None,
            offered: None,
            bound: None,
            corrected: false,
            service_route: Vec::new(),
            next: None,
            keep_alive_at: None,
            out: VecDeque::new(),
        }
    }

    /// The servers that the trunk's name resolved to, best first. Starts or restarts what waited for them.
    pub fn set_servers(&mut self, now: Moment, servers: Vec<Peer>) {
        let same = self.servers == servers;
        let kept = self.server().and_then(|current| servers.iter().position(|s| *s == current));
        self.servers = servers;
        self.current = kept.unwrap_or(0);
        self.tried = 0;
        if !same && kept.is_none() && self.waiting.is_none() && !self.stopping {
            self.start(now);
        }
    }

    /// Our addresses are others from now on: whoever keeps the old ones is told at once.
    pub fn set_locals(&mut self, now: Moment, locals: LocalAddrs) {
        self.locals = locals;
        self.public = None;
        if !self.servers.is_empty() && !self.stopping {
            self.start(now);
        }
    }

    /// Tries now.
    pub fn start(&mut self, now: Moment) {
        self.stopping = false;
        self.tried = 1;
        self.challenges = 0;
        self.corrected = false;
        self.send(now);
    }

    /// Takes our binding away, for a shutdown.
    pub fn stop(&mut self, now: Moment) {
        self.stopping = true;
        (self.next, self.give_way) = (None, None);
        self.keep_alive_at = None;
        self.challenges = 0;
        if self.up && matches!(self.settings.mode, Mode::Register { .. }) {
            self.send(now);
        }
        self.up = false;
    }

    /// Whether calls can go this way.
    pub const fn is_up(&self) -> bool {
        self.up
    }

    /// The server in use.
    pub fn server(&self) -> Option<Peer> {
        self.servers.get(self.current).copied()
    }

    /// Whether a request is under way.
    pub const fn is_asking(&self) -> bool {
        self.waiting.is_some()
    }

    /// All servers.
    pub fn servers(&self) -> &[Peer] {
        &self.servers
    }

    /// The trunk's settings.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How the trunk sees us, where that is not how we see ourselves.
    pub const fn public(&self) -> Option<SocketAddr> {
        self.public
    }

    /// The routes that requests outside a dialog have to take (RFC 3608).
    pub fn service_route(&self) -> &[String] {
        &self.service_route
    }

    /// The trunk's digest state, for requests other than REGISTER.
    pub fn digest(&mut self) -> (Option<&mut Client>, &mut Ids) {
        (self.client.as_mut(), &mut self.ids)
    }

    /// What is to be done, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Registration::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Moment> {
        [self.next, self.keep_alive_at, self.give_way].into_iter().flatten().min()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Moment) {
        if self.keep_alive_at.is_some_and(|at| at <= now) {
            self.keep_alive_at = self.server().map(|_| now + KEEP_ALIVE);
            self.out.extend(self.server().map(Output::KeepAlive));
        }
        if self.give_way.is_some_and(|at| at <= now) {
            self.on_failure(now, self.cseq, Down::NoAnswer);
        }
        if self.next.is_some_and(|at| at <= now) {
            self.next = None;
            self.start(now);
        }
    }

    /// Nothing reaches `peer`. What it knew of us may be gone when it is back, so it is asked now, and then for as long
    /// as it takes.
    pub fn on_unreachable(&mut self, now: Moment, peer: Peer) {
        let ours = self.server().is_some_and(|s| s.transport == peer.transport && s.addr == peer.addr);
        let lately = self.suspected.is_some_and(|at| now.since(at) < SUSPECT_EVERY);
        if ours && self.up && self.waiting.is_none() && !self.stopping && !lately {
            self.suspected = Some(now);
            self.start(now);
        }
    }

    /// The request of number `cseq` was answered.
    pub fn on_response(&mut self, now: Moment, response: &Response) {
        if response.status.is_provisional() || self.waiting != Some(response.ident.cseq.number) {
            return;
        }
        (self.waiting, self.give_way) = (None, None);
        self.learn_public(response);
        match response.status {
            Status::UNAUTHORIZED | Status::PROXY_AUTHENTICATION => self.on_challenge(now, response),
            _ if self.stopping => {}
            status if status.is_success() => self.on_success(now, response),
            Status::INTERVAL_TOO_BRIEF => match response.headers.number(&Name::MinExpires) {
                // Only upwards: a registrar that asks for less than it refused would keep us here for ever.
                Some(min) if min > self.expires_s => {
                    self.expires_s = min;
                    self.send(now);
                }
                _ => self.fail(now, Down::Refused(response.status), None),
            },
            // A trunk that answers OPTIONS with a refusal is alive; only these two say that it is not.
            status if self.settings.mode == Mode::Watch && !is_outage(status) => {
                self.on_success(now, response)
            }
            status => {
                let old = self.bound.take();
                // A registrar that takes one Contact at a time is asked without the old one.
                if old.is_some() && old != self.offered {
                    return self.send(now);
                }
                let wait = response.headers.number(&Name::RetryAfter);
                self.fail(now, Down::Refused(status), wait.map(|s| Span::from_millis(i64::from(s) * 1000)));
            }
        }
    }

    /// The request of number `cseq` got no answer.
    pub fn on_failure(&mut self, now: Moment, cseq: u32, why: Down) {
        // An earlier one was given up before: another server was asked since.
        if self.waiting == Some(cseq) {
            (self.waiting, self.give_way) = (None, None);
            self.fail(now, why, None);
        }
    }

    fn on_challenge(&mut self, now: Moment, response: &Response) {
        self.challenges += 1;
        let name = challenge_header(response.status);
        let Some(client) = self.client.as_mut() else {
            return self.fail(now, Down::CannotAuthenticate, None);
        };
        if self.challenges > MAX_CHALLENGES {
            return self.fail(now, Down::WrongCredentials, None);
        }
        let sent = self.sent_authorization.take();
        match client.challenged(response.headers.all(&name), sent.as_deref(), &mut self.ids) {
            Ok(()) => self.send_as(now, response.status == Status::PROXY_AUTHENTICATION),
            Err(Refused::WrongCredentials) => self.fail(now, Down::WrongCredentials, None),
            Err(Refused::NothingKnown) => self.fail(now, Down::CannotAuthenticate, None),
        }
    }

    fn on_success(&mut self, now: Moment, response: &Response) {
        let Some(server) = self.server() else { return };
        self.failures = 0;
        let was_up = std::mem::replace(&mut self.up, true);
        let wait = match self.settings.mode {
            Mode::Watch => WATCH_EVERY,
            Mode::Register { .. } => {
                self.service_route =
                    response.headers.values(&Name::ServiceRoute).map(str::to_owned).collect();
                self.bound.clone_from(&self.offered);
                backoff::refresh_after(self.granted(response), &mut self.ids)
            }
        };
        self.next = Some(now + wait);
        if server.transport == Transport::Udp && self.keep_alive_at.is_none() {
            self.keep_alive_at = Some(now + KEEP_ALIVE);
        }
        if !was_up {
            self.out.push_back(Output::Event(Event::Up { server, public: self.public }));
        }
        // What the answer told of our address comes too late for what it answered. Told again once: a NAT may give us
        // another port with every request.
        if self.bound.as_ref().is_some_and(|bound| *bound != self.contact(server)) && !self.corrected {
            self.corrected = true;
            self.send(now);
        }
    }

    /// How many seconds the registrar keeps us: by our Contact, else by Expires, else what we asked for.
    fn granted(&self, response: &Response) -> u32 {
        let contacts = message::addresses(&response.headers, &Name::Contact);
        let is_same =
            |contact: &&NameAddr| self.offered.as_ref().is_some_and(|ours| contact.uri.is_same(ours));
        let is_ours =
            |contact: &&NameAddr| contact.uri.user().as_deref() == Some(self.settings.contact_user.as_str());
        // One that we had before may run out beside it; and a registrar may show us by another address.
        let ours = contacts.iter().find(is_same).or_else(|| contacts.iter().find(is_ours));
        let by_contact = ours.and_then(|c| c.params.get("expires")).and_then(|e| e.parse().ok());
        by_contact.or_else(|| response.headers.number(&Name::Expires)).unwrap_or(self.expires_s).max(1)
    }

    /// Notes how the far end sees us. A change is told by registering again with the right Contact.
    fn learn_public(&mut self, response: &Response) {
        let Some(server) = self.server().filter(|s| s.transport == Transport::Udp) else { return };
        let via = &response.ident.via;
        let ip = via.params.get("received").and_then(|ip| ip.trim_matches(['[', ']']).parse().ok());
        let port = via.params.get("rport").and_then(|port| port.parse().ok());
        let local = self.locals.of(server.transport);
        let seen = SocketAddr::new(ip.unwrap_or(local.ip()), port.unwrap_or(local.port()));
        // A trunk in our own network that sees another address of ours is no NAT.
        let differs = seen != local && !host::is_private(seen.ip());
        self.public = differs.then_some(seen);
    }

    fn fail(&mut self, now: Moment, why: Down, wait: Option<Span>) {
        if self.stopping {
            return;
        }
        self.up = false;
        self.keep_alive_at = None;
        // Another server first; not when it was our password that was wrong.
        let blame_server = !matches!(why, Down::WrongCredentials | Down::CannotAuthenticate);
        if blame_server && self.tried < self.servers.len() {
            self.current = (self.current + 1) % self.servers.len().max(1);
            self.tried += 1;
            self.challenges = 0;
            return self.send(now);
        }
        self.current = 0;
        // Where others were waited for before, the wait is shorter by that.
        let others = i64::try_from(self.servers.len().saturating_sub(1)).unwrap_or(0);
        let waited = Span::from_micros(PATIENCE.as_micros().saturating_mul(others));
        let retry_in = backoff::retry_after(self.failures, why, wait, waited, &mut self.ids);
        self.failures = self.failures.saturating_add(1);
        self.next = Some(now + retry_in);
        self.out.push_back(Output::Event(Event::Down { why, retry_in }));
    }

    fn send(&mut self, now: Moment) {
        self.send_as(now, false);
    }

    fn send_as(&mut self, now: Moment, to_proxy: bool) {
        let Some(server) = self.server() else { return self.fail(now, Down::NoServer, None) };
        self.cseq += 1;
        let mut request = self.build(server);
        let (method, uri) = (request.method.to_string(), request.uri.to_string());
        let subject = Subject { method: &method, uri: &uri, body: b"" };
        self.sent_authorization = self.client.as_mut().and_then(|client| client.authorize(subject));
        if let Some(line) = &self.sent_authorization {
            let name = if to_proxy { Name::ProxyAuthorization } else { Name::Authorization };
            request.headers.push(name, line.clone());
        }
        self.waiting = Some(self.cseq);
        self.give_way = (self.servers.len() > 1 && !self.stopping).then_some(now + PATIENCE);
        self.next = None;
        self.out.push_back(Output::Request(Box::new(request), server));
    }

    /// Where calls from `server` reach us.
    fn contact(&self, server: Peer) -> Uri {
        self.locals.contact(Some(&self.settings.contact_user), server, self.public).into()
    }

    fn build(&mut self, server: Peer) -> Request {
        let method = match self.settings.mode {
            Mode::Register { .. } => Method::Register,
            Mode::Watch => Method::Options,
        };
        let me = NameAddr::new(self.settings.aor.clone());
        let ident = Ident {
            via: self.locals.via(server, &self.ids.branch()),
            from: me.clone().with_tag(&self.tag),
            to: if method == Method::Register { me } else { NameAddr::new(self.settings.registrar.clone()) },
            call_id: self.call_id.clone(),
            cseq: CSeq { number: self.cseq, method: method.clone() },
        };
        let mut headers = Headers::default();
        headers.push(Name::MaxForwards, "70");
        let contact = self.contact(server);
        headers.push(Name::Contact, NameAddr::new(contact.clone()).to_string());
        if method == Method::Register {
            if let Some(old) = self.bound.as_ref().filter(|old| **old != contact) {
                headers.push(Name::Contact, format!("{};expires=0", NameAddr::new(old.clone())));
            }
            self.offered = Some(contact);
            let expires_s = if self.stopping { 0 } else { self.expires_s };
            headers.push(Name::Expires, expires_s.to_string());
            headers.push(Name::Supported, "path");
        }
        Request { method, uri: self.settings.registrar.clone(), ident, headers, body: Vec::new() }
    }
}

/// The header that holds the challenges of this code.
pub(crate) const fn challenge_header(status: Status) -> Name {
    if status.code() == Status::PROXY_AUTHENTICATION.code() {
        Name::ProxyAuthenticate
    } else {
        Name::WwwAuthenticate
    }
}

fn is_outage(status: Status) -> bool {
    matches!(status, Status::REQUEST_TIMEOUT | Status::SERVICE_UNAVAILABLE)
}

#[cfg(test)]
mod tests;
