//! The sockets of the HTTP server, and its loop.

use super::connection::Connection;
use super::request::Request;
use super::response::Response;
use crate::clock::Clock;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use offhook_units::Moment;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const FIRST: usize = 2;

/// Connections at once: a browser, a collector and some tools. One more is closed as it comes.
const MOST_CONNECTIONS: usize = 32;
/// Taken off a socket in one go, bytes.
const GULP: usize = 2 * 1024;
const EVENTS: usize = 64;

/// A server that is bound.
#[derive(Debug)]
pub struct Server {
    poll: Poll,
    listener: TcpListener,
    clock: Clock,
    connections: BTreeMap<usize, (TcpStream, Connection)>,
    next: usize,
    stop: Arc<AtomicBool>,
}

/// Ends a server.
#[derive(Clone, Debug)]
pub struct Stopper {
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
}

impl Stopper {
    /// The server's loop ends.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
        // It looks at the flag by itself, only later.
        let _ = self.waker.wake();
    }
}

impl Server {
    /// Listens on `addr`; port 0 takes a free one.
    ///
    /// # Errors
    /// The system's.
    pub fn bind(addr: SocketAddr, clock: Clock) -> io::Result<(Self, Stopper)> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(addr)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let stop = Arc::new(AtomicBool::new(false));
        let stopper = Stopper { stop: stop.clone(), waker };
        Ok((Self { poll, listener, clock, connections: BTreeMap::new(), next: FIRST, stop }, stopper))
    }

    /// Where it listens.
    ///
    /// # Errors
    /// The system's.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers requests with `answer` until it is stopped.
    ///
    /// # Errors
    /// The system's, when it cannot wait any more.
    pub fn run(mut self, answer: &mut dyn FnMut(&Request) -> Response) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while !self.stop.load(Relaxed) {
            let wait = self.next_timeout();
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    WAKER => {}
                    Token(id) => self.serve(id, answer),
                }
            }
            self.time_out();
        }
        Ok(())
    }

    fn next_timeout(&self) -> Option<Duration> {
        let first = self.connections.values().map(|(_, connection)| connection.poll_timeout()).min()?;
        let wait = first.since(self.clock.now()).as_micros().max(0).cast_unsigned();
        // A little beyond, so that it is over when it is looked at.
        Some(Duration::from_micros(wait) + Duration::from_millis(1))
    }

    fn accept(&mut self) {
        // What the system refuses (no file descriptors left) is tried again with the next connection.
        while let Ok((mut stream, _)) = self.listener.accept() {
            if self.connections.len() >= MOST_CONNECTIONS {
                continue;
            }
            let interest = Interest::READABLE | Interest::WRITABLE;
            if self.poll.registry().register(&mut stream, Token(self.next), interest).is_ok() {
                self.connections.insert(self.next, (stream, Connection::new(self.clock.now())));
                self.next += 1;
            }
        }
    }

    fn serve(&mut self, id: usize, answer: &mut dyn FnMut(&Request) -> Response) {
        let now = self.clock.now();
        let Some((stream, connection)) = self.connections.get_mut(&id) else { return };
        if !turn(now, stream, connection, answer) {
            self.close(id);
        }
    }

    fn time_out(&mut self) {
        let now = self.clock.now();
        let due = |(id, (_, connection)): (&usize, &(TcpStream, Connection))| {
            (connection.poll_timeout() <= now).then_some(*id)
        };
        let due: Vec<usize> = self.connections.iter().filter_map(due).collect();
        for id in due {
            let Some((stream, connection)) = self.connections.get_mut(&id) else { continue };
            connection.handle_timeout(now);
            if send(stream, connection).is_err() || connection.is_over() {
                self.close(id);
            }
        }
    }

    fn close(&mut self, id: usize) {
        if let Some((mut stream, _)) = self.connections.remove(&id) {
            deregister(self.poll.registry(), &mut stream);
        }
    }
}

fn deregister(registry: &Registry, stream: &mut TcpStream) {
    // It is closed next, which takes it out by itself.
    let _ = registry.deregister(stream);
}

