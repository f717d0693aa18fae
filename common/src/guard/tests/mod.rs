//! The catalogue's cases as data, and what must hold for every address and every text.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod addresses;
mod every_address;
mod every_text;
mod headers;
mod policy;
mod urls;

use std::net::IpAddr;

use super::*;

/// Nothing let through besides what the rules do, as in production.
fn strict() -> Policy {
    Policy::default()
}

fn allowing(cidrs: &[&str], hosts: &[&str]) -> Policy {
    Policy {
        allow_http: true,
        allow_cidrs: cidrs.iter().map(|text| parse_cidr(text).unwrap()).collect(),
        deny_cidrs: Vec::new(),
        allow_hosts: hosts
            .iter()
            .map(|text| AllowedHost::parse(text).unwrap())
            .collect(),
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The reason why a URL is refused, or what it became.
fn verdict(policy: &Policy, raw: &str) -> Result<String, &'static str> {
    policy
        .check_url(raw)
        .map(|target| target.url().to_string())
        .map_err(|refusal| refusal.reason())
}
