//! Sends failed deliveries again: first says how many, how fast and which ones stay, then does it.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use hookline_common::endpoint::Rate;
use hookline_store::EndpointLetters;
use maud::{Markup, html};

use super::by_endpoint::{sum, table};
use super::chosen::Chosen;
use super::filter::Filter;
use crate::app::App;
use crate::auth::Tenant;
use crate::pages::endpoints::list::all;
use crate::pages::fields::Fields;
use crate::pages::layout::Page;
use crate::pages::navigation::{Place, path};
use crate::pages::parts::{head, see};
use crate::pages::problems::deliveries;
use crate::pages::refused::Refused;
use crate::pages::visitor::Visitor;

pub(in crate::pages) async fn retry(
    State(app): State<App>,
    visitor: Visitor,
    tenant: Tenant,
    fields: Fields,
) -> Result<Response, Refused> {
    let list = path(&tenant.company, "failed");
    let Some(chosen) = Chosen::read(&fields) else {
        return Ok(see(&format!(
            "{list}{}",
            Filter::of(&fields).query(&[("none", "1")])
        )));
    };
    let catalogue = &app.settings().catalogue;
    let (open, any) = (chosen.meant(catalogue, true)?, chosen.meant(catalogue, false)?);
    let store = app.store();
    let (of_open, of_any) = tokio::try_join!(
        store.count_dead_letters(&tenant.company, &open),
        store.count_dead_letters(&tenant.company, &any)
    )?;
    let can_be_sent = |letters: &&EndpointLetters| letters.can_be_sent_to;
    let (count, again) = (
        sum(of_open.iter().filter(can_be_sent)),
        sum(of_any.iter().filter(can_be_sent)),
    );
    // A single row's button says all there is to ask.
    let is_agreed = chosen.is_sure || chosen.is_one;
    let wanted = if chosen.is_again { again } else { count };
    if is_agreed && wanted > 0 {
        let meant = if chosen.is_again { any } else { open };
        let job = store.create_retry(&tenant.company, &meant, &tenant.actor).await?;
        app.retries_asked().notify_one();
        // All of them may have gone since they were counted.
        return Ok(see(&job
            .id
            .map_or(list.clone(), |id| format!("{list}/retries/{id}"))));
    }
    let back = format!("{list}{}", chosen.filter.query(&[]));
    let endpoints = all(&app, &tenant.company).await?;
    let under_way = again.saturating_sub(count);
    let rate = app.settings().manual_retry_rate;
    let title = if again == 0 {
        "Nothing can be sent again"
    } else {
        "Retry failed deliveries?"
    };
    let body = html! {
        (head(&[(&back, "Failed")], title, &html! {}))
        @if count > 0 { (told(&of_open, rate)) }
        @if !of_any.is_empty() {
            (table(&tenant.company, if count > 0 { &of_open } else { &of_any }, &endpoints, Some("are sent again")))
        } @else {
            p { "What was chosen is not there any more: it was delivered or discarded meanwhile." }
        }
        form.stack method="post" action={ (list) "/retry" } {
            (visitor.proof())
            (chosen.hidden())
            @if under_way > 0 {
                p.notice.warn {
                    (deliveries(under_way)) " of those chosen " (if under_way == 1 { "was" } else { "were" })
                    " retried already and " (if under_way == 1 { "has" } else { "have" })
                    " not come back: still under way, and left out. Sent again, they may be delivered twice."
                }
                label.inline {
                    input type="checkbox" name="again" value="1";
                    "Send them again all the same"
                }
            }
            div.actions {
                @if again > 0 {
                    // How many it is depends on the box above, where there is one.
                    button.primary type="submit" { "Retry" @if under_way == 0 { " " (deliveries(count)) } }
                }
                a.button href=(back) { "Back" }
            }
        }
    };
    let page = Page {
        visitor: &visitor,
        place: Place::Failed,
        title,
        body,
    };
    Ok(page.into_response())
}

/// "This sends 214 failed deliveries again, at most 100 a second for each endpoint."
fn told(letters: &[EndpointLetters], rate: Rate) -> Markup {
    let sent = letters.iter().filter(|letters| letters.can_be_sent_to);
    let longest = sent.clone().map(|letters| letters.count).max().unwrap_or(0);
    let count = sum(sent);
    let failed = deliveries(count).replacen(' ', " failed ", 1);
    html! {
        p {
            strong { "This sends " (failed) " again, at most " (in_words(rate)) " for each endpoint" (takes(longest, rate)) "." }
            " Each gets the whole schedule of attempts once more, with the same event id; what fails again comes back here."
        }
    }
}

/// `100 a second`.
fn in_words(rate: Rate) -> String {
    let text = rate.to_string();
    let Some((number, unit)) = text.split_once('/') else {
        return text;
    };
    let unit = match unit {
        "s" => "a second",
        "m" => "a minute",
        _ => "an hour",
    };
    format!("{number} {unit}")
}

/// How long that takes, where it is worth a word.
#[expect(
    clippy::cast_precision_loss,
    reason = "what is told is rounded far more than that"
)]
fn takes(longest: u64, rate: Rate) -> String {
    let time = Duration::try_from_secs_f64(longest as f64 / rate.per_second()).unwrap_or(Duration::MAX);
    match time.as_secs() {
        0..5 => String::new(),
        seconds @ 5..100 => format!(", which takes about {seconds} s"),
        seconds @ 100..7_200 => format!(", which takes about {} min", seconds / 60),
        seconds => format!(", which takes about {} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_and_time_are_told_in_words() {
        for (rate, words) in [
            ("100/s", "100 a second"),
            ("0.5/m", "0.5 a minute"),
            ("7/h", "7 an hour"),
        ] {
            assert_eq!(in_words(Rate::parse(rate).unwrap()), words);
        }
        let rate = Rate::parse("100/s").unwrap();
        for (count, told) in [
            (499, ""),
            (500, ", which takes about 5 s"),
            (50_000, ", which takes about 8 min"),
            (5_000_000, ", which takes about 13 h"),
        ] {
            assert_eq!(takes(count, rate), told, "{count}");
        }
    }
}
