//! Every socket of the speech services, on one thread that never blocks: the only file of this crate that opens one.
//!
//! ```text
//! ToNet of all calls ─► Network::apply ─► connections ─► Network::next ─► NetEvent to the call whose it is
//! ```
//!
//! Each connection is read a little at a time in turn, so one that floods delays nobody else; one that does not take
//! what is sent is closed when a megabyte waits. Names are looked up on threads of their own, since the system's
//! resolver blocks; of several addresses one that does not answer is soon left for the next. A WebSocket from which nothing comes is pinged, so that one with nobody behind it is found out.

mod names;
mod talk;
mod tls;

pub use tls::TlsError;

use crate::transport::{ConnId, FromNet, Lost, Request, RequestKind, ToNet};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use names::{Name, Names};
use offhook_units::{Moment, Span};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use talk::{Stream, Talk, Went, lost};
use tungstenite::{Bytes, Message};

/// Name, TCP, TLS and upgrade together.
const OPENING: Span = Span::from_millis(5_000);
/// An address that has not answered by then is left for the next one, where there is one: on premises with half of an
/// IPv6 the first never does.
const NEXT_ADDRESS: Span = Span::from_millis(1_000);
/// A closed connection may still send what it has for so long.
const LINGER: Span = Span::from_millis(1_000);
/// Nothing came on a WebSocket for so long: a ping, which every implementation answers (RFC 6455 5.5.2).
const PING_AFTER: Span = Span::from_millis(5_000);
/// And when nothing has come this long after the ping, nobody is there.
const PONG_WITHIN: Span = Span::from_millis(5_000);
/// Of a connection that somebody relies on just now, it is known sooner.
const PROBED_WITHIN: Span = Span::from_millis(3_000);
/// All calls together; a device has a few for each call.
const CONNECTIONS_MAX: usize = 2_000;
const WAKE: Token = Token(0);

/// Whose connection it is: a number for each call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Owner(pub u64);

/// Something came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetEvent {
    /// For this call,
    pub owner: Owner,
    /// on this connection of it.
    pub conn: ConnId,
    /// What.
    pub what: FromNet,
}

