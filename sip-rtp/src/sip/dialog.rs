//! Dialogs: what two user agents share from the first answer to the last BYE (RFC 3261 12).

use super::address::NameAddr;
use super::header::{Headers, Name};
use super::message::{self, CSeq, Ident, Request, Response};
use super::method::Method;
use super::transfer::Replaces;
use super::uri::Uri;
use super::via::Via;
use std::net::IpAddr;

/// One dialog, early or confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: String,
    /// We, with our tag.
    pub local: NameAddr,
    /// The peer, with its tag if it has one (RFC 2543 peers may not).
    pub remote: NameAddr,
    /// The number of our last request.
    local_seq: u32,
    /// The number of the peer's last request.
    remote_seq: Option<u32>,
    /// Where the peer wants its requests.
    pub target: Uri,
    /// The proxies between us, nearest first.
    routes: Vec<NameAddr>,
}

/// A request that came out of order (RFC 3261 12.2.2): 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfOrder;

impl Dialog {
    /// The dialog that our answer to `request` makes (RFC 3261 12.1.1).
    pub fn of_server(request: &Request, local_tag: &str) -> Self {
        let ident = &request.ident;
        // A peer of RFC 2543's time may give no Contact: it is reached as whom it calls itself.
        let target = contact(&request.headers).unwrap_or_else(|| ident.from.uri.clone());
        Self {
            call_id: ident.call_id.clone(),
            local: ident.to.clone().with_tag(local_tag),
            remote: ident.from.clone(),
            local_seq: 0,
            remote_seq: Some(ident.cseq.number),
            target,
            routes: message::addresses(&request.headers, &Name::RecordRoute),
        }
    }

    /// The dialog that the answer to our `request` makes (RFC 3261 12.1.2). `None` when it makes none: no tag.
    pub fn of_client(request: &Request, response: &Response) -> Option<Self> {
        let ident = &response.ident;
        ident.to.tag()?;
        let mut routes = message::addresses(&response.headers, &Name::RecordRoute);
        routes.reverse();
        Some(Self {
            call_id: ident.call_id.clone(),
            local: request.ident.from.clone(),
            remote: ident.to.clone(),
            local_seq: request.ident.cseq.number,
            remote_seq: None,
            // A peer without Contact is reached where the request went.
            target: contact(&response.headers).unwrap_or_else(|| request.uri.clone()),
            routes,
        })
    }

    /// Whether a request from the peer belongs here.
    pub fn matches(&self, ident: &Ident) -> bool {
        self.call_id == ident.call_id
            && ident.to.tag() == self.local.tag()
            && ident.from.tag() == self.remote.tag()
    }

    /// Whether a response to a request of ours belongs here.
    pub fn matches_response(&self, ident: &Ident) -> bool {
        self.call_id == ident.call_id
            && ident.from.tag() == self.local.tag()
            && ident.to.tag() == self.remote.tag()
    }

    /// How a third party is told to take this dialog's place, on the peer's side of it.
    pub fn as_replaces(&self) -> Option<Replaces> {
        let (to_tag, from_tag) = (self.remote.tag()?.to_owned(), self.local.tag()?.to_owned());
        Some(Replaces { call_id: self.call_id.clone(), to_tag, from_tag, early_only: false })
    }

    /// Takes the number of a request from the peer. ACK and CANCEL repeat an old one and are not asked.
    ///
    /// # Errors
    /// [`OutOfOrder`] when it is not above the last one.
    pub fn take_number(&mut self, ident: &Ident) -> Result<(), OutOfOrder> {
        if self.remote_seq.is_some_and(|last| ident.cseq.number <= last) {
            return Err(OutOfOrder);
        }
        self.remote_seq = Some(ident.cseq.number);
        Ok(())
    }

    /// Follows the peer to where a target refresh (INVITE, UPDATE, or the 2xx to one) says that it is.
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Some(target) = contact(headers) {
            self.target = target;
        }
    }

    /// What an early dialog learns from the 2xx: its target, and the routes, which only hold from then on
    /// (RFC 3261 13.2.2.4).
    pub fn confirm(&mut self, response: &Response) {
        self.refresh_target(&response.headers);
        self.routes = message::addresses(&response.headers, &Name::RecordRoute);
        self.routes.reverse();
    }

    /// A new request within the dialog, with the next number (RFC 3261 12.2.1.1).
    pub fn request(&mut self, method: Method, via: Via) -> Request {
        self.local_seq = self.local_seq.saturating_add(1);
        self.numbered(method, self.local_seq, via)
    }

    /// The ACK to the 2xx of our INVITE of this number.
    pub fn ack(&self, number: u32, via: Via) -> Request {
        self.numbered(Method::Ack, number, via)
    }

    /// The number of our last request.
    pub const fn local_seq(&self) -> u32 {
        self.local_seq
    }

    /// Where the next request goes first: the nearest proxy, else the peer.
    pub fn next_hop(&self) -> &Uri {
        self.routes.first().map_or(&self.target, |route| &route.uri)
    }

    /// Whether the peer, or the proxy next to us, is at `ip`.
    pub fn leads_to(&self, ip: IpAddr) -> bool {
        let at = |uri: &Uri| {
            uri.sip().and_then(|sip| sip.host.addr()).is_some_and(|addr| addr.to_canonical() == ip)
        };
        at(self.next_hop()) || at(&self.target)
    }

    fn numbered(&self, method: Method, number: u32, via: Via) -> Request {
        let mut headers = Headers::default();
        let loose = |r: &NameAddr| r.uri.sip().is_some_and(|uri| uri.params.has("lr"));
        let uri = match self.routes.split_first() {
            // A strict router wants to be the Request-URI, and the target at the end of the route.
            Some((first, rest)) if !loose(first) => {
                push_routes(&mut headers, rest);
                headers.push(Name::Route, NameAddr::new(self.target.clone()).to_string());
                first.uri.clone()
            }
            _ => {
                push_routes(&mut headers, &self.routes);
                self.target.clone()
            }
        };
        headers.push(Name::MaxForwards, "70");
        let ident = Ident {
            via,
            from: self.local.clone(),
            to: self.remote.clone(),
            call_id: self.call_id.clone(),
            cseq: CSeq { number, method: method.clone() },
        };
        Request { method, uri, ident, headers, body: Vec::new() }
    }
}

