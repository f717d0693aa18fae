//! What lists of deliveries and of dead letters are narrowed by, read alike in both.

use hookline_catalogue::Catalogue;
use jiff::Timestamp;

use crate::problem::Problem;

/// What is wrong with which member.
pub(super) fn field(name: &str, error: impl std::fmt::Display) -> Problem {
    Problem::invalid(format!("{name}: {error}"))
}

/// The name by which Hookline knows a type that is asked for by one of its names; a text that is none stays as it is.
pub(super) fn type_name<'a>(catalogue: &'a Catalogue, text: &'a str) -> &'a str {
    catalogue.find(text).map_or(text, |info| info.name.as_str())
}

/// From when, and until when.
pub(super) type Span = (Option<Timestamp>, Option<Timestamp>);

/// Both times, of which each may be missing; a span in which nothing can lie is refused.
pub(super) fn span(since: Option<String>, until: Option<String>) -> Result<Span, Problem> {
    let since = since.map(|text| time("since", &text)).transpose()?;
    let until = until.map(|text| time("until", &text)).transpose()?;
    match (since, until) {
        (Some(since), Some(until)) if since >= until => {
            Err(field("until", "must be after `since`; nothing lies between them"))
        }
        span => Ok(span),
    }
}

fn time(name: &str, text: &str) -> Result<Timestamp, Problem> {
    let wanted = "must be an RFC 3339 time, like 2030-01-15T14:30:00Z";
    text.parse().map_err(|_| field(name, wanted))
}
