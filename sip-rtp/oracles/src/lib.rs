//! What different parsers read out of one message, in one shape, so that they can be compared. Only tests use
//! this; it is a crate of its own so that nobody who builds or tests the trunk has to build the oracles.

use bytes::Bytes;
use ezk_sip_types::header::typed::{CSeq, CallID, FromTo, Via};
use ezk_sip_types::msg::{Line, MessageLine, PullParser};
use ezk_sip_types::parse::Parse as _;
use ezk_sip_types::{Headers, Name};
use offhook_sip_rtp::sip::message::Message;
use offhook_sip_rtp::sip::parse::{Framing, Limits, parse};

/// What a transaction layer needs of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The method, or the code.
    pub start: String,
    /// Call-ID.
    pub call_id: String,
    /// The number in CSeq.
    pub number: u32,
    /// From's tag.
    pub from_tag: Option<String>,
    /// To's tag.
    pub to_tag: Option<String>,
    /// The top Via's branch.
    pub branch: Option<String>,
}

/// A parser: `None` for what it refuses.
pub type Parser = fn(&[u8]) -> Option<Seen>;

/// Ours.
pub fn ours(bytes: &[u8]) -> Option<Seen> {
    let message = parse(bytes, Framing::Datagram, &Limits::default()).ok()?;
    let ident = message.ident();
    let start = match &message {
        Message::Request(request) => request.method.to_string(),
        Message::Response(response) => response.status.to_string(),
    };
    Some(Seen {
        start,
        call_id: ident.call_id.clone(),
        number: ident.cseq.number,
        from_tag: ident.from.tag().map(str::to_owned),
        to_tag: ident.to.tag().map(str::to_owned),
        branch: ident.via.params.get("branch").map(str::to_owned),
    })
}

/// `ezk-sip-types`, used as its own transport does: line by line, then header by header.
pub fn ezk(bytes: &[u8]) -> Option<Seen> {
    let source = Bytes::copy_from_slice(bytes);
    let mut lines = PullParser::new(&source, 0);
    let first = std::str::from_utf8(lines.next()?.ok()?).ok()?;
    let (_, start) = MessageLine::parse(&source)(first).ok()?;
    let mut headers = Headers::new();
    for line in lines {
        let (_, line) = Line::parse(&source, std::str::from_utf8(line.ok()?).ok()?).ok()?;
        headers.insert(line.name, line.value);
    }
    let from: FromTo = headers.get(Name::FROM).ok()?;
    let to: FromTo = headers.get(Name::TO).ok()?;
    let via: Via = headers.get_named().ok()?;
    let cseq: CSeq = headers.get_named().ok()?;
    let CallID(call_id) = headers.get_named().ok()?;
    let start = match start {
        MessageLine::Request(line) => line.method.to_string(),
        MessageLine::Response(line) => line.code.into_u16().to_string(),
    };
    Some(Seen {
        start,
        call_id: call_id.to_string(),
        number: cseq.cseq,
        from_tag: from.tag.map(|t| t.to_string()),
        to_tag: to.tag.map(|t| t.to_string()),
        branch: via.params.get_val("branch").map(|b| b.to_string()),
    })
}
