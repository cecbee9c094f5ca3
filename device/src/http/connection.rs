//! One connection, without its socket: told the time, handed bytes, asked what to send.
//!
//! Calling order: [`Connection::handle_input`] with what came, [`Connection::poll_request`] until there is none, each answered by
//! [`Connection::answer`]; [`Connection::unsent`] and [`Connection::sent`] around the writing.

use super::request::{self, MOST_BODY, MOST_HEAD, Method, Reading, Request};
use super::response::{Response, Status};
use offhook_units::{Moment, Span};

/// A request has to be whole within this time from the connection's beginning or the one before it, and an answer to
/// be fetched.
const PATIENCE: Span = Span::from_millis(10_000);

/// A connection's state.
#[derive(Debug)]
pub struct Connection {
    input: Vec<u8>,
    output: Vec<u8>,
    deadline: Moment,
    /// The method of the request that is being answered, and whether more may follow.
    answering: Option<(Method, bool)>,
    /// Nothing more is read; it ends when all is sent.
    is_last: bool,
}

impl Connection {
    /// One that begins.
    pub fn new(now: Moment) -> Self {
        Self {
            input: Vec::new(),
            output: Vec::new(),
            deadline: now + PATIENCE,
            answering: None,
            is_last: false,
        }
    }

    /// Room for what may come: nothing is read while an answer waits to be sent.
    pub fn room(&self) -> usize {
        let is_open = !self.is_last && self.output.is_empty();
        if is_open { (MOST_HEAD + MOST_BODY).saturating_sub(self.input.len()) } else { 0 }
    }

    /// Bytes came.
    pub fn handle_input(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes.get(..self.room()).unwrap_or(bytes));
    }

    /// The next request that is whole. What cannot be one is answered here, and is the last.
    pub fn poll_request(&mut self, now: Moment) -> Option<Request> {
        if self.answering.is_some() || self.is_last || self.input.is_empty() || !self.output.is_empty() {
            return None;
        }
        match request::read(&self.input) {
            Reading::Partial => None,
            Reading::Whole(request, length) => {
                self.input.drain(..length.min(self.input.len()));
                self.deadline = now + PATIENCE;
                self.answering = Some((request.method, request.keep_alive));
                Some(request)
            }
            Reading::Refused(status) => {
                self.end_with(status);
                None
            }
        }
    }

    /// The answer to the request before.
    pub fn answer(&mut self, response: &Response) {
        let Some((method, keep_alive)) = self.answering.take() else { return };
        self.output.extend(response.bytes(keep_alive, method == Method::Head));
        self.is_last |= !keep_alive;
    }

    /// What waits to be sent.
    pub fn unsent(&self) -> &[u8] {
        &self.output
    }

    /// So many bytes of it are sent.
    pub fn sent(&mut self, bytes: usize) {
        self.output.drain(..bytes.min(self.output.len()));
    }

    /// Whether it is at its end.
    pub fn is_over(&self) -> bool {
        self.is_last && self.output.is_empty()
    }

    /// When [`Self::handle_timeout`] is due.
    pub const fn poll_timeout(&self) -> Moment {
        self.deadline
    }

    /// Ends what took too long: with a word where a request had begun to arrive (RFC 9110 15.5.9).
    pub fn handle_timeout(&mut self, now: Moment) {
        if now < self.deadline {
            return;
        }
        let silent = self.input.is_empty() || !self.output.is_empty() || self.is_last;
        if silent {
            self.output.clear();
            self.is_last = true;
        } else {
            self.deadline = now + PATIENCE;
            self.end_with(Status::Timeout);
        }
    }

    fn end_with(&mut self, status: Status) {
        self.input.clear();
        self.output.extend(Response::bare(status).bytes(false, false));
        self.is_last = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Moment = Moment::from_millis(1_000);
    const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

    fn output(connection: &mut Connection) -> String {
        let text = String::from_utf8(connection.unsent().to_vec()).unwrap();
        connection.sent(text.len());
        text
    }

    #[test]
    fn requests_that_come_together_are_answered_one_by_one() {
        let mut connection = Connection::new(AT);
        connection.handle_input(&[GET, GET].concat());
        for _ in 0..2 {
            assert_eq!(connection.poll_request(AT).unwrap().path, "/");
            assert!(connection.poll_request(AT).is_none(), "the first is not answered yet");
            connection.answer(&Response::bare(Status::Ok));
            assert!(connection.poll_request(AT).is_none(), "the answer is not sent yet");
            assert!(output(&mut connection).starts_with("HTTP/1.1 200 OK\r\n"));
        }
        assert!(connection.poll_request(AT).is_none() && !connection.is_over());
    }

    #[test]
    fn one_that_asks_for_the_end_gets_it_after_its_answer() {
        let mut connection = Connection::new(AT);
        connection.handle_input(b"HEAD / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n");
        assert!(connection.poll_request(AT).is_some());
        connection.answer(&Response::line(Status::Ok, "fine"));
        assert!(!connection.is_over());
        assert!(output(&mut connection).ends_with("Connection: close\r\n\r\n"), "no body to HEAD");
        assert!(connection.is_over() && connection.poll_request(AT).is_none() && connection.room() == 0);
    }

    #[test]
    fn what_is_no_request_is_answered_and_ends_it() {
        let mut connection = Connection::new(AT);
        connection.handle_input(b"\x16\x03\x01 this is TLS");
        assert!(connection.poll_request(AT).is_none());
        assert!(output(&mut connection).starts_with("HTTP/1.1 400 "));
        assert!(connection.is_over());
    }

    #[test]
    fn memory_is_bounded_whatever_comes() {
        let mut connection = Connection::new(AT);
        for _ in 0..100 {
            connection.handle_input(&[b'x'; 1_000]);
        }
        assert!(connection.input.len() <= MOST_HEAD + MOST_BODY);
    }

    #[test]
    fn slow_requests_are_told_and_silent_connections_end() {
        let late = AT + PATIENCE;
        let mut slow = Connection::new(AT);
        slow.handle_input(b"GET / HT");
        assert!(slow.poll_request(AT).is_none());
        slow.handle_timeout(late - Span::from_millis(1));
        assert!(slow.unsent().is_empty() && !slow.is_over());
        slow.handle_timeout(late);
        assert!(slow.unsent().starts_with(b"HTTP/1.1 408 "));
        slow.handle_timeout(slow.poll_timeout());
        assert!(slow.is_over(), "and one that does not fetch its answer is given up");
        let mut silent = Connection::new(AT);
        silent.handle_timeout(late);
        assert!(silent.is_over());
    }
}
