//! A certificate authority for one run, and a certificate for all hosts of the sink.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use crate::error::{Context as _, Result};

/// Makes the authority, writes its certificate to `ca_file`, and returns what accepts connections to `hosts`.
///
/// # Errors
/// The file cannot be written, or a certificate cannot be made.
pub(super) fn acceptor(hosts: &[String], ca_file: &Path) -> Result<TlsAcceptor> {
    const WHAT: &str = "making the sink's certificate";
    let ca_key = KeyPair::generate().context(WHAT)?;
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).context(WHAT)?;
    std::fs::write(ca_file, ca_certificate.pem()).context(ca_file.display())?;

    let key = KeyPair::generate().context(WHAT)?;
    let certificate = CertificateParams::new(hosts)
        .and_then(|params| params.signed_by(&key, &Issuer::new(ca, ca_key)))
        .context(WHAT)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context(WHAT)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .context(WHAT)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
