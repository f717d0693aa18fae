//! How many connections to receivers fit into the limit of open files. Pure.

/// What the rest of the process needs at rest: stdin, stdout and stderr; the runtime's epoll, event and signal
/// descriptors; four connections to the broker, each with the two descriptors of its reactor; the health port.
const AT_REST: usize = 24;
/// What comes and goes beside it: probes and scrapes on the health port, a link to the broker that is made anew while
/// the old one still closes, the collector of traces, the endpoints file and its secrets, resolv.conf.
const COMING_AND_GOING: usize = 16;
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
