//! What all endpoints hold together. Each endpoint's part is taken out before it changes and put back after, so the sums
//! cannot drift from what they sum up.

use super::terms::MAX_QUEUES;

/// One endpoint's part, or the sum of all.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holdings {
    /// Jobs that wait, by working queue.
    pub(super) waiting: [usize; MAX_QUEUES],
    /// Jobs in flight or waiting of endpoints that share half of a window, by working queue.
    pub(super) limited: [usize; MAX_QUEUES],
    /// Requests in flight.
    pub(super) in_flight: usize,
    /// The same of endpoints that share half.
    pub(super) limited_in_flight: usize,
    /// Silent endpoints with jobs that are parked on the broker.
    pub(super) silent_parking: usize,
}

impl Holdings {
    pub(super) fn replace(&mut self, before: &Self, after: &Self) {
        let swap =
            |sum: &mut usize, before: usize, after: usize| *sum = (*sum + after).saturating_sub(before);
        let each = |sums: &mut [usize], before: &[usize], after: &[usize]| {
            for ((sum, before), after) in sums.iter_mut().zip(before).zip(after) {
                swap(sum, *before, *after);
            }
        };
        each(&mut self.waiting, &before.waiting, &after.waiting);
        each(&mut self.limited, &before.limited, &after.limited);
        swap(&mut self.in_flight, before.in_flight, after.in_flight);
        swap(
            &mut self.limited_in_flight,
            before.limited_in_flight,
            after.limited_in_flight,
        );
        swap(
            &mut self.silent_parking,
            before.silent_parking,
            after.silent_parking,
        );
    }
}
