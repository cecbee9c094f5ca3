//! Requests of ours: where they go, how they are proven, and by which transport.

use super::call::{Change, Phase};
use super::screen::{ALLOW, SUPPORTED};
use super::{Agent, CallId, TrunkId};
use crate::sip::address::NameAddr;
use crate::sip::digest::client::Subject;
use crate::sip::header::{Headers, Name};
use crate::sip::host::is_private;
use crate::sip::message::{Request, Response};
use crate::sip::method::Method;
use crate::sip::registration::challenge_header;
use crate::sip::status::Status;
use crate::sip::transaction::ClientId;
use crate::sip::transport::{Peer, Transport};
use crate::sip::uri::Uri;
use offhook_units::Moment;
use std::net::SocketAddr;

/// RFC 3261 18.1.1: beyond this, a request must not go by UDP when the path's MTU is not known.
const MAX_UDP_BYTES: usize = 1300;
/// How many challenges to one request are answered.
pub(super) const MAX_CHALLENGES: u8 = 3;

/// For whom a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Trunk(TrunkId),
    Call(CallId, InCall),
}

/// What a call asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InCall {
    Invite,
    Change(Change),
    Bye,
    Refer,
    Info,
    Prack,
}

/// A request under way.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) what: Ask,
    pub(super) request: Request,
    pub(super) to: Peer,
    pub(super) challenges: u8,
    /// It went by TCP for its size alone, and may be tried by UDP.
    by_size: bool,
}

impl Agent {
    /// Sends a request in a transaction of its own. `None` when there are too many.
    pub(super) fn ask(
        &mut self,
        now: Moment,
        what: Ask,
        request: Request,
        to: Peer,
        challenges: u8,
    ) -> Option<ClientId> {
        self.ask_by(now, what, request, to, challenges, true)
    }

    fn ask_by(
        &mut self,
        now: Moment,
        what: Ask,
        mut request: Request,
        mut to: Peer,
        challenges: u8,
        may_grow: bool,
    ) -> Option<ClientId> {
        request.headers.set(Name::UserAgent, self.settings.software.clone());
        let large = to.transport == Transport::Udp && request.to_bytes().len() > MAX_UDP_BYTES;
        let by_size = large && may_grow && self.settings.locals.tcp.is_some();
        if by_size {
            to = Peer { transport: Transport::Tcp, flow: None, ..to };
            let branch = self.ids.branch();
            request.ident.via = self.settings.locals.via(to, &branch);
        }
        let id = self.transactions.request(now, request.clone(), to)?;
        self.asked.insert(id, Asked { what, request, to, challenges, by_size });
        Some(id)
    }

    /// A request that only grew out of UDP goes by it after all when there is no TCP (RFC 3261 18.1.1).
    pub(super) fn retry_by_udp(&mut self, now: Moment, asked: &Asked) -> bool {
        if !asked.by_size || self.is_given_up(asked.what) {
            return false;
        }
        let to = Peer { transport: Transport::Udp, ..asked.to };
        let mut request = asked.request.clone();
        request.ident.via = self.settings.locals.via(to, &self.ids.branch());
        let Some(id) = self.ask_by(now, asked.what, request, to, asked.challenges, false) else {
            return false;
        };
        self.follow(asked.what, id);
        true
    }

    /// A connection that the far end opened is gone: what is asked within its call goes to where it listens. At the port that
    /// the connection came from nobody does.
    pub(super) fn retry_elsewhere(&mut self, now: Moment, asked: &Asked) -> bool {
        let in_call = matches!(asked.what, Ask::Call(_, kind) if kind != InCall::Invite);
        if !in_call || asked.to.flow.is_none() || self.is_given_up(asked.what) {
            return false;
        }
        let route = asked.request.headers.get(&Name::Route).and_then(NameAddr::parse);
        let uri = route.as_ref().map_or(&asked.request.uri, |route| &route.uri);
        let Some(to) = listens_at(uri, asked.to).filter(|to| to.addr != asked.to.addr) else { return false };
        let mut request = asked.request.clone();
        request.ident.via = self.settings.locals.via(to, &self.ids.branch());
        let Some(id) = self.ask(now, asked.what, request, to, asked.challenges) else { return false };
        self.follow(asked.what, id);
        true
    }

