//! The address that we say is ours, in Via, Contact and SDP. A box may be up before its network is, and may be given
//! another address later: where nothing was configured, the system is asked again and again.

use super::settings::{Line, Settings};
use super::sockets::way_to;
use offhook_sip_rtp::sip::local::LocalAddrs;
use offhook_units::{Moment, Span};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Nothing is sent there.
const ANY_PORT: u16 = 5060;
/// Between two looks. A trunk that is down tries again more seldom than that.
const LOOK_EVERY: Span = Span::from_millis(5_000);

/// Where we would leave for while all trunks are names that nobody knows: addresses for examples (RFC 5737, RFC 3849).
/// The way there is the way to everywhere, and nothing is sent.
const ANYWHERE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// Our addresses, by what the sockets are bound to and how the system would leave for the trunk.
#[derive(Debug)]
pub(super) struct OwnAddress {
    bound: LocalAddrs,
    public: Option<IpAddr>,
    /// The trunk's servers, as far as they are known.
    towards: Vec<IpAddr>,
    /// All trunks are names.
    is_named: bool,
    said: LocalAddrs,
    /// When the system is asked next; never where its answer would change nothing.
    look_at: Option<Moment>,
}

impl OwnAddress {
    /// For sockets that are bound there.
    pub(super) fn new(now: Moment, settings: &Settings, bound: LocalAddrs) -> Self {
        let literal = |line: &Line| line.server.trim_matches(['[', ']']).parse().ok();
        let trunk = settings.trunks.iter().find_map(literal);
        let public = settings.sip.public;
        let asks = public.is_none() && all(&bound).any(|addr| addr.ip().is_unspecified());
        let mut this = Self {
            bound,
            public,
            towards: trunk.into_iter().collect(),
            is_named: trunk.is_none(),
            said: said(&bound, public, IpAddr::V4(Ipv4Addr::LOCALHOST)),
            look_at: asks.then_some(now),
        };
        this.look(now, None);
        this
    }

    /// The addresses as we say them.
    pub(super) const fn said(&self) -> &LocalAddrs {
        &self.said
    }

    /// When [`OwnAddress::look`] is due.
    pub(super) const fn poll_timeout(&self) -> Option<Moment> {
        self.look_at
    }

    /// The first trunk's name means these. The way there is the one to ask for: there may be none to anywhere else.
    pub(super) fn trunk_is_at(&mut self, now: Moment, servers: impl Iterator<Item = IpAddr>) {
        if self.is_named {
            self.towards = servers.collect();
            self.hurry(now);
        }
    }

    /// Something happened that may change the answer: the system is asked now.
    pub(super) fn hurry(&mut self, now: Moment) {
        self.look_at = self.look_at.map(|_| now);
    }

    /// Asks the system again, if it is time to; `in_use` is the first trunk's server while it is up. Gives the addresses
    /// if they are others now.
    pub(super) fn look(&mut self, now: Moment, in_use: Option<IpAddr>) -> Option<LocalAddrs> {
        self.look_with(now, in_use, leaving_for)
    }

    fn look_with(
        &mut self,
        now: Moment,
        in_use: Option<IpAddr>,
        leaving_for: impl Fn(IpAddr) -> Option<IpAddr>,
    ) -> Option<LocalAddrs> {
        self.look_at.filter(|at| *at <= now)?;
        self.look_at = Some(now + LOOK_EVERY);
        let in_use = in_use.filter(|_| self.is_named).and_then(&leaving_for);
        let servers: Vec<IpAddr> = self.towards.iter().filter_map(|&to| leaving_for(to)).collect();
        // While no server is up the address stays that leads to any of them: which of a name's addresses comes first
        // changes with every look-up, and each other address of ours begins the trunk's round anew.
        let last = Some(self.said.udp.ip()).filter(|last| servers.contains(last));
        let anywhere = || ANYWHERE.into_iter().filter(|_| self.is_named).filter_map(&leaving_for);
        let ways = || in_use.into_iter().chain(last).chain(servers.iter().copied()).chain(anywhere());
        // A trunk on this machine is reached by any of our addresses: others may be told one that they reach, too. Without
        // any way out the last address is as good as another.
        let own = ways().find(|way| !way.is_loopback()).or_else(|| ways().next())?;
        let said = said(&self.bound, self.public, own);
        (std::mem::replace(&mut self.said, said) != said).then_some(said)
    }
}

fn all(addrs: &LocalAddrs) -> impl Iterator<Item = SocketAddr> {
    [Some(addrs.udp), addrs.tcp, addrs.tls].into_iter().flatten()
}

fn said(bound: &LocalAddrs, public: Option<IpAddr>, own: IpAddr) -> LocalAddrs {
    let said = |bound: SocketAddr| {
        let ip = match public {
            Some(public) => public,
            None if bound.ip().is_unspecified() => own,
            None => bound.ip(),
        };
        SocketAddr::new(ip, bound.port())
    };
    LocalAddrs { udp: said(bound.udp), tcp: bound.tcp.map(said), tls: bound.tls.map(said) }
}

fn leaving_for(to: IpAddr) -> Option<IpAddr> {
    way_to(SocketAddr::new(to, ANY_PORT))
}

#[cfg(test)]
mod tests {
    use super::super::settings::Keep;
    use super::*;
    use offhook_units::Pii;

