//! Bar charts as SVG, drawn by hand: one panel for each metric, one bar for each variant and subject.

use super::Row;
use super::table::number;

const WIDTH: usize = 940;
const LABELS: usize = 380;
const NUMBERS: usize = 90;
const BAR: usize = 18;
const GAP: usize = 6;
const HEAD: usize = 40;

/// The chart of one scenario.
pub(super) fn draw(scenario: &str, metrics: &[&str], rows: &[&Row]) -> String {
    let panels: Vec<(&str, Vec<&Row>)> = metrics
        .iter()
        .map(|metric| {
            let rows = rows.iter().copied().filter(|row| row.metric == *metric);
            (*metric, rows.collect::<Vec<_>>())
        })
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    let mut body = String::new();
    let mut top = HEAD;
    for (metric, rows) in &panels {
        panel(&mut body, metric, rows, top);
        top += HEAD + rows.len() * (BAR + GAP);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{top}\" viewBox=\"0 0 {WIDTH} {top}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"16\" font-weight=\"bold\">{}</text>\n{body}</svg>\n",
        escaped(scenario)
    )
}

fn panel(svg: &mut String, metric: &str, rows: &[&Row], top: usize) {
    let unit = rows.first().map_or("", |row| row.unit);
    let greatest = rows.iter().map(|row| row.value).fold(0.0, f64::max);
    line(
        svg,
        format_args!(
            "<text x=\"12\" y=\"{}\" font-weight=\"bold\">{} [{}]</text>",
            top + 22,
            escaped(metric),
            escaped(unit)
        ),
    );
    for (index, row) in rows.iter().enumerate() {
        let y = top + HEAD - 8 + index * (BAR + GAP);
        let room = (WIDTH - LABELS - NUMBERS) as f64;
        let width = if greatest > 0.0 {
            (row.value / greatest * room).max(1.0)
        } else {
            1.0
        };
        let baseline = y + BAR - 5;
        line(
            svg,
            format_args!(
                "<text x=\"{}\" y=\"{baseline}\" text-anchor=\"end\">{} · {}</text>",
                LABELS - 8,
                escaped(&row.variant),
                escaped(&row.subject)
            ),
        );
        line(
            svg,
            format_args!(
                "<rect x=\"{LABELS}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{}\"/>",
                colour(&row.subject)
            ),
        );
        line(
            svg,
            format_args!(
                "<text x=\"{:.1}\" y=\"{baseline}\">{}</text>",
                LABELS as f64 + width + 6.0,
                number(row.value)
            ),
        );
    }
}

fn line(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.push_str(&format!("{text}\n"));
}

/// What is measured stands out, what it is measured by stays behind.
fn colour(subject: &str) -> &'static str {
    match subject {
        "floor-bare" | "baseline" => "#9aa5b1",
        "floor-reqwest" => "#c3cad2",
        _ => "#2b6cb0",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_chosen_metrics_has_a_bar() {
        let row = |metric: &str, value: f64| Row {
            scenario: "latency",
            variant: "a < b".to_owned(),
            subject: "hookline".to_owned(),
            metric: metric.to_owned(),
            value,
            unit: "ms",
        };
        let rows = [row("p50", 1.0), row("p50", 2.0), row("p99", 3.0), row("max", 9.0)];
        let svg = draw(
            "latency",
            &["p50", "p99", "none"],
            &rows.iter().collect::<Vec<_>>(),
        );
        assert_eq!(svg.matches("height=\"18\"").count(), 3);
        assert!(svg.contains("a &lt; b"));
        assert!(!svg.contains("max"));
        assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
    }
}
