//! One thing with its properties, a line each, the values below each other.

use crate::text::escape;

/// The lines of `fields`; those without a value are left out.
pub(super) fn lines(fields: &[(&str, Option<String>)]) -> Vec<String> {
    let there: Vec<_> = fields
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_ref()?)))
        .collect();
    let width = there.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    there
        .into_iter()
        .map(|(name, value)| format!("{name:width$}  {}", escape(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_line_up_and_move_no_cursor() {
        let fields = [
            ("id", Some("ep_1".to_owned())),
            ("description", None),
            ("company", Some("a\x1b[2J".to_owned())),
        ];
        assert_eq!(lines(&fields), ["id       ep_1", "company  a\\u{1b}[2J"]);
    }
}