/// Why there is no network.
#[derive(Debug)]
pub enum NetError {
    /// The system gives no poll.
    Poll(std::io::Error),
    /// TLS cannot be set up.
    Tls(TlsError),
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Poll(error) => write!(f, "the network thread cannot poll sockets: {error}"),
            Self::Tls(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NetError {}

enum State {
    Resolving,
    Connecting { socket: TcpStream, others: Vec<SocketAddr> },
    Talking(Talk),
    Over,
}

struct Connection {
    owner: Owner,
    conn: ConnId,
    request: Request,
    state: State,
    opened: bool,
    /// The next address is tried, opening must be done, lingering ends, or a ping is due or was not answered, then.
    due: Option<Moment>,
    /// Opening must be done then, whichever address it is.
    opens_by: Moment,
    lingers: bool,
    /// Nothing came since a ping.
    pinged: bool,
    /// There may be more to read.
    more: bool,
    /// Messages sent before it was open.
    early: Vec<Message>,
}

/// All connections. Calling order, on one thread: [`Network::apply`] at any time, and in a loop [`Network::poll`], then
/// [`Network::next`] until there is no more.
pub struct Network {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    tls: Arc<rustls::ClientConfig>,
    connections: HashMap<Token, Connection>,
    tokens: HashMap<(Owner, ConnId), Token>,
    last: usize,
    names: Names,
    /// Those that may have something to read.
    ready: VecDeque<Token>,
    out: Vec<NetEvent>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("connections", &self.connections.len()).finish_non_exhaustive()
    }
}

impl Network {
    /// A network that trusts the system's certificates and, if given, those in the PEM text.
    ///
    /// # Errors
    /// [`NetError`].
    pub fn new(extra_roots_pem: Option<&str>) -> Result<Self, NetError> {
        let poll = Poll::new().map_err(NetError::Poll)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(NetError::Poll)?);
        let tls = tls::config(extra_roots_pem).map_err(NetError::Tls)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(256),
            names: Names::new(Arc::clone(&waker)),
            waker,
            tls,
            connections: HashMap::new(),
            tokens: HashMap::new(),
            last: 0,
            ready: VecDeque::new(),
            out: Vec::new(),
        })
    }

    /// Wakes [`Network::poll`] from any thread.
    pub fn waker(&self) -> Arc<Waker> {
        Arc::clone(&self.waker)
    }

    /// Connections that hold a socket.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Does what a call asks.
    pub fn apply(&mut self, now: Moment, owner: Owner, command: ToNet) {
        match command {
            ToNet::Open(conn, request) => self.open(now, owner, conn, request),
            ToNet::Text(conn, text) => self.send(owner, conn, Message::text(text)),
            ToNet::Binary(conn, bytes) => self.send(owner, conn, Message::binary(bytes)),
            ToNet::Probe(conn) => self.probe(now, owner, conn),
            ToNet::Close(conn) => self.close(now, owner, conn),
        }
    }

    /// Waits for something to happen, for `wait` at most.
    ///
    /// # Errors
    /// What the system says when it cannot poll.
    pub fn poll(&mut self, now: Moment, wait: Option<Span>) -> std::io::Result<()> {
        let busy = !self.out.is_empty() || self.connections.values().any(|connection| connection.more);
        let due = self.connections.values().filter_map(|connection| connection.due).min();
        let due = due.map(|due| due.since(now));
        let wait = if busy { Some(Span::ZERO) } else { [wait, due].into_iter().flatten().min() };
        let wait = wait.map(|wait| Duration::from_micros(wait.as_micros().max(0).unsigned_abs()));
        match self.poll.poll(&mut self.events, wait) {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        self.ready.extend(self.events.iter().map(mio::event::Event::token));
        self.ready.extend(
            self.connections.iter().filter(|(_, connection)| connection.more).map(|(token, _)| *token),
        );
        while let Some((name, addresses)) = self.names.poll() {
            self.found(now, &name, &addresses);
        }
        Ok(())
    }

    /// Tells what happened on the next connection; false when that was all. One at a time: what it brought is answered
    /// before another is read, so that of many which bring something in the same moment most do not wait for all.
    pub fn next(&mut self, now: Moment, out: &mut Vec<NetEvent>) -> bool {
        let token = self.ready.pop_front();
        match token {
            Some(token) => self.drive(now, token),
            None => self.expire(now),
        }
        out.append(&mut self.out);
        token.is_some()
    }

    /// Gives a connection to another owner, under another number. False when it is gone.
    pub fn hand_over(&mut self, from: (Owner, ConnId), to: (Owner, ConnId)) -> bool {
        let Some(token) = self.tokens.remove(&from) else { return false };
        let Some(connection) = self.connections.get_mut(&token) else { return false };
        (connection.owner, connection.conn) = to;
        self.tokens.insert(to, token);
        // What came for it and was not told yet goes with it.
        for event in self.out.iter_mut().filter(|event| (event.owner, event.conn) == from) {
            (event.owner, event.conn) = to;
        }
        true
    }

    fn open(&mut self, now: Moment, owner: Owner, conn: ConnId, request: Request) {
        if self.connections.len() >= CONNECTIONS_MAX {
            return self.out.push(NetEvent { owner, conn, what: lost(Lost::Flooded) });
        }
        self.last += 1;
        let token = Token(self.last);
        let (host, port) = (request.url.host().to_owned(), request.url.port());
        let connection = Connection {
            owner,
            conn,
            request,
            state: State::Resolving,
            opened: false,
            due: Some(now + OPENING),
            opens_by: now + OPENING,
            lingers: false,
            pinged: false,
            more: false,
            early: Vec::new(),
        };
        self.connections.insert(token, connection);
        self.tokens.insert((owner, conn), token);
        match host.parse::<IpAddr>() {
            Ok(address) => self.connect(now, token, vec![SocketAddr::new(address, port)]),
            Err(_) => self.names.ask((host, port)),
        }
    }

    /// Everybody who waits for this name connects.
    fn found(&mut self, now: Moment, name: &Name, addresses: &[SocketAddr]) {
        let waits = |connection: &Connection| {
            let url = &connection.request.url;
            matches!(connection.state, State::Resolving) && (url.host(), url.port()) == (&*name.0, name.1)
        };
        let waiting: Vec<Token> =
            self.connections.iter().filter(|(_, c)| waits(c)).map(|(token, _)| *token).collect();
        for token in waiting {
            self.connect(now, token, addresses.to_vec());
        }
    }

    /// Connects to the first address that can be tried.
    fn connect(&mut self, now: Moment, token: Token, mut addresses: Vec<SocketAddr>) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if addresses.is_empty() {
            return self.end(token, lost(Lost::NoAddress));
        }
        while !addresses.is_empty() {
            let address = addresses.remove(0);
            if let Ok(mut socket) = TcpStream::connect(address) {
                let _ = socket.set_nodelay(true);
                if register(self.poll.registry(), &mut socket, token) {
                    let last = addresses.is_empty();
                    let patience = if last { connection.opens_by } else { now + NEXT_ADDRESS };
                    connection.due = Some(patience.min(connection.opens_by));
                    connection.state = State::Connecting { socket, others: addresses };
                    return;
                }
            }
        }
        self.end(token, lost(Lost::Broken));
    }

    fn send(&mut self, owner: Owner, conn: ConnId, message: Message) {
        let Some(token) = self.tokens.get(&(owner, conn)).copied() else { return };
        let Some(connection) = self.connections.get_mut(&token) else { return };
        let mut told = Vec::new();
        match &mut connection.state {
            State::Talking(talk) if connection.opened => talk.send(message, &mut told),
            // Machines wait for the opening; a few messages more are no harm.
            _ if connection.early.len() < 64 => connection.early.push(message),
            _ => told.push(lost(Lost::Flooded)),
        }
        self.tell(token, told);
    }

    fn close(&mut self, now: Moment, owner: Owner, conn: ConnId) {
        let Some(token) = self.tokens.remove(&(owner, conn)) else { return };
        let Some(connection) = self.connections.get_mut(&token) else { return };
        let lingers =
            if let State::Talking(talk) = &mut connection.state { talk.say_goodbye() } else { false };
        if lingers {
            connection.lingers = true;
            connection.due = Some(now + LINGER);
        } else {
            self.connections.remove(&token);
        }
    }

    fn drive(&mut self, now: Moment, token: Token) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        connection.more = false;
        let mut told = Vec::new();
        if let State::Connecting { socket, .. } = &connection.state {
            match connected(socket) {
                Some(true) => self.talk(token, &mut told),
                Some(false) => return self.next_address(now, token),
                None => return,
            }
        }
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if let State::Talking(talk) = &mut connection.state {
            let (went, heard) = talk.drive(&mut told);
            connection.more = went == Went::More;
            if told.contains(&FromNet::Opened) {
                connection.opened = true;
                connection.due = None;
                for message in std::mem::take(&mut connection.early) {
                    talk.send(message, &mut told);
                }
            }
            if heard && talk.answers_pings() && !connection.lingers {
                connection.pinged = false;
                connection.due = Some(now + PING_AFTER);
            }
        }
        self.tell(token, told);
    }

    /// TCP is there: TLS and the protocol begin.
    fn talk(&mut self, token: Token, told: &mut Vec<FromNet>) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        let State::Connecting { socket, .. } = std::mem::replace(&mut connection.state, State::Over) else {
            return;
        };
        let url = &connection.request.url;
        let stream: Option<Stream> = if url.scheme().is_tls() {
            tls::stream(&self.tls, url.host(), socket)
        } else {
            Some(Box::new(socket))
        };
        connection.due = Some(connection.opens_by);
        match stream {
            Some(stream) => {
                connection.state = State::Talking(Talk::start(stream, &connection.request, told));
                // One POST is the whole exchange: how long it may take is for its machine to say.
                if matches!(connection.request.kind, RequestKind::Post(_)) {
                    connection.due = None;
                }
            }
            None => told.push(lost(Lost::Tls)),
        }
    }

    fn next_address(&mut self, now: Moment, token: Token) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        match std::mem::replace(&mut connection.state, State::Over) {
            State::Connecting { others, .. } if !others.is_empty() => self.connect(now, token, others),
            _ => self.end(token, lost(Lost::Broken)),
        }
    }

    fn expire(&mut self, now: Moment) {
        let over = |connection: &Connection| connection.due.is_some_and(|due| now >= due);
        let late: Vec<Token> = self
            .connections
            .iter()
            .filter(|(_, connection)| over(connection))
            .map(|(token, _)| *token)
            .collect();
        for token in late {
            self.overdue(now, token);
        }
    }

    /// A connection's patience is over, or it is time to ask whether somebody is there.
    fn overdue(&mut self, now: Moment, token: Token) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        let mut told = Vec::new();
        match &mut connection.state {
            State::Connecting { others, .. } if !others.is_empty() && now < connection.opens_by => {
                return self.next_address(now, token);
            }
            State::Talking(_) if connection.opened && !connection.lingers && !connection.pinged => {
                return self.ping(token, now + PONG_WITHIN);
            }
            State::Talking(_) if connection.opened => told.push(lost(Lost::Silent)),
            _ => told.push(lost(Lost::Slow)),
        }
        self.tell(token, told);
    }

    fn probe(&mut self, now: Moment, owner: Owner, conn: ConnId) {
        if let Some(token) = self.tokens.get(&(owner, conn)) {
            self.ping(*token, now + PROBED_WITHIN);
        }
    }

    /// Asks whether anybody is there: something has to come by then.
    fn ping(&mut self, token: Token, by: Moment) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        let State::Talking(talk) = &mut connection.state else { return };
        if !connection.opened || !talk.answers_pings() {
            return;
        }
        let mut told = Vec::new();
        connection.due = Some(connection.due.filter(|_| connection.pinged).map_or(by, |due| due.min(by)));
        connection.pinged = true;
        talk.send(Message::Ping(Bytes::new()), &mut told);
        self.tell(token, told);
    }

    /// Passes on what came; a connection that said its last is gone.
    fn tell(&mut self, token: Token, told: Vec<FromNet>) {
        let Some(connection) = self.connections.get(&token) else { return };
        let (owner, conn, silent) = (connection.owner, connection.conn, connection.lingers);
        let over = told.iter().any(|what| matches!(what, FromNet::Closed(_)));
        if !silent {
            self.out.extend(told.into_iter().map(|what| NetEvent { owner, conn, what }));
        }
        if over {
            self.connections.remove(&token);
            if !silent {
                self.tokens.remove(&(owner, conn));
            }
        }
    }

    fn end(&mut self, token: Token, what: FromNet) {
        self.tell(token, vec![what]);
    }
}

