//! RFC 3263: what follows from what is known, and what has to be asked next. A pure step, run again whenever
//! something new is known.

use super::cache::Known;
use super::hosts::Hosts;
use super::order;
use super::record::{Kind, Naptr, Question, Records, Srv};
use super::target::{Target, usual_port};
use crate::sip::transport::{Peer, Transport};
use offhook_units::Moment;
use std::net::{IpAddr, SocketAddr};

/// Aliases of aliases that are followed.
const MAX_ALIASES: usize = 8;
/// Names that one target may lead to, and the servers that are kept of them.
const MAX_HOSTS: usize = 12;
const MAX_SERVERS: usize = 16;

/// Which addresses are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// IPv4 only.
    V4,
    /// IPv4 first.
    V4V6,
    /// IPv6 first.
    V6V4,
    /// IPv6 only.
    V6,
}

impl Families {
    const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::V4 => &[Kind::A],
            Self::V4V6 => &[Kind::A, Kind::Aaaa],
            Self::V6V4 => &[Kind::Aaaa, Kind::A],
            Self::V6 => &[Kind::Aaaa],
        }
    }

    /// Those of `addrs` that are wanted, in the order in which they are.
    fn of(self, addrs: &[IpAddr]) -> Vec<IpAddr> {
        let of_kind = |kind: &Kind| {
            let six = *kind == Kind::Aaaa;
            addrs.iter().copied().filter(move |addr| addr.is_ipv6() == six)
        };
        self.kinds().iter().flat_map(of_kind).collect()
    }
}

/// Why nothing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The name servers know no such name, or no address of it.
    NoSuchName,
    /// No name server answers.
    NoAnswer,
}

/// What a look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// These have to be asked first.
    Ask(Vec<Question>),
    /// These are the servers, best first.
    Found {
        servers: Vec<Peer>,
        /// When to look again; `None` for an address, which stays.
        until: Option<Moment>,
        /// Part of it is old, or was not to be had.
        doubtful: bool,
    },
    Failed(Failure),
}

/// What a look is made with.
pub(super) struct Walk<'a, F> {
    pub(super) look: F,
    pub(super) seed: [u8; 32],
    pub(super) families: Families,
    /// Those that we have, the preferred one first.
    pub(super) transports: &'a [Transport],
    /// What this machine knows by itself.
    pub(super) hosts: &'a Hosts,
    asks: Vec<Question>,
    until: Option<Moment>,
    doubtful: bool,
}

/// A server by name.
struct Place {
    host: String,
    port: u16,
    transport: Transport,
}

impl<'a, 'k, F: Fn(&Question) -> Known<'k>> Walk<'a, F> {
    pub(super) const fn new(
        look: F,
        seed: [u8; 32],
        families: Families,
        transports: &'a [Transport],
        hosts: &'a Hosts,
    ) -> Self {
        Self { look, seed, families, transports, hosts, asks: Vec::new(), until: None, doubtful: false }
    }

    pub(super) fn run(mut self, target: &Target) -> Look {
        let places = self.places(target);
        let mut servers = Vec::new();
        for place in places.into_iter().take(MAX_HOSTS) {
            for ip in self.addrs(&place.host) {
                let addr = SocketAddr::new(ip, place.port);
                let peer = Peer { transport: place.transport, addr, flow: None };
                if !servers.contains(&peer) && servers.len() < MAX_SERVERS {
                    servers.push(peer);
                }
            }
        }
        match (self.asks.is_empty(), servers.is_empty()) {
            (false, _) => Look::Ask(self.asks),
            (true, false) => Look::Found { servers, until: self.until, doubtful: self.doubtful },
            (true, true) if self.doubtful => Look::Failed(Failure::NoAnswer),
            (true, true) => Look::Failed(Failure::NoSuchName),
        }
    }

