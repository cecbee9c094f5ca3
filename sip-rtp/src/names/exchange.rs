//! One question on its way over the name servers: again after a time-out, from the next server, by a stream when the
//! answer is too large, without extensions when they are not understood.

use super::record::Question;
use super::wire;
use crate::sip::ids::Ids;
use offhook_units::{Moment, Span};
use std::net::SocketAddr;

/// How long the first question waits; each further round waits twice as long.
const FIRST_WAIT_MS: i64 = 1_000;
/// How often each server is asked.
const ROUNDS: usize = 3;
/// A stream has to be opened first, and repeats by itself what is lost.
const STREAM_WAIT: Span = Span::from_millis(4_000);

/// How a question travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// A datagram.
    Udp,
    /// A stream: two bytes of length before each message (RFC 7766 8).
    Tcp,
}

/// What is to be done after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask (again).
    Ask,
    /// Wait for the time-out.
    Wait,
    /// Nobody answers.
    GiveUp,
}

#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) id: u16,
    pub(super) wire: Wire,
    pub(super) deadline: Moment,
    /// Whom it asks, by place in the list.
    pub(super) server: usize,
    asked: usize,
    /// With EDNS (RFC 6891).
    extended: bool,
}

impl Exchange {
    /// A question that starts with `server`.
    pub(super) fn new(now: Moment, server: usize, ids: &mut Ids) -> Self {
        let deadline = now + Span::from_millis(FIRST_WAIT_MS);
        Self { id: number(ids), wire: Wire::Udp, deadline, server, asked: 0, extended: true }
    }

    /// The bytes to send and where to.
    pub(super) fn bytes(&self, question: &Question, servers: &[SocketAddr]) -> Option<(SocketAddr, Vec<u8>)> {
        let to = servers.get(self.server)?;
        let bytes = wire::question(self.id, question, self.extended)?;
        match self.wire {
            Wire::Udp => Some((*to, bytes)),
            Wire::Tcp => {
                let length = u16::try_from(bytes.len()).ok()?;
                Some((*to, [&length.to_be_bytes(), bytes.as_slice()].concat()))
            }
        }
    }

    /// Nothing came in time: the next server, or the next round.
    pub(super) fn on_timeout(&mut self, now: Moment, servers: usize, ids: &mut Ids) -> Next {
        self.asked += 1;
        if self.asked >= ROUNDS * servers {
            return Next::GiveUp;
        }
        self.server = (self.server + 1) % servers.max(1);
        self.wire = Wire::Udp;
        let round = (self.asked / servers.max(1)).min(ROUNDS);
        self.ask_again(now, Span::from_millis(FIRST_WAIT_MS << round), ids)
    }

    /// It refused, or cannot be reached: another server at once, but the same ones only after a while.
    pub(super) fn on_refused(&mut self, now: Moment, servers: usize, ids: &mut Ids) -> Next {
        if (self.asked + 1).is_multiple_of(servers.max(1)) {
            return Next::Wait;
        }
        self.on_timeout(now, servers, ids)
    }

    /// The answer did not fit into a datagram.
    pub(super) fn on_truncated(&mut self, now: Moment, ids: &mut Ids) -> Next {
        if self.wire == Wire::Tcp {
            return Next::Wait;
        }
        self.wire = Wire::Tcp;
        self.ask_again(now, STREAM_WAIT, ids)
    }

    /// It does not know EDNS: the plain question.
    pub(super) fn on_no_extensions(&mut self, now: Moment, servers: usize, ids: &mut Ids) -> Next {
        if !std::mem::replace(&mut self.extended, false) {
            return self.on_refused(now, servers, ids);
        }
        self.ask_again(now, Span::from_millis(FIRST_WAIT_MS), ids)
    }

    /// A new number each time: an answer to an earlier try that was forged meanwhile does not fit.
    fn ask_again(&mut self, now: Moment, wait: Span, ids: &mut Ids) -> Next {
        self.id = number(ids);
        self.deadline = now + wait;
        Next::Ask
    }
}

fn number(ids: &mut Ids) -> u16 {
    u16::try_from(ids.below(1 << 16)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::from_millis(ms)
    }

    #[test]
    fn each_server_is_asked_in_turn_and_ever_more_slowly() {
        let mut ids = Ids::new([1; 32]);
        let mut exchange = Exchange::new(at(0), 1, &mut ids);
        let mut asked = vec![(1, 0)];
        let now = loop {
            let now = exchange.deadline;
            match exchange.on_timeout(now, 2, &mut ids) {
                Next::Ask => asked.push((exchange.server, now.as_micros() / 1000)),
                Next::GiveUp => break now,
                Next::Wait => panic!(),
            }
        };
        assert_eq!(asked, [(1, 0), (0, 1000), (1, 2000), (0, 4000), (1, 6000), (0, 10_000)]);
        assert_eq!(now, at(14_000));
    }

    #[test]
    fn who_refuses_gives_way_at_once_but_nobody_is_pestered() {
        let mut ids = Ids::new([1; 32]);
        let mut exchange = Exchange::new(at(0), 0, &mut ids);
        assert_eq!(exchange.on_refused(at(5), 2, &mut ids), Next::Ask);
        assert_eq!((exchange.server, exchange.deadline), (1, at(1005)));
        assert_eq!(exchange.on_refused(at(9), 2, &mut ids), Next::Wait);
        assert_eq!(exchange.deadline, at(1005));
        let mut alone = Exchange::new(at(0), 0, &mut ids);
        assert_eq!(alone.on_refused(at(5), 1, &mut ids), Next::Wait);
    }

    #[test]
    fn a_large_answer_is_fetched_by_a_stream_and_a_length_precedes_it() {
        let mut ids = Ids::new([1; 32]);
        let mut exchange = Exchange::new(at(0), 0, &mut ids);
        let (first, question) = (exchange.id, Question::new("a.example", super::super::record::Kind::Srv));
        assert_eq!(exchange.on_truncated(at(5), &mut ids), Next::Ask);
        assert_ne!(exchange.id, first);
        let (_, bytes) = exchange.bytes(&question, &["192.0.2.53:53".parse().unwrap()]).unwrap();
        assert_eq!(usize::from(u16::from_be_bytes([bytes[0], bytes[1]])), bytes.len() - 2);
        assert_eq!(exchange.on_truncated(at(6), &mut ids), Next::Wait, "a stream holds it all");
        assert_eq!(exchange.on_timeout(at(4005), 1, &mut ids), Next::Ask);
        assert_eq!(exchange.wire, Wire::Udp);
    }

    #[test]
    fn an_old_server_is_asked_without_extensions_once() {
        let mut ids = Ids::new([1; 32]);
        let mut exchange = Exchange::new(at(0), 0, &mut ids);
        let question = Question::new("a.example", super::super::record::Kind::A);
        let server = ["192.0.2.53:53".parse().unwrap()];
        let long = exchange.bytes(&question, &server).unwrap().1.len();
        assert_eq!(exchange.on_no_extensions(at(1), 1, &mut ids), Next::Ask);
        assert_eq!(exchange.bytes(&question, &server).unwrap().1.len(), long - 11);
        assert_eq!(exchange.on_no_extensions(at(2), 1, &mut ids), Next::Wait);
    }
}
