//! What is wrong with a message that could not be read, and whether it is answered or dropped.

use super::header::Name;
use super::status::Status;
use super::text;
use super::via::Via;
use std::fmt;
use std::io::Write as _;
use std::net::SocketAddr;

/// Why a message was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not SIP at all.
    NotSip,
    /// A version other than 2.0.
    Version,
    /// A request line that is none.
    RequestLine,
    /// A status line that is none.
    StatusLine,
    /// A line that is no header.
    HeaderLine,
    /// More bytes or lines than [`super::parse::Limits`] allow.
    TooLarge,
    /// A header that must be there is not.
    Missing(Name),
    /// A header that must be there once is there again.
    Duplicate(Name),
    /// A header whose value cannot be read.
    Invalid(Name),
    /// Fewer bytes than Content-Length promised.
    BodyCutOff,
    /// The method in CSeq is not that of the request.
    MethodMismatch,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSip => f.write_str("not SIP"),
            Self::Version => f.write_str("unknown SIP version"),
            Self::RequestLine => f.write_str("malformed request line"),
            Self::StatusLine => f.write_str("malformed status line"),
            Self::HeaderLine => f.write_str("malformed header line"),
            Self::TooLarge => f.write_str("message too large"),
            Self::Missing(name) => write!(f, "missing {name}"),
            Self::Duplicate(name) => write!(f, "more than one {name}"),
            Self::Invalid(name) => write!(f, "malformed {name}"),
            Self::BodyCutOff => f.write_str("body shorter than Content-Length"),
            Self::MethodMismatch => f.write_str("method in CSeq differs"),
        }
    }
}

impl std::error::Error for Fault {}

/// A message that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It asks for something, and its sender can be told what is wrong.
    Answer(Box<BadRequest>),
    /// A response, an ACK, or nothing that could be answered.
    Drop(Fault),
}

impl Malformed {
    /// What is wrong.
    pub const fn fault(&self) -> &Fault {
        match self {
            Self::Answer(bad) => &bad.fault,
            Self::Drop(fault) => fault,
        }
    }
}

/// What could be saved of a bad request: enough to answer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// What is wrong.
    pub fault: Fault,
    /// The top Via, if it could be read.
    pub via: Option<Via>,
    /// Via, From, To, Call-ID and CSeq lines, as they came: each at most once but for Via.
    pub(crate) lines: Vec<(Name, String)>,
}

impl BadRequest {
    /// What it is answered with.
    pub const fn status(&self) -> Status {
        match self.fault {
            Fault::Version => Status::VERSION_NOT_SUPPORTED,
            Fault::TooLarge => Status::MESSAGE_TOO_LARGE,
            _ => Status::BAD_REQUEST,
        }
    }

    /// The answer, for a request that came from `from` and goes back there: nothing in a malformed message is
    /// believed, its Via's port neither. It keeps no state: the same request is answered the
    /// same way again, so `to_tag` must depend on the request alone.
    pub fn to_bytes(&self, from: SocketAddr, to_tag: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        let _ = write!(out, "SIP/2.0 {} {} ({})\r\n", self.status(), self.status().reason(), self.fault);
        let mut top = self.via.clone();
        for (name, value) in &self.lines {
            if let (Name::Via, Some(mut via)) = (name, top.take()) {
                via.mark_received(from);
                let _ = write!(out, "Via: {via}\r\n");
                for below in text::split_list(value).skip(1) {
                    let _ = write!(out, "Via: {below}\r\n");
                }
                continue;
            }
            let tag = if *name == Name::To && !value.contains("tag") { to_tag } else { "" };
            let _ = write!(out, "{name}: {value}{}{tag}\r\n", if tag.is_empty() { "" } else { ";tag=" });
        }
        let _ = write!(out, "Content-Length: 0\r\n\r\n");
        out
    }
}
