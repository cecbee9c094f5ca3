//! Who may talk to us. Closed by default: only the trunk's addresses and listed networks get past the door;
//! everyone else gets silence, which tells a scanner nothing and costs a look-up in a short list.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// How many strangers are remembered by address: enough to say who knocks, whatever their number.
const REMEMBERED: usize = 32;

/// A range of addresses, as `192.0.2.0/24` or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// IPv4 is kept in its mapped form, so that one comparison does for both.
    bits: u128,
    mask: u128,
}

impl Network {
    /// One address.
    pub fn host(addr: IpAddr) -> Self {
        Self { bits: to_bits(addr), mask: u128::MAX }
    }

    /// Whether `addr` lies in it.
    pub fn contains(&self, addr: IpAddr) -> bool {
        to_bits(addr) & self.mask == self.bits
    }
}

fn to_bits(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(addr) => addr.to_ipv6_mapped(),
        IpAddr::V6(addr) => addr,
    }
    .to_bits()
}

/// A network that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadNetwork(pub String);

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is no address and no network (like 192.0.2.0/24)", self.0)
    }
}

impl std::error::Error for BadNetwork {}

impl FromStr for Network {
    type Err = BadNetwork;

    fn from_str(text: &str) -> Result<Self, BadNetwork> {
        let bad = || BadNetwork(text.to_owned());
        let (addr, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let addr: IpAddr = addr.trim().parse().map_err(|_| bad())?;
        let width = if addr.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.trim().parse::<u32>().ok().filter(|p| *p <= width).ok_or_else(bad)?,
            None => width,
        };
        // For IPv4 the 96 bits above the address stay in the mask, even for /0: they say "IPv4".
        let mask = u128::MAX.checked_shl(width - prefix).unwrap_or(0);
        Ok(Self { bits: to_bits(addr) & mask, mask })
    }
}

/// An address that was turned away, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Who.
    pub addr: IpAddr,
    /// How many messages.
    pub messages: u64,
}

/// The door.
#[derive(Debug, Default)]
pub struct Guard {
    /// From the configuration.
    listed: Vec<Network>,
    /// What the trunks' names resolved to.
    trunks: Vec<IpAddr>,
    strangers: Vec<Stranger>,
    turned_away: u64,
}

impl Guard {
    /// Lets in `listed` and nobody else.
    pub const fn new(listed: Vec<Network>) -> Self {
        Self { listed, trunks: Vec::new(), strangers: Vec::new(), turned_away: 0 }
    }

    /// Replaces the trunks' addresses, after a resolution.
    pub fn set_trunks(&mut self, addrs: Vec<IpAddr>) {
        self.trunks = addrs;
    }

    /// Whether a message from `addr` is read at all. Counts those that are not.
    pub fn admits(&mut self, addr: IpAddr) -> bool {
        let addr = addr.to_canonical();
        if self.knows(addr) {
            return true;
        }
        self.turned_away = self.turned_away.saturating_add(1);
        self.remember(addr);
        false
    }

    /// Whether `addr` is a trunk's or listed. Counts nothing.
    pub fn knows(&self, addr: IpAddr) -> bool {
        self.trunks.contains(&addr) || self.listed.iter().any(|network| network.contains(addr))
    }

    /// Messages turned away.
    pub const fn turned_away(&self) -> u64 {
        self.turned_away
    }

    /// Those who knocked, the most persistent first.
    pub fn strangers(&self) -> Vec<Stranger> {
        let mut list = self.strangers.clone();
        list.sort_by_key(|s| std::cmp::Reverse(s.messages));
        list
    }

    /// Counts by address, bounded: who comes once gives way to who comes now.
    fn remember(&mut self, addr: IpAddr) {
        if let Some(known) = self.strangers.iter_mut().find(|s| s.addr == addr) {
            known.messages = known.messages.saturating_add(1);
            return;
        }
        if self.strangers.len() < REMEMBERED {
            self.strangers.push(Stranger { addr, messages: 1 });
        } else if let Some(least) = self.strangers.iter_mut().min_by_key(|s| s.messages) {
            *least = Stranger { addr, messages: 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn nobody_gets_in_unless_listed() {
        let mut closed = Guard::default();
        assert!(!closed.admits(ip("127.0.0.1")));
        let mut guard = Guard::new(vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
        guard.set_trunks(vec![ip("198.51.100.7")]);
        for friend in ["192.0.2.200", "::ffff:192.0.2.1", "2001:db8:5::1", "198.51.100.7"] {
            assert!(guard.admits(ip(friend)), "{friend}");
        }
        for stranger in ["192.0.3.1", "198.51.100.8", "2001:db9::1", "::1"] {
            assert!(!guard.admits(ip(stranger)), "{stranger}");
        }
        assert_eq!(guard.turned_away(), 4);
    }

    #[test]
    fn networks_are_read_and_wrong_ones_named() {
        let any4: Network = "0.0.0.0/0".parse().unwrap();
        assert!(any4.contains(ip("8.8.8.8")) && !any4.contains(ip("2001:db8::1")));
        let any6: Network = "::/0".parse().unwrap();
        assert!(any6.contains(ip("2001:db8::1")));
        assert_eq!("192.0.2.9/24".parse::<Network>(), "192.0.2.0/24".parse(), "host bits do not count");
        for bad in ["", "192.0.2.0/33", "::/129", "192.0.2/24", "10.0.0.1/-1", "pbx"] {
            assert_eq!(bad.parse::<Network>(), Err(BadNetwork(bad.into())));
        }
    }

    #[test]
    fn the_list_of_strangers_is_bounded_and_keeps_the_persistent() {
        let mut guard = Guard::default();
        for _ in 0..1000 {
            guard.admits(ip("203.0.113.66"));
        }
        for i in 0..10_000u32 {
            guard.admits(IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0a00_0000 + i)));
        }
        let list = guard.strangers();
        assert_eq!(
            (list.len(), list[0]),
            (REMEMBERED, Stranger { addr: ip("203.0.113.66"), messages: 1000 })
        );
        assert_eq!(guard.turned_away(), 11_000);
    }
}
