//! The demonstration's caller: our own user agent places one call for each network, and each call's voice goes through
//! it before it leaves.
//!
//! ```text
//! voice ─► Leg: sent when the network delivers it ─► RTP ─► (the service: its buffer, then the echo) ─► RTP ─► Leg
//!                                        reports ◄─ RTCP ◄─┘
//! ```

use super::leg::{Heard, Leg};
use super::wire::{LONGEST, Media, Read, Signalling, resolve};
use crate::clock::Clock;
use crate::replay::{Stream, Trace};
use crate::trunk::tls::random_seed;
use offhook_engine::codec::Unavailable;
use offhook_sip_rtp::sdp::negotiate::{Encryption, LocalMedia};
use offhook_sip_rtp::sip::agent::{
    self, Agent, CallId, CommandError, EndReason, Event, Input, Output, Place, TrunkId,
};
use offhook_sip_rtp::sip::host::Host;
use offhook_sip_rtp::sip::local::LocalAddrs;
use offhook_sip_rtp::sip::registration::{self, Mode};
use offhook_sip_rtp::sip::transport::Peer;
use offhook_sip_rtp::sip::uri::Uri;
use offhook_units::{Moment, Pii, Span};
use std::net::SocketAddr;
use std::{fmt, io};

/// Between two looks at the sockets: what comes back is stamped this late at most.
const LOOK: Span = Span::from_millis(1);
/// How long it may ring.
const RING: Span = Span::from_millis(20_000);
/// For last reports and goodbyes when every call has been hung up.
const LAST_WORDS: Span = Span::from_millis(500);
const USUAL_PORT: u16 = 5060;
const PACKET_MS: u32 = crate::replay::PACKET_MS;

/// Why the calls came to nothing.
#[derive(Debug)]
pub enum CallError {
    /// Not the address of somebody who can be called from here.
    Target(String),
    /// The system gives no sockets, or does not know the name.
    Socket(io::Error),
    /// The codec does not start.
    Codec(Unavailable),
    /// The system has no randomness.
    Random,
    /// The call cannot be placed.
    Command(CommandError),
    /// The call ended before its time.
    Ended(EndReason),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(to) => {
                write!(f, "{to} cannot be called; expected sip:NUMBER@HOST or sip:NUMBER@HOST:PORT, by UDP")
            }
            Self::Socket(error) => error.fmt(f),
            Self::Codec(error) => error.fmt(f),
            Self::Random => f.write_str("the system gives no random numbers"),
            Self::Command(error) => error.fmt(f),
            Self::Ended(reason) => reason.fmt(f),
        }
    }
}

impl std::error::Error for CallError {}

impl From<io::Error> for CallError {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

/// One call, from its INVITE to its end.
#[derive(Debug)]
struct Call<'a> {
    id: CallId,
    leg: Leg<'a>,
    media: Media,
    /// Where our voice goes, once it is known.
    to: Option<SocketAddr>,
    is_hung_up: bool,
    has_ended: bool,
}

/// Places a call for each network, and holds them all at once.
#[derive(Debug)]
pub struct Caller<'a> {
    clock: Clock,
    agent: Agent,
    signalling: Signalling,
    peer: Peer,
    calls: Vec<Call<'a>>,
}

