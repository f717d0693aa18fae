//! `docs/METRICS.md`, made of the declarations.

use super::declaration::{Kind, Metric};
use super::{console, dispatcher, process};

const HEAD: &str = "\
# Metrics

Made of the declarations in `common/src/metrics/`: `hookline-console metrics > docs/METRICS.md`. A test sees that it is up to
date, and others that a dispatcher and a console at work show each of these and nothing else of ours.

`/metrics` shows them to Prometheus under the first name; OTLP carries them under the second, where a collector is set
([SETTINGS](SETTINGS.md)). Counters and gauges are there from the start, with 0 where nothing has happened, so that the first of
anything shows as an increase; histograms from their first value on. No label holds a company, an endpoint, an event or a URL, so
the number of series does not grow with customers: who fails is in the log, in `hookline problems` and on the dashboard.
[RUNBOOK](RUNBOOK.md) has what to do when one of them looks bad, `deploy/prometheus/rules.yaml` the alerts and
`deploy/grafana/hookline.json` a board.
";

/// The document, in Markdown.
#[must_use]
pub fn document() -> String {
    let mut text = HEAD.to_owned();
    section(&mut text, "Of the dispatcher", dispatcher::ALL);
    section(&mut text, "Of the console", console::ALL);
    section(&mut text, "Of both", process::ALL);
    text
}

fn section(text: &mut String, title: &str, metrics: &[Metric]) {
    text.push_str(&format!(
        "\n## {title}\n\n| metric | kind, unit | labels | what it means |\n| --- | --- | --- | --- |\n"
    ));
    for metric in metrics {
        let labels: Vec<String> = metric
            .labels
            .iter()
            .map(|label| format!("`{}`: {}", label.name, label.values))
            .collect();
        text.push_str(&format!(
            "| `{}`<br>`{}` | {}{} | {} | {}{} |\n",
            metric.prometheus_name(),
            metric.name,
            metric.prometheus_type(),
            unit(metric.unit),
            labels.join("<br>"),
            metric.help,
            buckets(metric.kind),
        ));
    }
}

fn unit(unit: &str) -> String {
    match unit {
        "" => String::new(),
        "s" => ", seconds".to_owned(),
        "By" => ", bytes".to_owned(),
        counted => format!(", {counted}"),
    }
}

fn buckets(kind: Kind) -> String {
    let Kind::Histogram(bounds) = kind else {
        return String::new();
    };
    let bounds: Vec<String> = bounds.iter().map(ToString::to_string).collect();
    format!(". Buckets: {}", bounds.join(", "))
}
