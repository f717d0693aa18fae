//! A chart with its words: the question, what each colour is, both axes, a note at every step, and a table of all of it.

use maud::{Markup, html};

use super::bars::bars;
use super::lines::lines;
use super::scale::{Scale, Unit};
use super::series::{Series, highest, highest_together};
use super::steps::Steps;

/// How values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pages) enum Kind {
    /// One on the other.
    Bars,
    /// Beside each other.
    Lines,
}

/// A chart over the steps of a time axis.
pub(in crate::pages) struct Chart<'a> {
    /// Names it in the page.
    pub(in crate::pages) id: &'static str,
    /// What it answers.
    pub(in crate::pages) question: &'static str,
    /// The answer over the whole time, in words.
    pub(in crate::pages) answer: &'a str,
    /// What the vertical axis measures.
    pub(in crate::pages) axis: &'a str,
    pub(in crate::pages) unit: Unit,
    pub(in crate::pages) kind: Kind,
    pub(in crate::pages) steps: &'a Steps,
    pub(in crate::pages) series: &'a [Series],
}

impl Chart<'_> {
    pub(in crate::pages) fn draw(&self) -> Markup {
        let highest = match self.kind {
            Kind::Bars => highest_together(self.series),
            Kind::Lines => highest(self.series),
        };
        let scale = Scale::up_to(highest, self.unit);
        let title = format!("{}-title", self.id);
        html! {
            figure.chart data-chart aria-labelledby=(title) {
                figcaption {
                    h2 id=(title) { (self.question) }
                    p.legend {
                        @for series in self.series { span class={ "key " (series.class) } { (series.word) } }
                        span.hint { (self.axis) ", times in UTC" }
                    }
                }
                p.readout data-readout { (self.answer) }
                div.plot {
                    div.y-axis aria-hidden="true" { @for tick in scale.ticks() { span { (tick) } } }
                    (self.picture(scale))
                    div.x-axis.long[self.has_days()] aria-hidden="true" { @for label in self.labels() { span { (label) } } }
                }
                (self.table())
            }
        }
    }

    fn picture(&self, scale: Scale) -> Markup {
        let width = self.steps.all.len();
        html! {
            svg viewBox={ "0 0 " (width) " 100" } preserveAspectRatio="none" role="img" aria-label={ (self.question) " " (self.answer) } {
                path.grid d={ "M0 0H" (width) "M0 50H" (width) "M0 100H" (width) } {}
                @match self.kind {
                    Kind::Bars => (bars(self.series, scale)),
                    Kind::Lines => (lines(self.series, scale)),
                }
                @for (number, step) in self.steps.all.iter().enumerate() {
                    rect.step x=(number) width="1" height="100" {
                        title { (self.steps.tell(step.at)) " UTC: " (self.note(number)) }
                    }
                }
            }
        }
    }

    /// What there is to tell of a step.
    fn note(&self, step: usize) -> String {
        let told = self.series.iter().filter_map(|series| {
            let value = series.values.get(step).copied().flatten()?;
            Some(format!("{} {}", series.word, self.unit.tell(value)))
        });
        let told: Vec<String> = told.collect();
        if told.is_empty() {
            "no attempt".to_owned()
        } else {
            told.join(", ")
        }
    }

    /// Whether it is so long that its times need their day.
    fn has_days(&self) -> bool {
        self.steps.step_s >= 10_800
    }

    /// The times at both ends and the quarters between them.
    fn labels(&self) -> Vec<String> {
        let quarter = self.steps.all.len() / 4;
        // A quarter of a week is no whole number of days, so a day alone would stand at the wrong place.
        let format = if self.has_days() { "%b %-d, %H:%M" } else { "%H:%M" };
        let quarters = (0..4).filter_map(|number| self.steps.all.get(number * quarter));
        let mut labels: Vec<String> = quarters
            .map(|step| step.at.strftime(format).to_string())
            .collect();
        labels.push("now".to_owned());
        labels
    }

    fn table(&self) -> Markup {
        let cell = |series: &Series, step: usize| {
            let value = series.values.get(step).copied().flatten();
            value.map_or_else(|| "–".to_owned(), |value| self.unit.tell(value))
        };
        let told = |step: &usize| {
            self.series
                .iter()
                .any(|series| series.values.get(*step).is_some_and(Option::is_some))
        };
        let steps: Vec<usize> = (0..self.steps.all.len()).filter(told).collect();
        html! {
            details id=(self.id) {
                summary { "As a table" }
                @if steps.is_empty() {
                    p.hint { "There is nothing in it: no attempt was made." }
                } @else {
                    div.table-frame tabindex="0" role="region" aria-label={ (self.question) " As a table" } {
                        table.dense {
                            thead { tr {
                                th scope="col" { "From (UTC)" }
                                @for series in self.series { th.number scope="col" { (series.word) } }
                            } }
                            tbody {
                                @for step in steps.into_iter().rev() {
                                    tr {
                                        @if let Some(at) = self.steps.all.get(step) { th scope="row" { (self.steps.tell(at.at)) } }
                                        @for series in self.series { td.number { (cell(series, step)) } }
                                    }
                                }
                            }
                        }
                    }
                    p.hint { "Latest first; what had no attempt is left out." }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hookline_store::{Counts, CountsAt};

    use super::*;

    fn drawn(values: Vec<Option<f64>>) -> String {
        let begin = "2030-01-15T14:00:00Z".parse().unwrap();
        let counts = Counts::default();
        let steps = Steps::fill(begin, 60, 60, &[CountsAt { at: begin, counts }]);
        let series = [
            Series {
                class: "delivered",
                word: "delivered",
                values: values.clone(),
            },
            Series {
                class: "failed",
                word: "failed",
                values,
            },
        ];
        let chart = Chart {
            id: "amounts",
            question: "How many?",
            answer: "A few.",
            axis: "per minute",
            unit: Unit::Count,
            kind: Kind::Bars,
            steps: &steps,
            series: &series,
        };
        chart.draw().into_string()
    }

    #[test]
    fn each_step_has_its_note_and_what_was_there_its_row() {
        let mut values = vec![None; 60];
        values[2] = Some(3.0);
        let html = drawn(values);
        assert!(
            html.contains("<title>14:02 UTC: delivered 3, failed 3</title>"),
            "{html}"
        );
        assert!(html.contains("<title>14:03 UTC: no attempt</title>"), "{html}");
        assert_eq!(html.matches("<tr>").count(), 2, "the head, and one row");
        for label in ["14:00", "14:15", "14:30", "14:45", "now"] {
            assert!(html.contains(&format!("<span>{label}</span>")), "{label}");
        }
        assert!(html.contains("per minute, times in UTC"), "{html}");
        assert!(!html.contains("style="), "the policy forbids it");
    }

    #[test]
    fn the_quarters_of_a_week_have_their_day_and_their_time() {
        let begin = "2030-01-08T15:00:00Z".parse().unwrap();
        let steps = Steps::fill(begin, 10_800, 56, &[]);
        let chart = Chart {
            id: "amounts",
            question: "How many?",
            answer: "None.",
            axis: "per 3 hours",
            unit: Unit::Count,
            kind: Kind::Bars,
            steps: &steps,
            series: &[],
        };
        assert_eq!(
            chart.labels(),
            [
                "Jan 8, 15:00",
                "Jan 10, 09:00",
                "Jan 12, 03:00",
                "Jan 13, 21:00",
                "now"
            ]
        );
    }

    #[test]
    fn a_full_chart_leaves_room_for_others_on_its_page() {
        let html = drawn(vec![Some(123_456.0); 60]);
        assert!(html.len() < 20_000, "{}", html.len());
        assert!(drawn(vec![None; 60]).contains("nothing in it"));
    }
}
