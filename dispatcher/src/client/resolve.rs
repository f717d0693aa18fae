//! Names to addresses: straight to the name servers of resolv.conf, without hosts file or search domains.

use std::net::IpAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;

/// A caching stub resolver. Clones share the cache.
#[derive(Clone)]
pub struct Resolver(TokioResolver);

impl Resolver {
    /// A resolver that asks the system's name servers.
    ///
    /// # Errors
    /// When resolv.conf cannot be read or names no server.
    pub fn from_system() -> Result<Self, NetError> {
        let mut builder = TokioResolver::builder_tokio()?;
        set_options(builder.options_mut());
        Ok(Self(builder.build()?))
    }

    /// A resolver that asks the servers of `config`.
    ///
    /// # Errors
    /// When `config` names no server that can be asked.
    pub fn with_config(config: ResolverConfig) -> Result<Self, NetError> {
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        set_options(builder.options_mut());
        Ok(Self(builder.build()?))
    }

    /// Every address of `name`, of both families, IPv4 first.
    ///
    /// # Errors
    /// The resolver's own, fit for the operator.
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        // The dot at the end keeps search domains away: a customer's name is never one of ours.
        let absolute = format!("{}.", name.trim_end_matches('.'));
        let mut addresses: Vec<IpAddr> = self.0.lookup_ip(absolute).await?.iter().collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        Ok(addresses)
    }
}

fn set_options(options: &mut ResolverOpts) {
    // Both families are asked for always, since one bad address refuses the whole answer.
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = 10_000;
}
