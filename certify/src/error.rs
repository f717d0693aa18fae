//! Why no certificate could be played, which is no fault of the receiver's.

use hookline_common::event::InvalidEvent;
use hookline_common::guard::Refusal;
use hookline_common::ids::InvalidId;
use hookline_common::secret::InvalidSecret;
use hookline_outbound::client::{Shortage, TlsSetupError};

/// Why no certificate could be played, which is no fault of the receiver's.
#[derive(Debug, thiserror::Error)]
pub enum CertifyError {
    /// The guard refuses the URL as it is written.
    #[error("{0}")]
    Refused(Refusal),
    /// The guard refuses an address that the URL's name has. Whoever wrote the URL does not know it, and an endpoint's owner is
    /// not to learn from us which addresses names have in our network.
    #[error("{0}")]
    AddressRefused(Refusal),
    /// The roots to trust cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
    /// The system's name servers are not known.
    #[error("name lookups cannot be set up: {0}; check /etc/resolv.conf")]
    Resolver(String),
    /// This process lacks what a request takes.
    #[error("{0}")]
    Shortage(#[from] Shortage),
    /// What is told of a booking is no event, which is a fault of this program.
    #[error("what is to be sent is no event: {0}; report this")]
    Event(#[from] InvalidEvent),
    /// The same of a name.
    #[error("what is to be sent has no name: {0}; report this")]
    Id(#[from] InvalidId),
    /// The same of the secret that nobody has.
    #[error("no secret can be made: {0}; report this")]
    Secret(#[from] InvalidSecret),
}