/// Reads, answers and writes as far as it goes; whether the connection goes on.
fn turn(
    now: Moment,
    stream: &mut TcpStream,
    connection: &mut Connection,
    answer: &mut dyn FnMut(&Request) -> Response,
) -> bool {
    loop {
        let open = receive(stream, connection);
        let mut is_idle = true;
        while let Some(request) = connection.poll_request(now) {
            is_idle = false;
            connection.answer(&answer(&request));
            if send(stream, connection).is_err() {
                return false;
            }
        }
        if send(stream, connection).is_err() || connection.is_over() {
            return false;
        }
        match open {
            Some(Received::End) => return false,
            // The edge is told once: all that is there has to be read, as far as there is room.
            Some(Received::Some) => {}
            Some(Received::Nothing) | None if is_idle => return true,
            Some(Received::Nothing) | None => {}
        }
    }
}

enum Received {
    Some,
    Nothing,
    End,
}

/// One gulp; `None` while there is no room, because an answer waits to be sent.
fn receive(stream: &mut TcpStream, connection: &mut Connection) -> Option<Received> {
    let mut gulp = [0; GULP];
    let room = connection.room().min(GULP);
    let gulp = gulp.get_mut(..room).filter(|gulp| !gulp.is_empty())?;
    Some(match stream.read(gulp) {
        Ok(0) => Received::End,
        Ok(length) => {
            connection.handle_input(gulp.get(..length).unwrap_or_default());
            Received::Some
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Nothing,
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Received::Some,
        Err(_) => Received::End,
    })
}

/// Writes as much as the system takes.
fn send(stream: &mut TcpStream, connection: &mut Connection) -> io::Result<()> {
    while !connection.unsent().is_empty() {
        match stream.write(connection.unsent()) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(length) => connection.sent(length),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::response::{Kind, Status};
    use super::*;
    use std::io::{BufRead, BufReader};

    /// Runs `test` against a server that answers with the path; gives it the address.
    fn served(test: impl FnOnce(SocketAddr)) {
        let (server, stopper) = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Clock::start()).unwrap();
        let addr = server.local().unwrap();
        std::thread::scope(|scope| {
            let body = "x".repeat(300_000);
            scope.spawn(move || {
                let answer = &mut |request: &Request| match &*request.path {
                    "/big" => Response::page(Kind::Text, body.clone()),
                    path => Response::line(Status::Ok, path),
                };
                server.run(answer).unwrap();
            });
            test(addr);
            stopper.stop();
        });
    }

    fn ask(addr: SocketAddr, text: &str) -> String {
        let mut stream = std::net::TcpStream::connect(addr).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_request_is_answered_and_the_connection_closed_when_asked() {
        served(|addr| {
            let answer = ask(addr, "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n");
            assert!(
                answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n/a\n"),
                "{answer}"
            );
        });
    }

    #[test]
    fn an_answer_beyond_the_sockets_buffer_arrives_whole() {
        served(|addr| {
            let answer = ask(addr, "GET /big HTTP/1.0\r\n\r\n");
            assert_eq!(answer.split_once("\r\n\r\n").unwrap().1.len(), 300_000);
        });
    }

    #[test]
    fn many_requests_in_one_write_are_all_answered_in_order() {
        served(|addr| {
            let asked: String = (0..100).map(|n| format!("GET /{n} HTTP/1.1\r\n\r\n")).collect();
            let answer = ask(addr, &format!("{asked}GET /end HTTP/1.0\r\n\r\n"));
            let told: Vec<&str> = answer.lines().filter(|line| line.starts_with('/')).collect();
            let wanted: Vec<String> = (0..100).map(|n| format!("/{n}")).chain(["/end".to_owned()]).collect();
            assert_eq!(told, wanted);
        });
    }

    #[test]
    fn one_connection_too_many_is_closed_and_the_others_live() {
        served(|addr| {
            let streams: Vec<_> =
                (0..MOST_CONNECTIONS).map(|_| std::net::TcpStream::connect(addr).unwrap()).collect();
            let mut heard: Vec<_> = streams.iter().map(BufReader::new).collect();
            for (stream, heard) in streams.iter().zip(&mut heard) {
                let mut stream = stream;
                stream.write_all(b"GET /x HTTP/1.1\r\n\r\n").unwrap();
                let mut line = String::new();
                heard.read_line(&mut line).unwrap();
                assert_eq!(line, "HTTP/1.1 200 OK\r\n");
            }
            let mut extra = std::net::TcpStream::connect(addr).unwrap();
            assert!(matches!(extra.read(&mut [0; 8]), Ok(0) | Err(_)));
        });
    }
}
