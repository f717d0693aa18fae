//! Inputs that are kept, changed as people and machines get them wrong.

use crate::random::Random;

/// What may come of an input.
#[derive(Debug, Clone, Copy)]
pub struct Mutations<'a> {
    /// Pieces that mean something in this kind of text.
    pub words: &'a [&'a str],
    /// Bytes that it may grow to, by and large.
    pub max_bytes: usize,
}

/// What means something to nearly every reader of text.
const ODD: [&str; 28] = [
    "",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\0",
    "\u{7f}",
    "\u{80}",
    "\u{feff}",
    "\u{202e}",
    "\u{2028}",
    "é",
    "ß",
    "İ",
    "日",
    "👩‍👩‍👧",
    "\u{fffd}",
    "\"",
    "'",
    "\\",
    "%",
    "%00",
    "{}",
    "-",
    "0",
    "-1",
    "18446744073709551616",
    "1e999",
];

/// One of the inputs, changed in none, one or several places.
///
/// # Panics
/// Where there are no inputs.
#[must_use]
pub fn mutated(random: &mut Random, inputs: &[String], mutations: Mutations<'_>) -> String {
    let mut text = inputs[random.below(inputs.len())].clone();
    // As it is one time in sixteen, in one place more often than in five.
    let places = [0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 5, 8][random.below(16)];
    for _ in 0..places {
        change(random, &mut text, inputs, mutations);
    }
    text
}

fn change(random: &mut Random, text: &mut String, inputs: &[String], mutations: Mutations<'_>) {
    let (start, end) = (place(random, text), place(random, text));
    let (start, end) = (start.min(end), start.max(end));
    // Mostly a few letters, and not half of it.
    let end = if random.one_in(4) {
        end
    } else {
        boundary(text, end.min(start + 1 + random.below(8)))
    };
    let end = end.max(start);
    match random.below(10) {
        0 => text.replace_range(start..end, ""),
        1 => text.replace_range(start..end, random.pick(&ODD)),
        2 => text.insert_str(start, random.pick(&ODD)),
        3 | 4 if !mutations.words.is_empty() => text.replace_range(start..end, random.pick(mutations.words)),
        5 | 6 if !mutations.words.is_empty() => text.insert_str(start, random.pick(mutations.words)),
        7 => {
            let other = &inputs[random.below(inputs.len())];
            let rest = place(random, other);
            text.truncate(start);
            text.push_str(&other[rest..]);
        }
        8 => {
            let piece = text[start..end].to_owned();
            let times = [1, 2, 3, 10, 100, 1000][random.below(6)];
            let room = mutations.max_bytes.saturating_sub(text.len());
            let times = times.min(room / piece.len().max(1));
            text.insert_str(start, &piece.repeat(times));
        }
        _ => {
            let letter = char::from(random.octet() & 0x7f);
            text.replace_range(
                start..boundary(text, start + 1).max(start),
                letter.encode_utf8(&mut [0; 4]),
            );
        }
    }
    if text.len() > 2 * mutations.max_bytes {
        text.truncate(boundary(text, mutations.max_bytes));
    }
}

/// Somewhere between two characters, the ends included.
fn place(random: &mut Random, text: &str) -> usize {
    boundary(text, random.below(text.len() + 1))
}

/// The last place between two characters that is not behind this one.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_stay_within_their_bounds_and_become_others() {
        let inputs = ["https://example.com/hooks".to_owned(), "日本語".to_owned()];
        let mutations = Mutations {
            words: &["@", "%2e"],
            max_bytes: 100,
        };
        let mut random = Random::new(1);
        let made: Vec<String> = (0..1000)
            .map(|_| mutated(&mut random, &inputs, mutations))
            .collect();
        assert!(made.iter().all(|text| text.len() <= 200));
        let distinct: std::collections::BTreeSet<&String> = made.iter().collect();
        assert!(distinct.len() > 700, "{}", distinct.len());
        assert!(made.contains(&inputs[0]), "some are left as they are");
    }
}
