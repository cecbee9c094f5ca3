//! Questions to name servers on their way: each leaves from a socket of its own, so that a forger has its port to guess
//! beside its number.

use super::sockets::{Buffer, Datagrams, Stream};
use mio::{Registry, Token};
use offhook_sip_rtp::media::dscp::Dscp;
use offhook_sip_rtp::names::resolver::Wire;
use offhook_units::{Moment, Span};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Questions at once. A trunk's name takes some ten; the resolver asks again what finds no place.
const MOST: usize = 64;
/// The resolver has given a question up by then.
const OPEN_FOR: Span = Span::from_millis(15_000);
/// Longest answer by a stream: two bytes say its length (RFC 1035 4.2.2).
const LONGEST: usize = 2 + 65_535;

/// One question.
#[derive(Debug)]
struct Question {
    to: SocketAddr,
    until: Moment,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Datagram(Datagrams),
    /// What is still to be sent, and what has come of the answer.
    Stream(Stream, Vec<u8>, Vec<u8>),
}

/// What came of a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// An answer, or what somebody wants us to take for one.
    Message(SocketAddr, Vec<u8>),
    /// The name server cannot be reached that way.
    Unreachable(SocketAddr),
    /// Nothing yet.
    Nothing,
}

/// The questions.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    questions: BTreeMap<u64, Question>,
    last: u64,
}

impl Lookups {
    /// Asks `to`. Whether it could be sent, or may still be.
    pub(super) fn ask(
        &mut self,
        now: Moment,
        (to, wire): (SocketAddr, Wire),
        bytes: Vec<u8>,
        registry: &Registry,
        token: impl Fn(u64) -> Token,
    ) -> bool {
        self.close_old(now, registry);
        if self.questions.len() >= MOST {
            return false;
        }
        let id = self.last + 1;
        let opened = match wire {
            Wire::Udp => ask_by_datagram(to, &bytes, registry, token(id)),
            Wire::Tcp => ask_by_stream(to, bytes, registry, token(id)),
        };
        let Ok(way) = opened else { return false };
        self.last = id;
        self.questions.insert(id, Question { to, until: now + OPEN_FOR, way });
        true
    }

    /// Reads what came for a question; one that is over is closed.
    pub(super) fn read(&mut self, id: u64, buffer: &mut Buffer, registry: &Registry) -> Heard {
        let Some(question) = self.questions.get_mut(&id) else { return Heard::Nothing };
        let to = question.to;
        let heard = match &mut question.way {
            Way::Datagram(socket) => match socket.receive(buffer) {
                Ok(received) => Ok(Some((received.from, buffer.filled(received.length).to_vec()))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
                Err(error) => Err(error),
            },
            Way::Stream(stream, unsent, come) => {
                converse(stream, unsent, come).map(|message| message.map(|message| (to, message)))
            }
        };
        match heard {
            Ok(None) => Heard::Nothing,
            Ok(Some((from, message))) => {
                // A forger's answer does not close the door to the true one.
                if from == to {
                    self.close(id, registry);
                }
                Heard::Message(from, message)
            }
            Err(_) => {
                self.close(id, registry);
                Heard::Unreachable(to)
            }
        }
    }

    fn close_old(&mut self, now: Moment, registry: &Registry) {
        let old: Vec<u64> =
            self.questions.iter().filter(|(_, q)| q.until <= now).map(|(id, _)| *id).collect();
        for id in old {
            self.close(id, registry);
        }
    }

    fn close(&mut self, id: u64, registry: &Registry) {
        match self.questions.remove(&id).map(|question| question.way) {
            Some(Way::Datagram(mut socket)) => socket.deregister(registry),
            Some(Way::Stream(mut stream, ..)) => stream.deregister(registry),
            None => {}
        }
    }
}

fn ask_by_datagram(to: SocketAddr, bytes: &[u8], registry: &Registry, token: Token) -> io::Result<Way> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let mut socket = Datagrams::bind(SocketAddr::new(any, 0), Dscp::BEST_EFFORT)?;
    socket.send(bytes, to)?;
    socket.register(registry, token)?;
    Ok(Way::Datagram(socket))
}

fn ask_by_stream(to: SocketAddr, bytes: Vec<u8>, registry: &Registry, token: Token) -> io::Result<Way> {
    let mut stream = Stream::connect(to)?;
    stream.register(registry, token)?;
    Ok(Way::Stream(stream, bytes, Vec::new()))
}

/// Sends what is left of the question and reads what there is of the answer; the whole answer, once it is there.
fn converse(stream: &mut Stream, unsent: &mut Vec<u8>, come: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    if !stream.is_connected()? {
        return Ok(None);
    }
    while !unsent.is_empty() {
        match stream.write(unsent) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(sent) => drop(unsent.drain(..sent)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    let mut gulp = [0; 4_096];
    loop {
        if let Some((length, rest)) = come.split_first_chunk::<2>()
            && let Some(message) = rest.get(..usize::from(u16::from_be_bytes(*length)))
        {
            return Ok(Some(message.to_vec()));
        }
        match stream.read(&mut gulp) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(taken) if come.len() + taken <= LONGEST => {
                come.extend_from_slice(gulp.get(..taken).unwrap_or(&[]));
            }
            Ok(_) => return Err(ErrorKind::InvalidData.into()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}
