//! Which connections to the health port stand, and which has to go for a new one. Pure: closing is left to the caller.

/// A connection as this module sees it.
pub(super) trait Connection {
    /// Whether it is closed already.
    fn is_over(&self) -> bool;
    /// Whether it has sent a whole request, and so is being answered.
    fn has_asked(&self) -> bool;
}

/// Open connections, the oldest first.
#[derive(Debug)]
pub(super) struct Connections<C> {
    open: Vec<C>,
    max: usize,
}

impl<C: Connection> Connections<C> {
    /// None, and `max` at most.
    pub(super) fn new(max: usize) -> Self {
        Self {
            open: Vec::with_capacity(max),
            max,
        }
    }

    /// Makes room for one more, so that a probe is always let in, and returns what has to be closed for it.
    #[must_use]
    pub(super) fn make_room(&mut self) -> Option<C> {
        self.open.retain(|connection| !connection.is_over());
        if self.open.len() < self.max {
            return None;
        }
        self.give_way()
    }

    /// Takes out what has to be closed first: the oldest that has not sent a whole request, or, where all have, the
    /// oldest. A probe sends its request at once, so pushing it out would take as many new connections as there may be,
    /// all within that moment.
    #[must_use]
    pub(super) fn give_way(&mut self) -> Option<C> {
        self.open.retain(|connection| !connection.is_over());
        let silent = self.open.iter().position(|connection| !connection.has_asked());
        (!self.open.is_empty()).then(|| self.open.remove(silent.unwrap_or(0)))
    }

    /// A new connection stands.
    pub(super) fn add(&mut self, connection: C) {
        self.open.push(connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 5;

    #[derive(Debug, PartialEq, Eq, Clone, Copy)]
    struct Fake {
        number: usize,
        is_over: bool,
        has_asked: bool,
    }

    impl Connection for Fake {
        fn is_over(&self) -> bool {
            self.is_over
        }

        fn has_asked(&self) -> bool {
            self.has_asked
        }
    }

    fn full(has_asked: impl Fn(usize) -> bool) -> Connections<Fake> {
        let mut connections = Connections::new(MAX);
        for number in 0..MAX {
            assert_eq!(connections.make_room(), None);
            connections.add(Fake {
                number,
                is_over: false,
                has_asked: has_asked(number),
            });
        }
        connections
    }

    #[test]
    fn the_oldest_that_has_not_asked_goes_first() {
        let mut connections = full(|number| number < 3);
        assert_eq!(connections.make_room().map(|gone| gone.number), Some(3));
        assert_eq!(connections.make_room(), None);
    }

    #[test]
    fn where_all_have_asked_the_oldest_goes() {
        assert_eq!(full(|_| true).make_room().map(|gone| gone.number), Some(0));
    }

    #[test]
    fn in_a_shortage_one_gives_way_although_there_is_room() {
        let mut connections = Connections::new(MAX);
        assert!(connections.give_way().is_none());
        for (number, is_over, has_asked) in [(0, true, false), (1, false, true), (2, false, false)] {
            connections.add(Fake {
                number,
                is_over,
                has_asked,
            });
        }
        let mut gone = std::iter::from_fn(|| connections.give_way().map(|gone| gone.number));
        assert_eq!(gone.by_ref().collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn closed_ones_take_no_room() {
        let mut connections = full(|_| false);
        connections.open[2].is_over = true;
        assert_eq!(connections.make_room(), None);
    }
}
