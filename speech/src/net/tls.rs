//! TLS for the services: the system's certificates, one configuration for all connections so that sessions resume,
//! and `ring` by name, so that no other crate's choice of crypto changes ours.

use super::talk::{Duplex, Stream};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fmt;
use std::sync::Arc;

/// Why TLS cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// The extra certificates cannot be read.
    BadRoots(String),
    /// The library refuses.
    Refused(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadRoots(why) => write!(f, "the extra certificates are no PEM certificates: {why}"),
            Self::Refused(why) => write!(f, "TLS cannot be set up: {why}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// The configuration of all connections.
pub(super) fn config(extra_roots_pem: Option<&str>) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    // A certificate of the system that cannot be read is left out, as everybody does; without any, each connection
    // fails and says so.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for root in CertificateDer::pem_slice_iter(extra_roots_pem.unwrap_or_default().as_bytes()) {
        let root = root.map_err(|error| TlsError::BadRoots(error.to_string()))?;
        roots.add(root).map_err(|error| TlsError::BadRoots(error.to_string()))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Refused(error.to_string()))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

/// A connection under TLS; `None` when the host's name cannot be in a certificate.
pub(super) fn stream<S: Duplex + 'static>(
    config: &Arc<ClientConfig>,
    host: &str,
    socket: S,
) -> Option<Stream> {
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let client = ClientConnection::new(Arc::clone(config), name).ok()?;
    Some(Box::new(StreamOwned::new(client, socket)))
}
