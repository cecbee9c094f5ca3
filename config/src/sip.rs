//! `[sip]`: our own end: where we listen, who may call, what we show.

use crate::Fault;
use crate::key::{Expects, Key};
use crate::reading::Reading;
use crate::text::{Kind, Network};
use offhook_units::{Pii, Span};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

const fn text(path: &'static str, kind: Kind) -> Key {
    Key::at_restart(path, Expects::Text { kind, default: "" })
}

static LISTEN: Key =
    Key::at_restart("sip.listen", Expects::Text { kind: Kind::Listen, default: "0.0.0.0:5060" });
static TCP: Key = Key::at_restart("sip.tcp", Expects::Flag { default: true });
static TLS_LISTEN: Key = text("sip.tls_listen", Kind::Listen);
static CERTIFICATE_FILE: Key = text("sip.certificate_file", Kind::Path);
static KEY_FILE: Key = text("sip.key_file", Kind::Path);
static ROOTS_FILE: Key = text("sip.roots_file", Kind::Path);
static PUBLIC_ADDRESS: Key = text("sip.public_address", Kind::Address);
static NETWORKS: Key =
    Key::at_restart("sip.networks", Expects::List { kind: Kind::Network, default: &["127.0.0.0/8", "::1"] });
static CALLER_USER: Key = text("sip.caller_user", Kind::User);
static CALLER_PASSWORD_FILE: Key = text("sip.caller_password_file", Kind::Path);
static CALLER_DIGEST: Key =
    Key::at_restart("sip.caller_digest", Expects::Choice { of: &["SHA-256", "MD5"], default: "SHA-256" });
static SESSION_S: Key = Key::at_restart(
    "sip.session_s",
    Expects::Whole { unit: "whole seconds", from: 90, to: 86_400, default: 1800 },
);
static DSCP: Key =
    Key::at_restart("sip.dscp", Expects::Whole { unit: "a code point", from: 0, to: 63, default: 24 });

pub(crate) static KEYS: [&Key; 13] = [
    &LISTEN,
    &TCP,
    &TLS_LISTEN,
    &CERTIFICATE_FILE,
    &KEY_FILE,
    &ROOTS_FILE,
    &PUBLIC_ADDRESS,
    &NETWORKS,
    &CALLER_USER,
    &CALLER_PASSWORD_FILE,
    &CALLER_DIGEST,
    &SESSION_S,
    &DSCP,
];

/// Our end of the signalling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sip {
    /// Where UDP listens.
    pub listen: SocketAddr,
    /// Whether TCP listens there too.
    pub tcp: bool,
    /// Where TLS listens.
    pub tls_listen: Option<SocketAddr>,
    /// Our certificate's chain.
    pub certificate_file: Option<PathBuf>,
    /// Its key.
    pub key_file: Option<PathBuf>,
    /// Whom to trust; `None`: as the system does.
    pub roots_file: Option<PathBuf>,
    /// What we are called from outside, where that is not the address that we listen on.
    pub public_address: Option<IpAddr>,
    /// Who may call besides the trunks.
    pub networks: Vec<Network>,
    /// What a caller has to prove: his user name.
    pub caller_user: Option<Pii<String>>,
    /// Where his password is.
    pub caller_password_file: Option<PathBuf>,
    /// Whether he is asked for MD5 before SHA-256.
    pub caller_md5_first: bool,
    /// The interval of session timers (RFC 4028).
    pub session: Span,
    /// The mark on packets: a code point of differentiated services.
    pub dscp: u8,
}

/// The section as it was read. What it returns counts only where no problem was found.
pub(crate) fn read(reading: &mut Reading) -> Sip {
    let session: i64 = reading.whole(&SESSION_S);
    needs(reading, &TLS_LISTEN, &CERTIFICATE_FILE, "a TLS listener has to show who it is");
    needs(reading, &CERTIFICATE_FILE, &KEY_FILE, "a certificate proves nothing without its key");
    needs(reading, &KEY_FILE, &CERTIFICATE_FILE, "a key is of no use without its certificate");
    needs(reading, &CALLER_USER, &CALLER_PASSWORD_FILE, "there is nothing that a caller could prove");
    needs(reading, &CALLER_PASSWORD_FILE, &CALLER_USER, "nobody would be asked for it");
    if reading.is_changed(&CALLER_DIGEST) {
        needs(reading, &CALLER_DIGEST, &CALLER_USER, "no caller is asked for anything");
    }
    let anywhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5060);
    Sip {
        listen: reading.parsed(&LISTEN).unwrap_or(anywhere),
        tcp: reading.flag(&TCP),
        tls_listen: reading.parsed(&TLS_LISTEN),
        certificate_file: reading.path(&CERTIFICATE_FILE),
        key_file: reading.path(&KEY_FILE),
        roots_file: reading.path(&ROOTS_FILE),
        public_address: reading.parsed(&PUBLIC_ADDRESS),
        networks: reading.list(&NETWORKS),
        caller_user: Some(reading.text(&CALLER_USER)).filter(|user| !user.is_empty()).map(Pii::new),
        caller_password_file: reading.path(&CALLER_PASSWORD_FILE),
        caller_md5_first: reading.text(&CALLER_DIGEST) == "MD5",
        session: Span::from_millis(session * 1000),
        dscp: reading.whole(&DSCP),
    }
}

/// A text that is given makes no sense without another one.
fn needs(reading: &mut Reading, key: &'static Key, other: &'static Key, because: &'static str) {
    if !reading.text(key).is_empty() && reading.text(other).is_empty() && reading.setting(other).sound {
        let (this, that) = (reading.setting(key), reading.setting(other));
        reading.contradiction(&this, &that, Fault::Alone { key: key.path, needs: other.path, because });
    }
}
