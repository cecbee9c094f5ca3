//! As much SIP as a caller needs: the messages that it sends, and what it reads of those that come.

use std::fmt::Write as _;
use std::net::SocketAddr;

/// What a call is known by, on the wire.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// Our address of SIP.
    pub(crate) here: SocketAddr,
    /// Whom we call.
    pub(crate) there: SocketAddr,
    pub(crate) number: String,
    /// Makes Call-ID, tag and branches; no two calls share it.
    pub(crate) id: u64,
}

impl Names {
    /// INVITE with an offer of PCMU and telephone events on this port.
    pub(crate) fn invite(&self, rtp_port: u16) -> String {
        let ip = self.here.ip();
        let offer = format!(
            "v=0\r\no=callers {0} 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {rtp_port} RTP/AVP 0 101\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n",
            self.id
        );
        let uri = format!("sip:{}@{}", self.number, self.there);
        let mut text = self.request("INVITE", &uri, 1, "INVITE", "");
        let _infallible =
            write!(text, "Contact: <sip:callers@{}>\r\nContent-Type: application/sdp\r\n", self.here);
        finish(&text, &offer)
    }

    /// The ACK of an answer, good or bad: to a refusal it belongs to the INVITE's own transaction (RFC 3261 17.1.1.3).
    pub(crate) fn ack(&self, answer: &Answer<'_>) -> String {
        let good = answer.status < 300;
        let uri = format!("sip:{}@{}", self.number, self.there);
        let (to, branch) = if good { (answer.contact, "ACK") } else { (uri.as_str(), "INVITE") };
        finish(&self.request("ACK", to, 1, branch, answer.to_tag), "")
    }

    /// BYE.
    pub(crate) fn bye(&self, contact: &str, to_tag: &str) -> String {
        finish(&self.request("BYE", contact, 2, "BYE", to_tag), "")
    }

    fn request(&self, method: &str, uri: &str, cseq: u32, branch: &str, to_tag: &str) -> String {
        let Self { here, there, number, id } = self;
        let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{id:x}{branch};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:callers@{here}>;tag=c{id:x}\r\nTo: <sip:{number}@{there}>{tag}\r\nCall-ID: {id:x}@callers\r\n\
             CSeq: {cseq} {method}\r\n"
        )
    }
}

fn finish(head: &str, body: &str) -> String {
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// 200 to a request of the far end.
pub(crate) fn ok(request: &str) -> String {
    let mut text = "SIP/2.0 200 OK\r\n".to_owned();
    for line in request.lines().skip(1).take_while(|line| !line.is_empty()) {
        let name = line.split(':').next().unwrap_or_default().trim();
        if ["Via", "From", "To", "Call-ID", "CSeq"].iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let _infallible = write!(text, "{line}\r\n");
        }
    }
    finish(&text, "")
}

/// A message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message<'a> {
    Request { method: &'a str, call: u64 },
    Answer(Answer<'a>),
}

/// An answer to a request of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) call: u64,
    pub(crate) status: u16,
    /// Of which request.
    pub(crate) method: &'a str,
    pub(crate) to_tag: &'a str,
    /// The URI that requests go to.
    pub(crate) contact: &'a str,
    /// The port of the media, where there is a body.
    pub(crate) rtp_port: Option<u16>,
}

/// Reads what a caller needs of a message. What is not for one of our calls is `None`.
pub(crate) fn read(text: &str) -> Option<Message<'_>> {
    let (first, _) = text.split_once("\r\n")?;
    let call = header(text, "Call-ID")?.strip_suffix("@callers")?;
    let call = u64::from_str_radix(call, 16).ok()?;
    let Some(rest) = first.strip_prefix("SIP/2.0 ") else {
        return Some(Message::Request { method: first.split(' ').next()?, call });
    };
    let to = header(text, "To")?;
    Some(Message::Answer(Answer {
        call,
        status: rest.get(..3)?.parse().ok()?,
        method: header(text, "CSeq")?.split_whitespace().nth(1)?,
        to_tag: to.split(";tag=").nth(1).map_or("", |tag| tag.split(';').next().unwrap_or_default()),
        contact: header(text, "Contact").and_then(uri).unwrap_or_default(),
        rtp_port: text.split("\nm=audio ").nth(1).and_then(|line| line.split(' ').next()?.parse().ok()),
    }))
}

fn header<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split("\r\n").take_while(|line| !line.is_empty()).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn uri(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once('<')?;
    rest.split_once('>').map(|(uri, _)| uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let addr = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Names { here: addr(7_000), there: addr(5_060), number: "600".into(), id: 0x2a }
    }

    const OK: &str = "SIP/2.0 200 OK\r\nvia: x\r\nTo: <sip:600@127.0.0.1:5060>;tag=ab;x=1\r\nCall-ID: 2a@callers\r\n\
        CSeq: 1 INVITE\r\nContact: <sip:us@127.0.0.1:5060;transport=udp>;expires=5\r\nContent-Length: 60\r\n\r\n\
        v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 40002 RTP/AVP 0\r\n";

    #[test]
    fn an_answer_is_read_and_its_ack_goes_to_the_contact() {
        let Some(Message::Answer(answer)) = read(OK) else { panic!("no answer") };
        let want = ("INVITE", 200, "ab", Some(40_002));
        assert_eq!((answer.method, answer.status, answer.to_tag, answer.rtp_port), want);
        let ack = names().ack(&answer);
        assert!(ack.starts_with("ACK sip:us@127.0.0.1:5060;transport=udp SIP/2.0\r\n"), "{ack}");
        assert!(ack.contains("To: <sip:600@127.0.0.1:5060>;tag=ab\r\n"), "{ack}");
    }

    #[test]
    fn the_ack_of_a_refusal_is_of_the_invites_transaction() {
        let refusal = OK.replace("200 OK", "503 Full");
        let Some(Message::Answer(answer)) = read(&refusal) else { panic!("no answer") };
        let branch = |text: &str| text.split("branch=").nth(1).unwrap().split(';').next().unwrap().to_owned();
        assert_eq!(branch(&names().ack(&answer)), branch(&names().invite(9_000)));
    }

    #[test]
    fn a_request_is_answered_with_its_own_headers() {
        let bye = names().bye("sip:us@127.0.0.1:5060", "ab");
        assert_eq!(read(&bye), Some(Message::Request { method: "BYE", call: 0x2a }));
        let answer = ok(&bye);
        let Some(Message::Answer(answer)) = read(&answer) else { panic!("no answer: {answer}") };
        assert_eq!((answer.status, answer.method, answer.call), (200, "BYE", 0x2a));
    }

    #[test]
    fn the_offers_length_is_its_own() {
        let text = names().invite(9_000);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())));
        assert!(body.contains("m=audio 9000 RTP/AVP 0 101\r\n"));
    }

    #[test]
    fn what_is_not_ours_is_passed_over() {
        assert_eq!(read("OPTIONS sip:x SIP/2.0\r\nCall-ID: 2a@others\r\n\r\n"), None);
        assert_eq!(read("SIP/2.0 2\r\nCall-ID: 2a@callers\r\nTo: x\r\nCSeq: 1 INVITE\r\n\r\n"), None);
        assert_eq!(read(""), None);
    }
}
