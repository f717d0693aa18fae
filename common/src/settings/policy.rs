//! The guard's policy, from the settings that all programs share.

use super::{Reader, parse, variables as var};
use crate::guard::{AllowedHost, Policy, parse_cidr};

/// Reads `HOOKLINE_ALLOW_HTTP`, `HOOKLINE_ALLOW_CIDRS`, `HOOKLINE_DENY_CIDRS` and `HOOKLINE_ALLOW_HOSTS`; `None` after a
/// fault, which is the reader's to tell.
pub fn read_policy(reader: &mut Reader<'_>) -> Option<Policy> {
    let allow_http = reader.read(&var::ALLOW_HTTP, parse::boolean);
    let allow_cidrs = reader.read(&var::ALLOW_CIDRS, |text| parse::list(text, parse_cidr));
    let deny_cidrs = reader.read(&var::DENY_CIDRS, |text| parse::list(text, parse_cidr));
    let allow_hosts = reader.read(&var::ALLOW_HOSTS, |text| parse::list(text, AllowedHost::parse));
    Some(Policy {
        allow_http: allow_http?,
        allow_cidrs: allow_cidrs.unwrap_or_default(),
        deny_cidrs: deny_cidrs.unwrap_or_default(),
        allow_hosts: allow_hosts.unwrap_or_default(),
    })
}
