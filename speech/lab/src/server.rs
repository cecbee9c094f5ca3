//! The lab as a whole: doors, a thread for each connection, and what they share.

use crate::clock::Clock;
use crate::faults::{Faults, Stall, Way};
use crate::model::Script;
use crate::seen::{Book, Seen};
use crate::speak::{LabVoice, Speaker};
use crate::tls::{Identity, NoCertificate};
use crate::visit::Visitor;
use crate::wire::{Door, Scissors, Stream};
use crate::wyoming;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// How a lab is set up. Every port is on loopback; 0 takes one that is free.
#[derive(Clone, Debug)]
pub struct Options {
    /// Plain HTTP and WebSockets.
    pub http_port: u16,
    /// The same over TLS; none without.
    pub https_port: Option<u16>,
    /// Wyoming over TCP; none without.
    pub wyoming_port: Option<u16>,
    /// What speaks.
    pub voice: LabVoice,
    /// The key that clients must show; none takes all of them, and no key too.
    pub key: Option<String>,
    /// Connections at once; more are turned away.
    pub connections: usize,
    /// Switches that are set from the start.
    pub faults: Vec<Faults>,
    /// What callers are heard to say, one line each time that somebody speaks.
    pub utterances: Vec<String>,
    /// What the language model answers, one line each time.
    pub replies: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            http_port: 0,
            https_port: Some(0),
            wyoming_port: Some(0),
            voice: LabVoice::Best,
            key: None,
            connections: 256,
            faults: Vec::new(),
            utterances: Vec::new(),
            replies: Vec::new(),
        }
    }
}

/// Where a lab is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Plain HTTP and WebSockets.
    pub http: SocketAddr,
    /// The same over TLS.
    pub https: Option<SocketAddr>,
    /// Wyoming over TCP.
    pub wyoming: Option<SocketAddr>,
}

/// Why a lab does not start.
#[derive(Debug)]
pub enum StartError {
    /// A port cannot be had.
    Port {
        /// Which.
        port: u16,
        /// What the system said.
        error: io::Error,
    },
    /// No certificate.
    Certificate(NoCertificate),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { port, error } => write!(f, "port {port} of 127.0.0.1 cannot be used: {error}"),
            Self::Certificate(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) speaker: Arc<Speaker>,
    pub(crate) script: Arc<Script>,
    pub(crate) book: Book,
    identity: Option<Identity>,
    key: Option<String>,
    most: usize,
    faults: Mutex<Vec<Faults>>,
    live: Mutex<HashMap<u64, Scissors>>,
    next: AtomicU64,
    stopping: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn key_fits(&self, shown: Option<&str>) -> bool {
        self.key.as_deref().is_none_or(|key| shown == Some(key))
    }

    pub(crate) fn authority_pem(&self) -> Option<&str> {
        self.identity.as_ref().map(|identity| identity.authority_pem.as_str())
    }

    pub(crate) fn add_faults(&self, faults: Faults) {
        lock(&self.faults).push(faults);
    }

    pub(crate) fn clear_faults(&self) {
        lock(&self.faults).clear();
    }

    /// The switches that are set, in words.
    pub(crate) fn faults_set(&self) -> Vec<String> {
        lock(&self.faults).iter().map(|faults| format!("{faults:?}")).collect()
    }

    /// Takes the first switches that `fits`, and counts them down.
    fn use_faults(&self, fits: impl Fn(&Faults) -> bool) -> Faults {
        let mut all = lock(&self.faults);
        let usable = |faults: &&mut Faults| faults.times != Some(0) && fits(faults);
        let Some(found) = all.iter_mut().find(usable) else { return Faults::default() };
        if let Some(times) = &mut found.times {
            *times -= 1;
        }
        found.clone()
    }

    /// The switches for a path, which was asked for just now; a socket that is no HTTP has no way.
    pub(crate) fn faults_at(&self, path: &str, way: Option<Way>) -> Faults {
        self.use_faults(|faults| {
            let fits = path.contains(faults.path.as_str()) && (faults.way.is_none() || faults.way == way);
            fits && faults.stall != Some(Stall::Tls)
        })
    }