    /// Whether nobody wants the answer any more: a call of ours that was cancelled meanwhile must not begin after all,
    /// and nothing but the goodbye is asked within a call that is over.
    fn is_given_up(&self, what: Ask) -> bool {
        let Ask::Call(call, kind) = what else { return false };
        match (self.calls.get(&call).map(|call| &call.phase), kind) {
            (_, InCall::Bye) => false,
            (Some(Phase::Outgoing(outgoing)), InCall::Invite) => outgoing.cancelled.is_some(),
            (_, InCall::Invite) => true,
            (phase, _) => matches!(phase, None | Some(Phase::Ending)),
        }
    }

    /// Answers the challenge to a request within a call, by the trunk's credentials. `false`: there is no use.
    pub(super) fn prove(&mut self, now: Moment, call: CallId, asked: &Asked, response: &Response) -> bool {
        if asked.challenges >= MAX_CHALLENGES {
            return false;
        }
        let Some(mut request) = self.proven(call, &asked.request, response) else { return false };
        // Within a dialog the next number is the dialog's; before there is one, it follows the last.
        if let Some(dialog) = self.calls.get_mut(&call).and_then(|c| c.dialog.as_mut()) {
            request.ident.cseq.number =
                dialog.request(request.method.clone(), request.ident.via.clone()).ident.cseq.number;
        } else {
            request.ident.cseq.number = request.ident.cseq.number.saturating_add(1);
        }
        let Some(id) = self.ask(now, asked.what, request, asked.to, asked.challenges + 1) else {
            return false;
        };
        self.follow(asked.what, id);
        true
    }

    /// `request` again with credentials, a new branch and its old number.
    pub(super) fn proven(&mut self, call: CallId, request: &Request, response: &Response) -> Option<Request> {
        let trunk = self.calls.get(&call)?.trunk?;
        let to_proxy = response.status == Status::PROXY_AUTHENTICATION;
        let name = if to_proxy { Name::ProxyAuthorization } else { Name::Authorization };
        let sent = request.headers.get(&name);
        let (client, ids) = self.trunks.get_mut(trunk.0)?.digest();
        let client = client?;
        client.challenged(response.headers.all(&challenge_header(response.status)), sent, ids).ok()?;
        let mut request = request.clone();
        let (method, uri) = (request.method.to_string(), request.uri.to_string());
        let line = client.authorize(Subject { method: &method, uri: &uri, body: &request.body })?;
        request.headers.set(name, line);
        let branch = self.ids.branch();
        request.ident.via.params.set("branch", Some(branch));
        Some(request)
    }

    /// A change that was sent again is known by its new transaction.
    fn follow(&mut self, what: Ask, id: ClientId) {
        let Ask::Call(call, kind) = what else { return };
        let Some(call) = self.calls.get_mut(&call) else { return };
        match kind {
            InCall::Change(change) => call.change = Some((id, change)),
            InCall::Invite => {
                if let Some(outgoing) = call.outgoing() {
                    outgoing.client = Some(id);
                }
            }
            _ => {}
        }
    }

    /// A new request within a call's dialog, and where it goes.
    pub(super) fn in_dialog(&mut self, call: CallId, method: Method) -> Option<(Request, Peer)> {
        let branch = self.ids.branch();
        let public = self.public_of(call);
        let found = self.calls.get_mut(&call)?;
        let dialog = found.dialog.as_mut()?;
        let to = way_to(dialog.next_hop(), found.peer);
        let mut request = dialog.request(method, self.settings.locals.via(to, &branch));
        if matches!(request.method, Method::Invite | Method::Update | Method::Refer) {
            let contact = self.settings.locals.contact(Some(&self.settings.contact_user), to, public);
            request.headers.push(Name::Contact, NameAddr::new(contact).to_string());
            request.headers.push(Name::Allow, ALLOW);
            request.headers.push(Name::Supported, SUPPORTED);
        }
        Some((request, to))
    }

