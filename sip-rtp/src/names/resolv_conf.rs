//! `/etc/resolv.conf`, as text: which name servers the machine uses. Search lists are left alone, as a trunk's name
//! is whole.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

const DNS_PORT: u16 = 53;
/// As many as the system's own resolver uses.
const MAX_SERVERS: usize = 3;

/// The name servers that `text` lists, in its order. With none listed it is the machine itself (resolv.conf(5)).
pub fn name_servers(text: &str) -> Vec<SocketAddr> {
    let mut servers: Vec<_> = text.lines().filter_map(name_server).take(MAX_SERVERS).collect();
    if servers.is_empty() {
        servers.push(SocketAddr::new([127, 0, 0, 1].into(), DNS_PORT));
    }
    servers
}

fn name_server(line: &str) -> Option<SocketAddr> {
    let line = line.split(['#', ';']).next()?;
    let mut words = line.split_ascii_whitespace();
    if words.next()? != "nameserver" {
        return None;
    }
    let text = words.next()?;
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(addr, DNS_PORT));
    }
    // A zone by number. By name it would take a system call to know it.
    let (addr, zone) = text.split_once('%')?;
    let (addr, zone) = (addr.parse::<Ipv6Addr>().ok()?, zone.parse().ok()?);
    Some(SocketAddr::V6(SocketAddrV6::new(addr, DNS_PORT, 0, zone)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_in_order_and_the_rest_is_passed_over() {
        let text = "# made by hand\nsearch lan\nnameserver 192.0.2.53 # the router\n\tnameserver\t2001:db8::53\n;nameserver 192.0.2.9\n\
                    options timeout:1\nnameserver fe80::1%2\nnameserver 192.0.2.54\n";
        let servers: Vec<_> = name_servers(text).iter().map(SocketAddr::to_string).collect();
        assert_eq!(servers, ["192.0.2.53:53", "[2001:db8::53]:53", "[fe80::1%2]:53"]);
    }

    #[test]
    fn without_one_it_is_this_machine() {
        for text in
            ["", "nameserver\n", "nameserver router.lan\n", "nameserver fe80::1%eth0", "nameservers 1.2.3.4"]
        {
            assert_eq!(name_servers(text), ["127.0.0.1:53".parse().unwrap()], "{text}");
        }
    }
}
