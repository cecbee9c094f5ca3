//! What the trunk thread is told at its start. Plain values: the configuration's keys are mapped onto them elsewhere.

use super::routes::Routes;
use offhook_sip_rtp::media::dscp::Dscp;
use offhook_sip_rtp::media::stream::{Patience, Reach};
use offhook_sip_rtp::sdp::negotiate::Encryption;
use offhook_sip_rtp::sip::digest::client::Credentials;
use offhook_sip_rtp::sip::guard::Network;
use offhook_sip_rtp::sip::session_timer::Wishes;
use offhook_sip_rtp::sip::transport::Transport;
use offhook_units::{Codec, Pii, Span};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

/// Everything.
#[derive(Clone, Debug)]
pub struct Settings {
    /// SIP sockets.
    pub sip: Sip,
    /// Certificates.
    pub tls: Tls,
    /// The trunks, the preferred one first; the others are its fall-back.
    pub trunks: Vec<Line>,
    /// Who may call besides the trunks' own servers. Empty: nobody.
    pub allowed: Vec<Network>,
    /// What every caller has to prove by digest, if anything.
    pub inbound: Option<Credentials>,
    /// Asks callers for MD5 before SHA-256.
    pub md5_first: bool,
    /// Media sockets, codecs and patience.
    pub media: Media,
    /// What answers which number.
    pub routes: Routes,
    /// Calls at once, both ways together; the next one is refused with 503 and Retry-After.
    pub max_calls: usize,
    /// The longest that a call rings, both ways.
    pub ring_limit: Span,
    /// Session timers (RFC 4028).
    pub session: Wishes,
}

impl Default for Settings {
    /// On the usual ports, with no trunk and no route; nobody may call.
    fn default() -> Self {
        Self {
            sip: Sip::default(),
            tls: Tls::default(),
            trunks: Vec::new(),
            allowed: Vec::new(),
            inbound: None,
            md5_first: false,
            media: Media::default(),
            routes: Routes::default(),
            max_calls: 50,
            ring_limit: Span::from_millis(180_000),
            session: Wishes::default(),
        }
    }
}

/// The SIP sockets.
#[derive(Clone, Debug)]
pub struct Sip {
    /// Where UDP listens. Port 0 takes a free one, for tests.
    pub udp: SocketAddr,
    /// Where TCP listens; `None` not at all. Connections of our own are made either way.
    pub tcp: Option<SocketAddr>,
    /// Where TLS listens; needs [`Tls::certificate`].
    pub tls: Option<SocketAddr>,
    /// What we call ourselves in Via, Contact and SDP, where it is not the address that we listen on: behind a
    /// one-to-one NAT. `None` with a listener on every address takes the address of the way to the first trunk.
    pub public: Option<IpAddr>,
    /// User part of our Contact towards callers that no trunk sent.
    pub contact_user: String,
    /// What we say in User-Agent and Server.
    pub software: String,
    /// The mark on SIP packets.
    pub dscp: Dscp,
    /// Who is asked for the trunks' names; `None` is what `/etc/resolv.conf` says.
    pub name_servers: Option<Vec<SocketAddr>>,
    /// Stream connections at once, both ways together.
    pub max_connections: usize,
    /// A connection on which nothing came for so long is closed.
    pub idle: Span,
}

impl Default for Sip {
    /// UDP and TCP on port 5060 of every IPv4 address.
    fn default() -> Self {
        let every = SocketAddr::from(([0, 0, 0, 0], 5060));
        Self {
            udp: every,
            tcp: Some(every),
            tls: None,
            public: None,
            contact_user: "offhook".into(),
            software: concat!("offhook/", env!("CARGO_PKG_VERSION")).into(),
            dscp: Dscp::SIGNALLING,
            name_servers: None,
            max_connections: 128,
            idle: Span::from_millis(600_000),
        }
    }
}

/// Certificates and keys, as PEM files.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    /// Our chain, the own certificate first: for the listener, and shown to trunks that ask for one.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub key: Option<PathBuf>,
    /// Whom to trust; `None` takes the system's list.
    pub roots: Option<PathBuf>,
}

/// How a trunk is kept up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// REGISTER, for this many seconds each.
    Register {
        /// What is asked for; usual is 300, and the trunk may grant less.
        expires_s: u32,
    },
    /// The trunk knows our address; OPTIONS says whether it lives.
    Watch,
}

/// One trunk.
#[derive(Clone, Debug)]
pub struct Line {
    /// The server, as a name or an address, without `sip:`: `sip.example.net`, `192.0.2.1`, `2001:db8::1`.
    pub server: String,
    /// Its port; `None` looks names up by SRV, and takes the usual port otherwise.
    pub port: Option<u16>,
    /// How to reach it; `None` lets NAPTR choose, and takes UDP otherwise.
    pub transport: Option<Transport>,
    /// Our user there: the number or account.
    pub user: Pii<String>,
    /// The domain of our address, where it is not the server's name.
    pub domain: Option<String>,
    /// User name and password for digest; without them challenges cannot be answered.
    pub credentials: Option<Credentials>,
    /// Register or watch.
    pub keep: Keep,
}

/// RTP.
#[derive(Clone, Debug)]
pub struct Media {
    /// The address of the RTP sockets; `None` is that of the SIP socket.
    pub addr: Option<IpAddr>,
    /// Ports for RTP and RTCP, two to a call, RTP on the even one.
    pub ports: RangeInclusive<u16>,
    /// Codecs that are offered and taken, best first.
    pub codecs: Vec<Codec>,
    /// Comfort noise (RFC 3389) may come and go.
    pub comfort_noise: bool,
    /// SRTP by keys in SDP.
    pub encryption: Encryption,
    /// The mark on RTP and RTCP packets.
    pub dscp: Dscp,
    /// From where a call's RTP is taken. `Anywhere` is needed when the peer is behind NAT.
    pub reach: Reach,
    /// Send to where the peer's RTP comes from instead of to where its SDP says.
    pub symmetric: bool,
    /// How long silence on the wire is borne.
    pub patience: Patience,
    /// Extended reports (RFC 3611).
    pub extended_reports: bool,
    /// Listen for keys in the voice itself where the peer has no telephone events.
    pub inband_keys: bool,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            addr: None,
            ports: 40_000..=40_999,
            codecs: vec![Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus],
            comfort_noise: true,
            encryption: Encryption::Accept,
            dscp: Dscp::EXPEDITED,
            reach: Reach::Anywhere,
            symmetric: true,
            patience: Patience::default(),
            extended_reports: true,
            inband_keys: true,
        }
    }
}
