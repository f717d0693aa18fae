//! No more of a text than a page can bear, whatever is in it.

use crate::pages::words::{indented, visible};

/// As much of a text as takes so many bytes in a page, and whether that is all of it.
pub(in crate::pages) struct Cut {
    pub(in crate::pages) text: String,
    pub(super) is_whole: bool,
    /// What it takes.
    pub(super) bytes: usize,
}

/// A text with everything seen that could play tricks.
pub(in crate::pages) fn seen(text: &str, max_bytes: usize) -> Cut {
    // No character takes less room than it has.
    let start = start(text, max_bytes);
    let cut = fit(&visible(start), max_bytes);
    Cut {
        is_whole: cut.is_whole && start.len() == text.len(),
        ..cut
    }
}

/// JSON over several lines, likewise.
pub(super) fn laid_out(json: &str, max_bytes: usize) -> Cut {
    let start = start(json, max_bytes);
    let cut = fit(&visible(&indented(start)), max_bytes);
    Cut {
        is_whole: cut.is_whole && start.len() == json.len(),
        ..cut
    }
}

fn start(text: &str, max_bytes: usize) -> &str {
    let end = text.floor_char_boundary(max_bytes);
    text.get(..end).unwrap_or_default()
}

fn fit(text: &str, max_bytes: usize) -> Cut {
    let mut bytes = 0;
    let end = text.char_indices().find(|(_, c)| {
        let more = in_page(*c);
        let fits = bytes + more <= max_bytes;
        bytes += if fits { more } else { 0 };
        !fits
    });
    let end = end.map(|(at, _)| at);
    Cut {
        bytes,
        text: end.and_then(|end| text.get(..end)).unwrap_or(text).to_owned(),
        is_whole: end.is_none(),
    }
}

/// Bytes of a character where markup is escaped.
fn in_page(c: char) -> usize {
    match c {
        '&' => "&amp;".len(),
        '<' | '>' => "&lt;".len(),
        '"' => "&quot;".len(),
        other => other.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use maud::html;

    #[test]
    fn what_a_text_takes_in_a_page_is_bounded_whatever_is_in_it() {
        for text in [
            "\"".repeat(5000),
            "\u{202e}".repeat(5000),
            "[".repeat(5000),
            "é<>&".repeat(2000),
            "\u{1b}".repeat(5000),
        ] {
            for cut in [seen(&text, 1000), laid_out(&text, 1000)] {
                let page = html! { (cut.text) }.into_string();
                assert!(page.len() <= 1000 && !cut.is_whole, "{}", page.len());
                assert_eq!(page.len(), cut.bytes);
            }
        }
    }

    #[test]
    fn what_is_short_stays_as_it_is() {
        let cut = seen("{\"a\":1}", 1000);
        assert_eq!((cut.text.as_str(), cut.is_whole), ("{\"a\":1}", true));
        let cut = laid_out("{\"a\":1}", 1000);
        assert_eq!((cut.text.as_str(), cut.is_whole), ("{\n  \"a\": 1\n}", true));
        assert!(seen("", 0).is_whole);
    }
}
