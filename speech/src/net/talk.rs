//! One connection once it is there, whatever it runs over: a WebSocket, one HTTP exchange, or bytes as they are. Never
//! blocks: it goes as far as the stream lets it.

use crate::transport::{Closed, FromNet, Lost, Request, RequestKind};
use crate::wire::http::{Head, HttpEvent, HttpParser, encode_request};
use std::io::{ErrorKind, Read, Write};
use tungstenite::handshake::client::{ClientHandshake, Response, generate_key};
use tungstenite::handshake::{HandshakeError, MidHandshake};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

/// Bytes both ways.
pub(super) trait Duplex: Read + Write + Send {}
impl<T: Read + Write + Send> Duplex for T {}
pub(super) type Stream = Box<dyn Duplex>;
type Handshake = MidHandshake<ClientHandshake<Stream>>;
type Upgraded = Result<(WebSocket<Stream>, Response), HandshakeError<ClientHandshake<Stream>>>;

/// The largest message that is taken; a service may send minutes of audio in one.
const MESSAGE_MAX: usize = 16 << 20;
/// What may wait to be sent; a service that does not take a second of audio is dead.
const WRITE_MAX: usize = 1 << 20;
/// What is read in one go before the others have their turn.
const MESSAGES_AT_ONCE: usize = 32;
const BYTES_AT_ONCE: usize = 64 * 1024;
/// Of a refusal so much is kept.
const REFUSAL_MAX: usize = 4 * 1024;

/// How far it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    /// As far as the stream lets it.
    Idle,
    /// There may be more to read.
    More,
    /// To its end.
    Over,
}

pub(super) enum Talk {
    Upgrading(Option<Box<Handshake>>),
    Web(Box<WebSocket<Stream>>),
    Http(Box<Exchange>),
    Raw(Box<RawStream>),
    Over,
}

pub(super) struct RawStream {
    stream: Stream,
    waiting: Vec<u8>,
}

pub(super) struct Exchange {
    stream: Stream,
    request: Vec<u8>,
    sent: usize,
    parser: HttpParser,
    head: Option<Head>,
    refusal: Vec<u8>,
}

impl Talk {
    /// Begins to talk over a stream that is connected.
    pub(super) fn start(stream: Stream, request: &Request, out: &mut Vec<FromNet>) -> Self {
        if let RequestKind::Post(body) = &request.kind {
            let headers: Vec<(String, String)> =
                request.headers.iter().map(|(name, value)| (name.clone(), value.reveal().clone())).collect();
            return Self::Http(Box::new(Exchange {
                stream,
                request: encode_request("POST", &request.url, &headers, body.as_bytes()),
                sent: 0,
                parser: HttpParser::new(),
                head: None,
                refusal: Vec::new(),
            }));
        }
        if request.kind == RequestKind::Raw {
            out.push(FromNet::Opened);
            return Self::Raw(Box::new(RawStream { stream, waiting: Vec::new() }));
        }
        let Some(upgrade) = upgrade(request) else {
            out.push(lost(Lost::Protocol));
            return Self::Over;
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(16 * 1024)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_MAX)
            .max_message_size(Some(MESSAGE_MAX))
            .max_frame_size(Some(MESSAGE_MAX));
        let mut talk = Self::Over;
        talk.upgraded(tungstenite::client::client_with_config(upgrade, stream, Some(config)), out);
        talk
    }

    /// Goes on as far as it can. Says besides whether anything came, be it a pong.
    pub(super) fn drive(&mut self, out: &mut Vec<FromNet>) -> (Went, bool) {
        if let Self::Upgrading(handshake) = self
            && let Some(handshake) = handshake.take()
        {
            self.upgraded(handshake.handshake(), out);
        }
        match self {
            Self::Upgrading(_) => (Went::Idle, false),
            Self::Over => (Went::Over, false),
            Self::Web(_) => self.read_messages(out),
            Self::Http(exchange) => {
                let went = exchange.drive(out);
                if went == Went::Over {
                    *self = Self::Over;
                }
                (went, true)
            }
            Self::Raw(raw) => {
                let went = raw.drive(out);
                if went == Went::Over {
                    *self = Self::Over;
                }
                (went, true)
            }
        }
    }

    /// Whether a ping means something here.
    pub(super) const fn answers_pings(&self) -> bool {
        matches!(self, Self::Web(_))
    }

    /// Sends a message; before the upgrade there is nobody to take it.
    pub(super) fn send(&mut self, message: Message, out: &mut Vec<FromNet>) {
        match self {
            Self::Web(socket) => {
                if let Err(error) = socket.send(message)
                    && !would_block(&error)
                {
                    self.end(closed_by(&error), out);
                }
            }
            Self::Raw(raw) => {
                raw.waiting.extend_from_slice(&message.into_data());
                if let Some(closed) = raw.write() {
                    self.end(closed, out);
                }
            }
            Self::Upgrading(_) | Self::Http(_) | Self::Over => {}
        }
    }

