//! `/etc/hosts`, as text: names that this machine knows by itself. They are asked for before any name server, as the
//! system's own programs do it, so that a trunk named there needs none.

use super::record::plain;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Names that are kept. A file with more is a list of servers to be blocked, and those are no trunks.
const MOST_NAMES: usize = 1_024;

/// Addresses by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(BTreeMap<String, Vec<IpAddr>>);

impl Hosts {
    /// Reads hosts(5): an address and its names in each line. What is none is passed over.
    pub fn parse(text: &str) -> Self {
        let mut hosts = Self::default();
        for line in text.lines() {
            let mut words = line.split('#').next().unwrap_or("").split_ascii_whitespace();
            let Some(addr) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else { continue };
            for name in words {
                hosts.add(plain(name), addr);
            }
        }
        hosts
    }

    fn add(&mut self, name: String, addr: IpAddr) {
        if self.0.len() >= MOST_NAMES && !self.0.contains_key(&name) {
            return;
        }
        let known = self.0.entry(name).or_default();
        if !known.contains(&addr) {
            known.push(addr);
        }
    }

    /// The addresses of `name`, in the order of the file; none when it is not there.
    pub(super) fn addrs(&self, name: &str) -> &[IpAddr] {
        self.0.get(&plain(name)).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    #[test]
    fn names_lead_to_all_their_addresses_in_the_files_order() {
        let hosts = Hosts::parse(
            "127.0.0.1 localhost\n# 192.0.2.9 pbx.lan\n192.0.2.1\tPBX.lan pbx # the old one\n2001:db8::1 pbx.lan.\n192.0.2.1 pbx.lan\n",
        );
        assert_eq!(hosts.addrs("pbx.LAN"), ips(&["192.0.2.1", "2001:db8::1"]));
        assert_eq!(hosts.addrs("pbx"), ips(&["192.0.2.1"]));
        assert!(hosts.addrs("lan").is_empty() && hosts.addrs("the").is_empty());
    }

    #[test]
    fn odd_lines_are_passed_over_and_a_huge_file_is_bounded() {
        assert_eq!(Hosts::parse("pbx 192.0.2.1\n192.0.2.300 x\n192.0.2.1\n::1%lo y\n\0"), Hosts::default());
        let blocked: String = (0..5_000).map(|n| format!("0.0.0.0 ads{n}.example\n")).collect();
        assert_eq!(Hosts::parse(&blocked).0.len(), MOST_NAMES);
    }
}
