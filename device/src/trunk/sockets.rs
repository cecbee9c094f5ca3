//! The trunk's sockets and its timer, as thin as they can be: bytes, addresses, kernel stamps and marks.

use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt,
    sockopt::{Ipv4RecvErr, Ipv4Tos, Ipv6RecvErr, Ipv6TClass, RcvBuf, ReceiveTimestampns},
};
use nix::sys::time::TimeSpec;
use offhook_sip_rtp::media::dscp::Dscp;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io::{self, IoSliceMut, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Duration;

/// Longest datagram that UDP carries.
const LONGEST_DATAGRAM: usize = 65_536;
/// What the kernel may keep for us on a media port: 200 ms of the densest stream that is sane, some fifty packets
/// with their bookkeeping.
const MEDIA_BUFFER: usize = 128 * 1024;

/// Room for one datagram and what the kernel says of it. One serves all sockets of a thread.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    control: Vec<u8>,
}

impl Default for Buffer {
    /// With room for a stamp, or for an error and the address of who told it.
    fn default() -> Self {
        let control = nix::cmsg_space!(TimeSpec, libc::sock_extended_err, libc::sockaddr_in6);
        Self { bytes: vec![0; LONGEST_DATAGRAM], control }
    }
}

impl Buffer {
    /// The first `length` bytes.
    pub(super) fn filled(&mut self, length: usize) -> &mut [u8] {
        let end = length.min(self.bytes.len());
        self.bytes.get_mut(..end).unwrap_or(&mut [])
    }
}

/// A datagram that came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Received {
    /// Bytes in the buffer.
    pub(super) length: usize,
    /// From whom; IPv4 as IPv4, whatever the socket.
    pub(super) from: SocketAddr,
    /// When the kernel had it, by the wall clock since 1970.
    pub(super) stamp: Option<Duration>,
}

/// A UDP socket.
#[derive(Debug)]
pub(super) struct Datagrams {
    socket: UdpSocket,
    local: SocketAddr,
}

impl Datagrams {
    /// A socket at `addr` whose packets carry `mark`.
    ///
    /// # Errors
    /// The system's, when the address is not ours or taken.
    pub(super) fn bind(addr: SocketAddr, mark: Dscp) -> io::Result<Self> {
        let socket = UdpSocket::bind(addr)?;
        let local = socket.local_addr()?;
        set_mark(&socket, local, mark);
        Ok(Self { socket, local })
    }

    /// The same for media: each packet is stamped by the kernel.
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub(super) fn bind_media(addr: SocketAddr, mark: Dscp) -> io::Result<Self> {
        let this = Self::bind(addr, mark)?;
        setsockopt(&this.socket, ReceiveTimestampns, &true)?;
        // A smaller buffer than asked for is still one.
        let _ = setsockopt(&this.socket, RcvBuf, &MEDIA_BUFFER);
        Ok(this)
    }

    /// The same for SIP: it is told whom its packets did not reach, by [`Self::unreached`].
    ///
    /// # Errors
    /// As [`Self::bind`].
    pub(super) fn bind_told(addr: SocketAddr, mark: Dscp) -> io::Result<Self> {
        let this = Self::bind(addr, mark)?;
        // Without, it hears of an outage later: by what stays unanswered. A socket for both families needs both.
        if this.local.is_ipv6() {
            let _ = setsockopt(&this.socket, Ipv6RecvErr, &true);
        }
        let _ = setsockopt(&this.socket, Ipv4RecvErr, &true);
        Ok(this)
    }

