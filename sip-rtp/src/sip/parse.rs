//! Bytes become a [`Message`]. Each message that cannot be read falls into "answer" or "drop" here, and
//! nowhere else: what comes out has all the headers that the layers above count on, once and well-formed.
//!
//! Liberal where senders err harmlessly (bare LF, a missing empty line at the end of a datagram, illegal
//! bytes in display names, a missing Max-Forwards or From tag as RFC 2543 had it), strict where two readings
//! of a message would differ (lengths, duplicates, request line).

use super::address::NameAddr;
use super::header::{Headers, Name};
use super::malformed::{BadRequest, Fault, Malformed};
use super::message::{CSeq, Ident, Message, Request, Response};
use super::method::Method;
use super::status::Status;
use super::text;
use super::uri::Uri;
use super::via::Via;
use std::borrow::Cow;

/// How much of a message is taken.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of start line and headers.
    pub head_bytes: usize,
    /// Header lines.
    pub headers: usize,
    /// Bytes of body.
    pub body_bytes: usize,
}

impl Default for Limits {
    /// Twice the largest real message that interoperability reports show, rounded up.
    fn default() -> Self {
        Self { head_bytes: 16 * 1024, headers: 200, body_bytes: 64 * 1024 }
    }
}

/// Whether Content-Length may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The datagram ends the body (RFC 3261 18.3).
    Datagram,
    /// Content-Length ends it, and the bytes handed in were cut by it.
    Stream,
}

/// Reads one message.
///
/// # Errors
/// [`Malformed`]: what is wrong, and how it is answered if at all.
pub fn parse(bytes: &[u8], framing: Framing, limits: &Limits) -> Result<Message, Malformed> {
    let bytes = skip_line_ends(bytes);
    let (head, body) = split_head(bytes, limits.head_bytes);
    let head = String::from_utf8_lossy(head);
    let mut lines = Lines { rest: &head };
    let start = StartLine::parse(&lines.next().unwrap_or_default());
    let start = start.map_err(Malformed::Drop)?;
    let mut fields = Fields::default();
    if bytes.len() - body.len() > limits.head_bytes {
        fields.fault(Fault::TooLarge);
    }
    for (count, line) in lines.enumerate() {
        if count >= limits.headers {
            fields.fault(Fault::TooLarge);
            break;
        }
        fields.take(line);
    }
    match fields.finish(&start, body, framing, limits) {
        Ok(message) => Ok(message),
        Err((fault, lines)) => Err(judge(fault, &start, lines)),
    }
}

/// Whether a fault is answered: requests only, never ACK (RFC 3261 17.1.1.3 has no answer to it), and only when
/// there is a Via to send back.
fn judge(fault: Fault, start: &StartLine, lines: Vec<(Name, String)>) -> Malformed {
    let answerable =
        !matches!(start, StartLine::Response { .. } | StartLine::Request { method: Method::Ack, .. });
    let via = lines.iter().find(|(name, _)| *name == Name::Via);
    match via {
        Some((_, via)) if answerable => {
            let via = Via::parse_first(via);
            Malformed::Answer(Box::new(BadRequest { fault, via, lines }))
        }
        _ => Malformed::Drop(fault),
    }
}

fn skip_line_ends(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r' | b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// Cuts behind the empty line. Without one all is head. A head beyond `limit` is cut at the limit, so that a
/// huge message costs no more than a large one; what was cut off is neither head nor body.
fn split_head(bytes: &[u8], limit: usize) -> (&[u8], &[u8]) {
    let window = bytes.get(..limit.saturating_add(4)).unwrap_or(bytes);
    match end_of_head(window) {
        Some((head, body)) => (bytes.get(..head).unwrap_or(bytes), bytes.get(body..).unwrap_or(&[])),
        None => (window.get(..limit).unwrap_or(window), &[]),
    }
}

/// Where the head ends and where the body begins, if the empty line is there.
pub(crate) fn end_of_head(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let lf = from + bytes.get(from..)?.iter().position(|b| *b == b'\n')?;
        match bytes.get(lf + 1..)? {
            [b'\r', b'\n', ..] => return Some((lf, lf + 3)),
            [b'\n', ..] => return Some((lf, lf + 2)),
            _ => from = lf + 1,
        }
    }
}

