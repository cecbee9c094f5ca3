//! The demonstration's sockets: one for SIP, and a pair for the media of each call, on the address from which packets
//! to the called one leave. None of them waits.

use crate::trunk::way_to;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};

/// Longest datagram that is read; an INVITE's answer and a packet of voice are shorter.
pub(super) const LONGEST: usize = 4_096;
/// Free ports that are tried for a pair.
const TRIES: usize = 64;

/// The first address of `host`, a name or an address.
pub(super) fn resolve(host: &str, port: u16) -> io::Result<SocketAddr> {
    let mut found = (host, port).to_socket_addrs()?;
    found.next().ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// SIP with one far end.
#[derive(Debug)]
pub(super) struct Signalling(UdpSocket);

/// What a read came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// So many bytes.
    Bytes(usize),
    /// Nothing is there.
    Nothing,
    /// The far end's machine says that nobody listens there.
    Unreachable,
}

impl Signalling {
    pub(super) fn towards(to: SocketAddr) -> io::Result<Self> {
        let from = way_to(to).ok_or(io::ErrorKind::NetworkUnreachable)?;
        let socket = UdpSocket::bind(SocketAddr::new(from, 0))?;
        // A connected socket is told when nobody listens at the other end.
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// What does not go out is sent again by SIP's own timers.
    pub(super) fn send(&self, bytes: &[u8]) {
        let _ = self.0.send(bytes);
    }

    pub(super) fn receive(&self, buffer: &mut [u8]) -> Read {
        match self.0.recv(buffer) {
            Ok(length) => Read::Bytes(length),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Read::Unreachable,
            Err(_) => Read::Nothing,
        }
    }
}

/// The media of one call: RTP, and RTCP on the next port.
#[derive(Debug)]
pub(super) struct Media {
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Media {
    pub(super) fn open(from: IpAddr) -> io::Result<Self> {
        let mut last = io::ErrorKind::AddrInUse.into();
        for _ in 0..TRIES {
            let rtp = UdpSocket::bind(SocketAddr::new(from, 0))?;
            let port = rtp.local_addr()?.port();
            match port.checked_add(1).map(|next| UdpSocket::bind(SocketAddr::new(from, next))) {
                Some(Ok(rtcp)) => {
                    rtp.set_nonblocking(true)?;
                    rtcp.set_nonblocking(true)?;
                    return Ok(Self { rtp, rtcp });
                }
                Some(Err(error)) => last = error,
                None => {}
            }
        }
        Err(last)
    }

    pub(super) fn port(&self) -> io::Result<u16> {
        Ok(self.rtp.local_addr()?.port())
    }

    /// What the system does not take is lost, as on any network.
    pub(super) fn send(&self, packet: &[u8], to: SocketAddr) {
        let _ = self.rtp.send_to(packet, to);
    }

    pub(super) fn receive(&self, buffer: &mut [u8]) -> Option<usize> {
        self.rtp.recv(buffer).ok()
    }

    pub(super) fn receive_report(&self, buffer: &mut [u8]) -> Option<usize> {
        self.rtcp.recv(buffer).ok()
    }
}
