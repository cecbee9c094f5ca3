//! What the same machine takes for the way alone, in the same seconds: a message over a bare socket to a thread that
//! polls as many sockets as there are calls, and its answer.

use crate::support::CALLS;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// About as long as a token of a model on its socket.
const MESSAGE: [u8; 64] = [0; 64];
/// Between two messages: as many a second as the calls are sent frames.
const GAP: Duration = Duration::from_millis(1);

/// Messages that went there, and came back.
#[derive(Default)]
pub(crate) struct Ways {
    pub(crate) there: Vec<Duration>,
    pub(crate) and_back: Vec<Duration>,
}

/// Messages all the time.
pub(crate) struct Bare {
    ways: Arc<Mutex<Ways>>,
}

impl Bare {
    pub(crate) fn start() -> Self {
        let origin = Instant::now();
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = door.local_addr().unwrap();
        let (near, far): (Vec<_>, Vec<_>) = (0..CALLS)
            .map(|_| {
                let near = std::net::TcpStream::connect(address).unwrap();
                near.set_nodelay(true).unwrap();
                (near, door.accept().unwrap().0)
            })
            .unzip();
        std::thread::spawn(move || answer(far, origin));
        let ways = Arc::default();
        let of_them = Arc::clone(&ways);
        std::thread::spawn(move || send(near, origin, &of_them));
        Self { ways }
    }

    /// What was measured since the last time.
    pub(crate) fn take(&self) -> Ways {
        std::mem::take(&mut self.ways.lock().unwrap())
    }
}

/// A message on one socket after the other, each answered before the next.
fn send(mut sockets: Vec<std::net::TcpStream>, origin: Instant, ways: &Mutex<Ways>) {
    for call in (0..sockets.len()).cycle() {
        std::thread::sleep(GAP);
        let sent = Instant::now();
        sockets[call].write_all(&MESSAGE).unwrap();
        let mut read_us = [0; 8];
        sockets[call].read_exact(&mut read_us).unwrap();
        let and_back = sent.elapsed();
        let read_at = origin + Duration::from_micros(u64::from_be_bytes(read_us));
        let mut ways = ways.lock().unwrap();
        ways.there.push(read_at.saturating_duration_since(sent));
        ways.and_back.push(and_back);
    }
}

/// Answers each message with the moment in which it was read.
fn answer(sockets: Vec<std::net::TcpStream>, origin: Instant) {
    let mut poll = Poll::new().unwrap();
    let mut sockets: Vec<TcpStream> = sockets
        .into_iter()
        .enumerate()
        .map(|(number, socket)| {
            socket.set_nonblocking(true).unwrap();
            socket.set_nodelay(true).unwrap();
            let mut socket = TcpStream::from_std(socket);
            poll.registry().register(&mut socket, Token(number), Interest::READABLE).unwrap();
            socket
        })
        .collect();
    let mut events = Events::with_capacity(CALLS);
    loop {
        poll.poll(&mut events, None).unwrap();
        for event in &events {
            let socket = &mut sockets[event.token().0];
            let mut message = [0; 2 * MESSAGE.len()];
            let Ok(1..) = socket.read(&mut message) else { continue };
            let read_us = u64::try_from(origin.elapsed().as_micros()).unwrap();
            socket.write_all(&read_us.to_be_bytes()).unwrap();
        }
    }
}
