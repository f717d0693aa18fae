//! Tables for the terminal: a line for each variant and subject, a column for each metric.

use super::{Row, Target};

/// The rows of one scenario.
pub(super) fn of_rows(rows: &[&Row]) -> String {
    let mut metrics: Vec<(&str, &str)> = Vec::new();
    let mut lines: Vec<(&str, &str)> = Vec::new();
    for row in rows {
        let (metric, line) = (
            (row.metric.as_str(), row.unit),
            (row.variant.as_str(), row.subject.as_str()),
        );
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let head = ["variant", "subject"].into_iter().map(str::to_owned);
    let names = head.chain(metrics.iter().map(|(metric, _)| (*metric).to_owned()));
    let units = ["", ""].into_iter().chain(metrics.iter().map(|(_, unit)| *unit));
    let mut table: Vec<Vec<String>> = vec![names.collect(), units.map(str::to_owned).collect()];
    for (variant, subject) in lines {
        let value = |(metric, unit): &(&str, &str)| {
            let row = rows.iter().find(|row| {
                (row.variant.as_str(), row.subject.as_str()) == (variant, subject)
                    && (row.metric.as_str(), row.unit) == (*metric, *unit)
            });
            row.map_or_else(|| "–".to_owned(), |row| number(row.value))
        };
        let line = [variant.to_owned(), subject.to_owned()].into_iter();
        table.push(line.chain(metrics.iter().map(value)).collect());
    }
    aligned(&table, 2)
}

/// The targets.
pub(super) fn of_targets(targets: &[Target]) -> String {
    let mut table = vec![["target", "wanted", "measured", ""].map(str::to_owned).to_vec()];
    for target in targets {
        let verdict = if target.met { "met" } else { "MISSED" };
        let (wanted, measured) = (number(target.target), number(target.value));
        table.push(vec![target.name.clone(), wanted, measured, verdict.to_owned()]);
    }
    aligned(&table, 1)
}

/// As many digits as mean something.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1000.0 {
        let digits = format!("{size:.0}");
        let mut text = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        return if value < 0.0 { format!("-{text}") } else { text };
    }
    match size {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Columns as wide as what stands in them: the first `texts` flush left, the numbers flush right.
fn aligned(table: &[Vec<String>], texts: usize) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let cells = table.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for line in table {
        for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let cell = if column < texts {
                format!("  {cell:<width$}")
            } else {
                format!("  {cell:>width$}")
            };
            text.push_str(&cell);
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(variant: &str, subject: &str, metric: &str, value: f64) -> Row {
        Row {
            scenario: "s",
            variant: variant.to_owned(),
            subject: subject.to_owned(),
            metric: metric.to_owned(),
            value,
            unit: "ms",
        }
    }

    #[test]
    fn variants_and_subjects_are_lines_and_metrics_are_columns() {
        let rows = [
            row("alone", "hookline", "p50", 1.5),
            row("alone", "hookline", "p99", 12_345.6),
            row("alone", "floor", "p50", 1.0),
        ];
        let table = of_rows(&rows.iter().collect::<Vec<_>>());
        let wanted = "  variant  subject    p50     p99\n\
                      \u{20}                      ms      ms\n\
                      \u{20} alone    hookline  1.50  12,346\n\
                      \u{20} alone    floor     1.00       –\n";
        assert_eq!(table, wanted);
    }

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        let numbers = [0.804, 9.87, 12.34, 123.4, 1_234.5, 1_234_567.0, -4_321.0].map(number);
        assert_eq!(
            numbers,
            ["0.80", "9.87", "12.3", "123", "1,234", "1,234,567", "-4,321"]
        );
    }
}
