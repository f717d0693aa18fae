//! How wide a window is for messages of the sizes seen, since the broker counts messages and memory is bytes. Pure.

/// Over how many messages the mean follows larger ones, and smaller ones: memory is short within a fraction of a window, and
/// a window that is narrow for a while longer costs little, where one that goes to and fro would cost much.
const FOLLOWS_LARGER: usize = 16;
const FOLLOWS_SMALLER: usize = 256;
/// A window that is narrower than it could be is left alone until it could be so many times as wide: taking a queue up again
/// costs two round trips, in which nothing comes.
const WIDEN_AT: usize = 2;
/// What a message takes before any is seen: the largest that an event may be, so that a start in the middle of large ones is no
/// surprise.
const UNSEEN_BYTES: usize = 100 * 1024;
/// That counts for as much as so many messages that were seen: after a few small ones the window is wide.
const UNSEEN_WEIGHT: usize = 2;
/// Messages in hand at least, however large they are: fewer would leave the processors waiting for the broker.
const MIN_MESSAGES: usize = 8;

/// The sizes seen on one queue, and what follows from them.
#[derive(Debug)]
pub(crate) struct Sizing {
    max_messages: usize,
    max_bytes: usize,
    mean_bytes: usize,
    /// What the mean is made of: it is one of all messages until it is one of the last.
    weight: usize,
}

impl Sizing {
    pub(crate) fn new(max_messages: u16, max_bytes: usize) -> Self {
        Self {
            max_messages: usize::from(max_messages),
            max_bytes,
            mean_bytes: UNSEEN_BYTES,
            weight: UNSEEN_WEIGHT,
        }
    }

    /// A message of so many bytes came.
    pub(crate) fn saw(&mut self, bytes: usize) {
        let memory = if bytes > self.mean_bytes {
            FOLLOWS_LARGER
        } else {
            FOLLOWS_SMALLER
        };
        self.weight = self.weight.saturating_add(1);
        let memory = memory.min(self.weight);
        self.mean_bytes = self.mean_bytes / memory * (memory - 1) + bytes / memory;
    }

    /// Messages in hand at most before any is seen. A broker may hold messages that no event may be as large as, and whoever took
    /// fifty of them at once would be killed for it at each start.
    pub(crate) fn first_window(&self) -> u16 {
        u16::try_from(self.max_messages.min(MIN_MESSAGES)).unwrap_or(u16::MAX)
    }

    /// Messages in hand at most.
    pub(crate) fn window(&self) -> u16 {
        let fit = (self.max_bytes / self.mean_bytes.max(1)).max(MIN_MESSAGES);
        u16::try_from(fit.min(self.max_messages)).unwrap_or(u16::MAX)
    }

    /// Messages that may come beside what is in hand: a whole window where there is room for one, else what fits. A few always,
    /// so that those who take long keep nobody else waiting.
    pub(crate) fn window_beside(&self, bytes_in_hand: usize) -> u16 {
        let window = self.window();
        if self.has_room(bytes_in_hand) {
            return window;
        }
        let free = self.max_bytes.saturating_sub(bytes_in_hand);
        let fit = (free / self.mean_bytes.max(1)).max(MIN_MESSAGES);
        u16::try_from(fit).unwrap_or(u16::MAX).min(window)
    }

    /// Whether a window of so many messages is too wide for what is in hand, or much narrower than it could be.
    pub(crate) fn is_unfit(&self, prefetch: u16, bytes_in_hand: usize) -> bool {
        let is_too_wide = bytes_in_hand > self.max_bytes && self.window() < prefetch;
        let (prefetch, window) = (
            usize::from(prefetch),
            usize::from(self.window_beside(bytes_in_hand)),
        );
        let is_too_narrow = window >= prefetch * WIDEN_AT || window == self.max_messages && window > prefetch;
        is_too_wide || is_too_narrow
    }

    /// Whether more is in hand than a window that is too wide explains.
    pub(crate) fn is_too_much(&self, bytes_in_hand: usize) -> bool {
        bytes_in_hand > self.max_bytes.saturating_mul(2)
    }

    /// Whether so much is in hand that more may come.
    pub(crate) fn has_room(&self, bytes_in_hand: usize) -> bool {
        bytes_in_hand <= self.max_bytes / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 12 * 1024 * 1024;

    fn after(sizes: impl IntoIterator<Item = usize>) -> Sizing {
        let mut sizing = Sizing::new(1000, MAX);
        sizes.into_iter().for_each(|bytes| sizing.saw(bytes));
        sizing
    }

    #[test]
    fn a_window_begins_narrow_and_widens_when_messages_are_small() {
        let first = after([]).first_window();
        assert_eq!(usize::from(first), MIN_MESSAGES);
        // The first one shows that there is room for more, and after a few there is for all.
        assert!(after([1024]).is_unfit(first, 0));
        assert!(after([1024; MIN_MESSAGES]).window() >= 500);
        let sizing = after([1024; 50]);
        assert_eq!(sizing.window(), 1000);
        assert!(!sizing.is_unfit(1000, 300_000));
        assert_eq!(Sizing::new(2, MAX).first_window(), 2);
    }

    #[test]
    fn large_messages_narrow_it_once_they_take_too_much() {
        let sizing = after(std::iter::repeat_n(1024, 1500).chain(std::iter::repeat_n(100_000, 60)));
        assert!(sizing.window() < 200);
        assert!(!sizing.is_unfit(1000, MAX));
        assert!(sizing.is_unfit(1000, MAX + 1));
        assert!(sizing.has_room(MAX / 2) && !sizing.has_room(MAX));
    }

    /// Slow receivers of large messages hold nearly all bytes; small messages of others come.
    #[test]
    fn what_is_held_for_long_leaves_a_narrow_window_that_is_not_narrowed_again() {
        let sizing = after(std::iter::repeat_n(100_000, 60).chain(std::iter::repeat_n(1024, 600)));
        let (held, whole) = (MAX - 100_000, usize::from(sizing.window()));
        let beside = sizing.window_beside(held);
        assert!(
            (MIN_MESSAGES..whole / 4).contains(&usize::from(beside)),
            "{beside}"
        );
        assert!(!sizing.is_unfit(beside, held));
        assert_eq!(usize::from(sizing.window_beside(2 * MAX)), MIN_MESSAGES);
        assert!(!sizing.is_unfit(sizing.window_beside(2 * MAX), 2 * MAX));
        assert!(sizing.is_unfit(beside, 0));
    }

    #[test]
    fn messages_beyond_all_measure_still_come() {
        assert_eq!(usize::from(after([usize::MAX / 64; 100]).window()), MIN_MESSAGES);
    }
}