    fn addrs(ip: &str) -> LocalAddrs {
        let addr = |port| SocketAddr::new(ip.parse().unwrap(), port);
        LocalAddrs { udp: addr(5060), tcp: Some(addr(5060)), tls: None }
    }

    fn at(seconds: u64) -> Moment {
        Moment::from_millis(1_000 * seconds)
    }

    #[test]
    fn an_address_that_comes_later_or_changes_is_said_once_it_is_there() {
        let mut own = OwnAddress::new(at(0), &Settings::default(), addrs("0.0.0.0"));
        own.said = addrs("127.0.0.1");
        let [first, second] = ["10.0.0.5", "10.0.0.9"].map(|ip| ip.parse().unwrap());
        assert_eq!(own.look_with(at(4), None, |_| Some(first)), None, "not before its time");
        assert_eq!(own.look_with(at(5), None, |_| None), None, "no network yet");
        assert_eq!(own.look_with(at(10), None, |_| Some(first)), Some(addrs("10.0.0.5")));
        assert_eq!(own.look_with(at(15), None, |_| Some(first)), None, "the same");
        assert_eq!(own.look_with(at(20), None, |_| None), None, "a cable that is out for a moment");
        assert_eq!(own.said(), &addrs("10.0.0.5"));
        assert_eq!(own.look_with(at(25), None, |_| Some(second)), Some(addrs("10.0.0.9")));
        assert_eq!(own.poll_timeout(), Some(at(30)));
    }

    #[test]
    fn the_way_to_a_trunk_that_is_a_name_counts_where_there_is_no_way_to_anywhere_else() {
        let [lan, ours]: [IpAddr; 2] = ["10.0.0.1", "10.0.0.5"].map(|ip| ip.parse().unwrap());
        let way = |to: IpAddr| (to == lan).then_some(ours);
        for (server, said) in [("pbx.lan", Some(addrs("10.0.0.5"))), ("192.0.2.7", None)] {
            let mut own = to_trunk(server);
            assert_eq!(own.look_with(at(5), None, way), None, "nobody knows the name");
            own.trunk_is_at(at(6), [lan].into_iter());
            assert_eq!(own.look_with(at(6), None, way), said, "{server}");
        }
    }

    #[test]
    fn a_trunk_on_this_machine_is_told_the_address_that_others_reach_too() {
        let [here, ours]: [IpAddr; 2] = ["127.0.0.1", "10.0.0.5"].map(|ip| ip.parse().unwrap());
        let mut own = to_trunk("pbx.lan");
        own.trunk_is_at(at(5), [here].into_iter());
        assert_eq!(own.look_with(at(5), None, |to| (to == here).then_some(here)), None, "no network yet");
        let way = |to| Some(if to == here { here } else { ours });
        assert_eq!(own.look_with(at(10), None, way), Some(addrs("10.0.0.5")));
    }

    #[test]
    fn of_two_servers_that_are_reached_by_different_ways_the_one_in_use_decides_and_their_order_does_not() {
        let [near, far]: [IpAddr; 2] = ["10.0.0.1", "10.9.0.1"].map(|ip| ip.parse().unwrap());
        let [ours, other]: [IpAddr; 2] = ["10.0.0.5", "10.9.0.5"].map(|ip| ip.parse().unwrap());
        let way = |to| Some(if to == far { other } else { ours });
        let mut own = to_trunk("pbx.lan");
        let named = |own: &mut OwnAddress, second, servers: [IpAddr; 2], in_use| {
            own.trunk_is_at(at(second), servers.into_iter());
            own.look_with(at(second), in_use, way)
        };
        assert_eq!(named(&mut own, 1, [near, far], None), Some(addrs("10.0.0.5")));
        assert_eq!(named(&mut own, 2, [far, near], None), None, "the other one is first: no reason to move");
        assert_eq!(named(&mut own, 3, [near, far], Some(far)), Some(addrs("10.9.0.5")), "it answers there");
        assert_eq!(named(&mut own, 4, [near, far], None), None, "it is down, and comes back, maybe");
        assert_eq!(named(&mut own, 5, [far, near], Some(far)), None);
        own.trunk_is_at(at(6), [near].into_iter());
        assert_eq!(
            own.look_with(at(6), None, way),
            Some(addrs("10.0.0.5")),
            "that way leads to none of them"
        );
    }

    /// With this trunk, and no network so far.
    fn to_trunk(server: &str) -> OwnAddress {
        let line = Line {
            server: server.to_owned(),
            port: None,
            transport: None,
            user: Pii::new(String::new()),
            domain: None,
            credentials: None,
            keep: Keep::Watch,
        };
        let settings = Settings { trunks: vec![line], ..Settings::default() };
        let mut own = OwnAddress::new(at(0), &settings, addrs("0.0.0.0"));
        own.said = addrs("127.0.0.1");
        own
    }

    #[test]
    fn what_is_configured_is_never_asked_for() {
        let mut settings = Settings::default();
        assert_eq!(OwnAddress::new(at(0), &settings, addrs("127.0.0.1")).poll_timeout(), None);
        settings.sip.public = Some("203.0.113.4".parse().unwrap());
        let own = OwnAddress::new(at(0), &settings, addrs("0.0.0.0"));
        assert_eq!((own.poll_timeout(), own.said()), (None, &addrs("203.0.113.4")));
    }
}
