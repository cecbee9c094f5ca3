//! A request, taken out of the bytes of a connection.

use super::response::Status;

/// The head of a request may be this long, in bytes. Ours are answered by programs that send a few hundred.
pub const MOST_HEAD: usize = 8 * 1024;
/// Headers in a head.
const MOST_HEADERS: usize = 64;
/// Nothing here takes a longer body, in bytes.
pub const MOST_BODY: usize = 4 * 1024;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// To look.
    Get,
    /// To look at the head.
    Head,
    /// To do.
    Post,
}

/// A request.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// Of what: the path without its query.
    pub path: String,
    /// Under which name: `Host`.
    pub host: Option<String>,
    /// From which site, when a browser asks for a page of one: `Origin`.
    pub origin: Option<String>,
    /// `Authorization: Bearer …`.
    pub token: Option<String>,
    /// What came with it.
    pub body: Vec<u8>,
    /// Whether the caller wants to ask more over this connection.
    pub keep_alive: bool,
}

/// The token does not show.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// What some bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The beginning of a request.
    Partial,
    /// A whole one, and how many bytes it took, its body included.
    Whole(Request, usize),
    /// What cannot be answered otherwise; the connection is at its end.
    Refused(Status),
}

/// Reads what stands at the beginning of `bytes`.
pub fn read(bytes: &[u8]) -> Reading {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) if length <= MOST_HEAD => length,
        Ok(httparse::Status::Partial) if bytes.len() < MOST_HEAD => return Reading::Partial,
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Reading::Refused(Status::HeadTooLarge),
        Err(_) => return Reading::Refused(Status::BadRequest),
    };
    let body = match body_length(head.headers) {
        Ok(body) => body,
        Err(status) => return Reading::Refused(status),
    };
    let method = match head.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("POST") => Method::Post,
        _ => return Reading::Refused(Status::MethodNotAllowed),
    };
    let (host, origin) = match (only(head.headers, "host"), only(head.headers, "origin")) {
        (Ok(host), Ok(origin)) => (host, origin),
        (Err(status), _) | (_, Err(status)) => return Reading::Refused(status),
    };
    if bytes.len() < length + body {
        return Reading::Partial;
    }
    let path = head.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path).to_owned();
    let keep_alive = keeps_alive(head.headers, head.version);
    let sent = bytes.get(length..length + body).unwrap_or_default().to_vec();
    let token = token(head.headers);
    Reading::Whole(Request { method, path, host, origin, token, body: sent, keep_alive }, length + body)
}

fn values<'h>(headers: &'h [httparse::Header<'_>], name: &str) -> impl Iterator<Item = &'h str> {
    let named = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
    named.filter_map(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
}

/// A header that may stand there once (RFC 9112 3.2): which of two is meant nobody knows.
fn only(headers: &[httparse::Header<'_>], name: &str) -> Result<Option<String>, Status> {
    let mut named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
    let Some(header) = named.next() else { return Ok(None) };
    let value = std::str::from_utf8(header.value).map_err(|_no_text| Status::BadRequest)?;
    if named.next().is_some() { Err(Status::BadRequest) } else { Ok(Some(value.trim().to_owned())) }
}

/// RFC 9112 6.3. A length that two headers tell differently is how requests are smuggled past one another.
fn body_length(headers: &[httparse::Header<'_>]) -> Result<usize, Status> {
    if headers.iter().any(|header| header.name.eq_ignore_ascii_case("transfer-encoding")) {
        return Err(Status::NotImplemented);
    }
    let named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case("content-length")).count();
    let mut lengths = values(headers, "content-length");
    let length = match (named, lengths.next()) {
        (0, _) => 0,
        (1, Some(digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().map_err(|_too_long| Status::BodyTooLarge)?
        }
        _ => return Err(Status::BadRequest),
    };
    if length <= MOST_BODY { Ok(length) } else { Err(Status::BodyTooLarge) }
}

/// RFC 6750 2.1.
fn token(headers: &[httparse::Header<'_>]) -> Option<String> {
    let (scheme, token) = values(headers, "authorization").next()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

/// RFC 9112 9.3.
fn keeps_alive(headers: &[httparse::Header<'_>], version: Option<u8>) -> bool {
    let mut words = values(headers, "connection").flat_map(|value| value.split(',')).map(str::trim);
    version == Some(1) && !words.any(|word| word.eq_ignore_ascii_case("close"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(text: &str) -> (Request, usize) {
        match read(text.as_bytes()) {
            Reading::Whole(request, length) => (request, length),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_its_method_path_token_and_wish_to_go_on() {
        let text = "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nauthorization: bearer  abc \r\n\r\nrest";
        let (request, length) = whole(text);
        assert_eq!((request.method, &*request.path, request.keep_alive), (Method::Get, "/metrics", true));
        assert_eq!(request.token.as_deref(), Some("abc"));
        assert_eq!((request.host.as_deref(), request.origin.as_deref()), (Some("a"), None));
        assert_eq!(&text[length..], "rest");
        assert!(!format!("{request:?}").contains("abc"), "a token does not show");
        assert!(!whole("GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n").0.keep_alive);
        assert!(!whole("GET / HTTP/1.0\r\n\r\n").0.keep_alive);
    }

    #[test]
    fn a_body_is_waited_for() {
        let text = "POST /x HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcdGET";
        assert_eq!(whole(text).1, text.len() - 3);
        assert_eq!(whole(text).0.body, b"abcd");
        assert_eq!(read(&text.as_bytes()[..text.len() - 4]), Reading::Partial);
    }

    #[test]
    fn what_is_not_taken_is_refused_by_its_name() {
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(MOST_HEAD));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(MOST_HEADERS + 1));
        for (text, status) in [
            ("PUT / HTTP/1.1\r\n\r\n", Status::MethodNotAllowed),
            ("GET / HTTP/3.1\r\n\r\n", Status::BadRequest),
            ("\u{1}\u{2}", Status::BadRequest),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", Status::NotImplemented),
            ("POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n", Status::BodyTooLarge),
            ("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", Status::BodyTooLarge),
            ("POST / HTTP/1.1\r\nContent-Length: +4\r\n\r\nabcd", Status::BadRequest),
            ("POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", Status::BadRequest),
            ("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", Status::BadRequest),
            ("GET / HTTP/1.1\r\nOrigin: a\r\nOrigin: a\r\n\r\n", Status::BadRequest),
            (&long, Status::HeadTooLarge),
            (&many, Status::HeadTooLarge),
        ] {
            assert_eq!(read(text.as_bytes()), Reading::Refused(status), "{text:.60}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Reading::Whole(_, length) = read(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }

        #[test]
        fn a_request_in_pieces_is_partial_until_it_is_whole(cut in 0_usize..60) {
            let text = "GET /ready HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n";
            prop_assert_eq!(read(&text.as_bytes()[..cut.min(text.len() - 1)]), Reading::Partial);
        }
    }
}
