//! The sockets and the clock.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Longest datagram that is read whole; what is longer is none of ours.
const LONGEST: usize = 4_096;
/// The first of our media ports, which all are above those that Linux gives away by itself: no server that another caller
/// has left without a word still sends there.
const FIRST: u16 = 61_000;

/// Time since the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> Duration {
        self.0.elapsed()
    }

    /// Waits until then; gives how late it woke.
    pub(crate) fn wait_until(self, then: Duration) -> Duration {
        let left = then.saturating_sub(self.now());
        if !left.is_zero() {
            std::thread::sleep(left);
        }
        self.now().saturating_sub(then)
    }
}

/// A UDP socket that does not block.
#[derive(Debug)]
pub(crate) struct Wire(UdpSocket);

impl Wire {
    /// On a port that is free.
    pub(crate) fn open(ip: IpAddr) -> io::Result<Self> {
        Self::bind(SocketAddr::new(ip, 0))
    }

    fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(addr)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    pub(crate) fn local(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Whether the system took it.
    pub(crate) fn send(&self, bytes: &[u8], to: SocketAddr) -> bool {
        self.0.send_to(bytes, to).is_ok()
    }

    /// Hands over everything that waits, and where it came from.
    pub(crate) fn drain(&self, mut each: impl FnMut(&[u8], SocketAddr)) {
        let mut bytes = [0; LONGEST];
        loop {
            match self.0.recv_from(&mut bytes) {
                Ok((length, from)) => each(bytes.get(..length).unwrap_or_default(), from),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // An ICMP error of an earlier send: the next receive tells what waits.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => return,
            }
        }
    }
}

/// The media ports, in turn: of one that a caller has left others hear nothing for as long as possible.
#[derive(Debug)]
pub(crate) struct Ports {
    next: u16,
}

impl Ports {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// An even port for RTP and the next one for RTCP (RFC 3550 11).
    pub(crate) fn pair(&mut self, ip: IpAddr) -> io::Result<(Wire, Wire)> {
        for _ in (FIRST..u16::MAX).step_by(2) {
            let port = self.next;
            self.next = port.checked_add(2).unwrap_or(FIRST);
            let bind = |port| Wire::bind(SocketAddr::new(ip, port));
            if let (Ok(rtp), Ok(rtcp)) = (bind(port), bind(port + 1)) {
                return Ok((rtp, rtcp));
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_pair_is_even_and_next_to_each_other_and_carries_datagrams() {
        let mut ports = Ports::new();
        let (rtp, rtcp) = ports.pair(Ipv4Addr::LOCALHOST.into()).unwrap();
        let (first, second) = (rtp.local().unwrap(), rtcp.local().unwrap());
        assert_eq!((first.port() % 2, second.port()), (0, first.port() + 1));
        assert!(rtp.send(b"a", second) && rtp.send(b"bc", second));
        let mut got = Vec::new();
        rtcp.drain(|bytes, from| got.push((bytes.to_vec(), from)));
        assert_eq!(got, [(b"a".to_vec(), first), (b"bc".to_vec(), first)]);
    }

    #[test]
    fn ports_are_taken_in_turn_and_one_that_is_in_use_is_passed_over() {
        let here = Ipv4Addr::LOCALHOST.into();
        let mut ports = Ports { next: u16::MAX - 1 };
        let port = |ports: &mut Ports| {
            let (rtp, rtcp) = ports.pair(here).unwrap();
            (rtp.local().unwrap().port(), (rtp, rtcp))
        };
        let (last, _kept) = port(&mut ports);
        let (first, _) = port(&mut ports);
        let (second, _) = port(&mut ports);
        assert!(first < second && second < last && last % 2 == 0, "{last}, {first}, {second}");
        ports.next = last;
        assert_ne!(port(&mut ports).0, last);
    }
}
