//! From the configuration to what each thread is told.

use super::secrets::{Places, SecretError};
use crate::audio::sound::{Monitor, SoundSettings};
use crate::audio::thread::Wishes;
use crate::join;
use crate::sound::Wants;
use crate::trunk::command::Live;
use crate::trunk::routes::{Route, Routes, Target};
use crate::trunk::settings::{Keep, Line, Media, Settings, Sip, Tls};
use offhook_config::{Config, Side, Source, Srtp, Transport, Trunk};
use offhook_sip_rtp::media::dscp::Dscp;
use offhook_sip_rtp::media::stream::{Patience, Reach};
use offhook_sip_rtp::sdp::negotiate::Encryption;
use offhook_sip_rtp::sip::digest::client::Credentials;
use offhook_sip_rtp::sip::guard::Network;
use offhook_sip_rtp::sip::session_timer::Wishes as SessionWishes;
use offhook_sip_rtp::sip::transport::Transport as SipTransport;
use offhook_sip_rtp::sip::uri::Uri;
use offhook_units::{Pii, Span};
use std::path::PathBuf;

/// Why the settings of a sound configuration cannot be made.
#[derive(Debug)]
pub enum SettingsError {
    /// A secret's file.
    Secret(PathBuf, SecretError),
    /// A transfer's target makes no SIP address: there is no trunk whose numbers it could be one of.
    Transfer(String),
    /// What agents need does not begin.
    Speech(String),
}

impl From<(PathBuf, SecretError)> for SettingsError {
    fn from((path, error): (PathBuf, SecretError)) -> Self {
        Self::Secret(path, error)
    }
}

/// What the audio thread asks of the system.
pub(super) fn wishes(config: &Config) -> Wishes {
    Wishes { fifo: config.audio.priority, cpu: config.audio.cpu }
}

/// The sound card's levels.
pub(super) fn sound(config: &Config) -> SoundSettings {
    let level = |side: &Side| if side.mute { f32::NEG_INFINITY } else { f32::from(side.level_db) };
    let sound = &config.sound;
    SoundSettings {
        speaker_db: level(&sound.speaker),
        microphone_db: level(&sound.microphone),
        monitor: match sound.monitor {
            offhook_config::Monitor::Off => Monitor::Off,
            offhook_config::Monitor::Caller => Monitor::Caller,
            offhook_config::Monitor::Both => Monitor::Both,
        },
        duck_db: f32::from(sound.duck_db),
    }
}

/// Whether a route leads to the handset.
pub(super) fn has_handset(config: &Config) -> bool {
    config.routes.iter().any(|route| route.target == offhook_config::Target::Handset)
}

/// The cards that the routes and listening in need.
pub(super) fn cards(config: &Config) -> Wants {
    let has_handset = has_handset(config);
    let is_heard = has_handset || config.sound.monitor != offhook_config::Monitor::Off;
    Wants {
        speaker: config.sound.speaker.card.clone().filter(|_| is_heard),
        microphone: config.sound.microphone.card.clone().filter(|_| has_handset),
    }
}

/// What the trunk may be told while it runs.
pub(crate) fn live(config: &Config) -> Result<Live, SettingsError> {
    Ok(Live { routes: routes(config)?, playout: join::settings(config) })
}

/// What the trunk is told at its start.
pub(super) fn trunk(config: &Config, places: &Places) -> Result<Settings, SettingsError> {
    let sip = &config.sip;
    let inbound = match (&sip.caller_user, &sip.caller_password_file) {
        (Some(user), Some(file)) => Some(Credentials { user: user.clone(), password: places.read(file)? }),
        _ => None,
    };
    // Both parse the same notation: what the configuration took, the trunk takes.
    let allowed = sip.networks.iter().filter_map(|network| network.to_string().parse::<Network>().ok());
    Ok(Settings {
        sip: Sip {
            udp: sip.listen,
            tcp: sip.tcp.then_some(sip.listen),
            tls: sip.tls_listen,
            public: sip.public_address,
            dscp: Dscp::new(sip.dscp).unwrap_or(Dscp::SIGNALLING),
            ..Sip::default()
        },
        tls: tls(config, places),
        trunks: config.trunks.iter().map(|trunk| line(trunk, places)).collect::<Result<_, _>>()?,
        allowed: allowed.collect(),
        inbound,
        md5_first: sip.caller_md5_first,
        media: media(config),
        routes: routes(config)?,
        max_calls: config.calls.max,
        ring_limit: config.calls.ring,
        session: SessionWishes { interval_s: seconds(sip.session), ..SessionWishes::default() },
    })
}