    /// The next address that the network said cannot be reached (ICMP), if it said so.
    pub(super) fn unreached(&self, buffer: &mut Buffer) -> Option<SocketAddr> {
        loop {
            let mut bytes = [IoSliceMut::new(&mut buffer.bytes)];
            let (socket, control) = (self.socket.as_raw_fd(), Some(buffer.control.as_mut_slice()));
            // The queue of errors is read without waiting (recvmsg(2)); it names the packet's receiver.
            let told =
                recvmsg::<SockaddrStorage>(socket, &mut bytes, control, MsgFlags::MSG_ERRQUEUE).ok()?;
            let is_hard = told.cmsgs().into_iter().flatten().any(|control| match control {
                ControlMessageOwned::Ipv4RecvErr(error, _) | ControlMessageOwned::Ipv6RecvErr(error, _) => {
                    let number = Errno::from_raw(i32::try_from(error.ee_errno).unwrap_or(0));
                    matches!(number, Errno::ECONNREFUSED | Errno::EHOSTUNREACH | Errno::ENETUNREACH)
                }
                _ => false,
            });
            // Others are about one packet: too long for the way, for instance.
            if let Some(addr) = told.address.as_ref().and_then(address).filter(|_| is_hard) {
                return Some(addr);
            }
        }
    }

    /// Where it is bound.
    pub(super) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The next datagram; `WouldBlock` when there is none.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn receive(&self, buffer: &mut Buffer) -> io::Result<Received> {
        let mut bytes = [IoSliceMut::new(&mut buffer.bytes)];
        let message = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut bytes,
            Some(&mut buffer.control),
            MsgFlags::empty(),
        )?;
        let mut stamp = None;
        for control in message.cmsgs().into_iter().flatten() {
            if let ControlMessageOwned::ScmTimestampns(time) = control {
                stamp = duration(time);
            }
        }
        let from = message.address.as_ref().and_then(address).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Received { length: message.bytes, from, stamp })
    }

    /// Sends `bytes`; what the system will not take now is lost, as the network might have lost it.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn send(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        let to = match (self.local, to) {
            (SocketAddr::V6(_), SocketAddr::V4(to)) => {
                SocketAddr::new(IpAddr::V6(to.ip().to_ipv6_mapped()), to.port())
            }
            _ => to,
        };
        match self.socket.send_to(bytes, to) {
            // An earlier packet's, which may have been for somebody else: told once, and this one was not tried.
            Err(error) if is_told(&error) => self.socket.send_to(bytes, to).map(drop),
            sent => sent.map(drop),
        }
    }

    /// Watches it for datagrams.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }

    /// Watches it no more, before it is dropped.
    pub(super) fn deregister(&mut self, registry: &Registry) {
        // It fails only for what was not registered.
        let _ = registry.deregister(&mut self.socket);
    }
}

fn is_told(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable)
}

/// A TCP listener.
#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    local: SocketAddr,
}

impl Listener {
    /// A listener at `addr`.
    ///
    /// # Errors
    /// The system's, when the address is not ours or taken.
    pub(super) fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = TcpListener::bind(addr)?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local })
    }

    /// Where it is bound.
    pub(super) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// The next connection; `WouldBlock` when there is none.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        let (socket, from) = self.socket.accept()?;
        Ok((Stream(socket), canonical(from)))
    }

    /// Watches it for connections.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.socket, token, Interest::READABLE)
    }
}

/// One TCP connection.
#[derive(Debug)]
pub(super) struct Stream(TcpStream);

impl Stream {
    /// Begins to connect; [`Self::is_connected`] says when it has come about.
    ///
    /// # Errors
    /// The system's, when it cannot even begin.
    pub(super) fn connect(to: SocketAddr) -> io::Result<Self> {
        TcpStream::connect(to).map(Self)
    }

    /// Whether it is connected by now.
    ///
    /// # Errors
    /// Why it is not and will not be.
    pub(super) fn is_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.0.take_error()? {
            return Err(error);
        }
        match self.0.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Marks its packets and sends small ones at once.
    pub(super) fn prepare(&self, mark: Dscp) {
        // Both are wishes: the connection works without.
        let _ = self.0.set_nodelay(true);
        if let Ok(local) = self.0.local_addr() {
            set_mark(&self.0, local, mark);
        }
    }

