//! TLS for SIP: certificates and keys from files, and a side of a connection for either end.

use super::settings::Tls;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection};
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What may wait to be encrypted and sent on one connection.
const MOST_WAITING: usize = 256 * 1024;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File {
    /// Our certificate, and those above it.
    Certificate,
    /// Its key.
    Key,
    /// Whom to trust.
    Roots,
}

/// Why TLS cannot be used.
#[derive(Debug)]
pub enum TlsError {
    /// A file cannot be read, or holds nothing of what it should.
    File(File, PathBuf, pem::Error),
    /// Certificate and key do not fit together, or neither can be used.
    Unusable(rustls::Error),
    /// A listener needs a certificate and its key.
    NoCertificate,
    /// This is no name that a certificate could be for.
    BadName,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(_, path, pem::Error::Io(error)) => write!(f, "{}: {error}", path.display()),
            Self::File(_, path, error) => write!(f, "{}: {error}", path.display()),
            Self::Unusable(error) => write!(f, "certificate and key: {error}"),
            Self::NoCertificate => f.write_str("a TLS listener needs a certificate and its key"),
            Self::BadName => f.write_str("no certificate could be for this server name"),
        }
    }
}

impl std::error::Error for TlsError {}

impl TlsError {
    /// The file that is not there, if that is all.
    pub fn missing(&self) -> Option<File> {
        match self {
            Self::File(file, _, pem::Error::Io(error)) if error.kind() == ErrorKind::NotFound => Some(*file),
            _ => None,
        }
    }
}

/// Both sides' configuration, made once: connections share it, and with it the sessions that can be resumed.
pub struct Identity {
    client: Arc<ClientConfig>,
    server: Option<Arc<ServerConfig>>,
}

impl fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("server", &self.server.is_some()).finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the files.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn load(settings: &Tls) -> Result<Self, Vec<TlsError>> {
        let certificate =
            settings.certificate.as_deref().map(|path| chain(File::Certificate, path)).transpose();
        let key = settings.key.as_deref().map(private_key).transpose();
        let roots = settings.roots.as_deref().map(|path| chain(File::Roots, path)).transpose();
        match (certificate, key, roots) {
            (Ok(certificate), Ok(key), Ok(roots)) => {
                Self::of(certificate, key, roots).map_err(|error| vec![error])
            }
            (certificate, key, roots) => {
                Err([certificate.err(), key.err(), roots.err()].into_iter().flatten().collect())
            }
        }
    }

    fn of(
        certificate: Option<Chain>,
        key: Option<PrivateKey>,
        roots: Option<Chain>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let own = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(TlsError::NoCertificate),
        };
        let server = match &own {
            Some((chain, key)) => Some(Arc::new(server_config(&provider, chain.clone(), key.clone_key())?)),
            None => None,
        };
        let client = Arc::new(client_config(&provider, roots, own)?);
        Ok(Self { client, server })
    }

    /// The side of one who connects to the server `name`: its name for SNI, and who its certificate must be for.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn connect(&self, name: &str) -> Result<Connection, TlsError> {
        let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsError::BadName)?;
        let mut side = ClientConnection::new(Arc::clone(&self.client), name).map_err(TlsError::Unusable)?;
        side.set_buffer_limit(Some(MOST_WAITING));
        Ok(Connection::Client(side))
    }

    /// The side of one who is connected to.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn accept(&self) -> Result<Connection, TlsError> {
        let config = self.server.as_ref().ok_or(TlsError::NoCertificate)?;
        let mut side = ServerConnection::new(Arc::clone(config)).map_err(TlsError::Unusable)?;
        side.set_buffer_limit(Some(MOST_WAITING));
        Ok(Connection::Server(side))
    }
}

/// 32 bytes of the system's randomness, on which tags, nonces and keys will hang.
///
/// # Errors
/// [`rustls::Error`] when the system has none to give.
pub fn random_seed() -> Result<[u8; 32], rustls::Error> {
    let mut seed = [0; 32];
    ring::default_provider().secure_random.fill(&mut seed)?;
    Ok(seed)
}

type Chain = Vec<CertificateDer<'static>>;
type PrivateKey = PrivateKeyDer<'static>;

fn server_config(
    provider: &Arc<CryptoProvider>,
    chain: Chain,
    key: PrivateKey,
) -> Result<ServerConfig, TlsError> {
    ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(TlsError::Unusable)
}

fn client_config(
    provider: &Arc<CryptoProvider>,
    roots: Option<Chain>,
    own: Option<(Chain, PrivateKey)>,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .with_root_certificates(trusted(roots));
    match own {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).map_err(TlsError::Unusable),
        None => Ok(builder.with_no_client_auth()),
    }
}

/// Whom to trust. A machine without the system's list trusts nobody: that is an error of the connection, not of
/// the start, as long as no trunk uses TLS.
fn trusted(roots: Option<Chain>) -> RootCertStore {
    let mut store = RootCertStore::empty();
    let certificates = roots.unwrap_or_else(|| rustls_native_certs::load_native_certs().certs);
    // The system's list may hold certificates of kinds that are not known here.
    store.add_parsable_certificates(certificates);
    store
}

fn chain(file: File, path: &Path) -> Result<Chain, TlsError> {
    let wrong = |error| TlsError::File(file, path.to_owned(), error);
    let list: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(wrong)?.collect();
    let list = list.map_err(wrong)?;
    if list.is_empty() {
        return Err(wrong(pem::Error::NoItemsFound));
    }
    Ok(list)
}

fn private_key(path: &Path) -> Result<PrivateKey, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::File(File::Key, path.to_owned(), error))
}