/// Logical lines: folded ones joined by a space (RFC 3261 7.3.1).
struct Lines<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        if self.rest.is_empty() {
            return None;
        }
        let mut line = Cow::Borrowed(self.physical());
        while self.rest.starts_with([' ', '\t']) {
            let more = self.physical().trim_matches([' ', '\t', '\r']);
            let joined = line.to_mut();
            joined.push(' ');
            joined.push_str(more);
        }
        Some(line)
    }
}

impl<'a> Lines<'a> {
    fn physical(&mut self) -> &'a str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        line.strip_suffix('\r').unwrap_or(line)
    }
}

/// The first line. A request's URI may be wrong and still leave something to answer.
enum StartLine {
    Request { method: Method, uri: Result<Uri, Fault> },
    Response { status: Status, reason: String },
}

impl StartLine {
    fn parse(line: &str) -> Result<Self, Fault> {
        if let Some(rest) = line.strip_prefix("SIP/") {
            return Self::parse_status(rest).ok_or(Fault::StatusLine);
        }
        // "METHOD URI SIP/x.y", each separated by one space; what stands between the first space and the
        // version is the URI, whatever it is: the answer does not need it.
        let (method, rest) = line.split_once(' ').ok_or(Fault::NotSip)?;
        let at = rest.rfind("SIP/").ok_or(Fault::NotSip)?;
        let (uri, version) = rest.split_at_checked(at).ok_or(Fault::NotSip)?;
        if !text::all_token(method) {
            return Err(Fault::NotSip);
        }
        let method = Method::from_token(method);
        let uri = match (version, uri.strip_suffix(' ')) {
            ("SIP/2.0", Some(uri)) => Uri::parse(uri).ok_or(Fault::RequestLine),
            ("SIP/2.0", None) => Err(Fault::RequestLine),
            _ if version.trim_end() == "SIP/2.0" => Err(Fault::RequestLine),
            _ => Err(Fault::Version),
        };
        Ok(Self::Request { method, uri })
    }

    fn parse_status(rest: &str) -> Option<Self> {
        let rest = rest.strip_prefix("2.0 ")?;
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        if code.len() != 3 {
            return None;
        }
        let status = Status::new(u16::try_from(text::number(code)?).ok()?)?;
        Some(Self::Response { status, reason: reason.to_owned() })
    }
}

/// The headers as they are taken in, and the first thing that was wrong with them.
#[derive(Default)]
struct Fields {
    via: Option<String>,
    from: Option<String>,
    to: Option<String>,
    call_id: Option<String>,
    cseq: Option<String>,
    length: Option<String>,
    headers: Headers,
    fault: Option<Fault>,
}

