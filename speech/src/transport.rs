//! What protocol machines ask of the network and what it tells them. The machines never see a socket: they hand out
//! [`ToNet`] and are handed [`FromNet`], each with the number of its connection.

use crate::wire::url::Url;
use offhook_units::Pii;
use std::fmt;

/// Which machine of a call a connection belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The voice's socket.
    Voice,
    /// The voice over HTTP, when its socket is gone.
    VoiceHttp,
    /// Recognition.
    Ears,
    /// The language model.
    Mind,
    /// The service that does all of it.
    AllInOne,
}

/// A connection of a call. A number is never used twice in a call, so that what a dead connection still had to tell
/// reaches nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnId {
    /// Whose it is.
    pub part: Part,
    /// Counted from 1.
    pub number: u32,
}

impl ConnId {
    /// The connection after this one.
    pub const fn next(self) -> Self {
        Self { part: self.part, number: self.number.wrapping_add(1) }
    }

    /// Before the first connection of `part`.
    pub const fn none(part: Part) -> Self {
        Self { part, number: 0 }
    }
}

/// What is opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Where.
    pub url: Url,
    /// Headers; their values may be keys and are never printed.
    pub headers: Vec<(String, Pii<String>)>,
    /// How.
    pub kind: RequestKind,
}

impl Request {
    /// An upgrade to a WebSocket.
    pub const fn web_socket(url: Url) -> Self {
        Self { url, headers: Vec::new(), kind: RequestKind::WebSocket }
    }

    /// A stream of bytes over TCP.
    pub const fn raw(url: Url) -> Self {
        Self { url, headers: Vec::new(), kind: RequestKind::Raw }
    }

    /// A POST of JSON.
    pub fn post_json(url: Url, body: String) -> Self {
        Self { url, headers: Vec::new(), kind: RequestKind::Post(body) }
            .header("Content-Type", &Pii::new("application/json".to_owned()))
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &Pii<String>) -> Self {
        self.headers.push((name.to_owned(), Pii::new(value.reveal().clone())));
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither headers (keys) nor bodies (what the caller said).
        f.debug_struct("Request").field("url", &self.url.to_string()).finish_non_exhaustive()
    }
}

/// How something is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// As a WebSocket.
    WebSocket,
    /// As one HTTP POST with this body.
    Post(String),
    /// As it is: bytes both ways, in pieces that mean nothing.
    Raw,
}

/// What a machine asks of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToNet {
    /// Open a connection.
    Open(ConnId, Request),
    /// Send a text message.
    Text(ConnId, String),
    /// Send a binary message.
    Binary(ConnId, Vec<u8>),
    /// Find out whether anybody is there: if not, it is closed soon.
    Probe(ConnId),
    /// Close it; whatever it still says is dropped.
    Close(ConnId),
}

/// What the network tells a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromNet {
    /// The WebSocket or the stream is open, or the response's head is here.
    Opened,
    /// A text message.
    Text(String),
    /// A binary message, or the next part of a response's body or of a stream.
    Binary(Vec<u8>),
    /// It is over; nothing follows.
    Closed(Closed),
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Closed {
    /// A response came to its end, or the WebSocket was closed with this code.
    Done {
        /// The WebSocket's close code, 1005 when it had none, as for a stream; the HTTP status of a response.
        code: u16,
        /// The reason in words.
        reason: String,
    },
    /// HTTP refused: the upgrade, or the request.
    Refused {
        /// The status.
        status: u16,
        /// `Retry-After`.
        retry_after_s: Option<u32>,
        /// The start of the body.
        body: String,
    },
    /// It was never there, broke off, or made no sense.
    Lost(Lost),
}

/// Why a connection was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lost {
    /// The name has no address.
    NoAddress,
    /// Nobody there, or the connection broke.
    Broken,
    /// TLS failed: a certificate, most likely.
    Tls,
    /// The other side does not speak the protocol.
    Protocol,
    /// It took too long to open.
    Slow,
    /// It was open, and does not answer any more.
    Silent,
    /// It sent more than anybody can use, or does not take what is sent.
    Flooded,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAddress => "the name has no address",
            Self::Broken => "the connection broke, or nobody answered",
            Self::Tls => "TLS failed; see the certificate and the clock",
            Self::Protocol => "the other side does not speak the protocol",
            Self::Slow => "it took too long to connect",
            Self::Silent => "it does not answer any more",
            Self::Flooded => "it sent or held back more than fits",
        })
    }
}
