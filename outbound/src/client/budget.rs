//! How many connections to receivers, sockets for name lookups and probes fit into the limit of open files. Pure.

/// What the rest of the process needs at rest, as counted: stdin, stdout and stderr; three descriptors of the runtime and
/// three of its signals; six connections to the broker (to publish, for records, and one for each of the four working
/// queues); the health port. One more is often inherited.
const AT_REST: usize = 17;
/// What comes and goes beside it: six links to the broker that are made anew while the old ones still close; two more while
/// the stream of attempts is silent, to the spill and back; three descriptors of a second runtime, which the broker's client
/// library starts when a link ends, and without which it panics; two connections to the collector of traces; resolv.conf and
/// three more, be they the endpoints file, a secret's and a spare one, or the registry's connections to the database.
const COMING_AND_GOING: usize = 17;
/// Connections to the health port where few files may be open: those of a probe or two and of a scrape, and the next one.
const MIN_PROBES: usize = 6;
/// However many files may be open, more than these are not wanted by anybody.
const MAX_PROBES: usize = 64;
/// Sockets for name lookups, at least: a name is asked for with two at once, one for each family of addresses, and half of them
/// may be taken by names that nobody answers for.
const MIN_LOOKUP_SOCKETS: usize = 4;
/// However many connections there may be, so many are enough: each is free again after some milliseconds.
const MAX_LOOKUP_SOCKETS: usize = 2048;
/// Of a larger limit an eighth stays free, and no more than this: sockets are closed a moment after they are let go.
const MAX_SLACK: usize = 256;
/// More connections than this are of no use, however many files may be open: all local ports for one address of a
/// receiver are 28,000, and every connection costs memory.
const MAX_CONNECTIONS: usize = 16_384;
/// A limit so small that nothing else would be left has to serve all the same, slowly.
const MIN_CONNECTIONS: usize = 4;

/// How many connections to receivers may be open at once where the process may open `limit` files.
#[must_use]
pub fn max_connections(limit: usize) -> usize {
    let others = AT_REST + COMING_AND_GOING + max_probes(limit) + (limit / 8).min(MAX_SLACK);
    let left = limit.saturating_sub(others);
    // Fewer connections have no more sockets for lookups, so that both fit.
    left.saturating_sub(lookup_sockets(left))
        .clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)
}

/// How many connections to the health port may be open at once where the process may open `limit` files, the one among them that
/// is let in while another has to go for it. They are counted in [`max_connections`].
#[must_use]
pub fn max_probes(limit: usize) -> usize {
    (limit / 64).clamp(MIN_PROBES, MAX_PROBES)
}

/// How many sockets name lookups may have open at once beside so many connections. They are counted in [`max_connections`].
pub(super) fn lookup_sockets(connections: usize) -> usize {
    (connections / 8).clamp(MIN_LOOKUP_SOCKETS, MAX_LOOKUP_SOCKETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_everything_else() {
        for (limit, connections) in [
            (0, 4),
            (64, 12),
            (256, 161),
            (1024, 741),
            (4096, 3275),
            (65_536, 16_384),
            (usize::MAX, 16_384),
        ] {
            assert_eq!(max_connections(limit), connections, "{limit}");
        }
    }

    #[test]
    fn all_that_is_counted_fits_into_the_limit() {
        for limit in 54..100_000 {
            let connections = max_connections(limit);
            let rest = AT_REST + COMING_AND_GOING + max_probes(limit);
            let open = rest + connections + lookup_sockets(connections);
            assert!(open <= limit - (limit / 8).min(MAX_SLACK), "{open} of {limit}");
        }
    }

    #[test]
    fn probes_and_lookups_follow_the_limit_between_bounds() {
        for (limit, probes) in [
            (0, 6),
            (64, 6),
            (256, 6),
            (1024, 16),
            (4096, 64),
            (usize::MAX, 64),
        ] {
            assert_eq!(max_probes(limit), probes, "{limit}");
        }
        for (connections, sockets) in [(4, 4), (12, 4), (161, 20), (741, 92), (16_384, 2048)] {
            assert_eq!(lookup_sockets(connections), sockets, "{connections}");
        }
    }
}
