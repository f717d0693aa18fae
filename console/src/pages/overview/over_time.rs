//! The charts: what arrives, what part of it, and how fast receivers answer.

use hookline_store::{Counts, Histogram};
use maud::{Markup, html};

use super::super::charts::{Chart, Kind, Series, Steps, Unit};
use super::super::words::{count, grouped};
use super::window::Window;

/// All three over the same steps.
pub(super) fn charts(steps: &Steps, window: Window) -> Markup {
    let total = steps.total();
    html! {
        div.charts {
            (amounts(steps, &total, window))
            (success(steps, &total, window))
            (answers(steps, &total.answers, window))
        }
    }
}

fn amounts(steps: &Steps, total: &Counts, window: Window) -> Markup {
    let answer = format!(
        "{} delivered, {} failed",
        grouped(total.delivered),
        count(total.failed_attempts(), "attempt")
    );
    let amount =
        |of: fn(&Counts) -> u64| values(steps, |counts| (counts.attempts > 0).then(|| amount(of(counts))));
    let series = [
        series("delivered", "delivered", amount(|counts| counts.delivered)),
        series("failed", "attempts that failed", amount(Counts::failed_attempts)),
    ];
    let chart = Chart {
        id: "amounts",
        question: "How much is delivered, and how many attempts fail?",
        answer: &format!("{answer} in {}.", window.words()),
        axis: window.per_step(),
        unit: Unit::Count,
        kind: Kind::Bars,
        steps,
        series: &series,
    };
    chart.draw()
}

fn success(steps: &Steps, total: &Counts, window: Window) -> Markup {
    let answer = match total.success() {
        Some(part) => format!("{} in {}.", Unit::Part.tell(part), window.words()),
        None => "No attempt was made.".to_owned(),
    };
    let series = [series("success", "succeeded", values(steps, Counts::success))];
    let chart = Chart {
        id: "success",
        question: "What part of the attempts succeeds?",
        answer: &answer,
        axis: "of all attempts",
        unit: Unit::Part,
        kind: Kind::Lines,
        steps,
        series: &series,
    };
    chart.draw()
}

fn answers(steps: &Steps, total: &Histogram, window: Window) -> Markup {
    let answer = match (total.percentile_ms(0.5), total.percentile_ms(0.95)) {
        (Some(half), Some(most)) => format!(
            "Half within {}, 95 % within {} in {}.",
            Unit::Milliseconds.tell(half),
            Unit::Milliseconds.tell(most),
            window.words()
        ),
        _ => "No attempt was answered.".to_owned(),
    };
    let percentile = |part| values(steps, |counts| counts.answers.percentile_ms(part));
    let series = [
        series("p50", "half within", percentile(0.5)),
        series("p95", "95 % within", percentile(0.95)),
    ];
    let chart = Chart {
        id: "answers",
        question: "How fast do receivers answer?",
        answer: &answer,
        axis: "time to the answer",
        unit: Unit::Milliseconds,
        kind: Kind::Lines,
        steps,
        series: &series,
    };
    chart.draw()
}

fn series(class: &'static str, word: &'static str, values: Vec<Option<f64>>) -> Series {
    Series { class, word, values }
}

fn values(steps: &Steps, of: impl Fn(&Counts) -> Option<f64>) -> Vec<Option<f64>> {
    steps.all.iter().map(|step| of(&step.counts)).collect()
}

#[allow(clippy::cast_precision_loss)]
fn amount(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use hookline_store::CountsAt;

    use super::*;

    #[test]
    fn a_full_week_of_three_charts_is_a_part_of_what_a_page_may_weigh() {
        let (step_s, number) = Window::Hour.steps();
        let begin = "2030-01-15T14:00:00Z".parse().unwrap();
        let mut counts = Counts {
            attempts: 1_300_000,
            delivered: 1_204_000,
            ..Counts::default()
        };
        (0..1_000).for_each(|number| counts.answers.add(number * 7));
        let mut steps = Steps::fill(begin, step_s, number, &[]);
        for step in &mut steps.all {
            *step = CountsAt { at: step.at, counts };
        }
        let html = charts(&steps, Window::Hour).into_string();
        assert!(html.len() < 60_000, "{}", html.len());
        assert!(html.contains("92.6 % in the last hour."), "{html}");
        assert!(html.contains("72,240,000 delivered, 5,760,000 attempts failed in the last hour."));
    }

    #[test]
    fn a_time_without_attempts_says_so() {
        let begin = "2030-01-15T14:00:00Z".parse().unwrap();
        let html = charts(&Steps::fill(begin, 60, 60, &[]), Window::Hour).into_string();
        for told in [
            "0 delivered, 0 attempts failed in the last hour.",
            "No attempt was made.",
            "No attempt was answered.",
        ] {
            assert!(html.contains(told), "{told}");
        }
    }
}
