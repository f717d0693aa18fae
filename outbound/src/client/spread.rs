//! Numbers that follow each other, made into numbers that lie far apart. Pure.

/// The golden ratio's part of 2⁶⁴: multiples of it fall evenly over all numbers, and so do those of every second, third …
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// One of 65,536 numbers, all as often.
pub(super) fn spread(number: u64) -> u16 {
    let [high, low, ..] = number.wrapping_mul(GOLDEN).to_be_bytes();
    u16::from_be_bytes([high, low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parts_come_up_as_often_also_for_every_second_number() {
        for step in [1, 2, 3, 7] {
            let mut counts = [0_u32; 8];
            for number in 0..800 {
                counts[usize::from(spread(number * step)) * 8 / 65_536] += 1;
            }
            assert!(
                counts.iter().all(|count| (80..=120).contains(count)),
                "{step}: {counts:?}"
            );
        }
        let rests = |number| usize::from(spread(number)) % 4;
        assert!((0..4).all(|rest| (0..64).any(|number| rests(number * 2) == rest)));
    }
}
