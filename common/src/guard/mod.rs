//! Where a delivery may go: the rules that keep a customer's URL from reaching what is not the public
//! internet.
//!
//! The URL is checked when it is registered and before each attempt ([`Policy::check_url`]); the addresses
//! its name resolves to, and the one connected to, where the connection is made ([`Policy::check_answer`],
//! [`Policy::check_address`]). Everything here decides and nothing here connects, resolves or reads.

mod address;
mod header;
mod lists;
mod name;
mod port;
mod refusal;
mod url;

use std::net::IpAddr;

use ipnet::IpNet;

pub use self::address::{Network, refused_v4_networks};
pub use self::header::check_header;
pub use self::lists::{AllowedHost, InvalidCidr, InvalidHost, parse_cidr};
pub use self::refusal::Refusal;
pub use self::url::{Host, Target};

/// What one installation lets through or refuses besides the fixed rules. The default allows nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Whether plain `http://` is allowed beside `https://`.
    pub allow_http: bool,
    /// Networks let through although the address rule refuses them; NAT64 is refused all the same. To be made
    /// with [`parse_cidr`], which keeps out networks of every address.
    pub allow_cidrs: Vec<IpNet>,
    /// Networks refused although the address rule lets them through. They win over `allow_cidrs`.
    pub deny_cidrs: Vec<IpNet>,
    /// Names let through although the name rule refuses them. Their addresses are checked all the same.
    pub allow_hosts: Vec<AllowedHost>,
}

impl Policy {
    /// Whether a delivery may be sent to the URL `raw`, as far as that can be told without resolving its
    /// name.
    ///
    /// A literal address is checked here, because HTTP clients do not ask a resolver about one.
    ///
    /// # Errors
    /// [`Refusal`] names the first rule that the URL breaks.
    pub fn check_url(&self, raw: &str) -> Result<Target, Refusal> {
        self::url::check(self, raw)
    }

    /// Whether a connection may be made to `address`: IPv4 outside the special-purpose networks, IPv6 inside
    /// 2000::/3 and outside the special-purpose networks there, as changed by the policy's own networks.
    ///
    /// # Errors
    /// [`Refusal`] with a reason that begins with `address_`.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Refusal> {
        if self.denies(address) {
            return Err(Refusal::AddressDenied { address });
        }
        if address::is_nat64(address) {
            return Err(Refusal::AddressNat64 { address });
        }
        if self.allow_cidrs.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        match address::special(address) {
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

    /// The system connects to an IPv4-mapped address (`::ffff:10.0.0.1`) over IPv4, so both of its
    /// spellings count.
    fn denies(&self, address: IpAddr) -> bool {
        let is_denied = |address: IpAddr| self.deny_cidrs.iter().any(|network| network.contains(&address));
        is_denied(address) || is_denied(address.to_canonical())
    }
}

#[cfg(test)]
mod tests;
