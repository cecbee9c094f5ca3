//! The sockets: listening, plain or TLS, with a wait on each read. The only file of the lab that holds any.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A client that takes nothing for so long is gone.
const WRITE_PATIENCE: Duration = Duration::from_secs(20);

/// A socket that waits for clients.
#[derive(Debug)]
pub(crate) struct Door {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Door {
    /// On loopback; port 0 takes any that is free.
    pub(crate) fn open(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The next client.
    pub(crate) fn next(&self) -> io::Result<Stream> {
        let (socket, _) = self.listener.accept()?;
        // Small messages go at once; the lab has its own pace.
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(WRITE_PATIENCE))?;
        Ok(Stream { socket: Socket::Plain(socket), is_cut: Arc::default() })
    }

    /// Wakes whoever waits in [`Door::next`].
    pub(crate) fn knock(address: SocketAddr) {
        let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    }
}

/// A connection to one client.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Socket,
    is_cut: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// Cuts a connection from another thread.
#[derive(Debug)]
pub(crate) struct Scissors {
    socket: TcpStream,
    is_cut: Arc<AtomicBool>,
}

impl Scissors {
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match &self.socket {
            Socket::Plain(socket) => socket,
            Socket::Tls(stream) => &stream.sock,
        }
    }

    /// The same connection with TLS on it; the handshake happens with the first read.
    pub(crate) fn with_tls(self, config: &Arc<ServerConfig>) -> io::Result<Self> {
        let Socket::Plain(socket) = self.socket else { return Ok(self) };
        let tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
        Ok(Self { socket: Socket::Tls(Box::new(StreamOwned::new(tls, socket))), is_cut: self.is_cut })
    }

    pub(crate) const fn is_tls(&self) -> bool {
        matches!(self.socket, Socket::Tls(_))
    }

    pub(crate) fn scissors(&self) -> io::Result<Scissors> {
        Ok(Scissors { socket: self.tcp().try_clone()?, is_cut: Arc::clone(&self.is_cut) })
    }

    /// How long a read waits; then it fails with `WouldBlock`.
    pub(crate) fn wait_at_most(&self, wait: Duration) -> io::Result<()> {
        self.tcp().set_read_timeout(Some(wait))
    }

    /// Does nothing for `wait`, reads nothing either; says whether the connection is still there.
    pub(crate) fn rest(&self, wait: Duration) -> bool {
        std::thread::park_timeout(wait);
        let gone =
            self.wait_at_most(Duration::from_millis(1)).is_ok() && matches!(self.tcp().peek(&mut [0]), Ok(0));
        !gone && !self.is_cut.load(Ordering::Relaxed)
    }

    /// The end, in order: what was written arrives.
    pub(crate) fn finish(&mut self) {
        if let Socket::Tls(stream) = &mut self.socket {
            stream.conn.send_close_notify();
            let _ = stream.conn.write_tls(&mut stream.sock);
        }
        let _ = self.tcp().shutdown(Shutdown::Write);
    }

    /// The end, in the middle of everything.
    pub(crate) fn cut(&self) {
        let _ = self.tcp().shutdown(Shutdown::Both);
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Plain(socket) => socket.read(into),
            Socket::Tls(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.socket {
            Socket::Plain(socket) => socket.write(bytes),
            Socket::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.socket {
            Socket::Plain(socket) => socket.flush(),
            Socket::Tls(stream) => stream.flush(),
        }
    }
}

/// Whether a read failed only because nothing came in time.
pub(crate) fn nothing_came(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
