//! What makes two messages part of one transaction (RFC 3261 17.1.3, 17.2.3).

use crate::sip::message::{Ident, Request, Response};
use crate::sip::method::Method;
use crate::sip::transport::Transport;

/// The name of a server transaction, for its requests, their repetitions and the ACK. Beside what the RFC
/// compares, the Call-ID and the transport belong to it: no repetition changes them, and senders that use one
/// branch twice (RFC 4475's own messages do) are told apart.
pub(super) fn of_request(request: &Request, by: Transport) -> String {
    // An ACK to a failure belongs to the INVITE.
    let method = if request.method == Method::Ack { &Method::Invite } else { &request.method };
    keyed(request, method, by)
}

/// The name of the INVITE transaction that a CANCEL would end.
pub(super) fn of_cancelled(cancel: &Request, by: Transport) -> String {
    keyed(cancel, &Method::Invite, by)
}

fn keyed(request: &Request, method: &Method, by: Transport) -> String {
    let Ident { via, from, call_id, cseq, .. } = &request.ident;
    let port = via.port.unwrap_or(0);
    match via.unique_branch() {
        Some(branch) => format!("{branch}|{}:{port}|{method}|{call_id}|{by}", via.host),
        // RFC 2543 peers. The To tag is left out: an ACK has one where its INVITE had none.
        None => format!(
            "{}|{}|{call_id}|{}|{}:{port}|{}|{method}|{by}",
            request.uri,
            from.tag().unwrap_or(""),
            cseq.number,
            via.host,
            via.params.get("branch").unwrap_or("")
        ),
    }
}

/// The name of a client transaction: our branch and the method.
pub(super) fn of_sent(request: &Request) -> String {
    client(&request.ident)
}

/// The name of the client transaction that a response belongs to.
pub(super) fn of_response(response: &Response) -> String {
    client(&response.ident)
}

fn client(ident: &Ident) -> String {
    format!("{}|{}", ident.via.params.get("branch").unwrap_or(""), ident.cseq.method)
}

/// What two copies of one request have in common that reached us by different ways (RFC 3261 8.2.2.2). `None`
/// inside a dialog and for senders that gave no tag.
pub(super) fn of_merged(request: &Request) -> Option<String> {
    let Ident { from, to, call_id, cseq, .. } = &request.ident;
    if to.tag().is_some() {
        return None;
    }
    Some(format!("{call_id}|{}|{}|{}", from.tag()?, cseq.number, cseq.method))
}
