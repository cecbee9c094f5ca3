//! HTTP/1.1 as far as the lab serves it: a request out of bytes, the head of an answer into bytes.

use std::fmt::Write;

/// Longest head of a request, in bytes.
const LONGEST_HEAD: usize = 32 * 1024;
/// Longest body, in bytes.
const LONGEST_BODY: usize = 4 * 1024 * 1024;
const MOST_HEADERS: usize = 64;

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Why bytes are no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadRequest {
    /// Not HTTP/1.1.
    Syntax,
    /// Longer than is taken.
    TooLong,
    /// A body without a length.
    NoLength,
}

impl BadRequest {
    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Syntax => 400,
            Self::TooLong => 413,
            Self::NoLength => 411,
        }
    }
}

impl Request {
    /// The request at the beginning of `bytes`, and how long it is there; `None` when more must come.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, BadRequest> {
        let mut slots = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut parsed = httparse::Request::new(&mut slots);
        let head = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) if length <= LONGEST_HEAD => length,
            Ok(httparse::Status::Partial) if bytes.len() <= LONGEST_HEAD => return Ok(None),
            Ok(_) => return Err(BadRequest::TooLong),
            Err(_) => return Err(BadRequest::Syntax),
        };
        let target = parsed.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let header = |header: &httparse::Header<'_>| {
            (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned())
        };
        let mut request = Self {
            method: parsed.method.unwrap_or_default().to_owned(),
            path: percent_decoded(path, false),
            query: query.to_owned(),
            headers: parsed.headers.iter().map(header).collect(),
            body: Vec::new(),
        };
        if request.header("transfer-encoding").is_some() {
            return Err(BadRequest::NoLength);
        }
        let length = match request.header("content-length") {
            None => 0,
            Some(text) => text.trim().parse().map_err(|_| BadRequest::Syntax)?,
        };
        if length > LONGEST_BODY {
            return Err(BadRequest::TooLong);
        }
        let Some(body) = bytes.get(head..head + length) else { return Ok(None) };
        request.body = body.to_vec();
        Ok(Some((request, head + length)))
    }

    /// A header by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All fields of the query, decoded.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (String, String)> {
        self.query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decoded(name, true), percent_decoded(value, true))
        })
    }

    /// The first field of the query with this name.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        self.fields().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// A yes or no of the query, in any case: one vendor's SDK writes `True`.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.field(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.field(name)?.parse().ok()
    }

    /// The key of an upgrade to WebSocket, if that is what is asked for.
    pub(crate) fn websocket_key(&self) -> Option<&str> {
        let upgrade = self.header("upgrade")?.eq_ignore_ascii_case("websocket");
        if upgrade && self.method == "GET" { self.header("sec-websocket-key") } else { None }
    }

    /// What follows `Bearer` or `Token` in the Authorization header.
    pub(crate) fn authorization(&self) -> Option<&str> {
        let (scheme, key) = self.header("authorization")?.split_once(' ')?;
        ["bearer", "token"].contains(&scheme.to_ascii_lowercase().as_str()).then_some(key.trim())
    }
}

/// The head of an answer. Without a length the body comes in chunks.
pub(crate) fn head(status: u16, headers: &[(&str, String)], length: Option<usize>) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    let _ = match (status, length) {
        (101, _) => write!(text, "\r\n"),
        (_, Some(length)) => write!(text, "content-length: {length}\r\n\r\n"),
        (_, None) => write!(text, "transfer-encoding: chunked\r\n\r\n"),
    };
    text.into_bytes()
}

const fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Lab",
    }
}

fn percent_decoded(text: &str, plus_is_space: bool) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = || u8::from_str_radix(std::str::from_utf8(after.get(..2)?).ok()?, 16).ok();
        rest = after;
        match byte {
            b'%' if let Some(value) = escaped() => {
                out.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            b'+' if plus_is_space => out.push(b' '),
            _ => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_request_is_taken_whole_or_not_at_all() {
        let bytes = b"POST /v1/a%20b?x=1&y=a+b%26&Flag=True HTTP/1.1\r\nContent-Length: 3\r\nAuthorization: Bearer k\r\n\r\nabcGET";
        for short in 0..bytes.len() - 3 {
            assert_eq!(Request::parse(&bytes[..short]), Ok(None), "{short}");
        }
        let (request, length) = Request::parse(bytes).unwrap().unwrap();
        assert_eq!((request.path.as_str(), length), ("/v1/a b", bytes.len() - 3));
        assert_eq!(request.field("y").as_deref(), Some("a b&"));
        assert_eq!((request.number("x"), request.flag("Flag"), request.flag("x")), (Some(1), true, false));
        assert_eq!((request.body.as_slice(), request.authorization()), (&b"abc"[..], Some("k")));
    }

    #[test]
    fn what_is_too_long_or_of_no_length_is_refused() {
        let long = [b"GET / HTTP/1.1\r\nx: ".as_slice(), &[b'x'; LONGEST_HEAD]].concat();
        assert_eq!(Request::parse(&long), Err(BadRequest::TooLong));
        let big = b"POST / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n";
        assert_eq!(Request::parse(big), Err(BadRequest::TooLong));
        let endless = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(Request::parse(endless), Err(BadRequest::NoLength));
        assert_eq!(Request::parse(b"\x16\x03\x01\x02"), Err(BadRequest::Syntax));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Request::parse(&bytes);
            let text = String::from_utf8_lossy(&bytes);
            prop_assert!(percent_decoded(&text, true).chars().count() <= text.chars().count() * 3);
        }
    }
}
