//! Whom we believe: the roots that vouch for receivers, and the sessions that are remembered.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tracing::warn;

/// TLS sessions are remembered for this many hosts, so that a connection to one of them costs a fraction of a full handshake: more
/// hosts than customers usually have. With each ticket stands a copy of its host's certificates.
const SESSION_HOSTS: usize = 10_000;
/// How rustls counts sessions: it keeps up to eight tickets for each host.
const TICKETS_PER_HOST: usize = 8;

/// Why the roots to trust cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsSetupError {
    /// The PEM text holds no certificate that can be read.
    #[error(
        "HOOKLINE_CA_FILE holds no usable certificate: {0}; it must be PEM, one or more BEGIN CERTIFICATE blocks"
    )]
    Pem(String),
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// What shakes hands with receivers whom the system's roots vouch for, or those of `ca_pem`.
pub(super) fn connector(ca_pem: Option<&str>) -> Result<TlsConnector, TlsSetupError> {
    Ok(TlsConnector::from(Arc::new(tls_config(ca_pem)?)))
}

fn tls_config(ca_pem: Option<&str>) -> Result<ClientConfig, TlsSetupError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    if let Some(error) = native.errors.first() {
        let errors = native.errors.len();
        warn!(%error, errors, "not all root certificates of the system can be read; receivers whom they vouch for are not trusted");
    }
    let (added, _) = roots.add_parsable_certificates(native.certs);
    if added == 0 {
        warn!("the system has no root certificates; only HOOKLINE_CA_FILE vouches for https endpoints");
    }
    if let Some(pem) = ca_pem {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let certificates = certificates.map_err(|error| TlsSetupError::Pem(error.to_string()))?;
        if certificates.is_empty() {
            return Err(TlsSetupError::Pem("no BEGIN CERTIFICATE block".to_owned()));
        }
        for certificate in certificates {
            roots
                .add(certificate)
                .map_err(|error| TlsSetupError::Pem(error.to_string()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(SESSION_HOSTS * TICKETS_PER_HOST);
    Ok(config)
}
