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
mod policy;
mod port;
mod refusal;
mod url;

pub use self::address::{Network, allowed_v6_network, refused_v4_networks, refused_v6_networks};
pub use self::header::check_header;
pub use self::lists::{AllowedHost, InvalidCidr, InvalidHost, add_up_to_everything, parse_cidr};
pub use self::policy::Policy;
pub use self::refusal::Refusal;
pub use self::url::{Host, Target};

#[cfg(test)]
mod tests;
