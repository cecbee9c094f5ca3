//! The trunks within the agent.

use super::request::Ask;
use super::{Agent, Event, Output, TrunkId};
use crate::sip::local::LocalAddrs;
use crate::sip::registration::{self, Down, Registration};
use crate::sip::transaction::Failure;
use crate::sip::transport::Peer;
use offhook_units::Moment;

impl Agent {
    /// The servers that a trunk's name resolved to, best first. They get past the door from now on. The first
    /// time, this starts the trunk.
    pub fn set_servers(&mut self, now: Moment, trunk: TrunkId, servers: Vec<Peer>) {
        if let Some(registration) = self.trunks.get_mut(trunk.0) {
            registration.set_servers(now, servers);
        }
        let addrs = self.trunks.iter().flat_map(|t| t.servers()).map(|peer| peer.addr.ip().to_canonical());
        let addrs = addrs.collect();
        self.guard.set_trunks(addrs);
        self.pump(now);
    }

    /// Our addresses are others from now on; trunks that keep us by the old ones are told.
    pub fn set_locals(&mut self, now: Moment, locals: LocalAddrs) {
        self.settings.locals = locals;
        for trunk in &mut self.trunks {
            trunk.set_locals(now, locals);
        }
        self.pump(now);
    }

    /// Takes all bindings away, for a shutdown.
    pub fn stop_trunks(&mut self, now: Moment) {
        for trunk in &mut self.trunks {
            trunk.stop(now);
        }
        self.pump(now);
    }

    /// Whether a trunk can carry calls.
    pub fn is_up(&self, trunk: TrunkId) -> bool {
        self.trunks.get(trunk.0).is_some_and(Registration::is_up)
    }

    /// The server that a trunk is up at.
    pub fn server_in_use(&self, trunk: TrunkId) -> Option<Peer> {
        self.trunks.get(trunk.0).filter(|trunk| trunk.is_up()).and_then(Registration::server)
    }

    /// The trunk that a peer belongs to.
    pub(super) fn trunk_of(&self, peer: Peer) -> Option<TrunkId> {
        let ip = peer.addr.ip().to_canonical();
        let owns = |t: &Registration| t.servers().iter().any(|s| s.addr.ip().to_canonical() == ip);
        self.trunks.iter().position(owns).map(TrunkId)
    }

    /// Carries one trunk's wishes out. Whether there were any.
    pub(super) fn pump_trunk(&mut self, now: Moment, trunk: TrunkId) -> bool {
        let mut any = false;
        while let Some(output) = self.trunks.get_mut(trunk.0).and_then(Registration::poll_output) {
            any = true;
            match output {
                registration::Output::Request(request, to) => {
                    let number = request.ident.cseq.number;
                    if self.ask(now, Ask::Trunk(trunk), *request, to, 0).is_none() {
                        self.on_trunk_failed(now, trunk, number, Failure::TimedOut);
                    }
                }
                registration::Output::KeepAlive(to) => {
                    self.out.push_back(Output::Send { to, bytes: b"\r\n\r\n".to_vec() });
                }
                registration::Output::Event(event) => self.tell(Event::Trunk { trunk, event }),
            }
        }
        any
    }

    pub(super) fn on_trunk_failed(&mut self, now: Moment, trunk: TrunkId, number: u32, why: Failure) {
        let why = match why {
            Failure::TimedOut => Down::NoAnswer,
            Failure::Unreachable => Down::Unreachable,
        };
        if let Some(registration) = self.trunks.get_mut(trunk.0) {
            registration.on_failure(now, number, why);
        }
    }
}