    fn tls_stalls(&self) -> bool {
        !self.use_faults(|faults| faults.stall == Some(Stall::Tls)).is_none()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// A lab that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Lab {
    pub(crate) shared: Arc<Shared>,
    addresses: Addresses,
    doors: Vec<(SocketAddr, JoinHandle<()>)>,
}

impl Lab {
    /// Opens the doors.
    ///
    /// # Errors
    /// [`StartError`] when a port cannot be had or no certificate can be made.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let identity = match options.https_port {
            Some(_) => Some(Identity::make().map_err(StartError::Certificate)?),
            None => None,
        };
        let open = |port| Door::open(port).map_err(|error| StartError::Port { port, error });
        let http = open(options.http_port)?;
        let https = options.https_port.map(open).transpose()?;
        let wyoming = options.wyoming_port.map(open).transpose()?;
        let at = |door: &Option<Door>| door.as_ref().map(|door| door.address);
        let addresses = Addresses { http: http.address, https: at(&https), wyoming: at(&wyoming) };
        let shared = Arc::new(Shared {
            clock: Clock::start(),
            speaker: Arc::new(Speaker::new(options.voice)),
            script: Arc::new(Script::new(options.utterances, options.replies)),
            book: Book::default(),
            identity,
            key: options.key,
            most: options.connections,
            faults: Mutex::new(options.faults),
            live: Mutex::default(),
            next: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
        });
        let mut doors = vec![watch(http, Kind::Http, &shared)];
        doors.extend(https.map(|door| watch(door, Kind::Https, &shared)));
        doors.extend(wyoming.map(|door| watch(door, Kind::Wyoming, &shared)));
        Ok(Self { shared, addresses, doors })
    }

    /// Where it is.
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The authority that clients must trust for TLS.
    pub fn certificate_pem(&self) -> Option<&str> {
        self.shared.authority_pem()
    }

    /// What speaks, in words.
    pub fn voice(&self) -> &str {
        self.shared.speaker.name()
    }

    /// What was seen until now.
    pub fn seen(&self) -> Seen {
        self.shared.book.all()
    }

    /// Forgets the visits that are over.
    pub fn forget(&self) {
        self.shared.book.forget();
    }

    /// Sets switches for connections to come. Those that were set before come first.
    pub fn set_fault(&self, faults: Faults) {
        self.shared.add_faults(faults);
    }

    /// Takes all switches back.
    pub fn clear_faults(&self) {
        self.shared.clear_faults();
    }

    /// Adds to the script: what callers say, and what the model answers.
    pub fn script(&self, utterances: &[&str], replies: &[&str]) {
        let owned = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        self.shared.script.add(owned(utterances), owned(replies));
    }

    /// Cuts every connection that stands, as a service does that is killed. The doors stay open.
    pub fn cut_connections(&self) {
        lock(&self.shared.live).values().for_each(Scissors::cut);
    }

    /// Closes the doors and cuts every connection.
    pub fn stop(mut self) {
        self.shut();
    }

    fn shut(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        for (address, watcher) in self.doors.drain(..) {
            Door::knock(address);
            // A watcher that panicked has closed its door as well.
            let _ = watcher.join();
        }
        self.cut_connections();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.shut();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Http,
    Https,
    Wyoming,
}

fn watch(door: Door, kind: Kind, shared: &Arc<Shared>) -> (SocketAddr, JoinHandle<()>) {
    let (address, shared) = (door.address, Arc::clone(shared));
    let watcher = std::thread::spawn(move || {
        while !shared.is_stopping() {
            // A client that was gone before it was taken is no reason to end.
            let Ok(stream) = door.next() else { continue };
            if !shared.is_stopping() {
                let _ = receive(stream, kind, &shared);
            }
        }
    });
    (address, watcher)
}

/// Gives a client its thread, if there is room.
fn receive(stream: Stream, kind: Kind, shared: &Arc<Shared>) -> io::Result<()> {
    let mut live = lock(&shared.live);
    if live.len() >= shared.most {
        stream.cut();
        return Ok(());
    }
    let number = shared.next.fetch_add(1, Ordering::Relaxed);
    live.insert(number, stream.scissors()?);
    drop(live);
    let shared = Arc::clone(shared);
    std::thread::Builder::new().name(format!("lab {number}")).spawn(move || {
        let _ = serve(stream, kind, &shared);
        lock(&shared.live).remove(&number);
    })?;
    Ok(())
}

fn serve(stream: Stream, kind: Kind, shared: &Arc<Shared>) -> io::Result<()> {
    let stream = match (kind, &shared.identity) {
        (Kind::Wyoming, _) => {
            wyoming::serve(stream, shared);
            return Ok(());
        }
        (Kind::Https, Some(_)) if shared.tls_stalls() => {
            crate::websocket::hold(&stream, shared.clock);
            return Ok(());
        }
        (Kind::Https, Some(identity)) => stream.with_tls(&identity.config)?,
        _ => stream,
    };
    Visitor::new(stream, shared).serve()
}