fn register(registry: &Registry, socket: &mut TcpStream, token: Token) -> bool {
    registry.register(socket, token, Interest::READABLE | Interest::WRITABLE).is_ok()
}

/// Whether TCP is there; `None` while it is not known.
fn connected(socket: &TcpStream) -> Option<bool> {
    if !matches!(socket.take_error(), Ok(None)) {
        return Some(false);
    }
    match socket.peer_addr() {
        Ok(_) => Some(true),
        Err(error) if error.kind() == std::io::ErrorKind::NotConnected => None,
        Err(_) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Part;
    use crate::wire::url::Url;
    use mio::net::TcpListener;

    const CONN: ConnId = ConnId { part: Part::Ears, number: 1 };

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// Waits for so many events.
    fn told(network: &mut Network, ms: u64, count: usize) -> Vec<(u64, FromNet)> {
        let mut events = Vec::new();
        for _ in 0..1_000 {
            network.poll(at(ms), Some(Span::from_millis(10))).unwrap();
            while network.next(at(ms), &mut events) {}
            if events.len() >= count {
                break;
            }
        }
        events.into_iter().map(|event| (event.owner.0, event.what)).collect()
    }

    #[test]
    fn an_address_that_does_not_answer_is_left_for_the_next_one_and_the_last_has_all_the_time() {
        let mut network = Network::new(None).unwrap();
        let ((_silent, first), (second, second_address)) = (listener(), listener());
        let url = Url::parse(&format!("tcp://{first}")).unwrap();
        network.open(at(0), Owner(1), CONN, Request::raw(url));
        let token = *network.tokens.values().next().unwrap();
        // What it hears of the first is not looked at, as if it were nothing.
        network.connect(at(0), token, vec![first, second_address]);
        network.expire(at(999));
        assert!(second.accept().is_err(), "it waits");
        network.expire(at(1_000));
        assert_eq!(network.connections.get(&token).unwrap().due, Some(at(5_000)));
        assert_eq!(told(&mut network, 1_001, 1), [(1, FromNet::Opened)]);
        assert!(second.accept().is_ok());
    }

    #[test]
    fn all_who_wait_for_a_name_connect_when_it_is_found_and_nobody_else() {
        let mut network = Network::new(None).unwrap();
        let (_listener, address) = listener();
        let look_up = move |name: &Name| if name.1 == 77 { vec![address] } else { Vec::new() };
        network.names = Names::with(network.waker(), Arc::new(look_up));
        for (n, port) in [(1, 77), (2, 77), (3, 78)] {
            let url = Url::parse(&format!("tcp://here.invalid:{port}")).unwrap();
            network.open(at(0), Owner(n), CONN, Request::raw(url));
        }
        let mut told = told(&mut network, 1, 3);
        told.sort_by_key(|(owner, _)| *owner);
        assert_eq!(told, [(1, FromNet::Opened), (2, FromNet::Opened), (3, lost(Lost::NoAddress))]);
    }

    #[test]
    fn v3_a_websocket_with_nobody_behind_it_is_found_out_soon_when_somebody_relies_on_it() {
        for answers in [true, false] {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let url = Url::parse(&format!("ws://{}", listener.local_addr().unwrap())).unwrap();
            let service = std::thread::spawn(move || {
                let mut socket = tungstenite::accept(listener.accept().unwrap().0).unwrap();
                while answers && socket.read().is_ok() {}
                socket
            });
            let mut network = Network::new(None).unwrap();
            network.apply(at(0), Owner(1), ToNet::Open(CONN, Request::web_socket(url)));
            assert_eq!(told(&mut network, 10, 1), [(1, FromNet::Opened)]);
            let _open = (!answers).then(|| service.join().unwrap());
            network.apply(at(100), Owner(1), ToNet::Probe(CONN));
            let is_asked =
                |network: &Network| network.connections.values().any(|connection| connection.pinged);
            assert!(is_asked(&network));
            let mut events = Vec::new();
            for _ in 0..if answers { 1_000 } else { 5 } {
                network.poll(at(200), Some(Span::from_millis(10))).unwrap();
                while network.next(at(200), &mut events) {}
                if !is_asked(&network) {
                    break;
                }
            }
            assert_eq!(is_asked(&network), !answers);
            network.expire(at(3_099));
            assert_eq!(told(&mut network, 3_099, 0), []);
            network.expire(at(3_100));
            let silent = [(1, lost(Lost::Silent))];
            assert_eq!(told(&mut network, 3_100, 0), if answers { &[][..] } else { &silent });
        }
    }
}