impl<'a> Caller<'a> {
    /// Calls `to` over each of `networks` with the voice of `stream`.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn call(
        to: &str,
        stream: &'a Stream,
        networks: impl Iterator<Item = &'a Trace>,
    ) -> Result<Self, CallError> {
        let clock = Clock::start();
        let addr = address(to)?;
        let signalling = Signalling::towards(addr)?;
        let local = signalling.local()?;
        let mut caller = Self {
            clock,
            agent: user_agent(to, local, addr)?,
            signalling,
            peer: Peer::udp(addr),
            calls: Vec::new(),
        };
        let now = clock.now();
        caller.agent.set_servers(now, TrunkId(0), vec![caller.peer]);
        for trace in networks {
            let media = Media::open(local.ip())?;
            let brought = LocalMedia {
                addr: local.ip(),
                port: media.port()?,
                codecs: vec![stream.codec()],
                comfort_noise: false,
                ptime_ms: PACKET_MS,
                encryption: Encryption::Off,
            };
            let place =
                Place { to: Pii::new(to.to_owned()), display: None, trunk: Some(TrunkId(0)), media: brought };
            let leg = Leg::new(stream, trace).map_err(CallError::Codec)?;
            let id = caller.agent.place(now, place).map_err(CallError::Command)?;
            caller.calls.push(Call { id, leg, media, to: None, is_hung_up: false, has_ended: false });
        }
        Ok(caller)
    }

    /// Holds the calls until each network was gone through, then hangs up. `step` is told how many packets were sent,
    /// in all calls together, and may stop the work by answering `false`: then nothing comes of it.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn run(mut self, step: &mut dyn FnMut(u32) -> bool) -> Result<Option<Vec<Heard>>, CallError> {
        match self.hold(step) {
            Ok(true) => {}
            Ok(false) => {
                self.give_up();
                return Ok(None);
            }
            Err(error) => {
                self.give_up();
                return Err(error);
            }
        }
        self.listen_on()?;
        Ok(Some(self.calls.into_iter().map(|call| call.leg.finish()).collect()))
    }

    /// Whether every call came to its end.
    fn hold(&mut self, step: &mut dyn FnMut(u32) -> bool) -> Result<bool, CallError> {
        loop {
            let now = self.clock.now();
            self.turn(now)?;
            for call in &mut self.calls {
                if call.leg.is_over(now) && !std::mem::replace(&mut call.is_hung_up, true) {
                    // An error says that it is over already.
                    let _ = self.agent.hang_up(now, call.id);
                }
            }
            self.flush(now)?;
            if self.calls.iter().all(|call| call.has_ended) {
                return Ok(true);
            }
            if !step(self.calls.iter().map(|call| call.leg.sent(now)).sum()) {
                return Ok(false);
            }
            self.clock.wait_until(now + LOOK);
        }
    }

    /// Everything that has come, and everything that is due.
    fn turn(&mut self, now: Moment) -> Result<(), CallError> {
        let mut buffer = [0; LONGEST];
        loop {
            match self.signalling.receive(&mut buffer) {
                Read::Bytes(length) => {
                    let bytes = buffer.get(..length).unwrap_or_default();
                    self.agent.handle_input(now, Input::Bytes { from: self.peer, bytes });
                }
                Read::Unreachable => self.agent.handle_input(now, Input::Unreachable(self.peer)),
                Read::Nothing => break,
            }
        }
        if self.agent.poll_timeout().is_some_and(|due| due <= now) {
            self.agent.handle_timeout(now);
        }
        self.flush(now)?;
        for Call { leg, media, to, .. } in &mut self.calls {
            while let Some(length) = media.receive(&mut buffer) {
                leg.receive(now, buffer.get(..length).unwrap_or_default());
            }
            while let Some(length) = media.receive_report(&mut buffer) {
                leg.receive_report(buffer.get(..length).unwrap_or_default());
            }
            while let (Some(to), Some(packet)) = (*to, leg.poll_datagram(now)) {
                media.send(packet, to);
            }
        }
        Ok(())
    }

    /// Sends what the user agent wants sent, and hears what happened.
    fn flush(&mut self, now: Moment) -> Result<(), CallError> {
        while let Some(output) = self.agent.poll_output() {
            match output {
                Output::Send { bytes, .. } => self.signalling.send(&bytes),
                Output::Event(Event::Answered { call, stream } | Event::MediaChanged { call, stream }) => {
                    if let Some(call) = self.calls.iter_mut().find(|known| known.id == call) {
                        call.to = stream.remote;
                        call.leg.begin(now);
                    }
                }
                Output::Event(Event::Ended { call, reason }) => {
                    let known = self.calls.iter_mut().find(|known| known.id == call);
                    let Some(call) = known else { continue };
                    call.has_ended = true;
                    if !call.is_hung_up {
                        return Err(CallError::Ended(reason));
                    }
                }
                Output::Event(_) => {}
            }
        }
        Ok(())
    }

    /// The far end's last report comes with its goodbye, behind the end of the call.
    fn listen_on(&mut self) -> Result<(), CallError> {
        let end = self.clock.now() + LAST_WORDS;
        while self.clock.now() < end {
            self.turn(self.clock.now())?;
            self.clock.wait_until(self.clock.now() + LOOK);
        }
        Ok(())
    }

    /// Hangs up without waiting for an answer.
    fn give_up(&mut self) {
        let now = self.clock.now();
        for call in &mut self.calls {
            call.is_hung_up = true;
            let _ = self.agent.hang_up(now, call.id);
        }
        // Nothing is expected any more that could fail.
        let _ = self.flush(now);
    }
}

/// Where a SIP address leads.
fn address(to: &str) -> Result<SocketAddr, CallError> {
    let refused = || CallError::Target(to.to_owned());
    let uri = Uri::parse(to).ok_or_else(refused)?;
    let sip = uri.sip().filter(|sip| !sip.secure && sip.user.is_some()).ok_or_else(refused)?;
    let port = sip.port.unwrap_or(USUAL_PORT);
    match &sip.host {
        Host::Addr(addr) => Ok(SocketAddr::new(*addr, port)),
        Host::Name(name) => Ok(resolve(name, port)?),
    }
}

/// A user agent whose only trunk is the called one.
fn user_agent(to: &str, local: SocketAddr, peer: SocketAddr) -> Result<Agent, CallError> {
    let uri = |text: String| Uri::parse(&text).ok_or_else(|| CallError::Target(to.to_owned()));
    let trunk = registration::Settings {
        aor: uri(format!("sip:demo@{local}"))?,
        registrar: uri(format!("sip:{peer}"))?,
        contact_user: "demo".to_owned(),
        credentials: None,
        mode: Mode::Watch,
    };
    let settings = agent::Settings {
        software: concat!("offhook-demo/", env!("CARGO_PKG_VERSION")).to_owned(),
        contact_user: "demo".to_owned(),
        ring_limit: RING,
        ..agent::Settings::new(LocalAddrs { udp: local, tcp: None, tls: None })
    };
    let seed = random_seed().map_err(|_none| CallError::Random)?;
    Ok(Agent::new(settings, vec![trunk], seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_called_is_told_by_a_sip_address() {
        let leads = |to| address(to).ok().map(|addr| addr.to_string());
        assert_eq!(leads("sip:600@127.0.0.1").as_deref(), Some("127.0.0.1:5060"));
        assert_eq!(leads("sip:600@[::1]:5080").as_deref(), Some("[::1]:5080"));
        for wrong in ["600", "tel:600", "sip:127.0.0.1", "sips:600@127.0.0.1", "sip:600@", ""] {
            assert_eq!(leads(wrong), None, "{wrong}");
        }
    }
}
