//! `[trunk]` and `[trunk.fallback]`: the provider's servers, the preferred one and the one to go to without it.

use crate::Fault;
use crate::key::{Expects, Key};
use crate::reading::Reading;
use crate::text::{Kind, Server};
use offhook_units::{Pii, Span};
use std::path::PathBuf;

/// The keys of one trunk, by what they are.
struct Keys {
    server: Key,
    transport: Key,
    register: Key,
    register_s: Key,
    user: Key,
    domain: Key,
    auth_user: Key,
    password_file: Key,
}

const fn text(path: &'static str, kind: Kind) -> Key {
    Key::at_restart(path, Expects::Text { kind, default: "" })
}

const TRANSPORTS: Expects = Expects::Choice { of: &["auto", "udp", "tcp", "tls"], default: "auto" };
const REGISTER: Expects = Expects::Flag { default: true };
const REGISTER_S: Expects = Expects::Whole { unit: "whole seconds", from: 60, to: 7200, default: 300 };

static FIRST: Keys = Keys {
    server: text("trunk.server", Kind::Server),
    transport: Key::at_restart("trunk.transport", TRANSPORTS),
    register: Key::at_restart("trunk.register", REGISTER),
    register_s: Key::at_restart("trunk.register_s", REGISTER_S),
    user: text("trunk.user", Kind::User),
    domain: text("trunk.domain", Kind::Server),
    auth_user: text("trunk.auth_user", Kind::User),
    password_file: text("trunk.password_file", Kind::Path),
};

static FALLBACK: Keys = Keys {
    server: text("trunk.fallback.server", Kind::Server),
    transport: Key::at_restart("trunk.fallback.transport", TRANSPORTS),
    register: Key::at_restart("trunk.fallback.register", REGISTER),
    register_s: Key::at_restart("trunk.fallback.register_s", REGISTER_S),
    user: text("trunk.fallback.user", Kind::User),
    domain: text("trunk.fallback.domain", Kind::Server),
    auth_user: text("trunk.fallback.auth_user", Kind::User),
    password_file: text("trunk.fallback.password_file", Kind::Path),
};

pub(crate) static KEYS: [&Key; 8] = FIRST.all();
pub(crate) static FALLBACK_KEYS: [&Key; 8] = FALLBACK.all();

impl Keys {
    const fn all(&'static self) -> [&'static Key; 8] {
        [
            &self.server,
            &self.transport,
            &self.register,
            &self.register_s,
            &self.user,
            &self.domain,
            &self.auth_user,
            &self.password_file,
        ]
    }
}

/// How a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// As its name's records say; UDP where they say nothing.
    Auto,
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream in TLS.
    Tls,
}

/// One trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Its server.
    pub server: Server,
    /// How to reach it.
    pub transport: Transport,
    /// For how long to register each time; `None`: the trunk knows our address, and OPTIONS watches it.
    pub register: Option<Span>,
    /// Our user there.
    pub user: Pii<String>,
    /// The domain of our address, where it is not the server's name.
    pub domain: Option<String>,
    /// The user name for digest.
    pub auth_user: Pii<String>,
    /// Where the password is.
    pub password_file: Option<PathBuf>,
}

/// The trunks that are given, the preferred one first.
pub(crate) fn read(reading: &mut Reading) -> Vec<Trunk> {
    [&FIRST, &FALLBACK].into_iter().filter_map(|keys| one(reading, keys)).collect()
}

/// Whether there would be a trunk if its server were one.
pub(crate) fn is_misspelt(reading: &Reading) -> bool {
    [&FIRST, &FALLBACK].into_iter().any(|keys| !reading.setting(&keys.server).sound)
}

fn one(reading: &mut Reading, keys: &'static Keys) -> Option<Trunk> {
    let Some(server) = reading.parsed::<Server>(&keys.server) else {
        lonely(reading, keys);
        return None;
    };
    let (user, auth_user) = (reading.text(&keys.user), reading.text(&keys.auth_user));
    let register: i64 = reading.whole(&keys.register_s);
    if user.is_empty() && reading.setting(&keys.user).sound && reading.flag(&keys.register) {
        let (this, other) = (reading.setting(&keys.server), reading.setting(&keys.register));
        let because = "there is nobody to register";
        reading.contradiction(
            &this,
            &other,
            Fault::Alone { key: keys.server.path, needs: keys.user.path, because },
        );
    }
    if !auth_user.is_empty() && reading.path(&keys.password_file).is_none() {
        let (this, other) = (reading.setting(&keys.auth_user), reading.setting(&keys.password_file));
        let because = "there is no password that it could go with";
        let fault = Fault::Alone { key: keys.auth_user.path, needs: keys.password_file.path, because };
        if other.sound {
            reading.contradiction(&this, &other, fault);
        }
    }
    Some(Trunk {
        server,
        transport: match reading.text(&keys.transport).as_str() {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls,
            _ => Transport::Auto,
        },
        register: reading.flag(&keys.register).then_some(Span::from_millis(register * 1000)),
        auth_user: Pii::new(if auth_user.is_empty() { user.clone() } else { auth_user }),
        user: Pii::new(user),
        domain: Some(reading.text(&keys.domain)).filter(|domain| !domain.is_empty()),
        password_file: reading.path(&keys.password_file),
    })
}

/// Keys of a trunk that has no server would be read and do nothing.
fn lonely(reading: &mut Reading, keys: &'static Keys) {
    let server = reading.setting(&keys.server);
    if server.place.is_some() && !server.sound {
        return;
    }
    for key in keys.all() {
        if key.path != keys.server.path && reading.is_changed(key) {
            let this = reading.setting(key);
            let because = "there is no trunk that it could be for";
            let fault = Fault::Alone { key: key.path, needs: keys.server.path, because };
            reading.contradiction(&this, &server, fault);
        }
    }
}