    /// Watches it both ways.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.0, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Watches it no more, before it is dropped.
    pub(super) fn deregister(&mut self, registry: &Registry) {
        let _ = registry.deregister(&mut self.0);
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The timer that wakes the thread: finer than the milliseconds of `epoll_wait`.
#[derive(Debug)]
pub(super) struct Alarm(OwnedFd);

impl Alarm {
    /// A timer that is not set.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        Ok(Self(timerfd_create(TimerfdClockId::Monotonic, flags)?))
    }

    /// Rings once, at `at` of the system's monotonic clock, at once if that is past; what was set before is
    /// forgotten.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn set(&self, at: Timespec) -> io::Result<()> {
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
        timerfd_settime(&self.0, TimerfdTimerFlags::ABSTIME, &once)?;
        Ok(())
    }

    /// Watches it.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn register(&self, registry: &Registry, token: Token) -> io::Result<()> {
        let fd = self.0.as_raw_fd();
        registry.register(&mut SourceFd(&fd), token, Interest::READABLE)
    }
}

/// The address that packets to `to` would leave from. Sends nothing.
pub(crate) fn way_to(to: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(to).ok()?;
    socket.local_addr().ok().map(|local| local.ip()).filter(|ip| !ip.is_unspecified())
}

fn set_mark<F: AsFd>(socket: &F, local: SocketAddr, mark: Dscp) {
    let byte = i32::from(mark.traffic_class());
    // A mark is a wish: where the system refuses, packets go unmarked. A socket for both families needs both.
    if local.is_ipv6() {
        let _ = setsockopt(socket, Ipv6TClass, &byte);
    }
    let _ = setsockopt(socket, Ipv4Tos, &byte);
}

fn duration(time: TimeSpec) -> Option<Duration> {
    let seconds = u64::try_from(time.tv_sec()).ok()?;
    Some(Duration::new(seconds, u32::try_from(time.tv_nsec()).ok()?))
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|addr| SocketAddr::from(*addr));
    v4.or_else(|| storage.as_sockaddr_in6().map(|addr| SocketAddr::from(*addr))).map(canonical)
}

fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback(mark: Dscp) -> Datagrams {
        Datagrams::bind_media(SocketAddr::from(([127, 0, 0, 1], 0)), mark).expect("a free port")
    }

    #[test]
    fn a_datagram_comes_with_its_sender_and_the_kernels_stamp() {
        let (a, b) = (loopback(Dscp::EXPEDITED), loopback(Dscp::BEST_EFFORT));
        let mut buffer = Buffer::default();
        assert_eq!(b.receive(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        a.send(b"hello", b.local()).expect("loopback takes it");
        let received = b.receive(&mut buffer).expect("loopback delivers at once");
        assert_eq!((received.from, &*buffer.filled(received.length)), (a.local(), &b"hello"[..]));
        assert!(received.stamp.is_some_and(|stamp| stamp > Duration::from_secs(1_000_000_000)));
    }

    #[test]
    fn whom_a_packet_does_not_reach_is_told_and_others_are_sent_to_as_ever() {
        let (here, there) = (SocketAddr::from(([127, 0, 0, 1], 0)), loopback(Dscp::BEST_EFFORT));
        let ours = Datagrams::bind_told(here, Dscp::SIGNALLING).expect("a free port");
        let gone = UdpSocket::bind(here).and_then(|socket| socket.local_addr()).expect("a free port");
        let mut buffer = Buffer::default();
        assert_eq!(ours.unreached(&mut buffer), None);
        ours.send(b"hello", gone).expect("loopback takes it");
        ours.send(b"hello", there.local()).expect("it is not this one's error");
        assert_eq!(ours.unreached(&mut buffer), Some(gone));
        assert_eq!(ours.unreached(&mut buffer), None);
        let received = there.receive(&mut buffer).expect("loopback delivers at once");
        assert_eq!(&*buffer.filled(received.length), b"hello");
    }

    #[test]
    fn packets_carry_the_mark() {
        use nix::sys::socket::getsockopt;
        let marked = loopback(Dscp::EXPEDITED);
        assert_eq!(getsockopt(&marked.socket, Ipv4Tos), Ok(0xB8));
    }

    #[test]
    fn the_way_to_loopback_is_loopback() {
        let lo = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(way_to(SocketAddr::new(lo, 9)), Some(lo));
    }
}
