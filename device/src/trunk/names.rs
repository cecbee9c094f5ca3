//! From the trunks' names to their servers: the resolver's questions go out, its answers go to the user agent.

use super::command::Report;
use super::lookups::Heard;
use super::settings::Settings;
use super::thread::Trunk;
use super::tokens;
use offhook_sip_rtp::names::hosts::Hosts;
use offhook_sip_rtp::names::resolv_conf::name_servers;
use offhook_sip_rtp::names::resolver::{self, Event, Families, Input, Output, Resolver};
use offhook_sip_rtp::names::target::Target;
use offhook_sip_rtp::sip::agent::TrunkId;
use offhook_sip_rtp::sip::transport::{Peer, Transport};
use std::net::SocketAddr;

/// Which name servers the machine uses.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Which names it knows by itself.
const HOSTS: &str = "/etc/hosts";

/// The resolver for these settings, told nothing yet.
pub(super) fn resolver(settings: &Settings, seed: [u8; 32]) -> Resolver {
    let families = match settings.sip.udp {
        SocketAddr::V4(_) => Families::V4,
        // A socket on every IPv6 address takes both.
        SocketAddr::V6(addr) if addr.ip().is_unspecified() => Families::V6V4,
        SocketAddr::V6(_) => Families::V6,
    };
    let transports = vec![Transport::Udp, Transport::Tcp, Transport::Tls];
    let (name_servers, hosts) = sources(settings);
    Resolver::new(resolver::Settings { name_servers, hosts, families, transports }, seed)
}

/// Whom to ask, and what is known without asking: what the system's files say now. Name servers of the settings' own
/// are asked for every name.
fn sources(settings: &Settings) -> (Vec<SocketAddr>, Hosts) {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    match &settings.sip.name_servers {
        Some(servers) => (servers.clone(), Hosts::default()),
        None => (name_servers(&read(RESOLV_CONF)), Hosts::parse(&read(HOSTS))),
    }
}

impl Trunk {
    /// Has the trunks' names looked up, and kept so.
    pub(super) fn watch_names(&mut self) {
        let now = self.clock.now();
        for (place, line) in self.settings.trunks.iter().enumerate() {
            let target = Target {
                host: line.server.clone(),
                port: line.port,
                transport: line.transport,
                secure: line.transport == Some(Transport::Tls),
            };
            self.watches.insert(self.resolver.watch(now, target), TrunkId(place));
        }
        self.carry_questions();
    }

    /// A trunk is down: the machine's network, or the trunk's, may have moved.
    pub(super) fn look_again(&mut self) {
        let now = self.clock.now();
        // Small local files, at most once for each failed round of a trunk.
        let (servers, hosts) = sources(&self.settings);
        self.resolver.set_sources(now, servers, hosts);
        self.resolver.hurry(now);
        self.carry_questions();
    }

    /// Does what is due.
    pub(super) fn keep_names(&mut self) {
        let now = self.clock.now();
        if self.resolver.poll_timeout().is_some_and(|due| due <= now) {
            self.resolver.handle_timeout(now);
            self.carry_questions();
        }
    }

    /// Takes what a name server sent; whether there may be more.
    pub(super) fn read_lookup(&mut self, id: u64) -> bool {
        let now = self.clock.now();
        let heard = self.lookups.read(id, &mut self.buffer, self.poll.registry());
        match &heard {
            Heard::Message(from, bytes) => {
                self.resolver.handle_input(now, Input::Message { from: *from, bytes });
            }
            Heard::Unreachable(to) => self.resolver.handle_input(now, Input::Unreachable(*to)),
            Heard::Nothing => return false,
        }
        self.carry_questions();
        matches!(heard, Heard::Message(..))
    }

    fn carry_questions(&mut self) {
        let now = self.clock.now();
        while let Some(output) = self.resolver.poll_output() {
            match output {
                Output::Ask { to, wire, bytes } => {
                    let registry = self.poll.registry();
                    if !self.lookups.ask(now, (to, wire), bytes, registry, tokens::lookup) {
                        self.resolver.handle_input(now, Input::Unreachable(to));
                    }
                }
                Output::Event(Event::Found { watch, servers, .. }) => {
                    if let Some(trunk) = self.watches.get(&watch).copied() {
                        self.set_servers(trunk, servers);
                    }
                }
                Output::Event(Event::Failed { watch, why, retry_in }) => {
                    if let Some(trunk) = self.watches.get(&watch).copied() {
                        self.office.tell(Report::Name(trunk, why, retry_in));
                    }
                }
            }
        }
    }

    fn set_servers(&mut self, trunk: TrunkId, servers: Vec<Peer>) {
        let Some(line) = self.settings.trunks.get(trunk.0) else { return };
        // Its certificate is for the domain of our address there, or for its name (RFC 5922 7.1).
        let name = line.domain.as_ref().unwrap_or(&line.server);
        let addrs: Vec<_> = servers.iter().map(|server| server.addr.ip()).collect();
        self.links.set_names(trunk, name, &addrs);
        let now = self.clock.now();
        if trunk.0 == 0 {
            // Before it is told who we are.
            self.own.trunk_is_at(now, addrs.into_iter());
            self.look_at_own_address(now);
        }
        self.agent.set_servers(now, trunk, servers);
    }
}
