//! `[http]`: health, metrics and the status page.

use crate::Fault;
use crate::key::{Expects, Key};
use crate::reading::Reading;
use crate::text::Kind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

static LISTEN: Key =
    Key::at_restart("http.listen", Expects::Text { kind: Kind::Listen, default: "127.0.0.1:8080" });
static TOKEN_FILE: Key = Key::at_restart("http.token_file", Expects::Text { kind: Kind::Path, default: "" });
pub(crate) static KEYS: [&Key; 2] = [&LISTEN, &TOKEN_FILE];

/// The HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where the token is that every request has to bring.
    pub token_file: Option<PathBuf>,
}

/// The section as it was read. What it returns counts only where no problem was found.
pub(crate) fn read(reading: &mut Reading) -> Http {
    let own = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
    let listen: SocketAddr = reading.parsed(&LISTEN).unwrap_or(own);
    let token_file = reading.path(&TOKEN_FILE);
    if !listen.ip().to_canonical().is_loopback() && token_file.is_none() {
        let (this, other) = (reading.setting(&LISTEN), reading.setting(&TOKEN_FILE));
        if other.sound {
            let because = "anybody on the network could read the calls and stop the voice";
            let fault = Fault::Alone { key: LISTEN.path, needs: TOKEN_FILE.path, because };
            reading.contradiction(&this, &other, fault);
        }
    }
    Http { listen, token_file }
}
