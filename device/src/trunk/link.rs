//! One stream connection of SIP, plain or inside TLS: bytes in become frames, bytes out wait for room.

use super::sockets::Stream;
use offhook_sip_rtp::sip::framing::{Frame, Framer};
use offhook_sip_rtp::sip::parse::Limits;
use offhook_sip_rtp::sip::transport::Peer;
use offhook_units::{Moment, Span};
use rustls::Connection;
use std::io::{self, Read, Write};

/// What may wait to be sent. A peer that takes nothing while this fills is gone.
const MOST_UNSENT: usize = 256 * 1024;
/// How long part of a message, or a connection that does not come about, may hang.
const PATIENCE: Span = Span::from_millis(20_000);
/// Bytes taken at a time.
const GULP: usize = 16 * 1024;

/// What reading a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There may be more.
    More,
    /// Nothing more for now.
    Drained,
    /// It is over.
    Closed,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: Stream,
    tls: Option<Connection>,
    framer: Framer,
    /// Plain bytes that the system did not take yet.
    unsent: Vec<u8>,
    peer: Peer,
    /// We opened it.
    ours: bool,
    connected: bool,
    last_heard: Moment,
}

impl Link {
    /// A connection to `peer` over `stream`; one of ours is not connected yet.
    pub(super) fn new(now: Moment, stream: Stream, tls: Option<Connection>, peer: Peer, ours: bool) -> Self {
        let framer = Framer::new(Limits::default());
        Self { stream, tls, framer, unsent: Vec::new(), peer, ours, connected: !ours, last_heard: now }
    }

    /// The far end.
    pub(super) const fn peer(&self) -> Peer {
        self.peer
    }

    /// The connection itself, to watch it or not.
    pub(super) const fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    /// Whether we opened it.
    pub(super) const fn is_ours(&self) -> bool {
        self.ours
    }

    /// When it is to be closed if nothing comes meanwhile.
    pub(super) fn expires(&self, idle: Span) -> Moment {
        let hangs = !self.connected || self.framer.is_partial() || self.is_shaking_hands();
        self.last_heard + if hangs { PATIENCE.min(idle) } else { idle }
    }

    fn is_shaking_hands(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Sends `bytes`, now or when there is room.
    ///
    /// # Errors
    /// The connection is over.
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.unsent.len() + bytes.len() > MOST_UNSENT {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        match &mut self.tls {
            Some(tls) => tls.writer().write_all(bytes)?,
            None => self.unsent.extend_from_slice(bytes),
        }
        self.flush()
    }

    /// Sends what waits, as far as the system takes it.
    ///
    /// # Errors
    /// The connection is over, or did not come about.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.connected {
            self.connected = self.stream.is_connected()?;
            if !self.connected {
                return Ok(());
            }
        }
        match &mut self.tls {
            Some(tls) => {
                while tls.wants_write() {
                    match tls.write_tls(&mut self.stream) {
                        Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                        Ok(_) => {}
                        Err(error) => return later(error),
                    }
                }
            }
            None => {
                while !self.unsent.is_empty() {
                    match self.stream.write(&self.unsent) {
                        Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                        Ok(sent) => drop(self.unsent.drain(..sent)),
                        Err(error) => return later(error),
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes one gulp of what came; frames are then to be fetched with [`Self::next_frame`].
    pub(super) fn read(&mut self, now: Moment) -> Progress {
        if !self.connected && self.flush().is_err() {
            return Progress::Closed;
        }
        if !self.connected {
            return Progress::Drained;
        }
        let mut gulp = [0; GULP];
        let taken = match &mut self.tls {
            Some(tls) => read_tls(tls, &mut self.stream, &mut gulp, &mut self.framer),
            None => read_plain(&mut self.stream, &mut gulp, &mut self.framer),
        };
        match taken {
            Ok(0) => Progress::Closed,
            Ok(_) => {
                self.last_heard = now;
                // A handshake that goes on, and an alert that explains a failed one, are to be sent.
                if self.flush().is_err() { Progress::Closed } else { Progress::More }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Progress::Drained,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Progress::More,
            Err(_) => {
                let _ = self.flush();
                Progress::Closed
            }
        }
    }

    /// The next frame that is whole.
    pub(super) fn next_frame(&mut self) -> Option<Frame> {
        self.framer.next_frame()
    }

    /// Says goodbye, as far as that can be done at once.
    pub(super) fn close(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        let _ = self.flush();
    }
}

fn read_plain(stream: &mut Stream, gulp: &mut [u8], framer: &mut Framer) -> io::Result<usize> {
    let taken = stream.read(gulp)?;
    framer.push(gulp.get(..taken).unwrap_or(&[]));
    Ok(taken)
}

/// Bytes off the wire, which may be no byte of SIP at all. Zero at the end of the connection.
fn read_tls(
    tls: &mut Connection,
    stream: &mut Stream,
    gulp: &mut [u8],
    framer: &mut Framer,
) -> io::Result<usize> {
    let taken = tls.read_tls(stream)?;
    if taken == 0 {
        return Ok(0);
    }
    let state = tls.process_new_packets().map_err(io::Error::other)?;
    let mut left = state.plaintext_bytes_to_read();
    while left > 0 {
        let plain = tls.reader().read(gulp)?;
        if plain == 0 {
            break;
        }
        framer.push(gulp.get(..plain).unwrap_or(&[]));
        left = left.saturating_sub(plain);
    }
    Ok(if state.peer_has_closed() { 0 } else { taken })
}

fn later(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}
