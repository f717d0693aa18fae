//! Whom to believe that it is the collector: the roots of a file, or the system's.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The roots in a PEM text.
///
/// # Errors
/// Why there are none.
pub(super) fn from_pem(pem: &str) -> Result<RootCertStore, String> {
    let unusable = |why: String| {
        format!("holds no usable certificate: {why}; it must be PEM, one or more BEGIN CERTIFICATE blocks")
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("there is none in it".to_owned()));
    }
    Ok(roots)
}

/// The roots that this system trusts; those that cannot be read are left out, as a collector's is most likely another.
#[must_use]
pub(super) fn of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        for bad in [
            "",
            "whatever",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(
                from_pem(bad).is_err_and(|error| error.contains("BEGIN CERTIFICATE")),
                "{bad}"
            );
        }
    }
}