impl Fields {
    fn fault(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn take(&mut self, line: Cow<'_, str>) {
        let Some((name, value)) = line.split_once(':') else { return self.fault(Fault::HeaderLine) };
        let name = name.trim_end_matches([' ', '\t']);
        if !text::all_token(name) {
            return self.fault(Fault::HeaderLine);
        }
        // A bare CR inside a line counts as a space, so at an end it goes too.
        let value = value.trim_matches([' ', '\t', '\r']);
        let name = Name::from_wire(name);
        let single = match name {
            Name::Via if self.via.is_none() => &mut self.via,
            Name::From => &mut self.from,
            Name::To => &mut self.to,
            Name::CallId => &mut self.call_id,
            Name::CSeq => &mut self.cseq,
            Name::ContentLength => &mut self.length,
            Name::MaxForwards | Name::ContentType if self.headers.get(&name).is_some() => {
                return self.fault(Fault::Duplicate(name));
            }
            _ => {
                if self.headers.is_empty() {
                    self.headers = Headers::with_capacity(16);
                }
                return self.headers.push(name, value);
            }
        };
        if single.is_some() {
            return self.fault(Fault::Duplicate(name));
        }
        *single = Some(value.to_owned());
    }

    fn finish(
        mut self,
        start: &StartLine,
        body: &[u8],
        framing: Framing,
        limits: &Limits,
    ) -> Result<Message, (Fault, Vec<(Name, String)>)> {
        match self.build(start, body, framing, limits) {
            Ok(message) => Ok(message),
            Err(fault) => Err((fault, self.salvage())),
        }
    }

    fn build(
        &mut self,
        start: &StartLine,
        body: &[u8],
        framing: Framing,
        limits: &Limits,
    ) -> Result<Message, Fault> {
        if let StartLine::Request { uri: Err(fault), .. } = start {
            return Err(fault.clone());
        }
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let ident = self.ident()?;
        let body = self.body(body, framing, limits)?.to_vec();
        match start {
            StartLine::Request { method, uri: Ok(uri) } => {
                if ident.cseq.method != *method {
                    return Err(Fault::MethodMismatch);
                }
                self.check_request()?;
                let (method, uri) = (method.clone(), uri.clone());
                let headers = self.take_headers();
                Ok(Message::Request(Request { method, uri, ident, headers, body }))
            }
            StartLine::Request { uri: Err(fault), .. } => Err(fault.clone()),
            StartLine::Response { status, reason } => {
                check_addresses(&self.headers)?;
                let headers = self.take_headers();
                Ok(Message::Response(Response {
                    status: *status,
                    reason: reason.clone(),
                    ident,
                    headers,
                    body,
                }))
            }
        }
    }

    fn ident(&self) -> Result<Ident, Fault> {
        fn need(field: &Option<String>, name: Name) -> Result<&str, Fault> {
            field.as_deref().filter(|v| !v.is_empty()).ok_or(Fault::Missing(name))
        }
        let via = Via::parse_first(need(&self.via, Name::Via)?).ok_or(Fault::Invalid(Name::Via))?;
        let from = NameAddr::parse(need(&self.from, Name::From)?).ok_or(Fault::Invalid(Name::From))?;
        let to = NameAddr::parse(need(&self.to, Name::To)?).ok_or(Fault::Invalid(Name::To))?;
        let call_id = need(&self.call_id, Name::CallId)?;
        if call_id.contains([' ', '\t']) {
            return Err(Fault::Invalid(Name::CallId));
        }
        let cseq = CSeq::parse(need(&self.cseq, Name::CSeq)?).ok_or(Fault::Invalid(Name::CSeq))?;
        Ok(Ident { via, from, to, call_id: call_id.to_owned(), cseq })
    }

    fn check_request(&self) -> Result<(), Fault> {
        if let Some(hops) = self.headers.get(&Name::MaxForwards) {
            // One octet (RFC 3261 20.22).
            text::number(hops).filter(|n| *n <= 255).ok_or(Fault::Invalid(Name::MaxForwards))?;
        }
        check_addresses(&self.headers)
    }

    fn body<'a>(&self, rest: &'a [u8], framing: Framing, limits: &Limits) -> Result<&'a [u8], Fault> {
        let Some(length) = &self.length else {
            return match framing {
                Framing::Datagram if rest.len() <= limits.body_bytes => Ok(rest),
                Framing::Datagram => Err(Fault::TooLarge),
                Framing::Stream => Err(Fault::Missing(Name::ContentLength)),
            };
        };
        let length = text::number(length).ok_or(Fault::Invalid(Name::ContentLength))?;
        // Bytes behind the body of a datagram are no part of the message (RFC 3261 18.3).
        let body = usize::try_from(length).ok().and_then(|n| rest.get(..n)).ok_or(Fault::BodyCutOff)?;
        if body.len() > limits.body_bytes { Err(Fault::TooLarge) } else { Ok(body) }
    }

    /// The headers, with the Vias that stood behind the first one in its line put in front.
    fn take_headers(&mut self) -> Headers {
        let headers = std::mem::take(&mut self.headers);
        let Some(line) = self.via.as_deref().filter(|line| line.contains(',')) else { return headers };
        let mut all = Headers::with_capacity(headers.len() + 4);
        for via in text::split_list(line).skip(1) {
            all.push(Name::Via, via);
        }
        for (name, value) in headers.iter() {
            all.push(name.clone(), value);
        }
        all
    }

    fn salvage(self) -> Vec<(Name, String)> {
        let mut lines = Vec::with_capacity(6);
        lines.extend(self.via.map(|v| (Name::Via, v)));
        lines.extend(self.headers.all(&Name::Via).map(|v| (Name::Via, v.to_owned())));
        lines.extend(self.from.map(|v| (Name::From, v)));
        lines.extend(self.to.map(|v| (Name::To, v)));
        lines.extend(self.call_id.map(|v| (Name::CallId, v)));
        lines.extend(self.cseq.map(|v| (Name::CSeq, v)));
        lines
    }
}

