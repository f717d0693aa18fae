//! A retry of many: how far it has come, and what became of what was sent. It is the same after a reload, and keeps itself true
//! where scripts run.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_store::RetryState;
use maud::{Markup, html};

use crate::api::failed::RetryOf;
use crate::app::App;
use crate::auth::Tenant;
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::parts::{badge, head};
use crate::pages::problems::deliveries;
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;
use crate::pages::words::{grouped, time};

pub(in crate::pages) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    RetryOf(id): RetryOf,
) -> Result<Response, Refused> {
    let state = app.store().retry_state(&tenant.company, &id).await?;
    let list = path(&tenant.company, "failed");
    let here = format!("{list}/retries/{}", state.id);
    let title = format!("Retry of {}", deliveries(state.total));
    let body = html! {
        (head(&[(&list, "Failed")], &title, &html! {}))
        div #retry data-renew=[is_open(&state).then_some("2")] {
            (told(&state, &here))
        }
        p.actions { a.button href=(list) { "Back to failed deliveries" } }
    };
    let page = Page {
        visitor: &visitor,
        place: Place::Failed,
        title: &title,
        body,
    };
    Ok(page.into_response())
}

/// Whether anything can still change.
fn is_open(state: &RetryState) -> bool {
    state.finished_at.is_none() || state.under_way() > 0
}

fn told(state: &RetryState, here: &str) -> Markup {
    let (kind, word) = match (state.finished_at, state.under_way(), state.failed_again) {
        (None, ..) => ("warn", "sending"),
        (Some(_), 1.., _) => ("warn", "under way"),
        (Some(_), 0, 1..) => ("bad", "done, with failures"),
        (Some(_), 0, 0) => ("good", "done"),
    };
    // What was not there any more when its turn came.
    let missed = state
        .finished_at
        .map_or(0, |_| state.total.saturating_sub(state.done));
    let rows = [
        (
            "good",
            "Delivered",
            state.delivered,
            "They are no longer listed as failed.",
        ),
        (
            "bad",
            "Failed again",
            state.failed_again,
            "They are listed as failed once more.",
        ),
        (
            "warn",
            "Under way",
            state.under_way(),
            "Their attempt, or the wait before the next one, goes on.",
        ),
        (
            "idle",
            "Left otherwise",
            state.left_otherwise,
            "Discarded since, or sent by a later retry.",
        ),
        (
            "idle",
            "Not sent",
            missed,
            "Delivered, discarded or retried by somebody else before their turn came.",
        ),
        (
            "idle",
            "Skipped",
            state.skipped,
            "Their endpoint was paused, disabled or removed: they stay as they are.",
        ),
    ];
    let is_told = |number: usize, count: u64| number < 3 || count > 0;
    html! {
        p.verdict role="status" { (badge(kind, word)) span { (in_words(state)) } }
        progress.progress max=(state.total.max(1)) value=(if state.total == 0 { 1 } else { state.done }) aria-label="Sent" {}
        p.hint {
            (grouped(state.done)) " of " (grouped(state.total)) " sent. Asked for " (time(state.created_at))
            @if let Some(at) = state.finished_at { ", the last one sent " (time(at)) } "."
        }
        table.fitting {
            thead { tr { th scope="col" { "What became of them" } th.number scope="col" { "Deliveries" } th scope="col" { span.sr { "What that means" } } } }
            tbody {
                @for (number, (kind, name, count, meaning)) in rows.into_iter().enumerate() {
                    @if is_told(number, count) {
                        tr {
                            th scope="row" { (badge(if count > 0 { kind } else { "idle" }, name)) }
                            td.number { (grouped(count)) }
                            td.wide.hint { (meaning) }
                        }
                    }
                }
            }
        }
        @if is_open(state) {
            p.hint.needs-script { "Live: this page keeps itself up to date, and rests while you point at it." }
            p.without-scripts { a.button href=(here) { "Look again" } }
        }
    }
}

fn in_words(state: &RetryState) -> String {
    let failed = state.failed_again;
    match (state.finished_at, state.under_way()) {
        (None, _) => "They are being sent; this goes on if you leave the page.".to_owned(),
        (Some(_), 0) if state.done == 0 => "Nothing was sent.".to_owned(),
        (Some(_), 0) if state.delivered == state.total => match state.total {
            1 => "It was delivered.".to_owned(),
            _ => "All of them were delivered.".to_owned(),
        },
        (Some(_), 0) if failed == 0 => "Nothing of it is under way any more.".to_owned(),
        (Some(_), 0) => {
            let which = if failed == 1 { "it" } else { "each" };
            format!(
                "{} failed again. Open {which} in the list of failed deliveries to see why.",
                deliveries(failed)
            )
        }
        (Some(_), open) => {
            let sent = match (state.done, state.total) {
                (done, total) if done == total => "All were sent".to_owned(),
                (done, total) => format!("{} of {} were sent", grouped(done), grouped(total)),
            };
            let verb = if open == 1 { "is" } else { "are" };
            format!("{sent}, and {} {verb} still under way.", grouped(open))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(done: u64, delivered: u64, failed_again: u64, is_finished: bool) -> RetryState {
        RetryState {
            id: "rty_1".to_owned(),
            created_at: jiff::Timestamp::UNIX_EPOCH,
            total: 10,
            done,
            delivered,
            failed_again,
            left_otherwise: 1,
            skipped: 0,
            finished_at: is_finished.then_some(jiff::Timestamp::UNIX_EPOCH),
        }
    }

    #[test]
    fn it_is_told_what_became_of_them() {
        for (state, word, sentence, is_live) in [
            (state(4, 0, 0, false), "sending", "being sent", true),
            (
                state(10, 3, 2, true),
                "under way",
                "All were sent, and 4 are still under way",
                true,
            ),
            (
                state(10, 8, 0, true),
                "under way",
                "All were sent, and 1 is still under way",
                true,
            ),
            (
                state(8, 5, 1, true),
                "under way",
                "8 of 10 were sent, and 1 is still under way",
                true,
            ),
            (
                state(10, 7, 2, true),
                "done, with failures",
                "2 deliveries failed again. Open each in the list of failed deliveries to see why.",
                false,
            ),
            (
                state(10, 8, 1, true),
                "done, with failures",
                "1 delivery failed again. Open it in the list of failed deliveries to see why.",
                false,
            ),
            (state(10, 9, 0, true), "done", "Nothing of it is under way", false),
            (state(8, 7, 0, true), "done", "Nothing of it is under way", false),
            (
                state(10, 10, 0, true),
                "done",
                "All of them were delivered",
                false,
            ),
        ] {
            let page = told(&state, "/here").into_string();
            assert!(
                page.contains(&format!(">{word}<")) && page.contains(sentence),
                "{page}"
            );
            assert_eq!(page.contains("Live:"), is_live, "{page}");
            assert_eq!(page.contains("Not sent"), is_finished_early(&state), "{page}");
        }
    }

    fn is_finished_early(state: &RetryState) -> bool {
        state.finished_at.is_some() && state.done < state.total
    }

    #[test]
    fn more_is_never_known_than_was_sent() {
        assert_eq!(state(3, 3, 3, false).under_way(), 0);
    }
}
