//! What is told of a run: rows and targets, as tables, as JSON and as charts.

mod chart; // SVG
pub(crate) mod stats; // medians and percentiles
mod table; // for the terminal

use std::fmt::Display;
use std::path::Path;

use serde::Serialize;

use crate::error::{Context as _, Result};

/// One number.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    scenario: &'static str,
    variant: String,
    subject: String,
    metric: String,
    value: f64,
    unit: &'static str,
}

/// A number that should not be passed, and whether it was.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Target {
    name: String,
    value: f64,
    target: f64,
    met: bool,
}

/// Everything measured so far.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Report {
    rows: Vec<Row>,
    targets: Vec<Target>,
    /// Whether targets mean anything in this run.
    #[serde(skip)]
    is_judged: bool,
}

/// One line of a table while it is filled.
pub(crate) struct Entry<'a> {
    report: &'a mut Report,
    scenario: &'static str,
    variant: String,
    subject: String,
}

impl Entry<'_> {
    /// Adds a number.
    pub(crate) fn put(&mut self, metric: &str, value: f64, unit: &'static str) {
        self.report.rows.push(Row {
            scenario: self.scenario,
            variant: self.variant.clone(),
            subject: self.subject.clone(),
            metric: metric.to_owned(),
            value: rounded(value),
            unit,
        });
    }
}

impl Report {
    pub(crate) fn new(is_judged: bool) -> Self {
        Self {
            is_judged,
            ..Self::default()
        }
    }

    /// The line of a table to put numbers into.
    pub(crate) fn entry(
        &mut self,
        scenario: &'static str,
        variant: impl Into<String>,
        subject: impl Into<String>,
    ) -> Entry<'_> {
        Entry {
            report: self,
            scenario,
            variant: variant.into(),
            subject: subject.into(),
        }
    }

    /// Judges a number that should be at least `target`.
    pub(crate) fn at_least(&mut self, name: &str, value: f64, target: f64) {
        self.judge(format!("{name}, at least"), value, target, value >= target);
    }

    /// Judges a number that should be at most `target`.
    pub(crate) fn at_most(&mut self, name: &str, value: f64, target: f64) {
        self.judge(format!("{name}, at most"), value, target, value <= target);
    }

    fn judge(&mut self, name: String, value: f64, target: f64, met: bool) {
        if self.is_judged {
            let value = rounded(value);
            self.targets.push(Target {
                name,
                value,
                target,
                met,
            });
        }
    }

    /// Draws a scenario: one panel for each of `metrics`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn draw(&self, scenario: &str, metrics: &[&str], folder: &Path) -> Result<()> {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.scenario == scenario).collect();
        let path = folder.join(format!("{scenario}.svg"));
        std::fs::write(&path, chart::draw(scenario, metrics, &rows)).context(path.display())
    }

    /// Writes `report.json`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).context("writing the report")?;
        std::fs::write(path, json).context(path.display())
    }

    /// Prints the table of a scenario.
    pub(crate) fn print_scenario(&self, scenario: &str) {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.scenario == scenario).collect();
        progress(&format!("\n{scenario}\n{}", table::of_rows(&rows)));
    }

    /// Prints the targets, each with whether it was met.
    pub(crate) fn print_targets(&self) {
        if self.is_judged {
            progress(&format!("\ntargets\n{}", table::of_targets(&self.targets)));
        } else {
            progress("\nNothing is judged: this run only shows that everything works.");
        }
    }
}

/// Four digits after the point are more than any of this means.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

/// Tells whoever watches how far it is.
#[expect(clippy::print_stdout, reason = "the benchmark's answer is what it prints")]
pub(crate) fn progress(text: &str) {
    println!("{text}");
}

/// Says why the benchmark ended early.
#[expect(clippy::print_stderr, reason = "the last word to the person who started it")]
pub(crate) fn complain(fault: &dyn Display) {
    eprintln!("hookline-bench: {fault}");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn report(is_judged: bool) -> Report {
        let mut report = Report::new(is_judged);
        let mut entry = report.entry("latency", "100/s", "hookline");
        entry.put("p50", 1.234_567, "ms");
        report.at_most("p50", 1.5, 2.0);
        report.at_least("rate", 0.7, 0.8);
        report
    }

    #[test]
    fn the_file_has_rows_and_targets() {
        let json = serde_json::to_value(report(true)).unwrap();
        let wanted = serde_json::json!({
            "rows": [{"scenario": "latency", "variant": "100/s", "subject": "hookline",
                      "metric": "p50", "value": 1.2346, "unit": "ms"}],
            "targets": [{"name": "p50, at most", "value": 1.5, "target": 2.0, "met": true},
                        {"name": "rate, at least", "value": 0.7, "target": 0.8, "met": false}],
        });
        assert_eq!(json, wanted);
    }

    #[test]
    fn a_quick_run_judges_nothing() {
        assert!(report(false).targets.is_empty());
    }
}
