//! SIP messages in and out: from sockets to the user agent and back, each with a line in the log.

use super::command::Report;
use super::link::Progress;
use super::sockets::Stream;
use super::thread::Trunk;
use super::tokens;
use offhook_sip_rtp::sip::agent::{Input, Output};
use offhook_sip_rtp::sip::framing::Frame;
use offhook_sip_rtp::sip::ladder::{self, Way};
use offhook_sip_rtp::sip::transport::{Peer, Transport};
use offhook_units::Moment;
use std::io::ErrorKind;

/// Datagrams read in one turn.
const DATAGRAMS_A_TURN: usize = 32;
/// Connections accepted in one turn.
const ACCEPTS_A_TURN: usize = 8;
/// Messages taken from one connection, or looks for more of them, in one turn.
const FRAMES_A_TURN: usize = 32;
/// Keep-alives and their answers (RFC 5626 3.5.1).
const PONG: &[u8] = b"\r\n";

impl Trunk {
    /// Reads SIP over UDP; whether there may be more.
    pub(super) fn read_datagrams(&mut self) -> bool {
        for _ in 0..DATAGRAMS_A_TURN {
            let Some(to) = self.udp.unreached(&mut self.buffer) else { break };
            self.agent.handle_input(self.clock.now(), Input::Unreachable(Peer::udp(to)));
            self.flush();
        }
        for _ in 0..DATAGRAMS_A_TURN {
            let received = match self.udp.receive(&mut self.buffer) {
                Ok(received) => received,
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            };
            let from = Peer::udp(received.from);
            if !self.agent.admits(from) {
                continue;
            }
            let now = self.clock.now();
            let bytes = self.buffer.filled(received.length);
            if !is_line_ends(bytes) {
                self.counters.messages_in += 1;
                self.office.tell(Report::Ladder(ladder::line(now, Way::In, from, bytes)));
            }
            self.agent.handle_input(now, Input::Bytes { from, bytes });
            self.flush();
        }
        true
    }

    /// Takes new connections; whether there may be more.
    pub(super) fn accept(&mut self, tls: bool) -> bool {
        let transport = if tls { Transport::Tls } else { Transport::Tcp };
        for _ in 0..ACCEPTS_A_TURN {
            let listener = if tls { &self.tls } else { &self.tcp };
            let Some(listener) = listener else { return false };
            let (stream, from) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) => return error.kind() != ErrorKind::WouldBlock,
            };
            // A stranger's connection is dropped before it costs anything.
            if !self.agent.admits(Peer { transport, addr: from, flow: None }) {
                continue;
            }
            let registry = self.poll.registry();
            let register = |stream: &mut Stream, id| stream.register(registry, tokens::link(id));
            self.links.accept(self.clock.now(), stream, (transport, from), register);
        }
        true
    }

    /// Serves a connection; whether there may be more.
    pub(super) fn read_link(&mut self, id: u64) -> bool {
        let now = self.clock.now();
        let Some(link) = self.links.get(id) else { return false };
        let from = link.peer();
        if link.flush().is_err() {
            self.close_link(id);
            return false;
        }
        let mut progress = Progress::More;
        for _ in 0..FRAMES_A_TURN {
            let Some(link) = self.links.get(id) else { return false };
            // Nothing is read while a frame waits: what one look brought is all that is ever kept.
            let goes_on = match link.next_frame() {
                Some(frame) => self.take_frame(now, id, from, frame),
                None if progress == Progress::Drained => return false,
                None if progress == Progress::Closed => false,
                None => {
                    progress = link.read(now);
                    true
                }
            };
            if !goes_on {
                // What was heard last is answered first, as far as the far end still listens.
                self.flush();
                self.close_link(id);
                return false;
            }
        }
        true
    }

    /// Acts on a frame of a connection; whether that goes on.
    fn take_frame(&mut self, now: Moment, id: u64, from: Peer, frame: Frame) -> bool {
        match frame {
            Frame::Message(bytes) => {
                self.hear(now, from, &bytes);
                true
            }
            Frame::Last(bytes) => {
                self.hear(now, from, &bytes);
                false
            }
            Frame::Ping => self.links.get(id).is_some_and(|link| link.send(PONG).is_ok()),
            Frame::TooLarge => false,
        }
    }

    fn hear(&mut self, now: Moment, from: Peer, bytes: &[u8]) {
        self.counters.messages_in += 1;
        self.office.tell(Report::Ladder(ladder::line(now, Way::In, from, bytes)));
        self.agent.handle_input(now, Input::Bytes { from, bytes });
        self.flush();
    }

    /// Ends a connection; what waited for an answer over it has none.
    pub(super) fn close_link(&mut self, id: u64) {
        if let Some(peer) = self.links.close(id, self.poll.registry()) {
            self.agent.handle_input(self.clock.now(), Input::Unreachable(peer));
        }
    }

    /// Does what the user agent wants done, until it wants nothing. Messages go out before anything else is done about
    /// the events between them: an answer does not wait for a codec to be set up.
    pub(super) fn flush(&mut self) {
        let mut events = Vec::new();
        loop {
            while let Some(output) = self.agent.poll_output() {
                match output {
                    Output::Send { to, bytes } => self.send(to, &bytes),
                    Output::Event(event) => events.push(event),
                }
            }
            if events.is_empty() {
                return;
            }
            for event in events.drain(..) {
                self.on_call_event(event);
            }
        }
    }

    fn send(&mut self, to: Peer, bytes: &[u8]) {
        let now = self.clock.now();
        let sent = match to.transport {
            Transport::Udp => self.udp.send(bytes, to.addr).map_err(|error| error.kind()),
            Transport::Tcp | Transport::Tls => {
                let sent = self.links.send(now, to, bytes, self.poll.registry(), tokens::link);
                sent.map_err(|_unreachable| ErrorKind::NotConnected)
            }
        };
        if !is_line_ends(bytes) {
            self.counters.messages_out += 1;
            self.office.tell(Report::Ladder(ladder::line(now, Way::Out, to, bytes)));
        }
        match sent {
            // A full socket loses the datagram, and the transaction sends it again.
            Ok(()) | Err(ErrorKind::WouldBlock) => {}
            Err(_) => {
                self.counters.unsendable += 1;
                self.agent.handle_input(now, Input::Unreachable(to));
            }
        }
    }
}

fn is_line_ends(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}
