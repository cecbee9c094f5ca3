//! A response, and its bytes.

use std::fmt::{self, Write};

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Here it is.
    Ok,
    /// It is under way.
    Accepted,
    /// This is no request.
    BadRequest,
    /// Without a token, or with a wrong one.
    Unauthorized,
    /// Not for whoever asks.
    Forbidden,
    /// There is no such page.
    NotFound,
    /// It cannot be asked for like this.
    MethodNotAllowed,
    /// It took too long to arrive.
    Timeout,
    /// It cannot be done as things stand.
    Conflict,
    /// The body is too long.
    BodyTooLarge,
    /// The head is too long.
    HeadTooLarge,
    /// Nothing here does that.
    NotImplemented,
    /// Not now.
    Unavailable,
}

impl Status {
    const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::Accepted => "202 Accepted",
            Self::BadRequest => "400 Bad Request",
            Self::Unauthorized => "401 Unauthorized",
            Self::Forbidden => "403 Forbidden",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::Timeout => "408 Request Timeout",
            Self::Conflict => "409 Conflict",
            Self::BodyTooLarge => "413 Content Too Large",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
            Self::NotImplemented => "501 Not Implemented",
            Self::Unavailable => "503 Service Unavailable",
        }
    }
}

/// As it stands in the status line.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.line())
    }
}

/// What the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For people at a terminal.
    Text,
    /// For programs.
    Json,
    /// For browsers.
    Html,
    /// For Prometheus.
    Metrics,
}

impl Kind {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Json => "application/json",
            Self::Html => "text/html; charset=utf-8",
            Self::Metrics => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What came of it.
    pub status: Status,
    /// What the body is.
    pub kind: Kind,
    /// The body.
    pub body: String,
}

impl Response {
    /// A page.
    pub const fn page(kind: Kind, body: String) -> Self {
        Self { status: Status::Ok, kind, body }
    }

    /// A status with a line that says more.
    pub fn line(status: Status, text: &str) -> Self {
        Self { status, kind: Kind::Text, body: format!("{text}\n") }
    }

    /// Only a status.
    pub fn bare(status: Status) -> Self {
        Self::line(status, status.line())
    }

    /// Its bytes. A head-only one has the length of the body that it leaves out (RFC 9110 9.3.2).
    pub fn bytes(&self, keep_alive: bool, head_only: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status);
        let mut header = |name: &str, value: &dyn fmt::Display| {
            // Writing to a string does not fail.
            let _ = write!(head, "{name}: {value}\r\n");
        };
        header("Content-Type", &self.kind.content_type());
        header("Content-Length", &self.body.len());
        header("Cache-Control", &"no-store");
        header("X-Content-Type-Options", &"nosniff");
        header("Content-Security-Policy", &"default-src 'none'; style-src 'unsafe-inline'");
        match self.status {
            Status::Unauthorized => header("WWW-Authenticate", &"Bearer"),
            Status::MethodNotAllowed => header("Allow", &"GET, HEAD, POST"),
            _ => {}
        }
        header("Connection", &if keep_alive { "keep-alive" } else { "close" });
        head.push_str("\r\n");
        if !head_only {
            head.push_str(&self.body);
        }
        head.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_the_length_of_the_body_that_it_leaves_out() {
        let response = Response::line(Status::Ok, "fine");
        let text = |keep_alive, head_only| String::from_utf8(response.bytes(keep_alive, head_only)).unwrap();
        assert!(
            text(true, false).starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n")
        );
        assert!(text(true, false).ends_with("Connection: keep-alive\r\n\r\nfine\n"));
        assert!(text(false, true).contains("Content-Length: 5\r\n"));
        assert!(text(false, true).ends_with("Connection: close\r\n\r\n"));
    }

    #[test]
    fn a_refusal_says_what_is_wanted() {
        let text = |status| String::from_utf8(Response::bare(status).bytes(true, false)).unwrap();
        assert!(text(Status::Unauthorized).contains("WWW-Authenticate: Bearer\r\n"));
        assert!(text(Status::MethodNotAllowed).contains("Allow: GET, HEAD, POST\r\n"));
    }
}
