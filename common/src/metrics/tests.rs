use std::collections::BTreeSet;

use super::declaration::{Kind, Metric};
use super::{Program, all, document};

fn each() -> impl Iterator<Item = &'static Metric> {
    [Program::Dispatcher, Program::Console].into_iter().flat_map(all)
}

#[test]
fn names_are_ours_and_name_one_metric_each() {
    for program in [Program::Dispatcher, Program::Console] {
        let metrics = all(program);
        let names: BTreeSet<_> = metrics.iter().map(|metric| metric.prometheus_name()).collect();
        assert_eq!(names.len(), metrics.len(), "{program:?}");
    }
    for metric in each() {
        let is_sound = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte == b'.';
        assert!(
            metric.name.starts_with("hookline.") && metric.name.bytes().all(is_sound),
            "{metric:?}"
        );
        // What a type or a unit says stands in the metric, and is added to the name where Prometheus wants it.
        for word in ["total", "seconds", "bytes", "count", "gauge", "sum", "bucket"] {
            assert!(
                !metric.name.split(['.', '_']).any(|part| part == word),
                "{metric:?}"
            );
        }
    }
}

#[test]
fn labels_are_few_and_bounded() {
    let allowed = [
        "queue", "outcome", "reason", "state", "of", "route", "method", "status",
    ];
    for metric in each() {
        for label in metric.labels {
            assert!(allowed.contains(&label.name), "{}: {}", metric.name, label.name);
        }
    }
}

#[test]
fn bounds_of_buckets_rise() {
    for metric in each() {
        if let Kind::Histogram(bounds) = metric.kind {
            assert!(
                !bounds.is_empty() && bounds.is_sorted_by(|a, b| a < b),
                "{metric:?}"
            );
        }
    }
}

#[test]
fn each_is_described_once_and_in_words() {
    let text = document();
    for metric in each() {
        let name = format!("| `{}`<br>", metric.prometheus_name());
        assert_eq!(text.matches(&name).count(), 1, "{name}");
        assert!(
            !metric.help.ends_with('.') && metric.help.len() > 10,
            "{metric:?}"
        );
        assert!(!metric.help.contains('|'), "{metric:?}");
    }
}
