//! HTTP/1.1, the client's half: a request to bytes, and a response from bytes that come in pieces (RFC 9112).
//! Bodies come out as they arrive, since audio and tokens must not wait for their end.

use super::url::Url;

/// A head beyond this is refused.
const HEAD_MAX: usize = 64 * 1024;
const HEADERS_MAX: usize = 100;
/// A line that gives a chunk's size, or a trailer line.
const LINE_MAX: usize = 4 * 1024;

/// What a response consists of, in order: one head, any number of bodies, one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpEvent {
    /// The head.
    Head(Head),
    /// The next part of the body, with the framing taken off.
    Body(Vec<u8>),
    /// The body is complete.
    End,
}

/// What of a head matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// `Retry-After`, when it is a number of seconds.
    pub retry_after_s: Option<u32>,
}

/// A response that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// Not HTTP, or of a kind that is not understood.
    Malformed,
    /// Its head or a line of it is beyond all measure.
    TooLong,
    /// The connection ended inside of it.
    Truncated,
}

/// The bytes of a request. `headers` come after those that every request has.
pub fn encode_request(method: &str, url: &Url, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {} HTTP/1.1\r\nHost: {}\r\n", url.target(), url.authority());
    text.push_str("User-Agent: offhook\r\nConnection: close\r\n");
    for (name, value) in headers {
        let clean = |part: &str| part.chars().filter(|c| !c.is_control()).collect::<String>();
        text.push_str(&format!("{}: {}\r\n", clean(name), clean(value)));
    }
    if method != "GET" || !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of the body are to come.
    Length(u64),
    UntilClose,
    ChunkSize,
    Chunk(u64),
    /// The line feed after a chunk.
    ChunkEnd,
    Trailers,
    Done,
}

/// The parser of one response. Calling order: [`HttpParser::put`] for all that comes, [`HttpParser::finish`] when
/// the connection ends.
#[derive(Debug)]
pub struct HttpParser {
    state: State,
    held: Vec<u8>,
}

impl Default for HttpParser {
    fn default() -> Self {
        Self { state: State::Head, held: Vec::new() }
    }
}

impl HttpParser {
    /// Before the response.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes. What follows the response is dropped: one request a connection.
    ///
    /// # Errors
    /// [`HttpError`]; nothing that follows can be read.
    pub fn put(&mut self, mut bytes: &[u8], events: &mut Vec<HttpEvent>) -> Result<(), HttpError> {
        while !bytes.is_empty() {
            match self.state {
                State::Done => return Ok(()),
                State::UntilClose => {
                    events.push(HttpEvent::Body(bytes.to_vec()));
                    return Ok(());
                }
                State::Length(left) | State::Chunk(left) => bytes = self.body(bytes, left, events),
                State::Head => bytes = self.head(bytes, events)?,
                State::ChunkSize | State::ChunkEnd | State::Trailers => bytes = self.line(bytes, events)?,
            }
        }
        Ok(())
    }

    /// The connection has ended.
    ///
    /// # Errors
    /// [`HttpError::Truncated`] when the response has not.
    pub fn finish(&mut self, events: &mut Vec<HttpEvent>) -> Result<(), HttpError> {
        match self.state {
            State::Done => Ok(()),
            State::UntilClose => {
                self.state = State::Done;
                events.push(HttpEvent::End);
                Ok(())
            }
            _ => Err(HttpError::Truncated),
        }
    }

