//! From settings to a thread that is ready to run: sockets bound, certificates read, the user agent made.

use super::beat::Beat;
use super::command::{self, Handle, Report};
use super::figures::Counters;
use super::full::Full;
use super::links::Links;
use super::lookups::Lookups;
use super::names;
use super::own_address::OwnAddress;
use super::ports::Ports;
use super::ready::Ready;
use super::settings::{Keep, Line, Settings};
use super::sockets::{Alarm, Buffer, Datagrams, Listener};
use super::switchboard::Switchboard;
use super::thread::Trunk;
use super::tls::{Identity, TlsError, random_seed};
use super::tokens;
use crate::clock::Clock;
use crate::rings::TrunkDesk;
use mio::{Poll, Waker};
use offhook_sip_rtp::sip::agent::{self, Agent};
use offhook_sip_rtp::sip::ids::Ids;
use offhook_sip_rtp::sip::local::LocalAddrs;
use offhook_sip_rtp::sip::registration::{self, Mode};
use offhook_sip_rtp::sip::transaction::Capacity;
use offhook_sip_rtp::sip::uri::Uri;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::Receiver;
use std::{fmt, io};

/// Why the trunk thread cannot begin.
#[derive(Debug)]
pub enum StartError {
    /// A socket cannot be bound.
    Socket(SocketAddr, io::Error),
    /// The system gives no timer or no readiness.
    System(io::Error),
    /// Certificates: all that is wrong with them.
    Tls(Vec<TlsError>),
    /// The system has no randomness.
    Random,
    /// A trunk's server, user or domain do not make an address.
    Trunk(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(addr, error) => write!(f, "SIP cannot listen on {addr}: {error}"),
            Self::System(error) => write!(f, "the trunk's thread cannot begin: {error}"),
            Self::Tls(errors) => {
                let errors: Vec<String> = errors.iter().map(TlsError::to_string).collect();
                write!(f, "TLS: {}", errors.join("; "))
            }
            Self::Random => f.write_str("the system gives no random numbers"),
            Self::Trunk(server) => write!(f, "trunk {server}: server, user and domain make no SIP address"),
        }
    }
}

impl std::error::Error for StartError {}

/// A trunk that is ready, and the others' ends of it.
#[derive(Debug)]
pub struct Started {
    /// To be run on a thread of its own.
    pub trunk: Trunk,
    /// To ask it for something.
    pub handle: Handle,
    /// What it tells.
    pub reports: Receiver<Report>,
}

/// Binds the sockets and makes everything; `desk` ties it to the audio thread, `playout` are its calls' buffers,
/// `switchboard` says who answers.
///
/// # Errors
/// [`StartError`].
pub fn start(
    settings: Settings,
    playout: offhook_engine::Settings,
    clock: Clock,
    desk: TrunkDesk,
    switchboard: Box<dyn Switchboard>,
) -> Result<Started, StartError> {
    let poll = Poll::new().map_err(StartError::System)?;
    let media_poll = Poll::new().map_err(StartError::System)?;
    let alarm = Alarm::new().map_err(StartError::System)?;
    alarm.register(poll.registry(), tokens::ALARM).map_err(StartError::System)?;
    let waker = Waker::new(poll.registry(), tokens::WAKER).map_err(StartError::System)?;
    let identity = Identity::load(&settings.tls).map_err(StartError::Tls)?;
    let sockets = Sockets::bind(&settings, &identity, &poll)?;
    let own = OwnAddress::new(clock.now(), &settings, sockets.bound());
    let trunks = settings.trunks.iter().map(registration).collect::<Result<Vec<_>, _>>()?;
    let mut ids = Ids::new(random_seed().map_err(|_none| StartError::Random)?);
    let agent = Agent::new(agent_settings(&settings, *own.said()), trunks, seed(&mut ids));
    let resolver = names::resolver(&settings, seed(&mut ids));
    let (office, handle, reports) = command::office(waker);
    let sip = &settings.sip;
    let trunk = Trunk {
        alarm,
        alarm_at: None,
        media_poll,
        clock,
        agent,
        ids,
        own,
        udp: sockets.udp,
        tcp: sockets.tcp,
        tls: sockets.tls,
        links: Links::new(sip.max_connections, sip.idle, sip.dscp, identity),
        links_at: None,
        resolver,
        watches: BTreeMap::new(),
        lookups: Lookups::default(),
        legs: BTreeMap::new(),
        beat: Beat::new(clock.now()),
        ports: Ports::new(settings.media.ports.clone()),
        desk,
        waiting: VecDeque::new(),
        recodes: VecDeque::new(),
        silent: BTreeSet::new(),
        switchboard,
        buffer: Buffer::default(),
        ready: Ready::default(),
        media_ready: Ready::default(),
        office,
        counters: Counters::default(),
        full: Full::default(),
        playout,
        draining: false,
        stop_by: None,
        poll,
        settings,
    };
    Ok(Started { trunk, handle, reports })
}

