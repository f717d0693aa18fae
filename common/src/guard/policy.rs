//! What one installation lets through or refuses, and the address rule under it.

use std::net::IpAddr;

use ipnet::IpNet;

use super::address::{is_nat64, special};
use super::lists::AllowedHost;
use super::refusal::Refusal;

/// What one installation lets through or refuses besides the fixed rules. The default allows nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Whether plain `http://` is allowed beside `https://`.
    pub allow_http: bool,
    /// Networks let through although the address rule refuses them; NAT64 is refused all the same. To be made
    /// with [`super::parse_cidr`], which keeps out networks of every address.
    pub allow_cidrs: Vec<IpNet>,
    /// Networks refused although the address rule lets them through. They win over `allow_cidrs`.
    pub deny_cidrs: Vec<IpNet>,
    /// Names let through although the name rule refuses them. Their addresses are checked all the same.
    pub allow_hosts: Vec<AllowedHost>,
}

impl Policy {
    /// Whether a connection may be made to `address`: IPv4 outside the special-purpose networks, IPv6 inside
    /// 2000::/3 and outside the special-purpose networks there, as changed by the policy's own networks.
    ///
    /// # Errors
    /// [`Refusal`] with a reason that begins with `address_`.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Refusal> {
        if self.denies(address) {
            return Err(Refusal::AddressDenied { address });
        }
        if is_nat64(address) {
            return Err(Refusal::AddressNat64 { address });
        }
        if self.allow_cidrs.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        match special(address) {
            Some(network) => Err(Refusal::Address { address, network }),
            None => Ok(()),
        }
    }

    /// Whether the addresses of one DNS answer may be used: a single bad one refuses them all, because
    /// whoever mixes them is trying which one we take.
    ///
    /// An empty answer has nothing to refuse and passes; the caller reports it as `dns_error`.
    ///
    /// # Errors
    /// As [`Policy::check_address`], for the first bad address.
    pub fn check_answer(&self, addresses: &[IpAddr]) -> Result<(), Refusal> {
        addresses
            .iter()
            .try_for_each(|address| self.check_address(*address))
    }

    /// Whether the policy lets the normalised `name` through although the name rule may refuse it.
    pub(super) fn allows_host(&self, name: &str) -> bool {
        self.allow_hosts.iter().any(|allowed| allowed.as_str() == name)
    }

    /// The system connects to an IPv4-mapped address (`::ffff:10.0.0.1`) over IPv4, so both of its
    /// spellings count.
    fn denies(&self, address: IpAddr) -> bool {
        let is_denied = |address: IpAddr| self.deny_cidrs.iter().any(|network| network.contains(&address));
        is_denied(address) || is_denied(address.to_canonical())
    }
}