/// Headers that later steer where messages go must be readable now.
fn check_addresses(headers: &Headers) -> Result<(), Fault> {
    for (name, value) in headers.iter() {
        if matches!(name, Name::Contact | Name::Route | Name::RecordRoute)
            && value != "*"
            && !text::split_list(value).all(|one| NameAddr::parse(one).is_some())
        {
            return Err(Fault::Invalid(name.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &str = "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nv: SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bKa;rport, \
                           SIP/2.0/TCP b\r\nf: <sip:a@b>;tag=1\r\nt: <sip:x@y>\r\ni: c1\r\nCSeq: 1 OPTIONS\r\n\
                           m: <sip:a@b>\r\nk: timer,\r\n\t100rel\r\nl: 3\r\n\r\nabcdef";

    fn read(text: &str) -> Result<Message, Malformed> {
        parse(text.as_bytes(), Framing::Datagram, &Limits::default())
    }

    fn fault(text: &str) -> Fault {
        match read(text) {
            Err(Malformed::Answer(bad)) => bad.fault,
            other => panic!("{text}: not answered but {other:?}"),
        }
    }

    #[test]
    fn a_message_comes_apart() {
        let Ok(Message::Request(request)) = read(OPTIONS) else { panic!("no request") };
        assert_eq!(request.method, Method::Options);
        assert_eq!(request.body, b"abc");
        assert!(request.headers.lists(&Name::Supported, "100rel"));
        assert_eq!(request.headers.all(&Name::Via).collect::<Vec<_>>(), ["SIP/2.0/TCP b"]);
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let first = read(OPTIONS).unwrap();
        let again = parse(&first.to_bytes(), Framing::Stream, &Limits::default()).unwrap();
        assert_eq!(first, again);
    }

    /// Found by fuzzing: it was kept as a space that the next reading took away.
    #[test]
    fn a_bare_carriage_return_at_the_end_of_a_value_does_not_count() {
        let odd = read(&OPTIONS.replace("i: c1", "i: c1\r\nX:\ra\r \r\nY: b")).unwrap();
        assert_eq!(parse(&odd.to_bytes(), Framing::Stream, &Limits::default()).unwrap(), odd);
    }

    #[test]
    fn bare_line_feeds_and_leading_line_ends_do_no_harm() {
        assert_eq!(read(&OPTIONS.replace("\r\n", "\n")).unwrap(), read(OPTIONS).unwrap());
        assert_eq!(read(&format!("\r\n\r\n{OPTIONS}")).unwrap(), read(OPTIONS).unwrap());
    }

    #[test]
    fn bad_requests_are_answered_with_what_is_wrong() {
        let change = |from: &str, to: &str| fault(&OPTIONS.replace(from, to));
        assert_eq!(change("CSeq: 1 OPTIONS", "CSeq: 4294967296 OPTIONS"), Fault::Invalid(Name::CSeq));
        assert_eq!(change("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"), Fault::MethodMismatch);
        assert_eq!(change("l: 3", "l: -3"), Fault::Invalid(Name::ContentLength));
        assert_eq!(change("l: 3", "l: 7"), Fault::BodyCutOff);
        assert_eq!(change("l: 3", "l: 3\r\nl: 3"), Fault::Duplicate(Name::ContentLength));
        assert_eq!(change("l: 3", "Max-Forwards: 256\r\nl: 3"), Fault::Invalid(Name::MaxForwards));
        assert_eq!(change("i: c1\r\n", ""), Fault::Missing(Name::CallId));
        assert_eq!(change("i: c1", "i: c1\r\nno colon here"), Fault::HeaderLine);
        assert_eq!(change("m: <sip:a@b>", "m: <sip:a@b"), Fault::Invalid(Name::Contact));
        assert_eq!(change("SIP/2.0\r\nv", "SIP/3.0\r\nv"), Fault::Version);
        assert_eq!(change("SIP/2.0\r\nv", "SIP/2.0 \r\nv"), Fault::RequestLine);
    }

    #[test]
    fn what_nobody_can_be_told_is_dropped() {
        let via = OPTIONS.split_once("\r\nf:").unwrap().0;
        for (text, fault) in [
            (OPTIONS.replace("OPTIONS", "ACK").replace("CSeq: 1", "CSeq: x"), Fault::Invalid(Name::CSeq)),
            ("OPTIONS sip:x@127.0.0.1 SIP/2.0\r\n\r\n".into(), Fault::Missing(Name::Via)),
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".into(), Fault::NotSip),
            ("SIP/2.0 200 OK\r\n\r\n".into(), Fault::Missing(Name::Via)),
            ("SIP/2.0 4294967301 x\r\n\r\n".into(), Fault::StatusLine),
            ("SIP/2.0 099 x\r\n\r\n".into(), Fault::StatusLine),
            (via.replace("OPTIONS sip:x@127.0.0.1 SIP/2.0", "SIP/2.0 200 OK"), Fault::Missing(Name::From)),
            ("\0".into(), Fault::NotSip),
            (String::new(), Fault::NotSip),
        ] {
            assert_eq!(read(&text), Err(Malformed::Drop(fault)), "{text:?}");
        }
    }

    #[test]
    fn size_is_bounded_and_the_sender_is_told() {
        let long = OPTIONS.replace("i: c1", &format!("i: c1\r\nX: {}", "a".repeat(20_000)));
        assert_eq!(fault(&long), Fault::TooLarge);
        let many = OPTIONS.replace("i: c1", &format!("i: c1{}", "\r\nX: 1".repeat(1000)));
        assert_eq!(fault(&many), Fault::TooLarge);
        let Err(Malformed::Answer(bad)) = read(&many) else { panic!("not answered") };
        let answer = String::from_utf8(bad.to_bytes("192.0.2.1:9".parse().unwrap(), "t1")).unwrap();
        assert!(answer.starts_with("SIP/2.0 513 "), "{answer}");
        assert!(answer.contains(";rport=9;received=192.0.2.1\r\nVia: SIP/2.0/TCP b\r\n"), "{answer}");
    }

    #[test]
    fn bytes_that_are_no_utf8_do_not_hurt() {
        let mut bytes = OPTIONS.replace("f: <", "f: \"XX\" <").into_bytes();
        let at = bytes.windows(2).position(|w| w == b"XX").unwrap();
        bytes[at] = 0xff;
        let message = parse(&bytes, Framing::Datagram, &Limits::default()).unwrap();
        assert_eq!(message.ident().from.display.as_deref(), Some("\u{fffd}X"));
    }

    #[test]
    fn a_stream_must_say_how_long_the_body_is() {
        let bytes = OPTIONS.replace("l: 3\r\n", "");
        let Err(Malformed::Answer(bad)) = parse(bytes.as_bytes(), Framing::Stream, &Limits::default()) else {
            panic!("not answered");
        };
        assert_eq!(bad.fault, Fault::Missing(Name::ContentLength));
    }
}
