//! How many connections to receivers fit into the limit of open files. Pure.

/// What the rest of the process needs at rest, as counted: stdin, stdout and stderr; three descriptors of the runtime and
/// three of its signals; six connections to the broker (to publish, for records, and one for each of the four working
/// queues); the health port. One more is often inherited.
const AT_REST: usize = 17;
/// What comes and goes beside it: six links to the broker that are made anew while the old ones still close; two more while
/// the stream of attempts is silent, to the spill and back; three descriptors of a second runtime, which the broker's client
/// library starts when a link ends, and without which it panics; half a dozen probes and scrapes on the health port, where
/// the oldest give way; two connections to the collector of traces; resolv.conf and three more, be they the endpoints file,
/// a secret's and a spare one, or the registry's connections to the database.
const COMING_AND_GOING: usize = 23;
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
    let others = AT_REST + COMING_AND_GOING + (limit / 8).min(MAX_SLACK);
    limit
        .saturating_sub(others)
        .clamp(MIN_CONNECTIONS, MAX_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_everything_else() {
        for (limit, connections) in [
            (0, 4),
            (64, 16),
            (256, 184),
            (1024, 856),
            (4096, 3800),
            (65_536, 16_384),
            (usize::MAX, 16_384),
        ] {
            assert_eq!(max_connections(limit), connections, "{limit}");
        }
    }
}