/// The sockets of SIP.
struct Sockets {
    udp: Datagrams,
    tcp: Option<Listener>,
    tls: Option<Listener>,
}

impl Sockets {
    fn bind(settings: &Settings, identity: &Identity, poll: &Poll) -> Result<Self, StartError> {
        let sip = &settings.sip;
        let at = |addr| move |error| StartError::Socket(addr, error);
        let mut udp = Datagrams::bind_told(sip.udp, sip.dscp).map_err(at(sip.udp))?;
        udp.register(poll.registry(), tokens::UDP).map_err(StartError::System)?;
        let listen = |addr: Option<SocketAddr>, token| {
            let Some(addr) = addr else { return Ok(None) };
            let mut listener = Listener::bind(addr).map_err(at(addr))?;
            listener.register(poll.registry(), token).map_err(StartError::System)?;
            Ok(Some(listener))
        };
        let (tcp, tls) = (listen(sip.tcp, tokens::TCP)?, listen(sip.tls, tokens::TLS)?);
        if tls.is_some() && identity.accept().is_err() {
            return Err(StartError::Tls(vec![TlsError::NoCertificate]));
        }
        Ok(Self { udp, tcp, tls })
    }

    fn bound(&self) -> LocalAddrs {
        let local = |listener: &Listener| listener.local();
        LocalAddrs {
            udp: self.udp.local(),
            tcp: self.tcp.as_ref().map(local),
            tls: self.tls.as_ref().map(local),
        }
    }
}

fn registration(line: &Line) -> Result<registration::Settings, StartError> {
    let bad = || StartError::Trunk(line.server.clone());
    let domain = line.domain.as_deref().unwrap_or(&line.server);
    let host = match domain.parse() {
        Ok(IpAddr::V6(addr)) => format!("[{addr}]"),
        _ => domain.to_owned(),
    };
    Ok(registration::Settings {
        aor: Uri::parse(&format!("sip:{}@{host}", line.user.reveal())).ok_or_else(bad)?,
        registrar: Uri::parse(&format!("sip:{host}")).ok_or_else(bad)?,
        contact_user: line.user.reveal().clone(),
        credentials: line.credentials.clone(),
        mode: match line.keep {
            Keep::Register { expires_s } => Mode::Register { expires_s },
            Keep::Watch => Mode::Watch,
        },
    })
}

fn agent_settings(settings: &Settings, locals: LocalAddrs) -> agent::Settings {
    let default = Capacity::default();
    // Some twenty transactions to a call, kept for 32 s behind its end.
    let transactions = default.servers.max(settings.max_calls.saturating_mul(40));
    agent::Settings {
        software: settings.sip.software.clone(),
        contact_user: settings.sip.contact_user.clone(),
        allowed: settings.allowed.clone(),
        inbound: settings.inbound.clone(),
        md5_first: settings.md5_first,
        max_calls: settings.max_calls,
        ring_limit: settings.ring_limit,
        session: settings.session,
        capacity: Capacity { servers: transactions, clients: transactions, ..default },
        ..agent::Settings::new(locals)
    }
}

fn seed(ids: &mut Ids) -> [u8; 32] {
    let mut seed = [0; 32];
    for (to, from) in seed.iter_mut().zip(ids.bytes(32)) {
        *to = from;
    }
    seed
}
