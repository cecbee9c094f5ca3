//! The messages that a transaction makes by itself.

use crate::sip::header::{Headers, Name};
use crate::sip::message::{CSeq, Ident, Request, Response};
use crate::sip::method::Method;
use crate::sip::transport::Peer;

/// Where the answers to `request` go (RFC 3261 18.2.2).
pub(super) fn reply_peer(request: &Request, from: Peer) -> Peer {
    if from.transport.is_reliable() {
        return from;
    }
    Peer { addr: request.ident.via.reply_to(from.addr), ..from }
}

/// The ACK to a failure: as the INVITE, with the response's To (RFC 3261 17.1.1.3).
pub(super) fn ack_to_failure(invite: &Request, response: &Response) -> Request {
    let mut ack = beside(invite, Method::Ack);
    ack.ident.to = response.ident.to.clone();
    ack
}

/// The CANCEL of an INVITE (RFC 3261 9.1).
pub(super) fn cancel(invite: &Request) -> Request {
    beside(invite, Method::Cancel)
}

/// A request of the same branch, route and number as `invite`.
fn beside(invite: &Request, method: Method) -> Request {
    let mut headers = Headers::default();
    for route in invite.headers.all(&Name::Route) {
        headers.push(Name::Route, route);
    }
    headers.push(Name::MaxForwards, "70");
    for name in [Name::Authorization, Name::ProxyAuthorization] {
        // Proxies that check every request want them on the ACK too (RFC 3261 22.1).
        for value in invite.headers.all(&name).filter(|_| method == Method::Ack) {
            headers.push(name.clone(), value);
        }
    }
    let cseq = CSeq { number: invite.ident.cseq.number, method: method.clone() };
    Request {
        method,
        uri: invite.uri.clone(),
        ident: Ident { cseq, ..invite.ident.clone() },
        headers,
        body: Vec::new(),
    }
}
