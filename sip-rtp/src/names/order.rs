//! Who of several servers comes first: by priority, and within one priority by lot (RFC 2782). The lots come from
//! one seed per appliance: two appliances choose differently, and one chooses the same way at every look, so that a
//! trunk does not wander.

use super::record::Srv;
use crate::sip::ids::Ids;
use std::net::IpAddr;

/// Servers in the order of trying.
pub(super) fn servers(seed: [u8; 32], records: &[Srv]) -> Vec<Srv> {
    let mut rest = records.to_vec();
    // Name servers turn their lists round: the lots must not follow that. Those without weight come first within
    // their priority, as RFC 2782 has it.
    rest.sort_by(|a, b| {
        (a.priority, a.weight > 0, &a.target, a.port).cmp(&(b.priority, b.weight > 0, &b.target, b.port))
    });
    rest.dedup();
    let mut lots = Ids::new(seed);
    let mut out = Vec::with_capacity(rest.len());
    while let Some(first) = rest.first() {
        let priority = first.priority;
        let peers = || rest.iter().take_while(|s| s.priority == priority);
        let lot = lots.below(peers().map(|s| u64::from(s.weight)).sum::<u64>() + 1);
        let mut sum = 0;
        let reached = |s: &Srv| {
            sum += u64::from(s.weight);
            sum >= lot
        };
        let index = peers().position(reached).unwrap_or(0);
        out.push(rest.remove(index));
    }
    out
}

/// Addresses of one name in the order of trying: shuffled, as a name server would.
pub(super) fn addrs(seed: [u8; 32], records: &[IpAddr]) -> Vec<IpAddr> {
    let mut out = records.to_vec();
    out.sort_unstable();
    out.dedup();
    let mut lots = Ids::new(seed);
    for i in (1..out.len()).rev() {
        let j = usize::try_from(lots.below(i as u64 + 1)).unwrap_or(i);
        out.swap(i, j);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, target: target.into(), port: 5060 }
    }

    fn first_of(records: &[Srv], target: &str) -> usize {
        (0..1000u16)
            .filter(|i| {
                let mut seed = [0; 32];
                seed[..2].copy_from_slice(&i.to_be_bytes());
                servers(seed, records)[0].target == target
            })
            .count()
    }

    #[test]
    fn lower_priorities_come_first_and_all_come_once() {
        let records = [srv(20, 0, "c"), srv(10, 1, "b"), srv(10, 60, "a"), srv(5, 0, "d")];
        for i in 0..50 {
            let names: Vec<_> = servers([i; 32], &records).into_iter().map(|s| s.target).collect();
            assert_eq!((names[0].as_str(), names[3].as_str(), names.len()), ("d", "c", 4));
        }
    }

    #[test]
    fn weights_are_shares() {
        let records = [srv(10, 30, "a"), srv(10, 10, "b"), srv(10, 0, "z")];
        let (a, b, z) = (first_of(&records, "a"), first_of(&records, "b"), first_of(&records, "z"));
        assert!((690..800).contains(&a) && (190..300).contains(&b), "{a} {b} {z}");
        assert!((5..60).contains(&z), "no weight: rarely, but not never: {z}");
        let equal = [srv(10, 0, "a"), srv(10, 0, "b")];
        assert_eq!(first_of(&equal, "a"), 1000, "no weights at all: RFC 2782 leaves it open");
    }

    #[test]
    fn one_appliance_chooses_the_same_way_whatever_the_servers_order() {
        let mut records = vec![srv(10, 5, "a"), srv(10, 5, "b"), srv(10, 5, "c")];
        let before = servers([9; 32], &records);
        records.reverse();
        assert_eq!(servers([9; 32], &records), before);
        let mut ips: Vec<IpAddr> = (1..9u8).map(|i| IpAddr::from([192, 0, 2, i])).collect();
        let before = addrs([9; 32], &ips);
        ips.rotate_left(3);
        assert_eq!(addrs([9; 32], &ips), before);
        assert_ne!(addrs([8; 32], &ips), before);
    }
}
