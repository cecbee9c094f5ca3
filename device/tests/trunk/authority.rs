//! Certificates for one test: an authority that is trusted, and one for 127.0.0.1 that it signed.

use offhook::trunk::settings::Tls;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::PathBuf;
use std::process;
use std::sync::Arc;

/// The files, in a folder of their own; removed at the end.
pub(crate) struct Authority {
    folder: PathBuf,
    certificate: String,
    key: String,
    roots: String,
}

impl Authority {
    /// A folder called `name` below the system's for such.
    pub(crate) fn make(name: &str) -> Self {
        let authority_key = KeyPair::generate().expect("randomness");
        let mut authority = CertificateParams::new(Vec::<String>::new()).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let roots = authority.self_signed(&authority_key).expect("a signature").pem();
        let issuer = Issuer::new(authority, authority_key);
        let own = KeyPair::generate().expect("randomness");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
        let certificate = params.signed_by(&own, &issuer).expect("a signature").pem();
        let folder = std::env::temp_dir().join(format!("offhook-{name}-{}", process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let this = Self { folder, certificate, key: own.serialize_pem(), roots };
        for (file, text) in [("certificate", &this.certificate), ("key", &this.key), ("roots", &this.roots)] {
            std::fs::write(this.folder.join(file), text).expect("a file");
        }
        this
    }

    /// The side of one who trusts the authority.
    pub(crate) fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.roots.as_bytes()).expect("PEM")).expect("a root");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    /// The side of one who shows the certificate.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        let chain = vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM")];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("PEM");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        Arc::new(config.expect("they fit"))
    }

    /// As the trunk is told of them.
    pub(crate) fn settings(&self) -> Tls {
        let file = |name: &str| Some(self.folder.join(name));
        Tls { certificate: file("certificate"), key: file("key"), roots: file("roots") }
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // What is left lies where the system clears up.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
