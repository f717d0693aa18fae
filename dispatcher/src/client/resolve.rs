//! Names to addresses: straight to the name servers of resolv.conf, without hosts file or search domains.

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_resolver::config::{ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::system_conf::read_system_conf;
use tokio::time::timeout;

use super::dns_socket::{DnsSockets, Short};

/// How long the answer for one address family is waited for when the other has one already.
const SECOND_FAMILY: Duration = Duration::from_secs(1);

/// Name servers that are asked at once, of those that are known: the second answers where the first is away.
const SERVERS_AT_ONCE: usize = 2;

/// A caching stub resolver. Clones share the cache.
#[derive(Clone)]
pub struct Resolver {
    hickory: hickory_resolver::Resolver<DnsSockets>,
    sockets: DnsSockets,
    sockets_at_once: u32,
}

impl Resolver {
    /// A resolver that asks the system's name servers.
    ///
    /// # Errors
    /// When resolv.conf cannot be read or names no server.
    pub fn from_system() -> Result<Self, NetError> {
        let (config, options) = read_system_conf()?;
        Self::build(config, options)
    }

    /// A resolver that asks the servers of `config`.
    ///
    /// # Errors
    /// When `config` names no server that can be asked.
    pub fn with_config(config: ResolverConfig) -> Result<Self, NetError> {
        Self::build(config, ResolverOpts::default())
    }

    fn build(config: ResolverConfig, options: ResolverOpts) -> Result<Self, NetError> {
        // Both address families are asked for at once.
        let sockets_at_once = if config.name_servers().len() < SERVERS_AT_ONCE {
            2
        } else {
            4
        };
        let sockets = DnsSockets::default();
        let mut builder = hickory_resolver::Resolver::builder_with_config(config, sockets.clone());
        *builder.options_mut() = options;
        set_options(builder.options_mut());
        Ok(Self {
            hickory: builder.build()?,
            sockets,
            sockets_at_once,
        })
    }

    /// How many sockets a lookup has open at once.
    pub(super) fn sockets_at_once(&self) -> u32 {
        self.sockets_at_once
    }

    /// For what want of ours sockets could not be opened.
    pub(super) fn short(&self) -> Short {
        self.sockets.short()
    }

    /// Every address of `name`, of both families, IPv4 first.
    ///
    /// # Errors
    /// The resolver's own, fit for the operator.
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        // The dot at the end keeps search domains away: a customer's name is never one of ours.
        let absolute = format!("{}.", name.trim_end_matches('.'));
        let v4 = pin!(self.hickory.ipv4_lookup(absolute.as_str()));
        let v6 = pin!(self.hickory.ipv6_lookup(absolute.as_str()));
        let (first, other) = match select(v4, v6).await {
            Either::Left((v4, v6)) => (v4, Either::Left(v6)),
            Either::Right((v6, v4)) => (v6, Either::Right(v4)),
        };
        // Some name servers never answer for the family that a name does not have. Who has one need not wait for them:
        // only addresses that were looked at are connected to.
        let is_usable = first
            .as_ref()
            .is_ok_and(|lookup| addresses_in(lookup).next().is_some());
        let other_max = if is_usable { SECOND_FAMILY } else { Duration::MAX };
        let both = match timeout(other_max, other).await {
            Ok(other) => [first, other],
            Err(_) => return Ok(addresses_in(&first?).collect()),
        };
        let mut addresses: Vec<IpAddr> = both.iter().flatten().flat_map(addresses_in).collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        match both {
            [Err(error), Err(_)] => Err(error),
            _ => Ok(addresses),
        }
    }
}

fn addresses_in(lookup: &Lookup) -> impl Iterator<Item = IpAddr> + '_ {
    lookup.answers().iter().filter_map(|record| record.data.ip_addr())
}

fn set_options(options: &mut ResolverOpts) {
    // Six tries of five seconds: no less time than the whole attempt has, whose own deadline ends it.
    options.timeout = Duration::from_secs(5);
    options.attempts = 5;
    options.num_concurrent_reqs = SERVERS_AT_ONCE;
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = 10_000;
}
