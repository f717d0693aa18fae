//! The figures of a time, and those of this moment.

use hookline_store::{Backlog, Counts};
use maud::{Markup, html};

use super::super::charts::Unit;
use super::super::words::{grouped, time};

/// What happened in the time that charts show, and what is left of it, where that is known.
pub(super) fn figures(total: &Counts, backlog: Option<&Backlog>, failed_path: Option<&str>) -> Markup {
    let percentile = |part| {
        let value = total.answers.percentile_ms(part);
        value.map_or_else(|| "–".to_owned(), |value| Unit::Milliseconds.tell(value))
    };
    let success = total.success();
    html! {
        dl.figures {
            (figure("Delivered", &html! { (grouped(total.delivered)) }))
            (figure("Attempts that failed", &html! { (grouped(total.failed_attempts())) }))
            (figure("Attempts that succeeded", &html! { @match success { Some(part) => (Unit::Part.tell(part)), None => "–" } }))
            (figure("Half answered within", &html! { (percentile(0.5)) }))
            (figure("95 % answered within", &html! { (percentile(0.95)) }))
            (figure("Waiting now for another attempt", &html! {
                @match backlog {
                    Some(backlog) => {
                        (grouped(backlog.retrying))
                        @if let Some(oldest) = backlog.oldest_at { span.hint { " oldest: " (time(oldest)) } }
                    },
                    None => span.hint { "not known" },
                }
            }))
            (figure("Failed for good, not yet retried", &html! {
                @match (backlog, failed_path) {
                    (Some(backlog), Some(path)) if backlog.failed > 0 => a href=(path) { (grouped(backlog.failed)) },
                    (Some(backlog), _) => (grouped(backlog.failed)),
                    (None, _) => span.hint { "not known" },
                }
            }))
        }
    }
}

fn figure(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_database_did_not_say_is_not_shown_as_nothing() {
        let shown =
            |backlog: Option<&Backlog>| figures(&Counts::default(), backlog, Some("/f")).into_string();
        assert_eq!(shown(None).matches("not known").count(), 2);
        let failed = Backlog {
            failed: 7,
            ..Backlog::default()
        };
        let known = shown(Some(&failed));
        assert!(
            known.contains("<a href=\"/f\">7</a>") && !known.contains("not known"),
            "{known}"
        );
    }
}