    /// Says goodbye; what was sent before still goes out as far as the stream takes it. False when there is nothing
    /// to wait for.
    pub(super) fn say_goodbye(&mut self) -> bool {
        let Self::Web(socket) = self else { return false };
        let done = socket.close(None).and_then(|()| socket.flush());
        matches!(done, Ok(())) || matches!(done, Err(error) if would_block(&error))
    }

    fn upgraded(&mut self, outcome: Upgraded, out: &mut Vec<FromNet>) {
        match outcome {
            Ok((socket, _)) => {
                *self = Self::Web(Box::new(socket));
                out.push(FromNet::Opened);
            }
            Err(HandshakeError::Interrupted(handshake)) => *self = Self::Upgrading(Some(Box::new(handshake))),
            Err(HandshakeError::Failure(error)) => self.end(closed_by(&error), out),
        }
    }

    fn read_messages(&mut self, out: &mut Vec<FromNet>) -> (Went, bool) {
        let Self::Web(socket) = self else { return (Went::Over, false) };
        let (mut bytes, mut heard) = (0, !out.is_empty());
        for _ in 0..MESSAGES_AT_ONCE {
            let read = socket.read();
            heard |= read.is_ok();
            match read {
                Ok(Message::Text(text)) => {
                    bytes += text.len();
                    out.push(FromNet::Text(text.as_str().to_owned()));
                }
                Ok(Message::Binary(data)) => {
                    bytes += data.len();
                    out.push(FromNet::Binary(data.to_vec()));
                }
                Ok(Message::Close(frame)) => {
                    let (code, reason) = frame
                        .map_or((1005, String::new()), |f| (f.code.into(), f.reason.as_str().to_owned()));
                    // The answer that the library has queued goes out.
                    let _ = socket.flush();
                    self.end(Closed::Done { code, reason }, out);
                    return (Went::Over, heard);
                }
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
                Err(error) if would_block(&error) => {
                    // What the stream did not take when it was sent: reading alone sends none of it.
                    let Err(error) = socket.flush() else { return (Went::Idle, heard) };
                    if would_block(&error) {
                        return (Went::Idle, heard);
                    }
                    self.end(closed_by(&error), out);
                    return (Went::Over, heard);
                }
                Err(error) => {
                    self.end(closed_by(&error), out);
                    return (Went::Over, heard);
                }
            }
            if bytes > BYTES_AT_ONCE {
                break;
            }
        }
        (Went::More, heard)
    }

    fn end(&mut self, closed: Closed, out: &mut Vec<FromNet>) {
        *self = Self::Over;
        out.push(FromNet::Closed(closed));
    }
}

