//! Names to addresses: straight to the name servers of resolv.conf, without hosts file or search domains.

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use hickory_resolver::config::{ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use tokio::time::timeout;

use super::lookup_sockets::{LookupSockets, lacking};
use super::name_server::NameServers;

/// How long the answer for one address family is waited for when the other has one already.
const SECOND_FAMILY: Duration = Duration::from_secs(1);

/// Name servers that are asked at once: all that a resolv.conf names. Whichever is there answers, however many are away.
const SERVERS_AT_ONCE: usize = 3;

/// How long a question waits for its answer: no less than the longest request timeout that can be set, so that an answer which
/// comes late is used. The request's own deadline ends it.
const PATIENCE: Duration = Duration::from_secs(600);

/// Refusals by a name server or by the network come at once: so often a question is put, and no further.
const MAX_REFUSALS: usize = 6;

/// How long an answer counts at most, however long its zone says: names that nobody asks for any more take no memory then.
const POSITIVE_TTL: Duration = Duration::from_secs(600);
/// How long an answer that there is none counts: less than the shortest delay of the usual schedule, so that each retry looks
/// afresh. Zones have it remembered for an hour, in which an endpoint whose name was there too late would lose everything.
const NEGATIVE_TTL: Duration = Duration::from_secs(30);

/// A caching stub resolver. Clones share the cache, and the sockets that there are for lookups.
#[derive(Clone)]
pub struct Resolver {
    hickory: hickory_resolver::Resolver<NameServers>,
    sockets: LookupSockets,
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

    fn build(config: ResolverConfig, mut options: ResolverOpts) -> Result<Self, NetError> {
        let sockets = LookupSockets::new();
        let servers = NameServers::new(sockets.clone());
        let mut builder = hickory_resolver::Resolver::builder_with_config(config, servers);
        set_options(&mut options);
        *builder.options_mut() = options;
        Ok(Self {
            hickory: builder.build()?,
            sockets,
        })
    }

    /// Lets lookups have so many sockets more, for requests that may take so long. Before there are any, no name has an address.
    pub(super) fn add_sockets(&self, count: usize, request_timeout: Duration) {
        self.sockets.add(count, request_timeout);
    }

    /// Every address of `name`, of both families, IPv4 first.
    ///
    /// # Errors
    /// The resolver's own, fit for the operator.
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let name = absolute(name)?;
        let v4 = pin!(self.ask(name.clone(), RecordType::A));
        let v6 = pin!(self.ask(name, RecordType::AAAA));
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
        if !addresses.is_empty() {
            return Ok(addresses);
        }
        // Where one family could not be asked for, nothing is known of the name.
        let mut errors = both.iter().filter_map(|answer| answer.as_ref().err());
        let not_asked = errors.find(|error| lacking(error).is_some()).cloned();
        match (not_asked, both) {
            (Some(error), _) | (None, [Err(error), Err(_)]) => Err(error),
            _ => Ok(addresses),
        }
    }

    /// The answer to one question, however late it comes.
    async fn ask(&self, name: Name, kind: RecordType) -> Result<Lookup, NetError> {
        let mut refusals = 0;
        loop {
            let answer = self.hickory.lookup(name.clone(), kind).await;
            refusals += 1;
            match answer {
                Err(error) if refusals < MAX_REFUSALS && is_refusal(&error) => {}
                answer => return answer,
            }
        }
    }
}

/// Whether whoever was asked may say something else when asked once more. Not so where there was no place to ask from, or nobody
/// has answered for too long.
fn is_refusal(error: &NetError) -> bool {
    !error.is_no_records_found() && !matches!(error, NetError::Message(_) | NetError::Timeout)
}

/// The name letter by letter, as it was checked, and full: the library's reading of a text has rules of its own, of
/// underscores for one, and adds search domains, though a customer's name is never one of ours.
fn absolute(name: &str) -> Result<Name, NetError> {
    let labels = name.trim_end_matches('.').split('.').map(str::as_bytes);
    Ok(Name::from_labels(labels)?)
}

fn addresses_in(lookup: &Lookup) -> impl Iterator<Item = IpAddr> + '_ {
    lookup.answers().iter().filter_map(|record| record.data.ip_addr())
}

fn set_options(options: &mut ResolverOpts) {
    options.timeout = PATIENCE;
    // What is worth another question is known better here.
    options.attempts = 0;
    options.num_concurrent_reqs = SERVERS_AT_ONCE;
    options.use_hosts_file = ResolveHosts::Never;
    // Two for each host, one for each family of addresses: as many hosts as idle connections are kept for.
    options.cache_size = 40_000;
    options.negative_max_ttl = Some(NEGATIVE_TTL);
    options.positive_max_ttl = Some(POSITIVE_TTL);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_asked_for_letter_by_letter_and_in_full() {
        for name in [
            "my_hook.example.com",
            "a_b.c_d.example.com",
            "_a.b_.c",
            "xn--bcher-kva.example.com",
            "xn--a.example.com",
            &format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61)),
        ] {
            for text in [name.to_owned(), format!("{name}.")] {
                let absolute = absolute(&text).unwrap();
                assert!(absolute.is_fqdn(), "{text}");
                assert_eq!(absolute.to_ascii(), format!("{name}."), "{text}");
            }
        }
        for name in ["", "a..b", &"a".repeat(64), &"a.".repeat(128)] {
            assert!(absolute(name).is_err(), "{name}");
        }
    }
}
