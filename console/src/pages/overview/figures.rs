//! The figures of a time, and those of this moment.

use hookline_store::{Backlog, Counts};
use maud::{Markup, html};

use super::super::charts::Unit;
use super::super::words::{grouped, time};

/// What happened in the time that charts show, and what is left of it.
pub(super) fn figures(total: &Counts, backlog: &Backlog, failed_path: Option<&str>) -> Markup {
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
            (figure("Waiting for another attempt", &html! {
                (grouped(backlog.retrying))
                @if let Some(oldest) = backlog.oldest_at { span.hint { " oldest from " (time(oldest)) } }
            }))
            (figure("Failed for good", &html! {
                @match failed_path {
                    Some(path) if backlog.failed > 0 => a href=(path) { (grouped(backlog.failed)) },
                    _ => (grouped(backlog.failed)),
                }
            }))
        }
    }
}

fn figure(name: &str, value: &Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}