impl RawStream {
    /// Gives how it ended, if it did.
    fn write(&mut self) -> Option<Closed> {
        let mut sent = 0;
        while let Some(rest) = self.waiting.get(sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return Some(Closed::Lost(Lost::Broken)),
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Some(Closed::Lost(why(&error))),
            }
        }
        self.waiting.drain(..sent);
        (self.waiting.len() > WRITE_MAX).then_some(Closed::Lost(Lost::Flooded))
    }

    fn drive(&mut self, out: &mut Vec<FromNet>) -> Went {
        if let Some(closed) = self.write() {
            return over(out, closed);
        }
        let (mut buffer, mut read) = ([0; 8 * 1024], 0);
        while read < BYTES_AT_ONCE {
            match self.stream.read(&mut buffer) {
                Ok(0) => return over(out, Closed::Done { code: 1005, reason: String::new() }),
                Ok(count) => {
                    read += count;
                    out.push(FromNet::Binary(buffer.get(..count).unwrap_or_default().to_vec()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Went::Idle,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return over(out, Closed::Lost(why(&error))),
            }
        }
        Went::More
    }
}

impl Exchange {
    fn drive(&mut self, out: &mut Vec<FromNet>) -> Went {
        while let Some(rest) = self.request.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(0) => return over(out, Closed::Lost(Lost::Broken)),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return over(out, Closed::Lost(why(&error))),
            }
        }
        if self.stream.flush().is_err_and(|error| error.kind() != ErrorKind::WouldBlock) {
            return over(out, Closed::Lost(Lost::Broken));
        }
        let (mut buffer, mut read) = ([0; 8 * 1024], 0);
        while read < BYTES_AT_ONCE {
            let mut events = Vec::new();
            let outcome = match self.stream.read(&mut buffer) {
                Ok(0) => self.parser.finish(&mut events),
                Ok(count) => {
                    read += count;
                    self.parser.put(buffer.get(..count).unwrap_or_default(), &mut events)
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Went::Idle,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // TLS without its goodbye ends a body that has no other end.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => self.parser.finish(&mut events),
                Err(error) => return over(out, Closed::Lost(why(&error))),
            };
            if self.take(events, out) {
                return Went::Over;
            }
            if outcome.is_err() {
                let lost = if self.head.is_some() { Lost::Broken } else { Lost::Protocol };
                return over(out, Closed::Lost(lost));
            }
        }
        Went::More
    }

    /// True when it is over.
    fn take(&mut self, events: Vec<HttpEvent>, out: &mut Vec<FromNet>) -> bool {
        for event in events {
            let good = self.head.is_some_and(|head| (200..300).contains(&head.status));
            match event {
                HttpEvent::Head(head) => {
                    self.head = Some(head);
                    if (200..300).contains(&head.status) {
                        out.push(FromNet::Opened);
                    }
                }
                HttpEvent::Body(bytes) if good => out.push(FromNet::Binary(bytes)),
                HttpEvent::Body(bytes) => {
                    let room = REFUSAL_MAX.saturating_sub(self.refusal.len());
                    self.refusal.extend(bytes.iter().take(room));
                }
                HttpEvent::End => {
                    let head = self.head.unwrap_or_default();
                    let closed = if good {
                        Closed::Done { code: head.status, reason: String::new() }
                    } else {
                        Closed::Refused {
                            status: head.status,
                            retry_after_s: head.retry_after_s,
                            body: String::from_utf8_lossy(&self.refusal).into_owned(),
                        }
                    };
                    over(out, closed);
                    return true;
                }
            }
        }
        false
    }
}

fn over(out: &mut Vec<FromNet>, closed: Closed) -> Went {
    out.push(FromNet::Closed(closed));
    Went::Over
}

pub(super) const fn lost(why: Lost) -> FromNet {
    FromNet::Closed(Closed::Lost(why))
}

/// The upgrade request.
fn upgrade(request: &Request) -> Option<tungstenite::handshake::client::Request> {
    let mut builder = tungstenite::http::Request::builder()
        .uri(request.url.to_string())
        .header("Host", request.url.authority())
        .header("User-Agent", "offhook")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key());
    for (name, value) in &request.headers {
        builder = builder.header(name, value.reveal());
    }
    builder.body(()).ok()
}

fn would_block(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.kind() == ErrorKind::WouldBlock)
}

/// What a failed read, write or TLS step means.
pub(super) fn why(error: &std::io::Error) -> Lost {
    // rustls tells its own errors as bad data.
    if error.kind() == ErrorKind::InvalidData { Lost::Tls } else { Lost::Broken }
}

fn closed_by(error: &Error) -> Closed {
    match error {
        Error::Http(response) => {
            let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
            let body = response.body().as_deref().unwrap_or_default();
            Closed::Refused {
                status: response.status().as_u16(),
                retry_after_s: retry_after.and_then(|seconds| seconds.trim().parse().ok()),
                body: String::from_utf8_lossy(body.get(..body.len().min(REFUSAL_MAX)).unwrap_or_default())
                    .into_owned(),
            }
        }
        Error::Io(error) => Closed::Lost(why(error)),
        Error::Capacity(_) | Error::WriteBufferFull(_) | Error::AttackAttempt => Closed::Lost(Lost::Flooded),
        Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)
        | Error::ConnectionClosed
        | Error::AlreadyClosed => Closed::Lost(Lost::Broken),
        _ => Closed::Lost(Lost::Protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tungstenite::protocol::Role;

    /// Takes so many bytes and no more, and gives none.
    #[derive(Clone, Default)]
    struct Narrow(Arc<Mutex<(usize, Vec<u8>)>>);

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let (room, taken) = &mut *self.0.lock().unwrap();
            let count = bytes.len().min(*room);
            *room -= count;
            taken.extend(&bytes[..count]);
            if count == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Read for Narrow {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(ErrorKind::WouldBlock.into())
        }
    }

    #[test]
    fn what_the_stream_did_not_take_goes_out_as_soon_as_it_does_and_not_with_the_next_message() {
        let stream = Narrow::default();
        stream.0.lock().unwrap().0 = 10;
        let config = WebSocketConfig::default().write_buffer_size(0).max_write_buffer_size(WRITE_MAX);
        let socket =
            WebSocket::from_raw_socket(Box::new(stream.clone()) as Stream, Role::Client, Some(config));
        let (mut talk, mut told) = (Talk::Web(Box::new(socket)), Vec::new());
        talk.send(Message::text("a".repeat(100)), &mut told);
        assert_eq!(stream.0.lock().unwrap().1.len(), 10);
        stream.0.lock().unwrap().0 = 1_000;
        assert_eq!((talk.drive(&mut told), told.len()), ((Went::Idle, false), 0));
        assert_eq!(stream.0.lock().unwrap().1.len(), 2 + 4 + 100, "head, mask, text");
    }
}