    /// Our Contact, and what else goes with every answer that makes or changes a dialog.
    pub(super) fn dress(&self, headers: &mut Headers, peer: Peer, public: Option<SocketAddr>) {
        let contact = self.settings.locals.contact(Some(&self.settings.contact_user), peer, public);
        headers.set(Name::Contact, NameAddr::new(contact).to_string());
        headers.set(Name::Allow, ALLOW);
        headers.set(Name::Supported, SUPPORTED);
        headers.set(Name::Server, self.settings.software.clone());
    }

    /// How the call's trunk sees us.
    pub(super) fn public_of(&self, call: CallId) -> Option<SocketAddr> {
        let trunk = self.calls.get(&call)?.trunk?;
        self.trunks.get(trunk.0)?.public()
    }
}

/// Where a request for `uri` goes. `known` is where the call's messages come from: it serves for names, for
/// addresses behind a NAT, and for the very connection that stands already.
pub(super) fn way_to(uri: &Uri, known: Peer) -> Peer {
    let Some(to) = listens_at(uri, known) else { return known };
    let same = to.addr.ip() == known.addr.ip().to_canonical() && to.transport == known.transport;
    if same && known.transport.is_reliable() { known } else { to }
}

/// The address in `uri`. `None`: it has none, or none that could be reached from where `known` is.
fn listens_at(uri: &Uri, known: Peer) -> Option<Peer> {
    let sip = uri.sip()?;
    let ip = sip.host.addr()?;
    let hidden = is_private(ip) && !is_private(known.addr.ip());
    if hidden || ip.is_unspecified() || ip.is_multicast() {
        return None;
    }
    let named = sip.params.get("transport").and_then(Transport::from_param);
    let connected = known.transport.is_reliable() && ip == known.addr.ip().to_canonical();
    let transport = match named {
        Some(named) => named,
        // Who says nothing of it may mean the connection that stands.
        None if connected => known.transport,
        None if sip.secure => Transport::Tls,
        None => Transport::Udp,
    };
    let port = sip.port.filter(|p| *p != 0).unwrap_or(if transport == Transport::Tls { 5061 } else { 5060 });
    Some(Peer { transport, addr: SocketAddr::new(ip, port), flow: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::transport::FlowId;

    fn way(uri: &str, known: Peer) -> Peer {
        way_to(&Uri::parse(uri).unwrap(), known)
    }

    #[test]
    fn requests_go_where_the_contact_says_unless_nobody_could_get_there() {
        let known = Peer::udp("198.51.100.1:40000".parse().unwrap());
        assert_eq!(way("sip:a@198.51.100.2:5070", known).addr, "198.51.100.2:5070".parse().unwrap());
        assert_eq!(way("sip:a@198.51.100.2;transport=tcp", known).transport, Transport::Tcp);
        for behind in
            ["sip:a@10.0.0.5:5060", "sip:a@pbx.example", "tel:+1555", "sip:a@0.0.0.0", "sip:a@224.0.0.1"]
        {
            assert_eq!(way(behind, known), known, "{behind}");
        }
        let lan = Peer::udp("192.168.1.2:5060".parse().unwrap());
        assert_eq!(way("sip:a@192.168.1.3", lan).addr, "192.168.1.3:5060".parse().unwrap());
    }

    #[test]
    fn a_connection_that_stands_is_used_again() {
        let known = Peer {
            transport: Transport::Tcp,
            addr: "198.51.100.1:40000".parse().unwrap(),
            flow: Some(FlowId(3)),
        };
        assert_eq!(way("sip:a@198.51.100.1:5060;transport=tcp", known), known);
        assert_eq!(way("sip:a@198.51.100.1", known), known);
        assert_eq!(way("sip:a@198.51.100.1;transport=udp", known).transport, Transport::Udp);
    }
}
