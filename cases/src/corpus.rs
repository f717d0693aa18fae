//! Inputs that are kept in text files: those to begin from, and every one that once failed.

/// The inputs of a file that has one on each line. Empty lines, and those that begin with `// `, are none. `\n`, `\r`, `\t`, `\0`,
/// `\\` and `\u{…}` stand for what they do in Rust.
///
/// # Panics
/// Where an escape is none of these.
#[must_use]
pub fn lines(file: &str) -> Vec<String> {
    let lines = file
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("// "));
    lines.map(unescaped).collect()
}

/// The inputs of a file that has several lines for each, divided by lines of `====`. What stands on the dividing line behind that
/// says what it is.
#[must_use]
pub fn blocks(file: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    for line in file.split_inclusive('\n') {
        if line.starts_with("====") {
            blocks.push(String::new());
        } else if let Some(block) = blocks.last_mut() {
            block.push_str(line);
        }
    }
    blocks
}

#[expect(clippy::panic, reason = "a corpus that cannot be read is a fault of the test")]
fn unescaped(line: &str) -> String {
    let mut text = String::new();
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            text.push(letter);
            continue;
        }
        text.push(match letters.next() {
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('0') => '\0',
            Some('\\') => '\\',
            Some('u') => {
                let digits: String = letters
                    .by_ref()
                    .skip(1)
                    .take_while(|letter| *letter != '}')
                    .collect();
                let letter = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                letter.unwrap_or_else(|| panic!("no such character in {line:?}"))
            }
            _ => panic!("no such escape in {line:?}"),
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_an_input_and_may_hold_what_no_line_can() {
        assert_eq!(lines("// why\na\\tb\\u{e9}\\\\\n\nc#\n"), ["a\tbé\\", "c#"]);
    }

    #[test]
    fn a_block_is_an_input_with_all_its_lines() {
        assert_eq!(blocks("why\n==== first\na\n\nb\n==== second\n"), ["a\n\nb\n", ""]);
    }
}
