//! Whom a certificate is played against, and how patient it is.

use std::time::Duration;

use hookline_common::endpoint::{Format, StaticHeader};
use hookline_common::guard::Policy;
use hookline_common::signature::SigningKeys;
use hookline_outbound::client::EgressProxy;

/// How long a connection rests: longer than the five or six seconds after which Node closes one, so that it is not closed in the
/// very moment in which it is used.
pub const PAUSE: Duration = Duration::from_secs(8);

/// A partner's endpoint, as an operator would register it.
pub struct Partner {
    /// Where it is.
    pub url: String,
    /// How the bodies are written that it gets.
    pub format: Format,
    /// What requests to it are signed with: one secret, or two while a rotation overlaps. None where none is known.
    pub keys: Option<SigningKeys>,
    /// Whether it is said to verify signatures, so that forged ones are tried; meetergo's receivers need not.
    pub verifies: bool,
    /// What it wants to find in each request besides.
    pub headers: Vec<StaticHeader>,
    /// Where requests may go.
    pub policy: Policy,
    /// Further roots to trust, in PEM.
    pub ca_pem: Option<String>,
    /// The proxy through which requests leave, if any.
    pub proxy: Option<EgressProxy>,
    /// How long it may take to answer: 30 s are what the dispatcher grants.
    pub timeout: Duration,
    /// How long a connection rests before it is used again: [`PAUSE`], unless somebody knows better.
    pub pause: Duration,
    /// How long all of it may take; what is not played by then is not played. None for as long as it takes.
    pub within: Option<Duration>,
}
