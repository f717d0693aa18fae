//! Which addresses of an answer are connected to. Pure.

use std::net::IpAddr;

/// Addresses of an answer that are used: more than receivers have, and few enough that a name with a thousand of them, made
/// to have us knock at as many doors, gets no further than one with a dozen.
const MAX_USED: usize = 16;
/// Addresses that one attempt connects to at most, one after the other. The next attempt begins with others.
pub(super) const MAX_CONNECTS: usize = 4;

/// The addresses that attempt number `turn` tries, in their order: IPv4 first, and of each family that there is at least one.
/// Where the answer has more than fit, those of the next turn are others, until all that are used have had theirs.
pub(super) fn to_try(answer: &[IpAddr], turn: usize) -> Vec<IpAddr> {
    let mut v4 = first_of(answer.iter().filter(|address| address.is_ipv4()));
    let mut v6 = first_of(answer.iter().filter(|address| address.is_ipv6()));
    // Half of the places are each family's own, and what one leaves is the other's.
    v4.truncate(MAX_USED - v6.len().min(MAX_USED / 2));
    v6.truncate(MAX_USED - v4.len());
    if v4.len() + v6.len() > MAX_CONNECTS {
        let own = usize::from(!v6.is_empty()).max(MAX_CONNECTS.saturating_sub(v4.len()));
        rotate(&mut v4, turn, MAX_CONNECTS - own);
        let left = MAX_CONNECTS - v4.len();
        rotate(&mut v6, turn, left);
    }
    v4.append(&mut v6);
    v4
}

/// The first that fit, each once.
fn first_of<'a>(addresses: impl Iterator<Item = &'a IpAddr>) -> Vec<IpAddr> {
    let mut first = Vec::new();
    for address in addresses {
        if first.len() < MAX_USED && !first.contains(address) {
            first.push(*address);
        }
    }
    first
}

/// Keeps `count` of them, each turn those that follow the last turn's.
fn rotate(addresses: &mut Vec<IpAddr>, turn: usize, count: usize) {
    if !addresses.is_empty() && addresses.len() > count {
        let begin = turn.wrapping_mul(count) % addresses.len();
        addresses.rotate_left(begin);
    }
    addresses.truncate(count);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn v4(count: u16) -> Vec<IpAddr> {
        (1..=count)
            .map(|number| {
                let [high, low] = number.to_be_bytes();
                IpAddr::from([192, 0, high, low])
            })
            .collect()
    }

    fn v6(count: u16) -> Vec<IpAddr> {
        (1..=count)
            .map(|number| IpAddr::from([0x2003, 0, 0, 0, 0, 0, 0, number]))
            .collect()
    }

    #[test]
    fn few_addresses_are_all_tried_in_the_order_of_the_answer() {
        for (four, six) in [(0, 0), (1, 0), (4, 0), (0, 4), (2, 2), (3, 1)] {
            let answer = [v4(four), v6(six)].concat();
            for turn in 0..3 {
                assert_eq!(to_try(&answer, turn), answer);
            }
        }
        let twice = [v4(2), v4(2)].concat();
        assert_eq!(to_try(&twice, 0), v4(2));
    }

    #[test]
    fn of_many_sixteen_are_used_and_four_a_turn_with_both_families_among_them() {
        for (four, six) in [
            (5, 0),
            (16, 0),
            (1000, 0),
            (0, 1000),
            (1000, 1000),
            (1, 9),
            (9, 1),
            (3, 3),
        ] {
            let answer = [v4(four), v6(six)].concat();
            let mut used = BTreeSet::new();
            for turn in 0..64 {
                let tried = to_try(&answer, turn);
                assert_eq!(tried.len(), MAX_CONNECTS, "{four} and {six}");
                assert!(tried.is_sorted_by_key(IpAddr::is_ipv6), "{tried:?}");
                for is_v4 in [true, false] {
                    let has = |addresses: &[IpAddr]| addresses.iter().any(|it| it.is_ipv4() == is_v4);
                    assert_eq!(has(&tried), has(&answer), "{four} and {six}: {tried:?}");
                }
                used.extend(tried);
            }
            assert_eq!(used.len(), answer.len().min(MAX_USED), "{four} and {six}");
        }
    }

    #[test]
    fn the_turn_may_be_any_number() {
        assert_eq!(to_try(&v4(7), usize::MAX).len(), MAX_CONNECTS);
    }
}
