//! Whose certificate is to be shown at an address: the name that the address was resolved from.

use offhook_sip_rtp::sip::agent::TrunkId;
use std::net::IpAddr;

/// Addresses kept of a trunk. A server that the name leads to no more may still have calls; but one whose addresses
/// change all the time must not fill the memory.
const MOST_OF_A_TRUNK: usize = 64;

/// What the servers of the trunks are called.
#[derive(Debug)]
pub(super) struct ServerNames {
    /// What was told last comes first.
    known: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    addr: IpAddr,
    trunk: TrunkId,
    name: String,
}

impl ServerNames {
    /// Nothing is known.
    pub(super) const fn new() -> Self {
        Self { known: Vec::new() }
    }

    /// The name of a trunk leads to `servers` now. An address keeps the name that was told last.
    pub(super) fn set(&mut self, trunk: TrunkId, name: &str, servers: &[IpAddr]) {
        self.known.retain(|server| !servers.contains(&server.addr));
        let now = servers.iter().map(|addr| Server { addr: *addr, trunk, name: name.to_owned() });
        self.known.splice(..0, now);
        let mut room = MOST_OF_A_TRUNK;
        self.known.retain(|server| {
            let stays = server.trunk != trunk || room > 0;
            room -= usize::from(server.trunk == trunk && stays);
            stays
        });
    }

    /// Whom the certificate at `addr` has to be for.
    pub(super) fn of(&self, addr: IpAddr) -> String {
        let known = self.known.iter().find(|server| server.addr == addr);
        known.map_or_else(|| addr.to_string(), |server| server.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(n: u32) -> IpAddr {
        IpAddr::from((0xC000_0000 + n).to_be_bytes())
    }

    #[test]
    fn an_address_has_the_name_that_was_told_last_or_none() {
        let mut names = ServerNames::new();
        names.set(TrunkId(0), "one.example", &[addr(1), addr(2)]);
        names.set(TrunkId(1), "two.example", &[addr(2)]);
        assert_eq!(names.of(addr(1)), "one.example");
        assert_eq!(names.of(addr(2)), "two.example");
        assert_eq!(names.of(addr(3)), addr(3).to_string());
        names.set(TrunkId(0), "one.example", &[addr(2), addr(3)]);
        assert_eq!(names.of(addr(2)), "one.example");
        assert_eq!(names.of(addr(1)), "one.example", "there may be calls there");
    }

    #[test]
    fn a_name_whose_addresses_change_all_the_time_fills_nothing_and_costs_no_other() {
        let mut names = ServerNames::new();
        names.set(TrunkId(1), "steady.example", &[addr(0)]);
        for n in 1..10_000 {
            names.set(TrunkId(0), "rolling.example", &[addr(2 * n), addr(2 * n + 1)]);
        }
        assert_eq!(names.known.len(), 1 + MOST_OF_A_TRUNK);
        assert_eq!(names.of(addr(0)), "steady.example");
        assert_eq!(
            (names.of(addr(19_998)), names.of(addr(19_997))),
            ("rolling.example".into(), "rolling.example".into())
        );
        assert_eq!(names.of(addr(2)), addr(2).to_string());
    }
}
