//! What a datagram is before anyone parses it, and where messages end in a stream (RFC 3261 18.3, RFC 5626 3.5).

use super::parse::{Limits, end_of_head};
use super::text;

/// What arrived on the SIP port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Perhaps SIP: the parser knows.
    Sip,
    /// A STUN message (RFC 8489 5).
    Stun,
    /// Line ends or zero bytes that keep a NAT's mapping open: nothing to answer.
    KeepAlive,
}

/// Tells them apart by their first bytes. Costs nothing, so it may stand before the guard.
pub fn kind(datagram: &[u8]) -> Kind {
    if datagram.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) {
        return Kind::KeepAlive;
    }
    let cookie = datagram.get(4..8) == Some(&[0x21, 0x12, 0xa4, 0x42]);
    match datagram {
        [first, _, _, length, ..]
            if cookie && first & 0xc0 == 0 && length & 3 == 0 && datagram.len() >= 20 =>
        {
            Kind::Stun
        }
        _ => Kind::Sip,
    }
}

/// One thing out of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message, to be read with [`super::parse::Framing::Stream`].
    Message(Vec<u8>),
    /// A message behind which nothing can be found any more: answer it and close the connection.
    Last(Vec<u8>),
    /// The far end's double CRLF, to be answered with one (RFC 5626 3.5.1).
    Ping,
    /// More than a message may have: close the connection.
    TooLarge,
}

/// Cuts a stream into messages. Bytes go in by [`Framer::push`], frames come out of [`Framer::next_frame`] until
/// `None`; after [`Frame::Last`] or [`Frame::TooLarge`] the rest is dropped.
#[derive(Debug)]
pub struct Framer {
    buffer: Vec<u8>,
    limits: Limits,
    closed: bool,
}

impl Framer {
    /// An empty one.
    pub const fn new(limits: Limits) -> Self {
        Self { buffer: Vec::new(), limits, closed: false }
    }

