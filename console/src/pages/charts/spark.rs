//! A day as small as a word: what was delivered and what failed, hour by hour.

use hookline_store::{Counts, CountsAt};
use jiff::Timestamp;
use maud::{Markup, html};

use super::super::words::{count, grouped};
use super::bars::bars;
use super::scale::{Scale, Unit};
use super::series::{Series, highest_together};
use super::steps::Steps;

/// Hours of a day, the last one of which has only begun.
pub(in crate::pages) const HOURS: u32 = 24;

/// The last 24 hours of an endpoint, up to `now`; `nothing` is what is said where no event was counted.
pub(in crate::pages) fn spark(hours: &[CountsAt], now: Timestamp, nothing: &str) -> Markup {
    let steps = Steps::fill(Steps::begin(now, 3_600, HOURS), 3_600, HOURS, hours);
    let total = steps.total();
    if total.attempts == 0 {
        return html! { span.hint { (nothing) } };
    }
    let values = |of: fn(&Counts) -> u64| -> Vec<Option<f64>> {
        steps
            .all
            .iter()
            .map(|step| Some(amount(of(&step.counts))))
            .collect()
    };
    let series = [
        Series {
            class: "delivered",
            word: "delivered",
            values: values(|counts| counts.delivered),
        },
        Series {
            class: "failed",
            word: "failed attempts",
            values: values(Counts::failed_attempts),
        },
    ];
    let told = format!(
        "In 24 hours {} delivered, {} failed",
        grouped(total.delivered),
        count(total.failed_attempts(), "attempt")
    );
    let scale = Scale::up_to(highest_together(&series), Unit::Count);
    html! {
        svg.spark viewBox={ "0 0 " (HOURS) " 100" } preserveAspectRatio="none" role="img" aria-label=(told) {
            title { (told) }
            path.grid d={ "M0 100H" (HOURS) } {}
            (bars(&series, scale))
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn amount(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_told_in_words_as_well() {
        let now: Timestamp = "2030-01-15T14:37:12Z".parse().unwrap();
        let at = |at: &str, attempts, delivered| CountsAt {
            at: at.parse().unwrap(),
            counts: Counts {
                attempts,
                delivered,
                ..Counts::default()
            },
        };
        let hours = [
            at("2030-01-14T14:00:00Z", 100, 100),
            at("2030-01-14T15:00:00Z", 1_300, 1_204),
            at("2030-01-15T14:00:00Z", 1, 0),
        ];
        let html = spark(&hours, now, "no events").into_string();
        assert!(
            html.contains("In 24 hours 1,204 delivered, 97 attempts failed"),
            "{html}"
        );
        assert!(
            html.contains("M0.1 ") && html.contains("M23.1 "),
            "first and last hour: {html}"
        );
        let nothing = spark(&[], now, "test events only").into_string();
        assert!(nothing.contains("test events only"), "{nothing}");
    }
}
