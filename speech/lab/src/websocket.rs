//! The loop of one WebSocket: messages in, what the session and the switches make of them out, by the clock.

use crate::clock::Clock;
use crate::gate::{Gate, Incident, Passage};
use crate::seen::Page;
use crate::session::{Out, Send, Session};
use crate::wire::{Stream, nothing_came};
use offhook_units::Moment;
use std::borrow::Cow;
use std::time::Duration;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

/// Longest message that is taken.
const LONGEST_MESSAGE: usize = 16 * 1024 * 1024;
/// Longest wait in one go.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How long the client may take to answer a close.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// A WebSocket with its session.
pub(crate) struct Socket {
    socket: WebSocket<Stream>,
    session: Box<dyn Session>,
    out: Out,
    /// What was taken out of `out` and must wait.
    held: Option<Send>,
    gate: Gate,
    page: Page,
    clock: Clock,
}

/// How a message went.
enum Next {
    GoOn,
    Over(Cow<'static, str>),
}

impl Socket {
    /// `early` is what came behind the request.
    pub(crate) fn new(
        stream: Stream,
        early: Vec<u8>,
        session: Box<dyn Session>,
        gate: Gate,
        page: Page,
        clock: Clock,
    ) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(16 * 1024)
            .max_message_size(Some(LONGEST_MESSAGE))
            .max_frame_size(Some(LONGEST_MESSAGE));
        let socket = WebSocket::from_partially_read(stream, early, Role::Server, Some(config));
        Self { socket, session, out: Out::default(), held: None, gate, page, clock }
    }

    /// Serves until the end, and says how it ended.
    pub(crate) fn serve(mut self) -> String {
        self.session.opened(self.clock.now(), &mut self.out);
        let mut next = match self.gate.opened() {
            Some(incident) => self.happen(incident),
            None => Next::GoOn,
        };
        loop {
            if let Next::GoOn = next {
                next = self.give();
            }
            if let Next::GoOn = next {
                next = self.take();
            }
            if let Next::Over(how) = next {
                let lost = usize::from(self.held.is_some()) + std::iter::from_fn(|| self.out.next()).count();
                self.page.unheard(lost);
                return how.into_owned();
            }
        }
    }

    /// Sends what there is to send.
    fn give(&mut self) -> Next {
        while let Some(send) = self.held.take().or_else(|| self.out.next()) {
            let next = match self.gate.pass(self.clock.now(), &send) {
                Passage::Go => self.send(send),
                Passage::Lost => Next::GoOn,
                Passage::NotBefore(_) => {
                    self.held = Some(send);
                    return Next::GoOn;
                }
                Passage::Instead(incident) => self.happen(incident),
            };
            if let Next::Over(_) = next {
                return next;
            }
        }
        Next::GoOn
    }

    fn send(&mut self, send: Send) -> Next {
        let (message, audio) = match send {
            Send::Close { code, reason } => return self.close(code, &reason),
            Send::Text { body, audio } => (Message::text(body), audio),
            Send::Binary { body, audio } => (Message::binary(body), audio),
        };
        let (noise, garbage) = (self.gate.faults().noise, self.gate.faults().garbage);
        let mut sent = Ok(());
        if noise {
            sent = self.socket.write(Message::text(r#"{"type":"lab_noise","new_field":[1,{"a":null}]}"#));
        }
        if garbage {
            sent = sent.and_then(|()| self.socket.write(Message::text("{\"lab\": \"not JSON")));
        }
        match sent.and_then(|()| self.socket.send(message)) {
            Ok(()) => {
                if audio.bytes > 0 {
                    self.page.audio_out(audio.bytes);
                }
                Next::GoOn
            }
            Err(error) => {
                self.page.unheard(usize::from(audio.bytes > 0));
                gone(&error)
            }
        }
    }

    /// Waits for a message, or until something is due.
    fn take(&mut self) -> Next {
        let due = [self.session.due(), self.gate.held_until()].into_iter().flatten().min();
        let wait = self.clock.wait_for(due, LONGEST_WAIT);
        if self.socket.get_ref().wait_at_most(wait).is_err() {
            return Next::Over("the socket failed".into());
        }
        let read = self.socket.read();
        let now = self.clock.now();
        match read {
            Ok(Message::Text(text)) => self.session.text(now, text.as_str(), &mut self.out),
            Ok(Message::Binary(data)) => {
                self.session.binary(now, &data, &mut self.out);
                if let Some(incident) = self.gate.heard(now, self.out.heard_us()) {
                    return self.happen(incident);
                }
            }
            Ok(Message::Close(frame)) => return self.closed_by_client(frame),
            Ok(_) => {}
            Err(Error::Io(error)) if nothing_came(&error) => {}
            Err(error) => return gone(&error),
        }
        if self.session.due().is_some_and(|due| due <= now) {
            self.session.tick(now, &mut self.out);
        }
        Next::GoOn
    }

    fn closed_by_client(&mut self, frame: Option<CloseFrame>) -> Next {
        // The answer to the close is in the buffer already.
        let _ = self.socket.flush();
        self.socket.get_mut().finish();
        let code = frame.map_or(1005, |frame| u16::from(frame.code));
        Next::Over(format!("client closed {code}").into())
    }

    fn close(&mut self, code: u16, reason: &str) -> Next {
        // A reason has 123 bytes at most (RFC 6455 section 5.5).
        let reason: String = reason.chars().take(40).collect();
        let how = format!("lab closed {code}");
        if self.socket.close(Some(CloseFrame { code: code.into(), reason: reason.into() })).is_err() {
            return Next::Over(how.into());
        }
        let _ = self.socket.flush();
        // The client's answer; without this wait the system might throw away what the client has not read.
        let until = self.clock.now() + offhook_units::Span::from_micros(CLOSE_PATIENCE.as_micros() as i64);
        while self.clock.now() < until {
            let wait = self.clock.wait_for(Some(until), CLOSE_PATIENCE);
            if self.socket.get_ref().wait_at_most(wait).is_err() || self.socket.read().is_err() {
                break;
            }
        }
        self.socket.get_mut().finish();
        Next::Over(how.into())
    }

    fn happen(&mut self, incident: Incident) -> Next {
        self.page.message(&format!("lab: {incident:?}"));
        match incident {
            Incident::Close { code, reason } => self.close(code, &reason),
            Incident::Kill => {
                let _ = self.socket.flush();
                self.socket.get_ref().cut();
                Next::Over("lab cut the connection".into())
            }
            Incident::HalfOpen => {
                hold(self.socket.get_ref(), self.clock);
                Next::Over("half open".into())
            }
            Incident::Error(code) => {
                while self.out.next().is_some() {}
                self.session.fail(&code, &mut self.out);
                Next::GoOn
            }
        }
    }
}

fn gone(error: &Error) -> Next {
    Next::Over(format!("client gone: {error}").into())
}

/// How long a connection stays half open at most.
const HALF_OPEN: Duration = Duration::from_secs(120);

/// Keeps a connection and does nothing with it, until somebody cuts it or the patience is over. What comes is
/// not read, so that the client's window fills up as it does with a dead peer.
pub(crate) fn hold(stream: &Stream, clock: Clock) {
    let until: Moment = clock.now() + offhook_units::Span::from_micros(HALF_OPEN.as_micros() as i64);
    while clock.now() < until && stream.rest(Duration::from_millis(50)) {}
}
