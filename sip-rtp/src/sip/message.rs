//! Messages as values, and how they are written.

use super::address::NameAddr;
use super::header::{Headers, Name};
use super::method::Method;
use super::status::Status;
use super::text;
use super::uri::Uri;
use super::via::Via;
use std::io::Write as _;

/// The number and method of a request within its call (RFC 3261 20.16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CSeq {
    /// Rises with each request of one side.
    pub number: u32,
    /// The method of the request, also in its answers.
    pub method: Method,
}

impl CSeq {
    /// Reads `4711 INVITE`.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, method) = text.trim().split_once([' ', '\t'])?;
        let method = method.trim_start();
        if !text::all_token(method) {
            return None;
        }
        let number = u32::try_from(text::number(number)?).ok()?;
        Some(Self { number, method: Method::from_token(method) })
    }
}

/// What ties messages together: each message has these five, and they were checked when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ident {
    /// The topmost Via. Those below it stay among the headers.
    pub via: Via,
    /// Who asked.
    pub from: NameAddr,
    /// Who was asked.
    pub to: NameAddr,
    /// Which call.
    pub call_id: String,
    /// Which request of it.
    pub cseq: CSeq,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// Of whom.
    pub uri: Uri,
    /// Via, From, To, Call-ID, CSeq.
    pub ident: Ident,
    /// All other headers but Content-Length.
    pub headers: Headers,
    /// The body, as long as Content-Length said.
    pub body: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The code.
    pub status: Status,
    /// The words behind it, as they came.
    pub reason: String,
    /// Via, From, To, Call-ID, CSeq.
    pub ident: Ident,
    /// All other headers but Content-Length.
    pub headers: Headers,
    /// The body, as long as Content-Length said.
    pub body: Vec<u8>,
}

/// Either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Something is asked.
    Request(Request),
    /// Something is answered.
    Response(Response),
}

impl Request {
    /// The answer to this request: all Vias, From, To, Call-ID and CSeq copied (RFC 3261 8.2.6.2).
    pub fn response(&self, status: Status) -> Response {
        let mut headers = Headers::default();
        for via in self.headers.all(&Name::Via) {
            headers.push(Name::Via, via);
        }
        Response {
            status,
            reason: status.reason().to_owned(),
            ident: self.ident.clone(),
            headers,
            body: Vec::new(),
        }
    }

    /// Adds a body and says what it is.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.headers.set(Name::ContentType, content_type);
        self.body = body;
        self
    }

    /// Whether it belongs to a dialog, by its own claim.
    pub fn in_dialog(&self) -> bool {
        self.ident.to.tag().is_some()
    }

    /// The bytes to send.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512 + self.body.len());
        // Writing to a vector cannot fail.
        let _ = write!(out, "{} {} SIP/2.0\r\n", self.method, self.uri);
        write_rest(&mut out, &self.ident, &self.headers, &self.body);
        out
    }
}

impl Response {
    /// Adds a body and says what it is.
    #[must_use]
    pub fn with_body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.headers.set(Name::ContentType, content_type);
        self.body = body;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: Name, value: impl Into<String>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Gives To this tag, unless it has one.
    #[must_use]
    pub fn with_to_tag(mut self, tag: &str) -> Self {
        if self.ident.to.tag().is_none() {
            self.ident.to.params.set("tag", Some(tag.to_owned()));
        }
        self
    }

    /// The bytes to send.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512 + self.body.len());
        let reason = self.reason.replace(['\r', '\n'], " ");
        let _ = write!(out, "SIP/2.0 {} {reason}\r\n", self.status);
        write_rest(&mut out, &self.ident, &self.headers, &self.body);
        out
    }
}

impl Message {
    /// Via, From, To, Call-ID, CSeq.
    pub const fn ident(&self) -> &Ident {
        match self {
            Self::Request(request) => &request.ident,
            Self::Response(response) => &response.ident,
        }
    }

    /// The bytes to send.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Request(request) => request.to_bytes(),
            Self::Response(response) => response.to_bytes(),
        }
    }
}

/// The addresses of a list header. One that does not parse is passed over: whether that is a reason to refuse
/// the message was decided when it was read.
pub(crate) fn addresses(headers: &Headers, name: &Name) -> Vec<NameAddr> {
    headers.values(name).filter_map(NameAddr::parse).collect()
}

/// The type of the body in lower case without its parameters, if there is a body.
pub(crate) fn body_type(headers: &Headers, body: &[u8]) -> Option<String> {
    if body.is_empty() {
        return None;
    }
    let value = headers.get(&Name::ContentType).unwrap_or("");
    Some(value.split(';').next().unwrap_or("").trim().to_ascii_lowercase())
}

fn write_rest(out: &mut Vec<u8>, ident: &Ident, headers: &Headers, body: &[u8]) {
    let Ident { via, from, to, call_id, cseq } = ident;
    let _ = write!(out, "Via: {via}\r\n");
    for via in headers.all(&Name::Via) {
        let _ = write!(out, "Via: {via}\r\n");
    }
    let _ = write!(out, "From: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n");
    let _ = write!(out, "CSeq: {} {}\r\n", cseq.number, cseq.method);
    for (name, value) in headers.iter().filter(|(name, _)| **name != Name::Via) {
        let _ = write!(out, "{name}: {value}\r\n");
    }
    let _ = write!(out, "Content-Length: {}\r\n\r\n", body.len());
    out.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cseq_has_a_number_of_32_bits_and_a_method() {
        assert_eq!(CSeq::parse("0009  INVITE").map(|c| c.number), Some(9));
        for text in ["", "1", "INVITE", "-1 INVITE", "4294967296 BYE", "1 IN VITE", "1 <x>"] {
            assert_eq!(CSeq::parse(text), None, "{text:?}");
        }
    }
}