    /// Takes what was read from the connection.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.closed {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Whether part of a message waits for the rest of it. A sender that leaves one lying is to be cut off.
    pub fn is_partial(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next frame, if it is whole.
    pub fn next_frame(&mut self) -> Option<Frame> {
        if let Some(ping) = self.line_ends() {
            return Some(ping);
        }
        let window = self.buffer.len().min(self.limits.head_bytes + 4);
        let Some((head, body)) = self.buffer.get(..window).and_then(end_of_head) else {
            // Not before the whole window is full: how a stream was cut must make no difference.
            return (self.buffer.len() >= self.limits.head_bytes + 4).then(|| self.give_up());
        };
        let Some(length) = self.buffer.get(..head).and_then(content_length) else {
            // Without a length the head is all that can be told: the parser will refuse it, with an answer.
            let bytes = self.cut(body);
            self.closed = true;
            self.buffer = Vec::new();
            return Some(Frame::Last(bytes));
        };
        if length > self.limits.body_bytes {
            return Some(self.give_up());
        }
        (self.buffer.len() >= body + length).then(|| Frame::Message(self.cut(body + length)))
    }

    /// Takes line ends between messages; each full double CRLF is a ping.
    fn line_ends(&mut self) -> Option<Frame> {
        loop {
            match self.buffer.as_slice() {
                [b'\r', b'\n', b'\r', b'\n', ..] => {
                    self.cut(4);
                    return Some(Frame::Ping);
                }
                // May be the first half of a ping: wait for the rest.
                [b'\r'] | [b'\r', b'\n'] | [b'\r', b'\n', b'\r'] => return None,
                [b'\r' | b'\n', ..] => drop(self.cut(1)),
                _ => return None,
            }
        }
    }

    fn cut(&mut self, at: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(at.min(self.buffer.len()));
        std::mem::replace(&mut self.buffer, rest)
    }

    fn give_up(&mut self) -> Frame {
        self.closed = true;
        self.buffer = Vec::new();
        Frame::TooLarge
    }
}

/// The value of Content-Length, if there is exactly one and it is a number that fits.
fn content_length(head: &[u8]) -> Option<usize> {
    let mut found = None;
    for line in head.split(|b| *b == b'\n') {
        let Some(colon) = line.iter().position(|b| *b == b':') else { continue };
        let (name, value) = line.split_at_checked(colon)?;
        let name = name.trim_ascii();
        // A continuation line ("\tl: 5") belongs to the header before it.
        if line.first().is_some_and(|b| matches!(b, b' ' | b'\t')) {
            continue;
        }
        if name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"l") {
            let digits = std::str::from_utf8(value.get(1..)?).ok()?.trim();
            let length = usize::try_from(text::number(digits)?).ok()?;
            if found.replace(length).is_some() {
                return None;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"OPTIONS sip:x SIP/2.0\r\nContent-Length : 3\r\n\r\nabc";

    fn framer() -> Framer {
        Framer::new(Limits { head_bytes: 200, headers: 50, body_bytes: 100 })
    }

    #[test]
    fn datagrams_are_told_apart() {
        let mut stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        stun.extend([b'x'; 12]);
        assert_eq!(kind(&stun), Kind::Stun);
        assert_eq!(kind(&stun[..19]), Kind::Sip);
        assert_eq!(kind(b"\r\n\r\n"), Kind::KeepAlive);
        assert_eq!(kind(b"\0"), Kind::KeepAlive);
        assert_eq!(kind(b""), Kind::KeepAlive);
        assert_eq!(kind(b"OPTIONS sip:x SIP/2.0\r\n\r\n"), Kind::Sip);
    }

    #[test]
    fn messages_come_out_whole_however_the_bytes_come() {
        let mut stream = ONE.to_vec();
        stream.extend_from_slice(b"\r\n\r\n");
        stream.extend_from_slice(ONE);
        for step in 1..stream.len() {
            let mut framer = framer();
            let mut frames = Vec::new();
            for piece in stream.chunks(step) {
                framer.push(piece);
                frames.extend(std::iter::from_fn(|| framer.next_frame()));
            }
            let whole = Frame::Message(ONE.to_vec());
            assert_eq!(frames, [whole.clone(), Frame::Ping, whole], "in steps of {step}");
            assert!(!framer.is_partial());
        }
    }

    /// Found by fuzzing: a head that ends on the border was read when it came whole and refused when it came in pieces.
    #[test]
    fn the_limit_of_a_head_is_the_same_however_the_bytes_come() {
        for length in 190..210 {
            let filler = "x".repeat(length - "OPTIONS sip:x SIP/2.0\r\nl: 3\r\nA: ".len());
            let stream = format!("OPTIONS sip:x SIP/2.0\r\nl: 3\r\nA: {filler}\r\n\r\nabc");
            let frames = |step: usize| {
                let mut framer = framer();
                let mut frames = Vec::new();
                for piece in stream.as_bytes().chunks(step) {
                    framer.push(piece);
                    frames.extend(std::iter::from_fn(|| framer.next_frame()));
                }
                frames
            };
            assert_eq!(frames(1), frames(stream.len()), "{length}");
            assert_eq!(matches!(frames(1)[..], [Frame::Message(_)]), length <= 200, "{length}");
        }
    }

    #[test]
    fn a_length_that_is_none_ends_the_stream_with_an_answer() {
        for bad in ["", "l: x\r\n", "l: -1\r\n", "l: 1\r\nl: 2\r\n", "l: 99999999999999999999\r\n"] {
            let mut framer = framer();
            framer.push(format!("OPTIONS sip:x SIP/2.0\r\n{bad}\r\nabc").as_bytes());
            assert!(matches!(framer.next_frame(), Some(Frame::Last(_))), "{bad:?}");
            framer.push(ONE);
            assert_eq!(framer.next_frame(), None);
        }
    }

    #[test]
    fn neither_head_nor_body_grows_without_end() {
        let mut framer1 = framer();
        for _ in 0..10 {
            framer1.push(&[b'a'; 30]);
        }
        assert_eq!(framer1.next_frame(), Some(Frame::TooLarge));
        let mut framer2 = framer();
        framer2.push(b"OPTIONS sip:x SIP/2.0\r\nl: 2000000000\r\n\r\n");
        assert_eq!(framer2.next_frame(), Some(Frame::TooLarge));
        framer2.push(&[b'a'; 30]);
        assert!(!framer2.is_partial(), "what comes behind is not kept");
    }
}
