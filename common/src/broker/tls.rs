//! TLS to a broker, over the stream that is there: whom we believe that it is the one.

use std::io;
use std::sync::Arc;

use async_rs::Tokio;
use async_rs::traits::Reactor;
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use futures_util::future::Either;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tracing::debug;

/// A stream to the broker that is not encrypted.
pub(super) type Plain = <Tokio as Reactor>::TcpStream;
/// A stream to the broker, encrypted where its address wants it.
pub(super) type MaybeTls = Either<Plain, Box<TlsStream<Plain>>>;

/// Shakes hands with `host`, which the system's roots must vouch for, or those of `ca_pem`.
///
/// # Errors
/// Says what is wrong with the host's name, the roots or the other side.
pub(super) async fn encrypt(stream: Plain, host: &str, ca_pem: Option<&str>) -> io::Result<MaybeTls> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let name = ServerName::try_from(host.to_owned()).map_err(|error| invalid(error.to_string()))?;
    let config = config(ca_pem).map_err(|error| invalid(error.to_string()))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    Ok(Either::Right(Box::new(stream)))
}

fn config(ca_pem: Option<&str>) -> Result<ClientConfig, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        debug!(%error, "a system root certificate cannot be read");
    }
    roots.add_parsable_certificates(native.certs);
    for certificate in CertificateDer::pem_slice_iter(ca_pem.unwrap_or_default().as_bytes()) {
        roots.add_parsable_certificates([certificate?]);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
