//! A text as one word of a command line, whatever is in it: for bash, zsh and other shells of their kind.

use std::fmt::Write as _;

use super::words::visible;

/// The word. Where all of the text can be seen it stands in single quotes, in which no shell looks for anything; else the bytes
/// that cannot be seen are written as numbers, so that what is copied from a page is what was meant.
pub(super) fn quoted(text: &str) -> String {
    if visible(text) == text {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut word = String::from("$'");
    for c in text.chars() {
        let mut buffer = [0; 4];
        let own: &str = c.encode_utf8(&mut buffer);
        match c {
            '\\' => word.push_str(r"\\"),
            '\'' => word.push_str(r"\'"),
            '\n' => word.push_str(r"\n"),
            '\t' => word.push_str(r"\t"),
            _ if visible(own) == own => word.push(c),
            _ => {
                for byte in own.bytes() {
                    // Three digits, so that none that follows belongs to it.
                    let _written = write!(word, "\\{byte:03o}");
                }
            }
        }
    }
    word.push('\'');
    word
}