/// Where certificates and keys are.
pub(crate) fn tls(config: &Config, places: &Places) -> Tls {
    let find = |file: &Option<PathBuf>| file.as_deref().map(|file| places.find(file));
    let sip = &config.sip;
    Tls { certificate: find(&sip.certificate_file), key: find(&sip.key_file), roots: find(&sip.roots_file) }
}

fn seconds(span: Span) -> u32 {
    u32::try_from(span.as_micros() / 1_000_000).unwrap_or(0)
}

fn line(trunk: &Trunk, places: &Places) -> Result<Line, SettingsError> {
    let credentials = match &trunk.password_file {
        Some(file) => Some(Credentials { user: trunk.auth_user.clone(), password: places.read(file)? }),
        None => None,
    };
    // A trunk that knows us by our address asks for no user, but a SIP address has one.
    let has_user = !trunk.user.reveal().is_empty();
    let user = if has_user { trunk.user.clone() } else { Pii::new(Sip::default().contact_user) };
    Ok(Line {
        server: trunk.server.host.clone(),
        port: trunk.server.port,
        transport: match trunk.transport {
            Transport::Auto => None,
            Transport::Udp => Some(SipTransport::Udp),
            Transport::Tcp => Some(SipTransport::Tcp),
            Transport::Tls => Some(SipTransport::Tls),
        },
        user,
        domain: trunk.domain.clone(),
        credentials,
        keep: trunk.register.map_or(Keep::Watch, |time| Keep::Register { expires_s: seconds(time) }),
    })
}

fn media(config: &Config) -> Media {
    let media = &config.media;
    Media {
        addr: media.address,
        ports: media.ports.clone(),
        codecs: media.codecs.clone(),
        comfort_noise: media.comfort_noise,
        encryption: match media.srtp {
            Srtp::Off => Encryption::Off,
            Srtp::Accept => Encryption::Accept,
            Srtp::Require => Encryption::Require,
        },
        dscp: Dscp::new(media.dscp).unwrap_or(Dscp::EXPEDITED),
        reach: match media.source {
            Source::Anywhere => Reach::Anywhere,
            Source::Host => Reach::Host,
            Source::Exact => Reach::Exact,
        },
        symmetric: media.symmetric,
        patience: Patience {
            voice: media.rtp_timeout,
            noise: media.noise_timeout,
            held: media.hold_timeout,
            ..Patience::default()
        },
        extended_reports: media.extended_reports,
        inband_keys: media.inband_keys,
    }
}

/// A number that no line has is answered with 404 by the trunk itself: so are those that are to be refused.
fn routes(config: &Config) -> Result<Routes, SettingsError> {
    let mut routes = Vec::new();
    for route in &config.routes {
        let target = match &route.target {
            offhook_config::Target::Echo => Target::Echo,
            offhook_config::Target::Tone => Target::Tone,
            offhook_config::Target::Agent => Target::Agent,
            offhook_config::Target::Handset => Target::Handset,
            offhook_config::Target::Reject => Target::Reject,
            offhook_config::Target::Transfer(to) => Target::Transfer(address(to, config)?),
        };
        let number = route.number.clone();
        routes.push(Route { number, target, ring: route.ring, early_media: route.early_media });
    }
    Ok(Routes(routes))
}

/// A `sip:` address, or a number at the first trunk.
fn address(to: &Pii<String>, config: &Config) -> Result<Pii<Uri>, SettingsError> {
    let to = to.reveal();
    let text = match config.trunks.first() {
        _ if to.contains(':') => to.clone(),
        Some(trunk) => {
            let host = trunk.domain.as_ref().unwrap_or(&trunk.server.host);
            let brackets = if host.contains(':') { ["[", "]"] } else { ["", ""] };
            format!("sip:{to}@{}{host}{}", brackets[0], brackets[1])
        }
        None => return Err(SettingsError::Transfer(to.clone())),
    };
    Uri::parse(&text).map(Pii::new).ok_or_else(|| SettingsError::Transfer(to.clone()))
}