    /// Gives out up to `left` bytes and returns those behind them.
    fn body<'a>(&mut self, bytes: &'a [u8], left: u64, events: &mut Vec<HttpEvent>) -> &'a [u8] {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let (part, rest) = bytes.split_at_checked(take).unwrap_or((bytes, &[]));
        events.push(HttpEvent::Body(part.to_vec()));
        let left = left - part.len() as u64;
        self.state = match self.state {
            State::Chunk(_) if left == 0 => State::ChunkEnd,
            State::Chunk(_) => State::Chunk(left),
            _ if left > 0 => State::Length(left),
            _ => {
                events.push(HttpEvent::End);
                State::Done
            }
        };
        rest
    }

    fn head<'a>(&mut self, bytes: &'a [u8], events: &mut Vec<HttpEvent>) -> Result<&'a [u8], HttpError> {
        let before = self.held.len();
        self.held.extend_from_slice(bytes);
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let size = match response.parse(&self.held) {
            Ok(httparse::Status::Complete(size)) => size,
            Ok(httparse::Status::Partial) if self.held.len() > HEAD_MAX => return Err(HttpError::TooLong),
            Ok(httparse::Status::Partial) => return Ok(&[]),
            Err(httparse::Error::TooManyHeaders) => return Err(HttpError::TooLong),
            Err(_) => return Err(HttpError::Malformed),
        };
        let status = response.code.unwrap_or(0);
        let value = |name: &str| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok().map(str::trim)
        };
        let rest = bytes.get(size.saturating_sub(before)..).unwrap_or_default();
        if (100..200).contains(&status) {
            // 100 Continue and the like: the true head follows.
            self.held.clear();
            return Ok(rest);
        }
        let retry_after_s = value("retry-after").and_then(|seconds| seconds.parse().ok());
        events.push(HttpEvent::Head(Head { status, retry_after_s }));
        let chunked = value("transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().ends_with("chunked"));
        self.state = if matches!(status, 204 | 304) {
            State::Length(0)
        } else if chunked {
            State::ChunkSize
        } else if let Some(length) = value("content-length") {
            State::Length(length.parse().map_err(|_| HttpError::Malformed)?)
        } else {
            State::UntilClose
        };
        if self.state == State::Length(0) {
            events.push(HttpEvent::End);
            self.state = State::Done;
        }
        self.held.clear();
        Ok(rest)
    }

    /// One line of the chunked framing.
    fn line<'a>(&mut self, bytes: &'a [u8], events: &mut Vec<HttpEvent>) -> Result<&'a [u8], HttpError> {
        let end = bytes.iter().position(|&b| b == b'\n');
        let taken = end.map_or(bytes.len(), |at| at + 1);
        let (part, rest) = bytes.split_at_checked(taken).unwrap_or((bytes, &[]));
        self.held.extend_from_slice(part);
        if self.held.len() > LINE_MAX {
            return Err(HttpError::TooLong);
        }
        if end.is_none() {
            return Ok(rest);
        }
        let line = std::mem::take(&mut self.held);
        let line = std::str::from_utf8(&line).map_err(|_| HttpError::Malformed)?.trim();
        self.state = match self.state {
            State::ChunkSize => {
                let digits = line.split(';').next().unwrap_or_default().trim();
                match u64::from_str_radix(digits, 16).map_err(|_| HttpError::Malformed)? {
                    0 => State::Trailers,
                    size => State::Chunk(size),
                }
            }
            State::ChunkEnd if line.is_empty() => State::ChunkSize,
            State::ChunkEnd => return Err(HttpError::Malformed),
            State::Trailers if line.is_empty() => {
                events.push(HttpEvent::End);
                State::Done
            }
            other => other,
        };
        Ok(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(bytes: &[u8], step: usize) -> (Result<(), HttpError>, u16, Vec<u8>, bool) {
        let (mut parser, mut events) = (HttpParser::new(), Vec::new());
        let mut outcome = Ok(());
        for piece in bytes.chunks(step.max(1)) {
            outcome = outcome.and_then(|()| parser.put(piece, &mut events));
        }
        outcome = outcome.and_then(|()| parser.finish(&mut events));
        let (mut status, mut body, mut ended) = (0, Vec::new(), false);
        for event in events {
            match event {
                HttpEvent::Head(head) => status = head.status,
                HttpEvent::Body(part) => body.extend(part),
                HttpEvent::End => ended = true,
            }
        }
        (outcome, status, body, ended)
    }

    #[test]
    fn each_framing_gives_the_same_body_however_it_is_cut() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nA: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello world",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello worldtrash",
        ] {
            for step in 1..text.len() {
                assert_eq!(
                    parse(text.as_bytes(), step),
                    (Ok(()), 200, b"hello world".to_vec(), true),
                    "{text} by {step}"
                );
            }
        }
    }

    #[test]
    fn a_cut_response_is_told_from_a_whole_one() {
        assert_eq!(
            parse(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello", 99).0,
            Err(HttpError::Truncated)
        );
        assert_eq!(
            parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 99).0,
            Err(HttpError::Truncated)
        );
        assert_eq!(parse(b"HTTP/1.1 204 No\r\n\r\n", 99), (Ok(()), 204, Vec::new(), true));
    }

    #[test]
    fn nonsense_and_floods_are_refused() {
        assert_eq!(parse(b"SSH-2.0-x\r\n\r\n", 99).0, Err(HttpError::Malformed));
        assert_eq!(
            parse(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 99).0,
            Err(HttpError::Malformed)
        );
        let flood = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(70_000));
        assert_eq!(parse(flood.as_bytes(), 1_000).0, Err(HttpError::TooLong));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(101));
        assert_eq!(parse(many.as_bytes(), 1_000).0, Err(HttpError::TooLong));
    }

    #[test]
    fn a_request_has_its_length_and_no_header_can_be_smuggled_in() {
        let url = Url::parse("http://h:81/x").unwrap();
        let bytes = encode_request("POST", &url, &[("a".to_owned(), "b\r\nEvil: c".to_owned())], b"{}");
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("POST /x HTTP/1.1\r\nHost: h:81\r\n"), "{text}");
        assert!(text.contains("a: bEvil: c\r\n") && text.ends_with("Content-Length: 2\r\n\r\n{}"), "{text}");
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..300), step in 1usize..50) {
            let mut response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            response.extend(&bytes);
            let _ = parse(&response, step);
            let _ = parse(&bytes, step);
        }
    }
}
