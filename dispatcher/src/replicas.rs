//! How many replicas share an owner's rate, by how many consumers the working queues have. Pure.

/// A lower count is believed when it was seen so often in a row: one that is a moment's would have each replica take more than its
/// part, all of them together a multiple of what the owner allows.
const BELIEVED_AFTER: u32 = 3;

/// What is known of how many replicas there are.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    count: u32,
    /// The most of those that were seen lately and are fewer, and how many in a row they were.
    lower: Option<(u32, u32)>,
}

impl Replicas {
    /// Takes note of the consumers of each working queue, with so many `coming` that consume nothing yet, and returns how many
    /// replicas there are.
    ///
    /// Each replica consumes each queue once. The broker also counts a consumer that was taken up again with another window, for as
    /// long as something of the old one is unacknowledged; in the queue with the fewest nobody is counted twice. A queue without
    /// any tells nothing: its leader is away, and the broker answers for it all the same.
    ///
    /// More are believed at once. Fewer may be a replica that just takes a queue up anew.
    pub(crate) fn observe(&mut self, consumers: impl IntoIterator<Item = u32>, coming: u32) -> u32 {
        let fewest = consumers.into_iter().filter(|consumers| *consumers > 0).min();
        let seen = fewest.unwrap_or_default() + coming;
        if seen == 0 {
            return self.count;
        }
        self.lower = match self.lower {
            _ if seen >= self.count => None,
            Some((lower, times)) => Some((lower.max(seen), times + 1)),
            None => Some((seen, 1)),
        };
        match self.lower {
            Some((lower, BELIEVED_AFTER)) => (self.count, self.lower) = (lower, None),
            _ => self.count = self.count.max(seen),
        }
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: u32) -> Replicas {
        let mut replicas = Replicas::default();
        assert_eq!(replicas.observe([count; 3], 0), count);
        replicas
    }

    #[test]
    fn a_replica_that_starts_counts_itself_before_it_consumes() {
        let mut replicas = Replicas::default();
        assert_eq!(replicas.observe([2, 0, 2], 1), 3);
        assert_eq!(replicas.observe([2, 2, 2], 0), 3);
        assert_eq!(replicas.observe([3, 3, 3], 0), 3);
        assert_eq!(Replicas::default().observe([], 1), 1);
    }

    #[test]
    fn a_queue_without_a_consumer_tells_nothing() {
        let mut replicas = of(3);
        for _ in 0..10 {
            assert_eq!(replicas.observe([3, 0, 3], 0), 3);
            assert_eq!(replicas.observe([0, 0, 0], 0), 3);
            assert_eq!(replicas.observe([], 0), 3);
        }
    }

    #[test]
    fn more_are_believed_at_once_and_fewer_when_they_stay_fewer() {
        let mut replicas = of(2);
        assert_eq!(replicas.observe([4, 4, 4], 0), 4);
        let seen: Vec<_> = (0..4).map(|_| replicas.observe([2, 2, 2], 0)).collect();
        assert_eq!(seen, [4, 4, 2, 2]);
    }

    #[test]
    fn a_consumer_that_is_taken_up_anew_changes_nothing() {
        let mut replicas = of(2);
        for _ in 0..5 {
            assert_eq!(replicas.observe([2, 1, 2], 0), 2);
            assert_eq!(replicas.observe([2, 1, 2], 0), 2);
            // With the new window, beside what is left of the old.
            assert_eq!(replicas.observe([2, 3, 2], 0), 2);
        }
        // Fewer in a row: the most of them, as the others are taken up anew.
        let seen: Vec<_> = [3, 1, 2, 1, 1, 1, 1]
            .map(|consumers| replicas.observe([consumers; 3], 0))
            .into();
        assert_eq!(seen, [3, 3, 3, 2, 2, 2, 1]);
    }
}
