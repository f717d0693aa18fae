//! Which connection goes where there is room for no more: not one of those that ask again and again, as long as somebody holds
//! connections and asks for nothing, or holds more than anybody else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// How long a connection may be without its first request before it counts as held for nothing.
const SPEAKS_WITHIN: Duration = Duration::from_secs(1);

/// A connection, as it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// The network at its other end.
    pub(crate) peer: IpAddr,
    /// How long ago it was made.
    pub(crate) age: Duration,
    /// How long it has had no request in hand; none while it has one.
    pub(crate) idle: Option<Duration>,
    /// Whether it ever sent a request.
    pub(crate) has_spoken: bool,
}

/// The one that goes.
pub(crate) fn first_to_go(all: &[Standing]) -> Option<usize> {
    let oldest_of = |is_meant: &dyn Fn(&Standing) -> bool| {
        let meant = all.iter().enumerate().filter(|(_, one)| is_meant(one));
        meant
            .max_by_key(|(_, one)| (one.idle, one.age))
            .map(|(index, _)| index)
    };
    let is_mute = |one: &Standing| !one.has_spoken && one.age >= SPEAKS_WITHIN;
    let largest = largest_peer(all);
    let is_of_largest = |one: &Standing| Some(one.peer) == largest;
    oldest_of(&|one| one.idle.is_some() && is_mute(one))
        .or_else(|| oldest_of(&|one| one.idle.is_some() && is_of_largest(one)))
        .or_else(|| oldest_of(&|one| one.idle.is_some()))
        .or_else(|| oldest_of(&is_of_largest))
        .or_else(|| oldest_of(&|_| true))
}

/// Whoever has most connections, if that is more than one.
fn largest_peer(all: &[Standing]) -> Option<IpAddr> {
    let mut counts: HashMap<IpAddr, usize> = HashMap::new();
    for one in all {
        *counts.entry(one.peer).or_default() += 1;
    }
    let largest = counts.values().copied().max().filter(|count| *count > 1)?;
    let has_largest = |(peer, count): (IpAddr, usize)| (count == largest).then_some(peer);
    counts.into_iter().filter_map(has_largest).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(peer: u8, age_s: u64, idle_s: Option<u64>, has_spoken: bool) -> Standing {
        Standing {
            peer: IpAddr::from([10, 0, 0, peer]),
            age: Duration::from_secs(age_s),
            idle: idle_s.map(Duration::from_secs),
            has_spoken,
        }
    }

    #[test]
    fn who_never_asked_goes_before_who_has_been_there_longest() {
        let all = [
            standing(1, 900, Some(800), true),
            standing(2, 5, Some(5), false),
            standing(2, 9, Some(9), false),
            standing(3, 0, Some(0), false),
        ];
        assert_eq!(first_to_go(&all), Some(2));
    }

    #[test]
    fn then_one_of_whoever_has_most_and_only_then_the_oldest() {
        let faithful = standing(1, 900, Some(800), true);
        let all = [
            faithful,
            standing(2, 5, Some(3), true),
            standing(2, 9, Some(2), true),
            standing(3, 0, Some(0), false),
        ];
        assert_eq!(first_to_go(&all), Some(1));
        let all = [
            standing(2, 9, Some(2), true),
            faithful,
            standing(3, 5, Some(3), true),
        ];
        assert_eq!(first_to_go(&all), Some(1));
    }

    #[test]
    fn where_all_are_busy_whoever_has_most_gives_one_up() {
        let all = [
            standing(1, 900, None, true),
            standing(2, 5, None, true),
            standing(2, 9, None, true),
        ];
        assert_eq!(first_to_go(&all), Some(2));
        assert_eq!(first_to_go(&all[..2]), Some(0));
        assert_eq!(first_to_go(&[]), None);
    }
}
