//! A text in pieces that are parsed one by one: the parser takes up to fifty times the memory of what it parses, and a file may be long,
//! and anything.

/// Where a piece may end, in bytes: most files are shorter, and so are one piece.
const SHORTEST: usize = 128 << 10;
/// The longest piece that is parsed with all its faults, whatever it holds. What is longer has hardly been written as entries.
const LONG: usize = 2 * SHORTEST;
/// The longest piece that is parsed at all.
pub(super) const LONGEST: usize = 4 << 20;

/// A piece of a text. Each but the first begins with the header of an entry.
pub(super) struct Piece<'t> {
    pub(super) text: &'t str,
    /// Whether it goes on, for longer than is parsed. Then it is the last.
    pub(super) is_endless: bool,
}

impl<'t> Piece<'t> {
    /// Where it is so long that it may not be what it should be, the beginning of it.
    pub(super) fn beginning(&self) -> Option<&'t str> {
        (self.text.len() > LONG).then(|| beginning(self.text, LONG))
    }
}

/// The pieces of a text whose entries begin with `[[table]]`, which together are the text, up to one that is endless.
///
/// Such a line may also stand within a value of several lines, which would be cut through. No value that may be of several lines has a
/// use for it.
pub(super) struct Pieces<'t> {
    rest: &'t str,
    table: &'static str,
}

impl<'t> Pieces<'t> {
    pub(super) fn of(text: &'t str, table: &'static str) -> Self {
        Self { rest: text, table }
    }
}

impl<'t> Iterator for Pieces<'t> {
    type Item = Piece<'t>;

    fn next(&mut self) -> Option<Piece<'t>> {
        if self.rest.is_empty() {
            return None;
        }
        let end = header_behind(self.rest, SHORTEST, self.table).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        let is_endless = text.len() > LONGEST;
        self.rest = if is_endless { "" } else { rest };
        Some(Piece {
            text: beginning(text, LONGEST),
            is_endless,
        })
    }
}

/// At most so many bytes of `text`, in whole characters.
fn beginning(text: &str, max_bytes: usize) -> &str {
    &text[..text.floor_char_boundary(max_bytes)]
}

/// Where the first line begins behind `position` that is the header of an entry.
fn header_behind(text: &str, position: usize, table: &str) -> Option<usize> {
    let behind = text.as_bytes().get(position..)?;
    let mut start = position + behind.iter().position(|byte| *byte == b'\n')? + 1;
    for line in text[start..].split_inclusive('\n') {
        if is_header(line, table) {
            return Some(start);
        }
        start += line.len();
    }
    None
}

fn is_header(line: &str, table: &str) -> bool {
    const BLANKS: [char; 2] = [' ', '\t'];
    let name = line.trim_start_matches(BLANKS).strip_prefix("[[");
    let behind = name.and_then(|name| name.trim_start_matches(BLANKS).strip_prefix(table));
    behind.is_some_and(|behind| behind.trim_start_matches(BLANKS).starts_with("]]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(text: &str) -> Vec<usize> {
        Pieces::of(text, "thing").map(|piece| piece.text.len()).collect()
    }

    #[test]
    fn a_short_text_is_one_piece_and_no_text_is_none() {
        assert!(lengths("").is_empty());
        assert_eq!(lengths("[[thing]]\n[[thing]]\n"), [20]);
    }

    #[test]
    fn a_long_text_is_cut_before_headers_and_nothing_of_it_is_lost() {
        let text = "  [[ thing\t]] # é\r\na = 1\r\n".repeat(50_000);
        let pieces: Vec<&str> = Pieces::of(&text, "thing").map(|piece| piece.text).collect();
        assert!(pieces.len() > 5);
        assert_eq!(pieces.concat(), text);
        assert!(
            pieces
                .iter()
                .all(|piece| piece.starts_with("  [[") && piece.len() < LONG)
        );
    }

    #[test]
    fn only_the_header_of_an_entry_begins_a_piece() {
        let long = "#".repeat(SHORTEST);
        for other in [
            "[thing]",
            "[[things]]",
            "[[thin]]",
            "[[thing.a]]",
            "# [[thing]]",
            "a = [[thing]]",
            "[[thing\n]]",
            "[[",
        ] {
            assert_eq!(lengths(&format!("{long}\n{other}\n")).len(), 1, "{other}");
        }
        assert_eq!(lengths(&format!("{long}\n[[thing]]"))[1..], [9]);
        assert_eq!(lengths(&format!("{long}[[thing]]\n")).len(), 1);
    }

    #[test]
    fn what_does_not_end_is_cut_between_characters_and_is_the_last() {
        let text = format!("a{}\n[[thing]]\n", "é".repeat(LONGEST));
        let pieces: Vec<Piece<'_>> = Pieces::of(&text, "thing").collect();
        assert_eq!((pieces.len(), pieces[0].text.len()), (1, LONGEST - 1));
        assert!(pieces[0].is_endless);
        assert_eq!(pieces[0].beginning().map(str::len), Some(LONG - 1));
    }
}