fn push_routes(headers: &mut Headers, routes: &[NameAddr]) {
    for route in routes {
        headers.push(Name::Route, route.to_string());
    }
}

fn contact(headers: &Headers) -> Option<Uri> {
    message::addresses(headers, &Name::Contact).into_iter().next().map(|c| c.uri)
}

#[cfg(test)]
mod tests {
    use super::super::message::Message;
    use super::super::parse::{Framing, Limits, parse};
    use super::super::status::Status;
    use super::super::transport::Transport;
    use super::*;

    fn invite(record_route: &str) -> Request {
        let text = format!(
            "INVITE sip:box@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKa\r\nFrom: <sip:a@x>;tag=a\r\n\
             To: <sip:b@y>\r\nCall-ID: c\r\nCSeq: 10 INVITE\r\nContact: <sip:a@192.0.2.2>\r\n{record_route}\r\n"
        );
        match parse(text.as_bytes(), Framing::Datagram, &Limits::default()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn via() -> Via {
        Via::new(Transport::Udp, "192.0.2.1:5060".parse().unwrap(), "z9hG4bKn")
    }

    fn routes(request: &Request) -> Vec<&str> {
        request.headers.all(&Name::Route).collect()
    }

    #[test]
    fn the_called_side_takes_the_routes_in_order_and_the_calling_side_reversed() {
        let invite = invite("Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n");
        let mut called = Dialog::of_server(&invite, "b");
        let bye = called.request(Method::Bye, via());
        assert_eq!(routes(&bye), ["<sip:p1;lr>", "<sip:p2;lr>"]);
        assert_eq!((bye.uri.to_string().as_str(), bye.ident.cseq.number), ("sip:a@192.0.2.2", 1));
        assert_eq!((bye.ident.from.tag(), bye.ident.to.tag()), (Some("b"), Some("a")));
        let ok = invite
            .response(Status::OK)
            .with_to_tag("b")
            .with(Name::RecordRoute, "<sip:p1;lr>, <sip:p2;lr>")
            .with(Name::Contact, "<sip:b@192.0.2.9>");
        let mut calling = Dialog::of_client(&invite, &ok).unwrap();
        let bye = calling.request(Method::Bye, via());
        assert_eq!(routes(&bye), ["<sip:p2;lr>", "<sip:p1;lr>"]);
        assert_eq!((bye.ident.cseq.number, calling.next_hop().to_string()), (11, "sip:p2;lr".into()));
        assert!(called.matches(&bye.ident) && !calling.matches(&bye.ident));
    }

    #[test]
    fn a_strict_router_becomes_the_request_uri() {
        let invite = invite("Record-Route: <sip:old@p1>, <sip:p2;lr>\r\n");
        let mut dialog = Dialog::of_server(&invite, "b");
        let bye = dialog.request(Method::Bye, via());
        assert_eq!(bye.uri.to_string(), "sip:old@p1");
        assert_eq!(routes(&bye), ["<sip:p2;lr>", "<sip:a@192.0.2.2>"]);
    }

    #[test]
    fn numbers_of_the_peer_must_rise() {
        let request = invite("");
        let mut dialog = Dialog::of_server(&request, "b");
        let numbered = |number| {
            let mut ident = request.ident.clone();
            ident.cseq.number = number;
            ident
        };
        assert_eq!(dialog.take_number(&numbered(10)), Err(OutOfOrder));
        assert_eq!(dialog.take_number(&numbered(12)), Ok(()), "gaps are allowed");
        assert_eq!(dialog.take_number(&numbered(11)), Err(OutOfOrder));
    }

    #[test]
    fn targets_move_only_when_a_contact_says_so() {
        let mut dialog = Dialog::of_server(&invite(""), "b");
        dialog.refresh_target(&Headers::default());
        assert_eq!(dialog.target.to_string(), "sip:a@192.0.2.2");
        let mut headers = Headers::default();
        headers.push(Name::Contact, "<sip:a@192.0.2.77>");
        dialog.refresh_target(&headers);
        assert_eq!(dialog.target.to_string(), "sip:a@192.0.2.77");
    }

    #[test]
    fn without_a_tag_there_is_no_dialog_but_without_a_contact_there_is() {
        let mut request = invite("");
        assert_eq!(Dialog::of_client(&request, &request.response(Status::RINGING)), None);
        request.headers.remove(&Name::Contact);
        assert_eq!(Dialog::of_server(&request, "b").target.to_string(), "sip:a@x");
    }
}
