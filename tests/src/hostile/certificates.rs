//! An authority of the test's own, and the certificates that it gives or would never give.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio_rustls::TlsAcceptor;

/// An authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A server's certificate and key.
pub struct Identity {
    /// The certificate in PEM.
    pub certificate_pem: String,
    /// Its key in PEM.
    pub key_pem: String,
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    /// When the library makes no certificate.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        Self {
            issuer: CertifiedIssuer::self_signed(parameters, key).expect("a certificate"),
        }
    }

    /// What has to be trusted, in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for these names and addresses that is valid now.
    ///
    /// # Panics
    /// When the library makes no certificate.
    #[must_use]
    pub fn vouch_for(&self, names: &[&str]) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters(names).signed_by(&key, &self.issuer);
        Identity::new(&certificate.expect("a certificate"), &key)
    }

    /// The same, but its time is over.
    ///
    /// # Panics
    /// When the library makes no certificate.
    #[must_use]
    pub fn vouched_for(&self, names: &[&str]) -> Identity {
        let mut parameters = parameters(names);
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2021, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer);
        Identity::new(&certificate.expect("a certificate"), &key)
    }

    /// A server that talks only to clients with a certificate of this authority.
    ///
    /// # Panics
    /// When the library does not take it.
    #[must_use]
    pub fn only_with_client_certificate(
        &self,
        server: Identity,
        version: &'static SupportedProtocolVersion,
    ) -> TlsAcceptor {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a version")
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_single_cert(vec![server.certificate], PrivateKeyDer::Pkcs8(server.key));
        TlsAcceptor::from(Arc::new(config.expect("a certificate and its key")))
    }
}

impl Identity {
    /// A certificate that vouches for itself.
    ///
    /// # Panics
    /// When the library makes no certificate.
    #[must_use]
    pub fn self_signed(names: &[&str]) -> Self {
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters(names).self_signed(&key).expect("a certificate");
        Self::new(&certificate, &key)
    }

    fn new(certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        Self {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            certificate: certificate.der().clone(),
            key: PrivatePkcs8KeyDer::from(key.serialize_der()),
        }
    }

    /// A server with this certificate.
    ///
    /// # Panics
    /// When the library does not take it.
    #[must_use]
    pub fn acceptor(self) -> TlsAcceptor {
        self.acceptor_with_tickets(2)
    }

    /// The same with so many session tickets for each client.
    ///
    /// # Panics
    /// When the library does not take it.
    #[must_use]
    pub fn acceptor_with_tickets(self, tickets: usize) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate], PrivateKeyDer::Pkcs8(self.key));
        let mut config = config.expect("a certificate and its key");
        config.send_tls13_tickets = tickets;
        TlsAcceptor::from(Arc::new(config))
    }
}

fn parameters(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).expect("names of a certificate");
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters
}
