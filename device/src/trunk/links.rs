//! All stream connections of SIP: who may open one, which one a message takes, when one is closed.

use super::link::Link;
use super::server_names::ServerNames;
use super::sockets::Stream;
use super::tls::Identity;
use mio::{Registry, Token};
use offhook_sip_rtp::media::dscp::Dscp;
use offhook_sip_rtp::sip::agent::TrunkId;
use offhook_sip_rtp::sip::transport::{FlowId, Peer, Transport};
use offhook_units::{Moment, Span};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// What the far end of a new connection is.
const fn peer(id: u64, transport: Transport, addr: SocketAddr) -> Peer {
    Peer { transport, addr, flow: Some(FlowId(id)) }
}

/// A message cannot be sent: no connection to its far end comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreachable;

/// The connections.
#[derive(Debug)]
pub(super) struct Links {
    links: BTreeMap<u64, Link>,
    last: u64,
    most: usize,
    idle: Span,
    mark: Dscp,
    identity: Identity,
    names: ServerNames,
    /// Connections that were turned away as there were too many.
    refused: u64,
}

impl Links {
    /// None yet; there will be `most` at once, and each is closed when nothing came on it for `idle`.
    pub(super) const fn new(most: usize, idle: Span, mark: Dscp, identity: Identity) -> Self {
        Self {
            links: BTreeMap::new(),
            last: 0,
            most,
            idle,
            mark,
            identity,
            names: ServerNames::new(),
            refused: 0,
        }
    }

    /// Tells by which name a trunk's servers are known.
    pub(super) fn set_names(&mut self, trunk: TrunkId, name: &str, servers: &[IpAddr]) {
        self.names.set(trunk, name, servers);
    }

    /// Connections that stand.
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    /// Connections turned away for want of room.
    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    /// A connection of somebody else's. It is dropped when there are too many.
    pub(super) fn accept(
        &mut self,
        now: Moment,
        stream: Stream,
        (transport, from): (Transport, SocketAddr),
        register: impl FnOnce(&mut Stream, u64) -> std::io::Result<()>,
    ) {
        // A quarter is kept for connections of our own: strangers must not cut us off from our trunks.
        let theirs = self.links.values().filter(|link| !link.is_ours()).count();
        let tls = match transport {
            Transport::Tls => self.identity.accept().ok(),
            _ => None,
        };
        if theirs >= self.most - self.most / 4 || (transport == Transport::Tls && tls.is_none()) {
            self.refused += 1;
            return;
        }
        let id = self.last + 1;
        let mut link = Link::new(now, stream, tls, peer(id, transport, from), false);
        link.stream().prepare(self.mark);
        if register(link.stream(), id).is_ok() {
            self.last = id;
            self.links.insert(id, link);
        }
    }

    /// Sends `bytes` on the connection that `to` names, on another to the same address, or on a new one.
    ///
    /// # Errors
    /// [`Unreachable`]; a connection that broke is closed already.
    pub(super) fn send(
        &mut self,
        now: Moment,
        to: Peer,
        bytes: &[u8],
        registry: &Registry,
        token: impl Fn(u64) -> Token,
    ) -> Result<(), Unreachable> {
        let named = to.flow.map(|flow| flow.0).filter(|id| self.links.contains_key(id));
        let id = match named.or_else(|| self.to_address(to)) {
            Some(id) => id,
            None => self.connect(now, to, registry, token)?,
        };
        let sent = self.links.get_mut(&id).ok_or(Unreachable)?.send(bytes);
        sent.map_err(|_broken| {
            self.close(id, registry);
            Unreachable
        })
    }

    fn to_address(&self, to: Peer) -> Option<u64> {
        let same = |link: &Link| link.peer().transport == to.transport && link.peer().addr == to.addr;
        self.links.iter().find(|(_, link)| same(link)).map(|(id, _)| *id)
    }

    fn connect(
        &mut self,
        now: Moment,
        to: Peer,
        registry: &Registry,
        token: impl Fn(u64) -> Token,
    ) -> Result<u64, Unreachable> {
        if self.links.len() >= self.most {
            self.refused += 1;
            return Err(Unreachable);
        }
        let tls = match to.transport {
            Transport::Tls => {
                Some(self.identity.connect(&self.names.of(to.addr.ip())).map_err(|_| Unreachable)?)
            }
            _ => None,
        };
        let stream = Stream::connect(to.addr).map_err(|_refused| Unreachable)?;
        let id = self.last + 1;
        let mut link = Link::new(now, stream, tls, peer(id, to.transport, to.addr), true);
        link.stream().prepare(self.mark);
        link.stream().register(registry, token(id)).map_err(|_| Unreachable)?;
        self.last = id;
        self.links.insert(id, link);
        Ok(id)
    }

    /// A connection.
    pub(super) fn get(&mut self, id: u64) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    /// Ends a connection; its far end.
    pub(super) fn close(&mut self, id: u64, registry: &Registry) -> Option<Peer> {
        let mut link = self.links.remove(&id)?;
        link.close();
        link.stream().deregister(registry);
        Some(link.peer())
    }

    /// Those on which nothing came for too long.
    pub(super) fn expired(&self, now: Moment) -> Vec<u64> {
        let over = |link: &Link| link.expires(self.idle) <= now;
        self.links.iter().filter(|(_, link)| over(link)).map(|(id, _)| *id).collect()
    }
}