    /// RFC 3263 4.1 and 4.2: the servers by name.
    fn places(&mut self, target: &Target) -> Vec<Place> {
        let usual = target.usual();
        let plain = |port: Option<u16>| Place {
            host: target.host.clone(),
            port: port.unwrap_or(usual_port(usual)),
            transport: usual,
        };
        // Nobody else is asked about a name that this machine knows: there may be nobody who knows it.
        let known = !self.hosts.addrs(&target.host).is_empty();
        if target.addr().is_some() || target.port.is_some() || known {
            return vec![plain(target.port)];
        }
        let mut places = Vec::new();
        for (service, transport) in self.services(target) {
            for srv in self.srv(&service) {
                places.push(Place { host: srv.target, port: srv.port, transport });
            }
        }
        if places.is_empty() && self.asks.is_empty() {
            // Without SRV, or when its server is silent: better the bare name than none.
            places.push(plain(None));
        }
        places
    }

    /// The SRV names to look under, each with its transport.
    fn services(&mut self, target: &Target) -> Vec<(String, Transport)> {
        let named = |transport: Transport| (format!("{}{}", prefix(transport), target.host), transport);
        if target.transport.is_some() || target.secure {
            return vec![named(target.usual())];
        }
        let usual: Vec<_> = self.transports.iter().copied().map(named).collect();
        let mut chosen = self.naptr(&target.host);
        chosen.sort();
        let chosen: Vec<_> = chosen.into_iter().filter_map(|n| self.service(n)).collect();
        if chosen.is_empty() { usual } else { chosen }
    }

    /// What a NAPTR record leads to, if we can go there.
    fn service(&self, record: Naptr) -> Option<(String, Transport)> {
        let transport = match record.service.as_str() {
            "SIP+D2U" => Transport::Udp,
            "SIP+D2T" => Transport::Tcp,
            "SIPS+D2T" => Transport::Tls,
            _ => return None,
        };
        let can = record.flags == "s" && self.transports.contains(&transport);
        can.then_some((record.replacement, transport))
    }

    fn naptr(&mut self, name: &str) -> Vec<Naptr> {
        match self.get(name, Kind::Naptr) {
            Some(Records::Naptr(list)) => list.clone(),
            _ => Vec::new(),
        }
    }

    fn srv(&mut self, name: &str) -> Vec<Srv> {
        match self.get(name, Kind::Srv) {
            Some(Records::Srv(list)) => order::servers(self.seed, list),
            _ => Vec::new(),
        }
    }

    fn addrs(&mut self, host: &str) -> Vec<IpAddr> {
        if let Ok(ip) = host.trim_start_matches('[').trim_end_matches(']').parse() {
            return vec![ip];
        }
        let known = self.hosts.addrs(host);
        if !known.is_empty() {
            return self.families.of(known);
        }
        let mut out = Vec::new();
        for kind in self.families.kinds() {
            if let Some(Records::Addrs(list)) = self.get(host, *kind) {
                out.extend(order::addrs(self.seed, list));
            }
        }
        out
    }

    /// The records of `name`, or of what it is an alias of. Notes what has to be asked.
    fn get(&mut self, name: &str, kind: Kind) -> Option<&'k Records> {
        let mut question = Question::new(name, kind);
        for _ in 0..MAX_ALIASES {
            let records = match (self.look)(&question) {
                Known::Fresh(records, until) => {
                    self.until = Some(self.until.map_or(until, |u| u.min(until)));
                    records
                }
                Known::Stale(records) => {
                    self.doubtful = true;
                    records
                }
                Known::Failed => {
                    self.doubtful = true;
                    return None;
                }
                Known::Unknown => {
                    self.asks.push(question);
                    return None;
                }
            };
            match records {
                Records::Alias(name) => question = Question::new(name, kind),
                records => return Some(records),
            }
        }
        None
    }
}

/// RFC 3263 4.1, RFC 2782: the name of the service before the domain.
const fn prefix(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "_sip._udp.",
        Transport::Tcp => "_sip._tcp.",
        Transport::Tls => "_sips._tcp.",
    }
}
